/* What makes a graph out of choices: inputs, references to values, nodes. */
#ifndef FUZZ_GRAPH_PARTS_H
#define FUZZ_GRAPH_PARTS_H

#include "dims.h"
#include "graph_make.h"

/* Whether to make the one mistake of a graph here. */
bool make_mistake(made_graph *graph);

/* Puts a value into a document, which takes it over. */
void put_value(json_t *object, const char *key, json_t *value);
void push_value(json_t *list, json_t *value);

/* The inputs of the document. */
json_t *document_inputs(const made_graph *graph);

/* An input that nobody has asked for. */
void make_free_input(made_graph *graph);

/* What stands in the place of a value: NONE and "" for nothing, NONE and a name for one that is not
 * there. */
typedef struct {
    int value, named; /* the value, and where it stands under this name */
    char name[MODEL_NAME + 8];
} reference;

/* Whether the value is a tensor of the graph's dtype, which may be used as one. */
bool is_float(const made_graph *graph, const model_value *v);

/* Anything but what should stand somewhere. An input whose dtype is that of its use stands only
 * where it has the same (`as_values`). */
reference make_wrong_reference(made_graph *graph, bool as_values);

/* A tensor of a pattern: one that is there, or a new one. `labels` is NULL where it is of none. */
reference pick_tensor(made_graph *graph, layers_dims *dims, const char *pattern,
                      const layers_field *labels, bool is_mask);

/* A tensor in the shape of another. */
reference pick_like(made_graph *graph, const layers_tensor *like);

/* Caches of a layer; returns how many. And one of them, which is none where there is none. */
unsigned find_caches(const made_graph *graph, const char *layer, int found[MODEL_VALUES]);
reference pick_cache(made_graph *graph, const char *layer);

/* Lists names of some values that suit, and which they are; returns how many. */
int make_names(made_graph *graph, json_t *list,
               bool (*suits)(const made_graph *, const model_value *), int values[WANTED_MOST]);

/* Whether the graph can go on. */
bool make_node(made_graph *graph, size_t index);

#endif
