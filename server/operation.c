/* POST /<layer>/<operation>: body → call → answer, all of it by the operation's description. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "codec/json_read.h"
#include "codec/json_write.h"
#include "handlers.h"
#include "nearest.h"

enum { NAMES_MOST = 2 * LAYERS_MAX_TENSORS + LAYERS_MAX_PARAMS, POINTER = 192 };

/* Arithmetic that takes a tenth of a millisecond: what is more leaves its connection's thread. */
static const double cheap_work = 3e6;

/* One request on its way. */
typedef struct {
    service *service;
    const layers_operation *operation;
    bool flat;              /* ?tensors=flat */
    bool no_cache;          /* ?cache=none */
    bool release;           /* ?cache=release */
    bool at_leisure, later; /* as in the request, and in the reply */
    json_document document;
    layers_call call;
    const char *handle; /* of the cache that was sent, in the document */
    size_t reserved;    /* bytes of the store's budget set aside */
    size_t bound;       /* the most bytes that the answer can have */
    problem *problem;
} work;

static void read_query(work *w, const request *request) {
    for (size_t i = 0; i < request->query_count; i++) {
        bool cache = !strcmp(request->query[i].key, "cache");
        w->flat |= !cache;
        w->no_cache |= cache && w->operation->cache == LAYERS_CACHE_GIVEN;
        w->release |= cache && w->operation->cache == LAYERS_CACHE_TAKEN;
    }
}

/* The dtype that a body most likely asks for, from a look at its two ends. A wrong guess costs
 * time, not correctness. */
static layers_dtype guess_dtype(const request *request) {
    static const char float32[] = "\"float32\"";
    size_t look = request->body_length < 128 ? request->body_length : 128;
    bool found =
        memmem(request->body, look, float32, sizeof float32 - 1) ||
        memmem(request->body + request->body_length - look, look, float32, sizeof float32 - 1);
    return found ? LAYERS_F32 : LAYERS_F64;
}

/* Refuses the first key of an object that is not among the names, and tells the nearest. */
static bool check_keys(work *w, json_t *object, const char *parent, const char *const *names) {
    const char *key;
    json_t *value;
    json_object_foreach(object, key, value) {
        size_t i = 0;
        while (names[i] && strcmp(names[i], key) != 0)
            i++;
        if (names[i])
            continue;
        char name[64], pointer[POINTER];
        text_clip(name, sizeof name, key);
        pointer_add(strcpy(pointer, parent), sizeof pointer, name);
        return problem_set(w->problem, PROBLEM_UNKNOWN_FIELD, pointer,
                           "%s/%s takes no \"%s\"%s%s; the nearest that it takes is \"%s\"",
                           w->operation->layer, w->operation->name, name, *parent ? " in " : "",
                           *parent ? parent + 1 : "", nearest(key, names));
    }
    return true;
}

static bool check_fields(work *w) {
    const layers_operation *operation = w->operation;
    const char *names[NAMES_MOST] = {"dtype"};
    size_t count = 1;
    for (int i = 0; operation->inputs[i].name; i++)
        names[count++] = operation->inputs[i].name;
    if (operation->params_name)
        names[count++] = operation->params_name;
    if (operation->cache == LAYERS_CACHE_TAKEN)
        names[count++] = "cache";
    return check_keys(w, w->document.root, "", names);
}

static bool read_dtype(work *w) {
    json_t *value = json_object_get(w->document.root, "dtype");
    layers_call *call = &w->call;
    if (!value) {
        /* backward is of the dtype of its cache, unless the caller says otherwise */
        call->dtype = call->cache ? layers_cache_dtype(call->cache) : LAYERS_F64;
        return true;
    }
    const char *name = json_plain_text(value);
    if (!name)
        return problem_set(w->problem, PROBLEM_WRONG_TYPE, "/dtype",
                           "dtype is %s, but must be \"float64\" or \"float32\"",
                           json_kind(&w->document, value));
    for (call->dtype = LAYERS_F64; call->dtype <= LAYERS_F32; call->dtype++)
        if (!strcmp(name, layers_dtype_name(call->dtype)))
            return true;
    char text[48];
    return problem_set(w->problem, PROBLEM_INVALID_PARAM, "/dtype",
                       "dtype is \"%s\", but must be \"float64\" or \"float32\"",
                       text_clip(text, sizeof text, name));
}

/* Gets the cache of a handle. One that was not sent is the library's to miss. */
static bool read_cache(work *w) {
    json_t *value = json_object_get(w->document.root, "cache");
    if (w->operation->cache != LAYERS_CACHE_TAKEN || !value)
        return true;
    w->handle = json_plain_text(value);
    if (!w->handle)
        return problem_set(w->problem, PROBLEM_WRONG_TYPE, "/cache",
                           "cache is %s, but must be the string that forward gave",
                           json_kind(&w->document, value));
    store *store = w->service->store;
    w->call.cache = store->get(store, w->handle);
    return w->call.cache ||
           problem_set(w->problem, PROBLEM_UNKNOWN_CACHE, "/cache",
                       "the cache is not known: it was never given, has expired, or was deleted; "
                       "run %s/forward again",
                       w->operation->layer);
}

static bool read_choice(work *w, const layers_param *param, json_t *json, const char *pointer,
                        layers_value *value) {
    const char *word = json_plain_text(json);
    char choices[64] = "", text[48];
    for (int i = 0; param->choices[i]; i++) {
        if (word && !strcmp(word, param->choices[i])) {
            value->choice = i;
            return true;
        }
        snprintf(choices + strlen(choices), sizeof choices - strlen(choices), "%s\"%s\"",
                 i ? " or " : "", param->choices[i]);
    }
    if (!word)
        return problem_set(w->problem, PROBLEM_WRONG_TYPE, pointer, "%s is %s, but must be %s",
                           param->name, json_kind(&w->document, json), choices);
    return problem_set(w->problem, PROBLEM_INVALID_PARAM, pointer, "%s is \"%s\", but must be %s",
                       param->name, text_clip(text, sizeof text, word), choices);
}

static bool read_param(work *w, int i, json_t *json) {
    const layers_param *param = &w->operation->params[i];
    layers_value *value = &w->call.params[i];
    char pointer[POINTER];
    snprintf(pointer, sizeof pointer, "/%s/%s", w->operation->params_name, param->name);
    value->given = true;
    if (param->kind == LAYERS_CHOICE)
        return read_choice(w, param, json, pointer, value);
    if (param->kind == LAYERS_VECTOR)
        return json_tensor(&w->document, json, w->call.dtype, pointer, &value->vector, w->problem);
    return json_double(&w->document, json, pointer, &value->number, w->problem);
}

static bool read_params(work *w) {
    const layers_operation *operation = w->operation;
    if (!operation->params_name)
        return true;
    char pointer[POINTER];
    snprintf(pointer, sizeof pointer, "/%s", operation->params_name);
    json_t *object = json_object_get(w->document.root, operation->params_name);
    if (!object)
        return problem_set(w->problem, PROBLEM_MISSING_FIELD, pointer, "%s/%s needs %s, an object",
                           operation->layer, operation->name, operation->params_name);
    if (!json_is_object(object))
        return problem_set(w->problem, PROBLEM_WRONG_TYPE, pointer,
                           "%s is %s, but must be an object", operation->params_name,
                           json_kind(&w->document, object));
    const char *names[LAYERS_MAX_PARAMS + 1] = {NULL};
    for (int i = 0; operation->params[i].name; i++)
        names[i] = operation->params[i].name;
    if (!check_keys(w, object, pointer, names))
        return false;
    for (int i = 0; names[i]; i++) {
        json_t *value = json_object_get(object, names[i]);
        if (value && !read_param(w, i, value))
            return false;
    }
    return true;
}

static bool read_inputs(work *w) {
    for (int i = 0; w->operation->inputs[i].name; i++) {
        const layers_field *field = &w->operation->inputs[i];
        json_t *value = json_object_get(w->document.root, field->name);
        char pointer[POINTER];
        snprintf(pointer, sizeof pointer, "/%s", field->name);
        if (value && !json_tensor(&w->document, value, field->labels ? LAYERS_I64 : w->call.dtype,
                                  pointer, &w->call.inputs[i], w->problem))
            return false;
    }
    return true;
}

/* Whether a parameter stands in the answer: all that have a value. */
static bool comes_back(const work *w, int i) {
    return w->operation->params[i].kind == LAYERS_VECTOR ? w->call.params[i].vector.data != NULL
                                                         : w->call.params[i].given;
}

static size_t add(size_t a, size_t b) {
    return __builtin_add_overflow(a, b, &a) ? SIZE_MAX : a;
}

/* The most bytes that the answer can have. */
static size_t answer_bound(const work *w) {
    size_t bound = 512; /* punctuation, the handle, scalar parameters */
    for (int i = 0; w->operation->outputs[i].name; i++)
        bound = add(bound, add(json_tensor_bound(&w->call.outputs[i], w->flat), 64));
    for (int i = 0; w->operation->params && w->operation->params[i].name; i++) {
        const layers_param *param = &w->operation->params[i];
        if (param->kind == LAYERS_VECTOR)
            bound = add(bound, add(json_tensor_bound(&w->call.params[i].vector, w->flat), 64));
    }
    return bound;
}

/* Checks the call, and sets aside what it will take, before anything is computed. */
static bool prepare(work *w) {
    layers_error error;
    if (layers_prepare(&w->call, &error) != LAYERS_OK)
        return problem_set_layers(w->problem, &error);
    if (w->call.work > cheap_work && !w->at_leisure)
        return !(w->later = true);
    size_t limit = w->service->options->answer_limit;
    w->bound = answer_bound(w);
    if (w->bound > limit || w->call.output_bytes > limit)
        return problem_set(w->problem, PROBLEM_RESULT_TOO_LARGE, NULL,
                           "the answer could take %zu bytes, and %zu are allowed (--answer-limit): "
                           "send fewer rows at once",
                           w->bound > limit ? w->bound : w->call.output_bytes, limit);
    if (w->operation->cache != LAYERS_CACHE_GIVEN || w->no_cache)
        return true;
    int retry_after;
    size_t bytes = w->call.cache_bytes + store_overhead;
    store *store = w->service->store;
    if (!store->reserve(store, bytes, &retry_after)) {
        problem_set(w->problem, PROBLEM_CACHE_FULL, NULL,
                    "the cache has no room for %zu bytes; release handles (?cache=release, or "
                    "DELETE /cache/<handle>), ask for none (?cache=none), or try again later",
                    bytes);
        w->problem->retry_after = retry_after;
        return false;
    }
    w->reserved = bytes;
    return true;
}

static bool run(work *w) {
    layers_error error;
    if (layers_run(&w->call, &error) != LAYERS_OK)
        return problem_set_layers(w->problem, &error);
    return true;
}

static char *write_name(char *out, const char *name) {
    *out++ = '"';
    out = json_write_raw(out, name);
    return json_write_raw(out, "\":");
}

static char *write_param(char *out, const work *w, int i) {
    const layers_param *param = &w->operation->params[i];
    const layers_value *value = &w->call.params[i];
    out = write_name(out, param->name);
    switch (param->kind) {
    case LAYERS_NUMBER:
        return json_write_double(out, value->number);
    case LAYERS_INTEGER:
        return out + sprintf(out, "%lld", (long long)value->number);
    case LAYERS_CHOICE:
        return out + sprintf(out, "\"%s\"", param->choices[value->choice]);
    case LAYERS_VECTOR:
        break;
    }
    return json_write_tensor(out, &value->vector, w->flat);
}

static char *write_params(char *out, const work *w) {
    bool first = true;
    out = write_name(out, w->operation->params_name);
    *out++ = '{';
    for (int i = 0; w->operation->params[i].name; i++) {
        if (!comes_back(w, i))
            continue;
        if (!first)
            *out++ = ',';
        first = false;
        out = write_param(out, w, i);
    }
    *out++ = '}';
    return out;
}

/* {"out": ..., "bn_param": {...}, "cache": "..."}. A tensor that is a scalar by its pattern is a
 * plain number in either form. */
static char *write_answer(char *out, const work *w, const char *handle) {
    *out++ = '{';
    for (int i = 0; w->operation->outputs[i].name; i++) {
        const layers_field *field = &w->operation->outputs[i];
        if (i > 0)
            *out++ = ',';
        out = write_name(out, field->name);
        out = json_write_tensor(out, &w->call.outputs[i], w->flat && *field->shape);
    }
    if (w->operation->params_name) {
        *out++ = ',';
        out = write_params(out, w);
    }
    if (handle) {
        out = json_write_raw(out, ",\"cache\":\"");
        out = json_write_raw(out, handle);
        *out++ = '"';
    }
    *out++ = '}';
    return out;
}

/* Puts the cache into the store, once the answer's memory is there: nothing can fail after it. */
static bool keep_cache(work *w, char handle[HANDLE_TEXT]) {
    store *store = w->service->store;
    if (!store->put(store, w->call.cache, w->reserved, handle))
        return problem_set_memory(w->problem, "the cache");
    w->call.cache = NULL; /* the store's now */
    w->reserved = 0;
    return true;
}

static bool answer(work *w, reply *reply) {
    char handle[HANDLE_TEXT];
    bool keep = w->reserved > 0;
    char *body = malloc(w->bound);
    if (!body)
        return problem_set_memory(w->problem, "the answer");
    if (keep && !keep_cache(w, handle)) {
        free(body);
        return false;
    }
    size_t length = (size_t)(write_answer(body, w, keep ? handle : NULL) - body);
    if (w->release)
        w->service->store->remove(w->service->store, w->handle);
    reply->status = 200;
    reply->content_type = "application/json";
    reply->body = realloc(body, length); /* gives back what the bound was too large by */
    if (!reply->body)
        reply->body = body;
    reply->body_length = length;
    return true;
}

static bool read_body(work *w, const request *request) {
    return json_document_read(&w->document, request->body, request->body_length,
                              guess_dtype(request), w->problem) &&
           check_fields(w) && read_cache(w) && read_dtype(w) && read_inputs(w) && read_params(w);
}

bool handle_operation(service *service, const route *route, const request *request, reply *reply,
                      problem *problem) {
    work w = {.service = service,
              .operation = route->operation,
              .problem = problem,
              .at_leisure = request->at_leisure,
              .call = {.operation = route->operation, .pool = workers_pool(service->workers)}};
    double start = clock_ms();
    read_query(&w, request);
    bool good = read_body(&w, request);
    double read = clock_ms();
    good = good && prepare(&w) && run(&w);
    double computed = clock_ms();
    good = good && answer(&w, reply);
    double written = clock_ms();
    reply->later = w.later;
    reply->read_ms = read - start;
    reply->compute_ms = computed - read;
    reply->write_ms = written - computed;
    if (w.reserved > 0)
        service->store->release(service->store, w.reserved);
    layers_call_clear(&w.call);
    json_document_free(&w.document);
    return good;
}
