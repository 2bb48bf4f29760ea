/* Writing: the layout of Python's repr, the shortest digits, and the way back. */
#include <criterion/criterion.h>
#include <float.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "codec/number.h"

static void expect_f64(double value, const char *want) {
    char out[NUMBER_F64_TEXT];
    size_t length = number_write_f64(out, value);
    cr_expect(length == strlen(want) && memcmp(out, want, length) == 0, "%.*s, not %s", (int)length,
              out, want);
}

static void expect_f32(float value, const char *want) {
    char out[NUMBER_F32_TEXT];
    size_t length = number_write_f32(out, value);
    cr_expect(length == strlen(want) && memcmp(out, want, length) == 0, "%.*s, not %s", (int)length,
              out, want);
}

Test(number_write, f64_layout) {
    static const struct {
        double value;
        const char *text;
    } table[] = {
        {0.0, "0.0"},
        {-0.0, "-0.0"},
        {1.0, "1.0"},
        {3.0, "3.0"},
        {-7.0, "-7.0"},
        {10.0, "10.0"},
        {0.1, "0.1"},
        {0.25, "0.25"},
        {12.5, "12.5"},
        {-1234.5, "-1234.5"},
        {1.0 / 3, "0.3333333333333333"},
        {100000.0, "100000.0"},
        {123456789.0, "123456789.0"},
        {1e15, "1000000000000000.0"},
        {123456789012345.67, "123456789012345.67"},
        {1234567890123456.0, "1234567890123456.0"},
        {9007199254740991.0, "9007199254740991.0"},
        {9007199254740992.0, "9007199254740992.0"},
        {9007199254740994.0, "9007199254740994.0"},
        {9999999999999998.0, "9999999999999998.0"},
        {1e16, "1e+16"},
        {10000000000000002.0, "1.0000000000000002e+16"},
        {123456789012345680.0, "1.2345678901234568e+17"},
        {1e22, "1e+22"},
        {1e23, "1e+23"},
        {1.5e300, "1.5e+300"},
        {DBL_MAX, "1.7976931348623157e+308"},
        {-DBL_MAX, "-1.7976931348623157e+308"},
        {0.001, "0.001"},
        {0.0001, "0.0001"},
        {0.00012345678901234567, "0.00012345678901234567"},
        {-0.00012345678901234567, "-0.00012345678901234567"},
        {0.00001, "1e-05"},
        {0.000012, "1.2e-05"},
        {9.9e-5, "9.9e-05"},
        {1e-10, "1e-10"},
        {1e-100, "1e-100"},
        {DBL_MIN, "2.2250738585072014e-308"},
        {-DBL_MIN, "-2.2250738585072014e-308"},
        {0x0.fffffffffffffp-1022, "2.225073858507201e-308"},
        {0x1p-1074, "5e-324"},
        {0x2p-1074, "1e-323"},
        {0x3p-1074, "1.5e-323"},
        {-0x1p-1074, "-5e-324"},
        /* between two shortest, the nearer; between two equally near, the even */
        {2e-323, "2e-323"},
        {5e-320, "5e-320"},
        {9.5367431640625e-07, "9.5367431640625e-07"},
        {9007199254740993.0 * 8, "7.205759403792794e+16"},
        {0x1p+89, "6.189700196426902e+26"},
        {5e22, "5e+22"},
        {NAN, "\"NaN\""},
        {-NAN, "\"NaN\""},
        {INFINITY, "\"Infinity\""},
        {-INFINITY, "\"-Infinity\""},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        expect_f64(table[i].value, table[i].text);
}

Test(number_write, f32_layout) {
    static const struct {
        float value;
        const char *text;
    } table[] = {
        {0.0f, "0.0"},
        {-0.0f, "-0.0"},
        {1.0f, "1.0"},
        {0.1f, "0.1"},
        {1.0f / 3, "0.33333334"},
        {16777216.0f, "16777216.0"},
        {33554432.0f, "33554432.0"},
        {123456.789f, "123456.79"},
        {1e15f, "1000000000000000.0"},
        {-1.2345678e15f, "-1234567800000000.0"},
        {1e16f, "1e+16"},
        {1e10f, "10000000000.0"},
        {0.0001f, "0.0001"},
        {-0.000123456789f, "-0.00012345679"},
        {0.00001f, "1e-05"},
        {FLT_MAX, "3.4028235e+38"},
        {-FLT_MIN, "-1.1754944e-38"},
        {0x0.fffffep-126f, "1.1754942e-38"},
        {0x1p-149f, "1e-45"},
        {0x2p-149f, "3e-45"},
        {0x7p-149f, "1e-44"},
        {8589973504.0f, "8589974000.0"},
        {NAN, "\"NaN\""},
        {INFINITY, "\"Infinity\""},
        {-INFINITY, "\"-Infinity\""},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        expect_f32(table[i].value, table[i].text);
}

/* splitmix64 */
static uint64_t random_bits(uint64_t *state) {
    uint64_t z = *state += 0x9e3779b97f4a7c15;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
    z = (z ^ z >> 27) * 0x94d049bb133111eb;
    return z ^ z >> 31;
}

/* Any finite double: of any bits, a power of two or near it, subnormal, integral, of few digits. */
static double any_f64(uint64_t *state, int i) {
    uint64_t bits = random_bits(state);
    uint64_t more = random_bits(state);
    double value;
    switch (i % 8) {
    case 0:
        bits = (bits & 0xfff0000000000000) + more % 5 - 2;
        break;
    case 1:
        bits = (bits & 0x800fffffffffffff) >> more % 52;
        break;
    case 2:
        return (double)((int64_t)bits >> more % 64);
    case 3:
        return (double)(bits % 1000000) / pow(10, (double)(more % 12));
    }
    memcpy(&value, &bits, sizeof value);
    return isfinite(value) ? value : 0.0;
}

/* All digits of a whole number below 2^53, or 2^24 as a float32, are needed: as the C library
 * writes them. */
static void expect_whole(int64_t whole) {
    char want[32];
    if (llabs(whole) < (int64_t)1 << 53 && snprintf(want, sizeof want, "%.1f", (double)whole))
        expect_f64((double)whole, want);
    if (llabs(whole) < 1 << 24 && snprintf(want, sizeof want, "%.1f", (double)whole))
        expect_f32((float)whole, want);
}

Test(number_write, whole_numbers) {
    uint64_t state = 4;
    for (int64_t near = 1; near < (int64_t)1 << 53; near *= 10)
        for (int64_t off = -3; off <= 3; off++)
            expect_whole(near + off);
    for (int bit = 0; bit <= 53; bit++)
        for (int64_t off = -3; off <= 3; off++)
            expect_whole(-((int64_t)1 << bit) - off);
    for (int i = 0; i < 100000; i++)
        expect_whole((int64_t)random_bits(&state) >> i % 64);
}

static void digits_of(char *digits, int *exponent, const char *text, size_t length) {
    int point = 0, seen = 0, zeros = 0, written = 0;
    *exponent = 0;
    for (size_t i = 0; i < length && text[i] != 'e'; i++) {
        if (text[i] == '-')
            continue;
        if (text[i] == '.') {
            point = 1;
            continue;
        }
        if (text[i] != '0' || written)
            digits[written++] = text[i];
        zeros = text[i] == '0' && written ? zeros + 1 : 0;
        seen += written && !point;
        *exponent -= point && !written;
    }
    written -= zeros;
    digits[written] = '\0';
    *exponent += seen - 1;
    const char *e = memchr(text, 'e', length);
    if (e)
        *exponent += (int)strtol(e + 1, NULL, 10);
}

/* The C library's digits, one more at a time until they read back: the shortest, and correctly
 * rounded among the decimals of that length, so the nearest. Below a power of two the nearest may
 * lie outside while another of the same length reads back: then the length alone must agree. */
static void expect_shortest(const char *text, size_t length, double value, int is_f32) {
    char want[40], digits[40], got[40];
    int want_exponent, got_exponent, precision = 0;
    double back;
    do {
        snprintf(want, sizeof want, "%.*e", precision++, value);
        back = is_f32 ? (double)strtof(want, NULL) : strtod(want, NULL);
    } while (back != value);
    digits_of(digits, &want_exponent, want, strlen(want));
    digits_of(got, &got_exponent, text, length);
    if (strcmp(digits, got) == 0 && want_exponent == got_exponent)
        return;
    int e;
    double mantissa = frexp(value, &e);
    cr_expect(fabs(mantissa) == 0.5 && strlen(got) < strlen(digits), "%.*s, not %s", (int)length,
              text, want);
}

Test(number_write, f64_is_shortest) {
    uint64_t state = 1;
    for (int i = 0; i < 100000; i++) {
        double value = any_f64(&state, i);
        if (value == 0)
            continue;
        char out[NUMBER_F64_TEXT + 1];
        size_t length = number_write_f64(out, value);
        out[length] = '\0';
        expect_shortest(out, length, value, 0);
    }
}

Test(number_write, f32_is_shortest) {
    for (uint64_t bits = 1; bits < 0x7f800000; bits += 21011) {
        uint32_t low = (uint32_t)bits;
        float value;
        memcpy(&value, &low, sizeof value);
        char out[NUMBER_F32_TEXT + 1];
        size_t length = number_write_f32(out, value);
        out[length] = '\0';
        expect_shortest(out, length, value, 1);
    }
}

Test(number_write, f64_round_trip) {
    uint64_t state = 2;
    for (int i = 0; i < 4000000; i++) {
        double value = any_f64(&state, i), back = NAN;
        char out[NUMBER_F64_TEXT];
        size_t length = number_write_f64(out, value);
        const char *at = out;
        number_status status = number_read_f64(&at, out + length, &back);
        if (status != NUMBER_OK || at != out + length || memcmp(&value, &back, sizeof value) != 0)
            cr_assert_fail("%a as %.*s came back as %a", value, (int)length, out, back);
    }
}

/* Every one of the 2^32 patterns with NUMBER_ALL_F32 set in the environment (ten minutes). */
Test(number_write, f32_round_trip) {
    uint64_t step = getenv("NUMBER_ALL_F32") ? 1 : 1009;
    for (uint64_t bits = 0; bits < (uint64_t)1 << 32; bits += step) {
        uint32_t low = (uint32_t)bits;
        float value, back = NAN;
        memcpy(&value, &low, sizeof value);
        if (!isfinite(value))
            continue;
        char out[NUMBER_F32_TEXT];
        size_t length = number_write_f32(out, value);
        const char *at = out;
        number_status status = number_read_f32(&at, out + length, &back);
        if (status != NUMBER_OK || at != out + length || memcmp(&value, &back, sizeof value) != 0)
            cr_assert_fail("%a as %.*s came back as %a", value, (int)length, out, back);
    }
}

/* All seventeen digits of the C library read back too. */
Test(number_write, f64_long_digits_read_back) {
    uint64_t state = 3;
    for (int i = 0; i < 200000; i++) {
        double value = any_f64(&state, i), back = NAN;
        char text[64];
        int length = snprintf(text, sizeof text, "%.*e", 16 + i % 24, value);
        const char *at = text;
        number_status status = number_read_f64(&at, text + length, &back);
        if (status != NUMBER_OK || at != text + length || memcmp(&value, &back, sizeof value) != 0)
            cr_assert_fail("%s came back as %a", text, back);
    }
}
