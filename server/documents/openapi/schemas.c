/* JSON Schemas of what operations take and give, by themselves and as nodes of graphs. */
#include <stdio.h>
#include <string.h>

#include "documents/openapi/schemas.h"
#include "documents/openapi/tensors.h"
#include "forms/form.h"

/* What the names of the parameters' schemas end in: "Params" alone is what orval calls an
 * operation's query. */
static const char *const params_suffix[] = {[PLACE_REQUEST] = ".parameters",
                                            [PLACE_ANSWER] = "AnswerParams",
                                            [PLACE_NODE] = ".node.parameters",
                                            [PLACE_CLAIM] = ".claim.parameters"};

void schemas_begin(openapi *o) {
    tensors_begin(o);
    json_t *names = json_array();
    for (layers_dtype dtype = LAYERS_F64; dtype <= LAYERS_F32; dtype++)
        openapi_add(o, names, json_string(layers_dtype_name(dtype)));
    openapi_put(o, o->schemas, "Dtype", json_pack("{s:s, s:o}", "type", "string", "enum", names));
}

/* A scalar of a range; bounds past 1e300 are those of the type. An integer that comes back may have
 * gone past what can be sent, as a count of steps does. */
static json_t *ranged(openapi *o, const layers_param *param, schema_place place) {
    bool integer = param->kind == LAYERS_INTEGER;
    json_t *schema = json_pack("{s:s, s:s}", "type", integer ? "integer" : "number", "format",
                               integer ? "int64" : "double");
    if (param->minimum > -1e300)
        openapi_put(o, schema, param->open_minimum ? "exclusiveMinimum" : "minimum",
                    openapi_number(param, param->minimum));
    if (param->maximum < 1e300 && !(integer && place == PLACE_ANSWER))
        openapi_put(o, schema, param->open_maximum ? "exclusiveMaximum" : "maximum",
                    openapi_number(param, param->maximum));
    if (param->has_fallback)
        openapi_put(o, schema, "default", openapi_number(param, param->fallback));
    return schema;
}

static json_t *choice(openapi *o, const layers_param *param) {
    json_t *choices = json_array();
    for (int i = 0; param->choices[i]; i++)
        openapi_add(o, choices, json_string(param->choices[i]));
    return json_pack("{s:s, s:o}", "type", "string", "enum", choices);
}

static json_t *param_schema(openapi *o, const layers_param *param, schema_place place) {
    if (layers_is_tensor(param))
        return schema_of_tensor(o, place, param->shape,
                                param->kind == LAYERS_MASK ? ELEMENT_FLAG : ELEMENT_NUMBER,
                                param->summary);
    json_t *schema = param->kind == LAYERS_CHOICE ? choice(o, param)
                     : place == PLACE_CLAIM       ? openapi_ref("schemas", "Number")
                                                  : ranged(o, param, place);
    openapi_put(o, schema, "description", json_string(param->summary));
    return schema;
}

/* Not both of a parameter and the one in whose place it stands. */
static void put_alternatives(openapi *o, const layers_param *params, json_t *schema) {
    for (const layers_param *param = params; param->name; param++)
        if (param->instead_of)
            openapi_put(o, schema, "not",
                        json_pack("{s:[s, s]}", "required", param->instead_of, param->name));
}

/* The object of the parameters. One that comes back has every value that the call had, and tensors
 * in any case. */
static json_t *params_schema(openapi *o, const layers_operation *operation, schema_place place) {
    char name[OPENAPI_NAME];
    json_t *properties = json_object(), *required = json_array();
    bool back = place == PLACE_ANSWER;
    for (const layers_param *param = operation->params; param->name; param++) {
        if (back && !form_returns_param(operation, param))
            continue;
        openapi_put(o, properties, param->name, param_schema(o, param, place));
        if (param->required || (back && (param->has_fallback || param->kind == LAYERS_TENSOR)))
            openapi_add(o, required, json_string(param->name));
    }
    json_t *schema = openapi_object(properties, required);
    if (!back)
        put_alternatives(o, operation->params, schema);
    openapi_name(name, operation->layer, operation->name, params_suffix[place]);
    openapi_put(o, o->schemas, name, schema);
    return openapi_ref("schemas", name);
}

/* "; P = ⌊(H + 2·pad − R) / stride⌋ + 1" for the letters of a pattern that follow from others. */
static json_t *with_formulas(const layers_operation *operation, const layers_field *field,
                             json_t *schema) {
    json_t *text = json_incref(json_object_get(schema, "description"));
    const layers_derived *d = openapi_deriver(operation)->derived;
    for (; d && d->letter; d++)
        if (strchr(field->shape, d->letter)) {
            json_t *longer =
                json_sprintf("%s; %c = %s", json_string_value(text), d->letter, d->formula);
            json_decref(text);
            text = longer;
        }
    json_object_set_new(schema, "description", text);
    return schema;
}

static void put_fields(openapi *o, const layers_operation *operation, schema_place place,
                       json_t *properties, json_t *required) {
    const layers_field *fields = place == PLACE_ANSWER ? operation->outputs : operation->inputs;
    for (const layers_field *field = fields; field->name; field++) {
        json_t *schema = schema_of_tensor(
            o, place, field->shape, field->labels ? ELEMENT_LABEL : ELEMENT_NUMBER, field->summary);
        openapi_put(o, properties, field->name, with_formulas(operation, field, schema));
        openapi_add(o, required, json_string(field->name));
    }
}

static void put_params(openapi *o, const layers_operation *operation, schema_place place,
                       json_t *properties, json_t *required) {
    bool back = place == PLACE_ANSWER;
    if (back ? !operation->params_back : !operation->params_name)
        return;
    openapi_put(o, properties, operation->params_name, params_schema(o, operation, place));
    if (back || form_needs_params(operation))
        openapi_add(o, required, json_string(operation->params_name));
}

static void put_cache(openapi *o, json_t *properties, const char *description) {
    openapi_put(o, properties, "cache",
                json_pack("{s:s, s:s}", "type", "string", "description", description));
}

json_t *schema_of_dtype(openapi *o, bool of_cache) {
    json_t *dtype = openapi_ref("schemas", "Dtype");
    openapi_put(o, dtype, "description",
                json_string(of_cache ? "of the whole computation; that of the cache, if at all"
                                     : "of the whole computation"));
    if (!of_cache)
        openapi_put(o, dtype, "default", json_string(layers_dtype_name(LAYERS_F64)));
    return dtype;
}

static json_t *put_schema(openapi *o, const layers_operation *operation, const char *suffix,
                          json_t *schema) {
    char name[OPENAPI_NAME];
    openapi_name(name, operation->layer, operation->name, suffix);
    openapi_put(o, o->schemas, name, schema);
    return openapi_ref("schemas", name);
}

json_t *schema_of_request(openapi *o, const layers_operation *operation) {
    json_t *properties = json_object(), *required = json_array();
    put_fields(o, operation, PLACE_REQUEST, properties, required);
    put_params(o, operation, PLACE_REQUEST, properties, required);
    if (operation->cache == LAYERS_CACHE_TAKEN) {
        put_cache(o, properties, "the handle that the layer's forward gave");
        openapi_add(o, required, json_string("cache"));
    }
    openapi_put(o, properties, "dtype", schema_of_dtype(o, operation->cache == LAYERS_CACHE_TAKEN));
    return put_schema(o, operation, SCHEMA_REQUEST, openapi_object(properties, required));
}

json_t *schema_of_answer(openapi *o, const layers_operation *operation) {
    json_t *properties = json_object(), *required = json_array();
    put_fields(o, operation, PLACE_ANSWER, properties, required);
    put_params(o, operation, PLACE_ANSWER, properties, required);
    if (operation->cache == LAYERS_CACHE_GIVEN)
        put_cache(o, properties, "handle for backward; absent with ?cache=none");
    return put_schema(o, operation, "Answer", openapi_object(properties, required));
}

json_t *schema_of_node(openapi *o, const layers_operation *operation) {
    char op[FORM_TAKER];
    json_t *required = json_pack("[s, s]", "name", "op");
    json_t *properties =
        json_pack("{s:o, s:{s:s, s:s}}", "name", openapi_ref("schemas", "GraphName"), "op", "type",
                  "string", "const", form_taker(operation, op));
    put_fields(o, operation, PLACE_NODE, properties, required);
    put_params(o, operation, PLACE_NODE, properties, required);
    if (operation->cache == LAYERS_CACHE_TAKEN) {
        json_t *cache = openapi_ref("schemas", "GraphValue");
        openapi_put(o, cache, "description", json_string("the cache of the layer's forward"));
        openapi_put(o, properties, "cache", cache);
        openapi_add(o, required, json_string("cache"));
    }
    json_t *schema = openapi_object(properties, required);
    openapi_put(o, schema, "description", json_string(operation->summary));
    return put_schema(o, operation, ".node", schema);
}

/* ---- checks ------------------------------------------------------------------------------------
 */

static json_t *claim(openapi *o, const layers_question *question) {
    json_t *properties = json_object(), *required = json_array();
    put_fields(o, &question->claims, PLACE_CLAIM, properties, required);
    put_params(o, &question->claims, PLACE_CLAIM, properties, required);
    json_array_clear(required); /* one is, whichever it be */
    json_t *schema = openapi_object(properties, required);
    openapi_put(o, schema, "minProperties", json_integer(1));
    openapi_put(o, schema, "description",
                json_string("One or more outputs, as they were computed."));
    return put_schema(o, question->operation, ".claim", schema);
}

/* A parameters' object is that of the operation which has it. */
json_t *schema_of_check(openapi *o, const layers_operation *operation) {
    layers_question question;
    layers_question_make(&question, operation);
    question.takes.derived = openapi_deriver(operation)->derived;
    json_t *properties = json_object(), *required = json_array();
    put_fields(o, &question.takes, PLACE_REQUEST, properties, required);
    put_params(o, openapi_deriver(operation), PLACE_REQUEST, properties, required);
    openapi_put(o, properties, "claim", claim(o, &question));
    openapi_add(o, required, json_string("claim"));
    openapi_put(o, properties, "dtype", schema_of_dtype(o, false));
    json_t *precision = openapi_ref("schemas", "Dtype");
    openapi_put(o, precision, "description",
                json_string("in which the claims were computed; that of dtype, if at all"));
    openapi_put(o, properties, "precision", precision);
    openapi_put(o, properties, "tolerance", openapi_ref("schemas", "Tolerance"));
    return put_schema(o, operation, ".check" SCHEMA_REQUEST, openapi_object(properties, required));
}
