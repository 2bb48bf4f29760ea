/* What backward needs of forward: references, sharing, size, and use from many threads. */
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

#include "unit/calls.h"

TestSuite(caches);

static layers_call affine(size_t N, size_t D, size_t M) {
    uint64_t seed = 1;
    layers_call call = call_of("affine", "forward", LAYERS_F64);
    call.inputs[0] = tensor_random(LAYERS_F64, SHAPE(N, D), &seed, -1, 1);
    call.inputs[1] = tensor_random(LAYERS_F64, SHAPE(D, M), &seed, -1, 1);
    call.inputs[2] = tensor_random(LAYERS_F64, SHAPE(M), &seed, -1, 1);
    return call;
}

static layers_call elementwise(const char *layer, layers_dtype dtype, size_t size) {
    uint64_t seed = 2;
    layers_call call = call_of(layer, "forward", dtype);
    call.inputs[0] = tensor_random(dtype, SHAPE(size), &seed, -1, 1);
    call.params[0] = (layers_value){.given = true, .number = 0.5};
    call.params[1].given = true;
    call.params[2] = (layers_value){.given = true, .number = 3};
    return call;
}

Test(caches, inputs_are_shared_not_copied) {
    layers_call call = affine(50, 40, 30);
    run(&call);
    size_t x = layers_tensor_memory(&call.inputs[0]), w = layers_tensor_memory(&call.inputs[1]);
    size_t alone = layers_cache_bytes(call.cache) - x - w;
    cr_assert(alone < 1024, "%zu bytes beside x and w", alone);
    /* x is what the cache computes with: a change of it is seen by backward. */
    memset(call.inputs[0].data, 0, x);
    layers_call backward = call_of("affine", "backward", LAYERS_F64);
    uint64_t seed = 4;
    backward.inputs[0] = tensor_random(LAYERS_F64, SHAPE(50, 30), &seed, -1, 1);
    backward.cache = layers_cache_ref(call.cache);
    run(&backward);
    for (size_t i = 0; i < backward.outputs[1].size; i++)
        cr_assert(element(&backward.outputs[1], i) == 0, "dw[%zu]", i);
    layers_call_clear(&backward);
    layers_call_clear(&call);
}

Test(caches, outlive_the_call_that_made_them) {
    layers_call call = affine(3, 2, 2);
    run(&call);
    layers_cache *cache = layers_cache_ref(call.cache);
    size_t bytes = layers_cache_bytes(cache);
    layers_call_clear(&call);
    cr_assert(call.cache == NULL);
    cr_assert_str_eq(layers_cache_layer(cache), "affine");
    cr_assert(layers_cache_dtype(cache) == LAYERS_F64);
    cr_assert(layers_cache_bytes(cache) == bytes);
    layers_call backward = call_of("affine", "backward", LAYERS_F64);
    backward.inputs[0] = tensor_of(LAYERS_F64, SHAPE(3, 2), VALUES(1, 2, 3, 4, 5, 6));
    backward.cache = cache;
    run(&backward);
    assert_values(&backward.outputs[2], VALUES(9, 12), 2, 0, 0, "db");
    layers_call_clear(&backward);
}

Test(caches, a_reference_is_the_same_cache) {
    layers_call call = affine(1, 1, 1);
    run(&call);
    cr_assert(layers_cache_ref(call.cache) == call.cache);
    layers_cache_unref(call.cache);
    cr_assert_str_eq(layers_cache_layer(call.cache), "affine");
    layers_call_clear(&call);
    layers_cache_unref(NULL);
}

Test(caches, one_buffer_twice_is_counted_once) {
    layers_call call = affine(8, 8, 8);
    layers_tensor_clear(&call.inputs[1]);
    call.inputs[1] = layers_tensor_share(&call.inputs[0]);
    run(&call);
    size_t x = layers_tensor_memory(&call.inputs[0]);
    cr_assert(layers_cache_bytes(call.cache) < x + 1024, "%zu", layers_cache_bytes(call.cache));
    cr_assert(layers_cache_bytes(call.cache) >= x);
    cr_assert(call.cache_bytes == layers_cache_bytes(call.cache), "planned %zu", call.cache_bytes);
    layers_call_clear(&call);
}

Test(caches, views_of_one_message_are_counted_once) {
    layers_tensor message = tensor_make(LAYERS_U8, SHAPE(10000));
    memset(message.data, 0, message.size);
    layers_call call = call_of("affine", "forward", LAYERS_F64);
    cr_assert(layers_tensor_view(&call.inputs[0], &message, LAYERS_F64, SHAPE(20, 30), 64));
    cr_assert(layers_tensor_view(&call.inputs[1], &message, LAYERS_F64, SHAPE(30, 10), 4864));
    cr_assert(layers_tensor_view(&call.inputs[2], &message, LAYERS_F64, SHAPE(10), 7264));
    layers_tensor_clear(&message);
    run(&call);
    size_t bytes = layers_cache_bytes(call.cache);
    cr_assert(bytes >= 10000 && bytes < 11024 && call.cache_bytes == bytes, "%zu bytes", bytes);
    layers_call_clear(&call);
}

Test(caches, relu_and_dropout_keep_a_bit_an_element) {
    static const char *const layers[] = {"relu", "dropout"};
    static const size_t sizes[] = {0, 1, 7, 8, 9, 1000, 1001};
    for (size_t l = 0; l < 2; l++)
        for (layers_dtype dtype = LAYERS_F64; dtype <= LAYERS_F32; dtype++) {
            layers_call none = elementwise(layers[l], dtype, 0);
            run(&none);
            size_t fixed = layers_cache_bytes(none.cache);
            layers_call_clear(&none);
            for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
                layers_call call = elementwise(layers[l], dtype, sizes[i]);
                run(&call);
                size_t bytes = layers_cache_bytes(call.cache) - fixed;
                cr_assert(bytes == (sizes[i] + 7) / 8, "%s keeps %zu bytes for %zu elements",
                          layers[l], bytes, sizes[i]);
                layers_call_clear(&call);
            }
        }
}

Test(caches, a_wrapped_input_costs_a_cache_nothing) {
    double x[4] = {1, 2, 3, 4}, w[2] = {1, 1}, b[1] = {0};
    layers_call call = call_of("affine", "forward", LAYERS_F64);
    call.inputs[0] = layers_tensor_wrap(LAYERS_F64, SHAPE(2, 2), x);
    call.inputs[1] = layers_tensor_wrap(LAYERS_F64, SHAPE(2, 1), w);
    call.inputs[2] = layers_tensor_wrap(LAYERS_F64, SHAPE(1), b);
    run(&call);
    assert_values(&call.outputs[0], VALUES(3, 7), 2, 0, 0, "out");
    cr_assert(call.cache_bytes == layers_cache_bytes(call.cache));
    layers_call_clear(&call);
    cr_assert(x[3] == 4);
}

enum { THREADS = 8, ROUNDS = 200 };

typedef struct {
    layers_cache *cache; /* one reference a thread */
    const double *want;
    atomic_int wrong;
} shared_work;

static void *use_cache(void *argument) {
    shared_work *work = argument;
    layers_error error;
    for (int round = 0; round < ROUNDS; round++) {
        layers_call call = {.operation = layers_find("affine", "backward")};
        if (layers_tensor_make(&call.inputs[0], LAYERS_F64, SHAPE(6, 4), &error) != LAYERS_OK)
            return NULL;
        for (size_t i = 0; i < 24; i++)
            ((double *)call.inputs[0].data)[i] = (double)i;
        call.cache = layers_cache_ref(work->cache);
        if (layers_prepare(&call, &error) != LAYERS_OK || layers_run(&call, &error) != LAYERS_OK ||
            memcmp(call.outputs[0].data, work->want, 30 * sizeof(double)) != 0)
            work->wrong++;
        layers_call_clear(&call);
    }
    layers_cache_unref(work->cache);
    return argument;
}

Test(caches, many_threads_use_one_at_once) {
    layers_call call = affine(6, 5, 4);
    run(&call);
    layers_call backward = call_of("affine", "backward", LAYERS_F64);
    backward.inputs[0] = tensor_make(LAYERS_F64, SHAPE(6, 4));
    for (size_t i = 0; i < 24; i++)
        set_element(&backward.inputs[0], i, (double)i);
    backward.cache = layers_cache_ref(call.cache);
    run(&backward);
    shared_work work = {.cache = call.cache, .want = backward.outputs[0].data};
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++) {
        layers_cache_ref(call.cache);
        cr_assert(pthread_create(&threads[i], NULL, use_cache, &work) == 0);
    }
    layers_call_clear(&call); /* while they are at it */
    for (int i = 0; i < THREADS; i++) {
        void *done;
        pthread_join(threads[i], &done);
        cr_assert(done == &work);
    }
    cr_assert(work.wrong == 0, "%d of %d results", work.wrong, THREADS * ROUNDS);
    layers_call_clear(&backward);
}
