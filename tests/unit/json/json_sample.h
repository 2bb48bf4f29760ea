/* Number arrays in JSON, made at random, the same on every run. */
#ifndef UNIT_JSON_SAMPLE_H
#define UNIT_JSON_SAMPLE_H

#include <stdbool.h>
#include <stddef.h>

#include "common/random_bits.h"

enum { SAMPLE_TEXT = 1 << 14, SAMPLE_NUMBERS = 512, SAMPLE_RANK = 4 };

typedef struct {
    uint64_t random;
    bool odd; /* may have words among its numbers, lists of another length, and empty ones */
    char text[SAMPLE_TEXT]; /* ends with a zero byte behind `length` */
    size_t length;
    int rank;
    size_t shape[SAMPLE_RANK];
    size_t count;
    double f64[SAMPLE_NUMBERS]; /* the numbers as strtod and strtof read them */
    float f32[SAMPLE_NUMBERS];
} json_sample;

/* The next one, from `random`. */
void sample_make(json_sample *s);

/* Changes a byte of the text to another, puts one in, or takes one out. */
void sample_change(json_sample *s);

#endif
