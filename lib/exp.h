/* exp(x) for x ≤ 0 (or NaN), within 0.8 units in the last place: straight-line code that the
 * compiler vectorises, which a call of the library's exp would prevent.
 *
 * x = k · ln 2 + r with an integer k and |r| ≤ ln 2 / 2, so exp(x) = 2^k · exp(r). ln 2 is split in
 * two, the first part so short that k times it is exact (Cody and Waite, "Software Manual for the
 * Elementary Functions", 1980); what rounding r loses goes into c. exp(r) is its Taylor series,
 * whose first omitted term is below a tenth of a unit in the last place; its two largest terms are
 * added without loss (Dekker, 1971). The series is added up in pairs of pairs (Estrin, 1960): term
 * by term, each would wait for the one before.
 *
 * For files that both_dtypes.h includes, behind their #ifdef REAL and lanes.h; no include guard: it
 * is for each REAL anew. */

#define WIDE (sizeof(REAL) == 8)

/* 2^(k + more) for a k that is in range, from the bits of a sum of k and `magic`, whose last place
 * is 1. */
INLINED REAL typed(power)(REAL shifted, REAL magic, typed(word) more) {
    typed(word) bits, base;
    memcpy(&bits, &shifted, sizeof bits);
    memcpy(&base, &magic, sizeof base);
    bits = (bits - base + more + (WIDE ? 1023 : 127)) << (WIDE ? 52 : 23);
    REAL power;
    memcpy(&power, &bits, sizeof power);
    return power;
}

/* From here on exp(x) is a normal number, and for all such x `small` may be false: fewer steps. */
#define EXP_SMALL (sizeof(REAL) == 8 ? (REAL)-690 : (REAL)-80)

INLINED REAL typed(exp)(REAL x, bool small) {
    const REAL magic = WIDE ? 0x1.8p52 : 0x1.8p23F, log2e = (REAL)0x1.71547652b82fep0;
    const REAL ln2_high = WIDE ? 0x1.62e42feep-1 : 0x1.62e4p-1F;
    const REAL ln2_low = WIDE ? 0x1.a39ef35793c76p-33 : 0x1.7f7d1cp-20F;
    const REAL least = WIDE ? -746 : -104;
    REAL z = small && x < least ? least : x; /* which is 0, too; NaN stays */
    REAL shifted = z * log2e + magic, k = shifted - magic;
    REAL high = z - k * ln2_high, low = k * ln2_low;
    REAL r = high - low, c = (high - r) - low, r2 = r * r, r4 = r2 * r2;
    REAL q = (REAL)(1.0 / 720) + r * (REAL)(1.0 / 5040);
    if (WIDE) {
        REAL end = ((REAL)(1.0 / 3628800) + r * (REAL)(1.0 / 39916800)) +
                   r2 * ((REAL)(1.0 / 479001600) + r * (REAL)(1.0 / 6227020800));
        q = q + r2 * ((REAL)(1.0 / 40320) + r * (REAL)(1.0 / 362880)) + r4 * end;
    }
    q = ((REAL)0.5 + r * (REAL)(1.0 / 6)) + r2 * ((REAL)(1.0 / 24) + r * (REAL)(1.0 / 120)) +
        r4 * q;
    REAL sum = 1 + r, lost = r - (sum - 1);
    REAL value = sum + (lost + (q * r2 + c));
    if (!small)
        return value * typed(power)(shifted, magic, 0);
    /* Results below the normal numbers are scaled in two steps, so that they are rounded once. */
    typed(word) lift = z < EXP_SMALL ? (WIDE ? 128 : 64) : 0;
    REAL back = z < EXP_SMALL ? (WIDE ? 0x1p-128 : 0x1p-64F) : 1;
    return value * typed(power)(shifted, magic, lift) * back;
}

#undef WIDE
