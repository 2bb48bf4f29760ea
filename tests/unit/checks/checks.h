/* Checks for the tests, made in one line each, and arithmetic in the precision of their claims.
 * Whatever fails in here fails the test. */
#ifndef UNIT_CHECKS_H
#define UNIT_CHECKS_H

#include "checks/check.h"
#include "common/check.h"
#include "unit/calls.h"

typedef struct {
    layers_question question;
    layers_call asked; /* filled in by `give` and its like, and empty once answered */
    layers_check *check;
} asking;

void ask(asking *a, const char *layer, const char *operation, layers_dtype dtype);
void drop_asked(asking *a);

/* Gives it a tensor of the dtype that was asked for, labels, a number, a choice, by their names. */
void give_values(asking *a, const char *name, const size_t *shape, int rank, const double *values);
void give_labels(asking *a, const char *name, size_t count, const int64_t *labels);
void give_number(asking *a, const char *name, double number);
void give_choice(asking *a, const char *name, const char *choice);

/* Computes the right answer; claims are in `precision`. */
void answer(asking *a, layers_dtype precision);

/* The place of a claim by its name: "out", or "velocity". */
int output_of(const asking *a, const char *name);

/* Judges a claim of any shape; one of the right shape; and holds what is found to a verdict and a
 * fault, NULL for none. */
layers_finding finding_of_tensor(const asking *a, const char *name, const layers_tensor *claim);
layers_finding finding_of(const asking *a, const char *name, const double *values);
void assert_found(const asking *a, const char *name, const double *values, layers_verdict verdict,
                  const char *fault);

/* The right answer. */
const double *right_of(const asking *a, const char *name);

/* How far a claim is from right, in bounds: of the element that is farthest. */
double worst_of(const asking *a, const char *name, const double *values);

/* Of a call in float64, of one in float32, and of one in float64 whose claims were computed in
 * float32. */
typedef struct {
    layers_dtype dtype, precision;
} precisions;
#define PRECISIONS 3
extern const precisions precisions_of[PRECISIONS];

/* A number rounded to a precision: sums, products, quotients and roots of such numbers that are
 * taken in double and rounded by it are those of that precision. */
static inline double rounded(layers_dtype precision, double number) {
    return precision == LAYERS_F32 ? (double)(float)number : number;
}

#endif
