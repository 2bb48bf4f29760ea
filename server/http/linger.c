/* Connections whose last answer is out. */
#include "http/linger.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"

enum {
    WHILE_MS = 30000,
    SILENCE_MS = 2000,    /* of it without a byte */
    LOOK_BYTES = 1 << 20, /* thrown away at a look, at most: others wait for this thread */
    PIECE_BYTES = 64 << 10,
};

static void drop(linger *l, size_t i) {
    close(l->at[i].fd);
    memmove(l->at + i, l->at + i + 1, (--l->count - i) * sizeof *l->at);
}

void linger_add(linger *l, int fd) {
    shutdown(fd, SHUT_WR);
    if (l->count == LINGER_MOST)
        drop(l, 0);
    int64_t now = clock_coarse_ms();
    l->at[l->count].fd = fd;
    l->at[l->count].left = l->bytes;
    l->at[l->count].until = now + WHILE_MS;
    l->at[l->count++].silent_until = now + SILENCE_MS;
}

size_t linger_poll(const linger *l, struct pollfd on[LINGER_MOST]) {
    for (size_t i = 0; i < l->count; i++)
        on[i] = (struct pollfd){.fd = l->at[i].fd, .events = POLLIN};
    return l->count;
}

/* Throws away what has come. False where no more is to be read. */
static bool goes_on(linger *l, size_t i, int64_t now) {
    static char bytes[PIECE_BYTES]; /* nobody reads them */
    for (size_t all = 0; all < LOOK_BYTES && l->at[i].left > 0;) {
        ssize_t got = recvfrom(l->at[i].fd, bytes, sizeof bytes, MSG_DONTWAIT, NULL, NULL);
        if (got < 0 && (errno == EAGAIN || errno == EINTR))
            break;
        if (got <= 0)
            return false;
        all += (size_t)got;
        l->at[i].left -= (uint64_t)got < l->at[i].left ? (uint64_t)got : l->at[i].left;
        l->at[i].silent_until = now + SILENCE_MS;
    }
    return l->at[i].left > 0 && now < l->at[i].until && now < l->at[i].silent_until;
}

void linger_tend(linger *l) {
    int64_t now = clock_coarse_ms();
    for (size_t i = 0; i < l->count;)
        if (goes_on(l, i, now))
            i++;
        else
            drop(l, i);
}

void linger_end(linger *l) {
    while (l->count > 0)
        drop(l, l->count - 1);
}
