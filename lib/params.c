/* Setting what a call takes by its name. */
#include <stdio.h>
#include <string.h>

#include "layers/operation.h"

/* "x, gamma, beta, mode, eps" */
static void list_names(const layers_operation *operation, char *text, size_t size) {
    size_t used = 0;
    *text = '\0';
    for (int i = 0; operation->inputs[i].name && used < size; i++)
        used += (size_t)snprintf(text + used, size - used, "%s%s", used ? ", " : "",
                                 operation->inputs[i].name);
    for (int i = 0; operation->params && operation->params[i].name && used < size; i++)
        used += (size_t)snprintf(text + used, size - used, ", %s", operation->params[i].name);
}

/* -1, and an error, where there is none. */
static int find_param(const layers_operation *operation, const char *name, layers_error *error) {
    char names[256];
    for (int i = 0; operation->params && operation->params[i].name; i++)
        if (!strcmp(operation->params[i].name, name))
            return i;
    list_names(operation, names, sizeof names);
    layers_fail(error, LAYERS_UNKNOWN_FIELD, name, "%s/%s takes no %.48s, but %s", operation->layer,
                operation->name, name, names);
    return -1;
}

static layers_code wrong_kind(const layers_operation *operation, int i, layers_error *error) {
    static const char *const kinds[] = {[LAYERS_NUMBER] = "a number",
                                        [LAYERS_INTEGER] = "an integer",
                                        [LAYERS_CHOICE] = "a choice",
                                        [LAYERS_TENSOR] = "a tensor",
                                        [LAYERS_MASK] = "a tensor"};
    const layers_param *param = &operation->params[i];
    char field[64];
    snprintf(field, sizeof field, "%s/%s", operation->params_name, param->name);
    return layers_fail(error, LAYERS_WRONG_TYPE, field, "%s has to be set as %s", param->name,
                       kinds[param->kind]);
}

layers_code layers_set_tensor(layers_call *call, const char *name, layers_tensor tensor,
                              layers_error *error) {
    layers_tensor *place = NULL;
    for (int i = 0; call->operation->inputs[i].name && !place; i++)
        if (!strcmp(call->operation->inputs[i].name, name))
            place = &call->inputs[i];
    if (!place) {
        int i = find_param(call->operation, name, error);
        if (i < 0)
            return error->code;
        if (!layers_is_tensor(&call->operation->params[i]))
            return wrong_kind(call->operation, i, error);
        call->params[i].given = true;
        place = &call->params[i].tensor;
    }
    layers_tensor_clear(place);
    *place = tensor;
    return LAYERS_OK;
}

layers_code layers_set_number(layers_call *call, const char *name, double number,
                              layers_error *error) {
    int i = find_param(call->operation, name, error);
    if (i < 0)
        return error->code;
    layers_param_kind kind = call->operation->params[i].kind;
    if (kind != LAYERS_NUMBER && kind != LAYERS_INTEGER)
        return wrong_kind(call->operation, i, error);
    call->params[i].given = true;
    call->params[i].number = number;
    return LAYERS_OK;
}

layers_code layers_set_choice(layers_call *call, const char *name, const char *choice,
                              layers_error *error) {
    int i = find_param(call->operation, name, error);
    if (i < 0)
        return error->code;
    const layers_param *param = &call->operation->params[i];
    if (param->kind != LAYERS_CHOICE)
        return wrong_kind(call->operation, i, error);
    char choices[64] = "", field[64];
    for (int c = 0; param->choices[c]; c++) {
        if (!strcmp(choice, param->choices[c])) {
            call->params[i].given = true;
            call->params[i].choice = c;
            return LAYERS_OK;
        }
        size_t used = strlen(choices);
        snprintf(choices + used, sizeof choices - used, "%s\"%s\"", c ? " or " : "",
                 param->choices[c]);
    }
    snprintf(field, sizeof field, "%s/%s", call->operation->params_name, name);
    return layers_fail(error, LAYERS_INVALID_PARAM, field, "%s is \"%.48s\", but must be %s", name,
                       choice, choices);
}
