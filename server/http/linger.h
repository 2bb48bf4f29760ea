/* Connections whose last answer is out while their callers still send. Who closes at once, with
 * something unread, breaks off: the caller may never see what was answered (RFC 9112, 9.6). So the
 * own side is closed, and what comes is thrown away for a while. For one thread. */
#ifndef HTTP_LINGER_H
#define HTTP_LINGER_H

#include <poll.h>
#include <stddef.h>
#include <stdint.h>

enum { LINGER_MOST = 64 /* at once; the eldest makes room */ };

typedef struct {
    uint64_t bytes; /* that each may send */
    size_t count;
    struct {
        int fd;
        int64_t until, silent_until; /* of clock_coarse_ms() */
        uint64_t left;
    } at[LINGER_MOST]; /* the eldest first */
} linger;

/* The socket is this list's from here on. */
void linger_add(linger *linger, int fd);

/* What to wait for. Returns how many were filled in. */
size_t linger_poll(const linger *linger, struct pollfd on[LINGER_MOST]);

/* Reads, and closes those whose callers have closed or have had their while. */
void linger_tend(linger *linger);

/* Closes all. */
void linger_end(linger *linger);

#endif
