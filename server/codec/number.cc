/* Number to text and back, over one table of powers of ten.
 *
 * Reading: the scan of the grammar gathers up to 19 digits w and an exponent q; w * 10^q is
 * multiplied out with the table and rounded when the table's error cannot matter (after D. Lemire,
 * "Number parsing at a gigabyte per second", 2021). What is left is fast_float's: more than 19
 * digits, subnormals, and the near ties that only all digits decide.
 *
 * Writing: R. Giulietti, "The Schubfach way to render doubles", 2020.
 *
 * C++ only for its templates and constant evaluation: nothing of its runtime is used. */
#include "codec/number.h"

#include <cstdint>
#include <cstring>
#include <fast_float/fast_float.h>

#include "codec/number_powers.h"

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "digits are packed and unpacked eight at a time, the first in the lowest byte"
#endif

namespace number {
namespace {

template <typename T> struct format;

template <> struct format<double> {
    using bits = uint64_t;
    static constexpr int fraction_bits = 52;
    static constexpr int bias = 1023 + 52;    /* of the significand taken as an integer */
    static constexpr int top_exponent = 2047; /* of infinities and NaNs */
    static constexpr int digits = 17;         /* that always suffice */
    static constexpr int exact_power = 22;    /* the highest of ten that T holds exactly */
};

template <> struct format<float> {
    using bits = uint32_t;
    static constexpr int fraction_bits = 23;
    static constexpr int bias = 127 + 23;
    static constexpr int top_exponent = 255;
    static constexpr int digits = 9;
    static constexpr int exact_power = 10;
};

/* ---- Reading ---- */

constexpr uint64_t ones = 0x0101010101010101;

constexpr uint64_t integer_power[] = {1,      10,      100,      1000,     10000,
                                      100000, 1000000, 10000000, 100000000};

template <typename T>
constexpr T exact_power[] = {T(1e0),  T(1e1),  T(1e2),  T(1e3),  T(1e4),  T(1e5),  T(1e6),  T(1e7),
                             T(1e8),  T(1e9),  T(1e10), T(1e11), T(1e12), T(1e13), T(1e14), T(1e15),
                             T(1e16), T(1e17), T(1e18), T(1e19), T(1e20), T(1e21), T(1e22)};

/* The scan is one with its caller: its results stay in registers. */
#define FUSED __attribute__((always_inline)) inline

inline uint64_t load8(const char *at) {
    uint64_t bytes;
    memcpy(&bytes, at, 8);
    return bytes;
}

/* How many of the eight bytes are digits before the first that is not. */
inline int leading_digits(uint64_t bytes) {
    uint64_t other = ((bytes ^ '0' * ones) + 0x76 * ones) | bytes;
    other &= 0x80 * ones;
    return other == 0 ? 8 : __builtin_ctzll(other) / 8;
}

/* The value of eight digits, pairs first, then fours. */
inline uint64_t value_of_eight(uint64_t bytes) {
    bytes &= 0x0f * ones;
    bytes = (bytes * (10 << 8 | 1)) >> 8 & 0x00ff00ff00ff00ff;
    bytes = (bytes * (100 << 16 | 1)) >> 16 & 0x0000ffff0000ffff;
    return (bytes * (uint64_t{10000} << 32 | 1)) >> 32;
}

inline bool is_digit(char c) {
    return static_cast<unsigned char>(c - '0') < 10;
}

/* What the scan of a number finds: its value is significand * 10^exponent if exact, that is, if no
 * more than 19 digits count. */
struct decimal {
    uint64_t significand = 0;
    int64_t exponent = 0;
    bool negative = false;
    bool exact = true;
};

/* Appends the digits at `at` to the significand, which may overflow; returns their end. */
FUSED const char *scan_digits(const char *at, const char *end, uint64_t &significand) {
    while (end - at >= 8) {
        uint64_t bytes = load8(at);
        int count = leading_digits(bytes);
        if (count == 8) {
            significand = significand * 100000000 + value_of_eight(bytes);
            at += 8;
            continue;
        }
        /* The digits move to the back, behind zeros; in two shifts, as there may be none. */
        bytes = bytes << 8 << (7 - count) * 8;
        significand = significand * integer_power[count] + value_of_eight(bytes);
        return at + count;
    }
    for (; at < end && is_digit(*at); at++)
        significand = significand * 10 + uint64_t(*at - '0');
    return at;
}

/* Reads the exponent after its e; false if it has no digits. Beyond any use it stops growing. */
inline bool scan_exponent(const char *&at, const char *end, int64_t &exponent) {
    bool negative = at < end && *at == '-';
    if (at < end && (*at == '-' || *at == '+'))
        at++;
    const char *start = at;
    int64_t magnitude = 0;
    for (; at < end && is_digit(*at); at++)
        if (magnitude < int64_t{1} << 40)
            magnitude = magnitude * 10 + (*at - '0');
    exponent += negative ? -magnitude : magnitude;
    return at > start;
}

/* Whether more than 19 digits, from the first that is not 0 on, stand between start and end. */
__attribute__((noinline)) bool overlong(const char *start, const char *end) {
    while (start < end && (*start == '0' || *start == '.'))
        start++;
    return end - start > 20 || (end - start == 20 && memchr(start, '.', 20) == nullptr);
}

/* Reads a number of the JSON grammar; false at the first byte that does not fit. */
FUSED bool scan(const char *&at, const char *end, decimal &number) {
    number.negative = at < end && *at == '-';
    at += number.negative;
    const char *start = at;
    if (at == end || !is_digit(*at))
        return false;
    number.significand = uint64_t(*at++ - '0');
    if (at < end && is_digit(*at)) {
        if (number.significand == 0)
            return false;
        do
            number.significand = number.significand * 10 + uint64_t(*at++ - '0');
        while (at < end && is_digit(*at));
    }
    if (at < end && *at == '.') {
        const char *fraction = ++at;
        at = scan_digits(at, end, number.significand);
        number.exponent = fraction - at;
        if (at == fraction)
            return false;
    }
    if (__builtin_expect(at - start > 19, 0))
        number.exact = !overlong(start, at);
    if (at < end && (*at | 0x20) == 'e')
        return scan_exponent(++at, end, number.exponent);
    return true;
}

/* Multiplies the significand w (not 0) by 10^q and rounds to the bits of a normal T or of its
 * infinity. False if the result is subnormal, or so near to half way between two values of T that
 * the powers' precision does not tell the side. */
template <typename T> FUSED bool scale(uint64_t w, int q, typename format<T>::bits &bits) {
    using F = format<T>;
    int zeros = __builtin_clzll(w);
    w <<= zeros;
    power ten = powers[q];
    /* The true product, in units of hi, is at least hi.lo and less than hi.lo + 1. */
    uint128 product = uint128{w} * ten.hi;
    uint64_t hi = uint64_t(product >> 64), lo = uint64_t(product);
    int shift = 63 - F::fraction_bits - 1 + int(hi >> 63);
    uint64_t half = uint64_t{1} << (shift - 1);
    uint64_t rest = hi & (2 * half - 1);
    if (rest == half - 1 || (rest == half && lo == 0)) {
        /* Once more to twice the precision: at least hi:lo and less than hi:lo + 2. */
        product += uint128{w} * ten.lo >> 64;
        hi = uint64_t(product >> 64), lo = uint64_t(product);
        rest = hi & (2 * half - 1);
        bool at_half = rest == half && lo == 0;
        bool below_half = rest == half - 1 && lo == UINT64_MAX;
        if (at_half || below_half)
            return false;
    }
    int exponent = floor_log2_pow10(q) + 1 - zeros + shift + F::bias;
    if (exponent <= 0)
        return false;
    if (exponent >= F::top_exponent)
        exponent = F::top_exponent;
    /* The leading one of the significand, and its carry when rounding fills it, add to the
     * exponent. */
    uint64_t significand = (hi >> shift) + (rest >= half);
    bits = (uint64_t(exponent - 1) << F::fraction_bits) + significand;
    return true;
}

/* The rare remainder. fast_float's grammar is wider than JSON's: start to end has been scanned. */
template <typename T>
__attribute__((noinline)) number_status read_hard(const char *start, const char *end, T &value) {
    T read;
    fast_float::from_chars(start, end, read);
    if (__builtin_isinf(read))
        return NUMBER_OUT_OF_RANGE;
    value = read;
    return NUMBER_OK;
}

/* W. Clinger, "How to read floating point numbers accurately", 1990: with both operands exact, one
 * operation rounds once. */
template <typename T> inline bool exact_operands(const decimal &number) {
    using F = format<T>;
    return number.significand >> (F::fraction_bits + 1) == 0 &&
           number.exponent >= -F::exact_power && number.exponent <= F::exact_power;
}

template <typename T> inline T one_operation(uint64_t significand, int64_t exponent) {
    T value = T(int64_t(significand)); /* conversion from signed is one instruction */
    return exponent < 0 ? value / exact_power<T>[-exponent] : value * exact_power<T>[exponent];
}

template <typename T> inline number_status read(const char *&text, const char *end, T &value) {
    using F = format<T>;
    const char *start = text, *at = text;
    decimal number;
    bool fits = scan(at, end, number);
    text = at;
    if (!fits)
        return NUMBER_MALFORMED;
    if (!number.exact || number.exponent < min_power || number.exponent > max_power)
        return read_hard(start, at, value);
    typename F::bits bits;
    if (exact_operands<T>(number)) {
        T magnitude = one_operation<T>(number.significand, number.exponent);
        memcpy(&bits, &magnitude, sizeof(T));
    } else if (number.significand == 0) {
        bits = 0;
    } else if (!scale<T>(number.significand, int(number.exponent), bits)) {
        return read_hard(start, at, value);
    } else if (bits >> F::fraction_bits >= F::top_exponent) {
        return NUMBER_OUT_OF_RANGE;
    }
    bits |= typename F::bits{number.negative} << (sizeof(T) * 8 - 1);
    memcpy(&value, &bits, sizeof(T));
    return NUMBER_OK;
}

/* ---- Writing ---- */

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

number_status number_read_f64(const char **text, const char *end, double *value) {
    return number::read(*text, end, *value);
}

number_status number_read_f32(const char **text, const char *end, float *value) {
    return number::read(*text, end, *value);
}

size_t number_write_f64(char *out, double value) {
    return number::write(out, value);
}

size_t number_write_f32(char *out, float value) {
    return number::write(out, value);
}
