/* Every gradient against central differences, in float64; float32 against float64. An operation
 * that takes a cache is held to the objective Σ out · dout of the one that gave it, a loss to
 * itself; a gradient is an output named "d" and the input that it is by. */
#include <math.h>
#include <string.h>

#include "unit/calls.h"

TestSuite(gradients);

#define EACH(op)                                                                                   \
    for (const layers_operation *const *row = layers_operations, *op = *row; op; op = *++row)

enum { SEEDS = 8 };

/* The gradient by one input: the output "d<name>", or -1. */
static int gradient_of(const layers_operation *op, const char *input) {
    for (int i = 0; op->outputs[i].name; i++)
        if (op->outputs[i].name[0] == 'd' && !strcmp(op->outputs[i].name + 1, input))
            return i;
    return -1;
}

/* Σ out · dout; the loss itself where there is no dout. */
static double objective(const layers_call *call, const layers_tensor *dout) {
    layers_call again = over_again(call);
    run(&again);
    const layers_tensor *out = &again.outputs[0];
    double sum = 0;
    for (size_t i = 0; i < out->size; i++)
        sum += element(out, i) * (dout ? element(dout, i) : 1);
    layers_call_clear(&again);
    return sum;
}

static double difference(const layers_call *call, layers_tensor *input, size_t i,
                         const layers_tensor *dout) {
    const double h = 1e-5;
    double x = element(input, i);
    set_element(input, i, x + h);
    double above = objective(call, dout);
    set_element(input, i, x - h);
    double below = objective(call, dout);
    set_element(input, i, x);
    return (above - below) / (2 * h);
}

/* Compares the gradients that `gradients` holds with differences over `forward`; returns how many
 * outputs were compared. */
static int compare(layers_call *forward, const layers_call *gradients, const layers_tensor *dout) {
    int compared = 0;
    for (int i = 0; forward->operation->inputs[i].name; i++) {
        const char *name = forward->operation->inputs[i].name;
        int output = gradient_of(gradients->operation, name);
        if (output < 0)
            continue;
        const layers_tensor *gradient = &gradients->outputs[output];
        assert_shape(gradient, forward->inputs[i].shape, forward->inputs[i].rank, name);
        for (size_t e = 0; e < gradient->size; e++) {
            double want = difference(forward, &forward->inputs[i], e, dout);
            cr_assert(is_close(element(gradient, e), want, 1e-6, 1e-8),
                      "%s/%s: d%s[%zu] is %.12g, but differences give %.12g",
                      gradients->operation->layer, gradients->operation->name, name, e,
                      element(gradient, e), want);
        }
        compared++;
    }
    return compared;
}

static layers_call backward_of(const layers_operation *op, const layers_call *forward,
                               const layers_tensor *dout) {
    layers_call backward = {.operation = op, .dtype = forward->dtype};
    backward.inputs[0] = layers_tensor_share(dout);
    backward.cache = layers_cache_ref(forward->cache);
    run(&backward);
    return backward;
}

/* Gives x numbers of which no two are close, and none is close to 0: where the largest changes, or
 * a sign, differences are not the derivative. */
static void make_distinct(layers_tensor *x, uint64_t seed) {
    for (size_t i = 0; i < x->size; i++)
        set_element(x, i, 2 * ((double)i + 0.25) / (double)x->size - 1);
    for (size_t i = x->size - 1; i > 0; i--) { /* shuffled */
        size_t j = (size_t)(uniform(&seed) * (double)(i + 1));
        double kept = element(x, j);
        set_element(x, j, element(x, i));
        set_element(x, i, kept);
    }
}

static void check_backward(const layers_operation *op, int choice, uint64_t seed) {
    layers_call forward = valid_call(giver_of(op), LAYERS_F64, choice, seed);
    make_distinct(&forward.inputs[0], seed);
    layers_call original = over_again(&forward);
    run(&original);
    layers_tensor dout = tensor_random(LAYERS_F64, original.outputs[0].shape,
                                       original.outputs[0].rank, &seed, -1, 1);
    layers_call backward = backward_of(op, &original, &dout);
    int outputs = 0;
    while (op->outputs[outputs].name)
        outputs++;
    int compared = compare(&forward, &backward, &dout);
    cr_assert(compared == outputs, "%s/%s: %d of %d outputs are gradients of an input", op->layer,
              op->name, compared, outputs);
    layers_tensor_clear(&dout);
    layers_call_clear(&backward);
    layers_call_clear(&original);
    layers_call_clear(&forward);
}

static void check_loss(const layers_operation *op, int choice, uint64_t seed) {
    layers_call call = valid_call(op, LAYERS_F64, choice, seed);
    layers_call original = over_again(&call);
    run(&original);
    cr_assert(original.outputs[0].size == 1, "%s is not a scalar", op->outputs[0].name);
    cr_assert(compare(&call, &original, NULL) > 0, "%s/%s", op->layer, op->name);
    layers_call_clear(&original);
    layers_call_clear(&call);
}

Test(gradients, backward_is_the_derivative_of_forward) {
    int checked = 0;
    EACH(op)
    for (int choice = 0; op->cache == LAYERS_CACHE_TAKEN && choice < choices_of(op); choice++)
        for (uint64_t seed = 0; seed < SEEDS; seed++, checked++)
            check_backward(op, choice, seed);
    cr_assert(checked > 0);
}

Test(gradients, a_loss_comes_with_its_derivative) {
    int checked = 0;
    EACH(op)
    for (int choice = 0;
         gradient_of(op, "x") >= 0 && op->cache == LAYERS_CACHE_NONE && choice < choices_of(op);
         choice++)
        for (uint64_t seed = 0; seed < SEEDS; seed++, checked++)
            check_loss(op, choice, seed);
    cr_assert(checked > 0);
}

static void round_to_float32(layers_tensor *tensor) {
    for (size_t i = 0; tensor->dtype == LAYERS_F64 && i < tensor->size; i++)
        set_element(tensor, i, (double)(float)element(tensor, i));
}

/* Rounds a call's tensors to float32 in place, and returns the same call in float32. */
static layers_call in_float32(layers_call *wide) {
    layers_call narrow = {.operation = wide->operation, .dtype = LAYERS_F32};
    for (int i = 0; wide->operation->inputs[i].name; i++) {
        layers_dtype dtype = wide->inputs[i].dtype == LAYERS_F64 ? LAYERS_F32 : LAYERS_I64;
        round_to_float32(&wide->inputs[i]);
        narrow.inputs[i] = tensor_as(dtype, &wide->inputs[i]);
    }
    for (int i = 0; wide->operation->params && wide->operation->params[i].name; i++) {
        narrow.params[i] = wide->params[i];
        if (wide->params[i].tensor.data) {
            round_to_float32(&wide->params[i].tensor);
            narrow.params[i].tensor = tensor_as(LAYERS_F32, &wide->params[i].tensor);
        }
    }
    return narrow;
}

static void compare_outputs(const layers_call *narrow, const layers_call *wide) {
    for (int i = 0; wide->operation->outputs[i].name; i++)
        for (size_t e = 0; e < wide->outputs[i].size; e++) {
            double want = element(&wide->outputs[i], e), got = element(&narrow->outputs[i], e);
            cr_assert(is_close(got, want, 1e-5, 2e-6), "%s/%s: %s[%zu] is %.9g, not %.9g",
                      wide->operation->layer, wide->operation->name,
                      wide->operation->outputs[i].name, e, got, want);
        }
}

static void check_float32_backward(const layers_operation *op, const layers_call *wide,
                                   const layers_call *narrow) {
    uint64_t seed = 5;
    layers_tensor dout =
        tensor_random(LAYERS_F64, wide->outputs[0].shape, wide->outputs[0].rank, &seed, -1, 1);
    round_to_float32(&dout);
    layers_tensor dout32 = tensor_as(LAYERS_F32, &dout);
    layers_call backward = backward_of(op, wide, &dout);
    layers_call backward32 = backward_of(op, narrow, &dout32);
    compare_outputs(&backward32, &backward);
    layers_tensor_clear(&dout);
    layers_tensor_clear(&dout32);
    layers_call_clear(&backward);
    layers_call_clear(&backward32);
}

static void check_float32(const layers_operation *op, int choice, uint64_t seed) {
    bool taken = op->cache == LAYERS_CACHE_TAKEN;
    layers_call wide = valid_call(taken ? giver_of(op) : op, LAYERS_F64, choice, seed);
    layers_call narrow = in_float32(&wide);
    run(&wide);
    run(&narrow);
    if (taken)
        check_float32_backward(op, &wide, &narrow);
    else
        compare_outputs(&narrow, &wide);
    layers_call_clear(&wide);
    layers_call_clear(&narrow);
}

Test(gradients, float32_is_float64_but_for_rounding) {
    EACH(op)
    for (int choice = 0; choice < choices_of(op); choice++)
        for (uint64_t seed = 0; seed < SEEDS; seed++)
            check_float32(op, choice, seed);
}
