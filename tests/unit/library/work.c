/* What a call says that it will take, before it runs. */
#include "unit/calls.h"

TestSuite(work);

static double prepared_work(layers_call *call) {
    layers_error error = {0};
    cr_assert(layers_prepare(call, &error) == LAYERS_OK, "%s", error.message);
    double work = call->work;
    layers_call_clear(call);
    return work;
}

static layers_call affine(const size_t *shape, int rank, size_t M, layers_dtype dtype) {
    layers_call call = call_of("affine", "forward", dtype);
    size_t D = 1;
    for (int i = 1; i < rank; i++)
        D *= shape[i];
    call.inputs[0] = tensor_make(dtype, shape, rank);
    call.inputs[1] = tensor_make(dtype, SHAPE(D, M));
    call.inputs[2] = tensor_make(dtype, SHAPE(M));
    return call;
}

Test(work, of_a_product_is_two_operations_a_term) {
    layers_call forward = affine(SHAPE(5, 2, 3), 7, LAYERS_F64);
    cr_assert_eq(prepared_work(&forward), 2.0 * 5 * 6 * 7);
    forward = affine(SHAPE(0, 6), 7, LAYERS_F32);
    cr_assert_eq(prepared_work(&forward), 0);
}

Test(work, of_its_gradients_is_twice_that) {
    uint64_t seed = 1;
    layers_call forward = call_of("affine", "forward", LAYERS_F32);
    forward.inputs[0] = tensor_random(LAYERS_F32, SHAPE(5, 6), &seed, -1, 1);
    forward.inputs[1] = tensor_random(LAYERS_F32, SHAPE(6, 7), &seed, -1, 1);
    forward.inputs[2] = tensor_random(LAYERS_F32, SHAPE(7), &seed, -1, 1);
    run(&forward);
    layers_call backward = call_of("affine", "backward", LAYERS_F32);
    backward.inputs[0] = tensor_make(LAYERS_F32, SHAPE(5, 7));
    backward.cache = layers_cache_ref(forward.cache);
    layers_call_clear(&forward);
    cr_assert_eq(prepared_work(&backward), 4.0 * 5 * 6 * 7);
}

Test(work, of_another_operation_is_what_it_reads_and_writes) {
    layers_call relu = call_of("relu", "forward", LAYERS_F64);
    relu.inputs[0] = tensor_make(LAYERS_F64, SHAPE(4, 25));
    cr_assert_eq(prepared_work(&relu), 200);

    layers_call softmax = call_of("softmax", "loss", LAYERS_F32);
    softmax.inputs[0] = tensor_make(LAYERS_F32, SHAPE(2, 10));
    softmax.inputs[1] = tensor_of(LAYERS_I64, SHAPE(2), VALUES(0, 9));
    cr_assert_eq(prepared_work(&softmax), 20 + 2 + 1 + 20, "scores, labels, the loss, dx");
}

Test(work, of_a_convolution_is_two_operations_a_tap) {
    layers_call conv = call_of("conv", "forward", LAYERS_F64);
    conv.inputs[0] = tensor_make(LAYERS_F64, SHAPE(2, 3, 5, 7));
    conv.inputs[1] = tensor_make(LAYERS_F64, SHAPE(4, 3, 3, 2));
    conv.inputs[2] = tensor_make(LAYERS_F64, SHAPE(4));
    conv.params[0] = (layers_value){.given = true, .number = 2}; /* stride */
    conv.params[1] = (layers_value){.given = true, .number = 1}; /* pad: out is (2, 4, 3, 4) */
    cr_assert_eq(prepared_work(&conv), 2.0 * 2 * 4 * 3 * 4 * 3 * 3 * 2);
}

Test(work, of_a_pooling_is_what_its_windows_hold) {
    layers_call pool = call_of("max_pool", "forward", LAYERS_F32);
    pool.inputs[0] = tensor_make(LAYERS_F32, SHAPE(2, 3, 5, 7));
    static const double window[] = {3, 2, 1}; /* height, width, stride: out is (2, 3, 3, 6) */
    for (int i = 0; i < 3; i++)
        pool.params[i] = (layers_value){.given = true, .number = window[i]};
    cr_assert_eq(prepared_work(&pool), 2.0 * 3 * 3 * 6 * 3 * 2);
}
