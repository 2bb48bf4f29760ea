/* Number arrays made at random: values as the C library has them; and, with bytes changed, valid
 * where Jansson says so. */
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "json_reading.h"

TestSuite(json_array_random);

enum { TEXT = 1 << 14, NUMBERS = 512, RANK = 4 };

typedef struct {
    uint64_t random;
    char text[TEXT];
    size_t length;
    int rank;
    size_t shape[RANK];
    size_t count;
    double f64[NUMBERS]; /* the numbers as strtod and strtof read them */
    float f32[NUMBERS];
} sample;

/* splitmix64 */
static uint64_t draw(sample *s, uint64_t below) {
    uint64_t z = s->random += 0x9e3779b97f4a7c15;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
    z = (z ^ z >> 27) * 0x94d049bb133111eb;
    return (z ^ z >> 31) % below;
}

static void put(sample *s, const char *text) {
    size_t length = strlen(text);
    cr_assert(s->length + length < TEXT);
    memcpy(s->text + s->length, text, length);
    s->length += length;
}

static void put_space(sample *s) {
    static const char *const spaces[] = {" ", "\n", "\t", "\r", " \r\n  "};
    if (draw(s, 8) == 0)
        put(s, spaces[draw(s, 5)]);
}

static void put_digits(sample *s, uint64_t count) {
    for (; count > 0; count--)
        put(s, (char[]){(char)('0' + draw(s, 10)), '\0'});
}

/* Mostly of a few digits, some longer than any type holds; none is infinite as a float32. */
static void put_number(sample *s) {
    size_t start = s->length;
    bool long_one = draw(s, 4) == 0;
    put(s, draw(s, 2) ? "-" : "");
    if (draw(s, 3) == 0) {
        put(s, "0");
    } else {
        put(s, (char[]){(char)('1' + draw(s, 9)), '\0'});
        put_digits(s, draw(s, long_one ? 24 : 5));
    }
    if (draw(s, 2)) {
        put(s, ".");
        put_digits(s, 1 + draw(s, long_one ? 30 : 6));
    }
    static const char *const exponents[] = {"e5", "E+05", "e-7", "E-12", "e-44", "e-320"};
    if (draw(s, 6) == 0)
        put(s, exponents[draw(s, 6)]);
    s->text[s->length] = '\0';
    s->f64[s->count] = strtod(s->text + start, NULL);
    s->f32[s->count] = strtof(s->text + start, NULL);
    s->count++;
}

/* NOLINTNEXTLINE(misc-no-recursion): RANK deep */
static void put_list(sample *s, int axis) {
    if (axis == s->rank) {
        put_number(s);
        return;
    }
    put(s, "[");
    put_space(s);
    for (size_t i = 0; i < s->shape[axis]; i++) {
        if (i > 0)
            put(s, ",");
        put_space(s);
        put_list(s, axis + 1);
        put_space(s);
    }
    put(s, "]");
}

static void make(sample *s) {
    s->length = s->count = 0;
    s->rank = (int)draw(s, RANK + 1);
    size_t size = 1;
    for (int i = 0; i < s->rank; i++) {
        s->shape[i] = 1 + draw(s, size < 8 ? 9 : 2);
        size *= s->shape[i];
    }
    put_list(s, 0);
}

Test(json_array_random, values_and_shapes) {
    static sample s = {.random = 1};
    for (int i = 0; i < 20000; i++) {
        make(&s);
        s.text[s.length] = '\0';
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

static void change(sample *s) {
    static const char bytes[] = "[]],,,,0123456789.-+eE \n\":{}x\t\v\xff";
    size_t at = draw(s, s->length);
    char byte = bytes[draw(s, sizeof bytes - 1)]; /* Jansson passes over zero bytes */
    switch (draw(s, 3)) {
    case 0:
        s->text[at] = byte;
        break;
    case 1:
        memmove(s->text + at, s->text + at + 1, s->length - at - 1);
        s->length -= s->length > 1;
        break;
    default:
        memmove(s->text + at + 1, s->text + at, s->length - at);
        s->text[at] = byte;
        s->length++;
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
static void compare(const sample *s) {
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
    static sample s = {.random = 2};
    for (int i = 0; i < 40000; i++) {
        make(&s);
        for (uint64_t changes = 1 + draw(&s, 3); changes > 0; changes--)
            change(&s);
        s.text[s.length] = '\0';
        if (strchr("[-0123456789", *s.text) && *s.text)
            compare(&s);
    }
}
