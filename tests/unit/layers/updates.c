/* The updates: the tables that the course checks them by, steps worked out by hand, the ends of
 * their parameters' ranges, and that an element is computed alike wherever it is. */
#include <math.h>
#include <string.h>

#include "unit/calls.h"

TestSuite(updates);

enum { W, DW, N = 20 };

/* Numbers from `first` to `last`, in equal steps. */
static layers_tensor line(double first, double last) {
    layers_tensor tensor = tensor_make(LAYERS_F64, SHAPE(4, 5));
    for (size_t i = 0; i < N; i++)
        set_element(&tensor, i, first + (last - first) * (double)i / (N - 1));
    return tensor;
}

static void give(layers_call *call, const char *name, layers_tensor tensor) {
    layers_error error;
    cr_assert(layers_set_tensor(call, name, tensor, &error) == LAYERS_OK, "%s", error.message);
}

static void give_number(layers_call *call, const char *name, double number) {
    layers_error error;
    cr_assert(layers_set_number(call, name, number, &error) == LAYERS_OK, "%s", error.message);
}

/* The value of a parameter, by its name. */
static const layers_value *value_of(const layers_call *call, const char *name) {
    int i = 0;
    while (strcmp(call->operation->params[i].name, name) != 0)
        i++;
    return &call->params[i];
}

static layers_call courses(const char *layer) {
    layers_call call = call_of(layer, "update", LAYERS_F64);
    give(&call, "w", line(-0.4, 0.6));
    give(&call, "dw", line(-0.6, 0.4));
    return call;
}

/* One element of each. */
static layers_call step_of(const char *layer, layers_dtype dtype, double w, double dw) {
    layers_call call = call_of(layer, "update", dtype);
    give(&call, "w", tensor_of(dtype, SHAPE(1), &w));
    give(&call, "dw", tensor_of(dtype, SHAPE(1), &dw));
    return call;
}

static void assert_next(const layers_call *call, double want) {
    assert_values(&call->outputs[0], &want, 1, 1e-15, 0, "next_w");
}

static void assert_tensor(const layers_call *call, const char *name, double want) {
    assert_values(&value_of(call, name)->tensor, &want, 1, 1e-15, 0, name);
}

/* Printed with eight places. */
static void assert_printed(const layers_tensor *tensor, const double *values, const char *what) {
    assert_shape(tensor, SHAPE(4, 5), what);
    assert_values(tensor, values, N, 0, 0.5001e-8, what);
}

Test(updates, sgd_goes_down_the_gradient) {
    layers_call call = step_of("sgd", LAYERS_F64, 1, 3);
    run(&call);
    assert_next(&call, 1 - 0.03);
    give_number(&call, "learning_rate", 0.5);
    run(&call);
    assert_next(&call, -0.5);
    give_number(&call, "learning_rate", 0);
    run(&call);
    assert_next(&call, 1);
    layers_call_clear(&call);
}

Test(updates, sgd_momentum_is_the_courses) {
    static const double next_w[N] = {0.14060000, 0.20738947, 0.27417895, 0.34096842, 0.40775789,
                                     0.47454737, 0.54133684, 0.60812632, 0.67491579, 0.74170526,
                                     0.80849474, 0.87528421, 0.94207368, 1.00886316, 1.07565263,
                                     1.14244211, 1.20923158, 1.27602105, 1.34281053, 1.40960000};
    static const double velocity[N] = {0.54060000, 0.55475789, 0.56891579, 0.58307368, 0.59723158,
                                       0.61138947, 0.62554737, 0.63970526, 0.65386316, 0.66802105,
                                       0.68217895, 0.69633684, 0.71049474, 0.72465263, 0.73881053,
                                       0.75296842, 0.76712632, 0.78128421, 0.79544211, 0.80960000};
    layers_call call = courses("sgd_momentum");
    give_number(&call, "learning_rate", 1e-3);
    give(&call, "velocity", line(0.6, 0.9));
    run(&call);
    assert_printed(&call.outputs[0], next_w, "next_w");
    assert_printed(&value_of(&call, "velocity")->tensor, velocity, "velocity");
    layers_call_clear(&call);
}

Test(updates, sgd_momentum_starts_from_rest_and_goes_on) {
    layers_call call = step_of("sgd_momentum", LAYERS_F64, 1, 2);
    give_number(&call, "learning_rate", 0.25);
    give_number(&call, "momentum", 0.5);
    run(&call);
    assert_next(&call, 0.5);
    assert_tensor(&call, "velocity", -0.5);
    run(&call); /* from the same w, with the velocity that came back */
    assert_next(&call, 0.25);
    assert_tensor(&call, "velocity", -0.75);
    layers_call_clear(&call);
}

Test(updates, rmsprop_is_the_courses) {
    static const double next_w[N] = {
        -0.39223849, -0.34037513, -0.28849239, -0.23659121, -0.18467247, -0.13273700, -0.08078555,
        -0.02881884, 0.02316247,  0.07515774,  0.12716641,  0.17918792,  0.23122175,  0.28326742,
        0.33532447,  0.38739248,  0.43947102,  0.49155973,  0.54365823,  0.59576619};
    static const double cache[N] = {0.59760000, 0.61262770, 0.62771080, 0.64284931, 0.65804321,
                                    0.67329252, 0.68859723, 0.70395734, 0.71937285, 0.73484377,
                                    0.75037008, 0.76595180, 0.78158892, 0.79728144, 0.81302936,
                                    0.82883269, 0.84469141, 0.86060554, 0.87657507, 0.89260000};
    layers_call call = courses("rmsprop");
    give(&call, "cache", line(0.6, 0.9));
    run(&call);
    assert_printed(&call.outputs[0], next_w, "next_w");
    assert_printed(&value_of(&call, "cache")->tensor, cache, "cache");
    layers_call_clear(&call);
}

Test(updates, rmsprop_adds_epsilon_to_the_root) {
    layers_call call = step_of("rmsprop", LAYERS_F64, 0, 2);
    give_number(&call, "learning_rate", 1);
    give_number(&call, "decay_rate", 0.75);
    give_number(&call, "epsilon", 1);
    run(&call);
    assert_tensor(&call, "cache", 1);
    assert_next(&call, -1);
    layers_call_clear(&call);
}

Test(updates, adam_is_the_courses) {
    static const double next_w[N] = {
        -0.40094747, -0.34836187, -0.29577703, -0.24319299, -0.19060977, -0.13802740, -0.08544591,
        -0.03286534, 0.01971428,  0.07229290,  0.12487050,  0.17744702,  0.23002243,  0.28259667,
        0.33516969,  0.38774145,  0.44031188,  0.49288093,  0.54544852,  0.59801459};
    static const double m[N] = {0.48000000, 0.49947368, 0.51894737, 0.53842105, 0.55789474,
                                0.57736842, 0.59684211, 0.61631579, 0.63578947, 0.65526316,
                                0.67473684, 0.69421053, 0.71368421, 0.73315789, 0.75263158,
                                0.77210526, 0.79157895, 0.81105263, 0.83052632, 0.85000000};
    static const double v[N] = {0.69966000, 0.68908382, 0.67851319, 0.66794809, 0.65738853,
                                0.64683452, 0.63628604, 0.62574310, 0.61520571, 0.60467385,
                                0.59414753, 0.58362676, 0.57311152, 0.56260183, 0.55209767,
                                0.54159906, 0.53110598, 0.52061845, 0.51013645, 0.49966000};
    layers_call call = courses("adam");
    give_number(&call, "learning_rate", 1e-2);
    give(&call, "m", line(0.6, 0.9));
    give(&call, "v", line(0.7, 0.5));
    give_number(&call, "t", 5);
    run(&call);
    assert_printed(&call.outputs[0], next_w, "next_w");
    assert_printed(&value_of(&call, "m")->tensor, m, "m");
    assert_printed(&value_of(&call, "v")->tensor, v, "v");
    cr_assert(value_of(&call, "t")->number == 6);
    layers_call_clear(&call);
}

/* The first step is corrected whole: m / (1 − beta1) = dw, whatever beta1 is. */
Test(updates, adam_corrects_and_then_adds_epsilon_to_the_root) {
    static const double beta1[] = {0, 0.5, 0.9, 1 - 0x1p-53};
    for (size_t i = 0; i < 4; i++) {
        layers_call call = step_of("adam", LAYERS_F64, 1, 2);
        give_number(&call, "learning_rate", 3);
        give_number(&call, "epsilon", 1);
        give_number(&call, "beta1", beta1[i]);
        give_number(&call, "beta2", 0.75);
        run(&call);
        assert_next(&call, -1);
        assert_tensor(&call, "m", (1 - beta1[i]) * 2);
        assert_tensor(&call, "v", 1);
        cr_assert(value_of(&call, "t")->number == 1);
        layers_call_clear(&call);
    }
}

Test(updates, adam_goes_on_with_the_config_that_came_back) {
    layers_call call = step_of("adam", LAYERS_F64, 0, 1);
    give_number(&call, "learning_rate", 1);
    give_number(&call, "beta1", 0.5);
    give_number(&call, "beta2", 0.5);
    run(&call);
    set_element(&call.inputs[DW], 0, -1);
    run(&call);
    assert_tensor(&call, "m", -0.25);
    assert_tensor(&call, "v", 0.75);
    cr_assert(value_of(&call, "t")->number == 2);
    assert_next(&call, 1.0 / 3 / (1 + 1e-8));
    layers_call_clear(&call);
}

Test(updates, adam_after_many_steps_corrects_nothing) {
    layers_call call = step_of("adam", LAYERS_F64, 0, 1);
    give_number(&call, "learning_rate", 1);
    give_number(&call, "beta1", 0.5);
    give_number(&call, "beta2", 0.75);
    give_number(&call, "epsilon", 0.5);
    give_number(&call, "t", 0x1p53 - 2);
    run(&call);
    assert_next(&call, -0.5);
    cr_assert(value_of(&call, "t")->number == 0x1p53 - 1);
    layers_call_clear(&call);
}

Test(updates, in_float32_squares_are_float32) {
    layers_call call = step_of("rmsprop", LAYERS_F32, 1, 1e30);
    run(&call);
    assert_tensor(&call, "cache", INFINITY);
    assert_next(&call, 1);
    layers_call_clear(&call);
    call = step_of("adam", LAYERS_F32, 1, 1e-30);
    run(&call);
    assert_tensor(&call, "v", 0);
    /* 0.1 · 1e-30 / 0.1 over epsilon alone */
    assert_next(&call, 1);
    layers_call_clear(&call);
}

Test(updates, keep_nan_to_its_element) {
    static const char *const layers[] = {"sgd", "sgd_momentum", "rmsprop", "adam"};
    for (size_t i = 0; i < 4; i++) {
        layers_call call = call_of(layers[i], "update", LAYERS_F64);
        give(&call, "w", tensor_of(LAYERS_F64, SHAPE(3), VALUES(1, 1, NAN)));
        give(&call, "dw", tensor_of(LAYERS_F64, SHAPE(3), VALUES(NAN, 0, 0)));
        run(&call);
        assert_values(&call.outputs[0], VALUES(NAN, 1, NAN), 3, 0, 0, layers[i]);
        layers_call_clear(&call);
    }
}

Test(updates, leave_what_the_caller_holds) {
    layers_call call = step_of("sgd_momentum", LAYERS_F64, 1, 2);
    layers_tensor callers = tensor_of(LAYERS_F64, SHAPE(1), VALUES(8));
    give(&call, "velocity", layers_tensor_share(&callers));
    run(&call);
    assert_values(&callers, VALUES(8), 1, 0, 0, "the caller's velocity");
    assert_values(&call.inputs[W], VALUES(1), 1, 0, 0, "w");
    assert_tensor(&call, "velocity", 0.9 * 8 - 0.02);
    layers_tensor_clear(&callers);
    layers_call_clear(&call);
}

Test(updates, of_nothing) {
    layers_call call = call_of("adam", "update", LAYERS_F32);
    give(&call, "w", tensor_make(LAYERS_F32, SHAPE(3, 0)));
    give(&call, "dw", tensor_make(LAYERS_F32, SHAPE(3, 0)));
    run(&call);
    assert_shape(&call.outputs[0], SHAPE(3, 0), "next_w");
    assert_shape(&value_of(&call, "v")->tensor, SHAPE(3, 0), "v");
    cr_assert(value_of(&call, "t")->number == 1);
    layers_call_clear(&call);
}

Test(updates, refuse_what_does_not_fit) {
    layers_call call = step_of("sgd_momentum", LAYERS_F64, 1, 2);
    give(&call, "velocity", tensor_make(LAYERS_F64, SHAPE(2)));
    assert_refused(&call, LAYERS_SHAPE_MISMATCH, "config/velocity", "velocity", "(2,)");
    layers_call_clear(&call);
    call = step_of("adam", LAYERS_F64, 1, 2);
    give_number(&call, "beta2", 1);
    assert_refused(&call, LAYERS_INVALID_PARAM, "config/beta2", "below 1", "/config/beta2 is 1");
    give_number(&call, "beta2", 0.9);
    give_number(&call, "t", 0.5);
    assert_refused(&call, LAYERS_INVALID_PARAM, "config/t", "integer", "0.5");
    give_number(&call, "t", 0);
    give_number(&call, "epsilon", 0);
    assert_refused(&call, LAYERS_INVALID_PARAM, "config/epsilon", "above 0", "epsilon");
    layers_call_clear(&call);
}

/* A call over the elements of another one from `first` on, without its own numbers being others. */
static layers_call part_of(const layers_call *whole, size_t first, size_t count) {
    layers_call part = call_of(whole->operation->layer, "update", whole->dtype);
    for (int i = 0; i < 2; i++) {
        part.inputs[i] = tensor_make(whole->dtype, SHAPE(count));
        for (size_t e = 0; e < count; e++)
            set_element(&part.inputs[i], e, element(&whole->inputs[i], first + e));
    }
    for (int i = 0; whole->operation->params[i].name; i++) {
        if (whole->operation->params[i].kind != LAYERS_TENSOR)
            continue;
        layers_tensor tensor = tensor_make(whole->dtype, SHAPE(count));
        for (size_t e = 0; e < count; e++)
            set_element(&tensor, e, element(&whole->params[i].tensor, first + e));
        give(&part, whole->operation->params[i].name, tensor);
    }
    return part;
}

static layers_call random_call(const char *layer, layers_dtype dtype, size_t size) {
    uint64_t seed = 3;
    layers_call call = call_of(layer, "update", dtype);
    give(&call, "w", tensor_random(dtype, SHAPE(size), &seed, -1, 1));
    give(&call, "dw", tensor_random(dtype, SHAPE(size), &seed, -1, 1));
    for (int i = 0; call.operation->params[i].name; i++)
        if (call.operation->params[i].kind == LAYERS_TENSOR)
            give(&call, call.operation->params[i].name,
                 tensor_random(dtype, SHAPE(size), &seed, 0, 1));
    return call;
}

static void assert_part(const layers_tensor *whole, size_t first, const layers_tensor *part) {
    for (size_t e = 0; e < part->size; e++)
        cr_assert(element(part, e) == element(whole, first + e), "element %zu is %.17g, or %.17g",
                  first + e, element(whole, first + e), element(part, e));
}

static void check_parts(const char *layer, layers_dtype dtype, size_t size, size_t first,
                        size_t step) {
    layers_call whole = random_call(layer, dtype, size), kept = over_again(&whole);
    run(&whole);
    for (; first < size; first += step) {
        layers_call part = part_of(&kept, first, 1);
        run(&part);
        assert_part(&whole.outputs[0], first, &part.outputs[0]);
        for (int i = 0; whole.operation->params[i].name; i++)
            if (whole.operation->params[i].kind == LAYERS_TENSOR)
                assert_part(&whole.params[i].tensor, first, &part.params[i].tensor);
        layers_call_clear(&part);
    }
    layers_call_clear(&kept);
    layers_call_clear(&whole);
}

/* Vectors and what is left of them, pieces, and stores past the caches. */
Test(updates, compute_each_element_for_itself) {
    static const char *const layers[] = {"sgd", "sgd_momentum", "rmsprop", "adam"};
    for (size_t i = 0; i < 4; i++)
        for (layers_dtype dtype = LAYERS_F64; dtype <= LAYERS_F32; dtype++) {
            for (size_t size = 1; size < 40; size++)
                check_parts(layers[i], dtype, size, 0, 1);
            check_parts(layers[i], dtype, 40000, 0, 7);
            check_parts(layers[i], dtype, 1500001, 1500001 % 4999, 4999);
        }
}
