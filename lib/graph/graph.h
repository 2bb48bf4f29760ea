/* A graph, as the files of this folder see it: values, and the steps that make them. */
#ifndef LIB_GRAPH_GRAPH_H
#define LIB_GRAPH_GRAPH_H

#include "call.h"
#include "graph/names.h"
#include "layers/graph.h"

enum { NONE = -1, FOR_EVER = INT32_MAX };

/* Something that a step makes, or that is there from the start. */
typedef struct {
    layers_result_kind kind;
    int step;                  /* that makes it; NONE: an input */
    int name;                  /* of an input, among the names */
    int last;                  /* the last step that uses it; FOR_EVER where it is wanted */
    bool is_used;              /* by a step that runs */
    bool is_scalar;            /* as in a layers_result */
    layers_tensor tensor;      /* without memory before it is made and after it has gone */
    layers_cache *cache;       /* without memory before it is made */
    size_t bytes;              /* that making it takes */
    size_t bound;              /* that it keeps alive, at most: of a cache, with what it shares */
    int holders;               /* of its memory, while the costs are worked out */
    bool is_gone;              /* likewise */
    const layers_param *param; /* LAYERS_RESULT_PARAM */
    bool given;
    double number;
    int choice;
} value;

typedef enum { STEP_CALL, STEP_SUM, STEP_FILL } step_kind;

/* A call of an operation; the sum of inputs[0] and inputs[1]; or one number throughout the shape of
 * inputs[0]. Values are told by their indices, NONE for none. */
typedef struct {
    step_kind kind;
    const layers_operation *operation; /* STEP_CALL */
    const layers_operation *backward;  /* of a forward; NULL for any other */
    int node;                          /* that it belongs to */
    int inputs[LAYERS_MAX_TENSORS];
    int cache; /* that it takes */
    int first; /* of its values: outputs, parameters that come back, the cache that it gives */
    int values;
    struct {
        bool given;
        double number;
        int choice, tensor;
    } params[LAYERS_MAX_PARAMS];
    double fill;       /* STEP_FILL: the number */
    bool has_integers; /* it may have labels or a mask, whose values are to be checked */
    bool runs;
    bool unwanted[LAYERS_MAX_TENSORS]; /* as in a layers_call */
    double work;
} step;

typedef struct {
    int name; /* among the names */
    int step; /* NONE for one that goes backward */
} node;

struct layers_graph {
    layers_dtype dtype;
    names names;
    node *nodes;
    value *values;
    step *steps;
    size_t node_count, node_room, value_count, value_room, step_count, step_room, inputs;
    layers_graph_cost cost;
    layers_call call; /* of one step at a time */
};

/* The value of a name; NONE where there is none, and LAYERS_INVALID_GRAPH for it, which tells the
 * nearest. Fields are made for errors only: most names are right. */
int graph_find(const layers_graph *graph, const char *name);
layers_code graph_not_there(const layers_graph *graph, const char *name, const char *field,
                            layers_error *error);

/* Whether a name is one, and free; LAYERS_INVALID_GRAPH for one that is not. */
bool graph_is_free(const layers_graph *graph, const char *name);
layers_code graph_no_name(const layers_graph *graph, const char *name, const char *field,
                          layers_error *error);

/* Checks that a node may be added under a name, and adds it; `step` is the first that it will
 * have, or NONE. */
layers_code graph_add_node(layers_graph *graph, const char *name, int step, layers_error *error);

/* A value that `step` makes, or an input for NONE; NULL where there is no memory. */
value *graph_add_value(layers_graph *graph, layers_result_kind kind, int step);

/* A step whose inputs are not set. */
step graph_step(step_kind kind, const layers_operation *operation, int node);

/* Checks a step, and adds it and its values, without memory. */
layers_code graph_append(layers_graph *graph, const step *step, layers_error *error);

/* Puts a step's values into graph->call: with their memory, or without where that is not there. */
void graph_fill(layers_graph *graph, const step *step);

/* Empties graph->call of a step; the call is large, and nothing else in it was set. */
void graph_empty(layers_graph *graph);

/* Retells an error of graph->call, whose field is a place in the call, as one of the graph's.
 * Returns its code. */
layers_code graph_blame(const layers_graph *graph, const step *step, layers_error *error);

/* The value of an operation's output, parameter or cache: of a step whose first one is `first`. */
int graph_output(const step *step, int i);
int graph_param(const step *step, int i);
int graph_cache(const step *step);

/* The values that a step gives, and behind them those that it takes; returns how many. */
enum { GRAPH_TOUCHED = 3 * (LAYERS_MAX_TENSORS + LAYERS_MAX_PARAMS) };
int graph_touched(const step *step, int touched[GRAPH_TOUCHED]);

layers_code graph_no_memory(layers_error *error);

/* Makes room for one more; false where there is no memory. */
bool graph_room(void **array, size_t *room, size_t count, size_t size);

#endif
