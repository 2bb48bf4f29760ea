/* Number arrays in JSON text: what is read, and what is refused where. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "json_reading.h"

TestSuite(json_array);

static array_reading reads(const char *text, layers_dtype dtype, const size_t *shape, int rank) {
    array_reading reading = read_array(text, strlen(text), dtype);
    cr_assert(reading.read, "%s: %s", text, reading.problem.detail);
    cr_assert(reading.tensor.dtype == dtype);
    assert_shape(&reading.tensor, shape, rank, text);
    return reading;
}

static void reads_values(const char *text, const size_t *shape, int rank, const double *values) {
    for (layers_dtype dtype = LAYERS_F64; dtype <= LAYERS_F32; dtype++) {
        array_reading reading = reads(text, dtype, shape, rank);
        cr_assert(reading.consumed == strlen(text), "%s: %zu bytes", text, reading.consumed);
        assert_values(&reading.tensor, values, reading.tensor.size, 0, 0, text);
        layers_tensor_clear(&reading.tensor);
    }
}

static void refuses(const char *text, problem_kind kind, const char *pointer) {
    for (layers_dtype dtype = LAYERS_F64; dtype <= LAYERS_F32; dtype++) {
        array_reading reading = read_array(text, strlen(text), dtype);
        cr_assert(!reading.read, "%s was read", text);
        assert_problem(&reading.problem, kind, pointer, text);
    }
}

static void malformed(const char *text, size_t offset) {
    array_reading reading = read_array(text, strlen(text), LAYERS_F64);
    cr_assert(!reading.read, "%s was read", text);
    assert_malformed_at(&reading.problem, offset, text);
}

Test(json_array, numbers_and_nested_lists) {
    reads_values("7", SCALAR, VALUES(7));
    reads_values("-0.5e1", SCALAR, VALUES(-5));
    reads_values("[1]", SHAPE(1), VALUES(1));
    reads_values("[1,2.5,-3]", SHAPE(3), VALUES(1, 2.5, -3));
    reads_values("[[1,2,3],[4,5,6]]", SHAPE(2, 3), VALUES(1, 2, 3, 4, 5, 6));
    reads_values("[[[1],[2]],[[3],[4]],[[5],[6]]]", SHAPE(3, 2, 1), VALUES(1, 2, 3, 4, 5, 6));
}

Test(json_array, minus_zero_keeps_its_sign) {
    array_reading reading = reads("[-0, -0.0, 0]", LAYERS_F64, SHAPE(3));
    cr_assert(signbit(element(&reading.tensor, 0)) && signbit(element(&reading.tensor, 1)));
    cr_assert(!signbit(element(&reading.tensor, 2)));
    layers_tensor_clear(&reading.tensor);
}

Test(json_array, empty_lists) {
    reads_values("[]", SHAPE(0), NULL);
    reads_values("[[]]", SHAPE(1, 0), NULL);
    reads_values("[[],[],[]]", SHAPE(3, 0), NULL);
    reads_values("[[[],[]],[[],[]]]", SHAPE(2, 2, 0), NULL);
    refuses("[[],[1]]", PROBLEM_RAGGED_ARRAY, "/x/1");
    refuses("[[1],[]]", PROBLEM_RAGGED_ARRAY, "/x/1");
    refuses("[[],[[]]]", PROBLEM_RAGGED_ARRAY, NULL);
    refuses("[[[]],[]]", PROBLEM_RAGGED_ARRAY, "/x/1");
}

Test(json_array, whitespace_everywhere) {
    reads_values(" \t\r\n[ \n[ 1 , \t2 ]\r\n,[\n3,4 ] ]", SHAPE(2, 2), VALUES(1, 2, 3, 4));
    reads_values("[ ]", SHAPE(0), NULL);
    reads_values("[ [ ] , [ ] ]", SHAPE(2, 0), NULL);
    malformed("[1,\v2]", 3);
    malformed("[1,\f2]", 3);
    malformed("[1\xa0]", 2);
}

Test(json_array, words_bare_and_quoted) {
    static const char *const texts[] = {
        "[NaN,Infinity,-Infinity]",
        "[\"NaN\",\"Infinity\",\"-Infinity\"]",
        "[ NaN , \"Infinity\" , -Infinity ]",
    };
    for (size_t i = 0; i < 3; i++)
        reads_values(texts[i], SHAPE(3), VALUES(NAN, INFINITY, -INFINITY));
    reads_values("NaN", SCALAR, VALUES(NAN));
    reads_values("-Infinity", SCALAR, VALUES(-INFINITY));
    reads_values("[[NaN],[1]]", SHAPE(2, 1), VALUES(NAN, 1));
}

Test(json_array, other_words_are_malformed) {
    static const char *const words[] = {"nan",      "NAN",       "Nan",      "inf",  "Inf",
                                        "INFINITY", "infinity",  "-NaN",     "NaNs", "+Infinity",
                                        "-inf",     "Infinityy", "None",     "Na",   "N",
                                        "I",        "tru",       "undefined"};
    char text[64];
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        snprintf(text, sizeof text, "[1,%s]", words[i]);
        array_reading reading = read_array(text, strlen(text), LAYERS_F64);
        cr_assert(!reading.read, "%s was read", text);
        assert_problem(&reading.problem, PROBLEM_INVALID_JSON, NULL, text);
        cr_assert(reading.problem.offset == 3 || reading.problem.offset == 4, "%s: %zu", text,
                  reading.problem.offset);
    }
}

Test(json_array, float32_is_rounded_once) {
    /* 1 + 2^-24 + a little is above the tie in decimal, but on the tie once rounded to double. */
    array_reading reading =
        reads("[1.000000059604644775390626,16777217,1e-45]", LAYERS_F32, SHAPE(3));
    assert_values(&reading.tensor, VALUES(1 + 0x1p-23, 16777216, 0x1p-149), 3, 0, 0, "float32");
    layers_tensor_clear(&reading.tensor);
}

Test(json_array, numbers_too_large_are_out_of_range) {
    refuses("1e999", PROBLEM_NUMBER_OUT_OF_RANGE, "/x");
    refuses("[1,-1e999]", PROBLEM_NUMBER_OUT_OF_RANGE, "/x/1");
    refuses("[[1,2],[3,1e400]]", PROBLEM_NUMBER_OUT_OF_RANGE, "/x/1/1");
    array_reading wide = reads("[1e39]", LAYERS_F64, SHAPE(1));
    layers_tensor_clear(&wide.tensor);
    array_reading narrow = read_array("[1e39]", 6, LAYERS_F32);
    cr_assert(!narrow.read);
    assert_problem(&narrow.problem, PROBLEM_NUMBER_OUT_OF_RANGE, "/x/0", "[1e39]");
    reads_values("[1e-999,-1e-999]", SHAPE(2), VALUES(0, 0));
}

Test(json_array, ragged_lists_are_placed) {
    static const struct {
        const char *text, *pointer;
    } rows[] = {
        {"[1,[2]]", "/x/1"},
        {"[[1],2]", "/x/1"},
        {"[[1,2],[3]]", "/x/1"},
        {"[[1,2],[3,4],[5,6,7]]", "/x/2"},
        {"[[[1],[2]],[[3],4]]", "/x/1/1"},
        {"[[[1],[2]],[3,4]]", "/x/1/0"},
        {"[[[1],[2]],[[3]]]", "/x/1"},
        {"[[[1,2],[3,4]],[[5,6],[7]]]", "/x/1/1"},
        {"[[[1,2],[3,4]],[[5,6],[7,[8]]]]", "/x/1/1/1"},
        {"[[1,2],[3,[4]]]", "/x/1/1"},
        {"[1,2,[]]", "/x/2"},
        {"[[],1]", "/x/1"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        refuses(rows[i].text, PROBLEM_RAGGED_ARRAY, rows[i].pointer);
}

/* One short list at each depth of a 2 x 2 x ... x 2 array. */
Test(json_array, ragged_at_each_depth) {
    for (int depth = 1; depth < 8; depth++) {
        char text[64] = "", pointer[64] = "/x";
        for (int i = 0; i < depth; i++)
            strcat(text, "[");
        strcat(text, "[1,2],[3]");
        for (int i = 0; i < depth; i++) {
            strcat(text, "]");
            strcat(pointer, i == depth - 1 ? "/1" : "/0");
        }
        refuses(text, PROBLEM_RAGGED_ARRAY, pointer);
    }
}

static void nested(char *text, int depth, const char *inside) {
    memset(text, '[', (size_t)depth);
    strcpy(text + depth, inside);
    memset(text + depth + strlen(inside), ']', (size_t)depth);
    text[2 * (size_t)depth + strlen(inside)] = '\0';
}

Test(json_array, rank_32_is_the_most) {
    char text[128];
    size_t ones[LAYERS_MAX_RANK];
    for (int i = 0; i < LAYERS_MAX_RANK; i++)
        ones[i] = 1;
    nested(text, 32, "5");
    reads_values(text, ones, 32, VALUES(5));
    nested(text, 33, "5");
    refuses(text, PROBLEM_INVALID_SHAPE, "/x");
    nested(text, 33, "");
    refuses(text, PROBLEM_INVALID_SHAPE, "/x");
}

Test(json_array, other_values_are_of_the_wrong_type) {
    static const struct {
        const char *text, *pointer;
    } rows[] = {
        {"[true]", "/x/0"},        {"[1,false]", "/x/1"},   {"[[1],[null]]", "/x/1/0"},
        {"[\"one\"]", "/x/0"},     {"[1,\"\"]", "/x/1"},    {"[{}]", "/x/0"},
        {"[1,{\"a\":1}]", "/x/1"}, {"[\"1\"]", "/x/0"},     {"[\"nan\"]", "/x/0"},
        {"[\"NaN \"]", "/x/0"},    {"[\"Na\\n\"]", "/x/0"}, {"[1,\"\\u004e\"]", "/x/1"},
        {"[\"NaN\\\"\"]", "/x/0"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        refuses(rows[i].text, PROBLEM_WRONG_TYPE, rows[i].pointer);
}

Test(json_array, escapes_in_words_are_undone) {
    static const double words[] = {NAN, INFINITY, -INFINITY, NAN};
    reads_values("[\"\\u004eaN\",\"Infinit\\u0079\",\"\\u002dInfinity\",\"\\u004E\\u0061\\u004e\"]",
                 SHAPE(4), words);
}

Test(json_array, malformed_text_is_placed) {
    static const struct {
        const char *text;
        size_t offset;
    } rows[] = {
        {"[1,]", 3},      {"[,1]", 1},          {"[1,,2]", 3},   {"[1 2]", 3}, {"[1;2]", 2},
        {"[1}", 2},       {"[[1],]", 5},        {"[[1][2]]", 4}, {"[1][", 3},  {"[\n1\n2]", 4},
        {"[\n\n  x]", 5}, {"[1,\n2,\n  ?]", 9}, {"[+1]", 1},     {"[.5]", 1},  {"['a']", 1},
        {"[1:2]", 2},     {"[01]", 2},          {"[0x10]", 2},   {"[1/2]", 2}, {"[1,/**/2]", 3},
        {"[1_000]", 2},   {"[1]]", 3},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        size_t length = strlen(rows[i].text);
        array_reading reading = read_array(rows[i].text, length, LAYERS_F64);
        if (reading.read) { /* what follows the array is left to whoever reads on */
            cr_assert(reading.consumed == rows[i].offset, "%s: %zu", rows[i].text,
                      reading.consumed);
            layers_tensor_clear(&reading.tensor);
        } else {
            assert_malformed_at(&reading.problem, rows[i].offset, rows[i].text);
        }
    }
}

Test(json_array, numbers_must_be_whole) {
    static const char *const numbers[] = {"-",   "1.",  "1.e5", "1e", "1e+",
                                          "1e-", "-.5", "--1",  "-a"};
    char text[32];
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        snprintf(text, sizeof text, "[3,%s]", numbers[i]);
        array_reading reading = read_array(text, strlen(text), LAYERS_F64);
        cr_assert(!reading.read, "%s was read", text);
        assert_problem(&reading.problem, PROBLEM_INVALID_JSON, NULL, text);
        cr_assert(reading.problem.offset >= 3 && reading.problem.offset < strlen(text), "%s: %zu",
                  text, reading.problem.offset);
    }
}

Test(json_array, reading_ends_behind_the_array) {
    static const struct {
        const char *text;
        size_t consumed;
    } rows[] = {{"[1][2]", 3}, {"[1],[2]", 3}, {"1,2", 1}, {"[[1]]]", 5}, {"5 ", 1}, {"NaN}", 3}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        array_reading reading = read_array(rows[i].text, strlen(rows[i].text), LAYERS_F64);
        cr_assert(reading.read, "%s: %s", rows[i].text, reading.problem.detail);
        cr_assert(reading.consumed == rows[i].consumed, "%s: %zu", rows[i].text, reading.consumed);
        layers_tensor_clear(&reading.tensor);
    }
}

Test(json_array, every_prefix_is_refused_at_its_end_or_before) {
    static const char whole[] =
        " [[ -1.5e-3, NaN, \"-Infinity\" ],\n [ Infinity, -Infinity, \"NaN\" ], [0, 1E5, 2.25]]";
    for (size_t length = 0; length < sizeof whole - 1; length++)
        for (layers_dtype dtype = LAYERS_F64; dtype <= LAYERS_F32; dtype++) {
            array_reading reading = read_array(whole, length, dtype);
            cr_assert(!reading.read, "%.*s was read", (int)length, whole);
            assert_problem(&reading.problem, PROBLEM_INVALID_JSON, NULL, whole);
            cr_assert(reading.problem.offset <= length, "%zu of %zu", reading.problem.offset,
                      length);
        }
    array_reading reading = read_array(whole, sizeof whole - 1, LAYERS_F64);
    cr_assert(reading.read);
    layers_tensor_clear(&reading.tensor);
}

Test(json_array, a_hundred_thousand_brackets_are_refused_without_a_stack) {
    enum { DEPTH = 100000 };
    char *text = malloc(2 * DEPTH + 1);
    nested(text, DEPTH, "");
    refuses(text, PROBLEM_INVALID_SHAPE, "/x");
    array_reading reading = read_array(text, DEPTH, LAYERS_F64);
    cr_assert(!reading.read);
    free(text);
}

/* Lengths on both sides of every growth, and no memory left over beyond a few elements. */
Test(json_array, any_length_is_read) {
    enum { MOST = 3000 };
    static char text[8 * MOST];
    for (size_t count = 1; count < MOST; count += 1 + count / 7) {
        char *out = text;
        for (size_t i = 0; i < count; i++)
            out += sprintf(out, "%c%zu", i ? ',' : '[', i);
        strcpy(out, "]");
        array_reading reading = reads(text, LAYERS_F64, SHAPE(count));
        for (size_t i = 0; i < count; i++)
            cr_assert(element(&reading.tensor, i) == (double)i, "%zu of %zu", i, count);
        size_t memory = layers_tensor_memory(&reading.tensor) / sizeof(double);
        cr_assert(memory >= count && memory <= count + 8, "%zu for %zu", memory, count);
        layers_tensor_clear(&reading.tensor);
    }
}

Test(json_array, long_lists_of_shortest_and_longest_elements) {
    enum { COUNT = 100000 };
    static const char *const elements[] = {"1", "-1.2345678901234567e-300"};
    for (size_t e = 0; e < 2; e++) {
        size_t length = strlen(elements[e]);
        char *text = malloc(COUNT * (length + 1) + 2), *out = text;
        *out++ = '[';
        for (size_t i = 0; i < COUNT; i++, out += length + 1) {
            memcpy(out, elements[e], length);
            out[length] = ',';
        }
        out[-1] = ']';
        *out = '\0';
        array_reading reading = reads(text, LAYERS_F64, SHAPE(COUNT));
        cr_assert(element(&reading.tensor, COUNT - 1) == strtod(elements[e], NULL));
        layers_tensor_clear(&reading.tensor);
        free(text);
    }
}

Test(json_array, words_have_their_values) {
    double value = 5;
    cr_assert(json_word_value("NaN", 3, &value) && isnan(value));
    cr_assert(json_word_value("Infinity", 8, &value) && value == INFINITY);
    cr_assert(json_word_value("-Infinity", 9, &value) && value == -INFINITY);
    cr_assert(!json_word_value("NaN", 2, &value) && !json_word_value("", 0, &value));
    cr_assert(!json_word_value("\"NaN\"", 5, &value) && !json_word_value("nan", 3, &value));
}

/* Text behind the array, with commas or not, takes no memory, nor does it cost time to look at. */
Test(json_array, memory_is_that_of_the_elements) {
    static const struct {
        const char *text;
        size_t elements;
    } rows[] = {
        {"[1,2,3],[4,5,6,7,8,9,10,11,12,13,14,15]", 3},
        {"[1] [2,2,2,2,2,2,2,2,2,2,2,2,2]", 1},
        {"[[1],[2]]],,,,,,,,,,,,,,,,,,", 2},
        {"[ [ 1 , 2 ] \n, [ 3 , 4 ]\t] , [ [ 5 , 6 ] ]", 4},
        {"[[[1,2]],[[3,4]]]}[1,1,1,1,1,1,1,1]", 4},
        {"7,7,7,7,7,7,7,7", 1},
        {"[NaN,\"NaN\",1],,,,,,,,,,,", 3},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        array_reading reading = read_array(rows[i].text, strlen(rows[i].text), LAYERS_F64);
        cr_assert(reading.read, "%s: %s", rows[i].text, reading.problem.detail);
        size_t memory = layers_tensor_memory(&reading.tensor);
        cr_assert(memory == rows[i].elements * sizeof(double), "%s: %zu", rows[i].text, memory);
        layers_tensor_clear(&reading.tensor);
    }
}

static bool read_within(budget *budget, const char *text, layers_dtype dtype, problem *problem) {
    charge charge = {.budget = budget};
    json_cursor cursor = {.start = text, .at = text, .end = text + strlen(text), .charge = &charge};
    layers_tensor tensor;
    bool read = json_array_read(&cursor, dtype, "/x", &tensor, problem);
    cr_assert(read || !tensor.buffer, "a tensor is left");
    layers_tensor_clear(&tensor);
    return read;
}

Test(json_array, memory_is_charged_before_it_is_taken) {
    static const struct {
        const char *text;
        size_t elements;
    } rows[] = {{"[[1,2,3],[4,5,6]]", 6}, {"[1]", 1}, {"7", 1}, {"[NaN]", 1}, {"[]", 1}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        for (layers_dtype dtype = LAYERS_F64; dtype <= LAYERS_F32; dtype++) {
            size_t bytes =
                rows[i].elements * (dtype == LAYERS_F32 ? sizeof(float) : sizeof(double));
            problem problem;
            budget enough = {.limit = bytes}, short_by_one = {.limit = bytes - 1};
            cr_assert(read_within(&enough, rows[i].text, dtype, &problem), "%s", rows[i].text);
            cr_assert(enough.used == bytes, "%s", rows[i].text);
            cr_assert(!read_within(&short_by_one, rows[i].text, dtype, &problem));
            assert_problem(&problem, PROBLEM_OVERLOADED, NULL, rows[i].text);
        }
}
