/* What faults of a normalisation give: in forward, in backward as the gradient of that, and in the
 * running statistics. */
#include <math.h>

#include "answers/normalised.h"
#include "blocks.h"

static const recipe right_recipe;

static const recipe *recipe_of(const fault_view *view) {
    return view->fault->how ? view->fault->how : &right_recipe;
}

/* ---- statistics ----------------------------------------------------------------------------- */

/* What a fault has of its sets: from the notes, from the running statistics, or worked out when
 * they are asked for and kept in the memo. */
enum { MEMO_KNOWN, MEMO_MEAN, MEMO_REST, MEMO_VARIANCE, MEMO_G, MEMO_GD, MEMO_NUMBERS };

typedef struct {
    normalised n;
    const recipe *recipe;
    grouping sets;
    scaling scales;
    double *memo; /* NULL: the notes tell */
} kitchen;

/* One set, as the fault sees it. */
typedef struct {
    double mean, rest, variance;
    double g, gd;    /* sums, of gamma · dout */
    double s, slope; /* the deviation, and its derivative by the variance */
} cooked;

/* Whether the notes do not have what it takes. */
static bool has_own_sets(const normalised *n, const recipe *r) {
    bool own_g = n->dout && r->gamma_missing && !n->own;
    if (n->fixed)
        return r->source != OF_RUNNING;
    return r->sets || r->scales || own_g || r->deviation == CANCELLING;
}

static kitchen kitchen_of(const fault_view *view) {
    kitchen k = {.n = normalised_of(view->check), .recipe = recipe_of(view)};
    k.sets = k.recipe->sets ? k.recipe->sets(&k.n) : k.n.sets;
    k.scales = k.recipe->scales ? k.recipe->scales(&k.n) : k.n.scales;
    k.memo =
        has_own_sets(&k.n, k.recipe) || view->fault->variant == RUNNING_MOVES ? view->memo : NULL;
    return k;
}

size_t normalised_memo(const fault_view *view) {
    kitchen k = kitchen_of(view);
    bool own = has_own_sets(&k.n, k.recipe) || view->fault->variant == RUNNING_MOVES;
    return own ? MEMO_NUMBERS * sets_of(&k.sets) : 0;
}

/* E[x²] − mean² of a block's sets, each operation rounded, its terms added one by one. */
static void cancelling_variance(const block *block, double *to) {
    const grouping *g = block->sets;
    double sum[PANEL] = {0}, squares[PANEL] = {0}, count = (double)members_of(g);
    bool narrow = block->n->check->precision == LAYERS_F32;
#define ROUNDED(value) (narrow ? (double)(float)(value) : (value))
    for (size_t a = 0; a < g->A; a++)
        for (size_t b = 0; b < g->B; b++)
            for (size_t j = 0; j < block->width; j++) {
                size_t i = ((block->o * g->A + a) * g->K + block->k + j) * g->B + b;
                double x = ROUNDED(block->n->x[i]), square = ROUNDED(x * x);
                sum[j] = ROUNDED(sum[j] + x);
                squares[j] = ROUNDED(squares[j] + square);
            }
    for (size_t j = 0; j < block->width; j++) {
        double mean = ROUNDED(sum[j] / count), square = ROUNDED(mean * mean);
        to[j] = ROUNDED(ROUNDED(squares[j] / count) - square);
    }
#undef ROUNDED
}

/* Works out the sets beside set k. */
static void fill_memo(const kitchen *kitchen, size_t k) {
    const grouping *g = &kitchen->sets;
    size_t sets = sets_of(g), in_part = k % g->K;
    double *memo = kitchen->memo, variance[PANEL];
    panel sums;
    block block = {.n = &kitchen->n, .sets = g, .o = k / g->K};
    block.scales = kitchen->recipe->gamma_missing ? NULL : &kitchen->scales;
    block.k = g->B == 1 ? in_part - in_part % PANEL : in_part;
    block.width = panel_width(g, block.k);
    panel_means(&block, &sums);
    panel_sum(&block, &sums);
    for (size_t j = 0; j < block.width; j++)
        variance[j] = sums.squares[j] / (double)members_of(g);
    if (kitchen->recipe->deviation == CANCELLING)
        cancelling_variance(&block, variance);
    for (size_t j = 0; j < block.width; j++) {
        size_t set = block.o * g->K + block.k + j;
        memo[MEMO_KNOWN * sets + set] = 1;
        memo[MEMO_MEAN * sets + set] = sums.mean[j];
        memo[MEMO_REST * sets + set] = sums.rest[j];
        memo[MEMO_VARIANCE * sets + set] = variance[j];
        memo[MEMO_G * sets + set] = sums.g[j];
        memo[MEMO_GD * sets + set] = sums.gd[j];
    }
}

static cooked raw_set(const kitchen *kitchen, size_t k) {
    const normalised *n = &kitchen->n;
    const double *memo = kitchen->memo;
    size_t sets = sets_of(&kitchen->sets);
    if (memo) {
        if (!memo[MEMO_KNOWN * sets + k])
            fill_memo(kitchen, k);
        bool running = kitchen->recipe->source == VARIANCE_OF_BATCH;
        return (cooked){.mean = running ? note_of_sets(n, SET_MEAN)[k] : memo[MEMO_MEAN * sets + k],
                        .rest = running ? note_of_sets(n, SET_REST)[k] : memo[MEMO_REST * sets + k],
                        .variance = memo[MEMO_VARIANCE * sets + k],
                        .g = memo[MEMO_G * sets + k],
                        .gd = memo[MEMO_GD * sets + k]};
    }
    double gamma = n->own && n->dout && !kitchen->recipe->gamma_missing ? n->gamma[k] : 1;
    return (cooked){.mean = note_of_sets(n, SET_MEAN)[k],
                    .rest = note_of_sets(n, SET_REST)[k],
                    .variance = note_of_sets(n, SET_VARIANCE)[k],
                    .g = gamma * note_of_sets(n, SET_G)[k],
                    .gd = gamma * note_of_sets(n, SET_GD)[k]};
}

/* The deviation that a recipe makes of a variance, and its derivative. */
static void set_deviation(const kitchen *kitchen, cooked *set) {
    const normalised *n = &kitchen->n;
    const double *all = note_of_all(n), eps = n->eps;
    double v = set->variance, count = (double)members_of(&kitchen->sets), add = eps, times = 1;
    switch (kitchen->recipe->deviation) {
    case ROOT:
    case CANCELLING:
        break;
    case EPS_MISSING:
        add = 0;
        break;
    case EPS_TWICE:
        add = 2 * eps;
        break;
    case EPS_SUBTRACTED:
        add = -eps;
        break;
    case EPS_FIXED:
        add = kitchen->recipe->eps;
        break;
    case UNBIASED:
        times = count / (count - 1);
        break;
    case OF_EVERYTHING:
        v = all[ALL_VARIANCE];
        break;
    case MEAN_OF_VARIANCES:
        v = all[ALL_MEAN_VARIANCE];
        break;
    case EPS_OUTSIDE:
        set->s = sqrt(v) + eps;
        set->slope = 0.5 / sqrt(v);
        return;
    case NOT_ROOT:
        set->s = v + eps;
        set->slope = 1;
        return;
    case STD_OF_VARIANCES:
        set->s = all[ALL_STD_VARIANCE];
        set->slope = (v - all[ALL_MEAN_VARIANCE]) / ((double)sets_of(&kitchen->sets) * set->s);
        return;
    case NO_DEVIATION:
        set->s = 1;
        set->slope = 0;
        return;
    }
    set->s = sqrt(v * times + add);
    set->slope = 0.5 * times / set->s;
}

static cooked cook(const kitchen *kitchen, size_t k) {
    cooked set = raw_set(kitchen, k);
    set_deviation(kitchen, &set);
    return set;
}

/* The sets of elements one after the other: each is cooked once for its run. */
typedef struct {
    bool known;
    size_t k;
    cooked set;
} last_set;

static const cooked *cooked_of(const kitchen *kitchen, size_t i, last_set *last) {
    size_t k = set_of(&kitchen->sets, i);
    if (!last->known || last->k != k)
        *last = (last_set){true, k, cook(kitchen, k)};
    return &last->set;
}

/* ---- forward -------------------------------------------------------------------------------- */

/* x without the mean, where that is subtracted. */
static double moved(const kitchen *kitchen, const cooked *set, size_t i) {
    double x = kitchen->n.x[i];
    return kitchen->recipe->mean_stays ? x : (x - set->mean) - set->rest;
}

static void fill_out(const kitchen *kitchen, size_t first, size_t count, double *to) {
    const normalised *n = &kitchen->n;
    last_set last = {0};
    for (size_t i = first; i < first + count; i++) {
        const cooked *set = cooked_of(kitchen, i, &last);
        size_t s = scale_of(&kitchen->scales, i);
        double gamma = kitchen->recipe->gamma_missing ? 1 : n->gamma[s];
        double beta = kitchen->recipe->beta_missing ? 0 : n->beta[s];
        to[i - first] = gamma * (moved(kitchen, set, i) / set->s) + beta;
    }
}

/* ---- backward ------------------------------------------------------------------------------- */

/* What goes through the mean and through the variance into each element of a set: dx = g / s −
 * mean − d · variance. */
typedef struct {
    double through_mean, through_variance;
} ways;

static ways textbook_ways(const cooked *set, double g, double gxhat, double count) {
    return (ways){g / count / set->s, gxhat / count / (set->s * set->s)};
}

static ways exact_ways(const kitchen *kitchen, const cooked *set, double count) {
    const recipe *r = kitchen->recipe;
    double gd = set->gd;
    bool alike = r->deviation == OF_EVERYTHING || r->deviation == MEAN_OF_VARIANCES;
    if (alike || r->deviation == STD_OF_VARIANCES)
        gd = note_of_all(&kitchen->n)[ALL_GD];
    else if (r->mean_stays)
        gd += set->mean * set->g;
    if (alike)
        count = (double)kitchen->n.size;
    ways w = {0, 2 / count * set->slope * gd / (set->s * set->s)};
    w.through_mean = r->mean_stays ? 0 : set->g / (double)members_of(&kitchen->sets) / set->s;
    return w;
}

static ways ways_of(const kitchen *kitchen, const cooked *set, size_t k) {
    const normalised *n = &kitchen->n;
    double count = (double)members_of(&kitchen->sets), gxhat = set->gd / set->s;
    gradient gradient = kitchen->recipe->gradient;
    if (n->fixed && gradient == EXACT && kitchen->recipe->source == OF_RUNNING)
        gradient = HELD_CONSTANT;
    ways w = textbook_ways(set, set->g, gxhat, count);
    const double *all = note_of_all(n);
    switch (gradient) {
    case EXACT:
        return exact_ways(kitchen, set, count);
    case TEXTBOOK:
        return w;
    case HELD_CONSTANT:
        return (ways){0, 0};
    case NO_MEAN_TERM:
        return (ways){0, w.through_variance};
    case NO_VARIANCE_TERM:
        return (ways){w.through_mean, 0};
    case NOT_DIVIDED:
        return textbook_ways(set, set->g, gxhat, 1);
    case SCALED_SUMS_OF_EVERYTHING:
        return textbook_ways(set, all[ALL_SCALED_G], all[ALL_SCALED_GXHAT], count);
    case XHAT_KEPT:
        return (ways){w.through_mean, set->gd / count / set->s / (set->variance + n->eps)};
    case SUMS_OF_EVERYTHING:
        break;
    }
    double gamma = n->own ? n->gamma[k] : 1;
    return textbook_ways(set, gamma * all[ALL_G], gamma * all[ALL_GXHAT], count);
}

static void fill_dx(const kitchen *kitchen, size_t first, size_t count, double *to) {
    const normalised *n = &kitchen->n;
    last_set last = {0};
    ways w = {0};
    for (size_t i = first; i < first + count; i++) {
        size_t k = last.k;
        bool known = last.known;
        const cooked *set = cooked_of(kitchen, i, &last);
        if (!known || last.k != k)
            w = ways_of(kitchen, set, last.k);
        double gamma = kitchen->recipe->gamma_missing ? 1 : n->gamma[scale_of(&kitchen->scales, i)];
        double d = (n->x[i] - set->mean) - set->rest;
        if (kitchen->recipe->deviation == OF_EVERYTHING && kitchen->recipe->gradient == EXACT)
            d = n->x[i] - note_of_all(n)[ALL_MEAN];
        to[i - first] = gamma * n->dout[i] / set->s - w.through_mean - d * w.through_variance;
    }
}

/* Adds dout · xhat of elements beside each other to one sum, or to sums beside each other. */
static void add_products(const kitchen *kitchen, size_t i, size_t length, bool apart, double *to) {
    const normalised *n = &kitchen->n;
    const grouping *g = &kitchen->sets;
    size_t alike;
    for (size_t end = i + length; i < end; i += alike) {
        cooked set = cook(kitchen, set_of(g, i));
        double inv = 1 / set.s;
        alike = g->B == 1 ? 1 : at_most(end - i, g->B - i % g->B);
        for (size_t j = 0; j < alike; j++) {
            *to += n->dout[i + j] * (moved(kitchen, &set, i + j) * inv);
            to += apart;
        }
    }
}

/* Sums over the elements of gammas, for dgamma and dbeta. */
static void fill_sums(const kitchen *kitchen, int output, size_t first, size_t count, double *to) {
    const normalised *n = &kitchen->n;
    const scaling *s = &kitchen->scales;
    bool beside = s->inner == 1;
    size_t times = n->size / (s->inner * s->count), runs = beside ? 1 : count;
    size_t length = beside ? count : s->inner;
    for (size_t p = 0; p < count; p++)
        to[p] = 0;
    for (size_t o = 0; o < times; o++)
        for (size_t r = 0; r < runs; r++) {
            size_t i = (o * s->count + first + r) * s->inner;
            if (output == NORMALISED_DGAMMA)
                add_products(kitchen, i, length, beside, to + r);
            else
                for (size_t j = 0; j < length; j++)
                    to[beside ? j : r] += n->dout[i + j];
        }
}

/* dgamma where each set's sums are at hand. */
static void fill_own_dgamma(const kitchen *kitchen, size_t first, size_t count, double *to) {
    const normalised *n = &kitchen->n;
    for (size_t k = first; k < first + count; k++) {
        cooked set = cook(kitchen, k);
        double mean = kitchen->recipe->mean_stays ? set.mean : 0;
        double gd = note_of_sets(n, SET_GD)[k] + mean * note_of_sets(n, SET_G)[k];
        to[k - first] = gd / set.s;
    }
}

/* ---- running statistics --------------------------------------------------------------------- */

static double running(const kitchen *kitchen, const fault_view *view, size_t i) {
    const normalised *n = &kitchen->n;
    bool is_mean = view->output == CLAIM_PARAM(RUNNING_MEAN);
    size_t sets = sets_of(&kitchen->sets);
    cooked set = raw_set(kitchen, sets == 1 ? 0 : i);
    double old = check_before(view->check, is_mean ? RUNNING_MEAN : RUNNING_VAR)[i];
    double m = check_number(view->check, MOMENTUM), sample = is_mean ? set.mean : set.variance;
    double count = (double)members_of(&kitchen->sets);
    if (kitchen->recipe->deviation == OF_EVERYTHING)
        sample = note_of_all(n)[ALL_VARIANCE];
    if (kitchen->recipe->deviation == MEAN_OF_VARIANCES)
        sample = note_of_all(n)[ALL_MEAN_VARIANCE];
    switch (view->fault->variant) {
    case RUNNING_OVERWRITTEN:
        return sample;
    case RUNNING_ADDED:
        return old + sample;
    case RUNNING_ADDED_SHARE:
        return old + (1 - m) * sample;
    case RUNNING_ADDED_WHOLE:
        return m * old + sample;
    case RUNNING_SWAPPED:
        return (1 - m) * old + m * sample;
    case RUNNING_EXCHANGED:
        return m * old + (1 - m) * (is_mean ? set.variance : set.mean);
    case RUNNING_LOST:
        return old;
    case RUNNING_STD:
        return m * old + (1 - m) * sqrt(sample);
    case RUNNING_STD_EPS:
        return m * old + (1 - m) * sqrt(sample + n->eps);
    case RUNNING_UNBIASED:
        return m * old + (1 - m) * (sample * count / (count - 1));
    case RUNNING_PLUS_EPS:
        return m * old + (1 - m) * (sample + n->eps);
    default:
        return m * old + (1 - m) * sample;
    }
}

/* ---- all faults ----------------------------------------------------------------------------- */

/* Gradients of gamma and beta as means, over the elements that each of them has. */
static void fill_divided(const normalised *n, int output, size_t first, size_t count, double *to) {
    const double *right = check_values(n->check, output);
    double terms = (double)terms_of(n);
    for (size_t i = 0; i < count; i++)
        to[i] = right[first + i] / terms;
}

/* The right values in the order (N, H, W, C). */
static void fill_not_moved_back(const normalised *n, int output, size_t first, size_t count,
                                double *to) {
    const double *right = check_values(n->check, output);
    for (size_t i = first; i < first + count; i++) {
        size_t c = i % n->C, position = i / n->C % n->plane, example = i / n->C / n->plane;
        to[i - first] = right[(example * n->C + c) * n->plane + position];
    }
}

void normalised_fill(const fault_view *view, size_t first, size_t count, double *to) {
    kitchen k = kitchen_of(view);
    bool at_hand = k.n.own && !k.memo && !k.recipe->sets && !k.recipe->scales;
    if (view->fault->variant == DIVIDED)
        fill_divided(&k.n, view->output, first, count, to);
    else if (view->fault->variant == MOVED_BACK_WRONGLY)
        fill_not_moved_back(&k.n, view->output, first, count, to);
    else if (view->output >= LAYERS_MAX_TENSORS)
        for (size_t i = first; i < first + count; i++)
            to[i - first] = running(&k, view, i);
    else if (!k.n.dout)
        fill_out(&k, first, count, to);
    else if (view->output == NORMALISED_DX)
        fill_dx(&k, first, count, to);
    else if (view->output == NORMALISED_DGAMMA && at_hand)
        fill_own_dgamma(&k, first, count, to);
    else
        fill_sums(&k, view->output, first, count, to);
}
