/* RFC 8259 and the contract's words, row by row: what must be read and what must be refused as
 * invalid_json. Numbers by themselves are in number_grammar.c, places in json_document.c. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "json_reading.h"

TestSuite(json_grammar);

typedef struct {
    const char *bytes;
    size_t length;
} text;

// clang-format off: versions differ about the braces
#define T(literal)                                                                                 \
    { literal, sizeof(literal) - 1 }
// clang-format on
#define COUNT(rows) (sizeof(rows) / sizeof *(rows))

/* As long as it is, so that zeros may stand in it. */
static void check(const char *bytes, size_t length, bool good) {
    document_reading reading = read_document(bytes, length, LAYERS_F64);
    cr_expect(reading.read == good, "%.*s was %s", (int)length, bytes,
              good ? reading.problem.detail : "read");
    if (!good && !reading.read)
        assert_problem(&reading.problem, PROBLEM_INVALID_JSON, NULL, bytes);
    document_close(&reading);
}

/* Each text between two others. */
static void check_within(const char *before, const text *rows, size_t count, const char *after,
                         bool good) {
    for (size_t i = 0; i < count; i++) {
        char *whole = malloc(strlen(before) + rows[i].length + strlen(after) + 1), *out = whole;
        cr_assert(whole);
        out = stpcpy(out, before);
        out = mempcpy(out, rows[i].bytes, rows[i].length);
        out = stpcpy(out, after);
        check(whole, (size_t)(out - whole), good);
        free(whole);
    }
}

static void check_values(const text *rows, size_t count, bool good) {
    check_within("{\"x\":", rows, count, "}", good);
    check_within("{\"p\":{\"a\":true,\"x\": ", rows, count, " },\"z\":[1]}", good);
}

Test(json_grammar, values_that_are) {
    static const text rows[] = {
        T("true"),
        T("false"),
        T("null"),
        T("\"\""),
        T("\"a\""),
        T("{}"),
        T("{\"a\":1}"),
        T("{\"\":{}}"),
        T("{\"a\":{\"a\":{\"a\":null}}}"),
        T("0"),
        T("-0"),
        T("-1"),
        T("10"),
        T("1.0"),
        T("0.5"),
        T("1e1"),
        T("1E+1"),
        T("1e-1"),
        T("0e0"),
        T("-0.0"),
        T("1.25E-002"),
        T("1e-999"),
        T("[]"),
        T("[1]"),
        T("[[1]]"),
        T("[1,2]"),
        T("[[],[]]"),
        T("[1.5,-2e3]"),
        T("[NaN]"),
        T("NaN"),
        T("Infinity"),
        T("-Infinity"),
        T("[\"-Infinity\"]"),
        T("[Infinity,-Infinity]"),
        T("123456789012345678901234567890"),
    };
    check_values(rows, COUNT(rows), true);
}

Test(json_grammar, values_that_are_not) {
    static const text rows[] = {
        T(""),
        T(","),
        T(":"),
        T("]"),
        T("}"),
        T("True"),
        T("TRUE"),
        T("tru"),
        T("truee"),
        T("true false"),
        T("nul"),
        T("nulll"),
        T("None"),
        T("undefined"),
        T("a"),
        T("nan"),
        T("-NaN"),
        T("+NaN"),
        T("NaNs"),
        T("inf"),
        T("+Infinity"),
        T("Inf"),
        T("--Infinity"),
        T("- Infinity"),
        T("infinity"),
        T("+1"),
        T("01"),
        T("-01"),
        T("00"),
        T("1."),
        T(".5"),
        T("-.5"),
        T("1.e1"),
        T("1e"),
        T("1e+"),
        T("1e1.5"),
        T("0x10"),
        T("1_000"),
        T("1 000"),
        T("1,5"),
        T("-"),
        T("--1"),
        T("1-"),
        T("1f"),
        T("\xef\xbc\x91"),
        T("[1"),
        T("[1,"),
        T("[1,]"),
        T("[,1]"),
        T("[1,,2]"),
        T("[,]"),
        T("[1 2]"),
        T("[1]]"),
        T("[[1]"),
        T("[1}"),
        T("[1;2]"),
        T("[1:2]"),

        T("[1],"),
        T("(1)"),
        T("[1]\"\""),
        T("{"),
        T("{]"),
        T("{,}"),
        T("{\"a\"}"),
        T("{\"a\":}"),
        T("{\"a\"1}"),
        T("{:1}"),
        T("{1:1}"),
        T("{\"a\":1,}"),
        T("{\"a\"::1}"),
        T("{a:1}"),
        T("{'a':1}"),
        T("{\"a\":1 \"b\":1}"),
        T("{\"a\":1;}"),
        T("{true:1}"),
        T("{[1]:1}"),
        T("{\"a\":1,\"a\":2}"),
        T("'a'"),
        T("`a`"),
        T("\"a"),
        T("a\""),
        T("\"a\"\"b\""),
        T("\"a\" 1"),
        T("// c\n1"),
        T("1 // c\n"),
        T("/* c */ 1"),
        T("1 # c\n"),
        T("true\0"),
        T("null\0"),
        T("1\0"),
        T("\0"),
        T("[1\0]"),
        T("[\0001]"),
    };
    check_values(rows, COUNT(rows), false);
}

/* In a key and in a value. */
static void check_strings(const text *rows, size_t count, bool good) {
    check_within("{\"k\":\"", rows, count, "\"}", good);
    check_within("{\"k", rows, count, "\":[1]}", good);
}

Test(json_grammar, strings_that_are) {
    static const text rows[] = {
        T(" "),
        T("\\\""),
        T("\\\\"),
        T("\\/"),
        T("/"),
        T("\\b\\f\\n\\r\\t"),
        T("\\u0041"),
        T("\\u00e4\\u00E4"),
        T("\\uFFFF\\ufdd0"),
        T("\\ud83d\\ude00"),
        T("\\uD800\\uDC00"),
        T("\\udbff\\udfff"),
        T("\\\\u0041"),
        T("'"),
        T("\x7f"),
        T("\xc2\x80"),
        T("\xdf\xbf"),
        T("\xe0\xa0\x80"),
        T("\xed\x9f\xbf"),
        T("\xee\x80\x80"),
        T("\xef\xbf\xbf"),
        T("\xef\xbb\xbf"),
        T("\xe2\x80\xa8\xe2\x80\xa9"),
        T("\xf0\x90\x80\x80"),
        T("\xf4\x8f\xbf\xbf"),
        T("{[:,]}//#"),
    };
    check_strings(rows, COUNT(rows), true);
}

Test(json_grammar, strings_that_are_not) {
    static const text rows[] = {
        T("\\"),
        T("\\a"),
        T("\\'"),
        T("\\0"),
        T("\\v"),
        T("\\x41"),
        T("\\U0041"),
        T("\\u"),
        T("\\u004"),
        T("\\u004g"),
        T("\\u 041"),
        T("\\u+041"),
        T("\\ud800"),
        T("\\udc00"),
        T("\\ud800x"),
        T("\\ud800\\n"),
        T("\\ud800\\u0041"),
        T("\\ud800\\ud800"),
        T("\\udc00\\ud800"),
        T("\x80"),
        T("\xbf"),
        T("\xe4"),
        T("\xc2"),
        T("\xc2 "),
        T("\xc0\x80"),
        T("\xc1\xbf"),
        T("\xe0\x80\x80"),
        T("\xe0\x9f\xbf"),
        T("\xe2\x82"),
        T("\xe2\x28\xa1"),
        T("\xed\xa0\x80"),
        T("\xed\xbf\xbf"),
        T("\xed\xa0\x80\xed\xb0\x80"),
        T("\xf0\x80\x80\x80"),
        T("\xf0\x8f\xbf\xbf"),
        T("\xf0\x9f\x98"),
        T("\xf4\x90\x80\x80"),
        T("\xf5\x80\x80\x80"),
        T("\xf8\x88\x80\x80\x80"),
        T("\xfc\x84\x80\x80\x80\x80"),
        T("\xfe"),
        T("\xff"),
    };
    check_strings(rows, COUNT(rows), false);
}

Test(json_grammar, control_characters_are_escaped) {
    for (int control = 0; control < 32; control++) {
        const char byte = (char)control;
        char escaped[8];
        snprintf(escaped, sizeof escaped, "\\u%04x", control);
        check_strings(&(text){&byte, 1}, 1, false);
        check_within("{\"k\":\"", &(text){escaped, 6}, 1, "\"}", true);
        /* \u0000 in a value is a character; a key with it is none that Jansson can hold */
        check_within("{\"k", &(text){escaped, 6}, 1, "\":1}", control > 0);
    }
}

Test(json_grammar, space_between_tokens) {
    static const text good[] = {T(" "), T("\t"), T("\n"), T("\r"), T(" \r\n\t ")};
    static const text bad[] = {T("\f"),       T("\v"),           T("\b"),           T("\0"),
                               T("\xc2\xa0"), T("\xe2\x80\xa8"), T("\xef\xbb\xbf"), T("\x1f"),
                               T("\x7f"),     T("\\n"),          T("/**/"),         T("\xa0")};
    static const char *const places[][2] = {
        {"", "{\"x\":[1,2],\"s\":\"\"}"}, {"{", "\"x\":[1,2],\"s\":\"\"}"},
        {"{\"x\"", ":[1,2],\"s\":\"\"}"}, {"{\"x\":", "[1,2],\"s\":\"\"}"},
        {"{\"x\":[", "1,2],\"s\":\"\"}"}, {"{\"x\":[1", ",2],\"s\":\"\"}"},
        {"{\"x\":[1,", "2],\"s\":\"\"}"}, {"{\"x\":[1,2", "],\"s\":\"\"}"},
        {"{\"x\":[1,2]", ",\"s\":\"\"}"}, {"{\"x\":[1,2],", "\"s\":\"\"}"},
        {"{\"x\":[1,2],\"s\":", "\"\"}"}, {"{\"x\":[1,2],\"s\":\"\"", "}"},
        {"{\"x\":[1,2],\"s\":\"\"}", ""},
    };
    for (size_t i = 0; i < COUNT(places); i++) {
        check_within(places[i][0], good, COUNT(good), places[i][1], true);
        check_within(places[i][0], bad, COUNT(bad), places[i][1], false);
    }
}

Test(json_grammar, documents) {
    static const text good[] = {T("{}"), T("{\"a\":{\"b\":1},\"b\":1}"), T("{\"a\":1,\"A\":1}"),
                                T("{\"\":1,\" \":1}"), T("{\"\\u00e4\":1,\"a\\u0308\":1}")};
    static const text bad[] = {
        T(""),
        T(" \n"),
        T("{}{}"),
        T("{} {}"),
        T("{},"),
        T("{}]"),
        T("{}1"),
        T("{}\0"),
        T("\0{}"),
        T(",{}"),
        T("\xef\xbb\xbf{}"),
        T("\xff\xfe{\0}\0"),
        T("\xfe\xff\0{\0}"),
        T("{\0}\0"),
        T("\0{\0}"),
        T("{\0\0\0}\0\0\0"),
        T("{\"a\":1,\"b\":2,\"a\":3}"),
        T("{\"\":1,\"\":1}"),
        T("{\"a\":{\"b\":[1],\"b\":[1]}}"),
        T("{\"\xc3\xa4\":1,\"\\u00e4\":1}"),
        T("<x/>"),
        T("x=1"),
    };
    check_within("", good, COUNT(good), "", true);
    check_within("", bad, COUNT(bad), "", false);
}

/* Objects within objects, `depth` of them. */
static void check_depth(size_t depth, bool good) {
    char *nested = malloc(6 * depth + 1), *out = nested;
    cr_assert(nested);
    for (size_t i = 1; i < depth; i++)
        out = stpcpy(out, "{\"a\":");
    out = stpcpy(out, "{}");
    for (size_t i = 1; i < depth; i++)
        *out++ = '}';
    check(nested, (size_t)(out - nested), good);
    free(nested);
}

Test(json_grammar, depth) {
    check_depth(1, true);
    check_depth(100, true);
    check_depth(2000, true);
    check_depth(5000, false);
}
