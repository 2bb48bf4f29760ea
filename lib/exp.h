/* exp(x) for x ≤ 0 (or NaN), within 0.8 units in the last place: straight-line code that the
 * compiler vectorises, which a call of the library's exp would prevent.
 *
 * x = k · ln 2 + r with an integer k and |r| ≤ ln 2 / 2, so exp(x) = 2^k · exp(r). ln 2 is split in
 * two, the first part so short that k times it is exact (Cody and Waite, "Software Manual for the
 * Elementary Functions", 1980); what rounding r loses goes into c. exp(r) is its Taylor series,
 * whose first omitted term is below a tenth of a unit in the last place; its two largest terms are
 * added without loss (Dekker, 1971). */
#ifndef LIB_EXP_H
#define LIB_EXP_H

#include <stdint.h>
#include <string.h>

#include "kernel.h"

/* 2^k for a k that is in range, from the bits of a sum of k and `magic`, whose last place is 1. */
INLINED double power_f64(double shifted, double magic, int64_t more) {
    int64_t bits, base;
    memcpy(&bits, &shifted, sizeof bits);
    memcpy(&base, &magic, sizeof base);
    bits = (int64_t)((uint64_t)(bits - base + more + 1023) << 52);
    double power;
    memcpy(&power, &bits, sizeof power);
    return power;
}

INLINED double exp_f64(double x) {
    const double magic = 0x1.8p52, log2e = 0x1.71547652b82fep0;
    const double ln2_high = 0x1.62e42feep-1, ln2_low = 0x1.a39ef35793c76p-33;
    double z = x < -746 ? -746 : x; /* which is 0, too; NaN stays */
    double shifted = z * log2e + magic, k = shifted - magic;
    double high = z - k * ln2_high, low = k * ln2_low;
    double r = high - low, c = (high - r) - low;
    double q = 1.0 / 6227020800;
    q = q * r + 1.0 / 479001600;
    q = q * r + 1.0 / 39916800;
    q = q * r + 1.0 / 3628800;
    q = q * r + 1.0 / 362880;
    q = q * r + 1.0 / 40320;
    q = q * r + 1.0 / 5040;
    q = q * r + 1.0 / 720;
    q = q * r + 1.0 / 120;
    q = q * r + 1.0 / 24;
    q = q * r + 1.0 / 6;
    q = q * r + 1.0 / 2;
    double sum = 1 + r, lost = r - (sum - 1);
    double value = sum + (lost + (q * (r * r) + c));
    /* Results below the normal numbers are scaled in two steps, so that they are rounded once. */
    int64_t lift = z < -690 ? 128 : 0;
    double back = z < -690 ? 0x1p-128 : 1;
    return value * power_f64(shifted, magic, lift) * back;
}

INLINED float power_f32(float shifted, float magic, int32_t more) {
    int32_t bits, base;
    memcpy(&bits, &shifted, sizeof bits);
    memcpy(&base, &magic, sizeof base);
    bits = (int32_t)((uint32_t)(bits - base + more + 127) << 23);
    float power;
    memcpy(&power, &bits, sizeof power);
    return power;
}

INLINED float exp_f32(float x) {
    const float magic = 0x1.8p23F, log2e = 0x1.715476p0F;
    const float ln2_high = 0x1.62e4p-1F, ln2_low = 0x1.7f7d1cp-20F;
    float z = x < -104 ? -104 : x;
    float shifted = z * log2e + magic, k = shifted - magic;
    float high = z - k * ln2_high, low = k * ln2_low;
    float r = high - low, c = (high - r) - low;
    float q = 1.0F / 5040;
    q = q * r + 1.0F / 720;
    q = q * r + 1.0F / 120;
    q = q * r + 1.0F / 24;
    q = q * r + 1.0F / 6;
    q = q * r + 1.0F / 2;
    float sum = 1 + r, lost = r - (sum - 1);
    float value = sum + (lost + (q * (r * r) + c));
    int32_t lift = z < -80 ? 64 : 0;
    float back = z < -80 ? 0x1p-64F : 1;
    return value * power_f32(shifted, magic, lift) * back;
}

#endif
