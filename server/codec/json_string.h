/* JSON strings, as they stand in a text. */
#ifndef CODEC_JSON_STRING_H
#define CODEC_JSON_STRING_H

#include <stddef.h>

/* Undoes the escapes of what stands between a string's quotes, from `at` to `end`: at most
 * size - 1 bytes, and a NUL behind them. What is no escape stays as it is. Returns how many bytes
 * they are. */
size_t json_unescape(const char *at, const char *end, char *out, size_t size);

#endif
