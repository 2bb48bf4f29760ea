/* Examples: requests made from the operations' descriptions, and the daemon's own answers to them.
 */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "documents/openapi/examples.h"
#include "forms/form.h"
#include "handlers.h"

enum { ROWS = 2, COLUMNS = 3, PIXELS = 4 };

/* An image is longer and wider than a kernel or a window, and its channels come in pairs. */
static size_t length_of(const layers_dims *derived, char letter) {
    for (int i = 0; i < derived->count; i++)
        if (derived->dim[i].letter == letter)
            return derived->dim[i].length;
    return letter == 'D' ? COLUMNS : letter == 'H' || letter == 'W' ? PIXELS : ROWS;
}

/* The shape that a pattern has in examples; returns its rank. */
static int example_shape(const layers_dims *derived, const char *pattern,
                         size_t shape[LAYERS_MAX_RANK]) {
    int rank = 0;
    if (!strcmp(pattern, "...")) {
        shape[rank++] = ROWS;
        shape[rank++] = COLUMNS;
        return rank;
    }
    for (const char *c = pattern; *c; c++)
        if (isupper((unsigned char)*c))
            shape[rank++] = length_of(derived, *c);
    return rank;
}

/* The i-th of a tensor: halves from -1 to 2 for numbers, 0 and 1 for labels. `start` makes one
 * tensor differ from another. */
static json_t *element(int i, int start, bool labels) {
    return labels ? json_integer(i % 2) : json_real((i * 3 + start * 2) % 7 * 0.5 - 1);
}

static json_t *nest(openapi *o, const json_t *data, const size_t *shape, int rank, size_t *next) {
    if (rank == 0)
        return json_incref(json_array_get(data, (*next)++));
    json_t *list = json_array();
    for (size_t i = 0; i < shape[0]; i++)
        openapi_add(o, list, nest(o, data, shape + 1, rank - 1, next));
    return list;
}

static json_t *tensor(openapi *o, const layers_dims *derived, const layers_field *field, int start,
                      bool flat) {
    size_t shape[LAYERS_MAX_RANK], size = 1, next = 0;
    int rank = example_shape(derived, field->shape, shape);
    json_t *lengths = json_array(), *data = json_array();
    for (int i = 0; i < rank; i++) {
        openapi_add(o, lengths, json_integer((json_int_t)shape[i]));
        size *= shape[i];
    }
    for (size_t i = 0; i < size; i++)
        openapi_add(o, data, element((int)i, start, field->labels));
    if (flat)
        return json_pack("{s:o, s:o}", "shape", lengths, "data", data);
    json_t *nested = nest(o, data, shape, rank, &next);
    json_decref(lengths);
    json_decref(data);
    return nested;
}

/* The default, else a simple value of the range, and not its middle: what is taken for its opposite
 * is to show. */
static double number_of(const layers_param *param) {
    if (param->has_fallback)
        return param->fallback;
    bool bounded = param->kind == LAYERS_NUMBER && param->maximum < 1e300;
    return bounded ? (3 * param->minimum + param->maximum) / 4 : param->minimum + 1;
}

/* Tensors are left out. */
static json_t *param(const layers_param *param) {
    switch (param->kind) {
    case LAYERS_NUMBER:
        return json_real(number_of(param));
    case LAYERS_INTEGER:
        return json_integer((json_int_t)number_of(param));
    case LAYERS_CHOICE:
        return json_string(param->choices[0]);
    case LAYERS_TENSOR:
    case LAYERS_MASK:
        break;
    }
    return NULL;
}

static json_t *params(openapi *o, const layers_operation *operation) {
    json_t *object = json_object();
    for (const layers_param *row = operation->params; row->name; row++)
        if (!layers_is_tensor(row))
            openapi_put(o, object, row->name, param(row));
    return object;
}

const char *example_cache(const layers_operation *operation, char text[OPENAPI_NAME]) {
    snprintf(text, OPENAPI_NAME, "the cache that %s/forward gave", operation->layer);
    return text;
}

/* The lengths of the example of an operation that gives a cache, derived ones too. */
static layers_dims lengths_of(openapi *o, const layers_operation *operation) {
    layers_call call = {.operation = operation, .dtype = LAYERS_F64};
    const layers_dims none = {0};
    layers_error error;
    layers_code code = LAYERS_OK;
    size_t shape[LAYERS_MAX_RANK];
    for (int i = 0; operation->inputs[i].name && code == LAYERS_OK; i++) {
        int rank = example_shape(&none, operation->inputs[i].shape, shape);
        code = layers_tensor_make(&call.inputs[i], LAYERS_F64, shape, rank, &error);
    }
    for (int i = 0; operation->params && operation->params[i].name; i++)
        if (operation->params[i].required)
            call.params[i] =
                (layers_value){.given = true, .number = number_of(&operation->params[i])};
    o->failed |= code != LAYERS_OK || layers_prepare(&call, &error) != LAYERS_OK;
    layers_call_clear(&call);
    return call.dims;
}

json_t *example_request(openapi *o, const layers_operation *operation, const char *cache,
                        bool flat) {
    json_t *body = json_object();
    const layers_operation *giver = openapi_deriver(operation);
    const layers_dims derived = giver != operation ? lengths_of(o, giver) : (layers_dims){0};
    int start = giver != operation; /* a gradient is not what forward took */
    for (int i = 0; operation->inputs[i].name; i++)
        openapi_put(o, body, operation->inputs[i].name,
                    tensor(o, &derived, &operation->inputs[i], start + i, flat));
    if (operation->params_name)
        openapi_put(o, body, operation->params_name, params(o, operation));
    if (operation->cache == LAYERS_CACHE_TAKEN)
        openapi_put(o, body, "cache", json_string(cache));
    return body;
}

/* A service with limits and a store of its own: the document is the same whatever the
 * daemon's options. */
typedef struct shop {
    options options;
    service service;
} shop;

static bool shop_open(openapi *o, shop *shop) {
    *shop = (struct shop){
        .options = {.body_limit = 1 << 20,
                    .answer_limit = 1 << 20,
                    .work_limit = 1 << 20,
                    .memory = 1 << 20},
        .service = {.options = &shop->options, .workers = o->service->workers},
    };
    shop->service.memory.limit = shop->options.memory;
    shop->service.store = store_open_memory(1 << 20, 60000);
    o->failed |= !shop->service.store;
    return shop->service.store;
}

/* Runs a body that it takes over, as a request would; NULL where that is refused. */
static json_t *run(service *service, handler *handle, const layers_operation *operation,
                   json_t *body) {
    char *text = json_dumps(body, JSON_COMPACT);
    json_t *answer = NULL;
    json_decref(body);
    if (!text)
        return NULL;
    problem problem;
    reply reply = {0};
    size_t length = strlen(text);
    charge charge = {.budget = &service->memory};
    route route = {.handle = handle,
                   .operation = operation,
                   .request_form = &form_json,
                   .answer_form = &form_json};
    request request = {.body = layers_tensor_wrap(LAYERS_U8, &length, 1, text),
                       .body_length = length,
                       .charge = &charge,
                       .at_leisure = true};
    if (route.handle(service, &route, &request, &reply, &problem))
        answer = json_loadb(reply.body, reply.body_length, 0, NULL);
    free(reply.body);
    free(text);
    return answer;
}

json_t *example_run(openapi *o, handler *handle, const layers_operation *operation, json_t *body) {
    shop shop;
    if (!shop_open(o, &shop)) {
        json_decref(body);
        return NULL;
    }
    json_t *answer = run(&shop.service, handle, operation, body);
    shop.service.store->close(shop.service.store);
    o->failed |= !answer;
    return answer;
}

/* An operation that takes a cache is run behind the one that gives it. */
static json_t *run_behind(openapi *o, const layers_operation *giver,
                          const layers_operation *operation) {
    shop shop;
    if (!shop_open(o, &shop))
        return NULL;
    json_t *given =
        run(&shop.service, handle_operation, giver, example_request(o, giver, NULL, false));
    const char *handle = json_string_value(json_object_get(given, "cache"));
    json_t *answer = handle ? run(&shop.service, handle_operation, operation,
                                  example_request(o, operation, handle, false))
                            : NULL;
    json_decref(given);
    shop.service.store->close(shop.service.store);
    o->failed |= !answer;
    return answer;
}

json_t *example_answer(openapi *o, const layers_operation *operation) {
    char text[OPENAPI_NAME];
    const layers_operation *giver = openapi_deriver(operation);
    json_t *answer = giver == operation ? example_run(o, handle_operation, operation,
                                                      example_request(o, operation, NULL, false))
                                        : run_behind(o, giver, operation);
    if (json_object_get(answer, "cache"))
        openapi_put(o, answer, "cache", json_string(example_cache(operation, text)));
    return answer;
}

/* ---- graphs ------------------------------------------------------------------------------------
 */

/* server/documents/web/page.S: what the page shows, too. */
extern const char graph_example[];

static void add_elements(openapi *o, json_t *data, json_t *nested) {
    if (!json_is_array(nested))
        openapi_add(o, data, json_incref(nested));
    for (size_t i = 0; i < json_array_size(nested); i++)
        add_elements(o, data, json_array_get(nested, i));
}

static json_t *flattened(openapi *o, json_t *nested) {
    json_t *shape = json_array(), *data = json_array();
    for (const json_t *list = nested; json_is_array(list); list = json_array_get(list, 0))
        openapi_add(o, shape, json_integer((json_int_t)json_array_size(list)));
    add_elements(o, data, nested);
    return json_pack("{s:o, s:o}", "shape", shape, "data", data);
}

json_t *example_graph(openapi *o, bool flat) {
    json_t *graph = json_loads(graph_example, 0, NULL), *nested;
    json_t *inputs = json_object_get(graph, "inputs");
    const char *name;
    o->failed |= !graph;
    if (!flat)
        return graph;
    json_object_foreach(inputs, name, nested) {
        openapi_put(o, inputs, name, flattened(o, nested));
    }
    return graph;
}

json_t *example_results(openapi *o) {
    json_t *answer = example_run(o, handle_graph, NULL, example_graph(o, false));
    json_t *kept = json_object_get(answer, "kept"), *handle;
    const char *name;
    json_object_foreach(kept, name, handle) {
        openapi_put(o, kept, name, json_sprintf("the handle of %s", name));
    }
    return answer;
}

/* What an update kept, "u1.next_w", takes the place of the input that its node has as w. */
static void take_kept(openapi *o, json_t *graph, const char *kept) {
    size_t length = strcspn(kept, "."), i;
    const char *field = kept + length + strlen(".next_");
    json_t *node, *handle = json_sprintf("$response.body#/kept/%s", kept);
    json_array_foreach(json_object_get(graph, "nodes"), i, node) {
        const char *name = json_string_value(json_object_get(node, "name"));
        if (strlen(name) == length && !strncmp(name, kept, length))
            openapi_put(o, json_object_get(graph, "inputs"),
                        json_string_value(json_object_get(node, field)),
                        json_pack("{s:O}", "tensor", handle));
    }
    openapi_add(o, json_object_get(graph, "release"), handle);
}

json_t *example_next_graph(openapi *o) {
    json_t *graph = example_graph(o, false), *name;
    size_t i;
    openapi_put(o, graph, "release", json_array());
    json_array_foreach(json_object_get(graph, "keep"), i, name) {
        take_kept(o, graph, json_string_value(name));
    }
    return graph;
}
