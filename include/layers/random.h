/* NumPy's legacy random numbers: what numpy.random.seed(s); numpy.random.rand(...) gives, bit for
 * bit. MT19937 of Matsumoto and Nishimura, "Mersenne Twister: A 623-dimensionally equidistributed
 * uniform pseudo-random number generator", ACM TOMACS 8 (1998), with init_genrand's seeding. */
#ifndef LAYERS_RANDOM_H
#define LAYERS_RANDOM_H

#include "layers/tensor.h"

#ifdef __cplusplus
extern "C" {
#endif

#define LAYERS_MT_WORDS 624

typedef struct {
    uint32_t state[LAYERS_MT_WORDS];
    uint32_t word[LAYERS_MT_WORDS]; /* the current block of outputs */
    int used;                       /* words of the block that have been taken */
} layers_random;

/* Starts the sequence of numpy.random.seed(seed). */
LAYERS_API void layers_random_seed(layers_random *random, uint32_t seed);

/* The next 53 bits: numpy.random.random_sample() is this number / 2^53. */
LAYERS_API uint64_t layers_random_53(layers_random *random);

/* Sets bit i of `mask` (least significant first) where the i-th of the next `count` numbers of
 * random_sample() is below p; bits past `count` in the last byte are 0. `mask` has (count + 7) / 8
 * bytes. */
LAYERS_API void layers_random_mask(layers_random *random, double p, size_t count, uint8_t *mask);

/* A seed from the kernel's generator, for a call that was given none; falls back on the clock where
 * the kernel has no generator. */
LAYERS_API uint32_t layers_random_draw_seed(void);

#ifdef __cplusplus
}
#endif
#endif
