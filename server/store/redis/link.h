/* One connection to a Redis or Valkey: for one thread at a time, with a deadline over all of an
 * exchange, and values that go from and to where they lie. Of the client library it takes what
 * connects and what reads answers: its own ways in and out copy each value twice.
 *
 * Once something has failed the link is of no use but to be closed: what would come next on it
 * could be the answer to what came before. */
#ifndef STORE_REDIS_LINK_H
#define STORE_REDIS_LINK_H

#include <hiredis/hiredis.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include "store/redis/tls.h"

typedef enum {
    LINK_GOOD,
    LINK_LOST,    /* it was refused, or ended */
    LINK_LATE,    /* the deadline came */
    LINK_REFUSED, /* an error was the answer: `text` */
    LINK_STRANGE, /* what came is no answer to what was asked */
} link_state;

enum { LINK_TEXT = 160 };

typedef struct redis_link {
    redisContext *context;
    gnutls_session_t session; /* NULL without TLS */
    link_state state;
    int64_t deadline;     /* of the exchange, in milliseconds of the monotonic clock */
    char text[LINK_TEXT]; /* what went wrong, for people */
    uint64_t taken, sent; /* bytes of values */
    unsigned generation;  /* its pool's, as the next */
    struct redis_link *next;
    char *out; /* what is to be sent */
    size_t out_used, out_room;
    size_t owed; /* answers at which nobody will look, before those that are asked for */
} redis_link;

int64_t link_now(void);

/* Connects to a numeric address, or to the socket at a path where `port` is 0. Never NULL but
 * where there is no memory; else `state` tells. */
redis_link *link_open(const char *host, int port, int64_t deadline);
void link_close(redis_link *link);

/* From here on by TLS, with the one of that name. */
bool link_start_tls(redis_link *link, const redis_tls *tls, const char *name);

/* Whether something, such as the end of the connection, has come that nobody asked for. */
bool link_is_stale(const redis_link *link);

/* Each of these does nothing and returns false or NULL once the state is not LINK_GOOD. */

/* Adds a command to what will be sent. */
bool link_ask(redis_link *link, int count, const char *const *words);

/* Adds "SET key <value> PX lifetime", whose value is the pieces one after the other; one that is
 * not small is sent. */
bool link_set(redis_link *link, const char *key, const struct iovec *pieces, int count,
              int64_t lifetime);

/* Sends what was added. */
bool link_flush(redis_link *link);

/* Waits until answers of so many bytes are there: who waits for several is woken once. */
bool link_await(redis_link *link, size_t bytes);

/* Does not wait for the answers to what was sent, so many: they are passed over when they come. */
void link_leave(redis_link *link, size_t answers);

/* The next answer, to be freed with freeReplyObject; an error is none. */
redisReply *link_answer(redis_link *link);

/* The same where it must be an integer; or "OK"; or a text, cut to `room`, its length in *length
 * (false and LINK_GOOD for nil). */
bool link_integer(redis_link *link, int64_t *number);
bool link_ok(redis_link *link);
bool link_string(redis_link *link, char *text, size_t room, size_t *length);

/* The start of an answer that is a text: its length, or -1 for nil. link_take reads it then: all of
 * `length` into `bytes`. */
bool link_length(redis_link *link, int64_t *length);
bool link_take(redis_link *link, void *bytes, size_t length);

/* Makes what went wrong known. Always false. */
bool link_fail(redis_link *link, link_state state, const char *text);

#endif
