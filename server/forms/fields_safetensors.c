/* What the fields of a call are in a safetensors file. */
#include "forms/fields_safetensors.h"

#include <string.h>

#include "codec/json_array.h"
#include "codec/number.h"

const layers_param *safetensors_find_param(const layers_operation *operation, const char *name) {
    size_t length = operation->params_name ? strlen(operation->params_name) : 0;
    if (!length || strncmp(name, operation->params_name, length) != 0 || name[length] != '.')
        return NULL;
    for (const layers_param *param = operation->params; param->name; param++)
        if (!strcmp(param->name, name + length + 1))
            return param;
    return NULL;
}

const safetensors_entry *safetensors_find(const safetensors_request *r, const char *name) {
    for (size_t i = 0; i < r->file.count; i++)
        if (!strcmp(r->file.entries[i].name, name))
            return &r->file.entries[i];
    return NULL;
}

const char *safetensors_find_text(const safetensors_request *r, const char *name) {
    return json_string_value(json_object_get(r->file.metadata, name));
}

bool safetensors_has_values(const safetensors_entry *entry) {
    return entry->dtype->is_read && entry->dtype->as != LAYERS_I64;
}

bool safetensors_number(safetensors_request *r, const char *pointer, const char *text,
                        double *number) {
    const char *at = text, *end = text + strlen(text);
    char clipped[48];
    number_status status = number_read_f64(&at, end, number);
    if ((status == NUMBER_OK && at == end) || json_word_value(text, (size_t)(end - text), number))
        return true;
    text_clip(clipped, sizeof clipped, text);
    if (status == NUMBER_OUT_OF_RANGE && at == end)
        return problem_set(r->request->problem, PROBLEM_NUMBER_OUT_OF_RANGE, pointer,
                           "%s is %s, which is too large for a float64", pointer, clipped);
    return problem_set(r->request->problem, PROBLEM_WRONG_TYPE, pointer,
                       "%s is \"%s\", but must be a number, as in \"0.5\"", pointer, clipped);
}

bool safetensors_scalar(safetensors_request *r, layers_call *call, const char *parent, int i,
                        const char *text) {
    layers_value *value = &call->params[i];
    char pointer[FORM_POINTER];
    value->given = true;
    if (call->operation->params[i].kind == LAYERS_CHOICE)
        return form_choice(call->operation, i, parent, text, NULL, &value->choice,
                           r->request->problem);
    return safetensors_number(r, form_param_pointer(parent, call->operation, i, pointer), text,
                              &value->number);
}
