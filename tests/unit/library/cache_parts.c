/* Caches in parts: what is put together again computes the same bytes, and what is no cache's is
 * refused. */
#include "layers/cache.h"

#include <math.h>
#include <string.h>

#include "unit/calls.h"

TestSuite(cache_parts);

/* Each operation that gives a cache, in each dtype and choice, with the backward that takes it. */
static void for_each_cache(void (*check)(const layers_call *forward,
                                         const layers_operation *backward)) {
    for (const layers_operation *const *row = layers_operations; *row; row++) {
        if ((*row)->cache != LAYERS_CACHE_TAKEN)
            continue;
        const layers_operation *giver = giver_of(*row);
        for (layers_dtype dtype = LAYERS_F64; dtype <= LAYERS_F32; dtype++)
            for (int choice = 0; choice < choices_of(giver); choice++) {
                layers_call forward = valid_call(giver, dtype, choice, 7);
                run(&forward);
                check(&forward, *row);
                layers_call_clear(&forward);
            }
    }
}

/* The same parts in memory of their own. */
static void copy_parts(const layers_cache_parts *from, layers_cache_parts *to) {
    *to = *from;
    for (int i = 0; from->operation->saved[i].name; i++) {
        size_t bytes;
        const layers_tensor *saved = &from->saved[i];
        layers_error error;
        cr_assert(layers_tensor_make(&to->saved[i], saved->dtype, saved->shape, saved->rank,
                                     &error) == LAYERS_OK);
        layers_dtype_bytes(saved->dtype, saved->size, &bytes);
        memcpy(to->saved[i].data, saved->data, bytes);
    }
}

static layers_call backward_with(const layers_operation *backward, const layers_call *forward,
                                 layers_cache *cache) {
    uint64_t seed = 3;
    layers_call call = {.operation = backward, .dtype = forward->dtype};
    const layers_tensor *out = &forward->outputs[0];
    call.inputs[0] = tensor_random(forward->dtype, out->shape, out->rank, &seed, -1, 1);
    call.cache = cache;
    run(&call);
    return call;
}

static void assert_same_bytes(const layers_call *a, const layers_call *b) {
    for (int i = 0; a->operation->outputs[i].name; i++) {
        size_t bytes;
        const layers_tensor *one = &a->outputs[i], *other = &b->outputs[i];
        assert_shape(other, one->shape, one->rank, a->operation->outputs[i].name);
        layers_dtype_bytes(one->dtype, one->size, &bytes);
        cr_assert(!memcmp(one->data, other->data, bytes), "%s/%s %s", a->operation->layer,
                  a->operation->name, a->operation->outputs[i].name);
    }
}

static void comes_back(const layers_call *forward, const layers_operation *backward) {
    layers_cache_parts parts, copy;
    layers_cache *restored;
    layers_error error;
    layers_cache_take_apart(forward->cache, &parts);
    cr_assert(parts.operation == forward->operation && parts.dtype == forward->dtype);
    copy_parts(&parts, &copy);
    cr_assert(layers_cache_restore(&restored, &copy, &error) == LAYERS_OK, "%s: %s",
              forward->operation->layer, error.message);
    cr_assert_str_eq(layers_cache_layer(restored), forward->operation->layer);
    cr_assert(layers_cache_dtype(restored) == forward->dtype);
    layers_call first = backward_with(backward, forward, layers_cache_ref(forward->cache));
    layers_call again = backward_with(backward, forward, restored);
    assert_same_bytes(&first, &again);
    layers_call_clear(&first);
    layers_call_clear(&again);
    layers_cache_parts_clear(&parts);
    layers_cache_parts_clear(&copy);
}

Test(cache_parts, every_cache_comes_back) {
    for_each_cache(comes_back);
}

/* What is known before the run is what the cache then has. */
static void is_foreseen(const layers_call *forward, const layers_operation *backward) {
    (void)backward;
    const layers_operation *operation = forward->operation;
    layers_cache_parts whole, known;
    layers_cache_take_apart(forward->cache, &whole);
    layers_cache_foresee(forward, &known);
    cr_assert(known.operation == operation && known.dtype == whole.dtype);
    cr_assert(!memcmp(known.number, whole.number, sizeof known.number));
    cr_assert(!memcmp(known.choice, whole.choice, sizeof known.choice));
    for (int i = 0; operation->inputs[i].name; i++)
        assert_shape(&known.inputs[i], whole.inputs[i].shape, whole.inputs[i].rank,
                     operation->inputs[i].name);
    for (int i = 0; operation->saved[i].name; i++) {
        const layers_tensor *saved = &whole.saved[i];
        assert_shape(&known.saved[i], saved->shape, saved->rank, operation->saved[i].name);
        cr_assert(known.saved[i].dtype == saved->dtype);
        cr_assert(known.saved[i].data == (operation->saved[i].shape ? NULL : saved->data), "%s %s",
                  operation->layer, operation->saved[i].name);
    }
    layers_cache_parts_clear(&whole);
    layers_cache_parts_clear(&known);
}

Test(cache_parts, what_is_known_before_the_run_is_foreseen) {
    for_each_cache(is_foreseen);
}

static void assert_refuses(layers_cache_parts *parts, const char *what) {
    layers_cache *cache;
    layers_error error;
    cr_assert(layers_cache_restore(&cache, parts, &error) == LAYERS_WRONG_CACHE, "%s of %s", what,
              parts->operation->layer);
    cr_assert(!cache);
}

/* Each thing that parts hold, made wrong by itself. */
static void refuses_damage(const layers_call *forward, const layers_operation *backward) {
    (void)backward;
    layers_cache_parts whole, parts;
    layers_cache_take_apart(forward->cache, &whole);
    const layers_operation *operation = whole.operation;
    for (int i = 0; operation->saved[i].name; i++) {
        parts = whole;
        parts.saved[i].dtype = LAYERS_I64;
        assert_refuses(&parts, "a dtype");
        parts = whole;
        parts.saved[i].rank--;
        assert_refuses(&parts, "a rank");
        parts = whole;
        parts.saved[i].shape[0]++;
        assert_refuses(&parts, "a shape");
        parts = whole;
        parts.saved[i].data = NULL;
        assert_refuses(&parts, "no data");
    }
    parts = whole;
    parts.inputs[0].shape[0] += 9;
    assert_refuses(&parts, "the shape of an input");
    parts = whole;
    parts.inputs[0].rank = LAYERS_MAX_RANK + 1;
    assert_refuses(&parts, "the rank of an input");
    parts = whole;
    parts.inputs[0].shape[0] = SIZE_MAX / 2;
    assert_refuses(&parts, "an input too large");
    parts = whole;
    parts.dtype = LAYERS_I64;
    assert_refuses(&parts, "the dtype");
    for (int i = 0; operation->params && operation->params[i].name; i++) {
        const layers_param *param = &operation->params[i];
        if (layers_is_tensor(param))
            continue;
        parts = whole;
        if (param->kind == LAYERS_CHOICE)
            parts.choice[i] = 3;
        else
            parts.number[i] = NAN;
        assert_refuses(&parts, param->name);
        parts.choice[i] = -1;
        parts.number[i] = -1;
        assert_refuses(&parts, param->name);
    }
    layers_cache_parts_clear(&whole);
}

Test(cache_parts, damaged_parts_are_refused) {
    for_each_cache(refuses_damage);
}

Test(cache_parts, an_index_outside_its_window_is_refused) {
    layers_call forward = valid_call(layers_find("max_pool", "forward"), LAYERS_F64, 0, 1);
    run(&forward);
    layers_cache_parts parts, copy;
    layers_cache_take_apart(forward.cache, &parts);
    copy_parts(&parts, &copy);
    cr_assert(copy.saved[0].size > 0);
    ((uint8_t *)copy.saved[0].data)[copy.saved[0].size - 1] = 0xff;
    assert_refuses(&copy, "an index");
    layers_cache_parts_clear(&parts);
    layers_cache_parts_clear(&copy);
    layers_call_clear(&forward);
}

Test(cache_parts, an_operation_that_gives_no_cache_has_none) {
    layers_cache_parts parts = {.operation = layers_find("svm", "loss")};
    assert_refuses(&parts, "the operation");
}

Test(cache_parts, share_the_memory) {
    layers_call forward = valid_call(layers_find("affine", "forward"), LAYERS_F64, 0, 1);
    run(&forward);
    layers_cache_parts parts;
    layers_cache *cache;
    layers_error error;
    layers_cache_take_apart(forward.cache, &parts);
    cr_assert(parts.saved[0].data == forward.inputs[0].data);
    cr_assert(layers_cache_restore(&cache, &parts, &error) == LAYERS_OK);
    cr_assert(layers_cache_bytes(cache) == layers_cache_bytes(forward.cache));
    layers_cache_parts_clear(&parts);
    layers_cache_unref(cache);
    layers_call_clear(&forward);
}
