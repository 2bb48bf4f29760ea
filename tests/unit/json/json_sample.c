/* Number arrays made at random. */
#include "json_sample.h"

#include <stdlib.h>
#include <string.h>

#include "unit/calls.h"

static void put(json_sample *s, const char *text) {
    size_t length = strlen(text);
    cr_assert(s->length + length < SAMPLE_TEXT);
    memcpy(s->text + s->length, text, length);
    s->length += length;
}

static void put_space(json_sample *s) {
    static const char *const spaces[] = {" ", "\n", "\t", "\r", " \r\n  "};
    if (random_below(&s->random, 8) == 0)
        put(s, spaces[random_below(&s->random, 5)]);
}

static void put_digits(json_sample *s, uint64_t count) {
    for (; count > 0; count--)
        put(s, (char[]){(char)('0' + random_below(&s->random, 10)), '\0'});
}

/* Mostly of a few digits, some longer than any type holds; none is infinite as a float32. */
static void put_number(json_sample *s) {
    size_t start = s->length;
    cr_assert(s->count < SAMPLE_NUMBERS);
    bool long_one = random_below(&s->random, 4) == 0;
    put(s, random_below(&s->random, 2) ? "-" : "");
    if (random_below(&s->random, 3) == 0) {
        put(s, "0");
    } else {
        put(s, (char[]){(char)('1' + random_below(&s->random, 9)), '\0'});
        put_digits(s, random_below(&s->random, long_one ? 24 : 5));
    }
    if (random_below(&s->random, 2)) {
        put(s, ".");
        put_digits(s, 1 + random_below(&s->random, long_one ? 30 : 6));
    }
    static const char *const exponents[] = {"e5", "E+05", "e-7", "E-12", "e-44", "e-320"};
    if (random_below(&s->random, 6) == 0)
        put(s, exponents[random_below(&s->random, 6)]);
    s->text[s->length] = '\0';
    s->f64[s->count] = strtod(s->text + start, NULL);
    s->f32[s->count] = strtof(s->text + start, NULL);
    s->count++;
}

/* Words that stand for numbers, and now and then what may not be where one is. */
static bool put_word(json_sample *s) {
    static const char *const words[] = {"NaN", "\"NaN\"", "Infinity", "-Infinity", "\"-Infinity\""};
    static const char *const faults[] = {"\"1,2]\"",  "1e39",    "1e999", "null",     "-",
                                         "{\"a\":1}", "1 [2,3]", "01",    "\"NaN, 1", "Inf"};
    if (random_below(&s->random, 8) == 0)
        return put(s, words[random_below(&s->random, 5)]), true;
    if (random_below(&s->random, 500) == 0)
        return put(s, faults[random_below(&s->random, 10)]), true;
    return false;
}

/* NOLINTNEXTLINE(misc-no-recursion): SAMPLE_RANK deep */
static void put_list(json_sample *s, int axis) {
    if (axis == s->rank) {
        if (!s->odd || !put_word(s))
            put_number(s);
        return;
    }
    size_t length = s->shape[axis];
    if (s->odd && random_below(&s->random, 100) == 0)
        length = length + random_below(&s->random, 3) - (length > 0);
    put(s, "[");
    put_space(s);
    for (size_t i = 0; i < length; i++) {
        if (i > 0)
            put(s, ",");
        put_space(s);
        put_list(s, axis + 1);
        put_space(s);
    }
    put(s, "]");
}

void sample_make(json_sample *s) {
    s->length = s->count = 0;
    s->rank = (int)random_below(&s->random, SAMPLE_RANK + 1);
    size_t size = 1;
    for (int i = 0; i < s->rank; i++) {
        s->shape[i] = 1 + random_below(&s->random, size < 8 ? 9 : 2);
        size *= s->shape[i];
        if (s->odd && random_below(&s->random, 50) == 0)
            s->shape[i] = 0;
    }
    put_list(s, 0);
    s->text[s->length] = '\0';
}

void sample_change(json_sample *s) {
    static const char bytes[] = "[]],,,,0123456789.-+eE \n\":{}x\t\v\xff";
    size_t at = random_below(&s->random, s->length);
    char byte =
        bytes[random_below(&s->random, sizeof bytes - 1)]; /* Jansson passes over zero bytes */
    switch (random_below(&s->random, 3)) {
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
    s->text[s->length] = '\0';
}
