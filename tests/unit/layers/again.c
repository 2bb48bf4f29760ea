/* A call that is run again: right on other inputs, in the memory that it has, and never in memory
 * that someone else holds. */
#include <string.h>

#include "unit/calls.h"

TestSuite(again);

static layers_call relu(double a, double b) {
    layers_call call = call_of("relu", "forward", LAYERS_F64);
    call.inputs[0] = tensor_of(LAYERS_F64, SHAPE(2), VALUES(a, b));
    return call;
}

static void give(layers_call *call, const size_t *shape, int rank, const double *values) {
    layers_tensor_clear(&call->inputs[0]);
    call->inputs[0] = tensor_of(LAYERS_F64, shape, rank, values);
}

/* dx for a dout of ones: where x was above 0. */
static void assert_positive(layers_cache *cache, const double *want, size_t count) {
    layers_call backward = call_of("relu", "backward", LAYERS_F64);
    backward.inputs[0] = tensor_make(LAYERS_F64, &count, 1);
    for (size_t i = 0; i < count; i++)
        set_element(&backward.inputs[0], i, 1);
    backward.cache = layers_cache_ref(cache);
    run(&backward);
    assert_values(&backward.outputs[0], want, count, 0, 0, "dx");
    layers_call_clear(&backward);
}

Test(again, new_inputs_are_computed_in_the_memory_that_is_there) {
    layers_call call = relu(1, -2);
    run(&call);
    const void *memory = call.outputs[0].data;
    give(&call, SHAPE(2), VALUES(-3, 4));
    run(&call);
    cr_assert_eq(call.outputs[0].data, memory);
    assert_values(&call.outputs[0], VALUES(0, 4), 2, 0, 0, "out");
    assert_positive(call.cache, VALUES(0, 1), 2);
    layers_call_clear(&call);
}

Test(again, another_size_gets_other_memory) {
    layers_call call = relu(1, -2);
    run(&call);
    give(&call, SHAPE(9), VALUES(1, -1, 2, -2, 3, -3, 4, -4, 5));
    run(&call);
    assert_shape(&call.outputs[0], SHAPE(9), "out");
    assert_values(&call.outputs[0], VALUES(1, 0, 2, 0, 3, 0, 4, 0, 5), 9, 0, 0, "out");
    assert_positive(call.cache, VALUES(1, 0, 1, 0, 1, 0, 1, 0, 1), 9);
    give(&call, SHAPE(0), NULL);
    run(&call);
    assert_shape(&call.outputs[0], SHAPE(0), "out");
    layers_call_clear(&call);
}

Test(again, a_shared_output_is_not_overwritten) {
    layers_call call = relu(1, -2);
    run(&call);
    layers_tensor kept = layers_tensor_share(&call.outputs[0]);
    give(&call, SHAPE(2), VALUES(-3, 4));
    run(&call);
    assert_values(&kept, VALUES(1, 0), 2, 0, 0, "the first output");
    assert_values(&call.outputs[0], VALUES(0, 4), 2, 0, 0, "the second output");
    layers_call_clear(&call);
    assert_values(&kept, VALUES(1, 0), 2, 0, 0, "the first output");
    layers_tensor_clear(&kept);
}

Test(again, an_output_may_be_its_next_input) {
    layers_call call = call_of("batchnorm", "forward", LAYERS_F64);
    call.inputs[0] = tensor_of(LAYERS_F64, SHAPE(2, 1), VALUES(1, 3));
    call.inputs[1] = tensor_of(LAYERS_F64, SHAPE(1), VALUES(4));
    call.inputs[2] = tensor_of(LAYERS_F64, SHAPE(1), VALUES(5));
    call.params[0].given = true;
    for (int i = 0; i < 2; i++) {
        run(&call);
        assert_values(&call.outputs[0], VALUES(1, 9), 2, 1e-4, 0, "out");
        layers_tensor_clear(&call.inputs[0]);
        call.inputs[0] = layers_tensor_share(&call.outputs[0]);
    }
    layers_call_clear(&call);
}

Test(again, a_shared_cache_is_not_overwritten) {
    layers_call call = relu(1, -2);
    run(&call);
    layers_cache *kept = layers_cache_ref(call.cache);
    give(&call, SHAPE(2), VALUES(-3, 4));
    run(&call);
    cr_assert(call.cache != kept);
    assert_positive(kept, VALUES(1, 0), 2);
    assert_positive(call.cache, VALUES(0, 1), 2);
    layers_call_clear(&call);
    assert_positive(kept, VALUES(1, 0), 2);
    layers_cache_unref(kept);
}

/* affine's cache holds x, which may be the only reference to it left. */
Test(again, an_input_that_a_shared_cache_holds_is_left_alone) {
    layers_call call = call_of("affine", "forward", LAYERS_F64);
    call.inputs[0] = tensor_of(LAYERS_F64, SHAPE(1, 2), VALUES(1, 2));
    call.inputs[1] = tensor_of(LAYERS_F64, SHAPE(2, 2), VALUES(1, 0, 0, 1));
    call.inputs[2] = tensor_of(LAYERS_F64, SHAPE(2), VALUES(0, 0));
    run(&call);
    layers_cache *kept = layers_cache_ref(call.cache);
    give(&call, SHAPE(1, 2), VALUES(7, 8));
    run(&call);
    assert_values(&call.outputs[0], VALUES(7, 8), 2, 0, 0, "out");
    layers_call backward = call_of("affine", "backward", LAYERS_F64);
    backward.inputs[0] = tensor_of(LAYERS_F64, SHAPE(1, 2), VALUES(1, 0));
    backward.cache = kept;
    run(&backward);
    assert_values(&backward.outputs[1], VALUES(1, 0, 2, 0), 4, 0, 0, "dw of the first x");
    layers_call_clear(&backward);
    layers_call_clear(&call);
}

static void take_inputs(layers_call *call, const layers_call *from) {
    for (int i = 0; i < LAYERS_MAX_TENSORS; i++) {
        layers_tensor_clear(&call->inputs[i]);
        call->inputs[i] = layers_tensor_share(&from->inputs[i]);
    }
    for (int i = 0; i < LAYERS_MAX_PARAMS; i++) {
        layers_tensor_clear(&call->params[i].tensor);
        call->params[i].tensor = layers_tensor_share(&from->params[i].tensor);
        call->params[i].number = from->params[i].number; /* adam's t has gone on */
    }
    if (call->operation->cache == LAYERS_CACHE_TAKEN) {
        layers_cache_unref(call->cache);
        call->cache = layers_cache_ref(from->cache);
    }
}

/* Of every operation: the second run of one call gives the bytes of a fresh one. */
Test(again, every_operation_gives_what_a_fresh_call_gives) {
    for (const layers_operation *const *row = layers_operations; *row; row++)
        for (int choice = 0; choice < choices_of(*row); choice++) {
            layers_call call = valid_call(*row, LAYERS_F32, choice, 7);
            layers_call fresh = valid_call(*row, LAYERS_F32, choice, 27); /* of the same shapes */
            run(&call);
            take_inputs(&call, &fresh);
            run(&call);
            run(&fresh);
            for (int i = 0; (*row)->outputs[i].name; i++)
                for (size_t e = 0; e < fresh.outputs[i].size; e++)
                    cr_assert(element(&call.outputs[i], e) == element(&fresh.outputs[i], e),
                              "%s/%s: %s[%zu]", (*row)->layer, (*row)->name,
                              (*row)->outputs[i].name, e);
            layers_call_clear(&fresh);
            layers_call_clear(&call);
        }
}
