/* Jansson's memory. Where there is none left Jansson may go on, with a string that lacks a piece
 * (lex_save and do_dump of 2.14 do not look), so whoever reads with it asks here. */
#ifndef CODEC_JSON_MEMORY_H
#define CODEC_JSON_MEMORY_H

#include <stdbool.h>

/* Whether an allocation of Jansson's failed in this thread since the last call. */
bool json_memory_ran_out(void);

#endif
