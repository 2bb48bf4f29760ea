/* What the softmax loss takes as a loop that anyone would write, a row at a time, compiled for this
 * machine alone and with what -ffast-math allows. */
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <time.h>

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

/* Seconds a call, on average over `times` of them. */
#define SOFTMAX(name, real, exponential)                                                           \
    double name(size_t N, size_t C, const real *scores, const int64_t *y, real *gradient,          \
                int threads, int times) {                                                          \
        volatile double loss;                                                                      \
        double start = now();                                                                      \
        for (int i = 0; i < times; i++) {                                                          \
            double total = 0;                                                                      \
            _Pragma(                                                                               \
                "omp parallel for num_threads(threads) reduction(+ : total)") for (size_t n = 0;   \
                                                                                   n < N; n++) {   \
                const real *x = scores + n * C;                                                    \
                real *restrict dx = gradient + n * C, largest = x[0], sum = 0;                     \
                for (size_t j = 0; j < C; j++)                                                     \
                    largest = x[j] > largest ? x[j] : largest;                                     \
                for (size_t j = 0; j < C; j++)                                                     \
                    sum += dx[j] = exponential(x[j] - largest);                                    \
                total += log(sum) - (x[y[n]] - largest);                                           \
                for (size_t j = 0; j < C; j++)                                                     \
                    dx[j] *= 1 / (sum * (real)N);                                                  \
                dx[y[n]] -= 1 / (real)N;                                                           \
            }                                                                                      \
            loss = total / (double)N;                                                              \
        }                                                                                          \
        (void)loss;                                                                                \
        return (now() - start) / times;                                                            \
    }

SOFTMAX(bench_softmax_f64, double, exp)
SOFTMAX(bench_softmax_f32, float, expf)
