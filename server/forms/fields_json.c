/* Inputs and parameters from JSON. */
#include "forms/fields_json.h"

#include <stdio.h>
#include <string.h>

#include "codec/json_value.h"
#include "forms/kept.h"

/* ---- names ----------------------------------------------------------------------------------- */

static void top_names(const json_fields *f, const char *names[FORM_NAMES]) {
    const layers_operation *operation = f->call->operation;
    size_t count = 0;
    for (int i = 0; operation->inputs[i].name; i++)
        names[count++] = operation->inputs[i].name;
    if (operation->params_name)
        names[count++] = operation->params_name;
    for (const char *const *more = f->more; *more; more++)
        names[count++] = *more;
    names[count] = NULL;
}

/* The pointer of the parameters' object. */
static const char *params_pointer(const json_fields *f, char pointer[FORM_POINTER]) {
    snprintf(pointer, FORM_POINTER, "%s", f->parent);
    return pointer_add(pointer, FORM_POINTER, f->call->operation->params_name);
}

bool json_fields_check_key(const json_fields *f, bool inside, const char *key) {
    const layers_operation *operation = f->call->operation;
    problem *problem = f->request->problem;
    const char *top[FORM_NAMES], *params[FORM_NAMES] = {NULL};
    char within[FORM_POINTER], pointer[FORM_POINTER];
    top_names(f, top);
    if (!operation->params_name)
        return form_check_name(f->taker, f->parent, key, top, problem);
    form_param_names(operation, params);
    params_pointer(f, within);
    if (form_has_name(inside ? params : top, key) || !form_has_name(inside ? top : params, key))
        return form_check_name(f->taker, inside ? within : f->parent, key, inside ? params : top,
                               problem);
    pointer_add(strcpy(pointer, inside ? within : f->parent), sizeof pointer, key);
    return problem_set(
        problem, PROBLEM_UNKNOWN_FIELD, pointer, "\"%s\" belongs %s %s: %s takes it as %s/%s", key,
        inside ? "beside" : "inside", within, f->taker, inside ? f->parent : within, key);
}

static bool check_keys(const json_fields *f, json_t *object, bool inside) {
    const char *key;
    json_t *value;
    json_object_foreach(object, key,
                        value) if (!json_fields_check_key(f, inside, key)) return false;
    return true;
}

bool json_fields_check(const json_fields *f) {
    return check_keys(f, f->object, false);
}

/* ---- values of a wrong kind ------------------------------------------------------------------ */

bool json_fields_wrong_params(const json_fields *f, const char *kind) {
    char pointer[FORM_POINTER];
    params_pointer(f, pointer);
    return problem_set(f->request->problem, PROBLEM_WRONG_TYPE, pointer,
                       "%s is %s, but must be an object", pointer, kind);
}

bool json_fields_wrong_param(const json_fields *f, int i, const char *kind) {
    const layers_operation *operation = f->call->operation;
    char pointer[FORM_POINTER];
    int choice;
    if (operation->params[i].kind == LAYERS_CHOICE)
        return form_choice(operation, i, f->parent, NULL, kind, &choice, f->request->problem);
    form_param_pointer(f->parent, operation, i, pointer);
    return problem_set(f->request->problem, PROBLEM_WRONG_TYPE, pointer,
                       "%s is %s, but must be a number", pointer, kind);
}

/* ---- reading --------------------------------------------------------------------------------- */

/* A tensor, or the handle of one that was kept, which is noted as `bit`. */
static bool read_tensor(const json_fields *f, const json_t *value, layers_dtype dtype,
                        const char *pointer, unsigned bit, layers_tensor *tensor) {
    problem *problem = f->request->problem;
    if (f->of_claim || !kept_is_named(value, "tensor"))
        return json_tensor(f->document, value, dtype, pointer, tensor, problem);
    char place[FORM_POINTER];
    f->request->kept |= bit;
    const char *handle = kept_handle(f->document, value, "tensor", pointer, problem);
    snprintf(place, sizeof place, "%.180s/tensor", pointer);
    return handle && kept_tensor(f->request->store, handle, place, tensor, problem);
}

static layers_dtype dtype_of(const json_fields *f, const layers_field *field) {
    return f->of_claim ? LAYERS_F64 : field->labels ? LAYERS_I64 : f->call->dtype;
}

bool json_fields_read_inputs(const json_fields *f) {
    for (int i = 0; f->call->operation->inputs[i].name; i++) {
        const layers_field *field = &f->call->operation->inputs[i];
        json_t *value = json_object_get(f->object, field->name);
        char pointer[FORM_POINTER];
        snprintf(pointer, sizeof pointer, "%s", f->parent);
        pointer_add(pointer, sizeof pointer, field->name);
        if (value &&
            !read_tensor(f, value, dtype_of(f, field), pointer, FORM_KEPT(i), &f->call->inputs[i]))
            return false;
    }
    return true;
}

static bool read_param(const json_fields *f, int i, const json_t *json) {
    layers_call *call = f->call;
    const layers_param *param = &call->operation->params[i];
    char pointer[FORM_POINTER];
    if (!layers_is_tensor(param))
        return form_json_scalar(f->document, json, f->parent, call->operation, i, &call->params[i],
                                f->request->problem);
    form_param_pointer(f->parent, call->operation, i, pointer);
    call->params[i].given = true;
    /* a mask is of no dtype, as numbers are: in float32, 1e-50 would be taken for 0 */
    bool wide = f->of_claim || param->kind == LAYERS_MASK;
    return read_tensor(f, json, wide ? LAYERS_F64 : call->dtype, pointer, FORM_KEPT_PARAM(i),
                       &call->params[i].tensor);
}

bool json_fields_read_params(const json_fields *f) {
    const layers_operation *operation = f->call->operation;
    if (!operation->params_name)
        return true;
    char pointer[FORM_POINTER];
    params_pointer(f, pointer);
    json_t *object = json_object_get(f->object, operation->params_name);
    if (!object && !form_needs_params(operation))
        return true;
    if (!object)
        return problem_set(f->request->problem, PROBLEM_MISSING_FIELD, pointer,
                           "%s needs %s, an object", f->taker, pointer);
    if (!json_is_object(object))
        return json_fields_wrong_params(f, json_kind(f->document, object));
    if (!check_keys(f, object, true))
        return false;
    for (int i = 0; operation->params[i].name; i++) {
        json_t *value = json_object_get(object, operation->params[i].name);
        if (value && !read_param(f, i, value))
            return false;
    }
    return true;
}
