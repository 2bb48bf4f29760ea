/* A cache in parts, and whole again. */
#include "layers/cache.h"

#include <string.h>

#include "buffer.h"
#include "call.h"

/* The dtype of the input that a cache shares. */
static layers_dtype shared_dtype(const layers_operation *operation, const char *name,
                                 layers_dtype dtype) {
    const layers_field *field = operation->inputs;
    while (strcmp(field->name, name) != 0)
        field++;
    return field->labels ? LAYERS_I64 : dtype;
}

/* As it is in a cache, bits too. */
static layers_dtype saved_dtype(const layers_operation *operation, int i, layers_dtype dtype) {
    const layers_saved *saved = &operation->saved[i];
    return saved->shape ? saved->dtype : shared_dtype(operation, saved->name, dtype);
}

layers_dtype layers_cache_part_dtype(const layers_operation *operation, int i, layers_dtype dtype) {
    layers_dtype saved = saved_dtype(operation, i, dtype);
    return saved == LAYERS_BIT ? LAYERS_U8 : saved;
}

static const char *saved_pattern(const layers_operation *operation, int i) {
    const layers_saved *saved = &operation->saved[i];
    const layers_field *field = operation->inputs;
    while (!saved->shape && strcmp(field->name, saved->name) != 0)
        field++;
    return saved->shape ? saved->shape : field->shape;
}

/* Gives a tensor the shape that it has among the parts; false where there is no such shape. */
static bool part_shape(const layers_operation *operation, int i, const layers_dims *dims,
                       layers_tensor *tensor) {
    layers_dtype dtype = tensor->dtype;
    tensor->rank = dims_shape(dims, saved_pattern(operation, i), tensor->shape);
    if (!layers_shape_size(tensor->shape, tensor->rank, &tensor->size))
        return false;
    if (saved_dtype(operation, i, dtype) == LAYERS_BIT) {
        layers_dtype_bytes(LAYERS_BIT, tensor->size, &tensor->size);
        tensor->rank = 1;
        tensor->shape[0] = tensor->size;
    }
    tensor->dtype = layers_cache_part_dtype(operation, i, dtype);
    return true;
}

static void dims_of(const layers_cache *cache, layers_dims *dims) {
    *dims = (layers_dims){
        .count = cache->dim_count, .has_tail = cache->has_tail, .tail_rank = cache->tail_rank};
    memcpy(dims->dim, cache->dim, sizeof dims->dim);
    memcpy(dims->tail, cache->tail, (size_t)cache->tail_rank * sizeof *dims->tail);
}

/* The parts by their shapes and dtypes, without data. */
static void outline(const layers_operation *operation, layers_dtype dtype, const layers_dims *dims,
                    layers_cache_parts *parts) {
    *parts = (layers_cache_parts){.operation = operation, .dtype = dtype};
    for (int i = 0; operation->inputs[i].name; i++) {
        layers_tensor *input = &parts->inputs[i];
        input->dtype = operation->inputs[i].labels ? LAYERS_I64 : dtype;
        input->rank = dims_shape(dims, operation->inputs[i].shape, input->shape);
        layers_shape_size(input->shape, input->rank, &input->size);
    }
    for (int i = 0; operation->saved[i].name; i++) {
        parts->saved[i].dtype = dtype;
        part_shape(operation, i, dims, &parts->saved[i]);
    }
}

static void share(layers_tensor *saved, void *data, layers_buffer *buffer) {
    saved->data = data;
    saved->buffer = layers_buffer_ref(buffer);
}

void layers_cache_take_apart(const layers_cache *cache, layers_cache_parts *parts) {
    layers_dims dims;
    dims_of(cache, &dims);
    outline(cache->operation, cache->dtype, &dims, parts);
    memcpy(parts->number, cache->number, sizeof parts->number);
    memcpy(parts->choice, cache->choice, sizeof parts->choice);
    for (int i = 0; cache->operation->saved[i].name; i++)
        share(&parts->saved[i], cache->saved[i].data, cache->saved[i].buffer);
}

void layers_cache_foresee(const layers_call *call, layers_cache_parts *parts) {
    const layers_saved *saved = call->operation->saved;
    outline(call->operation, call->dtype, &call->dims, parts);
    for (int i = 0; i < LAYERS_MAX_PARAMS; i++) {
        parts->number[i] = call->params[i].number;
        parts->choice[i] = call->params[i].choice;
    }
    for (int i = 0; saved[i].name; i++)
        if (!saved[i].shape)
            share(&parts->saved[i], call_input(call, saved[i].name)->data,
                  call_input(call, saved[i].name)->buffer);
}

void layers_cache_parts_clear(layers_cache_parts *parts) {
    for (int i = 0; i < LAYERS_MAX_TENSORS; i++)
        layers_tensor_clear(&parts->saved[i]);
}

static layers_code wrong(layers_error *error, const char *what) {
    return layers_fail(error, LAYERS_WRONG_CACHE, "cache", "these are no parts of a cache: %s",
                       what);
}

/* The call that gave the cache, as far as its shapes and parameters say. */
static layers_code call_of(const layers_cache_parts *parts, layers_call *call,
                           layers_error *error) {
    const layers_operation *operation = parts->operation;
    *call = (layers_call){.operation = operation, .dtype = parts->dtype};
    for (int i = 0; operation->inputs[i].name; i++) {
        const layers_tensor *input = &parts->inputs[i];
        size_t size;
        if (input->rank < 0 || input->rank > LAYERS_MAX_RANK ||
            !layers_shape_size(input->shape, input->rank, &size))
            return wrong(error, "an input has no such shape");
        call->inputs[i] =
            layers_tensor_wrap(operation->inputs[i].labels ? LAYERS_I64 : parts->dtype,
                               input->shape, input->rank, NULL);
    }
    for (int i = 0; operation->params && operation->params[i].name; i++) {
        const layers_param *param = &operation->params[i];
        if (layers_is_tensor(param))
            continue;
        int choices = 0;
        while (param->kind == LAYERS_CHOICE && param->choices[choices])
            choices++;
        if (param->kind == LAYERS_CHOICE && (parts->choice[i] < 0 || parts->choice[i] >= choices))
            return wrong(error, "a parameter is none of its choices");
        call->params[i] =
            (layers_value){.given = true, .number = parts->number[i], .choice = parts->choice[i]};
    }
    layers_code code = layers_prepare(call, error);
    if (code != LAYERS_OK && code != LAYERS_NO_MEMORY)
        error->code = code = LAYERS_WRONG_CACHE;
    return code;
}

/* Puts the tensors in their places; false where one does not fit its own. */
static bool fill(const layers_call *call, const layers_cache_parts *parts) {
    const layers_operation *operation = call->operation;
    for (int i = 0; operation->saved[i].name; i++) {
        const layers_tensor *given = &parts->saved[i];
        layers_tensor want = {.dtype = parts->dtype};
        if (!part_shape(operation, i, &call->dims, &want) || given->dtype != want.dtype ||
            given->rank != want.rank ||
            memcmp(given->shape, want.shape, (size_t)want.rank * sizeof *want.shape) != 0 ||
            (!given->data && want.size > 0))
            return false;
        call->cache->saved[i].data = given->data;
        call->cache->saved[i].buffer = layers_buffer_ref(given->buffer);
    }
    return true;
}

layers_code layers_cache_restore(layers_cache **cache, const layers_cache_parts *parts,
                                 layers_error *error) {
    layers_call call;
    *cache = NULL;
    if (parts->operation->cache != LAYERS_CACHE_GIVEN)
        return wrong(error, "the operation gives none");
    if (parts->dtype != LAYERS_F64 && parts->dtype != LAYERS_F32)
        return wrong(error, "it has no such dtype");
    layers_code code = call_of(parts, &call, error);
    if (code == LAYERS_OK)
        code = cache_plan(&call, error);
    if (code == LAYERS_OK && !fill(&call, parts))
        code = wrong(error, "a tensor has another shape or dtype than it was saved in");
    if (code == LAYERS_OK && parts->operation->saved_holds && !parts->operation->saved_holds(&call))
        code = wrong(error, "a tensor holds what the operation would not have saved");
    if (code == LAYERS_OK)
        *cache = call.cache;
    else
        layers_cache_unref(call.cache);
    return code;
}
