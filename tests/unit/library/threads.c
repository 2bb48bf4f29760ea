/* Many threads calling at once, as a server's do: each gets the answer to its own question. (A BLAS
 * without locks on its buffers mixes the operands of one thread into the product of another.) */
#include <pthread.h>

#include "unit/calls.h"

enum { THREADS = 8, CALLS = 60000, MOST = 64 };

/* Small integers, so that every product and sum is exact. */
static double number(long thread, int call, size_t i) {
    return (double)((thread * 31 + call + (long)i * 7) % 97);
}

static layers_tensor wrapped(size_t rows, size_t columns, double *data) {
    return layers_tensor_wrap(LAYERS_F64, (size_t[]){rows, columns}, 2, data);
}

/* One product of a size and content of its own; whether it is right. */
static bool product_is_right(long thread, int round) {
    size_t N = 1 + (size_t)round % 5, D = 3 + ((size_t)round + (size_t)thread) % 6,
           M = 1 + (size_t)round / 3 % 7;
    double x[MOST], w[MOST], b[MOST] = {0};
    for (size_t i = 0; i < N * D; i++)
        x[i] = number(thread, round, i);
    for (size_t i = 0; i < D * M; i++)
        w[i] = number(thread + 1, 3 * round, i);
    layers_call call = call_of("affine", "forward", LAYERS_F64);
    call.inputs[0] = wrapped(N, D, x);
    call.inputs[1] = wrapped(D, M, w);
    call.inputs[2] = layers_tensor_wrap(LAYERS_F64, &M, 1, b);
    layers_error error;
    bool right =
        layers_prepare(&call, &error) == LAYERS_OK && layers_run(&call, &error) == LAYERS_OK;
    const double *out = call.outputs[0].data;
    for (size_t n = 0; right && n < N; n++)
        for (size_t m = 0; m < M; m++) {
            double sum = 0;
            for (size_t d = 0; d < D; d++)
                sum += x[n * D + d] * w[d * M + m];
            right = right && out[n * M + m] == sum;
        }
    layers_call_clear(&call);
    return right;
}

static void *multiply_often(void *thread) {
    intptr_t wrong = 0;
    for (int round = 0; round < CALLS; round++)
        wrong += !product_is_right((intptr_t)thread, round);
    return (void *)wrong;
}

Test(threads, do_not_mix_their_products) {
    pthread_t thread[THREADS];
    for (intptr_t i = 0; i < THREADS; i++)
        cr_assert_eq(pthread_create(&thread[i], NULL, multiply_often, (void *)i), 0);
    for (int i = 0; i < THREADS; i++) {
        void *wrong;
        pthread_join(thread[i], &wrong);
        cr_assert_eq((intptr_t)wrong, 0, "thread %d: %ld of %d products are wrong", i,
                     (long)(intptr_t)wrong, CALLS);
    }
}

Test(threads, are_what_the_blas_is_built_for) {
    layers_error error;
    cr_assert_eq(layers_check_blas(&error), LAYERS_OK, "%s", error.message);
}
