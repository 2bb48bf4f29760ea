/* The tokens that there are: found by their SHA-256, replaced whole by reading their file again. */
#ifndef ACCESS_TOKENS_H
#define ACCESS_TOKENS_H

#include "access/line.h"

typedef struct tokens tokens;

/* Reads the file. NULL with what is wrong with it: its line, where it has one. */
tokens *tokens_open(const char *path, char fault[TOKENS_FAULT]);

/* After everything that belonged to a tenant. */
void tokens_close(tokens *tokens);

/* Reads the file again; for one thread. False with what is wrong, and then all is as it was. */
bool tokens_reload(tokens *tokens, char fault[TOKENS_FAULT]);

/* Who has this token: a reference, NULL for nobody. From any thread, and none waits for another. */
caller *tokens_find(tokens *tokens, const char *token, size_t length);

refusal_counts *tokens_refusals(tokens *tokens);

/* References to all, in the order of the file, for caller_release and free; NULL where there is no
 * memory. */
caller **tokens_all(tokens *tokens, size_t *count);

size_t tokens_count(tokens *tokens);

#endif
