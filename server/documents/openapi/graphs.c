/* Schemas of graphs. */
#include "documents/openapi/graphs.h"

#include <string.h>

#include "documents/openapi/schemas.h"
#include "documents/openapi/tensors.h"
#include "forms/form.h"
#include "layers/graph.h"

#define NAME "[A-Za-z_][A-Za-z0-9_]*"

static json_t *list_of(json_t *items, const char *description) {
    return json_pack("{s:s, s:o, s:s}", "type", "array", "items", items, "description",
                     description);
}

static json_t *values(const char *description) {
    return list_of(openapi_ref("schemas", "GraphValue"), description);
}

static json_t *object_of(const char *keys, json_t *values, const char *description) {
    return json_pack("{s:s, s:o, s:o, s:s}", "type", "object", "propertyNames",
                     openapi_ref("schemas", keys), "additionalProperties", values, "description",
                     description);
}

static void put_names(openapi *o) {
    openapi_put(o, o->schemas, "GraphName",
                json_pack("{s:s, s:s, s:i, s:s}", "type", "string", "pattern", "^" NAME "$",
                          "maxLength", LAYERS_GRAPH_NAME, "description",
                          "The name of an input or a node, which share one space."));
    openapi_put(o, o->schemas, "GraphValue",
                json_pack("{s:s, s:s, s:s}", "type", "string", "pattern",
                          "^" NAME "(\\." NAME ")*$", "description",
                          "The name of a value that is there before: an input, or what a node "
                          "gives, as in a.out, a.bn_param.running_mean, a.cache, and d.w for the "
                          "gradient of w."));
}

static void put_input(openapi *o) {
    json_t *kinds = schemas_of_any_tensor(o);
    openapi_add(o, kinds, openapi_ref("schemas", "KeptTensor"));
    openapi_add(o, kinds, openapi_ref("schemas", "KeptCache"));
    openapi_put(o, o->schemas, "GraphInput",
                json_pack("{s:s, s:o}", "description",
                          "A tensor has the dtype of its use: integers where a node takes labels, "
                          "else that of the call.",
                          "oneOf", kinds));
}

static void add_once(openapi *o, json_t *words, const char *word) {
    for (size_t i = 0; i < json_array_size(words); i++)
        if (!strcmp(json_string_value(json_array_get(words, i)), word))
            return;
    openapi_add(o, words, json_string(word));
}

/* The choices of all parameters that come back. */
static json_t *words(openapi *o) {
    json_t *words = json_array();
    for (const layers_operation *const *row = layers_operations; *row; row++)
        for (const layers_param *param = (*row)->params; (*row)->params_back && param->name;
             param++)
            for (int i = 0; param->kind == LAYERS_CHOICE && param->choices[i]; i++)
                add_once(o, words, param->choices[i]);
    return json_pack("{s:s, s:o}", "type", "string", "enum", words);
}

static void put_result(openapi *o) {
    json_t *kinds = schemas_of_any_tensor(o);
    openapi_add(o, kinds, words(o));
    openapi_put(o, o->schemas, "GraphResult",
                json_pack("{s:s, s:o}", "description",
                          "A tensor; a number, such as a loss; or the word of a parameter that "
                          "came back.",
                          "oneOf", kinds));
}

static json_t *gradients(openapi *o) {
    json_t *properties = json_pack(
        "{s:o, s:{s:s, s:s}, s:o, s:o}", "name", openapi_ref("schemas", "GraphName"), "op", "type",
        "string", "const", "gradients", "of",
        values("losses, whose sum is meant; one that is named twice counts twice"), "for",
        values("tensors that are there before; the node d gives d.w for w, and d.a.out for a.out"));
    const char *const lists[] = {"of", "for"};
    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++)
        openapi_put(o, json_object_get(properties, lists[i]), "minItems", json_integer(1));
    json_t *schema =
        openapi_object(properties, json_pack("[s, s, s, s]", "name", "op", "of", "for"));
    openapi_put(o, schema, "description",
                json_string("Goes backward, by the chain rule through the layers' backwards. A "
                            "value without a way to a loss has zeros."));
    openapi_put(o, o->schemas, "Gradients.node", schema);
    return openapi_ref("schemas", "Gradients.node");
}

static void put_kind(openapi *o, json_t *kinds, json_t *mapping, const char *op, json_t *schema) {
    openapi_put(o, mapping, op, json_incref(json_object_get(schema, "$ref")));
    openapi_add(o, kinds, schema);
}

static void put_node(openapi *o) {
    json_t *kinds = json_array(), *mapping = json_object();
    char op[FORM_TAKER];
    for (const layers_operation *const *row = layers_operations; *row; row++)
        put_kind(o, kinds, mapping, form_taker(*row, op), schema_of_node(o, *row));
    put_kind(o, kinds, mapping, "gradients", gradients(o));
    openapi_put(o, o->schemas, "GraphNode",
                json_pack("{s:o, s:{s:s, s:o}}", "oneOf", kinds, "discriminator", "propertyName",
                          "op", "mapping", mapping));
}

static json_t *inputs(openapi *o) {
    json_t *inputs = object_of("GraphName", openapi_ref("schemas", "GraphInput"),
                               "tensors by name, and handles of what was kept");
    openapi_put(o, inputs, "maxProperties", json_integer(LAYERS_GRAPH_INPUTS));
    return inputs;
}

static json_t *nodes(openapi *o) {
    json_t *nodes = list_of(openapi_ref("schemas", "GraphNode"), "what to compute, in order");
    openapi_put(o, nodes, "maxItems", json_integer(LAYERS_GRAPH_NODES));
    return nodes;
}

json_t *schema_of_graph(openapi *o) {
    put_names(o);
    put_input(o);
    put_node(o);
    json_t *release = list_of(json_pack("{s:s}", "type", "string"),
                              "handles to give up once everything else is done");
    json_t *properties =
        json_pack("{s:o, s:o, s:o, s:o, s:o, s:o}", "inputs", inputs(o), "nodes", nodes(o), "give",
                  values("tensors and parameters that the answer holds"), "keep",
                  values("tensors and caches that stay, each under a new handle"), "release",
                  release, "dtype", schema_of_dtype(o, false));
    openapi_put(o, o->schemas, "Graph" SCHEMA_REQUEST,
                openapi_object(properties, json_pack("[s]", "nodes")));
    return openapi_ref("schemas", "Graph" SCHEMA_REQUEST);
}

json_t *schema_of_results(openapi *o) {
    put_result(o);
    json_t *results = object_of("GraphValue", openapi_ref("schemas", "GraphResult"),
                                "by name, what was to be given");
    json_t *kept = object_of("GraphValue", json_pack("{s:s}", "type", "string"),
                             "by name, the handles of what was to be kept");
    openapi_put(o, o->schemas, "GraphAnswer",
                openapi_object(json_pack("{s:o, s:o}", "results", results, "kept", kept),
                               json_pack("[s, s]", "results", "kept")));
    return openapi_ref("schemas", "GraphAnswer");
}
