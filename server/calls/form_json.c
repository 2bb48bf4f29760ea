/* Messages in JSON. */
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "calls/form.h"
#include "calls/graph.h"
#include "calls/kept.h"
#include "codec/json_read.h"
#include "codec/json_write.h"

/* A request whose text has been read. */
typedef struct {
    form_request *request;
    json_document document;
} json_request;

/* ---- names ----------------------------------------------------------------------------------- */

static void top_names(const layers_operation *operation, const char *names[FORM_NAMES]) {
    size_t count = 0;
    for (int i = 0; operation->inputs[i].name; i++)
        names[count++] = operation->inputs[i].name;
    if (operation->params_name)
        names[count++] = operation->params_name;
    if (operation->cache == LAYERS_CACHE_TAKEN)
        names[count++] = "cache";
    names[count++] = "dtype";
    names[count] = NULL;
}

static bool is_among(const char *name, const char *const *names) {
    while (*names && strcmp(name, *names) != 0)
        names++;
    return *names;
}

/* Holds a key to those of the body, or to those of its parameters' object. */
static bool check_key(const form_request *request, bool inside, const char *key) {
    const layers_operation *operation = request->call->operation;
    const char *top[FORM_NAMES], *params[FORM_NAMES] = {NULL};
    char parent[FORM_POINTER] = "", pointer[FORM_POINTER] = "", taker[FORM_TAKER];
    form_taker(operation, taker);
    top_names(operation, top);
    if (!operation->params_name)
        return form_check_name(taker, "", key, top, request->problem);
    form_param_names(operation, params);
    pointer_add(parent, sizeof parent, operation->params_name);
    if (is_among(key, inside ? params : top) || !is_among(key, inside ? top : params))
        return form_check_name(taker, inside ? parent : "", key, inside ? params : top,
                               request->problem);
    pointer_add(strcpy(pointer, inside ? parent : ""), sizeof pointer, key);
    return problem_set(request->problem, PROBLEM_UNKNOWN_FIELD, pointer,
                       "\"%s\" belongs %s %s: %s/%s takes it as %s/%s", key,
                       inside ? "beside" : "inside", parent, operation->layer, operation->name,
                       inside ? "" : parent, key);
}

static bool check_keys(json_request *r, json_t *object, bool inside) {
    const char *key;
    json_t *value;
    json_object_foreach(object, key, value) if (!check_key(r->request, inside, key)) return false;
    return true;
}

/* ---- values of a wrong kind ------------------------------------------------------------------ */

static bool wrong_dtype(form_request *request, const char *kind) {
    return problem_set(request->problem, PROBLEM_WRONG_TYPE, "/dtype",
                       "/dtype is %s, but must be \"float64\" or \"float32\"", kind);
}

static bool wrong_cache(form_request *request, const char *kind) {
    return problem_set(request->problem, PROBLEM_WRONG_TYPE, "/cache",
                       "/cache is %s, but must be the string that forward gave", kind);
}

static bool wrong_params(form_request *request, const char *kind) {
    char pointer[FORM_POINTER] = "";
    pointer_add(pointer, sizeof pointer, request->call->operation->params_name);
    return problem_set(request->problem, PROBLEM_WRONG_TYPE, pointer,
                       "%s is %s, but must be an object", pointer, kind);
}

/* Of a parameter that is no tensor. */
static bool wrong_param(form_request *request, int i, const char *kind) {
    const layers_operation *operation = request->call->operation;
    char pointer[FORM_POINTER];
    int choice;
    if (operation->params[i].kind == LAYERS_CHOICE)
        return form_choice(operation, i, "", NULL, kind, &choice, request->problem);
    form_param_pointer("", operation, i, pointer);
    return problem_set(request->problem, PROBLEM_WRONG_TYPE, pointer,
                       "%s is %s, but must be a number", pointer, kind);
}

/* ---- reading --------------------------------------------------------------------------------- */

static bool read_dtype(json_request *r) {
    json_t *value = json_object_get(r->document.root, "dtype");
    layers_call *call = r->request->call;
    if (!value) {
        /* backward is of the dtype of its cache, unless the caller says otherwise */
        call->dtype = call->cache ? layers_cache_dtype(call->cache) : LAYERS_F64;
        return true;
    }
    const char *name = json_plain_text(value);
    return name ? form_dtype(name, &call->dtype, r->request->problem)
                : wrong_dtype(r->request, json_kind(&r->document, value));
}

/* Gets the cache of a handle. One that was not sent is the library's to miss. */
static bool read_cache(json_request *r) {
    json_t *value = json_object_get(r->document.root, "cache");
    if (r->request->call->operation->cache != LAYERS_CACHE_TAKEN || !value)
        return true;
    const char *handle = json_plain_text(value);
    return handle ? form_cache(r->request, handle)
                  : wrong_cache(r->request, json_kind(&r->document, value));
}

/* A tensor, or the handle of one that was kept, which is noted as `bit`. */
static bool read_tensor(json_request *r, const json_t *value, layers_dtype dtype,
                        const char *pointer, unsigned bit, layers_tensor *tensor) {
    problem *problem = r->request->problem;
    if (!kept_is_named(value, "tensor"))
        return json_tensor(&r->document, value, dtype, pointer, tensor, problem);
    char place[FORM_POINTER];
    r->request->kept |= bit;
    const char *handle = kept_handle(&r->document, value, "tensor", pointer, problem);
    snprintf(place, sizeof place, "%.180s/tensor", pointer);
    return handle && kept_tensor(r->request->store, handle, place, tensor, problem);
}

static bool read_param(json_request *r, int i, const json_t *json) {
    layers_call *call = r->request->call;
    const layers_param *param = &call->operation->params[i];
    char pointer[FORM_POINTER];
    if (!layers_is_tensor(param))
        return form_json_scalar(&r->document, json, "", call->operation, i, &call->params[i],
                                r->request->problem);
    form_param_pointer("", call->operation, i, pointer);
    call->params[i].given = true;
    /* a mask is of no dtype, as numbers are: in float32, 1e-50 would be taken for 0 */
    return read_tensor(r, json, param->kind == LAYERS_MASK ? LAYERS_F64 : call->dtype, pointer,
                       FORM_KEPT_PARAM(i), &call->params[i].tensor);
}

static bool read_params(json_request *r) {
    const layers_operation *operation = r->request->call->operation;
    if (!operation->params_name)
        return true;
    char pointer[FORM_POINTER] = "";
    pointer_add(pointer, sizeof pointer, operation->params_name);
    json_t *object = json_object_get(r->document.root, operation->params_name);
    if (!object && !form_needs_params(operation))
        return true;
    if (!object)
        return problem_set(r->request->problem, PROBLEM_MISSING_FIELD, pointer,
                           "%s/%s needs %s, an object", operation->layer, operation->name, pointer);
    if (!json_is_object(object))
        return wrong_params(r->request, json_kind(&r->document, object));
    if (!check_keys(r, object, true))
        return false;
    for (int i = 0; operation->params[i].name; i++) {
        json_t *value = json_object_get(object, operation->params[i].name);
        if (value && !read_param(r, i, value))
            return false;
    }
    return true;
}

static bool read_inputs(json_request *r) {
    layers_call *call = r->request->call;
    for (int i = 0; call->operation->inputs[i].name; i++) {
        const layers_field *field = &call->operation->inputs[i];
        json_t *value = json_object_get(r->document.root, field->name);
        char pointer[FORM_POINTER] = "";
        pointer_add(pointer, sizeof pointer, field->name);
        if (value && !read_tensor(r, value, field->labels ? LAYERS_I64 : call->dtype, pointer,
                                  FORM_KEPT(i), &call->inputs[i]))
            return false;
    }
    return true;
}

/* ---- what is wrong with numbers, told of the field that they stand in --------------------------
 */

/* The name that a pointer starts with, its escapes undone. Returns what is behind it. */
static const char *first_name(const char *pointer, char name[FORM_POINTER]) {
    const char *at = pointer + 1, *end = at + strcspn(at, "/");
    for (; at < end; at++)
        *name++ = (char)(*at != '~' ? *at : *++at == '0' ? '~' : '/');
    *name = '\0';
    return end;
}

/* What stands where something inside it is wrong, `behind` a pointer to it. */
static const char *kind_around(const problem *problem, const char *behind) {
    if (*behind == '\0')
        return problem->kind == PROBLEM_INVALID_SHAPE ? "a list" : "a number";
    return isdigit((unsigned char)behind[1]) ? "a list" : "an object";
}

/* Inside the parameters' object, `behind` its pointer. */
static bool blame_param(form_request *request, const problem *read, const char *behind) {
    const layers_param *params = request->call->operation->params;
    char name[FORM_POINTER];
    const char *kind = kind_around(read, behind);
    if (strcmp(kind, "an object") != 0)
        return wrong_params(request, kind);
    behind = first_name(behind, name);
    if (!check_key(request, true, name))
        return false;
    int i = 0;
    while (strcmp(params[i].name, name) != 0)
        i++;
    bool is_number = params[i].kind != LAYERS_CHOICE && *behind == '\0';
    if (layers_is_tensor(&params[i]))
        kept_blame(request->problem, request->problem->pointer + (behind - read->pointer));
    else if (!is_number || read->kind != PROBLEM_NUMBER_OUT_OF_RANGE)
        wrong_param(request, i, kind_around(read, behind));
    return false;
}

/* Numbers are read before anybody asks whose they are, but what is wrong with them is not what is
 * wrong with a field that takes none: "mode": ["train"] is a list, and not a list of words. Always
 * false. */
static bool blame_field(form_request *request, const json_source *source) {
    const problem read = *request->problem;
    const uint64_t of_numbers =
        PROBLEM_BIT(PROBLEM_WRONG_TYPE) | PROBLEM_BIT(PROBLEM_RAGGED_ARRAY) |
        PROBLEM_BIT(PROBLEM_INVALID_SHAPE) | PROBLEM_BIT(PROBLEM_NUMBER_OUT_OF_RANGE);
    const char *params = request->call->operation->params_name;
    char name[FORM_POINTER];
    if (!(of_numbers & PROBLEM_BIT(read.kind)) || *read.pointer != '/')
        return false;
    if (source->text[strspn(source->text, " \t\r\n")] == '[')
        return problem_set(request->problem, PROBLEM_WRONG_TYPE, NULL,
                           "the body is a list, but must be an object");
    const char *behind = first_name(read.pointer, name);
    if (!check_key(request, false, name))
        return false;
    if (!strcmp(name, "dtype"))
        return wrong_dtype(request, kind_around(&read, behind));
    if (!strcmp(name, "cache"))
        return wrong_cache(request, kind_around(&read, behind));
    if (params && !strcmp(name, params))
        return blame_param(request, &read, behind);
    kept_blame(request->problem, request->problem->pointer + (behind - read.pointer));
    return false;
}

static bool json_read(form_request *request) {
    json_request r = {.request = request};
    const char *text = request->body->data;
    size_t length = request->body->size;
    const json_source source = form_json_source(text, length, request->charge, request->call->pool);
    if (!json_document_read(&r.document, &source, request->problem))
        return blame_field(request, &source);
    bool good = check_keys(&r, r.document.root, false) && read_cache(&r) && read_dtype(&r) &&
                read_inputs(&r) && read_params(&r);
    json_document_free(&r.document);
    return good;
}

static size_t json_bound(const form_answer *answer) {
    const layers_operation *operation = answer->call->operation;
    size_t bound = 512; /* punctuation, the handle, scalar parameters, the line feed */
    for (int i = 0; operation->outputs[i].name; i++)
        bound = form_add(bound,
                         form_add(json_tensor_bound(&answer->call->outputs[i], answer->flat), 64));
    for (int i = 0; operation->params && operation->params[i].name; i++) {
        const layers_tensor *tensor = &answer->call->params[i].tensor;
        if (operation->params[i].kind == LAYERS_TENSOR)
            bound = form_add(bound, form_add(json_tensor_bound(tensor, answer->flat), 64));
    }
    return bound;
}

static char *write_name(char *out, const char *name) {
    *out++ = '"';
    out = json_write_raw(out, name);
    return json_write_raw(out, "\":");
}

static char *write_param(char *out, const form_answer *answer, int i) {
    const layers_param *param = &answer->call->operation->params[i];
    const layers_value *value = &answer->call->params[i];
    out = write_name(out, param->name);
    return layers_is_tensor(param)
               ? json_write_tensor(out, &value->tensor, answer->flat, answer->call->pool)
               : form_json_param(out, param, value->number, value->choice);
}

static char *write_params(char *out, const form_answer *answer) {
    const layers_operation *operation = answer->call->operation;
    bool first = true;
    out = write_name(out, operation->params_name);
    *out++ = '{';
    for (int i = 0; operation->params[i].name; i++) {
        if (!form_gives_param(answer->call, i))
            continue;
        if (!first)
            *out++ = ',';
        first = false;
        out = write_param(out, answer, i);
    }
    *out++ = '}';
    return out;
}

/* {"out": ..., "bn_param": {...}, "cache": "..."} and a line feed. A tensor that is a scalar by its
 * pattern is a plain number in either form. */
static char *json_write(char *out, const form_answer *answer) {
    const layers_operation *operation = answer->call->operation;
    *out++ = '{';
    for (int i = 0; operation->outputs[i].name; i++) {
        const layers_field *field = &operation->outputs[i];
        if (i > 0)
            *out++ = ',';
        out = write_name(out, field->name);
        out = json_write_tensor(out, &answer->call->outputs[i], answer->flat && *field->shape,
                                answer->call->pool);
    }
    if (operation->params_back) {
        *out++ = ',';
        out = write_params(out, answer);
    }
    if (answer->handle) {
        out = json_write_raw(out, ",\"cache\":\"");
        out = json_write_raw(out, answer->handle);
        *out++ = '"';
    }
    return json_write_raw(out, "}\n");
}

const form form_json = {
    .media_type = "application/json",
    .handle_at = "/tensor",
    .read = json_read,
    .bound = json_bound,
    .write = json_write,
    .open_graph = graph_open_json,
    .bound_graph = graph_bound_json,
    .write_graph = graph_write_json,
};
