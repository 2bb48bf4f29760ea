/* An allocation that fails, each of every operation in turn: a clean answer, nothing leaked, and
 * everything as usable as before. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "codec/json_recent.h"
#include "codec/json_write.h"
#include "codec/safetensors_write.h"
#include "unit/calls.h"
#include "unit/failing_malloc.h"
#include "unit/server/serving.h"

TestSuite(allocation, .timeout = 60);

static const char bytes_type[] = "application/vnd.safetensors";

enum { BUDGET = 1 << 20, ALLOCATIONS_MOST = 50000 };

static options limits = {.body_limit = 1 << 20,
                         .answer_limit = 1 << 16,
                         .work_limit = 1 << 30,
                         .cache_budget = BUDGET,
                         .memory = 1 << 20,
                         .threads = 1};

static void start(service *service, size_t budget) {
    cr_assert(serving_start(service, &limits, budget));
}

/* A request, run as often as it has allocations. `giver` runs before it and gives `handle`, which
 * stands in its body or path. */
typedef struct {
    service *service;
    const char *about;
    sent sent;
    const sent *giver;
    char *handle;  /* HANDLE_TEXT bytes within the request's texts; NULL for none */
    char *second;  /* where it stands again, or NULL */
    served wanted; /* the answer where nothing fails */
} scenario;

/* A page of figures without them, as they differ from run to run, and without what /proc tells,
 * which may be left out. */
static void drop_figures(served *answer) {
    static const char of_proc[] = "process_";
    size_t kept = 0;
    bool starts = true, left_out = false;
    for (size_t i = 0; i < answer->length; i++) {
        char c = answer->body[i];
        if (starts)
            left_out = answer->length - i > sizeof of_proc &&
                       !memcmp(answer->body + i, of_proc, sizeof of_proc - 1);
        starts = c == '\n';
        if (!left_out && !strchr("0123456789.e+-", c))
            answer->body[kept++] = c;
    }
    answer->length = kept;
}

typedef struct {
    int count;
    char text[8][HANDLE_TEXT];
} handles;

/* Gathers the handles of an answer, and overwrites them. */
static void mask_handles(served *answer, handles *handles) {
    const size_t length = HANDLE_TEXT - 1;
    for (size_t i = 0; i + length + 2 <= answer->length; i++) {
        char *text = answer->body + i + 1;
        if (text[-1] != '"' || text[length] != '"' || strspn(text, "0123456789abcdef") != length ||
            handles->count == 8)
            continue;
        memcpy(handles->text[handles->count], text, length);
        handles->text[handles->count++][length] = '\0';
        memset(text, '0', length);
        i += length;
    }
}

/* Overwrites a challenge and the time behind it, which begin an answer or a file's texts. */
static void mask_challenge(served *answer) {
    static const char challenge[] = "\"challenge\":\"lc1.", operation[] = "\"operation\":";
    char *at = memmem(answer->body, answer->length, challenge, sizeof challenge - 1);
    char *end = memmem(answer->body, answer->length, operation, sizeof operation - 1);
    if (at && end > at)
        memset(at, '0', (size_t)(end - at));
}

/* What differs from run to run: handles that are given, challenges, and the times that end a
 * handle's document. Overwrites them. */
static void mask(const sent *sent, served *answer, handles *handles) {
    static const char created[] = "\"created\":\"";
    char *end = answer->body + answer->length, *at;
    handles->count = 0;
    if (!answer->good || !answer->body)
        return;
    if (!strncmp(answer->content_type, "text/", 5)) {
        drop_figures(answer);
        return;
    }
    bool calls = !strcmp(sent->head.method, "POST");
    if (calls) {
        mask_handles(answer, handles);
        mask_challenge(answer);
    }
    if (!calls && (at = memmem(answer->body, answer->length, created, sizeof created - 1)))
        memset(at, '0', (size_t)(end - at));
}

static bool same(const served *got, const served *want) {
    return got->good == want->good && got->status == want->status && got->length == want->length &&
           (got->length == 0 || !memcmp(got->body, want->body, got->length));
}

/* Overloaded, by its document; or a problem of which there is none, for want of memory. */
static bool refused_for_memory(const served *got) {
    return !got->good &&
           (!got->body || (got->status == 503 && got->problem.kind == PROBLEM_OVERLOADED &&
                           strstr(got->body, "\"code\":\"overloaded\"")));
}

/* The handle that the request is to have, as text without a terminator in the right place. */
static void prepare(scenario *s) {
    if (!s->giver)
        return;
    handles handles;
    served given = serve(s->service, s->giver);
    mask(s->giver, &given, &handles);
    cr_assert(handles.count == 1, "%s: no handle: %.200s", s->about, given.body);
    memcpy(s->handle, handles.text[0], HANDLE_TEXT - 1);
    if (s->second)
        memcpy(s->second, handles.text[0], HANDLE_TEXT - 1);
    free(given.body);
}

/* Gives up whatever the run left in the store: then its whole budget must be free. What the request
 * was given is still there unless it was `done`. */
static void clean_up(scenario *s, const handles *given, bool done) {
    char handle[HANDLE_TEXT];
    int retry_after;
    store *store = s->service->store;
    for (int i = 0; i < given->count; i++)
        cr_assert(store->remove(store, given->text[i]), "%s: a value is not in the store",
                  s->about);
    if (s->giver) {
        memcpy(handle, s->handle, HANDLE_TEXT - 1);
        handle[HANDLE_TEXT - 1] = '\0';
        cr_assert(store->remove(store, handle) || done, "%s: a refused request took the handle",
                  s->about);
    }
    size_t budget = s->service->options->cache_budget;
    cr_assert(store->reserve(store, budget, &retry_after), "%s: the budget leaks", s->about);
    store->release(store, budget);
    cr_assert(s->service->memory.used == 0, "%s: the memory's budget leaks", s->about);
}

/* One run with one failure; false where the request has no such allocation. */
static bool run_failing(scenario *s, size_t index) {
    json_recent_forget();
    malloc_watch();
    prepare(s);
    malloc_fail_at(index);
    served got = serve(s->service, &s->sent);
    bool failed = malloc_failed();
    handles given;
    mask(&s->sent, &got, &given);
    bool expected = same(&got, &s->wanted);
    cr_assert(expected || (failed && refused_for_memory(&got)),
              "%s, allocation %zu: %d %.300s, where %d %.300s was wanted", s->about, index,
              got.status, got.body, s->wanted.status, s->wanted.body);
    clean_up(s, &given, expected);
    free(got.body);
    json_recent_forget();
    long live = malloc_live();
    cr_assert(live == 0, "%s, allocation %zu: %ld blocks are left", s->about, index, live);
    return failed;
}

static void run_scenario(scenario *s, int status) {
    prepare(s);
    s->wanted = serve(s->service, &s->sent);
    cr_assert(s->wanted.status == status, "%s: %d, not %d: %.300s", s->about, s->wanted.status,
              status, s->wanted.body);
    handles given;
    mask(&s->sent, &s->wanted, &given);
    clean_up(s, &given, true);
    size_t index = 0;
    while (run_failing(s, index))
        cr_assert(index++ < ALLOCATIONS_MOST);
    free(s->wanted.body);
}

/* {"x":...,"bn_param":{...},"dtype":"float32","cache":"<handle>"} of a call's tensors. */
static char *write_member(char *out, const char *name) {
    return out + sprintf(out, "%s\"%s\":", out[-1] == '{' ? "" : ",", name);
}

static char *write_inputs(char *out, const layers_call *call, bool flat) {
    for (int i = 0; call->operation->inputs[i].name; i++) {
        layers_tensor number = tensor_as(LAYERS_F64, &call->inputs[i]);
        out = json_write_tensor(write_member(out, call->operation->inputs[i].name), &number, flat,
                                NULL);
        layers_tensor_clear(&number);
    }
    return out;
}

static char *write_params(char *out, const layers_call *call, bool flat) {
    *out++ = '{';
    for (int i = 0; call->operation->params[i].name; i++) {
        const layers_param *param = &call->operation->params[i];
        const layers_value *value = &call->params[i];
        if (!value->given)
            continue;
        out = write_member(out, param->name);
        if (value->tensor.data)
            out = json_write_tensor(out, &value->tensor, flat, NULL);
        else if (param->kind == LAYERS_CHOICE)
            out += sprintf(out, "\"%s\"", param->choices[value->choice]);
        else
            out += sprintf(out, "%.17g", value->number);
    }
    *out++ = '}';
    return out;
}

typedef enum { NESTED, FLAT, TO_BYTES, FROM_BYTES, STYLES } style;

typedef struct {
    const layers_operation *operation;
    layers_dtype dtype;
    int choice;
    style style;
} variant;

static const char no_handle[] = "00000000000000000000000000000000";

enum { BODY_MOST = 1 << 16 };

static size_t json_body(const variant *v, const layers_call *call, char *body) {
    bool flat = v->style == FLAT;
    char *out = body;
    *out++ = '{';
    out = write_inputs(out, call, flat);
    if (v->operation->params_name)
        out = write_params(write_member(out, v->operation->params_name), call, flat);
    out = write_member(out, "dtype");
    out += sprintf(out, "\"%s\"", layers_dtype_name(v->dtype));
    if (v->operation->cache == LAYERS_CACHE_TAKEN)
        out += sprintf(out, ",\"cache\":\"%s\"", no_handle);
    *out++ = '}';
    return (size_t)(out - body);
}

static void put_text(safetensors_contents *contents, const char *owner, const char *name,
                     const char *text) {
    safetensors_text_named *place = &contents->texts[contents->text_count++];
    *place = (safetensors_text_named){.owner = owner, .name = name};
    snprintf(place->text, sizeof place->text, "%s", text);
}

static void put_tensor(safetensors_contents *contents, const char *owner, const char *name,
                       const layers_tensor *tensor) {
    contents->tensors[contents->tensor_count++] = (safetensors_tensor_named){owner, name, tensor};
}

static size_t bytes_body(const variant *v, const layers_call *call, char *body) {
    enum { MOST = LAYERS_MAX_TENSORS + LAYERS_MAX_PARAMS + 1 };
    const char *owner = v->operation->params_name;
    safetensors_tensor_named tensors[MOST];
    safetensors_text_named texts[MOST];
    safetensors_contents contents = {.tensors = tensors, .texts = texts};
    for (int i = 0; v->operation->inputs[i].name; i++)
        put_tensor(&contents, NULL, v->operation->inputs[i].name, &call->inputs[i]);
    for (int i = 0; v->operation->params && v->operation->params[i].name; i++) {
        const layers_param *param = &v->operation->params[i];
        const layers_value *value = &call->params[i];
        char number[32];
        snprintf(number, sizeof number, "%.17g", value->number);
        if (value->tensor.data)
            put_tensor(&contents, owner, param->name, &value->tensor);
        else if (value->given)
            put_text(&contents, owner, param->name,
                     param->kind == LAYERS_CHOICE ? param->choices[value->choice] : number);
    }
    if (v->operation->cache == LAYERS_CACHE_TAKEN)
        put_text(&contents, NULL, "cache", no_handle);
    return (size_t)(safetensors_write(body, &contents) - body);
}

static sent request_of(variant v, char path[64], char *body) {
    layers_call call = valid_call(v.operation, v.dtype, v.choice, 3);
    sent sent = {.head = {.method = "POST", .path = path}, .body = body};
    bool bytes = v.style == FROM_BYTES;
    sent.length = bytes ? bytes_body(&v, &call, body) : json_body(&v, &call, body);
    cr_assert(sent.length < BODY_MOST);
    layers_call_clear(&call);
    snprintf(path, 64, "/%s/%s", v.operation->layer, v.operation->name);
    sent.head.content_type = bytes ? bytes_type : NULL;
    sent.head.accept = v.style == TO_BYTES ? bytes_type : NULL;
    if (v.style == FLAT)
        sent.head.query[sent.head.query_count++] = (query_pair){"tensors", "flat"};
    return sent;
}

static void run_variant(service *service, variant v, const char *cache_query) {
    static char body[BODY_MOST], giver_body[BODY_MOST];
    char path[64], giver_path[64];
    scenario s = {
        .service = service, .about = v.operation->layer, .sent = request_of(v, path, body)};
    if (cache_query)
        s.sent.head.query[s.sent.head.query_count++] = (query_pair){"cache", cache_query};
    sent giver;
    if (v.operation->cache == LAYERS_CACHE_TAKEN) {
        variant of_giver = v;
        of_giver.operation = giver_of(v.operation);
        giver = request_of(of_giver, giver_path, giver_body);
        s.giver = &giver;
        s.handle = memmem(body, s.sent.length, no_handle, sizeof no_handle - 1);
    }
    run_scenario(&s, 200);
}

static void run_operation(service *service, const layers_operation *operation) {
    const char *query = operation->cache == LAYERS_CACHE_GIVEN   ? "none"
                        : operation->cache == LAYERS_CACHE_TAKEN ? "release"
                                                                 : NULL;
    for (layers_dtype dtype = LAYERS_F64; dtype <= LAYERS_F32; dtype++)
        for (int choice = 0; choice < choices_of(operation); choice++)
            for (style style = NESTED; style < STYLES; style++) {
                variant v = {operation, dtype, choice, style};
                run_variant(service, v, NULL);
                if (query)
                    run_variant(service, v, query);
            }
}

Test(allocation, of_every_operation) {
    service service;
    start(&service, BUDGET);
    for (const layers_operation *const *row = layers_operations; *row; row++)
        run_operation(&service, *row);
    serving_stop(&service);
}

#define SUBMISSION                                                                                 \
    "\"submission\":\"9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08\""

/* Requests that end in a problem, or in a document. */
Test(allocation, of_every_other_answer) {
    static const struct {
        int status;
        const char *method, *path, *body, *accept, *content_type;
    } rows[] = {
        {200, "GET", "/healthz", "", NULL, NULL},
        {200, "HEAD", "/readyz", "", NULL, NULL},
        {200, "GET", "/version", "", NULL, NULL},
        {200, "GET", "/metrics", "", NULL, NULL},
        {200, "GET", "/openapi.json", "", NULL, NULL},
        {200, "GET", "/challenge", "", NULL, NULL},
        {200, "POST", "/challenge", "{\"operation\":\"affine/forward\"," SUBMISSION "}", NULL,
         NULL},
        {200, "POST", "/challenge", "{\"operation\":\"affine/backward\"," SUBMISSION "}",
         bytes_type, NULL},
        {404, "GET", "/nothing", "", NULL, NULL},
        {404, "GET", "/cache/0123456789abcdef0123456789abcdef", "", NULL, NULL},
        {404, "DELETE", "/cache/0123456789abcdef0123456789abcdef", "", NULL, NULL},
        {405, "PUT", "/relu/forward", "", NULL, NULL},
        {406, "POST", "/relu/forward", "{\"x\":[1]}", "text/html", NULL},
        {415, "POST", "/relu/forward", "{\"x\":[1]}", NULL, "text/plain"},
        {400, "POST", "/relu/forward", "", NULL, NULL},
        {400, "POST", "/relu/forward", "{\"x\":[1,2}", NULL, NULL},
        {400, "POST", "/relu/forward", "{\"x\":[1,2],}", NULL, NULL},
        {400, "POST", "/relu/forward", "{\"x\":[1],\"x\":[1]}", NULL, NULL},
        {400, "POST", "/relu/forward", "{\"x\":[1],\"dtype\":\"\\ud800\"}", NULL, NULL},
        {400, "POST", "/relu/forward", "bytes", NULL, bytes_type},
        {422, "POST", "/relu/forward", "{}", NULL, NULL},
        {422, "POST", "/relu/forward", "[1]", NULL, NULL},
        {422, "POST", "/relu/forward", "{\"x\":[1],\"xs\":[2]}", NULL, NULL},
        {422, "POST", "/relu/forward", "{\"x\":\"one\"}", NULL, NULL},
        {422, "POST", "/relu/forward", "{\"x\":[[1],2]}", NULL, NULL},
        {422, "POST", "/relu/forward", "{\"x\":[1e999]}", NULL, NULL},
        {422, "POST", "/relu/forward", "{\"x\":[1],\"dtype\":\"int8\"}", NULL, NULL},
        {422, "POST", "/relu/forward", "{\"x\":{\"shape\":[2],\"data\":[1]}}", NULL, NULL},
        {422, "POST", "/relu/backward", "{\"dout\":[1]}", NULL, NULL},
        {404, "POST", "/relu/backward", "{\"dout\":[1],\"cache\":\"none\"}", NULL, NULL},
        {422, "POST", "/affine/forward", "{\"x\":[[1]],\"w\":[[1],[2]],\"b\":[1]}", NULL, NULL},
        {422, "POST", "/dropout/forward",
         "{\"x\":[1],\"dropout_param\":{\"p\":2,\"mode\":\"train\"}}", NULL, NULL},
        {422, "POST", "/dropout/forward",
         "{\"x\":[1],\"dropout_param\":{\"p\":1,\"mode\":\"train\",\"mask\":[2]}}", NULL, NULL},
        {422, "POST", "/challenge", "{\"operation\":\"affine/sideward\"}", NULL, NULL},
        {422, "POST", "/challenge", "{\"operation\":[\"affine/forward\"]}", NULL, NULL},
        {422, "POST", "/svm/loss", "{\"x\":[[1,2]],\"y\":[5]}", NULL, NULL},
        {422, "POST", "/svm/loss", "{\"x\":[[1,2]],\"y\":[0.5]}", NULL, NULL},
    };
    service service;
    start(&service, BUDGET);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        scenario s = {.service = &service,
                      .about = *rows[i].body ? rows[i].body : rows[i].path,
                      .sent = {.head = {.method = rows[i].method,
                                        .path = rows[i].path,
                                        .accept = rows[i].accept,
                                        .content_type = rows[i].content_type},
                               .body = rows[i].body,
                               .length = strlen(rows[i].body)}};
        run_scenario(&s, rows[i].status);
    }
    serving_stop(&service);
}

Test(allocation, of_what_is_told_of_handles) {
    service service;
    start(&service, BUDGET);
    static const char x[] = "{\"x\":[1,-1]}";
    const sent giver = {
        .head = {.method = "POST", .path = "/relu/forward"}, .body = x, .length = sizeof x - 1};
    char path[] = "/cache/00000000000000000000000000000000";
    char wrong[] = "{\"dout\":[[1]],\"cache\":\"00000000000000000000000000000000\"}";
    scenario s = {.service = &service, .about = "a handle", .giver = &giver};
    s.sent.head = (request){.method = "GET", .path = path};
    s.handle = path + strlen("/cache/");
    run_scenario(&s, 200);
    s.sent.head.method = "DELETE";
    run_scenario(&s, 204);
    s.sent = (sent){.head = {.method = "POST", .path = "/affine/backward"},
                    .body = wrong,
                    .length = strlen(wrong)};
    s.handle = strstr(wrong, "0000");
    run_scenario(&s, 422);
    serving_stop(&service);
}

/* A step of training: kept weights in, gradients, an update, a cache and new weights kept, the old
 * ones released. */
static const char training[] =
    "{\"inputs\":{\"x\":[[1,2],[3,4]],\"y\":[0,1],\"b\":{\"shape\":[2],\"data\":[0,1]},"
    "\"w\":{\"tensor\":\"00000000000000000000000000000000\"}},"
    "\"nodes\":[{\"name\":\"a\",\"op\":\"affine/forward\",\"x\":\"x\",\"w\":\"w\",\"b\":\"b\"},"
    "{\"name\":\"r\",\"op\":\"relu/forward\",\"x\":\"a.out\"},"
    "{\"name\":\"l\",\"op\":\"softmax/loss\",\"x\":\"r.out\",\"y\":\"y\"},"
    "{\"name\":\"m\",\"op\":\"svm/loss\",\"x\":\"r.out\",\"y\":\"y\"},"
    "{\"name\":\"d\",\"op\":\"gradients\",\"of\":[\"l.loss\",\"m.loss\"],"
    "\"for\":[\"w\",\"b\",\"l.dx\"]},"
    "{\"name\":\"u\",\"op\":\"adam/update\",\"w\":\"w\",\"dw\":\"d.w\"}],"
    "\"give\":[\"l.loss\",\"d.b\",\"u.config.t\",\"d.l.dx\"],"
    "\"keep\":[\"u.next_w\",\"u.config.m\",\"a.cache\",\"x\"],"
    "\"release\":[\"00000000000000000000000000000000\"]}";

static const char putting[] = "{\"inputs\":{\"w\":[[1,-2],[0.5,3]]},\"nodes\":[],\"keep\":[\"w\"]}";

/* A safetensors file without tensors, whose __metadata__ has a document. Returns its length. */
static size_t as_file(const char *document, char *file) {
    char *out = file + 8 + sprintf(file + 8, "{\"__metadata__\":{\"graph\":\"");
    for (; *document; document++) {
        if (*document == '"')
            *out++ = '\\';
        *out++ = *document;
    }
    out += sprintf(out, "\"}}");
    uint64_t header = (uint64_t)(out - file - 8);
    memcpy(file, &header, sizeof header);
    return (size_t)(out - file);
}

Test(allocation, of_a_graph) {
    static char text[sizeof training], file[2 * sizeof training];
    service service;
    start(&service, BUDGET);
    const sent giver = {.head = {.method = "POST", .path = "/graph"},
                        .body = putting,
                        .length = sizeof putting - 1};
    for (style style = NESTED; style < STYLES; style++) {
        scenario s = {.service = &service, .about = "a graph", .giver = &giver};
        bool bytes = style == FROM_BYTES;
        strcpy(text, training);
        s.sent = (sent){.head = {.method = "POST", .path = "/graph"}, .body = text};
        s.sent.length = strlen(text);
        if (bytes) {
            s.sent.length = as_file(text, file);
            s.sent.body = file;
        }
        s.sent.head.content_type = bytes ? bytes_type : NULL;
        s.sent.head.accept = style == TO_BYTES ? bytes_type : NULL;
        if (style == FLAT)
            s.sent.head.query[s.sent.head.query_count++] = (query_pair){"tensors", "flat"};
        /* the handle stands twice: of both, the released one is given up */
        s.handle = memmem(s.sent.body, s.sent.length, no_handle, sizeof no_handle - 1);
        s.second =
            memmem(s.handle + 1, s.sent.length - (size_t)(s.handle + 1 - (const char *)s.sent.body),
                   no_handle, sizeof no_handle - 1);
        run_scenario(&s, 200);
    }
    serving_stop(&service);
}

/* A challenge of a submission, which may be answered any number of times. */
static void give_challenge(service *service, char challenge[CHALLENGE_TEXT]) {
    static const char asked[] = "{\"operation\":\"affine/backward\"," SUBMISSION "}";
    served given = serve(service, &(sent){.head = {.method = "POST", .path = "/challenge"},
                                          .body = asked,
                                          .length = sizeof asked - 1});
    const char *at = given.good ? strstr(given.body, "lc1.") : NULL;
    cr_assert(at);
    snprintf(challenge, CHALLENGE_TEXT, "%.*s", (int)strcspn(at, "\""), at);
    free(given.body);
}

Test(allocation, of_an_answer_to_a_challenge) {
    static const struct {
        int status;
        const char *claim;
    } rows[] = {
        {200, "{\"dx\":{\"shape\":[5,4],\"data\":[1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1]},"
              "\"dw\":[1],\"db\":[0,0,0]}"},
        {422, "{\"dx\":[[1]],\"db\":[1,2,3]}"},
        {422, "{\"dx\":[[1],2],\"dw\":1,\"db\":[1,2,3]}"},
    };
    char challenge[CHALLENGE_TEXT], body[2 * CHALLENGE_TEXT];
    service service;
    start(&service, BUDGET);
    give_challenge(&service, challenge);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        scenario s = {.service = &service, .about = rows[i].claim};
        s.sent = (sent){.head = {.method = "POST", .path = "/challenge/answer"}, .body = body};
        s.sent.length = (size_t)snprintf(body, sizeof body, "{\"challenge\":\"%s\",\"claim\":%s}",
                                         challenge, rows[i].claim);
        run_scenario(&s, rows[i].status);
    }
    serving_stop(&service);
}

/* cache_full and result_too_large are found before anything is computed. */
Test(allocation, past_the_limits) {
    static const char small[] = "{\"x\":[1]}";
    char large[8192] = "{\"x\":[0";
    limits.cache_budget = 1;
    service service;
    start(&service, 1);
    scenario s = {.service = &service, .about = "past the limits"};
    s.sent = (sent){.head = {.method = "POST", .path = "/relu/forward"},
                    .body = small,
                    .length = sizeof small - 1};
    run_scenario(&s, 503);
    for (char *out = large + strlen(large); out < large + 6000; out += 2)
        strcpy(out, ",0");
    strcat(large, "]}");
    s.sent.body = large;
    s.sent.length = strlen(large);
    run_scenario(&s, 422);
    serving_stop(&service);
}

static void assert_same(const layers_tensor *got, const layers_tensor *want, const char *name) {
    cr_assert_eq(got->size, want->size);
    for (size_t i = 0; i < want->size; i++)
        cr_assert(element(got, i) == element(want, i), "%s[%zu] is %.17g, not %.17g", name, i,
                  element(got, i), element(want, i));
}

Test(allocation, of_the_library) {
    layers_error none;
    cr_assert(layers_check_blas(&none) == LAYERS_OK); /* OpenMP's own memory for this thread */
    for (const layers_operation *const *row = layers_operations; *row; row++)
        for (int choice = 0; choice < choices_of(*row); choice++) {
            bool failed = true;
            for (size_t index = 0; failed; index++) {
                cr_assert(index < ALLOCATIONS_MOST);
                malloc_watch();
                layers_call call = valid_call(*row, LAYERS_F64, choice, 3);
                layers_error error = {0};
                malloc_fail_at(index);
                layers_code code = layers_prepare(&call, &error);
                if (code == LAYERS_OK)
                    code = layers_run(&call, &error);
                failed = malloc_failed();
                cr_assert(code == (failed ? LAYERS_NO_MEMORY : LAYERS_OK), "%s/%s: %s",
                          (*row)->layer, (*row)->name, layers_code_name(code));
                cr_assert(error.code == code && (!failed || *error.message));
                layers_call_clear(&call);
                long live = malloc_live();
                cr_assert(live == 0, "%s/%s: %ld blocks are left", (*row)->layer, (*row)->name,
                          live);
            }
        }
}

/* A call without memory for one thing, run again when there is: it gives what it would have given.
 */
Test(allocation, a_call_that_failed_can_be_run_again) {
    for (const layers_operation *const *row = layers_operations; *row; row++) {
        layers_call whole = valid_call(*row, LAYERS_F64, 0, 3);
        run(&whole);
        bool failed = true;
        for (size_t index = 0; failed; index++) {
            layers_call call = valid_call(*row, LAYERS_F64, 0, 3);
            layers_call kept = over_again(&call); /* so that its tensors are not its own alone */
            layers_error error = {0};
            cr_assert(layers_prepare(&call, &error) == LAYERS_OK);
            malloc_fail_at(index);
            layers_code code = layers_run(&call, &error);
            failed = malloc_failed();
            cr_assert(code == (failed ? LAYERS_NO_MEMORY : LAYERS_OK));
            if (failed)
                run(&call);
            for (int i = 0; (*row)->outputs[i].name; i++)
                assert_same(&call.outputs[i], &whole.outputs[i], (*row)->outputs[i].name);
            for (int i = 0; (*row)->params && (*row)->params[i].name; i++)
                if ((*row)->params[i].kind == LAYERS_TENSOR)
                    assert_same(&call.params[i].tensor, &whole.params[i].tensor,
                                (*row)->params[i].name);
            layers_call_clear(&kept);
            layers_call_clear(&call);
        }
        layers_call_clear(&whole);
    }
}

/* What the daemon makes once, at its start. */
Test(allocation, of_the_store_and_the_pool) {
    bool failed = true;
    for (size_t index = 0; failed; index++) {
        malloc_fail_at(index);
        store *store = store_open_memory(BUDGET, 1000);
        failed = malloc_failed();
        cr_assert(failed == !store);
        if (store)
            store->close(store);
    }
    failed = true;
    for (size_t index = 0; failed; index++) {
        malloc_fail_at(index);
        layers_pool *pool = layers_pool_make(2, NULL);
        failed = malloc_failed();
        cr_assert(failed == !pool);
        layers_pool_free(pool);
    }
}
