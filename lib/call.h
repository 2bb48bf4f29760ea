/* What the layers' files see of a call beyond the public header. */
#ifndef LIB_CALL_H
#define LIB_CALL_H

#include "dims.h"
#include "layers/operation.h"

typedef struct {
    void *data;
    layers_buffer *buffer;
} saved_data;

/* Allocated with as many lengths behind it as the tail has. */
struct layers_cache {
    unsigned references;
    layers_dtype dtype;
    const layers_operation *operation;    /* that gave it */
    saved_data saved[LAYERS_MAX_TENSORS]; /* as the operation's `saved` lists them */
    double number[LAYERS_MAX_PARAMS];     /* the scalar parameters as they were used */
    int choice[LAYERS_MAX_PARAMS];
    int dim_count;
    layers_dim dim[LAYERS_MAX_DIMS];
    bool has_tail;
    int tail_rank;
    size_t tail[];
};

/* Makes call->cache, its own tensors uninitialised: in the memory of the cache that the call has
 * from its last run, where no one else holds that. LAYERS_NO_MEMORY. */
layers_code cache_make(layers_call *call, layers_error *error);

/* Makes call->cache without the memory of what it keeps: for layers_prepare of the backward alone.
 * LAYERS_NO_MEMORY. */
layers_code cache_plan(layers_call *call, layers_error *error);

/* What cache_make allocates: call->cache_bytes without what is shared. After layers_prepare. */
size_t cache_own_bytes(const layers_call *call);

/* Whether an output has to be computed. */
bool call_wants(const layers_call *call, int i);

/* The input that a cache shares under a name. */
const layers_tensor *call_input(const layers_call *call, const char *name);

/* The call's pool where so many elements, of so many nanoseconds each, are worth its threads, else
 * NULL. */
layers_pool *call_pool(const layers_call *call, size_t elements, double nanoseconds);

/* "N must be at least 1": for operations that divide by the number of rows. */
layers_code call_needs_rows(const layers_call *call, layers_error *error);

#endif
