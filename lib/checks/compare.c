/* A claim beside the right answer and beside faults, element by element. Where a claim is wrong,
 * how long that takes does not depend on where. */
#include <float.h>
#include <math.h>
#include <stdlib.h>

#include "blocks.h"
#include "checks/judge.h"
#include "kernel.h"

void judged_read(const judged *j, size_t first, judged_piece *piece) {
    piece->first = first;
    piece->count = at_most(CHECK_PIECE, j->size - first);
    if (j->claim.dtype == LAYERS_F32)
        for (size_t i = 0; i < piece->count; i++)
            piece->claim[i] = ((const float *)j->claim.data)[first + i];
    else
        for (size_t i = 0; i < piece->count; i++)
            piece->claim[i] = ((const double *)j->claim.data)[first + i];
    j->check->answers->bound(j->check, j->output, first, piece->count, piece->bound);
    for (size_t i = 0; i < piece->count; i++)
        if (isnan(piece->bound[i]) && isfinite(j->right[first + i]))
            piece->bound[i] = INFINITY; /* of numbers too large to tell */
    for (size_t i = 0; j->tolerance && i < piece->count; i++) {
        double loose = j->tolerance->rtol * fabs(j->right[first + i]) + j->tolerance->atol;
        if (loose > piece->bound[i])
            piece->bound[i] = fmin(loose, DBL_MAX);
    }
}

bool judged_agree(const layers_check *check, double claim, double value, double bound) {
    if (fabs(claim - value) <= bound || bound == INFINITY)
        return true;
    if (isnan(value) || isnan(claim))
        return isnan(value) && isnan(claim);
    if (claim == value)
        return true;
    return isinf(claim) && fabs(value) > 0.99 * check->huge && signbit(claim) == signbit(value);
}

/* Whether each element is plainly right: a number within a finite bound. Sums the squares of bounds
 * and right values, counts zeros, and tells the largest error in bounds. */
typedef struct {
    bool plain;
    double bounds, rights, ratio;
    size_t nonzero;
} quick;

/* Sums are of LOOKS lanes: in one each addition would wait for the last. */
enum { LOOKS = 16 };

KERNEL quick look(size_t count, const double *claim, const double *right, const double *bound) {
    double bounds[LOOKS] = {0}, rights[LOOKS] = {0}, ratio[LOOKS] = {0};
    size_t good[LOOKS] = {0}, nonzero[LOOKS] = {0}, i = 0;
    for (; i + LOOKS <= count; i += LOOKS)
        for (size_t l = 0; l < LOOKS; l++) {
            double error = fabs(claim[i + l] - right[i + l]), most = bound[i + l];
            double relative = error / (most + DBL_MIN);
            good[l] += (error <= most) & (most <= DBL_MAX);
            nonzero[l] += claim[i + l] != 0;
            ratio[l] = relative > ratio[l] ? relative : ratio[l];
            bounds[l] += most * most;
            rights[l] += right[i + l] * right[i + l];
        }
    for (; i < count; i++) {
        double error = fabs(claim[i] - right[i]), relative = error / (bound[i] + DBL_MIN);
        good[0] += error <= bound[i] && bound[i] <= DBL_MAX;
        nonzero[0] += claim[i] != 0;
        ratio[0] = relative > ratio[0] ? relative : ratio[0];
        bounds[0] += bound[i] * bound[i];
        rights[0] += right[i] * right[i];
    }
    for (size_t l = 1; l < LOOKS; l++) {
        bounds[0] += bounds[l];
        rights[0] += rights[l];
        good[0] += good[l];
        nonzero[0] += nonzero[l];
        ratio[0] = ratio[l] > ratio[0] ? ratio[l] : ratio[0];
    }
    return (quick){good[0] == count, bounds[0], rights[0], ratio[0], nonzero[0]};
}

static void note_worst(comparison *seen, const judged *j, const judged_piece *piece, size_t i,
                       double ratio) {
    double right = j->right[piece->first + i];
    if (ratio <= seen->worst_ratio)
        return;
    seen->worst = piece->first + i;
    seen->worst_ratio = ratio;
    seen->worst_claim = piece->claim[i];
    seen->worst_bound = piece->bound[i];
    seen->worst_error = fabs(piece->claim[i] - right);
}

/* Elements of all kinds, one by one. */
static void look_closely(const judged *j, const judged_piece *piece, comparison *seen) {
    for (size_t i = 0; i < piece->count; i++) {
        double claim = piece->claim[i], right = j->right[piece->first + i];
        double bound = piece->bound[i], ratio = fabs(claim - right) / (bound + DBL_MIN);
        bool agree = judged_agree(j->check, claim, right, bound);
        seen->unclear += bound == INFINITY;
        seen->wrong += !agree;
        seen->not_finite += !isfinite(claim) && isfinite(right);
        if (agree)
            ratio = isfinite(ratio) ? ratio : 0;
        else if (isnan(ratio))
            ratio = INFINITY;
        note_worst(seen, j, piece, i, ratio);
        if (isfinite(right) && isfinite(bound)) {
            seen->bounds += bound * bound;
            seen->rights += right * right;
        }
    }
}

/* Where each piece is plainly right: the worst element is one of the piece that has the largest
 * ratio. */
static void find_worst(const judged *j, size_t first, comparison *seen) {
    judged_piece piece;
    judged_read(j, first, &piece);
    for (size_t i = 0; i < piece.count; i++) {
        double error = fabs(piece.claim[i] - j->right[first + i]);
        note_worst(seen, j, &piece, i, error / (piece.bound[i] + DBL_MIN));
    }
}

/* False where a piece is not plainly right. */
static bool look_over(const judged *j, comparison *seen) {
    bool plain = true;
    size_t worst = 0;
    double ratio = -1;
    judged_piece piece;
    for (size_t first = 0; first < j->size; first += CHECK_PIECE) {
        judged_read(j, first, &piece);
        quick all = look(piece.count, piece.claim, j->right + first, piece.bound);
        plain &= all.plain;
        worst = all.ratio > ratio ? first : worst;
        ratio = all.ratio > ratio ? all.ratio : ratio;
        seen->nonzero += all.nonzero;
        seen->bounds += all.bounds;
        seen->rights += all.rights;
    }
    if (plain && j->size > 0)
        find_worst(j, worst, seen);
    return plain;
}

/* Where one piece is not plainly right all are looked at closely: how many are wrong does not show
 * in the time that it takes. */
comparison judged_compare(const judged *j) {
    comparison seen = {.worst_ratio = -1};
    judged_piece piece;
    if (look_over(j, &seen))
        return seen;
    seen = (comparison){.worst_ratio = -1, .nonzero = seen.nonzero};
    for (size_t first = 0; first < j->size; first += CHECK_PIECE) {
        judged_read(j, first, &piece);
        look_closely(j, &piece, &seen);
    }
    return seen;
}

layers_code judged_sample_make(const judged *j, judged_sample *sample, layers_error *error) {
    const double budget = 1 << 20;
    double each = j->size ? layers_check_work(j->check) / (double)j->size : 1;
    double most = budget / (each < 1 ? 1 : each);
    size_t elements = most < 1024 ? 1024 : most > 16384 ? 16384 : (size_t)most;
    size_t all = (j->size + CHECK_PIECE - 1) / CHECK_PIECE, some = elements / CHECK_PIECE;
    *sample = (judged_sample){.j = j, .count = all, .apart = CHECK_PIECE};
    if (all > some) {
        sample->count = some;
        sample->apart = (j->size - CHECK_PIECE) / (some - 1);
    }
    if (sample->count > 0 && !(sample->pieces = malloc(sample->count * sizeof *sample->pieces)))
        return layers_fail(error, LAYERS_NO_MEMORY, NULL, "no memory for a check");
    return LAYERS_OK;
}

void judged_sample_free(judged_sample *sample) {
    free(sample->pieces);
}

const judged_piece *judged_sample_piece(judged_sample *sample, size_t p) {
    for (; sample->read <= p; sample->read++)
        judged_read(sample->j, sample->read * sample->apart, &sample->pieces[sample->read]);
    return &sample->pieces[p];
}

bool judged_sample_differs(judged_sample *sample) {
    const judged *j = sample->j;
    bool differs = false;
    for (size_t p = 0; p < sample->count; p++) {
        const judged_piece *piece = judged_sample_piece(sample, p);
        for (size_t i = 0; i < piece->count; i++)
            differs |= !judged_agree(j->check, piece->claim[i], j->right[piece->first + i],
                                     piece->bound[i]);
    }
    return differs;
}

/* The largest bound there is; what cannot be told has none. */
static double widest_of(const judged_piece *piece) {
    double widest = 0;
    for (size_t i = 0; i < piece->count; i++)
        if (isfinite(piece->bound[i]) && piece->bound[i] > widest)
            widest = piece->bound[i];
    return widest;
}

/* Adds what the first `count` elements of a piece tell to *match. What a fault gives is rounded
 * too, also where the right answer is exact, or a sum of smaller terms: as much as any right one
 * beside it. */
static void match_piece(const judged *j, const judged_piece *piece, size_t count,
                        const fault_view *view, fault_match *match) {
    double fault[CHECK_PIECE], widest = widest_of(piece);
    view->fault->fill(view, piece->first, count, fault);
    for (size_t i = 0; i < count; i++) {
        double bound = piece->bound[i], own = 16 * j->check->unit * fabs(fault[i]);
        double close = bound + (isfinite(own) ? own : 0), loose = close > widest ? close : widest;
        match->claim &= judged_agree(j->check, piece->claim[i], fault[i], loose);
        double apart = fabs(piece->claim[i] - fault[i]) / (close + DBL_MIN);
        if (apart > match->apart && !judged_agree(j->check, piece->claim[i], fault[i], close))
            match->apart = apart;
        match->right &= judged_agree(j->check, fault[i], j->right[piece->first + i], 2 * bound);
    }
}

layers_code fault_compare(judged_sample *sample, const layers_fault *fault, bool hurry,
                          fault_match *match, layers_error *error) {
    const judged *j = sample->j;
    fault_view view = {j->check, fault, j->output, NULL};
    size_t memo = j->check->answers->memo ? j->check->answers->memo(&view) : 0;
    *match = (fault_match){.claim = true, .right = true, .apart = 1};
    if (memo > 0 && !(view.memo = calloc(memo, sizeof *view.memo)))
        return layers_fail(error, LAYERS_NO_MEMORY, NULL, "no memory for a check");
    if (hurry && sample->count > 0) { /* most faults show at once */
        const judged_piece *first = judged_sample_piece(sample, 0);
        match_piece(j, first, at_most(first->count, 8), &view, match);
    }
    for (size_t p = 0; p < sample->count && !(hurry && !match->right); p++) {
        const judged_piece *piece = judged_sample_piece(sample, p);
        match_piece(j, piece, piece->count, &view, match);
    }
    free(view.memo);
    return LAYERS_OK;
}
