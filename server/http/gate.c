/* The one way from a socket to libmicrohttpd: it reads by recv alone, and this program's recv goes
 * before the C library's, as an allocator's malloc does. So each connection of connections.h is
 * read through its inflow.h, whichever version of libmicrohttpd there is. http.c counts the
 * requests that passed, and would notice one that went another way.
 *
 * A large body is there at once, and libmicrohttpd is told of it in pieces of its own buffer's
 * size; between two of them it asks epoll, which waits for nothing then. So most of these are
 * answered here: the rest of the body is news enough. */
#undef _FORTIFY_SOURCE /* its recv is an inline function of this name */

#include <sys/epoll.h>
#include <sys/socket.h>

#include "http/connections.h"

enum { ROUNDS = 16 }; /* of a microsecond, in which the thread looks at no other connection */

static _Thread_local struct {
    bool owes; /* one of the thread's connections has more that its reader may have at once */
    int rounds;
} own;

__attribute__((visibility("default"))) ssize_t recv(int fd, void *bytes, size_t room, int flags) {
    inflow *in = connections_inflow(fd);
    if (!in)
        return recvfrom(fd, bytes, room, flags, NULL, NULL);
    ssize_t got = inflow_read(in, fd, bytes, room);
    own.owes |= in->owed > 0;
    return got;
}

__attribute__((visibility("default"))) int epoll_wait(int fd, struct epoll_event *events, int most,
                                                      int timeout) {
    bool later = own.owes && timeout == 0 && ++own.rounds < ROUNDS;
    own.owes = false;
    if (later)
        return 0;
    own.rounds = 0;
    return epoll_pwait(fd, events, most, timeout, NULL);
}
