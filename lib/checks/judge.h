/* How one claim is compared, piece by piece, with the right answer and with what faults give. */
#ifndef CHECKS_JUDGE_H
#define CHECKS_JUDGE_H

#include "checks/check.h"

enum { CHECK_PIECE = 256 }; /* elements that are looked at together */

/* A claim, and what it is a claim of: in the shape of the right answer. */
typedef struct {
    const layers_check *check;
    int output;
    layers_tensor claim; /* LAYERS_F64 or LAYERS_F32 */
    const double *right;
    size_t size;
    const layers_tolerance *tolerance; /* NULL for none */
} judged;

/* Some elements of it. */
typedef struct {
    size_t first, count;
    double claim[CHECK_PIECE], bound[CHECK_PIECE];
} judged_piece;

void judged_read(const judged *j, size_t first, judged_piece *piece);

/* Whether two numbers are the same but for a bound: NaN is NaN, an infinity the same infinity, or
 * in float32 a number that is out of its range. With an infinite bound all are. */
bool judged_agree(const layers_check *check, double claim, double value, double bound);

/* What is looked at of a claim to name what is wrong with it: all of a small one, pieces spread
 * over a large one, so that a fault never costs more than a few milliseconds. None of them is left
 * out once one does not fit: how long it takes tells nothing. Each is read once, when it is first
 * asked for. */
typedef struct {
    const judged *j;
    size_t count, apart, read; /* pieces; elements between their starts; pieces that are read */
    judged_piece *pieces;
} judged_sample;

/* LAYERS_NO_MEMORY, or judged_sample_free is due. */
layers_code judged_sample_make(const judged *j, judged_sample *sample, layers_error *error);
void judged_sample_free(judged_sample *sample);

/* Its p-th piece, from 0 on. */
const judged_piece *judged_sample_piece(judged_sample *sample, size_t p);

/* Whether what is looked at is wrong somewhere: where it is not, it names nothing. */
bool judged_sample_differs(judged_sample *sample);

/* What the whole claim is like beside the right answer. */
typedef struct {
    size_t wrong, unclear, not_finite, nonzero; /* elements */
    double bounds, rights;                      /* sums of squares: of bounds, of right values */
    size_t worst;
    double worst_ratio, worst_error, worst_bound, worst_claim;
} comparison;

comparison judged_compare(const judged *j);

/* Whether a claim agrees with a fault in every element that is looked at, and the fault with the
 * right answer. `hurry`: the claim is right, and nothing is looked at behind the first element in
 * which the fault differs. */
typedef struct {
    bool claim, right;
    double apart; /* of claim and fault, in bounds, where they are farthest apart; at least 1 */
} fault_match;

layers_code fault_compare(judged_sample *sample, const layers_fault *fault, bool hurry,
                          fault_match *match, layers_error *error);

/* Names what is the matter with a wrong claim where no fault of the layer's own fits, if it is
 * anything that is known. `differs`: judged_sample_differs. */
layers_code general_fault(judged_sample *sample, const comparison *seen, bool differs,
                          layers_finding *finding, layers_error *error);

/* The same of a claim of another shape. */
layers_code shape_fault(const judged *j, layers_finding *finding, layers_error *error);

#endif
