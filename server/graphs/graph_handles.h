/* Handles are taken out of the text of a graph before it is read: the texts of one step of training
 * and of the next are then alike, and the thread has read them before (codec/json_recent.h). */
#ifndef GRAPHS_GRAPH_HANDLES_H
#define GRAPHS_GRAPH_HANDLES_H

#include "store/store.h"

typedef struct {
    char (*list)[HANDLE_TEXT];
    size_t count, room;
} taken_handles;

/* Takes what could be handles out of a JSON text or, with `nested`, out of one that is a string of
 * it, whose quotes are escaped: each value of as many hexadecimal digits becomes its number, as
 * long as it was. Out of a text that has such numbers already, or could have by an escape, it takes
 * none. False where there is no memory. */
bool handles_take(taken_handles *handles, char *text, size_t length, bool nested);

/* The handle that a text stands for, or the text. */
const char *handles_text(const taken_handles *handles, const char *text);

/* Puts the handles back to where they were taken out of, so that the text can be read anew. */
void handles_put_back(const taken_handles *handles, char *text, size_t length);

/* Puts the handles back into a text that tells of what was read. */
void handles_restore(const taken_handles *handles, char *text);

#endif
