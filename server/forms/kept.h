/* Handles in requests: of caches, and of tensors that were kept. */
#ifndef FORMS_KEPT_H
#define FORMS_KEPT_H

#include "base/problem.h"
#include "codec/json_read.h"
#include "store/store.h"

/* Why a store said no, where it was not for the handle: store_unavailable, internal. False, and
 * nothing set, where it was. */
bool kept_fault(const store *store, const char *pointer, problem *problem);

/* What a handle stands for, which must be a tensor, or a cache. `pointer` is where the handle
 * stands. False with a problem: unknown_cache, wrong_cache, and those of kept_fault. */
bool kept_tensor(store *store, const char *handle, const char *pointer, layers_tensor *tensor,
                 problem *problem);
bool kept_cache(store *store, const char *handle, const char *pointer, layers_cache **cache,
                problem *problem);

/* Whether a value is an object that has `key`, "tensor" or "cache": a handle. */
bool kept_is_named(const json_t *value, const char *key);

/* The handle of such a value, which stands at `pointer`; it has no other key. NULL with a problem.
 */
const char *kept_handle(const json_document *document, const json_t *value, const char *key,
                        const char *pointer, problem *problem);

/* Numbers are read before anybody asks whose they are: where a problem lies in what stands in the
 * place of a handle, `behind` the pointer of a tensor ("/tensor/0"), it becomes wrong_type there.
 */
void kept_blame(problem *problem, const char *behind);

#endif
