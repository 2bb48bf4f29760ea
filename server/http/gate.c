/* The one way from a socket to libmicrohttpd: it reads by recv alone, and this program's recv goes
 * before the C library's, as an allocator's malloc does. So each connection of connections.h is
 * read through its inflow.h, whichever version of libmicrohttpd there is. http.c counts the
 * requests that passed, and would notice one that went another way. */
#undef _FORTIFY_SOURCE /* its recv is an inline function of this name */

#include <sys/socket.h>

#include "http/connections.h"

__attribute__((visibility("default"))) ssize_t recv(int fd, void *bytes, size_t room, int flags) {
    inflow *in = connections_inflow(fd);
    return in ? inflow_read(in, fd, bytes, room) : recvfrom(fd, bytes, room, flags, NULL, NULL);
}
