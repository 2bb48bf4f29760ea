/* What a graph has to give: its values, each made by the same operation called by itself, and the
 * chain rule of gradients over such calls. */
#ifndef FUZZ_GRAPH_MODEL_H
#define FUZZ_GRAPH_MODEL_H

#include <jansson.h>

#include "codec/safetensors_write.h"
#include "exchange.h"
#include "layers/graph.h"

enum { NONE = -1, MODEL_VALUES = 2048, MODEL_STEPS = 512, MODEL_NAME = 128, MODEL_CACHES = 128 };

/* How an input stands in a request. */
typedef enum { FORM_NESTED, FORM_FLAT, FORM_FILE } model_form;

typedef struct {
    char name[MODEL_NAME]; /* "" for what a gradient is made of */
    layers_result_kind kind;
    layers_tensor tensor; /* of a cache: like the out of its forward */
    char
        text[SAFETENSORS_TEXT]; /* of a cache: its handle; of a parameter: its value, "" for none */
    const char *layer;          /* of a cache */
    bool is_scalar;             /* by its pattern, as a loss is */
    bool is_mask;               /* an input that can be nothing else */
    int step;                   /* that made it; NONE: an input */
    int self;                   /* its index; where it has two names, that of the first */
    model_form form;            /* of an input */
    char handle[HANDLE_TEXT];   /* that stands in the place of an input; "" for none */
} model_value;

/* Values are told by their indices, NONE for none. */
typedef struct {
    const layers_operation *operation; /* NULL: the sum of inputs[0] and inputs[1], or a constant */
    int inputs[LAYERS_MAX_TENSORS], cache;
    struct {
        int tensor;
        const char *text;
    } params[LAYERS_MAX_PARAMS];
    int first, count; /* of its values: outputs, parameters that come back, a cache */
} model_step;

typedef struct {
    service *alone; /* that runs the operations one by one */
    layers_dtype dtype;
    model_value values[MODEL_VALUES];
    model_step steps[MODEL_STEPS];
    int value_count, step_count;
    char caches[MODEL_CACHES][HANDLE_TEXT]; /* that `alone` keeps, of graphs before this one too */
    int cache_count;
} model;

model_step model_empty_step(const layers_operation *operation);

/* Another value, which has to be filled in. Its index is value_count - 1. */
model_value *model_add(model *m, const char *name, layers_result_kind kind);

/* Calls a step's operation by itself, and adds the step and what it gives under "node.field"; under
 * no name for NULL. False with a problem, and nothing added. */
bool model_call(model *m, const model_step *step, const char *node, problem *problem);

/* Adds "node.w" for each of `asked`, the gradients of the sum of `losses`. False where a way leads
 * through an operation without a backward. */
bool model_gradients(model *m, const char *node, const int *losses, int loss_count,
                     const int *asked, int asked_count);

/* Whether two tensors are of the same dtype, shape and bytes; NaN are all alike. */
bool tensors_are_alike(const layers_tensor *a, const layers_tensor *b);

/* An uninitialised tensor; without elements it has no data. */
layers_tensor tensor_of(layers_dtype dtype, const size_t *shape, int rank);

/* Clears values and steps; what `alone` keeps stays, until model_forget. */
void model_clear(model *m);
void model_forget(model *m);

/* ---- files of the target's own, which are what the format says ---------------------------------
 */

typedef struct file {
    json_t *header;
    char *data;
    size_t size;
} file;

void file_start(file *file);
void file_add(file *file, const char *name, const layers_tensor *tensor);
void file_add_text(file *file, const char *key, const char *text);

/* The bytes, to be freed; the file is gone. */
char *file_end(file *file, size_t *length);

#endif
