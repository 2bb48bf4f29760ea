/* Header values that are made or judged here: X-Request-Id, Server-Timing. */
#ifndef SERVER_HEADER_H
#define SERVER_HEADER_H

#include "request.h"

enum { HEADER_ID_TEXT = 65, HEADER_TIMING_TEXT = 128 };

/* Numbers the requests of this process, and tells them from another's. Thread-safe. */
typedef struct {
    char prefix[24];
    atomic_uint_fast64_t next;
} header_ids;

void header_ids_start(header_ids *ids);

/* X-Request-Id of a request: the caller's own if it is one that can be echoed and logged as it is,
 * else a new one. `given` may be NULL. */
void header_request_id(header_ids *ids, const char *given, char id[HEADER_ID_TEXT]);

/* Server-Timing: "read;dur=0.012, compute;dur=0.003, write;dur=0.001", in milliseconds. Returns
 * `text`. */
const char *header_timing(const reply *reply, char text[HEADER_TIMING_TEXT]);

#endif
