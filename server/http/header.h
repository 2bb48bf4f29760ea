/* The headers of an answer, whoever sends it. */
#ifndef SERVER_HEADER_H
#define SERVER_HEADER_H

#include "request.h"

enum { HEADER_ID_TEXT = 65, HEADER_TIMING_TEXT = 128, HEADERS_MOST = 20 };

/* Numbers the requests of this process, and tells them from another's. Thread-safe. */
typedef struct {
    char prefix[24];
    atomic_uint_fast64_t next;
} header_ids;

void header_ids_start(header_ids *ids);

/* X-Request-Id of a request: the caller's own if it is one that can be echoed and logged as it is,
 * else a new one. `given` may be NULL. */
void header_request_id(header_ids *ids, const char *given, char id[HEADER_ID_TEXT]);

typedef struct {
    struct {
        const char *name, *value;
    } field[HEADERS_MOST];
    size_t count;
    char timing[HEADER_TIMING_TEXT], retry_after[16];
} header_list;

/* Adds a header; the texts must outlive the list. */
void header_add(header_list *list, const char *name, const char *value);

/* What every answer carries: X-Request-Id; Server-Timing, "read;dur=0.012, compute;dur=0.003,
 * write;dur=0.001" in milliseconds; the reply's own; and of a problem, which is NULL where there is
 * none, its header and Retry-After. The list stays where it is, and the arguments must outlive it.
 */
void header_list_make(header_list *list, const char *id, const reply *reply,
                      const problem *problem);

#endif
