/* Tensors over shared buffers, and how the shapes of a call are matched. */
#include <stdint.h>
#include <string.h>

#include "unit/calls.h"

TestSuite(shapes);

Test(shapes, make_gives_memory_of_its_own) {
    layers_tensor t = tensor_make(LAYERS_F64, SHAPE(2, 3));
    assert_shape(&t, SHAPE(2, 3), "t");
    cr_assert(t.dtype == LAYERS_F64);
    cr_assert(t.data != NULL && t.buffer != NULL);
    cr_assert(layers_tensor_memory(&t) == 48, "%zu bytes", layers_tensor_memory(&t));
    layers_tensor_clear(&t);
}

Test(shapes, make_takes_the_tensors_own_shape) {
    layers_tensor t = {.rank = 2, .shape = {4, 5}};
    layers_error error;
    cr_assert(layers_tensor_make(&t, LAYERS_F32, t.shape, t.rank, &error) == LAYERS_OK);
    assert_shape(&t, SHAPE(4, 5), "t");
    cr_assert(layers_tensor_memory(&t) == 80);
    layers_tensor_clear(&t);
}

Test(shapes, memory_follows_the_dtype) {
    static const struct {
        layers_dtype dtype;
        size_t size, bytes;
        const char *name;
    } rows[] = {
        {LAYERS_F64, 3, 24, "float64"}, {LAYERS_F32, 3, 12, "float32"},
        {LAYERS_I64, 3, 24, "int64"},   {LAYERS_BIT, 0, 0, "bit"},
        {LAYERS_BIT, 1, 1, "bit"},      {LAYERS_BIT, 8, 1, "bit"},
        {LAYERS_BIT, 9, 2, "bit"},      {LAYERS_F64, 0, 0, "float64"},
        {LAYERS_U8, 5, 5, "uint8"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        size_t bytes = 99;
        cr_assert(layers_dtype_bytes(rows[i].dtype, rows[i].size, &bytes));
        cr_assert(bytes == rows[i].bytes, "row %zu: %zu bytes", i, bytes);
        cr_assert_str_eq(layers_dtype_name(rows[i].dtype), rows[i].name);
        layers_tensor t = tensor_make(rows[i].dtype, SHAPE(rows[i].size));
        cr_assert(layers_tensor_memory(&t) == rows[i].bytes, "row %zu", i);
        layers_tensor_clear(&t);
    }
}

Test(shapes, bytes_that_overflow_are_told) {
    size_t bytes;
    cr_assert(!layers_dtype_bytes(LAYERS_F64, SIZE_MAX / 8 + 1, &bytes));
    cr_assert(!layers_dtype_bytes(LAYERS_I64, SIZE_MAX / 8 + 1, &bytes));
    cr_assert(!layers_dtype_bytes(LAYERS_F32, SIZE_MAX / 4 + 1, &bytes));
    cr_assert(layers_dtype_bytes(LAYERS_F32, SIZE_MAX / 4, &bytes) && bytes == SIZE_MAX - 3);
    cr_assert(layers_dtype_bytes(LAYERS_BIT, SIZE_MAX, &bytes) && bytes == SIZE_MAX / 8 + 1);
}

Test(shapes, a_view_shares_memory_and_outlives_the_whole) {
    layers_tensor whole = tensor_make(LAYERS_U8, SHAPE(40)), view;
    for (size_t i = 0; i < 4; i++)
        ((double *)whole.data)[i] = (double)i;
    cr_assert(layers_tensor_view(&view, &whole, LAYERS_F64, SHAPE(3, 1), 8));
    cr_assert(view.data == (char *)whole.data + 8 && layers_tensor_memory(&view) == 40);
    layers_tensor_clear(&whole);
    assert_shape(&view, SHAPE(3, 1), "view");
    assert_values(&view, VALUES(1, 2, 3), 3, 0, 0, "view");
    layers_tensor_clear(&view);
}

Test(shapes, a_view_lies_within_and_is_aligned) {
    static const struct {
        layers_dtype dtype;
        size_t shape[2], offset;
        bool good;
    } rows[] = {
        {LAYERS_F64, {2, 1}, 0, true},         {LAYERS_F64, {2, 1}, 8, false},
        {LAYERS_F64, {1, 1}, 8, true},         {LAYERS_F64, {1, 1}, 4, false},
        {LAYERS_F64, {3, 1}, 0, false},        {LAYERS_F64, {0, 9}, 16, true},
        {LAYERS_F64, {0, 9}, 24, false},       {LAYERS_F32, {2, 2}, 4, true},
        {LAYERS_F32, {2, 2}, 8, false},        {LAYERS_F32, {1, 1}, 2, false},
        {LAYERS_I64, {1, 1}, 12, false},       {LAYERS_U8, {4, 5}, 0, true},
        {LAYERS_U8, {19, 1}, 1, true},         {LAYERS_U8, {20, 1}, 1, false},
        {LAYERS_BIT, {8, 3}, 17, true},        {LAYERS_BIT, {5, 5}, 17, false},
        {LAYERS_U8, {1, 1}, 20, false},        {LAYERS_U8, {1, 1}, SIZE_MAX, false},
        {LAYERS_F64, {SIZE_MAX, 2}, 0, false},
    };
    layers_tensor whole = tensor_make(LAYERS_U8, SHAPE(20)), view;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        bool good =
            layers_tensor_view(&view, &whole, rows[i].dtype, rows[i].shape, 2, rows[i].offset);
        cr_assert(good == rows[i].good, "row %zu", i);
        cr_assert(good || (!view.data && !view.buffer), "row %zu", i);
        layers_tensor_clear(&view);
    }
    layers_tensor_clear(&whole);
}

Test(shapes, share_is_the_same_memory_and_outlives_the_first) {
    layers_tensor first = tensor_of(LAYERS_F64, SHAPE(2), VALUES(1.5, -2));
    layers_tensor second = layers_tensor_share(&first);
    cr_assert(second.data == first.data && second.buffer == first.buffer);
    layers_tensor_clear(&first);
    assert_values(&second, VALUES(1.5, -2), 2, 0, 0, "second");
    layers_tensor_clear(&second);
}

Test(shapes, clear_empties_and_may_be_repeated) {
    layers_tensor t = tensor_make(LAYERS_F64, SHAPE(2, 2)), empty = {0};
    for (int i = 0; i < 2; i++) {
        layers_tensor_clear(&t);
        cr_assert(t.rank == 0 && t.size == 0 && t.data == NULL && t.buffer == NULL);
        cr_assert(layers_tensor_memory(&t) == 0);
    }
    layers_tensor_clear(&empty);
}

Test(shapes, wrap_copies_nothing_and_frees_nothing) {
    double values[6] = {1, 2, 3, 4, 5, 6};
    layers_tensor t = layers_tensor_wrap(LAYERS_F64, SHAPE(3, 2), values);
    assert_shape(&t, SHAPE(3, 2), "t");
    cr_assert(t.data == values && t.buffer == NULL);
    cr_assert(layers_tensor_memory(&t) == 0);
    layers_tensor shared = layers_tensor_share(&t);
    layers_tensor_clear(&t);
    cr_assert(shared.data == values);
    layers_tensor_clear(&shared);
    cr_assert(values[5] == 6);
}

Test(shapes, a_scalar_has_one_element) {
    layers_tensor t = tensor_of(LAYERS_F64, SCALAR, VALUES(7));
    cr_assert(t.rank == 0 && t.size == 1);
    cr_assert(element(&t, 0) == 7);
    layers_tensor_clear(&t);
}

Test(shapes, resize_keeps_what_is_there) {
    layers_tensor t = tensor_of(LAYERS_F32, SHAPE(3), VALUES(1, 2, 3));
    layers_error error;
    cr_assert(layers_tensor_resize(&t, 100000, &error) == LAYERS_OK);
    assert_shape(&t, SHAPE(100000), "grown");
    cr_assert(layers_tensor_memory(&t) == 400000);
    set_element(&t, 99999, 9);
    cr_assert(layers_tensor_resize(&t, 2, &error) == LAYERS_OK);
    assert_values(&t, VALUES(1, 2), 2, 0, 0, "shrunk");
    cr_assert(layers_tensor_memory(&t) == 8);
    layers_tensor_clear(&t);
}

Test(shapes, resize_that_fails_changes_nothing) {
    layers_tensor t = tensor_of(LAYERS_F64, SHAPE(2), VALUES(1, 2));
    layers_error error;
    cr_assert(layers_tensor_resize(&t, SIZE_MAX / 8, &error) == LAYERS_TOO_LARGE);
    cr_assert(layers_tensor_resize(&t, SIZE_MAX / 8 + 1, &error) == LAYERS_TOO_LARGE);
    assert_shape(&t, SHAPE(2), "t");
    assert_values(&t, VALUES(1, 2), 2, 0, 0, "t");
    layers_tensor_clear(&t);
}

Test(shapes, size_is_the_product) {
    size_t size = 99;
    cr_assert(layers_shape_size(NULL, 0, &size) && size == 1);
    cr_assert(layers_shape_size(SHAPE(2, 3, 4), &size) && size == 24);
    cr_assert(layers_shape_size(SHAPE(2, 0, 4), &size) && size == 0);
    cr_assert(layers_shape_size(SHAPE((size_t)PTRDIFF_MAX / 8), &size));
    cr_assert(size == PTRDIFF_MAX / 8);
    cr_assert(layers_shape_size(SHAPE((size_t)1 << 30, (size_t)1 << 29), &size));
    cr_assert(size == (size_t)1 << 59);
}

Test(shapes, products_too_large_are_refused_even_beside_a_zero) {
    const size_t huge = (size_t)1 << 40, half = (size_t)1 << 32;
    size_t size;
    cr_assert(!layers_shape_size(SHAPE((size_t)PTRDIFF_MAX / 8 + 1), &size));
    cr_assert(!layers_shape_size(SHAPE(half, half), &size), "2^64 wraps to 0");
    cr_assert(!layers_shape_size(SHAPE(half, half, 3), &size));
    cr_assert(!layers_shape_size(SHAPE(huge, huge, 0), &size));
    cr_assert(!layers_shape_size(SHAPE(0, huge, huge), &size));
    cr_assert(!layers_shape_size(SHAPE(huge, 0, huge), &size));
    cr_assert(!layers_shape_size(SHAPE(SIZE_MAX, 0), &size));
    cr_assert(!layers_shape_size(SHAPE(SIZE_MAX, 2), &size));
    cr_assert(layers_shape_size(SHAPE(huge, 0, 3), &size) && size == 0);
}

Test(shapes, a_tensor_too_large_is_refused_and_left_empty) {
    layers_tensor t = {.rank = 5};
    layers_error error;
    const size_t huge = (size_t)1 << 40;
    cr_assert(layers_tensor_make(&t, LAYERS_F64, SHAPE(huge, huge), &error) == LAYERS_TOO_LARGE);
    cr_assert(t.rank == 0 && t.data == NULL && t.buffer == NULL);
    cr_assert(layers_tensor_make(&t, LAYERS_BIT, SHAPE(huge, huge, 0), &error) == LAYERS_TOO_LARGE);
    cr_assert(t.rank == 0 && t.data == NULL && t.buffer == NULL);
}

Test(shapes, text_is_pythons) {
    char text[256];
    cr_assert_str_eq(layers_shape_text(NULL, 0, text, sizeof text), "()");
    cr_assert_str_eq(layers_shape_text(SHAPE(4), text, sizeof text), "(4,)");
    cr_assert_str_eq(layers_shape_text(SHAPE(2, 3), text, sizeof text), "(2, 3)");
    cr_assert_str_eq(layers_shape_text(SHAPE(0, 1, SIZE_MAX), text, sizeof text),
                     "(0, 1, 18446744073709551615)");
}

Test(shapes, text_that_does_not_fit_ends_in_dots) {
    size_t shape[LAYERS_MAX_RANK];
    for (int i = 0; i < LAYERS_MAX_RANK; i++)
        shape[i] = 1000;
    char whole[512];
    size_t needed = strlen(layers_shape_text(shape, LAYERS_MAX_RANK, whole, sizeof whole));
    for (size_t length = 8; length <= needed; length++) {
        char *text = malloc(length);
        layers_shape_text(shape, LAYERS_MAX_RANK, text, length);
        size_t used = strlen(text);
        cr_assert(used < length && used >= 5, "%zu of %zu bytes", used, length);
        cr_assert_str_eq(text + used - 4, "...)");
        free(text);
    }
}

/* An affine/forward over shapes alone: preparing never looks at the elements. */
static layers_call affine(const size_t *x, int x_rank, const size_t *w, int w_rank, const size_t *b,
                          int b_rank) {
    static double none;
    layers_call call = call_of("affine", "forward", LAYERS_F64);
    call.inputs[0] = layers_tensor_wrap(LAYERS_F64, x, x_rank, &none);
    call.inputs[1] = layers_tensor_wrap(LAYERS_F64, w, w_rank, &none);
    call.inputs[2] = layers_tensor_wrap(LAYERS_F64, b, b_rank, &none);
    return call;
}

static void prepare(layers_call *call) {
    layers_error error = {0};
    cr_assert(layers_prepare(call, &error) == LAYERS_OK, "%s", error.message);
}

Test(shapes, a_tail_may_have_no_one_or_many_dimensions) {
    layers_call none = affine(SHAPE(5), SHAPE(1, 3), SHAPE(3));
    prepare(&none);
    assert_shape(&none.outputs[0], SHAPE(5, 3), "out");
    layers_call one = affine(SHAPE(5, 6), SHAPE(6, 3), SHAPE(3));
    prepare(&one);
    assert_shape(&one.outputs[0], SHAPE(5, 3), "out");
    layers_call many = affine(SHAPE(5, 1, 2, 3), SHAPE(6, 3), SHAPE(3));
    prepare(&many);
    assert_shape(&many.outputs[0], SHAPE(5, 3), "out");
    layers_call empty = affine(SHAPE(5, 2, 0), SHAPE(0, 3), SHAPE(3));
    prepare(&empty);
    assert_shape(&empty.outputs[0], SHAPE(5, 3), "out");
}

Test(shapes, a_tail_comes_back_in_the_gradient) {
    static const size_t shapes[][4] = {{5}, {5, 6}, {5, 2, 3}, {5, 1, 6, 1}};
    for (int rank = 1; rank <= 4; rank++) {
        size_t D = rank == 1 ? 1 : 6;
        layers_call forward = call_of("affine", "forward", LAYERS_F64);
        uint64_t seed = 1;
        forward.inputs[0] = tensor_random(LAYERS_F64, shapes[rank - 1], rank, &seed, -1, 1);
        forward.inputs[1] = tensor_random(LAYERS_F64, SHAPE(D, 3), &seed, -1, 1);
        forward.inputs[2] = tensor_random(LAYERS_F64, SHAPE(3), &seed, -1, 1);
        run(&forward);
        layers_call backward = call_of("affine", "backward", LAYERS_F64);
        backward.inputs[0] = tensor_random(LAYERS_F64, SHAPE(5, 3), &seed, -1, 1);
        backward.cache = layers_cache_ref(forward.cache);
        prepare(&backward);
        assert_shape(&backward.outputs[0], shapes[rank - 1], rank, "dx");
        assert_shape(&backward.outputs[1], SHAPE(D, 3), "dw");
        assert_shape(&backward.outputs[2], SHAPE(3), "db");
        layers_call_clear(&backward);
        layers_call_clear(&forward);
    }
}

Test(shapes, a_rank_that_never_fits_is_invalid) {
    layers_call call = affine(SCALAR, SHAPE(6, 3), SHAPE(3));
    assert_refused(&call, LAYERS_INVALID_SHAPE, "x", "()", "(N, *D)");
    call = affine(SHAPE(5, 6), SHAPE(6), SHAPE(3));
    assert_refused(&call, LAYERS_INVALID_SHAPE, "w", "(6,)", "(D, M)");
    call = affine(SHAPE(5, 6), SHAPE(6, 3, 1), SHAPE(3));
    assert_refused(&call, LAYERS_INVALID_SHAPE, "w", "(6, 3, 1)", "(D, M)");
    call = affine(SHAPE(5, 6), SHAPE(6, 3), SHAPE(1, 3));
    assert_refused(&call, LAYERS_INVALID_SHAPE, "b", "(1, 3)", "(M,)");
}

Test(shapes, a_disagreement_names_both_sides) {
    layers_call call = affine(SHAPE(5, 2, 3), SHAPE(7, 3), SHAPE(3));
    assert_refused(&call, LAYERS_SHAPE_MISMATCH, "w", "w has shape (7, 3)", "(5, 2, 3)");
    call = affine(SHAPE(5, 6), SHAPE(6, 3), SHAPE(4));
    assert_refused(&call, LAYERS_SHAPE_MISMATCH, "b", "b has shape (4,)", "w of shape (6, 3)");
}

Test(shapes, a_disagreement_with_the_cache_says_so) {
    uint64_t seed = 5;
    layers_call forward = call_of("affine", "forward", LAYERS_F64);
    forward.inputs[0] = tensor_random(LAYERS_F64, SHAPE(5, 6), &seed, -1, 1);
    forward.inputs[1] = tensor_random(LAYERS_F64, SHAPE(6, 3), &seed, -1, 1);
    forward.inputs[2] = tensor_random(LAYERS_F64, SHAPE(3), &seed, -1, 1);
    run(&forward);
    layers_call backward = call_of("affine", "backward", LAYERS_F64);
    backward.cache = layers_cache_ref(forward.cache);
    backward.inputs[0] = tensor_random(LAYERS_F64, SHAPE(4, 3), &seed, -1, 1);
    assert_refused(&backward, LAYERS_SHAPE_MISMATCH, "dout", "dout has shape (4, 3)",
                   "N = 5, as the cache");
    layers_call_clear(&backward);
    layers_call_clear(&forward);
}

Test(shapes, any_shape_must_be_the_same_one_again) {
    layers_call forward = call_of("relu", "forward", LAYERS_F64);
    forward.inputs[0] = tensor_of(LAYERS_F64, SHAPE(2, 3), VALUES(1, 2, 3, 4, 5, 6));
    run(&forward);
    assert_shape(&forward.outputs[0], SHAPE(2, 3), "out");
    layers_call backward = call_of("relu", "backward", LAYERS_F64);
    backward.cache = layers_cache_ref(forward.cache);
    backward.inputs[0] = tensor_of(LAYERS_F64, SHAPE(3, 2), VALUES(1, 2, 3, 4, 5, 6));
    assert_refused(&backward, LAYERS_SHAPE_MISMATCH, "dout", "dout has shape (3, 2)", "(2, 3)");
    layers_tensor_clear(&backward.inputs[0]);
    backward.inputs[0] = tensor_of(LAYERS_F64, SHAPE(6), VALUES(1, 2, 3, 4, 5, 6));
    assert_refused(&backward, LAYERS_SHAPE_MISMATCH, "dout", "dout has shape (6,)", "(2, 3)");
    layers_call_clear(&backward);
    layers_call_clear(&forward);
}

Test(shapes, a_tensor_among_the_parameters_is_matched_too) {
    layers_call call = call_of("batchnorm", "forward", LAYERS_F64);
    uint64_t seed = 2;
    call.inputs[0] = tensor_random(LAYERS_F64, SHAPE(4, 3), &seed, -1, 1);
    call.inputs[1] = tensor_random(LAYERS_F64, SHAPE(3), &seed, -1, 1);
    call.inputs[2] = tensor_random(LAYERS_F64, SHAPE(3), &seed, -1, 1);
    call.params[0].given = true;
    call.params[3] =
        (layers_value){.given = true, .tensor = tensor_random(LAYERS_F64, SHAPE(2), &seed, -1, 1)};
    assert_refused(&call, LAYERS_SHAPE_MISMATCH, "bn_param/running_mean",
                   "running_mean has shape (2,)", "D = 3, as /x of shape (4, 3)");
    layers_call_clear(&call);
}

/* "..." of a parameter is the shape of the input that has it, of the same size or not. */
Test(shapes, a_parameter_of_any_shape_is_like_the_input) {
    layers_call call = call_of("dropout", "forward", LAYERS_F64);
    call.inputs[0] = tensor_of(LAYERS_F64, SHAPE(2, 3), VALUES(1, 2, 3, 4, 5, 6));
    call.params[0] = (layers_value){.given = true, .number = 0.5};
    call.params[1].given = true;
    call.params[3].tensor = tensor_of(LAYERS_U8, SHAPE(3, 2), VALUES(1, 1, 1, 1, 1, 1));
    assert_refused(&call, LAYERS_SHAPE_MISMATCH, "dropout_param/mask", "mask has shape (3, 2)",
                   "x has shape (2, 3)");
    call.params[3].tensor.rank = 0;
    call.params[3].tensor.size = 1;
    assert_refused(&call, LAYERS_SHAPE_MISMATCH, "dropout_param/mask", "mask has shape ()",
                   "x has shape (2, 3)");
    layers_call_clear(&call);
}

Test(shapes, a_missing_field_and_a_wrong_dtype_are_named) {
    layers_call call = affine(SHAPE(5, 6), SHAPE(6, 3), SHAPE(3));
    call.inputs[1] = (layers_tensor){0};
    assert_refused(&call, LAYERS_MISSING_FIELD, "w", "affine/forward", "needs /w");
    call = affine(SHAPE(5, 6), SHAPE(6, 3), SHAPE(3));
    call.inputs[1].dtype = LAYERS_F32;
    assert_refused(&call, LAYERS_WRONG_TYPE, "w", "w is float32", "needs float64");
}

Test(shapes, a_label_that_names_no_class_is_placed) {
    static const double bad[] = {3, -1, 0x1p62};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        layers_call call = call_of("svm", "loss", LAYERS_F64);
        call.inputs[0] = tensor_of(LAYERS_F64, SHAPE(2, 3), VALUES(1, 2, 3, 4, 5, 6));
        call.inputs[1] = tensor_of(LAYERS_I64, SHAPE(2), VALUES(2, bad[i]));
        assert_refused(&call, LAYERS_LABEL_OUT_OF_RANGE, "y/1", "/y/1", "3 classes");
        layers_call_clear(&call);
    }
}

Test(shapes, a_result_that_cannot_be_addressed_is_refused) {
    const size_t wide = (size_t)1 << 30;
    layers_call call = affine(SHAPE(wide, 0), SHAPE(0, wide), SHAPE(wide));
    assert_refused(&call, LAYERS_TOO_LARGE, "", "out", "(1073741824, 1073741824)");
    const size_t too_wide = (size_t)1 << 31;
    call = affine(SHAPE(too_wide, 1), SHAPE(1, 1), SHAPE(1));
    assert_refused(&call, LAYERS_TOO_LARGE, "", "N = 2147483648", "2147483647");
}

Test(shapes, codes_have_their_names) {
    cr_assert_str_eq(layers_code_name(LAYERS_OK), "ok");
    cr_assert_str_eq(layers_code_name(LAYERS_SHAPE_MISMATCH), "shape_mismatch");
    cr_assert_str_eq(layers_code_name(LAYERS_TOO_LARGE), "result_too_large");
    layers_error error;
    cr_assert(layers_fail(&error, LAYERS_WRONG_TYPE, NULL, "%d", 5) == LAYERS_WRONG_TYPE);
    cr_assert_str_eq(error.field, "");
    cr_assert_str_eq(error.message, "5");
}

Test(shapes, the_blas_multiplies_rightly) {
    layers_error error = {0};
    cr_assert(layers_check_blas(&error) == LAYERS_OK, "%s", error.message);
    cr_assert_str_eq(layers_version(), LAYERS_VERSION);
    cr_assert(strlen(layers_blas()) > 0);
}
