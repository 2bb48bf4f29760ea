/* What right and wrong answers to the normalisations have in common: batchnorm, layernorm,
 * spatial_batchnorm and spatial_groupnorm differ in which numbers make up a set.
 *
 * An array is seen as (O, A, K, B): the numbers of one o and one k are a set, over all a and b. So
 * batchnorm is (1, N, D, 1), and layernorm (N, 1, 1, D). A wrong axis is other lengths, and most
 * faults are a formula for the deviation; what they give in backward is the gradient of that. */
#ifndef ANSWERS_NORMALISED_H
#define ANSWERS_NORMALISED_H

#include "bn_param.h"
#include "checks/check.h"

enum { NORMALISED_X, NORMALISED_GAMMA, NORMALISED_BETA }; /* forward's inputs */
enum { NORMALISED_DX, NORMALISED_DGAMMA, NORMALISED_DBETA };

typedef struct {
    size_t O, A, K, B;
} grouping;

/* Which gamma and beta an element has: number i / inner % count. */
typedef struct {
    size_t inner, count;
} scaling;

/* A call. */
typedef struct {
    const layers_check *check;
    size_t N, C, plane; /* (N, D) is (N, C, 1) */
    size_t groups;      /* 0 where the layer has none */
    bool over_batch;    /* sets go over the examples: a batchnorm */
    bool fixed;         /* test mode: the running statistics normalise */
    bool own;           /* each set has one gamma, and each gamma one set */
    size_t size;
    double eps;
    grouping sets;
    scaling scales;
    const double *x, *gamma, *beta, *dout; /* dout: NULL in forward */
} normalised;

normalised normalised_of(const layers_check *check);
/* Of forward's inputs and parameters. */
normalised normalised_of_call(const layers_call *forward);

/* ---- sets --------------------------------------------------------------------------------------
 */

/* The same sets, in runs as long as there are: K is 1 only where B is above. */
grouping grouping_of(size_t O, size_t A, size_t K, size_t B);

static inline size_t sets_of(const grouping *g) {
    return g->O * g->K;
}
static inline size_t members_of(const grouping *g) {
    return g->A * g->B;
}
static inline size_t set_of(const grouping *g, size_t i) {
    return i / (g->A * g->K * g->B) * g->K + i / g->B % g->K;
}
/* Elements that have one gamma. */
static inline size_t terms_of(const normalised *n) {
    return n->scales.count ? n->size / n->scales.count : 0;
}
static inline size_t scale_of(const scaling *s, size_t i) {
    return i / s->inner % s->count;
}

enum { PANEL = 64 };

/* The same number for elements beside each other. */
static inline void spread(double number, size_t width, double *to) {
    for (size_t j = 0; j < width; j++)
        to[j] = number;
}

/* Sums over the members of one set, or of sets beside each other, one a place. With d the distance
 * from the mean, and g = gamma · dout: of |x|, d², g, g · d, |g|, |g · d|. */
typedef struct {
    double mean[PANEL], rest[PANEL]; /* the mean is their sum */
    double absolute[PANEL], squares[PANEL];
    double g[PANEL], gd[PANEL], absolute_g[PANEL], absolute_gd[PANEL];
} panel;

/* Sets k .. k + width of part o: as many as panel_width says. */
typedef struct {
    const normalised *n;
    const grouping *sets;
    const scaling *scales; /* NULL: 1 stands for gamma */
    size_t o, k, width;
} block;

size_t panel_width(const grouping *sets, size_t k);

/* Sums, for means that are there; and the means. */
void panel_sum(const block *block, panel *sums);
void panel_means(const block *block, panel *sums);

/* ---- the notes of a check ----------------------------------------------------------------------
 */

/* What is known of each set, each a list. With s = sqrt(var + eps), and how far correct arithmetic
 * may be from xhat = (x − mean) / s: flat + |xhat| · steep. `g` and `gd` are sums of dout instead
 * of gamma · dout where each set has its own gamma. */
enum {
    SET_MEAN,
    SET_REST,
    SET_VARIANCE,
    SET_G,
    SET_GD,
    SET_INV_STD,
    SET_FLAT,
    SET_STEEP,
    SET_FACTOR, /* dx: factor · |g| + level + |xhat| · slope */
    SET_LEVEL,
    SET_SLOPE,
    SET_MEAN_BOUND = SET_FACTOR, /* forward: of the mean and of the variance */
    SET_VARIANCE_BOUND = SET_LEVEL,
    SET_NUMBERS = SET_SLOPE + 1,
};

/* Of all sets together: mean and variance of the whole array; mean and standard deviation of the
 * sets' variances; sums of g, of g · xhat; and with gamma · dout in the place of g in any case, of
 * that times d, of itself, of it times xhat. */
enum {
    ALL_MEAN,
    ALL_VARIANCE,
    ALL_MEAN_VARIANCE,
    ALL_STD_VARIANCE,
    ALL_G,
    ALL_GXHAT,
    ALL_GD,
    ALL_SCALED_G,
    ALL_SCALED_GXHAT,
    ALL_NUMBERS,
};

static inline const double *note_of_all(const normalised *n) {
    return n->check->notes;
}
static inline double *note_of_sets(const normalised *n, int which) {
    return n->check->notes + ALL_NUMBERS + (size_t)which * sets_of(&n->sets);
}
/* The bounds of dgamma and dbeta. */
static inline double *note_of_scales(const normalised *n, int output) {
    return n->check->notes + ALL_NUMBERS + SET_NUMBERS * sets_of(&n->sets) +
           (output == NORMALISED_DGAMMA ? 0 : n->scales.count);
}

size_t normalised_notes(const layers_check *check);
void normalised_note(const layers_check *check, double *notes);
void normalised_bound(const layers_check *check, int output, size_t first, size_t count,
                      double *bound);

/* ---- faults ------------------------------------------------------------------------------------
 */

typedef enum {
    ROOT, /* sqrt(v + eps), as it should be */
    EPS_MISSING,
    EPS_OUTSIDE,
    EPS_TWICE,
    EPS_SUBTRACTED,
    EPS_FIXED, /* the recipe's, whatever was given */
    NOT_ROOT,
    UNBIASED,
    OF_EVERYTHING,     /* one variance, of the whole array */
    MEAN_OF_VARIANCES, /* one, of the distances from the sets' means */
    STD_OF_VARIANCES,
    CANCELLING, /* E[x²] − mean², in the claims' dtype */
    NO_DEVIATION,
} deviation;

typedef enum {
    EXACT,    /* of what the recipe gives in forward */
    TEXTBOOK, /* the right formula, with the recipe's deviation in it */
    HELD_CONSTANT,
    NO_MEAN_TERM,
    NO_VARIANCE_TERM,
    NOT_DIVIDED,
    SUMS_OF_EVERYTHING,        /* of dout: gamma multiplies them */
    SCALED_SUMS_OF_EVERYTHING, /* of gamma · dout */
    XHAT_KEPT,                 /* the right xhat, over the recipe's deviation */
} gradient;

/* What is the batch's in test mode too. */
typedef enum { OF_RUNNING, OF_BATCH, VARIANCE_OF_BATCH } source;

/* A way to normalise: for layers_fault.how. What is not said is right. */
typedef struct {
    grouping (*sets)(const normalised *n);
    scaling (*scales)(const normalised *n);
    deviation deviation;
    gradient gradient;
    double eps;      /* of EPS_FIXED */
    bool mean_stays; /* it is not subtracted */
    bool gamma_missing, beta_missing;
    source source;
} recipe;

/* Faults that are no recipe, for layers_fault.variant. */
enum {
    BY_RECIPE,
    DIVIDED, /* a mean for a sum */
    MOVED_BACK_WRONGLY,
    RUNNING_OVERWRITTEN,
    RUNNING_ADDED,
    RUNNING_ADDED_SHARE,
    RUNNING_ADDED_WHOLE,
    RUNNING_SWAPPED,
    RUNNING_EXCHANGED,
    RUNNING_LOST,
    RUNNING_STD,
    RUNNING_STD_EPS,
    RUNNING_UNBIASED,
    RUNNING_PLUS_EPS,
    RUNNING_MOVES,
};

size_t normalised_memo(const fault_view *view);
void normalised_fill(const fault_view *view, size_t first, size_t count, double *to);

/* Sets of faults. */
grouping sets_of_everything(const normalised *n);
grouping sets_of_examples(const normalised *n);
grouping sets_of_features(const normalised *n); /* over the examples, each place for itself */
grouping sets_of_channels(const normalised *n); /* over examples and planes */
grouping sets_of_planes(const normalised *n);
grouping sets_of_positions(const normalised *n); /* of an example, over its channels */
grouping sets_of_groups_over_batch(const normalised *n);
grouping sets_of_strided_groups(const normalised *n);
grouping sets_of_groups_of_size(const normalised *n);
grouping sets_of_group_positions(const normalised *n);
grouping sets_not_moved(const normalised *n);
scaling scales_not_moved(const normalised *n);
grouping sets_in_a_row(const normalised *n); /* as many as channels */
scaling scales_in_a_row(const normalised *n);
scaling scales_of_examples(const normalised *n);

/* For layers_fault.applies. */
bool normalised_trains(const layers_check *check);
bool normalised_trains_many(const layers_check *check); /* sets */
bool normalised_trains_members(const layers_check *check);
bool normalised_trains_square(const layers_check *check);
bool normalised_is_fixed(const layers_check *check);
bool normalised_has_other_eps(const layers_check *check);
bool normalised_has_no_thousandth(const layers_check *check);
bool normalised_has_rows(const layers_check *check);

#endif
