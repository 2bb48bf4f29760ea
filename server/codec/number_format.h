/* The binary formats, and digits eight at a time: what reading and writing share beside the powers.
 *
 * C++ only for its templates and constant evaluation: nothing of its runtime is used. */
#ifndef LAYERD_CODEC_NUMBER_FORMAT_H
#define LAYERD_CODEC_NUMBER_FORMAT_H

#include <cstdint>

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "digits are packed and unpacked eight at a time, the first in the lowest byte"
#endif

namespace number {

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

/* Times a byte: that byte eight times. */
constexpr uint64_t ones = 0x0101010101010101;

} // namespace number

#endif
