/* Messages in JSON. */
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "codec/json_value.h"
#include "codec/json_write.h"
#include "forms/claim.h"
#include "forms/fields_json.h"
#include "forms/form.h"
#include "forms/kept.h"

/* A request whose text has been read. */
typedef struct {
    form_request *request;
    json_document document;
    json_fields fields; /* of the body */
    const char *more[8];
    char taker[FORM_TAKER];
} json_request;

/* ---- names ----------------------------------------------------------------------------------- */

/* What a body can hold beside the fields of its call. */
static void more_names(const form_request *request, const char *names[8]) {
    const form_claim *claim = request->claim;
    size_t count = 0;
    if (request->call->operation->cache == LAYERS_CACHE_TAKEN)
        names[count++] = "cache";
    if (claim && claim->open)
        names[count++] = "challenge";
    else
        names[count++] = "dtype";
    if (claim)
        names[count++] = "claim";
    if (claim && !claim->open) {
        names[count++] = "precision";
        names[count++] = "tolerance";
    }
    names[count] = NULL;
}

static void describe(json_request *r) {
    more_names(r->request, r->more);
    form_taker(r->request->call->operation, r->taker);
    r->fields = (json_fields){.request = r->request,
                              .document = &r->document,
                              .object = r->document.root,
                              .call = r->request->call,
                              .parent = "",
                              .taker = r->taker,
                              .more = r->more};
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
static bool blame_param(json_request *r, const problem *read, const char *behind) {
    const layers_param *params = r->request->call->operation->params;
    problem *problem = r->request->problem;
    char name[FORM_POINTER];
    const char *kind = kind_around(read, behind);
    if (strcmp(kind, "an object") != 0)
        return json_fields_wrong_params(&r->fields, kind);
    behind = first_name(behind, name);
    if (!json_fields_check_key(&r->fields, true, name))
        return false;
    int i = 0;
    while (strcmp(params[i].name, name) != 0)
        i++;
    bool is_number = params[i].kind != LAYERS_CHOICE && *behind == '\0';
    if (layers_is_tensor(&params[i]))
        kept_blame(problem, problem->pointer + (behind - read->pointer));
    else if (!is_number || read->kind != PROBLEM_NUMBER_OUT_OF_RANGE)
        json_fields_wrong_param(&r->fields, i, kind_around(read, behind));
    return false;
}

/* Numbers are read before anybody asks whose they are, but what is wrong with them is not what is
 * wrong with a field that takes none: "mode": ["train"] is a list, and not a list of words. Always
 * false. */
static bool blame_field(json_request *r, const json_source *source) {
    form_request *request = r->request;
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
    const char *kind = kind_around(&read, behind);
    if (!json_fields_check_key(&r->fields, false, name))
        return false;
    if (!strcmp(name, "dtype"))
        return wrong_dtype(request, kind);
    if (!strcmp(name, "cache"))
        return wrong_cache(request, kind);
    if (request->claim && json_claim_blame(request, name, kind))
        return false;
    if (params && !strcmp(name, params))
        return blame_param(r, &read, behind);
    kept_blame(request->problem, request->problem->pointer + (behind - read.pointer));
    return false;
}

static bool json_read(form_request *request) {
    json_request r = {.request = request};
    const char *text = request->body->data;
    size_t length = request->body->size;
    const json_source source = form_json_source(text, length, request->charge, request->call->pool);
    describe(&r);
    if (!json_document_read(&r.document, &source, request->problem))
        return blame_field(&r, &source);
    r.fields.object = r.document.root;
    bool good = json_fields_check(&r.fields) && read_cache(&r) && read_dtype(&r) &&
                json_fields_read_inputs(&r.fields) && json_fields_read_params(&r.fields) &&
                (!request->claim || json_claim_read(request, &r.document));
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
};
