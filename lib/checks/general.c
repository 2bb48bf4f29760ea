/* What can be the matter with an answer of any layer: its shape, a factor, the order of its
 * elements. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "blocks.h"
#include "checks/judge.h"

/* ---- another shape -----------------------------------------------------------------------------
 */

static const char *name_of(const judged *j) {
    const layers_operation *operation = j->check->operation;
    return j->output < LAYERS_MAX_TENSORS ? operation->outputs[j->output].name
                                          : operation->params[j->output - LAYERS_MAX_TENSORS].name;
}

layers_code shape_fault(const judged *j, layers_finding *finding, layers_error *error) {
    const layers_tensor *right = check_right(j->check, j->output);
    char claimed[96], wanted[96];
    const char *more = NULL;
    bool same = false;
    if (j->claim.size == j->size) {
        judged_sample sample;
        layers_code code = judged_sample_make(j, &sample, error);
        if (code != LAYERS_OK)
            return code;
        same = !judged_sample_differs(&sample); /* in their order */
        judged_sample_free(&sample);
    }
    if (j->check->answers->shape_says)
        more = j->check->answers->shape_says(j->check, j->output, &j->claim);
    if (!more && same && j->size > 0)
        more = "the values are right, so reshape them";
    finding->fault = "shape";
    snprintf(finding->says, sizeof finding->says, "%s has shape %s, but must have %s%s%s",
             name_of(j), layers_shape_text(j->claim.shape, j->claim.rank, claimed, sizeof claimed),
             layers_shape_text(right->shape, right->rank, wanted, sizeof wanted), more ? ": " : "",
             more ? more : "");
    return LAYERS_OK;
}

/* ---- each element for itself -------------------------------------------------------------------
 */

enum { TIMES_N, BY_N, NEGATED, DOUBLED, HALVED, TIMES_P, BY_P, CONSTANTS };

static const char *const constant_says[CONSTANTS] = {
    [TIMES_N] = "every element is N times the right one: it was summed where a mean is due, or the "
                "division by N is missing",
    [BY_N] = "every element is the right one divided by N: a mean was taken where a sum is due, or "
             "N divides twice",
    [NEGATED] = "every element has the wrong sign",
    [DOUBLED] = "every element is twice the right one",
    [HALVED] = "every element is half the right one",
    [TIMES_P] = "every element is p times the right one: p scales once too often, or 1 / p is "
                "missing",
    [BY_P] = "every element is the right one divided by p once more",
};

static bool has_letter(const layers_check *check, char letter) {
    const layers_dims *dims = &check->forward.dims;
    for (int i = 0; i < dims->count; i++)
        if (dims->dim[i].letter == letter)
            return true;
    return false;
}

/* The factors that are tried; those that are 1, or that the call has not, are 0. */
static void constants_of(const layers_check *check, double constant[CONSTANTS]) {
    const layers_operation *forward = check->forward.operation;
    double n = has_letter(check, 'N') ? (double)check_length(check, 'N') : 0, p = 0;
    for (int i = 0; forward->params && forward->params[i].name; i++)
        if (!strcmp(forward->params[i].name, "p"))
            p = check_number(check, i);
    constant[TIMES_N] = n > 1 ? n : 0;
    constant[BY_N] = n > 1 ? 1 / n : 0;
    constant[NEGATED] = -1;
    constant[DOUBLED] = 2;
    constant[HALVED] = 0.5;
    constant[TIMES_P] = p < 1 ? p : 0;
    constant[BY_P] = p > 0 && p < 1 ? 1 / p : 0;
}

static layers_finding named(const char *code, const char *says) {
    layers_finding finding = {.verdict = LAYERS_WRONG, .fault = code};
    snprintf(finding.says, sizeof finding.says, "%s", says);
    return finding;
}

static bool times_constant(judged_sample *sample, layers_finding *finding) {
    const judged *j = sample->j;
    double constant[CONSTANTS];
    bool fits[CONSTANTS];
    constants_of(j->check, constant);
    for (int c = 0; c < CONSTANTS; c++)
        fits[c] = constant[c] != 0;
    for (size_t p = 0; p < sample->count; p++) {
        const judged_piece *piece = judged_sample_piece(sample, p);
        for (int c = 0; c < CONSTANTS; c++)
            for (size_t i = 0; i < piece->count; i++)
                fits[c] &= judged_agree(j->check, piece->claim[i],
                                        constant[c] * j->right[piece->first + i],
                                        (1 + fabs(constant[c])) * piece->bound[i]);
    }
    for (int c = CONSTANTS - 1; c >= 0; c--)
        if (fits[c])
            *finding = named("times_constant", constant_says[c]);
    return finding->fault;
}

/* Whether a claim is one of the inputs as it came. */
static bool unchanged_input(judged_sample *sample) {
    const judged *j = sample->j;
    const layers_check *check = j->check;
    bool any = false;
    for (int i = 0; i < 2 * LAYERS_MAX_TENSORS; i++) {
        const layers_call *call = i < LAYERS_MAX_TENSORS ? &check->forward : &check->backward;
        const layers_tensor *input = &call->inputs[i % LAYERS_MAX_TENSORS];
        if (input->dtype != LAYERS_F64 || input->size != j->size || !input->data)
            continue;
        bool same = true;
        for (size_t p = 0; p < sample->count; p++) {
            const judged_piece *piece = judged_sample_piece(sample, p);
            for (size_t e = 0; e < piece->count; e++)
                same &= piece->claim[e] == ((const double *)input->data)[piece->first + e];
        }
        any |= same;
    }
    return any;
}

/* Whether a claim in float64 is made of float32 numbers, and right but for that. */
static bool float32_values(judged_sample *sample) {
    const judged *j = sample->j;
    bool fits = j->check->precision == LAYERS_F64;
    for (size_t p = 0; p < sample->count; p++) {
        const judged_piece *piece = judged_sample_piece(sample, p);
        for (size_t i = 0; i < piece->count; i++) {
            double claim = piece->claim[i], bound = piece->bound[i] * 0x1p29;
            fits &= (isnan(claim) || (double)(float)claim == claim) &&
                    judged_agree(j->check, claim, j->right[piece->first + i], bound);
        }
    }
    return fits;
}

/* ---- elements in other places ------------------------------------------------------------------
 */

/* Where the element that comes i-th in C order of a shape comes in the order of its columns
 * (Fortran's). */
static size_t column_major(const layers_tensor *shape, size_t i) {
    size_t place = 0, step = 1, index[LAYERS_MAX_RANK] = {0};
    for (int r = shape->rank - 1; r >= 0; r--) {
        index[r] = i % shape->shape[r];
        i /= shape->shape[r];
    }
    for (int r = 0; r < shape->rank; r++) {
        place += index[r] * step;
        step *= shape->shape[r];
    }
    return place;
}

/* The place in the right answer of what is claimed at i. */
typedef size_t place_of(const layers_tensor *shape, size_t i);

static bool placed_otherwise(judged_sample *sample, place_of *place) {
    const judged *j = sample->j;
    const layers_tensor *shape = check_right(j->check, j->output);
    bool fits = true;
    if (shape->rank < 2)
        return false;
    for (size_t p = 0; p < sample->count; p++) {
        const judged_piece *piece = judged_sample_piece(sample, p);
        for (size_t i = 0; i < piece->count; i++) {
            size_t from = place(shape, piece->first + i);
            double bound;
            j->check->answers->bound(j->check, j->output, from, 1, &bound);
            fits &= judged_agree(j->check, piece->claim[i], j->right[from], bound);
        }
    }
    return fits;
}

/* Of a square matrix. */
static bool transposed(judged_sample *sample) {
    const layers_tensor *shape = check_right(sample->j->check, sample->j->output);
    return shape->rank == 2 && shape->shape[0] == shape->shape[1] &&
           placed_otherwise(sample, column_major);
}

/* NaN comes last: an order of all numbers, as qsort asks for. */
static int by_value(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return isnan(x) || isnan(y) ? !!isnan(x) - !!isnan(y) : (x > y) - (x < y);
}

enum { SORTED_MOST = 1 << 14 };

/* The right values in other places. */
static layers_code order(const judged *j, bool *fits, layers_error *error) {
    double *claim = NULL, *right = NULL, bound = 0;
    judged_piece piece;
    *fits = false;
    if (j->size < 2 || j->size > SORTED_MOST)
        return LAYERS_OK;
    claim = malloc(2 * j->size * sizeof *claim);
    if (!claim)
        return layers_fail(error, LAYERS_NO_MEMORY, NULL, "no memory for a check");
    right = claim + j->size;
    *fits = true;
    for (size_t first = 0; first < j->size; first += CHECK_PIECE) {
        judged_read(j, first, &piece);
        for (size_t i = 0; i < piece.count; i++) {
            claim[first + i] = piece.claim[i];
            right[first + i] = j->right[first + i];
            bound = piece.bound[i] > bound ? piece.bound[i] : bound;
            *fits &= isfinite(piece.claim[i]) && isfinite(right[first + i]);
        }
    }
    *fits &= isfinite(bound);
    qsort(claim, j->size, sizeof *claim, by_value);
    qsort(right, j->size, sizeof *right, by_value);
    for (size_t i = 0; i < j->size; i++)
        *fits &= fabs(claim[i] - right[i]) <= bound;
    free(claim);
    return LAYERS_OK;
}

/* ---- all together ------------------------------------------------------------------------------
 */

/* The first that fits is told. That of the shape stands for itself, and what a constant is told
 * with depends on it. */
enum {
    SHAPE,
    NOT_FINITE,
    ZEROS,
    UNCHANGED_INPUT,
    TIMES_CONSTANT,
    TRANSPOSED,
    TRANSPOSED_RESHAPE,
    ORDER,
    FLOAT32_VALUES,
    GENERAL
};

static const struct {
    const char *code, *says;
} general[GENERAL] = {
    [SHAPE] = {"shape", "the shape is another than the right one"},
    [NOT_FINITE] = {"not_finite", "there are NaN or infinities where numbers are due"},
    [ZEROS] = {"zeros", "every element is 0"},
    [UNCHANGED_INPUT] = {"unchanged_input", "this is an input, as it came"},
    [TIMES_CONSTANT] = {"times_constant",
                        "every element is the right one times −1, 2, 1/2, N, 1/N, "
                        "p or 1/p"},
    [TRANSPOSED] = {"transposed", "this is the right matrix, transposed"},
    [TRANSPOSED_RESHAPE] = {"transposed_reshape", "the values are right, but laid out by columns "
                                                  "(order 'F') where rows are due"},
    [ORDER] = {"order", "the values are right, but stand in other places"},
    [FLOAT32_VALUES] = {"float32_values",
                        "this was computed in float32: right to 7 digits where float64 gives 16"},
};

layers_code general_fault(judged_sample *sample, const comparison *seen, bool differs,
                          layers_finding *finding, layers_error *error) {
    layers_finding times = {0};
    bool fits[GENERAL] = {
        [NOT_FINITE] = seen->not_finite > 0,
        [ZEROS] = seen->nonzero == 0,
        [UNCHANGED_INPUT] = unchanged_input(sample) && differs,
        [TIMES_CONSTANT] = times_constant(sample, &times) && differs,
        [TRANSPOSED] = transposed(sample) && differs,
        [TRANSPOSED_RESHAPE] = placed_otherwise(sample, column_major) && differs,
        [FLOAT32_VALUES] = float32_values(sample) && differs,
    };
    layers_code code = order(sample->j, &fits[ORDER], error);
    if (code != LAYERS_OK)
        return code;
    for (int i = GENERAL; i-- > 0;)
        if (fits[i])
            *finding = i == TIMES_CONSTANT ? times : named(general[i].code, general[i].says);
    return LAYERS_OK;
}

const char *layers_fault_at(const layers_operation *operation, size_t i, const char **says) {
    if (operation) {
        const layers_fault *fault = &operation->answers->faults[i];
        *says = fault->says;
        return fault->code;
    }
    *says = i < GENERAL ? general[i].says : NULL;
    return i < GENERAL ? general[i].code : NULL;
}
