/* The head of a request (RFC 9112), read in the one way that there is, or refused. Two readers may
 * take bare LFs, folded lines, NUL bytes, two lengths or odd codings in two ways, and so may two
 * versions of one library: what this lets pass has one meaning for all of them. */
#ifndef HTTP_HEAD_H
#define HTTP_HEAD_H

#include "base/problem.h"

enum {
    HEAD_TARGET_MOST = 8 << 10,  /* bytes of the request line */
    HEAD_FIELDS_MOST = 17 << 10, /* and of all header lines: 16 KiB, and what each request has */
    HEAD_MOST = HEAD_TARGET_MOST + HEAD_FIELDS_MOST,
    HEAD_LINES_MOST = HEAD_FIELDS_MOST / 7, /* the shortest that is kept is "Host:", CR LF */
    HEAD_KEYS_MOST = 64, /* of the query: more than any path takes, and few enough to be parsed */
};

typedef enum { HEAD_PARTIAL, HEAD_WHOLE, HEAD_REFUSED } head_result;

typedef struct {
    size_t length;  /* bytes of it as it came, the empty line included */
    bool bodiless;  /* its answer has no body, also where it is refused: the method is HEAD */
    bool chunked;   /* its body comes in chunks */
    uint64_t body;  /* bytes of the body otherwise, 2^62 at most; 0 where none was announced */
    char *text;     /* in room of the caller for as many bytes as there were: the same request, */
    size_t written; /* never longer: headers that nobody reads are gone, lines of one are joined */
} head;

/* Reads the head that begins at `bytes`. HEAD_PARTIAL: so far there is nothing wrong with it.
 * HEAD_REFUSED fills *problem: invalid_request, invalid_query, headers_too_large or
 * not_implemented. */
head_result head_read(const char *bytes, size_t length, head *head, problem *problem);

/* Whether every byte may stand in a header's value. */
bool head_is_value(const char *bytes, size_t length);

/* Whether they are a token (RFC 9110, 5.6.2). */
bool head_is_token(const char *bytes, size_t length);

#endif
