/* A cache in parts: to keep it elsewhere than in this process, and to have it back.
 *
 *     layers_cache_parts parts;
 *     layers_cache_take_apart(cache, &parts);
 *     ... write parts.operation->layer, the shapes, the parameters, and each parts.saved[i] ...
 *     layers_cache_parts_clear(&parts);
 *
 *     ... read the same, from whatever source ...
 *     if (layers_cache_restore(&cache, &parts, &error) == LAYERS_OK)
 *         backward.cache = cache;
 *
 * The parts may come from a stranger: what layers_cache_restore takes, backward can compute with.
 */
#ifndef LAYERS_CACHE_H
#define LAYERS_CACHE_H

#include "layers/operation.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct {
    const layers_operation *operation;        /* that gave the cache */
    layers_dtype dtype;                       /* of its call */
    layers_tensor inputs[LAYERS_MAX_TENSORS]; /* what it took, in its order: shapes, without data */
    double number[LAYERS_MAX_PARAMS];         /* its parameters that are no tensors, as they were */
    int choice[LAYERS_MAX_PARAMS];            /* used */
    layers_tensor saved[LAYERS_MAX_TENSORS];  /* as operation->saved lists them; of LAYERS_BIT, its
                                                 bytes: LAYERS_U8 of rank 1 */
} layers_cache_parts;

/* The parts of a cache; they share its memory. */
LAYERS_API void layers_cache_take_apart(const layers_cache *cache, layers_cache_parts *parts);

/* The same of the cache that a call will give, once it is prepared: tensors that the cache is to
 * share with the call's inputs are there, of what is yet to be computed `data` is NULL. */
LAYERS_API void layers_cache_foresee(const layers_call *call, layers_cache_parts *parts);

/* Gives up what the parts share. */
LAYERS_API void layers_cache_parts_clear(layers_cache_parts *parts);

/* The dtype in which the parts have what the operation saves under number `i`. */
LAYERS_API layers_dtype layers_cache_part_dtype(const layers_operation *operation, int i,
                                                layers_dtype dtype);

/* Makes a cache that shares the memory of parts->saved: everything is held to the operation's
 * description first, by its shapes and parameters, and by values where backward goes by them.
 * LAYERS_WRONG_CACHE where the parts are not those of a cache; LAYERS_NO_MEMORY. */
LAYERS_API layers_code layers_cache_restore(layers_cache **cache, const layers_cache_parts *parts,
                                            layers_error *error)
    __attribute__((warn_unused_result));

#ifdef __cplusplus
}
#endif
#endif
