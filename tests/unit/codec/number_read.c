/* Reading rounds the decimal once, to nearest, ties to even: values at the corners. */
#include <criterion/criterion.h>
#include <float.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "codec/number.h"

static const char largest_half[] =
    "1797693134862315807937289714053034150799341327100378269361737789804449682927647509466490"
    "1797758720709633028641669288791094655554785194040263065748867150582068190890200070838367"
    "6273854845817711531764475730270069855571366959622842914819860834936475292719074168444365"
    "510704342711559699508093042880177904174497792";

static void expect_f64(const char *text, double want) {
    const char *at = text, *end = text + strlen(text);
    double got = NAN;
    number_status status = number_read_f64(&at, end, &got);
    if (isinf(want))
        cr_expect_eq(status, NUMBER_OUT_OF_RANGE, "%.60s", text);
    else
        cr_expect(status == NUMBER_OK && memcmp(&got, &want, sizeof got) == 0,
                  "%.60s gave %a, not %a", text, got, want);
    cr_expect_eq(at, end, "%.60s", text);
}

static void expect_f32(const char *text, float want) {
    const char *at = text, *end = text + strlen(text);
    float got = NAN;
    number_status status = number_read_f32(&at, end, &got);
    if (isinf(want))
        cr_expect_eq(status, NUMBER_OUT_OF_RANGE, "%.60s", text);
    else
        cr_expect(status == NUMBER_OK && memcmp(&got, &want, sizeof got) == 0,
                  "%.60s gave %a, not %a", text, got, want);
    cr_expect_eq(at, end, "%.60s", text);
}

Test(number_read, f64_corners) {
    static const struct {
        const char *text;
        double value;
    } table[] = {
        {"0", 0.0},
        {"-0", -0.0},
        {"-0.0", -0.0},
        {"0e999999999999999999999", 0.0},
        {"-0.000e-5", -0.0},
        {"1", 1.0},
        {"-1.5e3", -1500.0},
        {"0.1", 0x1.999999999999ap-4},
        {"0.3", 0x1.3333333333333p-2},
        {"123456789012345678", 0x1.b69b4ba630f35p+56},
        {"1234567890123456789", 0x1.12210f47de981p+60},
        {"12345678901234567890", 0x1.56a95319d63e1p+63},
        {"98765432109876543210", 0x1.56a9534e3949ap+66},
        {"9876543210987654321.5", 0x1.12210f71c76e2p+63},
        {"18446744073709551616", 0x1p+64},
        {"184467440737095516150e-1", 0x1p+64},
        {"0.00012345678901234567", 0x1.02e85be180b74p-13},
        /* around 2^53, where the integers become even */
        {"9007199254740991", 0x1.fffffffffffffp+52},
        {"9007199254740992", 0x1p+53},
        {"9007199254740993", 0x1p+53},
        {"9007199254740993.0000000000000000000000000001", 0x1.0000000000001p+53},
        {"9007199254740994", 0x1.0000000000001p+53},
        {"9007199254740995", 0x1.0000000000002p+53},
        {"9007199254740992.999999999999999999999999999", 0x1p+53},
        {"9007199254740993e0", 0x1p+53},
        {"900719925474099300e-2", 0x1p+53},
        {"18014398509481986", 0x1p+54},
        {"18014398509481990", 0x1.0000000000002p+54},
        /* exact powers of ten end at 10^22 */
        {"1e22", 0x1.0f0cf064dd592p+73},
        {"1e23", 0x1.52d02c7e14af6p+76},
        {"9007199254740991e22", 0x1.0f0cf064dd591p+126},
        {"8.5e23", 0x1.67fd2f45f5fa6p+79},
        /* the largest finite, and half way from it to 2^1024 */
        {"1.7976931348623157e308", DBL_MAX},
        {"1.7976931348623158e308", DBL_MAX},
        {"1.7976931348623159e308", INFINITY},
        {"-1.7976931348623159e308", -INFINITY},
        {largest_half, INFINITY},
        {"1e309", INFINITY},
        {"1e999", INFINITY},
        {"1e99999999999999999999999999999999", INFINITY},
        {"0.000000000000000000000000000001e400", INFINITY},
        /* the smallest normal and its neighbours below */
        {"2.2250738585072014e-308", DBL_MIN},
        {"2.2250738585072012e-308", 0x1p-1022},
        {"2.2250738585072011e-308", 0x0.fffffffffffffp-1022},
        {"2.225073858507201e-308", 0x0.fffffffffffffp-1022},
        {"4.450147717014403e-308", 0x1p-1021},
        /* the smallest subnormal, half of it, and nothing */
        {"5e-324", 0x1p-1074},
        {"4.9406564584124654e-324", 0x1p-1074},
        {"2.4703282292062328e-324", 0x1p-1074},
        {"2.4703282292062327e-324", 0.0},
        {"-2.4703282292062327e-324", -0.0},
        {"7.4109846876186981e-324", 0x1p-1074},
        {"7.4109846876186982e-324", 0x2p-1074},
        {"1e-324", 0.0},
        {"-1e-400", -0.0},
        {"1e-99999999999999999999999999999999", 0.0},
        {"123456789012345678901234567890e-400", 0.0},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        expect_f64(table[i].text, table[i].value);
}

Test(number_read, f32_corners) {
    static const struct {
        const char *text;
        float value;
    } table[] = {
        {"-0", -0.0f},
        {"0.1", 0x1.99999ap-4f},
        {"16777216", 0x1p+24f},
        {"16777217", 0x1p+24f},
        {"16777217.00000000000000000001", 0x1.000002p+24f},
        {"16777219", 0x1.000004p+24f},
        {"1e10", 0x1.2a05f2p+33f},
        {"1e11", 0x1.74876ep+36f},
        /* nearer to a float's half than a double tells: rounding twice would go wrong */
        {"1.000000059604644775390625", 1.0f},
        {"1.00000005960464477539062500000000001", 0x1.000002p+0f},
        {"1.00000005960464477539062499999999999", 1.0f},
        {"1.000000178813934326171875", 0x1.000004p+0f},
        {"1.00000017881393432617187499999999999", 0x1.000002p+0f},
        {"1.17549428076e-38", 0x1p-126f},
        {"0.000000000000000000000000000000000000011754943508222875", 0x1p-126f},
        {"1.1754942e-38", 0x0.fffffep-126f},
        {"8589973000", 0x1.00004c0p+33f},
        /* the largest finite, and half way from it to 2^128 */
        {"3.4028234663852886e38", FLT_MAX},
        {"3.4028235677973366e38", FLT_MAX},
        {"3.4028235677973367e38", INFINITY},
        {"340282356779733661637539395458142568447", FLT_MAX},
        {"340282356779733661637539395458142568447.99999999", FLT_MAX},
        {"340282356779733661637539395458142568448", INFINITY},
        {"-340282356779733661637539395458142568448", -INFINITY},
        {"1e39", INFINITY},
        {"1e308", INFINITY},
        /* 2^-150 is half of the smallest */
        {"1e-45", 0x1p-149f},
        {"7.006492321624086e-46", 0x1p-149f},
        {"7.006492321624085e-46", 0.0f},
        {"-7.006492321624085e-46", -0.0f},
        {"1e-300", 0.0f},
        {"1e-400", 0.0f},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        expect_f32(table[i].text, table[i].value);
}

enum { fraction = 1080, width = 1400 };

/* The exact decimal of (a + b) / 2, which one binary digit more than a double's may be. */
static void half_way(char out[static width], double a, double b) {
    char x[width], y[width];
    snprintf(x, width, "%0*.*f", width - 2, fraction, a);
    snprintf(y, width, "%0*.*f", width - 2, fraction, b);
    int carry = 0;
    for (int i = width - 3; i >= 0; i--) {
        if (x[i] == '.')
            continue;
        int sum = x[i] - '0' + y[i] - '0' + carry;
        x[i] = (char)('0' + sum % 10);
        carry = sum / 10;
    }
    int rest = 0;
    for (int i = 0; i < width - 2; i++) {
        if (x[i] == '.')
            continue;
        int part = rest * 10 + x[i] - '0';
        x[i] = (char)('0' + part / 2);
        rest = part % 2;
    }
    char *start = x;
    while (start[0] == '0' && start[1] != '.')
        start++;
    strcpy(out, start);
}

static double next(double x) {
    return nextafter(x, INFINITY);
}

/* Ties of hundreds of digits go to even, and one more digit at their end decides them. */
Test(number_read, long_ties) {
    const double lower[] = {0.0,
                            0x1p-1074,
                            0x1.8p-1060,
                            0x0.fffffffffffffp-1022,
                            DBL_MIN,
                            0x1.0000000000001p-1022,
                            0x1.fffffffffffffp-900,
                            0x1.23456789abcdep-500,
                            0x1.fp-100,
                            0.1,
                            0.3,
                            1.0,
                            0x1.8p+1,
                            1e15,
                            0x1.fffffffffffffp52,
                            1e22,
                            1e23,
                            1e100,
                            0x1.fffffffffffffp999,
                            0x1.ffffffffffffep1023};
    for (size_t i = 0; i < sizeof lower / sizeof *lower; i++) {
        double a = lower[i], b = next(a);
        uint64_t bits;
        memcpy(&bits, &a, 8);
        char text[width + 8];
        half_way(text, a, b);
        expect_f64(text, bits & 1 ? b : a);
        size_t length = strlen(text);
        strcpy(text + length, "1");
        expect_f64(text, b);
        text[length] = '\0';
        char *last = text + length - 1;
        for (; *last == '0' || *last == '.'; last--)
            if (*last == '0')
                *last = '9';
        --*last;
        expect_f64(text + (text[0] == '0' && text[1] != '.'), a);
    }
}

/* The half of two floats is a double, with more digits than rounding through double can keep. */
Test(number_read, float_ties) {
    uint32_t bits = 1;
    for (int i = 0; i < 20000; i++) {
        bits = (bits * 1664525u + 1013904223u);
        uint32_t low = (bits >> 1) % 0x7f7fffff;
        float a, b;
        memcpy(&a, &low, 4);
        low++;
        memcpy(&b, &low, 4);
        double half = ((double)a + b) / 2;
        char text[400];
        int length = snprintf(text, sizeof text - 2, "%.180e", half);
        char *e = strchr(text, 'e');
        expect_f32(text, low & 1 ? a : b);
        memmove(e + 1, e, (size_t)(text + length + 1 - e));
        *e = '1';
        expect_f32(text, b);
        snprintf(text, sizeof text, "%.17e", nextafter(half, 0));
        expect_f32(text, a);
    }
}

Test(number_read, leaves_the_value_alone_when_it_fails) {
    double f64 = 7;
    float f32 = 7;
    const char *at = "1e999";
    cr_expect_eq(number_read_f64(&at, at + 5, &f64), NUMBER_OUT_OF_RANGE);
    at = "1e60";
    cr_expect_eq(number_read_f32(&at, at + 4, &f32), NUMBER_OUT_OF_RANGE);
    at = "nope";
    cr_expect_eq(number_read_f64(&at, at + 4, &f64), NUMBER_MALFORMED);
    cr_expect(f64 == 7 && f32 == 7);
}
