/* layerd.h: a client for layerd, in C17 over libcurl and Jansson.
 *
 * The client knows no operation by name: a request names a path and its tensors, an answer gives
 * its tensors by name. What the operations are is told by the daemon (GET /openapi.json). Several
 * go in one call as a graph, and tensors may stay on the daemon under handles.
 *
 *     layerd_error error;
 *     layerd_client *client = layerd_open(NULL, &error);
 *     double x[2][3] = {{1, 2, 3}, {4, 5, 6}}, w[3] = {1, 0, -1}, b[1] = {0.5};
 *     layerd_tensor tx = layerd_wrap(LAYERD_FLOAT64, 2, (size_t[]){2, 3}, x);
 *     layerd_tensor tw = layerd_wrap(LAYERD_FLOAT64, 2, (size_t[]){3, 1}, w);
 *     layerd_tensor tb = layerd_wrap(LAYERD_FLOAT64, 1, (size_t[]){1}, b);
 *     layerd_request request = {.path = "/affine/forward",
 *                               .inputs = {{"x", &tx}, {"w", &tw}, {"b", &tb}}};
 *     layerd_answer *answer = layerd_run(client, &request, &error);
 *     if (answer == NULL)
 *         fprintf(stderr, "%s\n", error.detail);
 *     else
 *         printf("%g\n", layerd_answer_tensor(answer, "out")->f64[0]);
 *     layerd_answer_free(answer);
 *     layerd_close(client);
 *
 * Errors     A function that can fail returns NULL or false and fills the layerd_error it is given
 *            (which may be NULL). Nothing prints, exits or aborts. A NULL client, tensor or answer
 *            is an error or an empty result, never a crash, so calls can be chained and the last
 *            one asked; the error then tells of the NULL.
 * Ownership  What layerd_open, layerd_tensor_make, layerd_run, layerd_check, layerd_graph,
 *            layerd_put, layerd_fetch, layerd_answer_take and layerd_raw return is the caller's, to
 *            be given to the matching close or free, all of which take NULL. Everything else is
 * borrowed: what an answer's functions return, handles too, lives as long as the answer; what
 *            stands in a request is only read, and only during the call.
 * Handles    A cache or a kept tensor is the daemon's, and neither layerd_answer_free nor
 *            layerd_close gives it up: it stays until it is released, or has gone unused for as
 *            long as the daemon is set to (15 minutes, if it is not).
 * Threads    A client is one keep-alive connection and belongs to one thread at a time. Different
 *            clients are independent, and any of them may use a handle that another was given.
 *            Tensors and answers are plain memory.
 * Shapes     Row-major (C order). Dimensions count elements; sizes of memory are in bytes.
 * Numbers    Tensors travel as bytes (safetensors), so that every value arrives as it was sent.
 *            Parameters do, too, whatever the locale. */
#ifndef LAYERD_H
#define LAYERD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#ifdef __cplusplus
extern "C" {
#endif

#define LAYERD_MAX_RANK   32
#define LAYERD_MAX_INPUTS 16

/* ---- errors ------------------------------------------------------------------------------ */

typedef struct layerd_error {
    int status; /* HTTP status; 0 where no answer came */
    double
        retry_after; /* seconds the daemon asks to wait before trying again; 0 where it does not */
    char code[48];   /* the daemon's stable code, "shape_mismatch"; or one of the client's own:
                        "invalid_input"  the request cannot be written (bad tensor or params)
                        "transport"      no answer: refused, timed out, cut off
                        "bad_answer"     an answer that is not what the contract promises
                        "no_memory"      an allocation failed here */
    char pointer[256]; /* the input at fault as a JSON pointer, "/w"; "" where none is */
    char detail[512];  /* one sentence, the daemon's own where it sent one; cut off if longer */
} layerd_error;

/* ---- tensors ----------------------------------------------------------------------------- */

typedef enum layerd_dtype {
    LAYERD_FLOAT64, /* double */
    LAYERD_FLOAT32, /* float */
    LAYERD_INT64,   /* int64_t: labels; come back only from where they were kept */
    LAYERD_UINT8,   /* uint8_t: labels and masks, only sent: kept, they are int64_t, and labels */
} layerd_dtype;

typedef struct layerd_tensor {
    layerd_dtype dtype;
    int rank;                      /* 0 (a scalar) to LAYERD_MAX_RANK */
    size_t shape[LAYERD_MAX_RANK]; /* `rank` of them count */
    size_t size;                   /* elements: the product of the shape, 1 for rank 0 */
    union {                        /* `size` elements in C order; pick the one of `dtype` */
        void *data;
        double *f64;
        float *f32;
        int64_t *i64;
        uint8_t *u8;
    };
} layerd_tensor;

/* A tensor of zeros, data included in its own allocation. `shape` may be NULL for rank 0. NULL
 * where the rank or dtype is none, the size overflows or memory is short. */
layerd_tensor *layerd_tensor_make(layerd_dtype dtype, int rank, const size_t *shape);

/* Frees what layerd_tensor_make or layerd_answer_take returned; never a wrapped tensor. */
void layerd_tensor_free(layerd_tensor *tensor);

/* A tensor over the caller's memory, for sending: nothing is copied, nothing is to be freed, and
 * the memory is only read. A bad rank, dtype or size gives a tensor with data NULL and size 1,
 * which layerd_run refuses as "invalid_input". */
layerd_tensor layerd_wrap(layerd_dtype dtype, int rank, const size_t *shape, const void *data);

/* ---- the connection ---------------------------------------------------------------------- */

typedef struct layerd_client layerd_client;

/* A client of the daemon at `url` ("http://host:port", a path prefix is kept), or where url is
 * NULL of that in the environment's LAYERD_URL, or else of http://127.0.0.1:8080. Connects with
 * the first request, and again after the connection was lost. */
layerd_client *layerd_open(const char *url, layerd_error *error);
void layerd_close(layerd_client *client);

/* The longest time a request may take, in milliseconds, from sending to the last byte; 0 is without
 * end. 120,000 unless set. Connecting may take 10 seconds of it. */
void layerd_set_timeout(layerd_client *client, long milliseconds);

/* The token that every later request carries, as `layerd --new-token` prints it; NULL or "" for
 * none. Copied. From the start it is that in the environment's LAYERD_TOKEN. An Authorization of
 * layerd_add_header's or of a message goes before it. */
bool layerd_set_token(layerd_client *client, const char *token, layerd_error *error);

/* A header line for every later request, e.g. "Accept-Language: de". Copied. */
bool layerd_add_header(layerd_client *client, const char *line, layerd_error *error);

/* ---- running operations ------------------------------------------------------------------ */

typedef struct layerd_input {
    const char *name; /* "x"; "bn_param.running_mean" puts the tensor inside that parameter, and so
                         does "dropout_param.mask" */
    const layerd_tensor *tensor;
} layerd_input;

typedef struct layerd_handle {
    const char *name;   /* as in layerd_input */
    const char *handle; /* NULL is refused as "invalid_input" */
} layerd_handle;

typedef struct layerd_request {
    const char *path;     /* "/affine/forward" */
    const char *query;    /* "cache=none"; NULL for none */
    const char *cache;    /* the handle of the forward call; NULL for none */
    const json_t *params; /* further members of the request, an object; NULL for none:
                             {"bn_param": {"mode": "train", "momentum": 0.9}}. Takes whatever
                             layerd_answer_value returned. Inside, a tensor is a list of
                             numbers or {"shape": [...], "data": [...]}. A name given here and
                             in `inputs` or `kept` is refused as "invalid_input". */
    layerd_input inputs[LAYERD_MAX_INPUTS]; /* ends at the first without a name */
    layerd_handle kept[LAYERD_MAX_INPUTS];  /* tensors that the daemon has; ends likewise */
} layerd_request;

typedef struct layerd_answer layerd_answer;

/* Runs an operation and waits for its answer. The computation is in float32 if the floating tensors
 * of the request are; they may not be mixed. The tensors of the answer are of that dtype. */
layerd_answer *layerd_run(layerd_client *client, const layerd_request *request,
                          layerd_error *error);
void layerd_answer_free(layerd_answer *answer);

/* The tensor called `name` ("out", "bn_param.running_mean"), NULL where there is none. Its elements
 * may be written to. */
layerd_tensor *layerd_answer_tensor(const layerd_answer *answer, const char *name);

/* The same, taken out of the answer: the caller's to free. */
layerd_tensor *layerd_answer_take(layerd_answer *answer, const char *name);

/* What is not a tensor: "bn_param" (an object, tensors inside as JSON, fit to be sent with the next
 * request), "dropout_param.seed". NULL where there is none. Borrowed, as Jansson calls it. */
json_t *layerd_answer_value(const layerd_answer *answer, const char *name);

/* A number, NaN and the infinities too: "loss", "bn_param.eps". False where there is none. */
bool layerd_answer_number(const layerd_answer *answer, const char *name, double *number);

/* The cache handle, NULL where there is none. */
const char *layerd_answer_cache(const layerd_answer *answer);

/* Whether outputs of an operation are right. What is claimed stands in the request beside what the
 * operation takes, under the output's name behind "claim.":
 *
 *     layerd_request request = {.path = "/check/affine/forward",
 *                               .inputs = {{"x", &x}, {"w", &w}, {"b", &b}, {"claim.out", &out}}};
 *     json_t *verdict = layerd_check(client, &request, &error);
 *     const char *found = json_string_value(json_object_get(verdict, "verdict"));
 *     json_decref(verdict);
 *
 * A backward takes what its forward took, and dout. A number is claimed in the params, {"claim":
 * {"loss": 0.5}} or {"claim.config": {"t": 2}}; there "precision" and "tolerance" have their place,
 * too. What is found is {"verdict": "wrong", "claim": {"out": {"verdict": "wrong", "fault":
 * "bias_missing", "says": "..."}}}, with "right" where all is, and the caller's to json_decref.
 *
 * A challenge is drawn by layerd_run at "/challenge", with {"operation": "affine/forward"} as its
 * params: the answer has the inputs, and as layerd_answer_value "challenge", which is sent as a
 * param with the claims to "/challenge/answer" by layerd_check. */
json_t *layerd_check(layerd_client *client, const layerd_request *request, layerd_error *error);

/* Deletes the handle of a cache or of a kept tensor on the daemon. An unknown one is false, with
 * code "unknown_cache". */
bool layerd_release(layerd_client *client, const char *handle, layerd_error *error);

/* ---- graphs and kept tensors ------------------------------------------------------------- */

/* Several operations in one call. A document, which json_loads or json_pack makes, tells them:
 *
 *     {"nodes": [{"name": "s", "op": "affine/forward", "x": "x", "w": "w", "b": "b"},
 *                {"name": "l", "op": "softmax/loss", "x": "s.out", "y": "y"},
 *                {"name": "d", "op": "gradients", "of": ["l.loss"], "for": ["w"]},
 *                {"name": "u", "op": "sgd/update", "w": "w", "dw": "d.w"}],
 *      "give": ["l.loss"], "keep": ["u.next_w"]}
 *
 * Beside it goes what differs from one call to the next:
 *
 *     layerd_input inputs[] = {{"x", &x}, {"y", &y}, {"b", &b}, {0}};
 *     layerd_handle weights[] = {{"w", layerd_answer_kept(before, "u.next_w")}, {0}};
 *     layerd_graph_request request = {
 *         .document = document, .inputs = inputs, .kept = weights, .release = weights};
 *     layerd_answer *answer = layerd_graph(client, &request, &error);
 */
typedef struct layerd_graph_request {
    const json_t *document;       /* an object, as POST /graph takes it; its "inputs" and "release",
                                     if it has any, are added to. Its "dtype" is for a call that
                                     sends no floating tensors; those of `inputs` set it else. */
    const layerd_input *inputs;   /* each list ends at the first without a name; NULL for none */
    const layerd_handle *kept;    /* tensors that the daemon has, and */
    const layerd_handle *caches;  /* caches, by the names that nodes know them by */
    const layerd_handle *release; /* given up once all else is done; their names do not matter */
} layerd_graph_request;

/* Runs a graph, all of it or nothing: where the daemon refuses it, nothing was kept or released.
 * Where its answer was lost ("transport", "bad_answer", "no_memory") that is not known; and libcurl
 * sends a call again where a connection that was kept alive ends before an answer begins, so that
 * what such a graph kept may be there twice until it expires. Errors point into the document,
 * "/nodes/3/w", in which an input is "/inputs/x".
 *
 * The answer has the results by their names, for layerd_answer_tensor ("d.w") and
 * layerd_answer_number ("l.loss"), and the new handles, for layerd_answer_kept. */
layerd_answer *layerd_graph(layerd_client *client, const layerd_graph_request *request,
                            layerd_error *error);

/* Keeps tensors on the daemon, all of them or none: layerd_answer_kept has each one's handle by its
 * name, which is only of this call, and has no dot. The list ends at the first without a name. */
layerd_answer *layerd_put(layerd_client *client, const layerd_input *inputs, layerd_error *error);

/* Kept tensors, by names of this call. The daemon keeps them still. */
layerd_answer *layerd_fetch(layerd_client *client, const layerd_handle *kept, layerd_error *error);

/* The handle of what layerd_graph ("u.next_w") or layerd_put kept, NULL where there is none. */
const char *layerd_answer_kept(const layerd_answer *answer, const char *name);

/* ---- plain HTTP, for everything else ----------------------------------------------------- */

typedef struct layerd_message {
    const char *method;         /* "GET"; NULL is GET without and POST with a body */
    const char *path;           /* "/healthz", sent as it is */
    const char *query;          /* without the "?"; NULL for none */
    const char *const *headers; /* "Name: value" lines, a NULL at the end; NULL for none. Beside
                                   them only Host, Accept, Content-Length, the token's and
                                   layerd_add_header's go. */
    const void *body;           /* NULL for none */
    size_t length;              /* of the body, in bytes */
} layerd_message;

typedef struct layerd_reply {
    int status;
    char *head;    /* status line and header lines of the last answer as they came; never NULL */
    char *body;    /* never NULL; a NUL follows its last byte */
    size_t length; /* of the body, without that NUL */
} layerd_reply;

/* Sends a message and returns whatever is answered: a status of 400 and above is not an error. */
layerd_reply *layerd_raw(layerd_client *client, const layerd_message *message, layerd_error *error);
void layerd_reply_free(layerd_reply *reply);

/* Copies the value of the first header called `name` (in any case), cut to `size` bytes with its
 * NUL. False, and an empty value, where there is none. */
bool layerd_reply_header(const layerd_reply *reply, const char *name, char *value, size_t size);

#ifdef __cplusplus
}
#endif
#endif
