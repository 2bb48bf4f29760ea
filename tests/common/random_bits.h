/* Random numbers for tests, the same on every run: splitmix64 (Steele, Lea & Flood, 2014). */
#ifndef TESTS_RANDOM_BITS_H
#define TESTS_RANDOM_BITS_H

#include <stdint.h>

static inline uint64_t random_bits(uint64_t *state) {
    uint64_t z = (*state += 0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return z ^ (z >> 31);
}

/* 0 to bound - 1. */
static inline uint64_t random_below(uint64_t *state, uint64_t bound) {
    return random_bits(state) % bound;
}

#endif
