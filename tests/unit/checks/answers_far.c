/* Challenges of conv and max_pool: every fault that numbers can show is shown by some case, and
 * wherever it shows it is far from right. */
#include <math.h>
#include <stdlib.h>

#include "checks/check.h"
#include "common/check.h"
#include "common/random_bits.h"
#include "unit/calls.h"

TestSuite(answers_far);

enum { SEEDS = 20, MOST = 64 };

static uint32_t next(void *state) {
    return (uint32_t)(random_bits(state) >> 32);
}

/* How far a fault is from right in an output, in bounds: of the element that is farthest. */
static double distance(const layers_check *check, const layers_fault *fault, int output) {
    size_t size = check_right(check, output)->size;
    const double *right = check_values(check, output);
    double *values = malloc(2 * size * sizeof *values), *bound = values + size, most = 0;
    fault_view view = {check, fault, output, NULL};
    size_t memo = check->answers->memo ? check->answers->memo(&view) : 0;
    view.memo = calloc(memo + 1, sizeof *view.memo);
    fault->fill(&view, 0, size, values);
    free(view.memo);
    check->answers->bound(check, output, 0, size, bound);
    for (size_t i = 0; i < size; i++)
        most = fmax(most, fabs(values[i] - right[i]) / (bound[i] + check->tiny));
    free(values);
    return most;
}

static bool concerns(const layers_check *check, const layers_fault *fault, int output) {
    return fault->outputs & CLAIM_BIT(output) && (!fault->applies || fault->applies(check));
}

/* Notes in `shown` which faults a challenge shows. */
static void measure(const layers_check *check, const char *name, bool *shown) {
    const layers_operation *op = check->operation;
    for (int output = 0; op->outputs[output].name; output++)
        for (int f = 0; op->answers->faults[f].code; f++) {
            const layers_fault *fault = &op->answers->faults[f];
            if (!concerns(check, fault, output))
                continue;
            double apart = distance(check, fault, output);
            CHECK(apart == 0 || apart >= 100, "%s/%s %s: %s is %g bounds from right", op->layer,
                  op->name, name, fault->code, apart);
            shown[f] |= apart > 0;
        }
}

static void draw(const layers_operation *op, const char *name, layers_dtype dtype, uint64_t seed,
                 bool *shown) {
    layers_question question;
    layers_check *check;
    layers_call asked;
    layers_error error;
    const layers_source source = {next, &seed};
    layers_question_make(&question, op);
    layers_code code =
        layers_challenge_make(&check, &question, name, dtype, &source, &asked, &error);
    cr_assert(code == LAYERS_OK, "%s/%s %s: %s", op->layer, op->name, name, error.message);
    measure(check, name, shown);
    layers_check_free(check);
    layers_call_clear(&asked);
}

/* `hidden` faults take NaN, infinities or ties to be seen. */
static void show_all(const char *layer, const char *name, int hidden) {
    const layers_operation *op = layers_find(layer, name);
    bool shown[MOST] = {false};
    for (size_t i = 0; layers_challenge_case(op, i); i++)
        for (uint64_t seed = 0; seed < SEEDS; seed++) {
            draw(op, layers_challenge_case(op, i), LAYERS_F64, seed, shown);
            draw(op, layers_challenge_case(op, i), LAYERS_F32, seed, shown);
        }
    for (int f = 0; op->answers->faults[f].code; f++)
        hidden -= !shown[f];
    CHECK(hidden == 0, "%s/%s: of the faults, %d more are shown than should", layer, name, hidden);
}

Test(answers_far, every_fault_of_conv_shows) {
    show_all("conv", "forward", 0);
    show_all("conv", "backward", 0);
}

Test(answers_far, every_fault_of_max_pool_shows) {
    show_all("max_pool", "forward", 2);
    show_all("max_pool", "backward", 5);
}
