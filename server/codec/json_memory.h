/* Jansson's memory. Where there is none left, Jansson's reader goes on with a string that lacks a
 * piece, or ends the program where that piece was of an escape (lex_save and lex_scan_string of
 * 2.14). So while a text is read there is a reserve, which stands in for malloc: Jansson never
 * meets a failure, and whoever reads learns that there was one. */
#ifndef CODEC_JSON_MEMORY_H
#define CODEC_JSON_MEMORY_H

#include <stdbool.h>
#include <stddef.h>

/* Has a reserve for reading a text in this thread; false where there is no memory for it. */
bool json_memory_guard(const char *text, size_t length);

/* Whether the reserve was touched: then what was read is to be given up. */
bool json_memory_ran_out(void);

/* Gives the reserve back, after what was read if that is given up. */
void json_memory_unguard(void);

#endif
