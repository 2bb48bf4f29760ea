/* Masks of one bit an element, least significant first, and bytes of 0 or 1 in their place: eight
 * at a time by one multiplication. Loops over the bytes vectorise, loops over bits do not. */
#ifndef LIB_BITS_H
#define LIB_BITS_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* Bytes of a mask of `count` bits. */
static inline size_t bits_bytes(size_t count) {
    return count / 8 + (count % 8 != 0);
}

/* The mask of `count` flags. Those up to the next multiple of 8 must be there, and 0. */
static inline void bits_pack(const uint8_t *flag, size_t count, uint8_t *mask) {
    for (size_t i = 0; i < count; i += 8) {
        uint64_t eight;
        memcpy(&eight, flag + i, 8);
        mask[i / 8] = (uint8_t)(eight * 0x0102040810204080U >> 56);
    }
}

/* The flags of a mask, up to the next multiple of 8: byte j keeps bit j of its eight, which is then
 * made 1 wherever it is. */
static inline void bits_unpack(const uint8_t *mask, size_t count, uint8_t *flag) {
    for (size_t i = 0; i < count; i += 8) {
        uint64_t eight = mask[i / 8] * 0x0101010101010101U & 0x8040201008040201U;
        eight = (eight + 0x7f7f7f7f7f7f7f7fU) >> 7 & 0x0101010101010101U;
        memcpy(flag + i, &eight, 8);
    }
}

#endif
