/* The listening socket. */
#ifndef SERVER_LISTEN_H
#define SERVER_LISTEN_H

#include <stddef.h>

#include <stdbool.h>

/* Whether a text has the form of an address to listen at, as below. */
bool listen_is_address(const char *where);

/* Whether only programs of this machine can reach such an address. */
bool listen_is_local(const char *where);

/* Opens a socket at "127.0.0.1:8080", "[::1]:8080", "localhost:0" (a free port), ":8080" (every
 * address) or "unix:/run/layerd.sock": a file, of the mode that the umask leaves; one that is there
 * already is replaced only if it is a socket that nobody listens at. `address` gets where it is, as
 * an URL with the port, or as it was given. Returns the descriptor, or -1 after a sentence in the
 * log. */
int listen_open(const char *where, char *address, size_t length);

/* Removes the file of a socket that was opened; for before that is closed. */
void listen_close(const char *where);

#endif
