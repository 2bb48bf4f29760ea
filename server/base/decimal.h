/* Whole numbers as text, by hand: printf costs more than some whole computations here. */
#ifndef BASE_DECIMAL_H
#define BASE_DECIMAL_H

#include <stddef.h>
#include <stdint.h>

/* At most 20 digits, and no terminator. Returns their end. */
static inline char *decimal_put(char *out, uint64_t number) {
    char digits[20];
    size_t count = 0;
    do
        digits[count++] = (char)('0' + number % 10);
    while (number /= 10);
    while (count > 0)
        *out++ = digits[--count];
    return out;
}

#endif
