/* Text to numbers. The scan of the grammar gathers up to 19 digits w and an exponent q; w * 10^q is
 * multiplied out with a table of powers and rounded when the table's error cannot matter (after D.
 * Lemire, "Number parsing at a gigabyte per second", 2021). What is left is fast_float's: more than
 * 19 digits, subnormals, and the near ties that only all digits decide. */
#include <cstring>
#include <fast_float/fast_float.h>

#include "codec/number.h"
#include "codec/number_format.h"
#include "codec/number_powers.h"

namespace number {
namespace {

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
    T read = 0;
    fast_float::from_chars(start, end, read);
    if (__builtin_isinf(read))
        return NUMBER_OUT_OF_RANGE;
    value = read;
    return NUMBER_OK;
}

/* W. Clinger, "How to read floating point numbers accurately", 1990: with both operands exact, one
 * operation rounds once. Significands up to 2^53 would be exact too, but of 16 and 17 digits, as
 * doubles print, they fit or not at random, and a branch guessed wrongly costs more than it saves.
 */
template <typename T> inline bool exact_operands(const decimal &number) {
    using F = format<T>;
    constexpr int bits = sizeof(T) == 8 ? 32 : F::fraction_bits + 1;
    return number.significand >> bits == 0 && number.exponent >= -F::exact_power &&
           number.exponent <= F::exact_power;
}

template <typename T> inline T one_operation(uint64_t significand, int64_t exponent) {
    T value = T(int64_t(significand)); /* conversion from signed is one instruction */
    return exponent < 0 ? value / exact_power<T>[-exponent] : value * exact_power<T>[exponent];
}

template <typename T> FUSED number_status read(const char *&text, const char *end, T &value) {
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

inline void skip_space(const char *&at, const char *end) {
    while (at < end && (*at == ' ' || *at == '\n' || *at == '\r' || *at == '\t'))
        at++;
}

template <typename T>
inline size_t read_run(const char *&text, const char *end, T *values, size_t room) {
    const char *at = text;
    size_t count = 0;
    while (count < room && read(at, end, values[count]) == NUMBER_OK) {
        text = at;
        count++;
        skip_space(at, end);
        if (at == end || *at != ',')
            break;
        at++;
        skip_space(at, end);
    }
    return count;
}

} // namespace
} // namespace number

number_status number_read_f64(const char **text, const char *end, double *value) {
    return number::read(*text, end, *value);
}

number_status number_read_f32(const char **text, const char *end, float *value) {
    return number::read(*text, end, *value);
}

size_t number_read_run_f64(const char **text, const char *end, double *values, size_t room) {
    return number::read_run(*text, end, values, room);
}

size_t number_read_run_f32(const char **text, const char *end, float *values, size_t room) {
    return number::read_run(*text, end, values, room);
}
