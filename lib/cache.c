/* What backward needs of a forward. */
#include <stdlib.h>
#include <string.h>

#include "buffer.h"
#include "call.h"

const layers_tensor *call_input(const layers_call *call, const char *name) {
    int i = 0;
    for (const layers_field *field = call->operation->inputs;
         field->name && strcmp(field->name, name) != 0; field++)
        i++;
    return &call->inputs[i];
}

/* Fills a place of a new cache; a tensor of its own takes the memory that is there, where it may.
 */
static layers_code save(const layers_call *call, const layers_saved *saved, saved_data *place,
                        layers_error *error) {
    if (!saved->shape) {
        const layers_tensor *input = call_input(call, saved->name);
        layers_buffer_unref(place->buffer);
        place->data = input->data;
        place->buffer = layers_buffer_ref(input->buffer);
        return LAYERS_OK;
    }
    layers_tensor own = {.buffer = place->buffer};
    size_t shape[LAYERS_MAX_RANK];
    int rank = dims_shape(&call->dims, saved->shape, shape);
    layers_code code = layers_tensor_renew(&own, saved->dtype, shape, rank, error);
    place->data = own.data;
    place->buffer = own.buffer;
    return code;
}

/* Moves the memory of a call's last cache to its next one, unless someone else holds that. */
static void inherit(layers_cache *cache, layers_cache *last) {
    if (last && __atomic_load_n(&last->references, __ATOMIC_ACQUIRE) == 1) {
        memcpy(cache->saved, last->saved, sizeof cache->saved);
        memset(last->saved, 0, sizeof last->saved);
    }
    layers_cache_unref(last);
}

layers_code cache_plan(layers_call *call, layers_error *error) {
    const layers_dims *dims = &call->dims;
    size_t tail_bytes = (size_t)dims->tail_rank * sizeof *dims->tail;
    layers_cache *cache = calloc(1, sizeof *cache + tail_bytes);
    if (!cache)
        return layers_fail(error, LAYERS_NO_MEMORY, NULL, "no memory for a cache");
    cache->references = 1;
    cache->operation = call->operation;
    cache->dtype = call->dtype;
    cache->dim_count = dims->count;
    for (int i = 0; i < dims->count; i++)
        cache->dim[i] = (layers_dim){dims->dim[i].letter, dims->dim[i].length, NULL, NULL};
    cache->has_tail = dims->has_tail;
    cache->tail_rank = dims->tail_rank;
    memcpy(cache->tail, dims->tail, tail_bytes);
    for (int i = 0; i < LAYERS_MAX_PARAMS; i++) {
        cache->number[i] = call->params[i].number;
        cache->choice[i] = call->params[i].choice;
    }
    inherit(cache, call->cache);
    call->cache = cache;
    return LAYERS_OK;
}

layers_code cache_make(layers_call *call, layers_error *error) {
    layers_code code = cache_plan(call, error);
    for (int i = 0; code == LAYERS_OK && call->operation->saved[i].name; i++)
        code = save(call, &call->operation->saved[i], &call->cache->saved[i], error);
    return code;
}

size_t cache_own_bytes(const layers_call *call) {
    size_t bytes = sizeof *call->cache + sizeof(size_t) * (size_t)call->dims.tail_rank;
    for (const layers_saved *saved = call->operation->saved; saved->name; saved++) {
        size_t shape[LAYERS_MAX_RANK], size, own = 0;
        int rank = saved->shape ? dims_shape(&call->dims, saved->shape, shape) : 0;
        if (saved->shape && layers_shape_size(shape, rank, &size))
            layers_dtype_bytes(saved->dtype, size, &own);
        bytes += own;
    }
    return bytes;
}

layers_cache *layers_cache_ref(layers_cache *cache) {
    __atomic_fetch_add(&cache->references, 1, __ATOMIC_RELAXED);
    return cache;
}

void layers_cache_unref(layers_cache *cache) {
    if (!cache || __atomic_sub_fetch(&cache->references, 1, __ATOMIC_ACQ_REL) > 0)
        return;
    for (int i = 0; i < LAYERS_MAX_TENSORS; i++)
        layers_buffer_unref(cache->saved[i].buffer);
    free(cache);
}

const char *layers_cache_layer(const layers_cache *cache) {
    return cache->operation->layer;
}

layers_dtype layers_cache_dtype(const layers_cache *cache) {
    return cache->dtype;
}

static bool counted_before(const layers_cache *cache, int i) {
    for (int j = 0; j < i; j++)
        if (cache->saved[j].buffer == cache->saved[i].buffer)
            return true;
    return false;
}

size_t layers_cache_bytes(const layers_cache *cache) {
    size_t bytes = sizeof *cache + sizeof *cache->tail * (size_t)cache->tail_rank;
    for (int i = 0; i < LAYERS_MAX_TENSORS; i++)
        if (!counted_before(cache, i))
            bytes += layers_buffer_bytes(cache->saved[i].buffer);
    return bytes;
}
