/* Graphs for the tests. */
#include "unit/graphs/building.h"

#include <string.h>

const char *const weights[WEIGHTS] = {"w1", "b1", "gamma", "beta", "w2", "b2"};
const size_t weight_shapes[WEIGHTS][2] = {{D, H}, {H}, {H}, {H}, {H, C}, {C}};
const int weight_ranks[WEIGHTS] = {2, 1, 1, 1, 2, 1};

void give_input(layers_graph *graph, const char *name, layers_tensor tensor) {
    layers_error error;
    cr_assert(layers_graph_input(graph, name, tensor, &error) == LAYERS_OK, "%s", error.message);
}

void add_node(layers_graph *graph, const layers_node *node) {
    layers_error error;
    cr_assert(layers_graph_add(graph, node, &error) == LAYERS_OK, "%s: %s", error.field,
              error.message);
}

void add_gradients(layers_graph *graph, const char *name, const char *const *of, size_t of_count,
                   const char *const *values, size_t count) {
    layers_error error;
    cr_assert(layers_graph_gradients(graph, name, of, of_count, values, count, &error) == LAYERS_OK,
              "%s: %s", error.field, error.message);
}

size_t want(layers_graph *graph, const char *name) {
    layers_error error;
    size_t wanted;
    cr_assert(layers_graph_want(graph, name, &wanted, &error) == LAYERS_OK, "%s", error.message);
    return wanted;
}

layers_graph_cost prepare_and_run(layers_graph *graph) {
    layers_error error;
    cr_assert(layers_graph_prepare(graph, &error) == LAYERS_OK, "%s", error.message);
    cr_assert(layers_graph_run(graph, NULL, &error) == LAYERS_OK, "%s: %s", error.field,
              error.message);
    return layers_graph_costs(graph);
}

const layers_tensor *result(const layers_graph *graph, size_t wanted) {
    return layers_graph_result(graph, wanted).tensor;
}

void assert_alike(const layers_tensor *got, const layers_tensor *want, const char *what) {
    size_t bytes = 0;
    assert_shape(got, want->shape, want->rank, what);
    cr_assert(got->dtype == want->dtype, "%s: %s", what, layers_dtype_name(got->dtype));
    layers_dtype_bytes(got->dtype, got->size, &bytes);
    cr_assert(bytes == 0 || !memcmp(got->data, want->data, bytes), "%s differs", what);
}

void give_weights(layers_graph *graph, layers_dtype dtype, int moved, size_t at, double change) {
    uint64_t seed = 11;
    give_input(graph, "y", tensor_of(LAYERS_I64, SHAPE(N), VALUES(0, 2, 1, 1, 0)));
    give_input(graph, "x", tensor_random(dtype, SHAPE(N, D), &seed, -1, 1));
    give_input(graph, "square", tensor_random(dtype, SHAPE(H, H), &(uint64_t){4}, -1, 1));
    for (int i = 0; i < WEIGHTS; i++) {
        layers_tensor w = tensor_random(dtype, weight_shapes[i], weight_ranks[i], &seed, -1, 1);
        if (i == moved)
            set_element(&w, at, element(&w, at) + change);
        give_input(graph, weights[i], w);
    }
}
