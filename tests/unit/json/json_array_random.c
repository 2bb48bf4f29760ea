/* Number arrays made at random: values as the C library has them; and, with bytes changed, valid
 * where Jansson says so. */
#include <jansson.h>
#include <string.h>

#include "json_reading.h"
#include "json_sample.h"

TestSuite(json_array_random);

Test(json_array_random, values_and_shapes) {
    static json_sample s = {.random = 1};
    for (int i = 0; i < 20000; i++) {
        sample_make(&s);
        for (layers_dtype dtype = LAYERS_F64; dtype <= LAYERS_F32; dtype++) {
            array_reading reading = read_array(s.text, s.length, dtype);
            cr_assert(reading.read, "%s: %s", s.text, reading.problem.detail);
            cr_assert(reading.consumed == s.length, "%s", s.text);
            assert_shape(&reading.tensor, s.shape, s.rank, s.text);
            const void *values = dtype == LAYERS_F32 ? (void *)s.f32 : (void *)s.f64;
            size_t bytes = layers_tensor_memory(&reading.tensor);
            cr_assert(bytes == s.count * (dtype == LAYERS_F32 ? 4 : 8), "%s: %zu", s.text, bytes);
            cr_assert(!memcmp(reading.tensor.data, values, bytes), "%s", s.text);
            layers_tensor_clear(&reading.tensor);
        }
    }
}

/* NOLINTNEXTLINE(misc-no-recursion): as deep as the tensor */
static void assert_same(const json_t *value, const double **expected, const char *text) {
    size_t i;
    json_t *element;
    if (json_is_array(value)) {
        json_array_foreach(value, i, element) assert_same(element, expected, text);
        return;
    }
    cr_assert(json_number_value(value) == **expected, "%s", text);
    ++*expected;
}

/* What is ragged or too large may be valid JSON or not. */
static void compare(const json_sample *s) {
    json_error_t error;
    json_t *value =
        json_loadb(s->text, s->length,
                   JSON_DECODE_ANY | JSON_DECODE_INT_AS_REAL | JSON_DISABLE_EOF_CHECK, &error);
    array_reading reading = read_array(s->text, s->length, LAYERS_F64);
    if (reading.read) {
        const double *expected = reading.tensor.data;
        cr_assert(value, "%s: %s", s->text, error.text);
        assert_same(value, &expected, s->text);
        cr_assert(expected == (double *)reading.tensor.data + reading.tensor.size, "%s", s->text);
        layers_tensor_clear(&reading.tensor);
    } else {
        cr_assert(!value || reading.problem.kind != PROBLEM_INVALID_JSON, "%s: %s", s->text,
                  reading.problem.detail);
    }
    json_decref(value);
}

Test(json_array_random, changed_bytes) {
    static json_sample s = {.random = 2};
    for (int i = 0; i < 40000; i++) {
        sample_make(&s);
        for (uint64_t changes = 1 + random_below(&s.random, 3); changes > 0; changes--)
            sample_change(&s);
        if (strchr("[-0123456789", *s.text) && *s.text)
            compare(&s);
    }
}
