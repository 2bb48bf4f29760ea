/* The listening socket. */
#ifndef SERVER_LISTEN_H
#define SERVER_LISTEN_H

#include <stddef.h>

#include <stdbool.h>

/* Whether a text has the form of an address to listen at, as below. */
bool listen_is_address(const char *where);

/* Opens a socket at "127.0.0.1:8080", "[::1]:8080", "localhost:0" (a free port) or ":8080" (every
 * address). `address` gets where it is, with the port. Returns the descriptor, or -1 after a
 * sentence in the log. */
int listen_open(const char *where, char *address, size_t length);

#endif
