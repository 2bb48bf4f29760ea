/* Masks of one bit an element, least significant first. */
#ifndef LIB_BITS_H
#define LIB_BITS_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* Bytes of a mask of `count` bits. */
static inline size_t bits_bytes(size_t count) {
    return count / 8 + (count % 8 != 0);
}

/* The mask of `count` flags, bytes of 0 or 1: eight at a time by one multiplication. Those up to
 * the next multiple of 8 must be there, and 0. */
static inline void bits_pack(const uint8_t *flag, size_t count, uint8_t *mask) {
    for (size_t i = 0; i < count; i += 8) {
        uint64_t eight;
        memcpy(&eight, flag + i, 8);
        mask[i / 8] = (uint8_t)(eight * 0x0102040810204080U >> 56);
    }
}

#endif
