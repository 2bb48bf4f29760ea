/* Connections: accepted, counted, and each given a time for what it is at. libmicrohttpd only times
 * inactivity, which a byte now and then escapes for ever. */
#ifndef SERVER_CONNECTIONS_H
#define SERVER_CONNECTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "http/header.h"
#include "http/inflow.h"

typedef struct connections connections;
typedef struct connection connection;

typedef struct {
    size_t most;              /* open at once */
    size_t most_per_address;  /* of these from one address */
    size_t other_descriptors; /* that the process may have open beside those for connections */
    /* Serves a socket that was accepted and entered; false where it cannot, and has closed it. */
    bool (*serve)(void *context, int fd, const struct sockaddr *from, socklen_t length);
    /* Called some times a second while there are connections, or while it wants to be. */
    bool (*tick)(void *context);
    void *context;
    header_ids *ids;   /* for answers to connections that are refused */
    size_t body_limit; /* bytes of a body that comes in chunks */
} connections_setup;

/* None yet. NULL where there is no memory. One at a time in a process: what libmicrohttpd reads of
 * a socket comes by gate.c. */
connections *connections_make(const connections_setup *setup);

/* Accepts from a listening socket, which becomes its own, in a thread of its own. False where there
 * is no thread; the socket is then still the caller's. */
bool connections_start(connections *connections, int listener);

/* Accepts no more; what is open stays so, but is no longer timed. */
void connections_stop_accepting(connections *connections);

/* Frees, after all connections have left. */
void connections_free(connections *connections);

size_t connections_count(connections *connections);

/* The connection of a socket that was entered. */
connection *connections_find(connections *connections, int fd);

/* The socket is about to be closed. */
void connections_leave(connections *connections, connection *connection);

/* What comes in of a socket that was entered, for the thread that serves it; NULL for any other. */
inflow *connections_inflow(int fd);

/* The next request is begun. False where none came in: it was read another way. */
bool connection_takes_request(connection *connection);

/* What was found wrong with the request that was begun; NULL for nothing, so far. */
const problem *connection_refusal(const connection *connection);

/* The body of the request that was begun goes straight to memory for all of its `whole` bytes, from
 * a byte on that connection_straight_from tells; what libmicrohttpd hands out of it from there on
 * is not it, but is as long. Until connection_unaim, before the memory goes. */
void connection_aim(connection *connection, void *memory, uint64_t whole);
uint64_t connection_straight_from(const connection *connection);
void connection_unaim(connection *connection);

/* This answer is the last, and the caller may still send: he has a while to read it. */
void connection_linger(connection *connection);

/* What it is at must be over within so many milliseconds: else it is shut down. It is also shut
 * down soon after the caller has closed his side, where it is the caller's turn to send. */
void connection_wait_for_caller(connection *connection, int64_t milliseconds);
void connection_send_to_caller(connection *connection, int64_t milliseconds);

/* It is the server's turn. */
void connection_rest(connection *connection);

/* Whether the caller has closed his side, with nothing that he sent unread, or has broken off. */
bool connection_has_hung_up(const connection *connection);

#endif
