/* Forms of messages: how the body of a request becomes a call of an operation, and how the result
 * of a call becomes the body of an answer. What a message holds follows from the operation's
 * description; a form says how it looks. */
#ifndef FORMS_FORM_H
#define FORMS_FORM_H

#include "codec/json_read.h"
#include "layers/check.h"
#include "request.h"

/* What a check, or an answer to a challenge, has beside a call. */
typedef struct form_claim {
    layers_call call;       /* of a question's `claims`: what is claimed */
    layers_dtype precision; /* that it was computed in: the call's where the body does not say */
    bool has_tolerance;
    layers_tolerance tolerance;
    /* Of an answer, whose body has "challenge" and "claim" alone: takes the challenge, and sets
     * call.operation. False with a problem. NULL for a check. */
    bool (*open)(struct form_claim *claim, const char *challenge, problem *problem);
    void *opener; /* for `open` */
} form_claim;

/* A request on its way into a call. */
typedef struct {
    const layers_tensor *body; /* LAYERS_U8; tensors of the call may share it */
    store *store;              /* where caches are */
    charge *charge;            /* of the memory budget */
    layers_call *call;         /* its operation is there; the form fills in all that was sent */
    char handle[HANDLE_TEXT];  /* from the form: of the cache that was sent */
    form_claim *claim;         /* to be filled in as well; NULL for a call that is none */
    problem *problem;
    unsigned kept; /* from the form: a bit for each tensor that came as a handle, FORM_KEPT */
} form_request;

/* Of the input i, and of the parameter i. */
#define FORM_KEPT(i)       (1U << (i))
#define FORM_KEPT_PARAM(i) (1U << (LAYERS_MAX_TENSORS + (i)))

/* What an answer holds. */
typedef struct {
    const layers_call *call;
    const char *handle; /* of the cache that is given; NULL for none */
    bool flat;          /* tensors as a shape and a list, where the form has two ways */
} form_answer;

typedef struct form {
    const char *media_type; /* "application/json" */
    const char *handle_at;  /* where a handle stands, from its tensor: "/tensor" or "" */
    /* Reads a body into a call, its dtype and cache included. False with a problem. What is missing
     * or does not fit is left to layers_prepare. */
    bool (*read)(form_request *request);
    /* The most bytes that an answer can have, from the shapes after layers_prepare; its handle is
     * not looked at. SIZE_MAX where that is more than there can be. */
    size_t (*bound)(const form_answer *answer);
    /* Writes an answer, after layers_run, and returns its end. */
    char *(*write)(char *out, const form_answer *answer);
} form;

extern const form form_json, form_safetensors;

/* All forms, ended by NULL. The first is the one of messages that do not say theirs. */
extern const form *const forms[];

/* ---- what forms share --------------------------------------------------------------------------
 */

enum {
    FORM_POINTER = 192,                                          /* of a problem's pointer */
    FORM_NAMES = 2 * LAYERS_MAX_TENSORS + 2 * LAYERS_MAX_PARAMS, /* that a request can hold */
};

bool form_has_name(const char *const *names, const char *key);

/* Holds a key to the names that may stand where it does, at the pointer `parent`: unknown_field,
 * which tells the nearest, or all where none is near. `names` ends with NULL. `taker` is whose they
 * are: "affine/forward", ... */
bool form_check_name(const char *taker, const char *parent, const char *key,
                     const char *const *names, problem *problem);

enum { FORM_TAKER = 48 };

/* "affine/forward". Returns `taker`. */
const char *form_taker(const layers_operation *operation, char taker[FORM_TAKER]);

/* The row of the operation of that name, among layers_operations; NULL for none. */
const layers_operation *const *form_operation(const char *taker);

/* "float64" and "float32". */
bool form_dtype(const char *name, layers_dtype *dtype, problem *problem);

/* The cache of a handle, for the call. */
bool form_cache(form_request *request, const char *handle);

/* The value of the parameter `i`, one of its choices; `parent` is the pointer of what holds the
 * operation's fields, "" for the body. `word` may be NULL: then `kind` tells what was sent in its
 * place. */
bool form_choice(const layers_operation *operation, int i, const char *parent, const char *word,
                 const char *kind, int *choice, problem *problem);

/* "/bn_param/eps", behind `parent`. Returns `pointer`. */
const char *form_param_pointer(const char *parent, const layers_operation *operation, int i,
                               char pointer[FORM_POINTER]);

/* What parameters of an operation have as names, ended by NULL. */
void form_param_names(const layers_operation *operation, const char *names[FORM_NAMES]);

/* A number, integer or choice from JSON. */
bool form_json_scalar(json_document *document, const json_t *json, const char *parent,
                      const layers_operation *operation, int i, layers_value *value,
                      problem *problem);

/* What a body in JSON is read with: the dtype is guessed from a look at its two ends, and a wrong
 * guess costs time, not correctness. */
json_source form_json_source(const char *text, size_t length, charge *charge, layers_pool *pool);

/* A number as text, without the quotes of NaN and the infinities. */
void form_number_text(char *text, layers_dtype dtype, const void *number);

/* A parameter that is no tensor, in JSON. Returns the end. */
char *form_json_param(char *out, const layers_param *param, double number, int choice);

/* The same as text. */
void form_param_text(char *text, const layers_param *param, double number, int choice);

/* An element of a kept tensor is no place in the request: points at the handle instead, which is at
 * `handle_at` of its tensor. */
void form_mend_pointer(form_request *request, const char *handle_at);

/* Whether the parameters' object must be sent: one of them is required. */
bool form_needs_params(const layers_operation *operation);

/* Whether a parameter can come back: a mask, which is as large as an input, does not. */
bool form_returns_param(const layers_operation *operation, const layers_param *param);

/* Whether a parameter stands in the answer: all that can come back and have a value, and tensors
 * in any case. */
bool form_gives_param(const layers_call *call, int i);

/* Whether a call of so much work, or with an answer of so many bytes at most, leaves its
 * connection's thread. */
bool form_is_dear(double work, size_t bound);

/* A reply of 200 whose body is of a form and was written into malloc'd memory, which may have been
 * larger; takes it over. */
void form_reply(const form *form, char *body, size_t length, reply *reply);

/* a + b, SIZE_MAX where that is too large. */
size_t form_add(size_t a, size_t b);

#endif
