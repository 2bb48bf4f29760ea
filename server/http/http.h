/* HTTP: connections in, answers out. */
#ifndef SERVER_HTTP_H
#define SERVER_HTTP_H

#include "request.h"

typedef struct http http;

/* Opens a listening socket at options->listen and serves `service` on it from threads of its own;
 * signals that are blocked stay so in them. `address` gets what it listens on, as
 * listen_open has it. NULL after a sentence in the log. */
http *http_start(service *service, char *address, size_t length);

/* Requests that have begun and whose answer has not gone out. */
size_t http_running(const http *http);

/* Closes every connection and frees. No request may be with the workers. */
void http_stop(http *http);

#endif
