/* What each layer's file says of right and wrong answers, by itself: every case of challenges can
 * be drawn, the right answer to it is right, and every fault that it shows is wrong and told by
 * name. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "checks/judge.h"
#include "common/check.h"
#include "common/random_bits.h"
#include "unit/calls.h"

TestSuite(answers);

enum { SEEDS = 12 };

#define EACH(op)                                                                                   \
    EACH_OPERATION(op)                                                                             \
    if (op->answers)

static uint32_t next(void *state) {
    return (uint32_t)(random_bits(state) >> 32);
}

/* A challenge that was drawn. */
typedef struct {
    layers_question question;
    layers_check *check;
    layers_call asked;
    char name[96];
} challenge;

static void draw(challenge *c, const layers_operation *op, const char *name, layers_dtype dtype,
                 uint64_t seed) {
    layers_error error;
    const layers_source source = {next, &seed};
    snprintf(c->name, sizeof c->name, "%s/%s %s %s, seed %d", op->layer, op->name, name,
             layers_dtype_name(dtype), (int)seed);
    layers_question_make(&c->question, op);
    layers_code code =
        layers_challenge_make(&c->check, &c->question, name, dtype, &source, &c->asked, &error);
    cr_assert(code == LAYERS_OK, "%s: %s", c->name, error.message);
}

static void drop(challenge *c) {
    layers_check_free(c->check);
    layers_call_clear(&c->asked);
}

static layers_finding judge(const challenge *c, int output, const layers_tensor *claim) {
    layers_finding finding;
    layers_error error;
    const layers_value value = {.tensor = *claim};
    cr_assert(layers_check_judge(c->check, output, &value, NULL, &finding, &error) == LAYERS_OK);
    return finding;
}

/* A claim of numbers in the shape of an output. */
static layers_tensor claim_of(const challenge *c, int output, const double *values) {
    const layers_tensor *right = check_right(c->check, output);
    return tensor_of(c->check->precision, right->shape, right->rank, values);
}

static double *fault_values(const challenge *c, int output, const layers_fault *fault) {
    size_t size = check_right(c->check, output)->size;
    fault_view view = {c->check, fault, output, NULL};
    size_t memo = c->check->answers->memo ? c->check->answers->memo(&view) : 0;
    double *values = malloc(size * sizeof *values + 1);
    view.memo = calloc(memo + 1, sizeof *view.memo);
    /* in two pieces, the second first: pieces come in any order */
    fault->fill(&view, size / 2, size - size / 2, values + size / 2);
    fault->fill(&view, 0, size / 2, values);
    free(view.memo);
    return values;
}

static bool concerns(const challenge *c, const layers_fault *fault, int output) {
    return fault->outputs & CLAIM_BIT(output) && (!fault->applies || fault->applies(c->check));
}

/* Whether two lists of numbers are the same but for the bounds. */
static bool alike(const challenge *c, int output, const double *a, const double *b) {
    bool same = true;
    for (size_t i = 0, size = check_right(c->check, output)->size; i < size; i++) {
        double bound;
        c->check->answers->bound(c->check, output, i, 1, &bound);
        same &= judged_agree(c->check, a[i], b[i], bound);
    }
    return same;
}

/* Whether a fault of this name gives these values. */
static bool explains(const challenge *c, int output, const char *code, const double *values) {
    bool found = false;
    for (const layers_fault *fault = c->check->answers->faults; fault->code; fault++) {
        if (strcmp(fault->code, code) != 0 || !concerns(c, fault, output))
            continue;
        double *others = fault_values(c, output, fault);
        found |= alike(c, output, others, values);
        free(others);
    }
    return found;
}

/* Claims what a fault gives; returns whether it can be told from the right answer at all. */
static bool claim_fault(const challenge *c, int output, const layers_fault *fault) {
    double *values = fault_values(c, output, fault);
    bool shows = !alike(c, output, values, check_values(c->check, output));
    layers_tensor claim = claim_of(c, output, values);
    layers_finding found = judge(c, output, &claim);
    if (shows) {
        CHECK(found.verdict == LAYERS_WRONG, "%s, output %d: %s passes", c->name, output,
              fault->code);
        CHECK(found.fault && explains(c, output, found.fault, values),
              "%s, output %d: %s is taken for %s", c->name, output, fault->code,
              found.fault ? found.fault : "nothing known");
        CHECK(*found.says, "%s: %s has no words", c->name, fault->code);
    }
    layers_tensor_clear(&claim);
    free(values);
    return shows;
}

/* The outputs that are tensors, and the parameters that come back as such. */
static int next_output(const layers_operation *op, int output) {
    for (output++; output < LAYERS_MAX_TENSORS; output++) {
        if (op->outputs[output].name)
            return output;
        output = LAYERS_MAX_TENSORS - 1;
    }
    for (int i = output - LAYERS_MAX_TENSORS; op->params_back && op->params[i].name; i++)
        if (op->params[i].kind == LAYERS_TENSOR)
            return CLAIM_PARAM(i);
    return -1;
}

static void claim_right(const challenge *c, int output) {
    layers_tensor claim = claim_of(c, output, check_values(c->check, output));
    layers_finding found = judge(c, output, &claim);
    CHECK(found.verdict == LAYERS_RIGHT, "%s, output %d: the right answer is %s (%s)", c->name,
          output, layers_verdict_names[found.verdict], found.says);
    layers_tensor_clear(&claim);
}

/* Notes in `shown` which faults this challenge shows, by their places. */
static void try_all(const challenge *c, unsigned char *shown) {
    const layers_operation *op = c->check->operation;
    for (int output = next_output(op, -1); output >= 0; output = next_output(op, output)) {
        claim_right(c, output);
        for (int f = 0; op->answers->faults[f].code; f++)
            if (concerns(c, &op->answers->faults[f], output))
                shown[f] |= claim_fault(c, output, &op->answers->faults[f]);
    }
}

Test(answers, every_fault_of_every_challenge_is_named) {
    EACH(op) {
        unsigned char shown[128] = {0};
        for (size_t i = 0; layers_challenge_case(op, i); i++)
            for (layers_dtype dtype = LAYERS_F64; dtype <= LAYERS_F32; dtype++)
                for (uint64_t seed = 0; seed < SEEDS; seed++) {
                    challenge c;
                    draw(&c, op, layers_challenge_case(op, i), dtype, seed);
                    try_all(&c, shown);
                    drop(&c);
                }
        for (int f = 0; op->answers->faults[f].code; f++) {
            const layers_fault *fault = &op->answers->faults[f];
            CHECK(fault->kind != FAULT_PLAIN || shown[f], "%s/%s: %s shows in no case", op->layer,
                  op->name, fault->code);
            CHECK(fault->kind != FAULT_CONVENTION || !shown[f], "%s/%s: %s shows in a case",
                  op->layer, op->name, fault->code);
        }
    }
}

/* Numbers that print short, and the same from the same source. */
Test(answers, challenges_are_of_sixteenths_and_reproducible) {
    EACH(op)
    for (size_t i = 0; layers_challenge_case(op, i); i++) {
        challenge a, b;
        draw(&a, op, layers_challenge_case(op, i), LAYERS_F64, 7);
        draw(&b, op, layers_challenge_case(op, i), LAYERS_F32, 7);
        for (int t = 0; a.question.takes.inputs[t].name; t++) {
            const layers_tensor *x = &a.asked.inputs[t], *y = &b.asked.inputs[t];
            cr_assert(x->size == y->size && x->size > 0 && x->size < 2000, "%s", a.name);
            for (size_t e = 0; e < x->size && x->dtype == LAYERS_F64; e++)
                CHECK(element(x, e) * 16 == floor(element(x, e) * 16), "%s: %s is %.17g", a.name,
                      a.question.takes.inputs[t].name, element(x, e));
        }
        drop(&a);
        drop(&b);
    }
}

#undef EACH
