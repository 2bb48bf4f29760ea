/* A line of the file of tokens. */
#ifndef ACCESS_LINE_H
#define ACCESS_LINE_H

#include "access/caller.h"

enum { TOKENS_FAULT = 256 };

/* "name tenant scopes sha256-hex [rate=N burst=N work=N cache=SIZE until=DATE detail=verdict
 * only=challenge]" */
typedef struct {
    char name[CALLER_NAME_MOST + 1];
    char tenant[CALLER_NAME_MOST + 1]; /* "" for none */
    unsigned scopes;
    unsigned char digest[SHA256_BYTES];
    caller_limits limits;
    size_t cache; /* bytes; SIZE_MAX where nothing is said */
    int64_t until;
    bool verdict_only, challenge_only;
} token_line;

typedef enum { LINE_TOKEN, LINE_EMPTY, LINE_WRONG } line_kind;

/* Reads a line, without its end. LINE_WRONG fills `fault` with what is wrong, and never with what
 * might be a secret. */
line_kind line_read(const char *text, size_t length, token_line *line, char fault[TOKENS_FAULT]);

/* Whether a name is one that a line may have. */
bool line_is_name(const char *text);

#endif
