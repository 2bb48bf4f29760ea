/* Sums of products, for the files of this folder: how much arithmetic can lose of one, and plain
 * ones for faults. */
#ifndef ANSWERS_SUMS_H
#define ANSWERS_SUMS_H

#include <math.h>

#include "checks/check.h"

/* How far a sum of k terms may be from the right one, where the absolute values of its terms have
 * the sum g: any order, with or without FMA, on either side. Inputs that were rounded first cost
 * two units more, and one for what is rounded in between. A sum that is not finite is so in any
 * order, and compared as it is. */
static inline double sum_bound(const layers_check *check, size_t k, double g, double right) {
    if (!isfinite(right))
        return 0;
    double terms = (double)k + (check->rounded ? 4 : 1);
    return 4 * (terms * check->unit * g + 2 * check->unit * fabs(right)) + 4 * check->tiny;
}

/* Σ a_i · b_i of vectors whose elements lie so far apart. */
static inline double dot(size_t length, const double *a, size_t a_step, const double *b,
                         size_t b_step) {
    double sum = 0;
    for (size_t i = 0; i < length; i++)
        sum += a[i * a_step] * b[i * b_step];
    return sum;
}

static inline double sum_of_row(const double *a, size_t length) {
    double sum = 0;
    for (size_t i = 0; i < length; i++)
        sum += a[i];
    return sum;
}

/* The Euclidean norm of each of the rows of a matrix (rows, columns), and of each of its columns:
 * never too small, also where squares vanish. */
void row_norms(const double *a, size_t rows, size_t columns, double *norm);
void column_norms(const double *a, size_t rows, size_t columns, double *norm);

/* Σ|a| of each column. */
void column_absolute_sums(const double *a, size_t rows, size_t columns, double *sum);

#endif
