/* Mean and variance of some numbers, whatever they are: for the few sets of which sums in double do
 * not tell. In long double, whose range none of the intermediate results leaves. For files that
 * both_dtypes.h includes: what is behind #ifdef REAL is for each REAL anew. */
#ifndef MOMENTS
#define MOMENTS
#include <float.h>
#include <math.h>
#include <stdint.h>
#include <string.h>

#include "kernel.h"

typedef struct {
    double mean, rest; /* the mean is their sum */
    double variance, inv_std;
} moments;

/* Two sums over the same numbers. */
typedef struct {
    double u, v;
} run_sums;

/* So many times the variance may squares be without a loss of digits. */
enum { LOST = 16 };

/* The first 29 of a number's 53 bits: products with counts are exact, and so are distances from it
 * where there are digits to spare. */
INLINED double shortened(double number) {
    uint64_t bits;
    memcpy(&bits, &number, sizeof bits);
    bits &= ~(uint64_t)0 << 24;
    memcpy(&number, &bits, sizeof number);
    return number;
}

/* a + b in double, and what that lacks. */
INLINED double two_sum(double a, double b, double *rest) {
    double sum = a + b, other = sum - a;
    *rest = (a - (sum - other)) + (b - other);
    return sum;
}

/* (sum + lost) / count in double, and what that lacks. */
INLINED double quotient(double sum, double lost, double count, double *rest) {
    double whole = sum / count, high = shortened(whole);
    *rest = (((sum - high * count) - (whole - high) * count) + lost) / count;
    return whole;
}
#endif

#ifdef REAL

/* Whether a factor is beyond the normal range of REAL. */
INLINED bool typed(is_beyond)(double factor) {
    const double least = sizeof(REAL) == 4 ? FLT_MIN : DBL_MIN;
    const double most = sizeof(REAL) == 4 ? FLT_MAX : DBL_MAX;
    return fabs(factor) < least || fabs(factor) > most;
}

/* Whether a mean, or a 1 / sqrt(var + eps), puts distances beyond the range of REAL: no number is
 * far from a mean that is less than half of the last place of the largest. */
INLINED bool typed(is_far)(double mean, double inv_std) {
    const double edge = sizeof(REAL) == 4 ? 0x1p102 : 0x1p969;
    return fabs(mean) >= edge || typed(is_beyond)(inv_std);
}

/* Numbers: runs of `length` beside each other, whose first ones are `apart`. */
typedef struct {
    const REAL *x;
    size_t runs, length, apart;
} typed(set);

/* Of a set. Distances from the first of them are exact where they are small: equal numbers have
 * their mean and the variance 0. */
static moments typed(moments_of)(const typed(set) * set, double eps) {
    long double sum = 0, left = 0, variance = 0, count = (long double)set->runs * set->length;
    const REAL *x = set->x;
    for (size_t i = 0; i < set->runs; i++)
        for (size_t j = 0; j < set->length; j++) {
            sum += x[i * set->apart + j];
            left += (long double)x[i * set->apart + j] - x[0];
        }
    if (!isfinite(sum))
        return (moments){(double)(sum / count), 0, NAN, NAN};
    left /= count;
    for (size_t i = 0; i < set->runs; i++)
        for (size_t j = 0; j < set->length; j++) {
            long double distance = (long double)x[i * set->apart + j] - x[0] - left;
            variance += distance * distance;
        }
    variance /= count;
    moments moments = {.mean = (double)(x[0] + left), .variance = (double)variance};
    moments.rest = (double)(x[0] - (long double)moments.mean + left);
    moments.inv_std = (double)(1 / sqrtl(variance + eps));
    return moments;
}

#endif
