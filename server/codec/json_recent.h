/* JSON documents that were read lately.
 *
 * Callers send the same few texts again and again, once the arrays are taken out of them, and to
 * read one takes longer than a small product. So each thread keeps the last short ones. */
#ifndef CODEC_JSON_RECENT_H
#define CODEC_JSON_RECENT_H

#include <jansson.h>

/* As json_loadb; but the document may be one that this thread has read before, and whoever had it
 * then: it must not be changed, and must stay in the thread. NULL with json_error_out_of_memory
 * where Jansson had no memory, even if it went on. */
json_t *json_recent_load(const char *text, size_t length, size_t flags, json_error_t *error);

/* Forgets all that this thread keeps. The end of a thread does it too. */
void json_recent_forget(void);

#endif
