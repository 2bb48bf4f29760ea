/* Graphs for the tests, made in one line each. Whatever fails in here fails the test. */
#ifndef UNIT_GRAPHS_BUILDING_H
#define UNIT_GRAPHS_BUILDING_H

#include "unit/calls.h"

/* A node by its fields, one of them OP("relu", "forward"); and names with their count, as two
 * arguments: NAMES("x", "w"). */
#define NODE(graph, ...) add_node(graph, &(layers_node){__VA_ARGS__})
#define OP(layer, name)  .operation = layers_find(layer, name)
#define NAMES(...)                                                                                 \
    ((const char *[]){__VA_ARGS__}), sizeof((const char *[]){__VA_ARGS__}) / sizeof(char *)

void give_input(layers_graph *graph, const char *name, layers_tensor tensor);
void add_node(layers_graph *graph, const layers_node *node);
void add_gradients(layers_graph *graph, const char *name, const char *const *of, size_t of_count,
                   const char *const *values, size_t count);

/* The number of a result, for `result`. */
size_t want(layers_graph *graph, const char *name);

layers_graph_cost prepare_and_run(layers_graph *graph);

/* A tensor that was wanted; the graph's. */
const layers_tensor *result(const layers_graph *graph, size_t wanted);

/* The same dtype, shape and bytes. */
void assert_alike(const layers_tensor *got, const layers_tensor *want, const char *what);

/* A net of two layers, whose weights are inputs of these names. */
enum { N = 5, D = 4, H = 6, C = 3, WEIGHTS = 6 };
extern const char *const weights[WEIGHTS];
extern const size_t weight_shapes[WEIGHTS][2];
extern const int weight_ranks[WEIGHTS];

/* Gives it x (N, D), labels y (N), a "square" (H, H) and weights, all of random values, one of them
 * moved by `change` at an element: weight number `moved`, -1 for none. */
void give_weights(layers_graph *graph, layers_dtype dtype, int moved, size_t at, double change);

#endif
