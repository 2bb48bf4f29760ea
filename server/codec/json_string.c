/* JSON strings, as they stand in a text. */
#include "codec/json_string.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

/* \uXXXX at hand. */
static bool read_unit(const char *at, const char *end, uint32_t *unit) {
    if (end - at < 6 || at[0] != '\\' || at[1] != 'u')
        return false;
    *unit = 0;
    for (int i = 2; i < 6; i++) {
        static const char digits[] = "0123456789abcdef0123456789ABCDEF";
        const char *digit = at[i] ? strchr(digits, at[i]) : NULL;
        if (!digit)
            return false;
        *unit = *unit * 16 + (uint32_t)(digit - digits) % 16;
    }
    return true;
}

static size_t write_utf8(uint32_t code, char out[4]) {
    size_t length = code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
    static const unsigned char lead[] = {0, 0, 0xc0, 0xe0, 0xf0};
    for (size_t i = length; i-- > 1; code >>= 6)
        out[i] = (char)(0x80 | (code & 0x3f));
    out[0] = (char)(lead[length] | code);
    return length;
}

/* Undoes the escape at hand, and leaves what is none. Returns the bytes that it has in the text. */
static size_t undo(const char *at, const char *end, char out[4], size_t *length) {
    static const char names[] = "\"\\/bfnrt", meant[] = "\"\\/\b\f\n\r\t";
    uint32_t unit, low;
    *length = 1;
    if (read_unit(at, end, &unit)) {
        bool pair = unit >= 0xd800 && unit < 0xdc00 && read_unit(at + 6, end, &low) &&
                    low >= 0xdc00 && low < 0xe000;
        *length = write_utf8(pair ? 0x10000 + ((unit - 0xd800) << 10) + (low - 0xdc00) : unit, out);
        return pair ? 12 : 6;
    }
    const char *name = end - at > 1 && at[1] ? strchr(names, at[1]) : NULL;
    *out = name ? meant[name - names] : '\\';
    return name ? 2 : 1;
}

size_t json_unescape(const char *at, const char *end, char *out, size_t size) {
    size_t used = 0;
    while (at < end) {
        char one[4] = {*at};
        size_t length = 1;
        at += *at == '\\' ? undo(at, end, one, &length) : 1;
        if (used + length >= size)
            break;
        memcpy(out + used, one, length);
        used += length;
    }
    out[used] = '\0';
    return used;
}
