/* Tensors as JSON text: exact, and never longer than the bound says. */
#include "codec/json_write.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "codec/json_array.h"
#include "common/random_bits.h"
#include "unit/calls.h"

TestSuite(json_write);

/* Writes into memory of exactly the bound. */
static void writes(const layers_tensor *tensor, bool flat, const char *want) {
    size_t bound = json_tensor_bound(tensor, flat);
    char *text = malloc(bound);
    size_t length = (size_t)(json_write_tensor(text, tensor, flat, NULL) - text);
    cr_assert(length <= bound, "%zu bytes where %zu were the bound", length, bound);
    cr_assert(length == strlen(want) && !memcmp(text, want, length), "%.*s instead of %s",
              (int)length, text, want);
    free(text);
}

static void writes_both(layers_tensor tensor, const char *nested, const char *flat) {
    writes(&tensor, false, nested);
    writes(&tensor, true, flat);
    layers_tensor_clear(&tensor);
}

Test(json_write, nested_and_flat) {
    for (layers_dtype dtype = LAYERS_F64; dtype <= LAYERS_F32; dtype++) {
        writes_both(tensor_of(dtype, SHAPE(3), VALUES(1, 2.5, -3)), "[1.0,2.5,-3.0]",
                    "{\"shape\":[3],\"data\":[1.0,2.5,-3.0]}");
        writes_both(tensor_of(dtype, SHAPE(2, 2), VALUES(1, 2, 3, 4)), "[[1.0,2.0],[3.0,4.0]]",
                    "{\"shape\":[2,2],\"data\":[1.0,2.0,3.0,4.0]}");
        writes_both(tensor_of(dtype, SHAPE(2, 1, 2), VALUES(1, 2, 3, 4)),
                    "[[[1.0,2.0]],[[3.0,4.0]]]", "{\"shape\":[2,1,2],\"data\":[1.0,2.0,3.0,4.0]}");
    }
}

Test(json_write, a_scalar) {
    for (layers_dtype dtype = LAYERS_F64; dtype <= LAYERS_F32; dtype++)
        writes_both(tensor_of(dtype, SCALAR, VALUES(-0.5)), "-0.5",
                    "{\"shape\":[],\"data\":[-0.5]}");
}

Test(json_write, empty_shapes) {
    writes_both(tensor_make(LAYERS_F64, SHAPE(0)), "[]", "{\"shape\":[0],\"data\":[]}");
    writes_both(tensor_make(LAYERS_F64, SHAPE(0, 3)), "[]", "{\"shape\":[0,3],\"data\":[]}");
    writes_both(tensor_make(LAYERS_F32, SHAPE(3, 0)), "[[],[],[]]",
                "{\"shape\":[3,0],\"data\":[]}");
    writes_both(tensor_make(LAYERS_F64, SHAPE(2, 0, 3)), "[[],[]]",
                "{\"shape\":[2,0,3],\"data\":[]}");
    writes_both(tensor_make(LAYERS_F64, SHAPE(2, 2, 0)), "[[[],[]],[[],[]]]",
                "{\"shape\":[2,2,0],\"data\":[]}");
}

Test(json_write, numbers_that_json_has_not_are_strings) {
    for (layers_dtype dtype = LAYERS_F64; dtype <= LAYERS_F32; dtype++)
        writes_both(tensor_of(dtype, SHAPE(4), VALUES(NAN, INFINITY, -INFINITY, -0.0)),
                    "[\"NaN\",\"Infinity\",\"-Infinity\",-0.0]",
                    "{\"shape\":[4],\"data\":[\"NaN\",\"Infinity\",\"-Infinity\",-0.0]}");
}

Test(json_write, numbers_are_shortest_for_their_dtype) {
    writes_both(tensor_of(LAYERS_F64, SHAPE(2), VALUES(0.1, 1. / 3)), "[0.1,0.3333333333333333]",
                "{\"shape\":[2],\"data\":[0.1,0.3333333333333333]}");
    writes_both(tensor_of(LAYERS_F32, SHAPE(2), VALUES(0.1, 1. / 3)), "[0.1,0.33333334]",
                "{\"shape\":[2],\"data\":[0.1,0.33333334]}");
}

/* The longest numbers there are, in every kind of shape, into memory of exactly the bound. */
Test(json_write, bound_holds_for_the_longest_numbers) {
    static const size_t shapes[][4] = {{1},          {7},          {1, 1},       {3, 5},
                                       {16, 1},      {1, 16},      {2, 1, 3, 1}, {1, 1, 1, 1},
                                       {9, 1, 1, 1}, {5, 0, 2, 2}, {5, 2, 2, 0}, {0, 5, 2, 2}};
    static const double longest[] = {-2.2250738585072014e-308, -FLT_MAX};
    for (size_t s = 0; s < sizeof shapes / sizeof *shapes; s++)
        for (int rank = 0; rank <= 4; rank++)
            for (layers_dtype dtype = LAYERS_F64; dtype <= LAYERS_F32; dtype++) {
                layers_tensor t = tensor_make(dtype, shapes[s], rank);
                for (size_t i = 0; i < t.size; i++)
                    set_element(&t, i, longest[dtype == LAYERS_F32]);
                for (int flat = 0; flat <= 1; flat++) {
                    size_t bound = json_tensor_bound(&t, flat);
                    char *text = malloc(bound);
                    char *end = json_write_tensor(text, &t, flat, NULL);
                    cr_assert((size_t)(end - text) <= bound, "shape %zu, rank %d", s, rank);
                    free(text);
                }
                layers_tensor_clear(&t);
            }
}

Test(json_write, bound_of_rank_32_flat_and_nested) {
    size_t shape[LAYERS_MAX_RANK];
    for (int i = 0; i < LAYERS_MAX_RANK; i++)
        shape[i] = 1;
    layers_tensor t = tensor_of(LAYERS_F64, shape, LAYERS_MAX_RANK, VALUES(5));
    char nested[128] = "";
    for (int i = 0; i < 32; i++)
        strcat(nested, "[");
    strcat(nested, "5.0");
    for (int i = 0; i < 32; i++)
        strcat(nested, "]");
    writes(&t, false, nested);
    layers_tensor_clear(&t);
}

/* Dimensions of 19 digits beside a zero: the shape's text is all there is. */
Test(json_write, bound_of_long_dimensions) {
    const size_t huge = (size_t)1 << 59;
    layers_tensor t = layers_tensor_wrap(LAYERS_F64, SHAPE(0, huge), NULL);
    writes(&t, false, "[]");
    writes(&t, true, "{\"shape\":[0,576460752303423488],\"data\":[]}");
}

Test(json_write, a_bound_that_cannot_be_is_the_largest_number) {
    layers_tensor t = {.dtype = LAYERS_F64, .rank = 2, .shape = {(size_t)1 << 59, 2}};
    t.size = (size_t)1 << 60;
    cr_assert(json_tensor_bound(&t, false) == SIZE_MAX);
    cr_assert(json_tensor_bound(&t, true) == SIZE_MAX);
    layers_tensor lists = {
        .dtype = LAYERS_F64, .rank = 3, .shape = {(size_t)1 << 31, (size_t)1 << 31, 0}};
    cr_assert(json_tensor_bound(&lists, false) >= (size_t)3 << 62,
              "2^62 empty lists of 3 bytes each");
}

/* Numbers of all lengths. */
static layers_tensor large_tensor(layers_dtype dtype, const size_t *shape, int rank) {
    layers_tensor t = tensor_make(dtype, shape, rank);
    uint64_t random = 5;
    for (size_t i = 0; i < t.size; i++) {
        double number = (double)(int64_t)random_bits(&random) * 0x1p-63;
        set_element(&t, i, i % 11 == 0 ? NAN : i % 3 == 0 ? (double)(int)(number * 100) : number);
    }
    return t;
}

/* What is read back is what was written, with threads and without. */
static void writes_large(const layers_tensor *t, layers_pool *pool) {
    size_t bound = json_tensor_bound(t, false), bytes;
    char *text = malloc(bound), *end = json_write_tensor(text, t, false, pool);
    json_cursor cursor = {.start = text, .at = text, .end = end};
    layers_tensor back;
    problem problem;
    cr_assert(json_array_read(&cursor, t->dtype, "", &back, &problem), "%s", problem.detail);
    cr_assert(cursor.at == end);
    assert_shape(&back, t->shape, t->rank, "read back");
    cr_assert(layers_dtype_bytes(t->dtype, t->size, &bytes));
    cr_assert(!memcmp(back.data, t->data, bytes), "(%zu, ...)", t->shape[0]);
    layers_tensor_clear(&back);
    free(text);
}

/* Of the numbers in the nested text: without its brackets it is the flat one's. */
static void writes_large_flat(const layers_tensor *t, layers_pool *pool) {
    char *nested = malloc(json_tensor_bound(t, false)), *flat = malloc(json_tensor_bound(t, true));
    char *nested_end = json_write_tensor(nested, t, false, pool), *kept = nested;
    char *flat_end = json_write_tensor(flat, t, true, pool);
    for (const char *at = nested; at < nested_end; at++)
        if (*at != '[' && *at != ']')
            *kept++ = *at;
    size_t length = (size_t)(kept - nested);
    cr_assert((size_t)(flat_end - flat) > length + 2);
    cr_assert(!memcmp(flat_end - 2 - length, nested, length), "(%zu, ...)", t->shape[0]);
    free(nested);
    free(flat);
}

Test(json_write, large_tensors) {
    static const struct {
        int rank;
        size_t shape[4];
    } rows[] = {{1, {50000}},      {1, {700000}},       {2, {300, 100}}, {2, {2, 20000}},
                {2, {1, 20000}},   {2, {20000, 1}},     {2, {20000, 0}}, {2, {1000, 7}},
                {4, {9, 8, 7, 6}}, {4, {40, 1, 30, 20}}};
    layers_pool *pool = layers_pool_make(3, NULL);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        for (layers_dtype dtype = LAYERS_F64; dtype <= LAYERS_F32; dtype++) {
            layers_tensor t = large_tensor(dtype, rows[i].shape, rows[i].rank);
            writes_large(&t, pool);
            writes_large(&t, NULL);
            if (t.size > 0)
                writes_large_flat(&t, pool);
            layers_tensor_clear(&t);
        }
    layers_pool_free(pool);
}

Test(json_write, names_and_numbers) {
    char text[64];
    char *end = json_write_raw(text, "{\"a\":");
    end = json_write_double(end, 0.001);
    end = json_write_raw(end, "");
    cr_assert(end - text == 10 && !memcmp(text, "{\"a\":0.001", 10));
}
