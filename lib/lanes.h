/* Vectors of 32 bytes of REAL, and masks of one bit an element against them. For files that
 * both_dtypes.h includes, behind their #ifdef REAL; no include guard: it is for each REAL anew.
 *
 * A mask is bits in the order of the elements (bits.h). `typed(word)` bits of it go with as many
 * elements: lane l of the vector i has bit i · LANES_IN + l, so that a word in every lane, and'ed
 * with one bit a lane, says which lanes are in. The compiler finds no such code by itself. */
// clang-format off: versions differ about the colons
typedef __typeof__(_Generic((REAL)0, double : (uint64_t)0, float : (uint32_t)0)) typed(word);
// clang-format on

#define LANES_IN  (32 / sizeof(REAL))
#define WORD_BITS (8 * sizeof(REAL))

typedef REAL typed(lanes) __attribute__((vector_size(32), aligned(sizeof(REAL)), may_alias));
typedef typed(word) typed(bits) __attribute__((vector_size(32), aligned(sizeof(REAL)), may_alias));

/* Bit l in lane l. Vectors go by pointer: how functions pass them depends on the processor. */
INLINED void typed(first_bits)(typed(bits) * bit) {
    for (size_t l = 0; l < LANES_IN; l++)
        (*bit)[l] = (typed(word))1 << l;
}

/* A word of a mask, in every lane. */
INLINED void typed(spread)(const uint8_t *mask, typed(bits) * word) {
    typed(word) one;
    memcpy(&one, mask, sizeof one);
    *word = one - (typed(bits)){0};
}

/* The lanes' bits together, as a word of a mask. */
INLINED void typed(gather)(const typed(bits) * bits, uint8_t *mask) {
    uint64_t part[4];
    memcpy(part, bits, sizeof part);
    uint64_t all = part[0] | part[1] | part[2] | part[3];
    typed(word) word = (typed(word))(sizeof(REAL) == 4 ? all | all >> 32 : all);
    memcpy(mask, &word, sizeof word);
}
