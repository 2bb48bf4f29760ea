/* Numbers to text: R. Giulietti, "The Schubfach way to render doubles", 2020; whole numbers, whose
 * digits are the shortest, on a way of their own. */
#include <cstring>

#include "codec/number.h"
#include "codec/number_format.h"
#include "codec/number_powers.h"

namespace number {
namespace {

/* digits * 10^exponent. */
struct shortest {
    uint64_t digits;
    int exponent;
};

/* The shortest decimal, and of these the nearest, in the rounding interval of c * 2^q, which is
 * half the gap to the next value on both sides; below a power of two (`narrow`) the gap is half as
 * wide. The ends belong to the interval if c is even.
 *
 * 10^k is the greatest power of ten not above the interval's width: in units of it, the interval
 * holds at least one integer and at most one multiple of ten. All is in fixed point with 71 bits
 * after the point. The table and the truncations put a sum off by less than 4 units of the last
 * place, while no bound or middle that is not exactly a multiple of 1/2 comes nearer to one than
 * 2^-65 (checked with continued fractions for every q of both types): within `slack`, two numbers
 * are equal. */
inline shortest shorten(uint64_t c, int q, bool narrow) {
    constexpr int point = 71;
    constexpr uint128 one = uint128{1} << point;
    constexpr int slack = 4;

    int k = (q * 1262611 - (narrow ? 524031 : 0)) >> 22; /* floor(log10(2^q or 3/4 * 2^q)) */
    power ten = powers[-k];
    int h = q + floor_log2_pow10(-k) + 1;
    uint64_t shifted = c << (h + 7);
    uint128 scale = (uint128{ten.hi} << 64 | ten.lo) + 1;
    uint128 value =
        uint128{shifted} * uint64_t(scale >> 64) + (uint128{shifted} * uint64_t(scale) >> 64);
    uint128 half_gap = scale >> (58 - h);
    int inward = c & 1 ? slack : -slack;
    uint128 low = value - (narrow ? half_gap / 2 : half_gap) + inward;
    uint128 high = value + half_gap - inward;

    uint64_t whole = uint64_t(value >> point);
    uint64_t tens = whole / 10 * 10;
    if (low <= tens * one)
        return {tens, k};
    if (high >= (tens + 10) * one)
        return {tens + 10, k};
    int towards_even = whole & 1 ? slack : -slack;
    bool up = low > whole * one || value - whole * one >= one / 2 - towards_even;
    return {whole + up, k};
}

/* Eight digits as text, the first in the lowest byte; the steps split 4-4, 2-2-2-2, 1-1-.... */
inline uint64_t text_of_eight(uint32_t value) {
    uint64_t x = value / 10000 | uint64_t{value % 10000} << 32;
    uint64_t hundreds = (x * 10486 >> 20) & 0x0000007f0000007f;
    x = hundreds | (x - hundreds * 100) << 16;
    uint64_t tens = (x * 103 >> 10) & 0x000f000f000f000f;
    x = tens | (x - tens * 10) << 8;
    return x | '0' * ones;
}

/* Up to eight digits, without zeros before the first; the value is not 0. */
inline char *write_stripped(char *out, uint32_t value) {
    uint64_t text = text_of_eight(value);
    int zeros = __builtin_ctzll(text ^ '0' * ones) / 8;
    text >>= zeros * 8;
    memcpy(out, &text, 8);
    return out + 8 - zeros;
}

/* 0 < value < 10^16. */
inline char *write_whole(char *out, uint64_t value) {
    if (value < 100000000) {
        out = write_stripped(out, uint32_t(value));
    } else {
        out = write_stripped(out, uint32_t(value / 100000000));
        uint64_t text = text_of_eight(uint32_t(value % 100000000));
        memcpy(out, &text, 8);
        out += 8;
    }
    memcpy(out, ".0", 2);
    return out + 2;
}

/* The digits of a decimal, the first apart: first . rest * 10^exponent. Of the rest, zeros up to
 * the 16th filled in, `count` bytes reach to the last digit that is not 0. */
struct text {
    char first;
    uint128 rest;
    int count;
    int exponent;
};

template <typename T> inline text lay_out_digits(shortest number) {
    constexpr int digits = format<T>::digits;
    constexpr uint64_t unit = digits == 17 ? 10000000000000000 : 100000000;
    constexpr uint64_t zeros = '0' * ones;
    number.exponent += digits - 1;
    while (number.digits < unit) {
        number.digits *= 10;
        number.exponent--;
    }
    text t;
    t.exponent = number.exponent;
    t.first = char('0' + number.digits / unit);
    uint64_t rest = number.digits % unit;
    uint64_t front = text_of_eight(uint32_t(digits == 17 ? rest / 100000000 : rest));
    uint64_t back = digits == 17 ? text_of_eight(uint32_t(rest % 100000000)) : zeros;
    t.rest = uint128{back} << 64 | front;
    if (back != zeros)
        t.count = 16 - __builtin_clzll(back ^ zeros) / 8;
    else if (front != zeros)
        t.count = 8 - __builtin_clzll(front ^ zeros) / 8;
    else
        t.count = 0;
    return t;
}

/* 0 <= exponent < 16: ddd.ddd, at least one digit after the point. */
inline char *write_fixed(char *out, const text &t) {
    uint128 before = (uint128{1} << t.exponent * 8) - 1;
    uint128 bytes = (t.rest & before) | uint128{'.'} << t.exponent * 8 | (t.rest & ~before) << 8;
    out[0] = t.first;
    memcpy(out + 1, &bytes, 16);
    out[17] = char(t.rest >> 120);
    return out + 2 + (t.count > t.exponent ? t.count : t.exponent + 1);
}

/* -4 <= exponent < 0: 0.000ddd. */
template <typename T> inline char *write_fraction(char *out, const text &t) {
    memcpy(out, "0.000", 5);
    out += 1 - t.exponent;
    out[0] = t.first;
    memcpy(out + 1, &t.rest, format<T>::digits - 1);
    return out + 1 + t.count;
}

/* d.ddde+xx or de+xx, the exponent with two or three digits. */
template <typename T> inline char *write_scientific(char *out, const text &t) {
    out[0] = t.first;
    out[1] = '.';
    memcpy(out + 2, &t.rest, format<T>::digits - 1);
    out += t.count > 0 ? t.count + 2 : 1;
    unsigned magnitude = unsigned(t.exponent < 0 ? -t.exponent : t.exponent);
    bool three = magnitude >= 100;
    uint64_t digits = magnitude / 100 | magnitude / 10 % 10 << 8 | magnitude % 10 << 16;
    digits = (digits + 0x303030) >> (three ? 0 : 8);
    uint64_t bytes = 'e' | uint64_t(t.exponent < 0 ? '-' : '+') << 8 | digits << 16;
    memcpy(out, &bytes, 5);
    return out + 4 + three;
}

size_t write_not_finite(char *out, bool negative, bool nan) {
    const char *name = nan ? "\"NaN\"" : negative ? "\"-Infinity\"" : "\"Infinity\"";
    size_t length = strlen(name);
    memcpy(out, name, length);
    return length;
}

template <typename T> inline size_t write(char *const out, T value) {
    using F = format<T>;
    typename F::bits bits;
    memcpy(&bits, &value, sizeof(T));
    bool negative = bits >> (sizeof(T) * 8 - 1);
    int exponent = int(bits >> F::fraction_bits) & F::top_exponent;
    uint64_t fraction = bits & ((typename F::bits{1} << F::fraction_bits) - 1);
    if (exponent == F::top_exponent)
        return write_not_finite(out, negative, fraction != 0);
    char *at = out;
    *at = '-';
    at += negative;
    if (exponent == 0 && fraction == 0) {
        memcpy(at, "0.0", 3);
        return size_t(at + 3 - out);
    }
    uint64_t c = exponent == 0 ? fraction : fraction | uint64_t{1} << F::fraction_bits;
    int q = (exponent == 0 ? 1 : exponent) - F::bias;
    /* Where values are at most 1 apart, no decimal of fewer digits than a whole number's is nearer
     * to it than half of that. */
    bool whole = q <= 0 && __builtin_ctzll(c) >= -q;
    if (whole)
        return size_t(write_whole(at, c >> -q) - out);
    text t = lay_out_digits<T>(shorten(c, q, fraction == 0 && exponent > 1));
    if (t.exponent >= 0 && t.exponent < 16)
        at = write_fixed(at, t);
    else if (t.exponent < 0 && t.exponent >= -4)
        at = write_fraction<T>(at, t);
    else
        at = write_scientific<T>(at, t);
    return size_t(at - out);
}

} // namespace
} // namespace number

size_t number_write_f64(char *out, double value) {
    return number::write(out, value);
}

size_t number_write_f32(char *out, float value) {
    return number::write(out, value);
}
