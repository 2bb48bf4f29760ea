/* What right and wrong answers to dropout look like.
 *
 * in · (mask / p), in / p and in · (1 / (1 − q)) are all right: three roundings at most, and one of
 * p. Where the mask is 0 nothing is rounded. Faults are another mask, another factor, or both; a
 * factor is a product of powers of p and of 1 − p. Of a seed the faults' masks are known too, bit
 * for bit. */
#include <math.h>

#include "bits.h"
#include "checks/check.h"
#include "layers/random.h"

enum { X };                   /* forward's input */
enum { P, MODE, SEED, MASK }; /* dropout_param */
enum { TRAIN, TEST };

/* What is passed through: x, or dout in backward. */
static const layers_tensor *passed(const layers_check *check) {
    return check->backward.operation ? &check->backward.inputs[0] : &check->forward.inputs[X];
}

static bool bit_of(const uint8_t *bits, size_t i) {
    return bits[i / 8] >> i % 8 & 1;
}

/* The right mask; all ones in test mode. */
static const uint8_t *right_mask(const layers_check *check) {
    return check->forward.cache->saved[0].data;
}

static void bound(const layers_check *check, int output, size_t first, size_t count, double *to) {
    const double *right = check_values(check, output);
    bool exact = check_choice(check, MODE) == TEST && !check->rounded;
    double units = check->rounded ? 6 : 4;
    for (size_t i = first; i < first + count; i++)
        to[i - first] = exact || right[i] == 0 || !isfinite(right[i])
                            ? 0
                            : 4 * (units * check->unit * fabs(right[i]) + check->tiny);
}

static layers_code needs_seed(const layers_call *forward, layers_error *error) {
    const layers_value *param = forward->params;
    if (param[MODE].choice == TEST || param[SEED].given || param[MASK].given)
        return LAYERS_OK;
    return layers_fail(error, LAYERS_MISSING_FIELD, "dropout_param/seed",
                       "/dropout_param/seed is missing: in train mode a check needs the seed that "
                       "the mask was drawn with, or the mask itself as dropout_param/mask");
}

/* ---- faults ------------------------------------------------------------------------------------
 */

typedef enum {
    DRAWN,      /* the right one; in test mode that of the seed */
    NOT_DRAWN,  /* rand >= p */
    BELOW_REST, /* rand < 1 − p */
    FIRST_ROW,  /* rand(one row) < p, for all rows */
    ONE_A_ROW,  /* rand(N, 1) < p */
    NORMAL,     /* randn < p */
    ALL,
} mask_kind;

/* in · mask · p^p_power · (1 − p)^q_power */
typedef struct {
    mask_kind mask;
    int p_power, q_power;
} dropped;

/* Elements of one row: all but the first axis. */
static size_t row_of(const layers_check *check) {
    const layers_tensor *in = passed(check);
    return in->rank > 0 && in->shape[0] > 0 ? in->size / in->shape[0] : 1;
}

/* The next number of numpy.random.random_sample(), from −1 to 1. */
static double uniform(layers_random *random) {
    return 2 * ((double)layers_random_53(random) * 0x1p-53) - 1;
}

/* randn < p, where numpy.random.randn is the polar method of Marsaglia and Bray, "A convenient
 * method for generating normal variables", SIAM Review 6 (1964): numbers come in pairs, the one of
 * the second coordinate first. */
static void normal_mask(layers_random *random, double p, size_t count, uint8_t *bits) {
    for (size_t i = 0; i < count; i += 2) {
        double x, y, square;
        do {
            x = uniform(random);
            y = uniform(random);
            square = x * x + y * y;
        } while (square >= 1 || square == 0);
        double factor = sqrt(-2 * log(square) / square);
        bits[i / 8] |= (uint8_t)((factor * y < p) << i % 8);
        bits[i / 8] |= (uint8_t)((factor * x < p) << (i + 1) % 8);
    }
}

/* Whether a mask has to be drawn: that of the seed is the right one, but in test mode. */
static bool has_own_mask(const fault_view *view) {
    const dropped *how = view->fault->how;
    return how->mask == BELOW_REST || how->mask == NORMAL ||
           (how->mask == DRAWN && check_choice(view->check, MODE) == TEST);
}

/* A mask as far as it has been drawn, which is as far as it was looked at: a multiple of 8. */
typedef struct {
    layers_random random;
    size_t drawn;
    uint8_t bits[];
} own_mask;

static size_t memo(const fault_view *view) {
    size_t bytes = sizeof(own_mask) + bits_bytes(passed(view->check)->size);
    return has_own_mask(view) ? (bytes + sizeof(double) - 1) / sizeof(double) : 0;
}

static const uint8_t *own_bits(const fault_view *view, size_t end) {
    const layers_check *check = view->check;
    mask_kind kind = ((const dropped *)view->fault->how)->mask;
    own_mask *mask = (own_mask *)view->memo;
    double p = check_number(check, P);
    size_t more = (end + 7) / 8 * 8 - mask->drawn;
    if (end <= mask->drawn)
        return mask->bits;
    if (mask->drawn == 0)
        layers_random_seed(&mask->random, (uint32_t)check_number(check, SEED));
    if (kind == NORMAL)
        normal_mask(&mask->random, p, more, mask->bits + mask->drawn / 8);
    else
        layers_random_mask(&mask->random, kind == DRAWN ? p : 1 - p, more,
                           mask->bits + mask->drawn / 8);
    mask->drawn += more;
    return mask->bits;
}

static void fill(const fault_view *view, size_t first, size_t count, double *to) {
    const layers_check *check = view->check;
    const dropped *how = view->fault->how;
    const double *in = passed(check)->data;
    const uint8_t *bits = has_own_mask(view) ? own_bits(view, first + count) : right_mask(check);
    double p = check_number(check, P), factor = pow(p, how->p_power) * pow(1 - p, how->q_power);
    size_t row = row_of(check);
    for (size_t i = first; i < first + count; i++) {
        size_t at = how->mask == FIRST_ROW ? i % row : how->mask == ONE_A_ROW ? i / row : i;
        bool kept = how->mask == ALL || bit_of(bits, at) == (how->mask != NOT_DRAWN);
        to[i - first] = kept ? in[i] * factor : in[i] * 0;
    }
}

static bool drops(const layers_check *check) {
    return check_choice(check, MODE) == TRAIN;
}

static bool passes(const layers_check *check) {
    return !drops(check);
}

static bool has_seed(const layers_check *check) {
    return check->forward.params[SEED].given;
}

static bool drops_by_seed(const layers_check *check) {
    return drops(check) && has_seed(check) && !check->forward.params[MASK].given;
}

static bool drops_by_mask(const layers_check *check) {
    return drops(check) && check->forward.params[MASK].given;
}

static bool passes_with_seed(const layers_check *check) {
    return passes(check) && has_seed(check);
}

static bool drops_rows_by_seed(const layers_check *check) {
    return drops_by_seed(check) && passed(check)->rank > 1;
}

/* clang-format off */
#define FAULT(name, words, when, how_kind, ...)                                                    \
    {                                                                                              \
        .code = (name), .says = (words), .outputs = CLAIM_BIT(0), .kind = (how_kind),              \
        .how = &(const dropped){__VA_ARGS__}, .applies = (when), .fill = fill,                     \
    }

/* What can be done to x, and to dout in backward: "out" and "x", "dx" and "dout". */
#define FAULTS(out, in)                                                                            \
    FAULT("not_scaled", out " is " in " · mask: what is kept is to be divided by p",               \
          drops, FAULT_PLAIN, DRAWN, 0, 0),                                                        \
    FAULT("scaled_twice", out " was divided by p twice", drops, FAULT_PLAIN, DRAWN, -2, 0),        \
    FAULT("multiplied_by_p", out " is " in " · mask · p: what is kept is to be divided by p",      \
          drops, FAULT_PLAIN, DRAWN, 1, 0),                                                        \
    FAULT("p_is_dropping",                                                                         \
          "p was taken for the probability of dropping (rand > p): it is that of keeping, "        \
          "rand < p", drops_by_seed, FAULT_PLAIN, NOT_DRAWN, 0, -1),                               \
    FAULT("p_is_dropping",                                                                         \
          "p was taken for the probability of dropping (rand < 1 − p): it is that of keeping, "    \
          "rand < p", drops_by_seed, FAULT_PLAIN, BELOW_REST, 0, -1),                              \
    FAULT("p_is_dropping",                                                                         \
          "p was taken for the probability of dropping (rand > p), and nothing was scaled: it is " \
          "that of keeping, rand < p, and divides", drops_by_seed, FAULT_PLAIN, NOT_DRAWN, 0, 0),  \
    FAULT("p_is_dropping",                                                                         \
          "p was taken for the probability of dropping (rand < 1 − p), and nothing was scaled: "   \
          "it is that of keeping, rand < p, and divides",                                          \
          drops_by_seed, FAULT_PLAIN, BELOW_REST, 0, 0),                                           \
    FAULT("scaled_by_dropping",                                                                    \
          "elements are kept with p but divided by 1 − p: divide by the probability of keeping",   \
          drops, FAULT_PLAIN, DRAWN, 0, -1),                                                       \
    FAULT("dropped_and_scaled_by_p",                                                               \
          "elements are dropped with p (rand > p) but divided by p: p is the probability of "      \
          "keeping, rand < p", drops_by_seed, FAULT_PLAIN, NOT_DRAWN, -1, 0),                      \
    FAULT("dropped_and_scaled_by_p",                                                               \
          "elements are dropped with p (rand < 1 − p) but divided by p: p is the probability of "  \
          "keeping, rand < p", drops_by_seed, FAULT_PLAIN, BELOW_REST, -1, 0),                     \
    FAULT("mask_inverted", "the mask was inverted: its ones are to be kept",                       \
          drops_by_mask, FAULT_PLAIN, NOT_DRAWN, -1, 0),                                           \
    FAULT("mask_by_row",                                                                           \
          "all rows share the mask of the first: draw one number for each element",                \
          drops_rows_by_seed, FAULT_SPECIAL, FIRST_ROW, -1, 0),                                    \
    FAULT("one_draw_a_row",                                                                        \
          "whole rows are kept or dropped: draw one number for each element, not for each row",    \
          drops_rows_by_seed, FAULT_SPECIAL, ONE_A_ROW, -1, 0),                                    \
    FAULT("mask_from_normal",                                                                      \
          "the mask was drawn with randn: draw it with rand, so that p is the probability",        \
          drops_by_seed, FAULT_SPECIAL, NORMAL, -1, 0),                                            \
    FAULT("test_scaled", out " is " in " · p: in test mode nothing is scaled, as training scales", \
          passes, FAULT_PLAIN, ALL, 1, 0),                                                         \
    FAULT("test_scaled",                                                                           \
          out " is " in " · (1 − p): in test mode nothing is scaled, as training scales",          \
          passes, FAULT_PLAIN, ALL, 0, 1),                                                         \
    FAULT("test_scaled",                                                                           \
          out " is " in " / p: in test mode nothing is scaled, as training scales",                \
          passes, FAULT_PLAIN, ALL, -1, 0),                                                        \
    FAULT("dropped_in_test", "elements were dropped: in test mode all are kept as they are",       \
          passes_with_seed, FAULT_SPECIAL, DRAWN, -1, 0)
/* clang-format on */

/* ---- challenges --------------------------------------------------------------------------------
 */

/* p is never 1/2, where keeping and dropping are the same, and no element is 0. */
static void adjust_any(layers_drawing *drawing, layers_call *asked) {
    static const double probability[] = {5 / 16., 6 / 16., 10 / 16., 11 / 16.};
    double *x = asked->inputs[X].data;
    draw_set_number(asked, P, probability[draw_below(drawing, 4)]);
    for (size_t i = 0; i < asked->inputs[X].size; i++)
        x[i] = (draw_below(drawing, 2) ? 1 : -1) * draw_number(drawing, 0.25, 2);
}

/* Whether each row has what is kept and what is dropped. */
static bool is_mixed(const layers_tensor *x, const uint8_t *bits) {
    size_t row = x->size / x->shape[0];
    bool mixed = true;
    for (size_t first = 0; first < x->size; first += row) {
        size_t kept = 0;
        for (size_t i = first; i < first + row; i++)
            kept += bit_of(bits, i);
        mixed &= kept > 0 && kept < row;
    }
    return mixed;
}

enum { SIZE_MOST = 64, TRIES = 100 };

static void draw_seed(layers_drawing *drawing, layers_call *asked) {
    const layers_tensor *x = &asked->inputs[X];
    uint8_t bits[SIZE_MOST / 8] = {0};
    for (int i = 0; i < TRIES && !is_mixed(x, bits); i++) {
        layers_random random;
        uint32_t seed = draw_below(drawing, UINT32_MAX);
        layers_random_seed(&random, seed);
        layers_random_mask(&random, asked->params[P].number, x->size, bits);
        draw_set_number(asked, SEED, seed);
    }
}

static void adjust_train(layers_drawing *drawing, layers_call *asked) {
    adjust_any(drawing, asked);
    draw_set_choice(asked, MODE, TRAIN);
    draw_seed(drawing, asked);
}

static void adjust_test(layers_drawing *drawing, layers_call *asked) {
    adjust_any(drawing, asked);
    draw_set_choice(asked, MODE, TEST);
    draw_seed(drawing, asked);
}

/* A mask in the place of a seed: its first two elements differ. */
static void adjust_mask(layers_drawing *drawing, layers_call *asked) {
    adjust_any(drawing, asked);
    draw_set_choice(asked, MODE, TRAIN);
    double *mask = draw_param(drawing, asked, MASK, 0, 1);
    for (size_t i = 0; mask && i < asked->inputs[X].size; i++)
        mask[i] = i < 2 ? (double)i : draw_below(drawing, 2);
}

static const layers_case cases[] = {
    {.name = "plain", .tail = {4, 8}, .adjust = adjust_train},
    {.name = "images", .tail = {2, 3, 2, 5}, .adjust = adjust_train},
    {.name = "mask", .tail = {3, 5}, .adjust = adjust_mask},
    {.name = "test", .tail = {3, 6}, .adjust = adjust_test},
    {0},
};

const layers_answers dropout_forward_answers = {
    .bound = bound,
    .memo = memo,
    .needs = needs_seed,
    .cases = cases,
    .faults =
        (const layers_fault[]){
            FAULTS("out", "x"),
            FAULT("nothing_dropped", "out is x / p: nothing was dropped", drops, FAULT_PLAIN, ALL,
                  -1, 0),
            FAULT("nothing_dropped", "out is x: in train mode elements are to be dropped", drops,
                  FAULT_PLAIN, ALL, 0, 0),
            {0},
        },
};

const layers_answers dropout_backward_answers = {
    .bound = bound,
    .memo = memo,
    .needs = needs_seed,
    .cases = cases,
    .faults =
        (const layers_fault[]){
            FAULTS("dx", "dout"),
            FAULT("not_masked", "dx is dout / p: what forward dropped has no gradient", drops,
                  FAULT_PLAIN, ALL, -1, 0),
            FAULT("not_masked", "dx is dout: what forward dropped has no gradient", drops,
                  FAULT_PLAIN, ALL, 0, 0),
            {0},
        },
};
