/* The grammar of RFC 8259, section 6, and nothing else; and the end of the text is the end. */
#ifndef _DEFAULT_SOURCE
#define _DEFAULT_SOURCE /* MAP_ANONYMOUS */
#endif

#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "codec/number.h"

/* What the text starts with: a number `taken` bytes long, or none, and the first bad byte. */
static const struct sample {
    const char *text;
    size_t taken;
    number_status status;
    double value;
} samples[] = {
    {"0", 1, NUMBER_OK, 0},
    {"-0", 2, NUMBER_OK, -0.0},
    {"7", 1, NUMBER_OK, 7},
    {"10", 2, NUMBER_OK, 10},
    {"-12", 3, NUMBER_OK, -12},
    {"0.5", 3, NUMBER_OK, 0.5},
    {"0.0", 3, NUMBER_OK, 0},
    {"1.50", 4, NUMBER_OK, 1.5},
    {"1e5", 3, NUMBER_OK, 1e5},
    {"1E5", 3, NUMBER_OK, 1e5},
    {"1e+5", 4, NUMBER_OK, 1e5},
    {"1e-5", 4, NUMBER_OK, 1e-5},
    {"1e05", 4, NUMBER_OK, 1e5},
    {"0e0", 3, NUMBER_OK, 0},
    {"0E-0", 4, NUMBER_OK, 0},
    {"12.25e2", 7, NUMBER_OK, 1225},
    {"12345678", 8, NUMBER_OK, 12345678},
    {"0.12345678", 10, NUMBER_OK, 0.12345678},
    {"0.1234567812345678", 18, NUMBER_OK, 0.1234567812345678},
    {"0.123456781234567812345678", 26, NUMBER_OK, 0.123456781234567812345678},
    /* a number ends where the next byte cannot belong to it */
    {"1,2", 1, NUMBER_OK, 1},
    {"1]", 1, NUMBER_OK, 1},
    {"1.5}", 3, NUMBER_OK, 1.5},
    {"1 ", 1, NUMBER_OK, 1},
    {"1e5,", 3, NUMBER_OK, 1e5},
    {"1.5.2", 3, NUMBER_OK, 1.5},
    {"1e5.2", 3, NUMBER_OK, 1e5},
    {"1e5e2", 3, NUMBER_OK, 1e5},
    {"1-2", 1, NUMBER_OK, 1},
    {"0x10", 1, NUMBER_OK, 0},
    {"1f", 1, NUMBER_OK, 1},
    {"1.5\xb5", 3, NUMBER_OK, 1.5},
    {"1.25/////////", 4, NUMBER_OK, 1.25},
    {"1.25:::::::::", 4, NUMBER_OK, 1.25},
    {"1.25\xb0\xb1\xb2\xb3\xb4\xb5\xb6\xb7", 4, NUMBER_OK, 1.25},
    {"1.1234567,1234567", 9, NUMBER_OK, 1.1234567},
    {"1.12345678,1234567", 10, NUMBER_OK, 1.12345678},
    {"1.123456789,123456", 11, NUMBER_OK, 1.123456789},
    {"", 0, NUMBER_MALFORMED, 0},
    {"-", 1, NUMBER_MALFORMED, 0},
    {"--1", 1, NUMBER_MALFORMED, 0},
    {"+1", 0, NUMBER_MALFORMED, 0},
    {"-+1", 1, NUMBER_MALFORMED, 0},
    {".5", 0, NUMBER_MALFORMED, 0},
    {"-.5", 1, NUMBER_MALFORMED, 0},
    {"01", 1, NUMBER_MALFORMED, 0},
    {"00", 1, NUMBER_MALFORMED, 0},
    {"-01", 2, NUMBER_MALFORMED, 0},
    {"00.5", 1, NUMBER_MALFORMED, 0},
    {"1.", 2, NUMBER_MALFORMED, 0},
    {"1.,5", 2, NUMBER_MALFORMED, 0},
    {"1.e5", 2, NUMBER_MALFORMED, 0},
    {"1.aaaaaaaaaaaa", 2, NUMBER_MALFORMED, 0},
    {"1e", 2, NUMBER_MALFORMED, 0},
    {"1e,", 2, NUMBER_MALFORMED, 0},
    {"1e+", 3, NUMBER_MALFORMED, 0},
    {"1e-x", 3, NUMBER_MALFORMED, 0},
    {"1e+-5", 3, NUMBER_MALFORMED, 0},
    {"1ee5", 2, NUMBER_MALFORMED, 0},
    {" 1", 0, NUMBER_MALFORMED, 0},
    {"nan", 0, NUMBER_MALFORMED, 0},
    {"NaN", 0, NUMBER_MALFORMED, 0},
    {"Infinity", 0, NUMBER_MALFORMED, 0},
    {"-Infinity", 1, NUMBER_MALFORMED, 0},
    {"-nan", 1, NUMBER_MALFORMED, 0},
    {"inf", 0, NUMBER_MALFORMED, 0},
    {"e5", 0, NUMBER_MALFORMED, 0},
    {"\xd9\xa1", 0, NUMBER_MALFORMED, 0},
    {"1e999,", 5, NUMBER_OUT_OF_RANGE, 0},
    {"-1e999]", 6, NUMBER_OUT_OF_RANGE, 0},
};
enum { sample_count = sizeof samples / sizeof *samples };

static void check(const struct sample *sample, const char *text) {
    const char *end = text + strlen(sample->text);
    const char *at = text;
    double f64 = 99;
    cr_expect_eq(number_read_f64(&at, end, &f64), sample->status, "%s", sample->text);
    cr_expect_eq((size_t)(at - text), sample->taken, "%s", sample->text);
    at = text;
    float f32 = 99;
    cr_expect_eq(number_read_f32(&at, end, &f32), sample->status, "%s", sample->text);
    cr_expect_eq((size_t)(at - text), sample->taken, "%s", sample->text);
    double want = sample->status == NUMBER_OK ? sample->value : 99;
    cr_expect(f64 == want && !signbit(f64) == !signbit(want), "%s", sample->text);
    cr_expect(f32 == (float)want && !signbit(f32) == !signbit(want), "%s", sample->text);
}

Test(number_grammar, table) {
    for (int i = 0; i < sample_count; i++)
        check(&samples[i], samples[i].text);
}

/* In memory of their exact size, where a sanitizer sees a byte too many. */
Test(number_grammar, exact_buffers) {
    for (int i = 0; i < sample_count; i++) {
        size_t length = strlen(samples[i].text);
        char *copy = malloc(length ? length : 1);
        cr_assert_not_null(copy);
        memcpy(copy, samples[i].text, length);
        check(&samples[i], copy);
        free(copy);
    }
}

/* At the end of a mapping, where the processor does. */
Test(number_grammar, page_edge) {
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    char *pages = mmap(NULL, 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    cr_assert_neq(pages, MAP_FAILED);
    cr_assert_eq(mprotect(pages + page, page, PROT_NONE), 0);
    for (int i = 0; i < sample_count; i++) {
        size_t length = strlen(samples[i].text);
        char *copy = pages + page - length;
        memcpy(copy, samples[i].text, length);
        check(&samples[i], copy);
    }
    munmap(pages, 2 * page);
}

/* What stands past the end is never part of the number. */
Test(number_grammar, end_cuts_the_number) {
    const char *text = "-12.3456789012345678e-12";
    static const int fits[] = {0, 0, 1, 1, 0, 1, 1, 1, 1, 1, 1, 1, 1,
                               1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 1, 1};
    for (size_t length = 0; length <= strlen(text); length++) {
        char copy[32] = "";
        memcpy(copy, text, length);
        const char *at = text;
        double got;
        number_status status = number_read_f64(&at, text + length, &got);
        cr_expect_eq(status, fits[length] ? NUMBER_OK : NUMBER_MALFORMED, "%zu", length);
        cr_expect_eq(at, text + length, "%zu", length);
        if (status == NUMBER_OK)
            cr_expect_eq(got, strtod(copy, NULL), "%zu", length);
    }
}
