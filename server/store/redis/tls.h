/* TLS to the store, by GnuTLS, which libmicrohttpd has loaded in any case. */
#ifndef STORE_REDIS_TLS_H
#define STORE_REDIS_TLS_H

#include <gnutls/gnutls.h>
#include <stdbool.h>
#include <stddef.h>

enum { TLS_TEXT = 128 };

/* Whom to trust, and what to show: for any number of connections at once. */
typedef struct redis_tls redis_tls;

/* `authorities`: file of the certificates that may vouch for the store, "" for the system's.
 * `certificate`: file of a certificate and its key, for a store that asks for one, "" for none.
 * NULL where one cannot be read, which `text` says. */
redis_tls *tls_make(const char *authorities, const char *certificate, char text[TLS_TEXT]);
void tls_free(redis_tls *tls);

/* A session over a socket that does not block, with the one of that name or numeric address, which
 * has to live until the handshake is done. NULL where there is no memory. */
gnutls_session_t tls_open(const redis_tls *tls, int socket, const char *name);
void tls_close(gnutls_session_t session);

/* For the socket's poll: what a session waits for that was not done at once. */
short tls_events(gnutls_session_t session);

/* Whether a result of GnuTLS says that it is not done yet; and whether it says that the connection
 * ended. */
bool tls_waits(ssize_t result);
bool tls_ended(ssize_t result);

/* What else a result says. */
void tls_fault(gnutls_session_t session, ssize_t result, char text[TLS_TEXT]);

#endif
