/* JSON request bodies: what they hold, and what is refused where. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "codec/json_value.h"
#include "json_reading.h"

TestSuite(json_document);

static document_reading reads(const char *text) {
    document_reading reading = read_document(text, strlen(text), LAYERS_F64);
    cr_assert(reading.read, "%s: %s", text, reading.problem.detail);
    return reading;
}

static void refuses_bytes(const char *text, size_t length, problem_kind kind, const char *pointer) {
    document_reading reading = read_document(text, length, LAYERS_F64);
    cr_assert(!reading.read, "%.60s was read", text);
    assert_problem(&reading.problem, kind, pointer, text);
    document_close(&reading);
}

static void refuses(const char *text, problem_kind kind, const char *pointer) {
    refuses_bytes(text, strlen(text), kind, pointer);
}

static void malformed(const char *text, size_t offset) {
    document_reading reading = read_document(text, strlen(text), LAYERS_F64);
    cr_assert(!reading.read, "%s was read", text);
    assert_malformed_at(&reading.problem, offset, text);
    document_close(&reading);
}

static layers_tensor tensor_at(document_reading *reading, const char *key, layers_dtype dtype) {
    layers_tensor tensor;
    json_t *value = json_object_get(reading->document.root, key);
    cr_assert(value, "there is no %s", key);
    bool read = json_tensor(&reading->document, value, dtype, "/x", &tensor, &reading->problem);
    cr_assert(read, "%s: %s", key, reading->problem.detail);
    return tensor;
}

/* {"x": ...} gives this tensor. */
static void gives(const char *text, layers_dtype dtype, const size_t *shape, int rank,
                  const double *values) {
    document_reading reading = reads(text);
    layers_tensor tensor = tensor_at(&reading, "x", dtype);
    cr_assert(tensor.dtype == dtype);
    assert_shape(&tensor, shape, rank, text);
    assert_values(&tensor, values, tensor.size, 0, 0, text);
    layers_tensor_clear(&tensor);
    document_close(&reading);
}

static void gives_no_tensor(const char *text, layers_dtype dtype, problem_kind kind,
                            const char *pointer) {
    document_reading reading = reads(text);
    layers_tensor tensor;
    json_t *value = json_object_get(reading.document.root, "x");
    bool read = json_tensor(&reading.document, value, dtype, "/x", &tensor, &reading.problem);
    cr_assert(!read, "%s was read", text);
    assert_problem(&reading.problem, kind, pointer, text);
    document_close(&reading);
}

Test(json_document, tensors_nested_flat_and_bare) {
    gives("{\"x\":[[1,2],[3,4]]}", LAYERS_F64, SHAPE(2, 2), VALUES(1, 2, 3, 4));
    gives("{\"x\":{\"shape\":[2,2],\"data\":[1,2,3,4]}}", LAYERS_F64, SHAPE(2, 2),
          VALUES(1, 2, 3, 4));
    gives("{\"x\":{\"data\":[1,NaN],\"shape\":[1,2.0]}}", LAYERS_F64, SHAPE(1, 2), VALUES(1, NAN));
    gives("{\"x\":{\"shape\":[],\"data\":[5]}}", LAYERS_F64, SCALAR, VALUES(5));
    gives("{\"x\":{\"shape\":[2,0,3],\"data\":[]}}", LAYERS_F64, SHAPE(2, 0, 3), NULL);
    gives("{\"x\":7}", LAYERS_F64, SCALAR, VALUES(7));
    gives("{\"x\":-Infinity}", LAYERS_F64, SCALAR, VALUES(-INFINITY));
    gives("{\"x\":\"NaN\"}", LAYERS_F32, SCALAR, VALUES(NAN));
    gives("{\"x\":\"Infinity\"}", LAYERS_F64, SCALAR, VALUES(INFINITY));
    gives(" \t\r\n{ \"x\" : [ 1 ] } \r\n", LAYERS_F64, SHAPE(1), VALUES(1));
}

Test(json_document, another_dtype_is_read_again_from_the_text) {
    static const double rounded[] = {1 + 0x1p-23};
    const char *text = "{\"x\":[1.000000059604644775390626]}";
    gives(text, LAYERS_F32, SHAPE(1), rounded);
    document_reading narrow = read_document(text, strlen(text), LAYERS_F32);
    cr_assert(narrow.read);
    layers_tensor wide = tensor_at(&narrow, "x", LAYERS_F64);
    assert_values(&wide, VALUES(1.000000059604644775390626), 1, 0, 0, text);
    layers_tensor_clear(&wide);
    document_close(&narrow);
}

/* `dtype` is a guess: it costs time, not correctness. */
Test(json_document, a_guess_of_float32_refuses_no_float64) {
    const char *text = "{\"x\":[1e39],\"eps\":1e300}";
    document_reading reading = read_document(text, strlen(text), LAYERS_F32);
    cr_assert(reading.read, "%s", reading.problem.detail);
    layers_tensor x = tensor_at(&reading, "x", LAYERS_F64);
    assert_values(&x, VALUES(1e39), 1, 0, 0, "x");
    layers_tensor_clear(&x);
    document_close(&reading);
}

Test(json_document, a_number_too_large_for_float32_is_refused_when_it_is_wanted) {
    gives_no_tensor("{\"x\":[1,1e39]}", LAYERS_F32, PROBLEM_NUMBER_OUT_OF_RANGE, "/x/1");
    refuses("{\"x\":[1,1e999]}", PROBLEM_NUMBER_OUT_OF_RANGE, "/x/1");
    refuses("{\"p\":{\"eps\":1e999}}", PROBLEM_NUMBER_OUT_OF_RANGE, "/p/eps");
}

Test(json_document, labels) {
    gives("{\"x\":[0,2.0,3e0,-1]}", LAYERS_I64, SHAPE(4), VALUES(0, 2, 3, -1));
    gives("{\"x\":[9007199254740992]}", LAYERS_I64, SHAPE(1), VALUES(0x1p53));
    gives("{\"x\":{\"shape\":[2],\"data\":[1,0]}}", LAYERS_I64, SHAPE(2), VALUES(1, 0));
    gives("{\"x\":4}", LAYERS_I64, SCALAR, VALUES(4));
    gives_no_tensor("{\"x\":[0,2.5]}", LAYERS_I64, PROBLEM_WRONG_TYPE, "/x/1");
    gives_no_tensor("{\"x\":[1e300]}", LAYERS_I64, PROBLEM_WRONG_TYPE, "/x/0");
    gives_no_tensor("{\"x\":[0,1,NaN]}", LAYERS_I64, PROBLEM_WRONG_TYPE, "/x/2");
    gives_no_tensor("{\"x\":[Infinity]}", LAYERS_I64, PROBLEM_WRONG_TYPE, "/x/0");
    gives_no_tensor("{\"x\":2.5}", LAYERS_I64, PROBLEM_WRONG_TYPE, "/x");
    gives_no_tensor("{\"x\":\"NaN\"}", LAYERS_I64, PROBLEM_WRONG_TYPE, "/x");
}

Test(json_document, one_number_is_a_list_of_one) {
    gives("{\"x\":{\"shape\":3,\"data\":[1,2,3]}}", LAYERS_F64, SHAPE(3), VALUES(1, 2, 3));
    gives("{\"x\":{\"shape\":[1],\"data\":-8.5}}", LAYERS_F32, SHAPE(1), VALUES(-8.5));
    gives("{\"x\":{\"shape\":[1,1],\"data\":7}}", LAYERS_I64, SHAPE(1, 1), VALUES(7));
    gives("{\"x\":{\"shape\":1,\"data\":\"-Infinity\"}}", LAYERS_F64, SHAPE(1), VALUES(-INFINITY));
    gives("{\"x\":{\"shape\":[],\"data\":5}}", LAYERS_F64, SCALAR, VALUES(5));
}

Test(json_document, flat_tensors_that_do_not_fit) {
    static const struct {
        const char *text, *pointer;
        problem_kind kind;
    } rows[] = {
        {"{\"shape\":[2],\"data\":[1]}", "/x", PROBLEM_INVALID_SHAPE},
        {"{\"shape\":[],\"data\":[]}", "/x", PROBLEM_INVALID_SHAPE},
        {"{\"shape\":[2],\"data\":[[1,2]]}", "/x", PROBLEM_INVALID_SHAPE},
        {"{\"shape\":[-1],\"data\":[1]}", "/x/shape", PROBLEM_INVALID_SHAPE},
        {"{\"shape\":[[1]],\"data\":[1]}", "/x/shape", PROBLEM_INVALID_SHAPE},
        {"{\"shape\":[4294967296,4294967296],\"data\":[]}", "/x/shape", PROBLEM_INVALID_SHAPE},
        {"{\"shape\":[1099511627776,1099511627776,0],\"data\":[]}", "/x/shape",
         PROBLEM_INVALID_SHAPE},
        {"{\"shape\":[1.5],\"data\":[1]}", "/x/shape/0", PROBLEM_WRONG_TYPE},
        {"{\"shape\":[1e300],\"data\":[1]}", "/x/shape/0", PROBLEM_WRONG_TYPE},
        {"{\"shape\":2,\"data\":[1]}", "/x", PROBLEM_INVALID_SHAPE},
        {"{\"shape\":-2,\"data\":[1]}", "/x/shape", PROBLEM_INVALID_SHAPE},
        {"{\"shape\":1.5,\"data\":[1]}", "/x/shape", PROBLEM_WRONG_TYPE},
        {"{\"shape\":\"1\",\"data\":[1]}", "/x/shape", PROBLEM_WRONG_TYPE},
        {"{\"shape\":[2],\"data\":1}", "/x", PROBLEM_INVALID_SHAPE},
        {"{\"shape\":[1],\"data\":\"1\"}", "/x/data", PROBLEM_WRONG_TYPE},
        {"{\"shape\":[1],\"data\":null}", "/x/data", PROBLEM_WRONG_TYPE},
        {"{\"shape\":[1]}", "/x/data", PROBLEM_MISSING_FIELD},
        {"{\"data\":[1]}", "/x/shape", PROBLEM_MISSING_FIELD},
        {"{}", "/x/shape", PROBLEM_MISSING_FIELD},
        {"{\"shape\":[1],\"data\":[1],\"dtype\":\"float32\"}", "/x/dtype", PROBLEM_UNKNOWN_FIELD},
    };
    char text[160];
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        snprintf(text, sizeof text, "{\"x\":%s}", rows[i].text);
        gives_no_tensor(text, LAYERS_F64, rows[i].kind, rows[i].pointer);
    }
}

static void flat_of_rank(int rank, char *text) {
    char *out = text + sprintf(text, "{\"x\":{\"shape\":[1");
    for (int i = 1; i < rank; i++)
        out += sprintf(out, ",1");
    sprintf(out, "],\"data\":[5]}}");
}

Test(json_document, flat_rank_32_is_the_most) {
    char text[256];
    size_t ones[LAYERS_MAX_RANK];
    for (int i = 0; i < LAYERS_MAX_RANK; i++)
        ones[i] = 1;
    flat_of_rank(32, text);
    gives(text, LAYERS_F64, ones, 32, VALUES(5));
    flat_of_rank(33, text);
    gives_no_tensor(text, LAYERS_F64, PROBLEM_INVALID_SHAPE, "/x/shape");
}

Test(json_document, values_that_are_no_tensor) {
    static const char *const values[] = {"true", "false", "null", "\"one\"", "\"\"", "\"nan\""};
    char text[64];
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        snprintf(text, sizeof text, "{\"x\":%s}", values[i]);
        gives_no_tensor(text, LAYERS_F64, PROBLEM_WRONG_TYPE, "/x");
    }
}

Test(json_document, single_numbers) {
    document_reading reading = reads("{\"a\":1e-5,\"b\":[1],\"c\":\"1\",\"d\":null,\"e\":NaN}");
    json_t *root = reading.document.root;
    double number = 0;
    cr_assert(json_double(&reading.document, json_object_get(root, "a"), "/a", &number,
                          &reading.problem));
    cr_assert(number == 1e-5);
    cr_assert(json_double(&reading.document, json_object_get(root, "e"), "/e", &number,
                          &reading.problem));
    cr_assert(isnan(number));
    static const char *const wrong[] = {"b", "c", "d"};
    for (size_t i = 0; i < 3; i++) {
        cr_assert(!json_double(&reading.document, json_object_get(root, wrong[i]), "/p", &number,
                               &reading.problem));
        assert_problem(&reading.problem, PROBLEM_WRONG_TYPE, "/p", wrong[i]);
    }
    document_close(&reading);
}

Test(json_document, kinds_have_their_names) {
    document_reading reading =
        reads("{\"a\":1,\"b\":[1],\"c\":\"1\",\"d\":null,\"e\":{},\"f\":true}");
    static const char *const names[] = {"a number", "a list",    "a string",
                                        "null",     "an object", "a boolean"};
    for (int i = 0; i < 6; i++) {
        const char key[] = {(char)('a' + i), '\0'};
        cr_assert_str_eq(json_kind(&reading.document, json_object_get(reading.document.root, key)),
                         names[i]);
    }
    document_close(&reading);
}

Test(json_document, strings_and_objects_are_there) {
    document_reading reading =
        reads("{\"mode\":\"tr\\u0061in\",\"p\":{\"x\":{\"y\":[1,2]},\"s\":\"[1, 2] -3 NaN\"}}");
    json_t *root = reading.document.root, *p = json_object_get(root, "p");
    cr_assert_str_eq(json_string_value(json_object_get(root, "mode")), "train");
    cr_assert_str_eq(json_string_value(json_object_get(p, "s")), "[1, 2] -3 NaN");
    layers_tensor y;
    json_t *value = json_object_get(json_object_get(p, "x"), "y");
    cr_assert(json_tensor(&reading.document, value, LAYERS_F64, "/p/x/y", &y, &reading.problem));
    assert_values(&y, VALUES(1, 2), 2, 0, 0, "y");
    layers_tensor_clear(&y);
    document_close(&reading);
}

Test(json_document, escapes_in_keys_are_undone) {
    gives("{\"\\u0078\":[1]}", LAYERS_F64, SHAPE(1), VALUES(1));
    document_reading reading = reads("{\"a\\\"b\":1,\"c\\\\\":2}");
    cr_assert(json_object_get(reading.document.root, "a\"b"));
    cr_assert(json_object_get(reading.document.root, "c\\"));
    document_close(&reading);
}

Test(json_document, problems_inside_are_placed_by_their_keys) {
    refuses("{\"\\u0078\":[1,[2]]}", PROBLEM_RAGGED_ARRAY, "/x/1");
    refuses("{\"\\ud83d\\ude00\\u00e9\\n\\/\":[1,[2]]}", PROBLEM_RAGGED_ARRAY,
            "/\xf0\x9f\x98\x80\xc3\xa9\n~1/1");
    refuses("{\"x\":[1],\"w\":[[1],2]}", PROBLEM_RAGGED_ARRAY, "/w/1");
    refuses("{\"p\":{\"a\":1,\"mean\":[1,[2]]}}", PROBLEM_RAGGED_ARRAY, "/p/mean/1");
    refuses("{\"p\":{\"a\":{\"b\":[1]}},\"x\":[[1],[]]}", PROBLEM_RAGGED_ARRAY, "/x/1");
    refuses("{\"s\":\"x\",\"x\":{\"shape\":[1],\"data\":[{}]}}", PROBLEM_WRONG_TYPE, "/x/data/0");
}

Test(json_document, the_root_is_an_object) {
    static const char *const roots[] = {"[1,2]", "5", "NaN", "\"x\"", "true", "null", "[]"};
    for (size_t i = 0; i < sizeof roots / sizeof *roots; i++)
        refuses(roots[i], PROBLEM_WRONG_TYPE, "");
    document_reading reading = reads("{}");
    cr_assert(json_object_size(reading.document.root) == 0);
    document_close(&reading);
}

Test(json_document, duplicate_keys_are_refused) {
    refuses("{\"x\":[1],\"x\":[1]}", PROBLEM_INVALID_JSON, NULL);
    refuses("{\"x\":1,\"\\u0078\":1}", PROBLEM_INVALID_JSON, NULL);
    refuses("{\"p\":{\"a\":\"1\",\"a\":\"1\"}}", PROBLEM_INVALID_JSON, NULL);
}

Test(json_document, arrays_do_not_grow_together) {
    static const char *const texts[] = {
        "{\"x\":[1][2]}",  "{\"x\":[1]2}",    "{\"x\":1[2]}",  "{\"x\":1 2}",  "{\"x\":01}",
        "{\"x\":[1]\"\"}", "{\"x\":true1}",   "{\"x\":1true}", "{\"x\":NaN1}", "{\"x\":1NaN}",
        "{\"x\":1-1}",     "{\"x\":-[1]}",    "{\"x\":1e[5]}", "{\"x\":.[5]}", "[1][2]",
        "{\"x\":5e5e5}",   "{\"x\":\"\"[1]}", "{[1]:2}",       "{1:2}",        "{\"x\" [1]}",
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        refuses(texts[i], PROBLEM_INVALID_JSON, NULL);
}

Test(json_document, malformed_text_is_placed) {
    static const struct {
        const char *text;
        size_t offset;
    } rows[] = {
        {"", 0},
        {"   ", 3},
        {"{", 1},
        {"{\"x\"", 4},
        {"{\"x\":", 5},
        {"{\"x\":[1]", 8},
        {"{\"x\":[1],}", 9},
        {"{\"x\":[1]}}", 9},
        {"{\"x\":[1]} x", 10},
        {"{\"x\":,}", 5},
        {"{,}", 1},
        {"{x:1}", 1},
        {"{'x':1}", 1},
        {"{\n\"x\":[1,2],\n?}", 13},
        {"{\"x\":[1,\n2,]}", 11},
        {"{\"x\":[1,2] \"y\":3}", 11},
        {"{\"x\":[1],\"y\" 3}", 13},
        {"{\"x\" [1,2]}", 5},
        {"{\"x\":[1][2]}", 8},
        {"{\"x\":[1]2}", 8},
        {"{\"x\":1 2}", 7},
        {"{\"x\":01}", 6},
        {"{1:2}", 1},
        {"{\"x\":+1}", 5},
        {"{\"x\":[1] \"a key beyond twenty characters\":3}", 9},
        {"{\"x\":[1000000],\"y\":[1.5,2.5],\"z\":!}", 33},
        {"{\"x\":\"never ends}", 5},
        {"{\"x\":[1],\"y\":[1 2]}", 16},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        malformed(rows[i].text, rows[i].offset);
}

Test(json_document, every_prefix_is_refused) {
    static const char whole[] =
        "{\"x\": [[1.5, -2e-3], [NaN, \"Infinity\"]], \"p\\n\": {\"mode\": \"tr\\u00e4in\", \"a\":"
        " true, \"b\": null, \"v\": {\"shape\": [2], \"data\": [1, 2]}}, \"eps\": -Infinity}";
    for (size_t length = 0; length < sizeof whole - 1; length++)
        for (layers_dtype dtype = LAYERS_F64; dtype <= LAYERS_F32; dtype++) {
            document_reading reading = read_document(whole, length, dtype);
            cr_assert(!reading.read, "%.*s was read", (int)length, whole);
            assert_problem(&reading.problem, PROBLEM_INVALID_JSON, NULL, whole);
            cr_assert(reading.problem.offset <= length);
            document_close(&reading);
        }
    document_reading reading = reads(whole);
    document_close(&reading);
}

/* Any one byte of a document replaced by any other: refused or read, never worse. */
Test(json_document, every_byte_may_be_any_other) {
    static const char whole[] = "{\"x\":[[1.5,-2],[NaN,\"NaN\"]],\"p\":{\"m\":\"t\\n\"},\"e\":1e5}";
    char text[sizeof whole];
    int read = 0;
    for (size_t i = 0; i < sizeof whole - 1; i++)
        for (int byte = 0; byte < 256; byte++) {
            memcpy(text, whole, sizeof whole);
            text[i] = (char)byte;
            document_reading reading = read_document(text, sizeof whole - 1, LAYERS_F64);
            read += reading.read;
            if (!reading.read)
                cr_assert(*reading.problem.detail, "no sentence: %s", text);
            document_close(&reading);
        }
    cr_assert(read > 300, "%d", read);
}

Test(json_document, text_must_be_utf8) {
    static const char *const bad[] = {
        "\xff",             /* never a byte of UTF-8 */
        "\xc3",             /* cut */
        "\xe2\x82",         /* cut */
        "\xc0\xaf",         /* longer than need be */
        "\xed\xa0\x80",     /* half of a surrogate pair */
        "\xf4\x90\x80\x80", /* past the last character */
        "\\ud800",          /* half of a surrogate pair */
        "\\x41",
        "\n",
    };
    char text[64];
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        snprintf(text, sizeof text, "{\"s\":\"%s\"}", bad[i]);
        refuses(text, PROBLEM_INVALID_JSON, NULL);
        snprintf(text, sizeof text, "{\"%s\":1}", bad[i]);
        refuses(text, PROBLEM_INVALID_JSON, NULL);
    }
    refuses("\xef\xbb\xbf{}", PROBLEM_INVALID_JSON, NULL);
    refuses_bytes("{}\0", 3, PROBLEM_INVALID_JSON, NULL);
    refuses_bytes("{\"a\0\":1}", 8, PROBLEM_INVALID_JSON, NULL);
    document_reading reading = reads("{\"\xc3\xa4\":\"\xf0\x9f\x98\x80\"}");
    cr_assert(json_object_get(reading.document.root, "\xc3\xa4"));
    document_close(&reading);
}

/* Whatever the caller's keys are, the problem can be written as JSON. */
Test(json_document, a_problem_beside_any_key_can_be_told) {
    char long_key[200];
    int used = sprintf(long_key, "{\"%*s", 62, "k");
    sprintf(long_key + used, "\xc3\xa4\":[1,[2]]}");
    const char *const texts[] = {"{\"\xff\":[1,[2]]}", "{\"\xc3\":[true]}", long_key};
    for (size_t i = 0; i < 3; i++) {
        document_reading reading = read_document(texts[i], strlen(texts[i]), LAYERS_F64);
        cr_assert(!reading.read);
        size_t length = 0;
        char *body = problem_body(&reading.problem, &length);
        cr_assert(body && length > 0, "%s: the problem cannot be written", texts[i]);
        free(body);
        document_close(&reading);
    }
}

Test(json_document, deep_nesting_is_refused_without_a_stack) {
    enum { DEPTH = 100000 };
    char *text = malloc(5 * DEPTH + 1);
    memset(text, '[', DEPTH);
    refuses_bytes(text, DEPTH, PROBLEM_INVALID_SHAPE, "");
    for (int i = 0; i < DEPTH; i++)
        memcpy(text + 5 * i, "{\"a\":", 5);
    refuses_bytes(text, 5 * DEPTH, PROBLEM_INVALID_JSON, NULL);
    refuses_bytes(text, 5 * 13000, PROBLEM_INVALID_JSON, NULL);
    free(text);
}

/* {"s":"aaa...", "x":[...]} with so many bytes of string. */
static document_reading with_string(size_t length) {
    char *text = malloc(length + 64), *out = text;
    out += sprintf(out, "{\"s\":\"");
    memset(out, 'a', length);
    out += length;
    out += sprintf(out, "\",\"x\":[1,2,3]}");
    document_reading reading = read_document(text, (size_t)(out - text), LAYERS_F64);
    free(text);
    return reading;
}

Test(json_document, strings_may_be_long) {
    static const size_t lengths[] = {8000, 8192, 65536, 300000};
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        document_reading reading = with_string(lengths[i]);
        cr_assert(reading.read, "%s", reading.problem.detail);
        json_t *text = json_object_get(reading.document.root, "s");
        cr_assert(json_string_length(text) == lengths[i]);
        layers_tensor x = tensor_at(&reading, "x", LAYERS_F64);
        assert_values(&x, VALUES(1, 2, 3), 3, 0, 0, "x");
        layers_tensor_clear(&x);
        document_close(&reading);
    }
}

Test(json_document, long_strings_are_charged) {
    enum { LENGTH = 100000 };
    char *text = malloc(LENGTH + 16);
    size_t length = (size_t)sprintf(text, "{\"s\":\"%0*d\"}", LENGTH, 1);
    budget small = {.limit = LENGTH};
    charge charge = {.budget = &small};
    json_document document;
    problem problem;
    cr_assert(!json_document_read(
        &document, &(json_source){.text = text, .length = length, .charge = &charge}, &problem));
    assert_problem(&problem, PROBLEM_OVERLOADED, "", "a string beyond the budget");
    small.limit = 8 * LENGTH;
    cr_assert(json_document_read(
        &document, &(json_source){.text = text, .length = length, .charge = &charge}, &problem));
    cr_assert(charge.bytes >= 3 * (size_t)LENGTH);
    json_document_free(&document);
    free(text);
}

Test(json_document, at_most_64_KiB_of_keys_and_punctuation) {
    enum { COUNT = 20000 };
    char *text = malloc(32 * COUNT), *out = text;
    for (int i = 0; i < COUNT; i++)
        out += sprintf(out, "%c\"k%d\":{}", i ? ',' : '{', i);
    strcpy(out, "}");
    refuses_bytes(text, strlen(text), PROBLEM_BODY_TOO_LARGE, "");
    out = text + sprintf(text, "{\"x\":[1]");
    memset(out, ' ', 200000);
    strcpy(out + 200000, "}");
    gives(text, LAYERS_F64, SHAPE(1), VALUES(1));
    free(text);
}

Test(json_document, arrays_may_be_as_large_as_they_like) {
    enum { COUNT = 200000 };
    char *text = malloc(4 * COUNT), *out = text;
    out += sprintf(out, "{\"x\":[0");
    for (int i = 1; i < COUNT; i++)
        out += sprintf(out, ",%d", i % 10);
    strcpy(out, "]}");
    document_reading reading = reads(text);
    layers_tensor x = tensor_at(&reading, "x", LAYERS_F64);
    assert_shape(&x, SHAPE(COUNT), "x");
    cr_assert(element(&x, COUNT - 1) == 9);
    layers_tensor_clear(&x);
    document_close(&reading);
    free(text);
}

Test(json_document, many_arrays_in_one_object) {
    enum { COUNT = 500 };
    char *text = malloc(32 * COUNT), *out = text, key[16];
    for (int i = 0; i < COUNT; i++)
        out += sprintf(out, "%c\"k%d\":[%d]", i ? ',' : '{', i, i);
    strcpy(out, "}");
    document_reading reading = reads(text);
    for (int i = 0; i < COUNT; i++) {
        sprintf(key, "k%d", i);
        layers_tensor x = tensor_at(&reading, key, LAYERS_F64);
        cr_assert(element(&x, 0) == i, "%s", key);
        layers_tensor_clear(&x);
    }
    document_close(&reading);
    free(text);
}
