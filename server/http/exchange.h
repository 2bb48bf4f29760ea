/* A request and its answer, from the first header to the last byte: whether it may go on, what it
 * may take, who computes, what the answer says, and what is counted and logged of it; no HTTP
 * library behind.
 *
 *     exchange_make(&x, ...);
 *     if (exchange_begin(&x, &head)) {         its headers are there
 *         ... exchange_receive(&x, ...), for each piece of the body ...
 *         workers = exchange_answer(&x);
 *         while (workers)                      in one of their threads
 *             workers = exchange_compute(&x);
 *     }
 *     exchange_finish(&x, &headers);           x.reply goes out
 *     exchange_end(&x);
 *
 * One thread at a time has an exchange. Nothing here can fail but by an answer that says so. */
#ifndef SERVER_EXCHANGE_H
#define SERVER_EXCHANGE_H

#include "access/admit.h"
#include "http/connections.h"
#include "http/header.h"
#include "route.h"

typedef struct {
    service *service;
    header_ids *ids;
    connection *connection;
    request request;
    route route;
    bool began;    /* its head has come whole */
    int64_t begun; /* when, of clock_coarse_ms() */
    char id[HEADER_ID_TEXT];
    bool refused;  /* by its headers, or by its length on the way: what `problem` says */
    bool barred;   /* as who asks may not ask that */
    bool good;     /* there is a reply; else a problem */
    bool last;     /* no request follows this one */
    charge charge; /* of the memory budget */
    quota_headers quota;
    problem problem;
    reply reply;
} exchange;

/* What the headers say beside what handlers know of a request. */
typedef struct {
    const char *id, *coding, *site, *host; /* X-Request-Id, Content-Encoding, Sec-Fetch-Site, Host;
                                              NULL where it is absent */
    size_t query_count;                    /* keys in the query, those for which there is no room */
    size_t length;                         /* of the body; SIZE_MAX where it is not said */
    bool expects;                          /* the caller waits for a 100 Continue */
} exchange_head;

/* The largest body: one that is larger than the memory for all requests would never be taken. */
size_t exchange_body_limit(const options *options);

/* A request of which nothing has come. All that is named outlives it. */
void exchange_make(exchange *x, service *service, header_ids *ids, connection *connection);

/* The first look at a request, by its headers: x->request has what it says of them, and its path as
 * it was sent. One that could not be read, that is refused for its length, or that waits for a 100
 * Continue, is answered now and its connection ends: false. Any other that is refused is answered
 * once its body has been read and thrown away, so that the connection can go on. */
bool exchange_begin(exchange *x, const exchange_head *head);

/* A piece of the body. What a refused request sends is thrown away. */
void exchange_receive(exchange *x, const char *data, size_t size);

/* All of the body has come. NULL once there is an answer; else who is to call exchange_compute, and
 * has a place for that (workers_admit). */
workers *exchange_answer(exchange *x);

/* The same from one of the workers' threads: one that waited for the store may turn out to be dear.
 */
workers *exchange_compute(exchange *x);

/* The workers have dropped it: there is an answer. */
void exchange_drop(exchange *x, drop_reason reason);

/* The answer, from here on x->reply, and its headers, which stay as long as the exchange. To be
 * called once, by the thread of the connection. */
void exchange_finish(exchange *x, header_list *headers);

/* Frees what it has. `whole`: the answer is out, or nothing has come of the request. */
void exchange_end(exchange *x, bool whole);

#endif
