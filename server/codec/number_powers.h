/* Powers of ten to 128 bits, worked out by the compiler: what reading and writing numbers
 * multiply by. */
#ifndef LAYERD_CODEC_NUMBER_POWERS_H
#define LAYERD_CODEC_NUMBER_POWERS_H

#include <cstdint>

namespace number {

__extension__ typedef unsigned __int128 uint128;

/* Below 10^-342 no 19 digits reach half of the smallest double; above 10^324 none is asked for in
 * writing the smallest one. */
constexpr int min_power = -342;
constexpr int max_power = 324;

/* The greatest integer hi:lo of 128 bits, topmost one set, with
 * hi:lo * 2^(floor_log2_pow10(n) - 127) <= 10^n. */
struct power {
    uint64_t hi, lo;
};

/* floor(log2(10^n)), exact for |n| <= 1233. */
constexpr int floor_log2_pow10(int n) {
    return (n * 1741647) >> 19;
}

/* A natural number of up to 30 limbs, lowest first, of which `used` count. */
struct natural {
    uint32_t limb[30] = {};
    int used = 0;
};

constexpr void times_five(natural &x) {
    uint64_t carry = 0;
    for (int i = 0; i < x.used; i++) {
        carry += uint64_t{5} * x.limb[i];
        x.limb[i] = uint32_t(carry);
        carry >>= 32;
    }
    if (carry != 0)
        x.limb[x.used++] = uint32_t(carry);
}

constexpr void over_five(natural &x) {
    uint64_t rest = 0;
    for (int i = x.used - 1; i >= 0; i--) {
        rest = rest << 32 | x.limb[i];
        x.limb[i] = uint32_t(rest / 5);
        rest %= 5;
    }
    if (x.limb[x.used - 1] == 0)
        x.used--;
}

/* The 128 bits from the topmost one of x down, zeros standing in below its end. */
constexpr power top_bits(const natural &x) {
    uint64_t part[5] = {};
    for (int i = 0; i < 5 && i < x.used; i++)
        part[i] = x.limb[x.used - 1 - i];
    int shift = 0;
    while ((part[0] << shift & 0x80000000) == 0)
        shift++;
    uint128 bits = uint128{part[0] << 32 | part[1]} << 64 | part[2] << 32 | part[3];
    bits = bits << shift | part[4] >> (32 - shift);
    return {uint64_t(bits >> 64), uint64_t(bits)};
}

struct power_table {
    power entry[max_power - min_power + 1] = {};

    /* 10^n and 5^n share their top bits. Dividing 2^928 by five again and again, rounding down
     * each time, is dividing once by 5^n, and leaves more than 128 bits at the lowest power. */
    constexpr power_table() {
        natural up, down;
        up.limb[0] = 1;
        up.used = 1;
        for (int n = 0; n <= max_power; n++, times_five(up))
            entry[n - min_power] = top_bits(up);
        down.limb[29] = 1;
        down.used = 30;
        for (int n = -1; n >= min_power; n--) {
            over_five(down);
            entry[n - min_power] = top_bits(down);
        }
    }

    constexpr power operator[](int n) const {
        return entry[n - min_power];
    }
};

inline constexpr power_table powers;

} // namespace number

#endif
