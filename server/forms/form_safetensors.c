/* Messages in safetensors. Tensors are tensors; scalars and texts stand in __metadata__; what JSON
 * has inside an object has its name dotted: "bn_param.eps". */
#include <stdio.h>
#include <string.h>

#include "codec/safetensors_write.h"
#include "forms/claim.h"
#include "forms/fields_safetensors.h"
#include "forms/kept.h"

/* ---- requests ------------------------------------------------------------------------------- */

static const char *param_name(const layers_operation *operation, int i,
                              char name[SAFETENSORS_NAME]) {
    snprintf(name, SAFETENSORS_NAME, "%s.%s", operation->params_name, operation->params[i].name);
    return name;
}

static bool names_tensor(const layers_operation *operation, const char *name) {
    const layers_param *param = safetensors_find_param(operation, name);
    for (const layers_field *field = operation->inputs; field->name; field++)
        if (!strcmp(field->name, name))
            return true;
    return param && layers_is_tensor(param);
}

static bool names_text(const layers_operation *operation, const char *name) {
    const layers_param *param = safetensors_find_param(operation, name);
    return (param && !layers_is_tensor(param)) || !strcmp(name, "dtype") ||
           (operation->cache == LAYERS_CACHE_TAKEN && !strcmp(name, "cache"));
}

/* unknown_field. Always false. */
static bool unknown(safetensors_request *r, const char *name) {
    const layers_operation *operation = r->operation;
    const char *names[FORM_NAMES + LAYERS_MAX_CLAIMS] = {"dtype"};
    char dotted[LAYERS_MAX_PARAMS][SAFETENSORS_NAME], claimed[LAYERS_MAX_TENSORS][SAFETENSORS_NAME];
    size_t count = 1;
    for (int i = 0; r->request->claim && r->request->claim->call.operation->inputs[i].name; i++) {
        snprintf(claimed[i], SAFETENSORS_NAME, "claim.%s",
                 r->request->claim->call.operation->inputs[i].name);
        names[count++] = claimed[i];
    }
    for (int i = 0; operation->inputs[i].name; i++)
        names[count++] = operation->inputs[i].name;
    for (int i = 0; operation->params_name && operation->params[i].name; i++)
        names[count++] = param_name(operation, i, dotted[i]);
    if (operation->cache == LAYERS_CACHE_TAKEN)
        names[count++] = "cache";
    char taker[FORM_TAKER];
    form_check_name(form_taker(operation, taker), "", name, names, r->request->problem);
    safetensors_pointer(name, r->request->problem->pointer, sizeof r->request->problem->pointer);
    return false;
}

/* Holds every name to the description. "format" is what the usual writers add of themselves. */
static bool check_names(safetensors_request *r) {
    const char *key;
    json_t *value;
    char pointer[FORM_POINTER];
    for (size_t i = 0; i < r->file.count; i++) {
        const char *name = r->file.entries[i].name;
        if (names_text(r->operation, name) || safetensors_claims_text(r->request, name))
            return problem_set(r->request->problem, PROBLEM_WRONG_TYPE,
                               safetensors_pointer(name, pointer, sizeof pointer),
                               "%s is a tensor, but must be a string in __metadata__", name);
        if (!names_tensor(r->operation, name) && !safetensors_claims_tensor(r->request, name))
            return unknown(r, name);
    }
    json_object_foreach(r->file.metadata, key, value) {
        if (names_tensor(r->operation, key) && safetensors_find(r, key))
            return problem_set(r->request->problem, PROBLEM_WRONG_TYPE,
                               safetensors_pointer(key, pointer, sizeof pointer),
                               "%s is a tensor, and stands in __metadata__ too, where the handle "
                               "of a tensor has its place",
                               key);
        if (safetensors_claims_tensor(r->request, key))
            return problem_set(r->request->problem, PROBLEM_WRONG_TYPE,
                               safetensors_pointer(key, pointer, sizeof pointer),
                               "%s is a string in __metadata__, but must be a tensor", key);
        if (!names_tensor(r->operation, key) && !names_text(r->operation, key) &&
            !safetensors_claims_text(r->request, key) && strcmp(key, "format") != 0)
            return unknown(r, key);
    }
    return true;
}

static bool read_cache(safetensors_request *r) {
    const char *handle = safetensors_find_text(r, "cache");
    return !handle || form_cache(r->request, handle);
}

/* A tensor that was kept, where its handle stands in its place. */
static bool read_handle(safetensors_request *r, const char *name, unsigned bit,
                        layers_tensor *tensor) {
    const char *handle = safetensors_find_text(r, name);
    char pointer[FORM_POINTER];
    r->request->kept |= handle ? bit : 0;
    return !handle || kept_tensor(r->request->store, handle,
                                  safetensors_pointer(name, pointer, sizeof pointer), tensor,
                                  r->request->problem);
}

static bool read_handles(safetensors_request *r) {
    layers_call *call = r->request->call;
    char name[SAFETENSORS_NAME];
    for (int i = 0; r->operation->inputs[i].name; i++)
        if (!read_handle(r, r->operation->inputs[i].name, FORM_KEPT(i), &call->inputs[i]))
            return false;
    for (int i = 0; r->operation->params_name && r->operation->params[i].name; i++)
        if (layers_is_tensor(&r->operation->params[i]) &&
            !read_handle(r, param_name(r->operation, i, name), FORM_KEPT_PARAM(i),
                         &call->params[i].tensor))
            return false;
    return true;
}

/* Whether a tensor, of the file or kept, has the call's dtype; then that is *dtype. */
static bool tells_dtype(safetensors_request *r, const char *name, const layers_tensor *kept,
                        layers_dtype *dtype) {
    const safetensors_entry *entry = safetensors_find(r, name);
    bool told = entry ? safetensors_has_values(entry)
                      : kept->buffer && (kept->dtype == LAYERS_F64 || kept->dtype == LAYERS_F32);
    if (!told)
        return false;
    *dtype = entry ? entry->dtype->as : kept->dtype;
    snprintf(r->dtype_by, sizeof r->dtype_by, "%s", name);
    return true;
}

/* The dtype of the first tensor, as the description lists them, that has the call's. */
static bool first_dtype(safetensors_request *r, layers_dtype *dtype) {
    const layers_call *call = r->request->call;
    char name[SAFETENSORS_NAME];
    for (int i = 0; r->operation->inputs[i].name; i++)
        if (!r->operation->inputs[i].labels &&
            tells_dtype(r, r->operation->inputs[i].name, &call->inputs[i], dtype))
            return true;
    for (int i = 0; r->operation->params_name && r->operation->params[i].name; i++)
        if (r->operation->params[i].kind == LAYERS_TENSOR &&
            tells_dtype(r, param_name(r->operation, i, name), &call->params[i].tensor, dtype))
            return true;
    return false;
}

static bool read_dtype(safetensors_request *r) {
    layers_call *call = r->request->call;
    const char *said = safetensors_find_text(r, "dtype");
    strcpy(r->dtype_by, "dtype");
    if (said)
        return form_dtype(said, &call->dtype, r->request->problem);
    if (!first_dtype(r, &call->dtype))
        call->dtype = call->cache ? layers_cache_dtype(call->cache) : LAYERS_F64;
    return true;
}

/* The tensor of a name, where it was sent. */
static bool read_tensor(safetensors_request *r, const char *name, bool labels,
                        layers_tensor *tensor) {
    const safetensors_entry *entry = safetensors_find(r, name);
    char pointer[FORM_POINTER];
    if (!entry)
        return true;
    safetensors_pointer(name, pointer, sizeof pointer);
    if (!entry->dtype->is_read || (entry->dtype->as == LAYERS_I64) != labels)
        return problem_set(r->request->problem, PROBLEM_WRONG_TYPE, pointer,
                           "%s is %s, but must be %s", name, entry->dtype->name,
                           labels ? "I64, I32 or U8" : "F64 or F32");
    layers_dtype dtype = labels ? LAYERS_I64 : r->request->call->dtype;
    if (entry->dtype->as != dtype)
        return problem_set(r->request->problem, PROBLEM_WRONG_TYPE, pointer,
                           "%s is %s, but %s is %s: the tensors of one call are of one dtype", name,
                           layers_dtype_name(entry->dtype->as), r->dtype_by,
                           layers_dtype_name(dtype));
    return safetensors_tensor(entry, r->request->body, r->request->charge, tensor,
                              r->request->problem);
}

/* The mask of a name, where it was sent: as it is, whatever the call's dtype. */
static bool read_mask(safetensors_request *r, const char *name, layers_tensor *tensor) {
    const safetensors_entry *entry = safetensors_find(r, name);
    char pointer[FORM_POINTER];
    if (!entry)
        return true;
    if (safetensors_has_values(entry))
        return safetensors_tensor(entry, r->request->body, r->request->charge, tensor,
                                  r->request->problem);
    if (!strcmp(entry->dtype->name, "U8"))
        return layers_tensor_view(tensor, r->request->body, LAYERS_U8, entry->shape, entry->rank,
                                  entry->begin);
    return problem_set(r->request->problem, PROBLEM_WRONG_TYPE,
                       safetensors_pointer(name, pointer, sizeof pointer),
                       "%s is %s, but must be U8, F64 or F32", name, entry->dtype->name);
}

static bool read_inputs(safetensors_request *r) {
    for (int i = 0; r->operation->inputs[i].name; i++) {
        const layers_field *field = &r->operation->inputs[i];
        if (!read_tensor(r, field->name, field->labels, &r->request->call->inputs[i]))
            return false;
    }
    return true;
}

static bool read_param(safetensors_request *r, int i) {
    layers_value *value = &r->request->call->params[i];
    char name[SAFETENSORS_NAME];
    param_name(r->operation, i, name);
    if (r->operation->params[i].kind == LAYERS_TENSOR)
        return read_tensor(r, name, false, &value->tensor);
    if (r->operation->params[i].kind == LAYERS_MASK)
        return read_mask(r, name, &value->tensor);
    const char *text = safetensors_find_text(r, name);
    return !text || safetensors_scalar(r, r->request->call, "", i, text);
}

static bool read_params(safetensors_request *r) {
    for (int i = 0; r->operation->params_name && r->operation->params[i].name; i++)
        if (!read_param(r, i))
            return false;
    return true;
}

static bool read_request(form_request *request) {
    safetensors_request r = {.request = request, .operation = request->call->operation};
    if (!safetensors_read(&r.file, request->body->data, request->body->size, SAFETENSORS_HEADER,
                          request->problem))
        return false;
    bool good = (!request->claim || safetensors_claim_open(&r)) && check_names(&r) &&
                read_cache(&r) && read_handles(&r) && read_dtype(&r) && read_inputs(&r) &&
                read_params(&r) && (!request->claim || safetensors_claim_read(&r));
    safetensors_free(&r.file);
    return good;
}

/* ---- answers -------------------------------------------------------------------------------- */

enum { MOST = LAYERS_MAX_TENSORS + LAYERS_MAX_PARAMS + 1 };

/* An answer's contents, and room for them. */
typedef struct {
    safetensors_contents contents;
    safetensors_tensor_named tensors[MOST];
    safetensors_text_named texts[MOST];
} answer_contents;

/* Its text is written by the caller. */
static char *add_text(safetensors_contents *contents, const char *owner, const char *name) {
    safetensors_text_named *named = &contents->texts[contents->text_count++];
    *named = (safetensors_text_named){.owner = owner, .name = name};
    return named->text;
}

static void add_tensor(safetensors_contents *contents, const char *owner, const char *name,
                       const layers_tensor *tensor) {
    contents->tensors[contents->tensor_count++] = (safetensors_tensor_named){owner, name, tensor};
}

static void add_output(safetensors_contents *contents, const layers_field *field,
                       const layers_tensor *tensor) {
    if (*field->shape) {
        add_tensor(contents, NULL, field->name, tensor);
        return;
    }
    char *text = add_text(contents, NULL, field->name);
    if (tensor->data)
        form_number_text(text, tensor->dtype, tensor->data);
}

static void add_param(safetensors_contents *contents, const layers_call *call, int i) {
    const layers_param *param = &call->operation->params[i];
    const layers_value *value = &call->params[i];
    const char *owner = call->operation->params_name;
    if (layers_is_tensor(param))
        add_tensor(contents, owner, param->name, &value->tensor);
    else
        form_param_text(add_text(contents, owner, param->name), param, value->number,
                        value->choice);
}

/* What stands in an answer; with `all`, what could stand there after layers_run. */
static void fill(answer_contents *answer, const layers_call *call, const char *handle, bool all) {
    safetensors_contents *contents = &answer->contents;
    *contents = (safetensors_contents){.tensors = answer->tensors, .texts = answer->texts};
    for (int i = 0; call->operation->outputs[i].name; i++)
        add_output(contents, &call->operation->outputs[i], &call->outputs[i]);
    for (int i = 0; call->operation->params_name && call->operation->params[i].name; i++)
        if (all ? form_returns_param(call->operation, &call->operation->params[i])
                : form_gives_param(call, i))
            add_param(contents, call, i);
    if (handle)
        strcpy(add_text(contents, NULL, "cache"), handle);
}

static size_t bound_answer(const form_answer *answer) {
    answer_contents all;
    fill(&all, answer->call, "", true);
    return safetensors_bound(&all.contents);
}

static char *write_answer(char *out, const form_answer *answer) {
    answer_contents all;
    fill(&all, answer->call, answer->handle, false);
    return safetensors_write(out, &all.contents);
}

const form form_safetensors = {
    .media_type = "application/vnd.safetensors",
    .handle_at = "",
    .read = read_request,
    .bound = bound_answer,
    .write = write_answer,
};
