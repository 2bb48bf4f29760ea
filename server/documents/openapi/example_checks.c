/* Examples of checks. */
#include "documents/openapi/examples.h"

#include "handlers.h"

/* Every number with the other sign. */
static json_t *negated(openapi *o, json_t *value) {
    if (!json_is_array(value))
        return json_real(-json_number_value(value));
    json_t *list = json_array();
    for (size_t i = 0; i < json_array_size(value); i++)
        openapi_add(o, list, negated(o, json_array_get(value, i)));
    return list;
}

/* What an operation gave, as claims: without its cache, and of parameters the tensors alone. */
static json_t *claim_of(openapi *o, const layers_operation *operation, json_t *given) {
    json_t *claim = json_object(), *params = json_object();
    for (const layers_field *field = operation->outputs; field->name; field++)
        openapi_put(o, claim, field->name, json_incref(json_object_get(given, field->name)));
    json_t *back = operation->params_back ? json_object_get(given, operation->params_name) : NULL;
    for (const layers_param *param = operation->params; back && param->name; param++)
        if (param->kind == LAYERS_TENSOR)
            openapi_put(o, params, param->name, json_incref(json_object_get(back, param->name)));
    if (json_object_size(params) > 0)
        openapi_put(o, claim, operation->params_name, json_incref(params));
    json_decref(params);
    return claim;
}

/* The inputs of a call and, of a backward, those of its forward before them. */
static json_t *check_inputs(openapi *o, const layers_operation *operation) {
    json_t *body = example_request(o, openapi_deriver(operation), NULL, false);
    json_t *own = example_request(o, operation, "", false);
    json_object_del(own, "cache");
    o->failed |= json_object_update(body, own) != 0;
    json_decref(own);
    return body;
}

json_t *example_check(openapi *o, const layers_operation *operation, bool right) {
    json_t *body = check_inputs(o, operation), *given = example_answer(o, operation);
    const char *first = operation->outputs[0].name;
    openapi_put(o, body, "claim",
                right ? claim_of(o, operation, given)
                      : json_pack("{s:o}", first, negated(o, json_object_get(given, first))));
    json_decref(given);
    return body;
}

json_t *example_verdict(openapi *o, const layers_operation *operation, const json_t *check) {
    return example_run(o, handle_check, operation, json_deep_copy(check));
}
