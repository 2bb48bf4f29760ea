/* JSON Schemas of what operations take and give. Those of tensors are shared by all, one for each
 * rank that a pattern has. */
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "calls/form.h"
#include "documents/openapi/schemas.h"

/* What the names of schemas that are sent end in. openapi-typescript takes a member with a default
 * for one that is always there, unless these words stand in the name; "Params" alone is what orval
 * calls an operation's query. */
#define REQUEST ".requestBody"
#define PARAMS  ".parameters"

/* The ranks that a pattern lets through: this one, or this one and more. */
typedef struct {
    int least;
    bool more;
} ranks;

static ranks ranks_of(const char *pattern) {
    ranks ranks = {0, strstr(pattern, "...") != NULL};
    for (const char *c = pattern; *c; c++)
        ranks.least += isupper((unsigned char)*c) != 0;
    if (ranks.more && ranks.least > 0)
        ranks.least--; /* no dimension at all is fine for the last letter */
    return ranks;
}

/* What the elements of a tensor are: the schema of one, and what it adds to the tensors' names. */
typedef struct {
    const char *schema, *of;
} elements;

static const elements numbers = {"Number", ""}, labels = {"Label", "Labels"},
                      flags = {"Flag", "Mask"};

/* "Flat2", "FlatFrom1", "Flat", "FlatLabels1" */
static const char *ranked_name(char name[OPENAPI_NAME], const char *kind, ranks ranks,
                               const elements *of) {
    int used = snprintf(name, OPENAPI_NAME, "%s%s", kind, of->of);
    if (!ranks.more || ranks.least > 0)
        snprintf(name + used, OPENAPI_NAME - (size_t)used, "%s%d", ranks.more ? "From" : "",
                 ranks.least);
    return name;
}

/* Lists in lists, as deep as the rank. Those of any depth do not refer to themselves: what makes
 * clients from the document stumbles there. */
static json_t *nested(openapi *o, ranks r, const elements *of) {
    char name[OPENAPI_NAME];
    if (r.least == 0 && !r.more)
        return openapi_ref("schemas", of->schema);
    ranked_name(name, "Nested", r, of);
    if (json_object_get(o->schemas, name))
        return openapi_ref("schemas", name);
    if (r.least == 0)
        openapi_put(o, o->schemas, name,
                    json_pack("{s:s, s:[o, {s:s, s:{}}]}", "description",
                              "Numbers in lists in lists, as deep as you like: all of a depth are "
                              "of one length.",
                              "oneOf", openapi_ref("schemas", of->schema), "type", "array",
                              "items"));
    else
        openapi_put(o, o->schemas, name,
                    json_pack("{s:s, s:o}", "type", "array", "items",
                              nested(o, (ranks){r.least - 1, r.more}, of)));
    return openapi_ref("schemas", name);
}

static json_t *flat(openapi *o, ranks r, const elements *of) {
    char name[OPENAPI_NAME];
    ranked_name(name, "Flat", r, of);
    json_t *shape = json_pack("{s:s, s:{s:s, s:i}, s:i, s:i}", "type", "array", "items", "type",
                              "integer", "minimum", 0, "minItems", r.least, "maxItems",
                              r.more ? LAYERS_MAX_RANK : r.least);
    json_t *data =
        json_pack("{s:s, s:o}", "type", "array", "items", openapi_ref("schemas", of->schema));
    json_t *properties = json_pack("{s:o, s:o}", "shape", shape, "data", data);
    json_t *schema = schema_of_object(properties, json_pack("[s, s]", "shape", "data"));
    openapi_put(o, schema, "description",
                json_string("data in row-major order, as many as the product of shape; one number "
                            "is taken for a list of one"));
    openapi_put(o, o->schemas, name, schema);
    return openapi_ref("schemas", name);
}

/* "N D..." -> "(N, *D)", "..." -> "any shape" */
static const char *shape_text(const char *pattern, char text[OPENAPI_NAME]) {
    size_t used = 1;
    if (!strcmp(pattern, "..."))
        return strcpy(text, "any shape");
    strcpy(text, "(");
    for (const char *c = pattern; *c; c++)
        if (isupper((unsigned char)*c))
            used += (size_t)snprintf(text + used, OPENAPI_NAME - used, "%s%s%c",
                                     used > 1 ? ", " : "", c[1] == '.' ? "*" : "", *c);
    snprintf(text + used, OPENAPI_NAME - used, ")");
    return text;
}

/* A tensor in one of its two forms; one that is a scalar by its pattern is a number in both. */
static json_t *tensor(openapi *o, const char *pattern, const elements *of, const char *summary) {
    char name[OPENAPI_NAME], text[OPENAPI_NAME];
    ranks r = ranks_of(pattern);
    if (!*pattern)
        return json_pack("{s:s, s:s}", "$ref", "#/components/schemas/Number", "description",
                         summary);
    ranked_name(name, "Tensor", r, of);
    if (!json_object_get(o->schemas, name))
        openapi_put(o, o->schemas, name,
                    json_pack("{s:[o, o]}", "oneOf", nested(o, r, of), flat(o, r, of)));
    json_t *schema = openapi_ref("schemas", name);
    openapi_put(o, schema, "description",
                json_sprintf("%s; %s", summary, shape_text(pattern, text)));
    return schema;
}

void schemas_begin(openapi *o) {
    openapi_put(o, o->schemas, "Number",
                json_pack("{s:s, s:[{s:s, s:s}, {s:s, s:[s, s, s]}]}", "description",
                          "A number; NaN and the infinities are strings.", "oneOf", "type",
                          "number", "format", "double", "type", "string", "enum", "NaN", "Infinity",
                          "-Infinity"));
    openapi_put(o, o->schemas, "Flag",
                json_pack("{s:s, s:s, s:[i, i]}", "description", "0 or 1.", "type", "integer",
                          "enum", 0, 1));
    openapi_put(o, o->schemas, "Label",
                json_pack("{s:s, s:s, s:s, s:i}", "description", "The class of an example, from 0.",
                          "type", "integer", "format", "int64", "minimum", 0));
    json_t *names = json_array();
    for (layers_dtype dtype = LAYERS_F64; dtype <= LAYERS_F32; dtype++)
        openapi_add(o, names, json_string(layers_dtype_name(dtype)));
    openapi_put(o, o->schemas, "Dtype", json_pack("{s:s, s:o}", "type", "string", "enum", names));
}

json_t *schema_of_object(json_t *properties, json_t *required) {
    return json_pack("{s:s, s:o, s:o, s:b}", "type", "object", "properties", properties, "required",
                     required, "additionalProperties", 0);
}

/* A scalar of a range; bounds past 1e300 are those of the type. An integer that comes back may have
 * gone past what can be sent, as a count of steps does. */
static json_t *ranged(openapi *o, const layers_param *param, bool back) {
    bool integer = param->kind == LAYERS_INTEGER;
    json_t *schema = json_pack("{s:s, s:s}", "type", integer ? "integer" : "number", "format",
                               integer ? "int64" : "double");
    if (param->minimum > -1e300)
        openapi_put(o, schema, param->open_minimum ? "exclusiveMinimum" : "minimum",
                    openapi_number(param, param->minimum));
    if (param->maximum < 1e300 && !(integer && back))
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

static json_t *param_schema(openapi *o, const layers_param *param, bool back) {
    if (param->kind == LAYERS_TENSOR)
        return tensor(o, param->shape, &numbers, param->summary);
    if (param->kind == LAYERS_MASK)
        return tensor(o, param->shape, &flags, param->summary);
    json_t *schema = param->kind == LAYERS_CHOICE ? choice(o, param) : ranged(o, param, back);
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

/* The object of the parameters, as it is sent or as it comes back: then with every value that the
 * call had, and with tensors in any case. */
static json_t *params_schema(openapi *o, const layers_operation *operation, bool back) {
    char name[OPENAPI_NAME];
    json_t *properties = json_object(), *required = json_array();
    for (const layers_param *param = operation->params; param->name; param++) {
        if (back && !form_returns_param(operation, param))
            continue;
        openapi_put(o, properties, param->name, param_schema(o, param, back));
        if (param->required || (back && (param->has_fallback || param->kind == LAYERS_TENSOR)))
            openapi_add(o, required, json_string(param->name));
    }
    json_t *schema = schema_of_object(properties, required);
    if (!back)
        put_alternatives(o, operation->params, schema);
    openapi_name(name, operation->layer, operation->name, back ? "AnswerParams" : PARAMS);
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

static void put_fields(openapi *o, const layers_operation *operation, const layers_field *fields,
                       json_t *properties, json_t *required) {
    for (const layers_field *field = fields; field->name; field++) {
        const elements *of = field->labels ? &labels : &numbers;
        openapi_put(o, properties, field->name,
                    with_formulas(operation, field, tensor(o, field->shape, of, field->summary)));
        openapi_add(o, required, json_string(field->name));
    }
}

static void put_params(openapi *o, const layers_operation *operation, bool back, json_t *properties,
                       json_t *required) {
    if (back ? !operation->params_back : !operation->params_name)
        return;
    openapi_put(o, properties, operation->params_name, params_schema(o, operation, back));
    if (back || form_needs_params(operation))
        openapi_add(o, required, json_string(operation->params_name));
}

static void put_cache(openapi *o, json_t *properties, const char *description) {
    openapi_put(o, properties, "cache",
                json_pack("{s:s, s:s}", "type", "string", "description", description));
}

static void put_dtype(openapi *o, const layers_operation *operation, json_t *properties) {
    bool taken = operation->cache == LAYERS_CACHE_TAKEN;
    json_t *dtype = openapi_ref("schemas", "Dtype");
    openapi_put(o, dtype, "description",
                json_string(taken ? "of the whole computation; that of the cache, if at all"
                                  : "of the whole computation"));
    if (!taken)
        openapi_put(o, dtype, "default", json_string(layers_dtype_name(LAYERS_F64)));
    openapi_put(o, properties, "dtype", dtype);
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
    put_fields(o, operation, operation->inputs, properties, required);
    put_params(o, operation, false, properties, required);
    if (operation->cache == LAYERS_CACHE_TAKEN) {
        put_cache(o, properties, "the handle that the layer's forward gave");
        openapi_add(o, required, json_string("cache"));
    }
    put_dtype(o, operation, properties);
    return put_schema(o, operation, REQUEST, schema_of_object(properties, required));
}

json_t *schema_of_answer(openapi *o, const layers_operation *operation) {
    json_t *properties = json_object(), *required = json_array();
    put_fields(o, operation, operation->outputs, properties, required);
    put_params(o, operation, true, properties, required);
    if (operation->cache == LAYERS_CACHE_GIVEN)
        put_cache(o, properties, "handle for backward; absent with ?cache=none");
    return put_schema(o, operation, "Answer", schema_of_object(properties, required));
}
