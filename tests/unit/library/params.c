/* Setting inputs and parameters by name. */
#include <string.h>

#include "unit/calls.h"

TestSuite(params);

static layers_tensor ones(size_t length) {
    return tensor_of(LAYERS_F64, SHAPE(length), VALUES(1, 1, 1));
}

/* Sets all that batchnorm/forward takes by name. */
static layers_call batchnorm(void) {
    layers_call call = call_of("batchnorm", "forward", LAYERS_F64);
    layers_error error = {0};
    layers_tensor x = tensor_of(LAYERS_F64, SHAPE(2, 1), VALUES(1, 3));
    cr_assert(layers_set_tensor(&call, "x", x, &error) == LAYERS_OK, "%s", error.message);
    cr_assert(layers_set_tensor(&call, "gamma", ones(1), &error) == LAYERS_OK);
    cr_assert(layers_set_tensor(&call, "beta", ones(1), &error) == LAYERS_OK);
    cr_assert(layers_set_choice(&call, "mode", "train", &error) == LAYERS_OK);
    cr_assert(layers_set_number(&call, "momentum", 0.5, &error) == LAYERS_OK);
    cr_assert(layers_set_tensor(&call, "running_mean", ones(1), &error) == LAYERS_OK);
    return call;
}

Test(params, what_was_set_by_name_is_what_runs) {
    layers_call call = batchnorm();
    layers_error error = {0};
    layers_tensor x =
        tensor_of(LAYERS_F64, SHAPE(2, 1), VALUES(5, 5)); /* in the place of the first */
    cr_assert(layers_set_tensor(&call, "x", x, &error) == LAYERS_OK);
    run(&call);
    assert_values(&call.outputs[0], VALUES(1, 1), 2, 0, 0, "out");
    assert_values(&call.params[3].tensor, VALUES(3), 1, 0, 0, "running_mean");
    cr_assert(layers_set_choice(&call, "mode", "test", &error) == LAYERS_OK);
    run(&call);
    assert_values(&call.params[3].tensor, VALUES(3), 1, 0, 0, "running_mean");
    layers_call_clear(&call);
}

Test(params, a_name_that_is_none_is_told_those_that_are) {
    layers_call call = batchnorm();
    layers_error error = {0};
    layers_tensor tensor = ones(1);
    cr_assert(layers_set_number(&call, "epz", 1, &error) == LAYERS_UNKNOWN_FIELD);
    cr_assert_str_eq(error.field, "epz");
    cr_assert_str_eq(error.message,
                     "batchnorm/forward takes no epz, but x, gamma, beta, mode, eps, "
                     "momentum, running_mean, running_var");
    cr_assert(layers_set_choice(&call, "x", "train", &error) == LAYERS_UNKNOWN_FIELD);
    cr_assert(layers_set_tensor(&call, "w", tensor, &error) == LAYERS_UNKNOWN_FIELD);
    layers_tensor_clear(&tensor);
    layers_call_clear(&call);
}

Test(params, what_is_of_another_kind_is_refused) {
    layers_call call = batchnorm();
    layers_error error = {0};
    layers_tensor tensor = ones(1);
    cr_assert(layers_set_number(&call, "mode", 1, &error) == LAYERS_WRONG_TYPE);
    cr_assert_str_eq(error.field, "bn_param/mode");
    cr_assert(strstr(error.message, "mode has to be set as a choice"), "%s", error.message);
    cr_assert(layers_set_choice(&call, "eps", "small", &error) == LAYERS_WRONG_TYPE);
    cr_assert(layers_set_tensor(&call, "eps", tensor, &error) == LAYERS_WRONG_TYPE);
    cr_assert(layers_set_number(&call, "running_mean", 1, &error) == LAYERS_WRONG_TYPE);
    cr_assert(layers_set_choice(&call, "mode", "tarin", &error) == LAYERS_INVALID_PARAM);
    cr_assert_str_eq(error.message, "mode is \"tarin\", but must be \"train\" or \"test\"");
    run(&call);
    assert_values(&call.params[3].tensor, VALUES(1.5), 1, 0, 0, "running_mean");
    layers_tensor_clear(&tensor);
    layers_call_clear(&call);
}

Test(params, an_operation_without_parameters_takes_none) {
    layers_call call = call_of("relu", "forward", LAYERS_F64);
    layers_error error = {0};
    cr_assert(layers_set_number(&call, "p", 1, &error) == LAYERS_UNKNOWN_FIELD);
    cr_assert_str_eq(error.message, "relu/forward takes no p, but x");
}
