/* Faults of the normalisations: in backward each has the gradient of what it gives in forward, by
 * differences of that; and what is found of claims that a person would make. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "answers/normalised.h"
#include "common/check.h"
#include "unit/calls.h"

TestSuite(answers_norms_faults);

enum { MOST = 256 }; /* elements */

/* A call of forward, or of backward where there is a dout. */
typedef struct {
    const char *layer;
    size_t shape[4];
    int rank, groups, mode;
    double eps;
    double x[MOST], gamma[MOST], beta[MOST], dout[MOST];
    double mean[MOST], variance[MOST]; /* running */
} asking;

typedef struct {
    layers_question question;
    layers_check *check;
} judging;

static bool is_batch(const asking *a) {
    return strstr(a->layer, "batchnorm");
}

static size_t size_of(const asking *a) {
    size_t size = 1;
    for (int i = 0; i < a->rank; i++)
        size *= a->shape[i];
    return size;
}

static void fill(double *to, size_t count, double low, double high, uint64_t *seed) {
    for (size_t i = 0; i < count; i++)
        to[i] = low + (high - low) * uniform(seed);
}

static asking asking_of(const char *layer, const size_t *shape, int rank, int groups, int mode) {
    asking a = {.layer = layer, .rank = rank, .groups = groups, .mode = mode, .eps = 0.01};
    uint64_t seed = 5;
    memcpy(a.shape, shape, (size_t)rank * sizeof *shape);
    fill(a.x, size_of(&a), -1, 2, &seed);
    fill(a.gamma, shape[1], 0.5, 2, &seed);
    fill(a.beta, shape[1], 0.5, 2, &seed);
    fill(a.dout, size_of(&a), -1, 2, &seed);
    fill(a.mean, shape[1], -1, 1, &seed);
    fill(a.variance, shape[1], 0.2, 2, &seed);
    return a;
}

static judging judging_in(const asking *a, const char *operation, layers_dtype dtype) {
    judging j;
    layers_error error;
    layers_question_make(&j.question, layers_find(a->layer, operation));
    layers_call asked = {.operation = &j.question.takes, .dtype = dtype};
    asked.inputs[0] = tensor_of(dtype, a->shape, a->rank, a->x);
    asked.inputs[1] = tensor_of(dtype, SHAPE(a->shape[1]), a->gamma);
    asked.inputs[2] = tensor_of(dtype, SHAPE(a->shape[1]), a->beta);
    if (!strcmp(operation, "backward"))
        asked.inputs[3] = tensor_of(dtype, a->shape, a->rank, a->dout);
    if (is_batch(a)) {
        asked.params[MODE] = (layers_value){.given = true, .choice = a->mode};
        asked.params[RUNNING_MEAN] =
            (layers_value){.given = true, .tensor = tensor_of(dtype, SHAPE(a->shape[1]), a->mean)};
        asked.params[RUNNING_VAR] = (layers_value){
            .given = true, .tensor = tensor_of(dtype, SHAPE(a->shape[1]), a->variance)};
    }
    int eps = is_batch(a) || a->groups ? 1 : 0;
    if (a->groups)
        asked.params[0] = (layers_value){.given = true, .number = a->groups};
    asked.params[eps] = (layers_value){.given = true, .number = a->eps};
    layers_code code = layers_check_make(&j.check, &j.question, &asked, dtype, &error);
    cr_assert(code == LAYERS_OK, "%s", error.message);
    cr_assert(layers_check_run(j.check, NULL, &error) == LAYERS_OK);
    layers_call_clear(&asked);
    return j;
}

static void values_of(const judging *j, const layers_fault *fault, int output, double *to) {
    fault_view view = {j->check, fault, output, NULL};
    size_t memo = j->check->answers->memo(&view);
    view.memo = calloc(memo + 1, sizeof *view.memo);
    fault->fill(&view, 0, check_right(j->check, output)->size, to);
    free(view.memo);
}

/* ---- gradients of faults -----------------------------------------------------------------------
 */

/* Σ dout · out, for what a fault gives. */
static double loss_of(const asking *a, const layers_fault *fault) {
    judging j = judging_in(a, "forward", LAYERS_F64);
    double out[MOST], loss = 0;
    values_of(&j, fault, 0, out);
    for (size_t i = 0; i < size_of(a); i++)
        loss += a->dout[i] * out[i];
    layers_check_free(j.check);
    return loss;
}

/* But for the gradient, and beta, which has none of the others'. */
static bool is_same_way(const recipe *a, const recipe *b) {
    return a->sets == b->sets && a->scales == b->scales && a->deviation == b->deviation &&
           a->eps == b->eps && a->mean_stays == b->mean_stays &&
           a->gamma_missing == b->gamma_missing && a->source == b->source;
}

static const layers_fault *forward_fault(const judging *back, const layers_fault *fault) {
    const layers_fault *list =
        layers_find(back->question.operation->layer, "forward")->answers->faults;
    for (; list->code; list++)
        if (!strcmp(list->code, fault->code) && list->outputs & CLAIM_BIT(0) && list->how &&
            is_same_way(list->how, fault->how))
            return list;
    return NULL;
}

static void expect_gradient(asking *a, const judging *back, const layers_fault *fault, int output,
                            double *input) {
    const double step = 1e-4;
    double got[MOST];
    const layers_fault *forward = forward_fault(back, fault);
    values_of(back, fault, output, got);
    for (size_t i = 0; i < check_right(back->check, output)->size; i++) {
        double at = input[i];
        input[i] = at + step;
        double above = loss_of(a, forward);
        input[i] = at - step;
        double want = (above - loss_of(a, forward)) / (2 * step);
        input[i] = at;
        CHECK(is_close(got[i], want, 1e-5, 1e-5), "%s: %s, output %d at %zu: %.10g for %.10g",
              a->layer, fault->code, output, i, got[i], want);
    }
}

/* Returns how many faults have a gradient. */
static int expect_gradients(asking *a) {
    judging back = judging_in(a, "backward", LAYERS_F64);
    int tried = 0;
    for (const layers_fault *f = back.check->answers->faults; f->code; f++) {
        const recipe *r = f->how;
        bool has = r && r->gradient == EXACT && (!f->applies || f->applies(back.check));
        if (!has || !forward_fault(&back, f))
            continue;
        tried++;
        if (f->outputs & CLAIM_BIT(NORMALISED_DX))
            expect_gradient(a, &back, f, NORMALISED_DX, a->x);
        if (f->outputs & CLAIM_BIT(NORMALISED_DGAMMA))
            expect_gradient(a, &back, f, NORMALISED_DGAMMA, a->gamma);
        if (f->outputs & CLAIM_BIT(NORMALISED_DBETA))
            expect_gradient(a, &back, f, NORMALISED_DBETA, a->beta);
    }
    layers_check_free(back.check);
    return tried;
}

Test(answers_norms_faults, have_the_gradient_of_what_they_give_in_forward) {
    asking list[] = {
        asking_of("batchnorm", SHAPE(4, 3), 0, TRAIN),
        asking_of("batchnorm", SHAPE(3, 3), 0, TRAIN), /* square */
        asking_of("batchnorm", SHAPE(4, 3), 0, TEST),
        asking_of("layernorm", SHAPE(3, 4), 0, TRAIN),
        asking_of("layernorm", SHAPE(3, 3), 0, TRAIN),
        asking_of("spatial_batchnorm", SHAPE(2, 3, 3, 2), 0, TRAIN),
        asking_of("spatial_batchnorm", SHAPE(2, 3, 2, 2), 0, TEST),
        asking_of("spatial_groupnorm", SHAPE(2, 6, 2, 1), 3, TRAIN),
        asking_of("spatial_groupnorm", SHAPE(2, 6, 1, 2), 2, TRAIN),
    };
    const int least[] = {16, 17, 9, 16, 17, 21, 11, 23, 23};
    for (size_t i = 0; i < sizeof list / sizeof *list; i++) {
        int tried = expect_gradients(&list[i]);
        CHECK(tried >= least[i], "%s, %zu: %d faults", list[i].layer, i, tried);
    }
}

/* ---- claims of people --------------------------------------------------------------------------
 */

static layers_finding judge(const judging *j, int output, const double *values) {
    const layers_tensor *right = check_right(j->check, output);
    const layers_value value = {
        .tensor = tensor_of(j->check->precision, right->shape, right->rank, values)};
    layers_tensor claim = value.tensor;
    layers_finding finding;
    layers_error error;
    cr_assert(layers_check_judge(j->check, output, &value, NULL, &finding, &error) == LAYERS_OK);
    layers_tensor_clear(&claim);
    return finding;
}

static void expect(const asking *a, const char *operation, layers_dtype dtype, int output,
                   const double *claim, layers_verdict verdict, const char *fault) {
    judging j = judging_in(a, operation, dtype);
    layers_finding f = judge(&j, output, claim ? claim : check_values(j.check, output));
    CHECK(f.verdict == verdict && !strcmp(f.fault ? f.fault : "", fault),
          "%s/%s, output %d: %s, %s (%s)", a->layer, operation, output,
          layers_verdict_names[f.verdict], f.fault ? f.fault : "no fault", f.says);
    layers_check_free(j.check);
}

/* Numbers as they come are told apart in float64. */
Test(answers_norms_faults, right_claims_of_usual_numbers_are_right) {
    const asking list[] = {
        asking_of("batchnorm", SHAPE(9, 4), 0, TRAIN),
        asking_of("batchnorm", SHAPE(9, 4), 0, TEST),
        asking_of("layernorm", SHAPE(3, 11), 0, TRAIN),
        asking_of("spatial_batchnorm", SHAPE(2, 3, 3, 5), 0, TRAIN),
        asking_of("spatial_batchnorm", SHAPE(2, 3, 3, 5), 0, TEST),
        asking_of("spatial_groupnorm", SHAPE(2, 6, 3, 2), 3, TRAIN),
        asking_of("spatial_groupnorm", SHAPE(2, 6, 3, 2), 6, TRAIN), /* each channel */
        asking_of("spatial_groupnorm", SHAPE(2, 6, 3, 2), 1, TRAIN),
    };
    for (size_t i = 0; i < sizeof list / sizeof *list; i++) {
        expect(&list[i], "forward", LAYERS_F64, 0, NULL, LAYERS_RIGHT, "");
        for (int output = 0; output < 3; output++)
            expect(&list[i], "backward", LAYERS_F64, output, NULL, LAYERS_RIGHT, "");
        if (!is_batch(&list[i]))
            continue;
        expect(&list[i], "forward", LAYERS_F64, CLAIM_PARAM(RUNNING_MEAN), NULL, LAYERS_RIGHT, "");
        expect(&list[i], "forward", LAYERS_F64, CLAIM_PARAM(RUNNING_VAR), NULL, LAYERS_RIGHT, "");
    }
}

Test(answers_norms_faults, what_hides_a_fault_is_undecided) {
    asking ones = asking_of("layernorm", SHAPE(3, 5), 0, TRAIN);
    for (size_t d = 0; d < 5; d++)
        ones.gamma[d] = 1;
    expect(&ones, "forward", LAYERS_F64, 0, NULL, LAYERS_UNDECIDED, "");
    asking zeros = asking_of("layernorm", SHAPE(3, 5), 0, TRAIN);
    memset(zeros.beta, 0, sizeof zeros.beta);
    expect(&zeros, "forward", LAYERS_F64, 0, NULL, LAYERS_UNDECIDED, "");
    asking one = asking_of("batchnorm", SHAPE(1, 3), 0, TRAIN); /* out is beta whatever eps is */
    expect(&one, "forward", LAYERS_F64, 0, NULL, LAYERS_UNDECIDED, "");
    expect(&one, "backward", LAYERS_F64, NORMALISED_DBETA, NULL, LAYERS_UNDECIDED, "");
    asking usual = asking_of("batchnorm", SHAPE(9, 3), 0, TRAIN);
    usual.eps = 1e-12; /* far below the variance */
    expect(&usual, "forward", LAYERS_F32, 0, NULL, LAYERS_UNDECIDED, "");
    usual.eps = 1e-5;
    expect(&usual, "forward", LAYERS_F64, 0, NULL, LAYERS_RIGHT, "");
}

Test(answers_norms_faults, numbers_whose_squares_leave_the_range_are_undecided) {
    asking large = asking_of("batchnorm", SHAPE(4, 3), 0, TRAIN);
    large.x[4] = 1e200; /* in the second column */
    const double claim[12] = {0};
    expect(&large, "forward", LAYERS_F64, 0, NULL, LAYERS_UNDECIDED, "");
    expect(&large, "forward", LAYERS_F64, 0, claim, LAYERS_WRONG, "zeros");
    large.mode = TEST; /* no squares */
    expect(&large, "forward", LAYERS_F64, 0, NULL, LAYERS_RIGHT, "");
}

Test(answers_norms_faults, nan_is_right_where_it_is_due) {
    asking a = asking_of("batchnorm", SHAPE(4, 3), 0, TRAIN);
    double claim[12];
    a.x[4] = NAN;
    expect(&a, "forward", LAYERS_F64, 0, NULL, LAYERS_RIGHT, "");
    judging j = judging_in(&a, "forward", LAYERS_F64);
    memcpy(claim, check_values(j.check, 0), sizeof claim);
    layers_check_free(j.check);
    cr_assert(isnan(claim[1]) && isnan(claim[4]) && !isnan(claim[0]));
    claim[1] = 0;
    expect(&a, "forward", LAYERS_F64, 0, claim, LAYERS_WRONG, "");
    claim[1] = NAN;
    claim[0] = NAN;
    expect(&a, "forward", LAYERS_F64, 0, claim, LAYERS_WRONG, "not_finite");
    asking negative = asking_of("batchnorm", SHAPE(4, 3), 0, TEST);
    negative.variance[2] = -1; /* the root of it is NaN */
    expect(&negative, "forward", LAYERS_F64, 0, NULL, LAYERS_RIGHT, "");
    expect(&negative, "backward", LAYERS_F64, NORMALISED_DX, NULL, LAYERS_RIGHT, "");
}

/* As a layer in float32 has it that takes E[x²] − mean² of numbers far from 0. */
Test(answers_norms_faults, a_variance_that_cancels_is_told) {
    asking a = asking_of("batchnorm", SHAPE(5, 2), 0, TRAIN);
    double claim[10];
    for (size_t i = 0; i < 10; i++)
        a.x[i] = i % 2 ? (double)i : 5000 + (double)(i * i % 7) / 2;
    for (size_t d = 0; d < 2; d++) {
        float sum = 0, squares = 0;
        for (size_t i = d; i < 10; i += 2) {
            float x = (float)a.x[i];
            sum += x;
            squares += x * x;
        }
        float mean = sum / 5, square = mean * mean, variance = squares / 5 - square;
        for (size_t i = d; i < 10; i += 2)
            claim[i] =
                (float)a.gamma[d] * (((float)a.x[i] - mean) / sqrtf(variance + (float)a.eps)) +
                (float)a.beta[d];
    }
    expect(&a, "forward", LAYERS_F32, 0, claim, LAYERS_WRONG, "variance_cancels");
}

/* No rows: there is nothing to be wrong. */
Test(answers_norms_faults, what_is_empty_is_right) {
    const asking test = asking_of("batchnorm", SHAPE(0, 3), 0, TEST);
    const asking rows = asking_of("layernorm", SHAPE(0, 3), 0, TRAIN);
    const asking images = asking_of("spatial_groupnorm", SHAPE(2, 4, 0, 3), 2, TRAIN);
    const asking *list[] = {&test, &rows, &images};
    for (int i = 0; i < 3; i++) {
        expect(list[i], "forward", LAYERS_F64, 0, NULL, LAYERS_RIGHT, "");
        for (int output = 0; output < 3; output++)
            expect(list[i], "backward", LAYERS_F64, output, NULL, LAYERS_RIGHT, "");
    }
    expect(&test, "forward", LAYERS_F64, CLAIM_PARAM(RUNNING_VAR), NULL, LAYERS_RIGHT, "");
}
