/* x-layerd: an operation's row of the table as it stands, for pages and clients that draw forms. */
#include <string.h>

#include "documents/openapi/fields.h"

#include "layers/check.h"

/* {"P": "⌊(H + 2·pad − R) / stride⌋ + 1"} for the letters of a pattern that follow from others;
 * nothing where there are none. */
static void put_derived(openapi *o, json_t *object, const layers_derived *derived,
                        const char *shape) {
    json_t *formulas = json_object();
    for (; derived && derived->letter; derived++)
        if (strchr(shape, derived->letter))
            openapi_put(o, formulas, (char[]){derived->letter, '\0'},
                        json_string(derived->formula));
    if (json_object_size(formulas) > 0)
        openapi_put(o, object, "derived", json_incref(formulas));
    json_decref(formulas);
}

static json_t *fields(openapi *o, const layers_operation *operation, const layers_field *rows) {
    json_t *list = json_array();
    for (const layers_field *row = rows; row->name; row++) {
        json_t *object = json_pack("{s:s, s:s, s:b, s:s}", "name", row->name, "shape", row->shape,
                                   "labels", row->labels, "summary", row->summary);
        put_derived(o, object, openapi_deriver(operation)->derived, row->shape);
        openapi_add(o, list, object);
    }
    return list;
}

static json_t *choices(openapi *o, const layers_param *param) {
    json_t *list = json_array();
    for (int i = 0; param->choices[i]; i++)
        openapi_add(o, list, json_string(param->choices[i]));
    return list;
}

/* Bounds past 1e300 are those of the type: left out. */
static void put_range(openapi *o, json_t *object, const layers_param *param) {
    if (param->minimum > -1e300) {
        openapi_put(o, object, "minimum", openapi_number(param, param->minimum));
        openapi_put(o, object, "open_minimum", json_boolean(param->open_minimum));
    }
    if (param->maximum < 1e300) {
        openapi_put(o, object, "maximum", openapi_number(param, param->maximum));
        openapi_put(o, object, "open_maximum", json_boolean(param->open_maximum));
    }
    if (param->has_fallback)
        openapi_put(o, object, "fallback", openapi_number(param, param->fallback));
}

static json_t *param_row(openapi *o, const layers_param *param) {
    static const char *const kinds[] = {[LAYERS_NUMBER] = "number",
                                        [LAYERS_INTEGER] = "integer",
                                        [LAYERS_CHOICE] = "choice",
                                        [LAYERS_TENSOR] = "tensor",
                                        [LAYERS_MASK] = "mask"};
    json_t *object =
        json_pack("{s:s, s:s, s:b, s:s}", "name", param->name, "kind", kinds[param->kind],
                  "required", param->required, "summary", param->summary);
    switch (param->kind) {
    case LAYERS_NUMBER:
    case LAYERS_INTEGER:
        put_range(o, object, param);
        break;
    case LAYERS_CHOICE:
        openapi_put(o, object, "choices", choices(o, param));
        break;
    case LAYERS_TENSOR:
    case LAYERS_MASK:
        openapi_put(o, object, "shape", json_string(param->shape));
        break;
    }
    if (param->instead_of)
        openapi_put(o, object, "instead_of", json_string(param->instead_of));
    return object;
}

/* What claims are compared with, and what challenges there are. */
static void put_answers(openapi *o, json_t *row, const layers_operation *operation) {
    json_t *cases = json_array();
    const char *name;
    for (size_t i = 0; (name = layers_challenge_case(operation, i)); i++)
        openapi_add(o, cases, json_string(name));
    openapi_put(o, row, "faults", fault_rows(o, operation));
    openapi_put(o, row, "cases", cases);
}

json_t *fault_rows(openapi *o, const layers_operation *operation) {
    json_t *list = json_array();
    const char *code, *says;
    for (size_t i = 0; (code = layers_fault_at(operation, i, &says)); i++)
        openapi_add(o, list, json_pack("{s:s, s:s}", "code", code, "says", says));
    return list;
}

json_t *operation_row(openapi *o, const layers_operation *operation) {
    static const char *const uses[] = {[LAYERS_CACHE_NONE] = "none",
                                       [LAYERS_CACHE_GIVEN] = "given",
                                       [LAYERS_CACHE_TAKEN] = "taken"};
    json_t *row =
        json_pack("{s:s, s:s, s:o, s:o, s:s}", "layer", operation->layer, "operation",
                  operation->name, "inputs", fields(o, operation, operation->inputs), "outputs",
                  fields(o, operation, operation->outputs), "cache", uses[operation->cache]);
    put_answers(o, row, operation);
    if (!operation->params_name)
        return row;
    json_t *params = json_array();
    for (const layers_param *param = operation->params; param->name; param++)
        openapi_add(o, params, param_row(o, param));
    openapi_put(o, row, "params_name", json_string(operation->params_name));
    openapi_put(o, row, "params", params);
    return row;
}
