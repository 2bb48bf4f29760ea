/* Schemas of tensors. */
#include "documents/openapi/tensors.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

/* The ranks that a pattern lets through: this one, or this one and more. */
typedef struct {
    int least;
    bool more;
} ranks;

static const ranks any_rank = {0, true};

static ranks ranks_of(const char *pattern) {
    ranks ranks = {0, strstr(pattern, "...") != NULL};
    for (const char *c = pattern; *c; c++)
        ranks.least += isupper((unsigned char)*c) != 0;
    if (ranks.more && ranks.least > 0)
        ranks.least--; /* no dimension at all is fine for the last letter */
    return ranks;
}

/* What the elements of a tensor are: the schema of one, and what it adds to the tensors' names. */
static const struct {
    const char *schema, *of;
} elements[] = {
    [ELEMENT_NUMBER] = {"Number", ""},
    [ELEMENT_LABEL] = {"Label", "Labels"},
    [ELEMENT_FLAG] = {"Flag", "Mask"},
    [ELEMENT_INTEGER] = {"Integer", "Integers"},
};

/* "Flat2", "FlatFrom1", "Flat", "FlatLabels1" */
static const char *ranked_name(char name[OPENAPI_NAME], const char *kind, ranks ranks,
                               schema_element element) {
    int used = snprintf(name, OPENAPI_NAME, "%s%s", kind, elements[element].of);
    if (!ranks.more || ranks.least > 0)
        snprintf(name + used, OPENAPI_NAME - (size_t)used, "%s%d", ranks.more ? "From" : "",
                 ranks.least);
    return name;
}

/* Lists in lists, as deep as the rank. Those of any depth do not refer to themselves: what makes
 * clients from the document stumbles there. */
static json_t *nested(openapi *o, ranks r, schema_element element) {
    char name[OPENAPI_NAME];
    if (r.least == 0 && !r.more)
        return openapi_ref("schemas", elements[element].schema);
    ranked_name(name, "Nested", r, element);
    if (json_object_get(o->schemas, name))
        return openapi_ref("schemas", name);
    if (r.least == 0)
        openapi_put(o, o->schemas, name,
                    json_pack("{s:s, s:[o, {s:s, s:{}}]}", "description",
                              "Numbers in lists in lists, as deep as you like: all of a depth are "
                              "of one length.",
                              "oneOf", openapi_ref("schemas", elements[element].schema), "type",
                              "array", "items"));
    else
        openapi_put(o, o->schemas, name,
                    json_pack("{s:s, s:o}", "type", "array", "items",
                              nested(o, (ranks){r.least - 1, r.more}, element)));
    return openapi_ref("schemas", name);
}

/* A shape and a list. Integers say that they are such: without, they would be numbers. */
static json_t *flat(openapi *o, ranks r, schema_element element) {
    char name[OPENAPI_NAME];
    ranked_name(name, "Flat", r, element);
    json_t *shape = json_pack("{s:s, s:{s:s, s:i}, s:i, s:i}", "type", "array", "items", "type",
                              "integer", "minimum", 0, "minItems", r.least, "maxItems",
                              r.more ? LAYERS_MAX_RANK : r.least);
    json_t *data = json_pack("{s:s, s:o}", "type", "array", "items",
                             openapi_ref("schemas", elements[element].schema));
    json_t *properties = json_pack("{s:o, s:o}", "shape", shape, "data", data);
    json_t *required = json_pack("[s, s]", "shape", "data");
    if (element == ELEMENT_INTEGER) {
        openapi_put(
            o, properties, "dtype",
            json_pack("{s:s, s:s}", "type", "string", "const", layers_dtype_name(LAYERS_I64)));
        openapi_add(o, required, json_string("dtype"));
    }
    json_t *schema = openapi_object(properties, required);
    openapi_put(o, schema, "description",
                json_string("data in row-major order, as many as the product of shape; one number "
                            "is taken for a list of one"));
    openapi_put(o, o->schemas, name, schema);
    return openapi_ref("schemas", name);
}

/* In one of its two forms. */
static json_t *tensor(openapi *o, ranks r, schema_element element) {
    char name[OPENAPI_NAME];
    ranked_name(name, "Tensor", r, element);
    if (!json_object_get(o->schemas, name))
        openapi_put(o, o->schemas, name,
                    json_pack("{s:[o, o]}", "oneOf", nested(o, r, element), flat(o, r, element)));
    return openapi_ref("schemas", name);
}

/* The same, or the handle of one that was kept. */
static json_t *input(openapi *o, ranks r, schema_element element) {
    char name[OPENAPI_NAME];
    ranked_name(name, "Input", r, element);
    if (!json_object_get(o->schemas, name))
        openapi_put(o, o->schemas, name,
                    json_pack("{s:[o, o]}", "oneOf", tensor(o, r, element),
                              openapi_ref("schemas", "KeptTensor")));
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

json_t *schema_of_tensor(openapi *o, schema_place place, const char *pattern,
                         schema_element element, const char *summary) {
    char text[OPENAPI_NAME];
    ranks r = ranks_of(pattern);
    json_t *schema = place == PLACE_NODE      ? openapi_ref("schemas", "GraphValue")
                     : place == PLACE_CLAIM   ? tensor(o, any_rank, element)
                     : !*pattern              ? openapi_ref("schemas", elements[element].schema)
                     : place == PLACE_REQUEST ? input(o, r, element)
                                              : tensor(o, r, element);
    openapi_put(o, schema, "description",
                *pattern ? json_sprintf("%s; %s", summary, shape_text(pattern, text))
                         : json_string(summary));
    return schema;
}

json_t *schemas_of_any_tensor(openapi *o) {
    return json_pack("[o, o, o]", nested(o, any_rank, ELEMENT_NUMBER),
                     flat(o, any_rank, ELEMENT_NUMBER), flat(o, any_rank, ELEMENT_INTEGER));
}

/* {"tensor": "<handle>"} */
static void put_handle(openapi *o, const char *name, const char *key, const char *description) {
    json_t *schema =
        openapi_object(json_pack("{s:{s:s}}", key, "type", "string"), json_pack("[s]", key));
    openapi_put(o, schema, "description", json_string(description));
    openapi_put(o, o->schemas, name, schema);
}

void tensors_begin(openapi *o) {
    const json_int_t most = (INT64_C(1) << 53) - 1;
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
    openapi_put(o, o->schemas, "Integer",
                json_pack("{s:s, s:s, s:I, s:I}", "type", "integer", "format", "int64", "minimum",
                          -most, "maximum", most));
    put_handle(o, "KeptTensor", "tensor", "The handle of a tensor that a graph kept.");
    put_handle(o, "KeptCache", "cache", "The handle of a cache that forward or a graph gave.");
}
