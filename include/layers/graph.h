/* Graphs: a straight line of operations, checked whole before anything is computed.
 *
 *     layers_graph *graph = layers_graph_make(LAYERS_F64);
 *     layers_graph_input(graph, "x", x, &error); ...
 *     layers_graph_add(graph, &(layers_node){.name = "a",
 *                                            .operation = layers_find("affine", "forward"),
 *                                            .inputs = {"x", "w", "b"}}, &error);
 *     layers_graph_add(graph, &(layers_node){.name = "l",
 *                                            .operation = layers_find("softmax", "loss"),
 *                                            .inputs = {"a.out", "y"}}, &error);
 *     layers_graph_gradients(graph, "d", (const char *[]){"l.loss"}, 1,
 *                            (const char *[]){"w", "b"}, 2, &error);
 *     layers_graph_want(graph, "d.w", &wanted, &error);
 *     layers_graph_prepare(graph, &error);      shapes, work and memory are known
 *     layers_graph_run(graph, pool, &error);
 *     use(layers_graph_result(graph, wanted).tensor);
 *     layers_graph_free(graph);
 *
 * Names match [A-Za-z_][A-Za-z0-9_]{0,63}; inputs and nodes share one space. The values of a node
 * "a" are its outputs "a.out", the parameters that come back "a.bn_param.running_mean", and the
 * cache that it gives "a.cache". A value never changes: an update gives a new one. Results have the
 * bytes that the same operations give one by one, with any pool.
 *
 * A graph belongs to one thread at a time. Every function but layers_graph_result may fail with
 * LAYERS_NO_MEMORY; a graph in which one failed is only good to be freed. An error's field tells
 * the place in the order of building: "nodes/3/w", "nodes/3/name", "inputs/y", and for an element
 * of an input, such as a label that names no class, "inputs/y/1". */
#ifndef LAYERS_GRAPH_H
#define LAYERS_GRAPH_H

#include "layers/operation.h"

#ifdef __cplusplus
extern "C" {
#endif

enum {
    LAYERS_GRAPH_NODES = 1024,  /* at most */
    LAYERS_GRAPH_INPUTS = 8192, /* at most */
    LAYERS_GRAPH_STEPS = 8192,  /* at most: calls of operations and sums, those of gradients too */
    LAYERS_GRAPH_NAME = 64,     /* bytes of a name, at most */
};

typedef struct layers_graph layers_graph;

/* A parameter of a node: as in a layers_value, but a tensor by the name of a value. */
typedef struct {
    bool given;         /* of a number or a choice */
    double number;      /* LAYERS_NUMBER and LAYERS_INTEGER */
    int choice;         /* LAYERS_CHOICE: index into `choices` */
    const char *tensor; /* LAYERS_TENSOR and LAYERS_MASK: the name of a value, or NULL */
} layers_node_param;

/* A call of an operation in a graph. Where a layers_call has tensors, it has the names of values
 * that are there before. The texts are looked at while it is added. */
typedef struct {
    const char *name;
    const layers_operation *operation;
    const char *inputs[LAYERS_MAX_TENSORS]; /* in the order of the table; NULL: not given */
    const char *cache;                      /* LAYERS_CACHE_TAKEN: the name of a cache */
    layers_node_param params[LAYERS_MAX_PARAMS];
} layers_node;

/* What a graph's run takes, known after layers_graph_prepare. */
typedef struct {
    double work;  /* arithmetic, as in a layers_call */
    size_t peak;  /* bytes of the values that live at once, at most; inputs are not counted */
    size_t all;   /* bytes of all values that are made, as if none went */
    size_t steps; /* operations and sums that run: those whose results nobody uses do not */
} layers_graph_cost;

typedef enum {
    LAYERS_RESULT_TENSOR,
    LAYERS_RESULT_CACHE,
    LAYERS_RESULT_PARAM, /* a number or a choice that came back: "u.config.t" */
} layers_result_kind;

/* A value that was wanted. What it points to is the graph's. */
typedef struct {
    layers_result_kind kind;
    const layers_tensor *tensor; /* LAYERS_RESULT_TENSOR: its shape from the start, its data after
                                    the run */
    bool is_scalar;              /* a tensor that is one number by its pattern, as a loss is */
    layers_cache *cache;         /* LAYERS_RESULT_CACHE, after the run */
    const layers_param *param;   /* LAYERS_RESULT_PARAM: its description, and its value, */
    bool given;                  /* where it has one, as a seed that was not needed has not */
    double number;
    int choice;
    size_t bytes; /* memory that it keeps alive: at most, for a cache, before the run */
} layers_result;

/* An empty graph, whose tensors but labels and masks are of `dtype`. NULL where there is no
 * memory. */
LAYERS_API layers_graph *layers_graph_make(layers_dtype dtype);

/* Frees the graph and what it holds. NULL is fine. */
LAYERS_API void layers_graph_free(layers_graph *graph);

/* Adds a value that is there from the start. The tensor (or the caller's reference to the cache)
 * is the graph's from then on, also where this fails, and given up after its last use: a result
 * that is wanted has its own reference. LAYERS_INVALID_GRAPH for a name that is none or is taken,
 * and for too many. */
LAYERS_API layers_code layers_graph_input(layers_graph *graph, const char *name,
                                          layers_tensor tensor, layers_error *error)
    __attribute__((warn_unused_result));
LAYERS_API layers_code layers_graph_input_cache(layers_graph *graph, const char *name,
                                                layers_cache *cache, layers_error *error)
    __attribute__((warn_unused_result));

/* Adds a node, after checking everything that can be wrong with it, as layers_prepare does, but the
 * values of labels and masks, which layers_graph_run checks. LAYERS_INVALID_GRAPH for a name
 * that is none, is taken or is not there; LAYERS_WRONG_CACHE for a cache where a tensor has to
 * stand, and the reverse; LAYERS_WRONG_TYPE for a value of another dtype; else as
 * layers_prepare. */
LAYERS_API layers_code layers_graph_add(layers_graph *graph, const layers_node *node,
                                        layers_error *error) __attribute__((warn_unused_result));

/* Adds a node that goes backward. `of` names losses, whose sum is meant (one that is named twice
 * counts twice); `for_values` names tensors v that are there before. It gives "name.v" for each:
 * the gradient of the sum with respect to v, by the chain rule through the layers' backward
 * operations, where the output dX of one is the gradient of the forward's input X. A value that is
 * used several times has the sum of its gradients, added up from the last use to the first; one
 * without a way to a loss has zeros. Running statistics are constants.
 *
 * LAYERS_INVALID_GRAPH as above, and where a way leads through an operation without a backward
 * (an update, a backward, a loss's gradient), where `of` names something that is no loss, and
 * where `for_values` names labels. */
LAYERS_API layers_code layers_graph_gradients(layers_graph *graph, const char *name,
                                              const char *const *of, size_t of_count,
                                              const char *const *for_values, size_t for_count,
                                              layers_error *error)
    __attribute__((warn_unused_result));

/* Has a value stay until the graph is freed, and tells by *wanted where layers_graph_result finds
 * it. The same name may be wanted again. LAYERS_INVALID_GRAPH for one that is not there; the
 * error's field is empty. */
LAYERS_API layers_code layers_graph_want(layers_graph *graph, const char *name, size_t *wanted,
                                         layers_error *error) __attribute__((warn_unused_result));

/* Settles when each value goes, and what the run takes. After all that is added and wanted. */
LAYERS_API layers_code layers_graph_prepare(layers_graph *graph, layers_error *error)
    __attribute__((warn_unused_result));

LAYERS_API layers_graph_cost layers_graph_costs(const layers_graph *graph);

/* Computes, once, after a look at the values of labels and masks; a mask that is computed is looked
 * at when it is there. `pool` helps with large operations; NULL: the calling thread computes alone.
 * LAYERS_NO_MEMORY, LAYERS_LABEL_OUT_OF_RANGE, LAYERS_INVALID_PARAM. */
LAYERS_API layers_code layers_graph_run(layers_graph *graph, layers_pool *pool, layers_error *error)
    __attribute__((warn_unused_result));

/* A value that is wanted. */
LAYERS_API layers_result layers_graph_result(const layers_graph *graph, size_t wanted);

#ifdef __cplusplus
}
#endif
#endif
