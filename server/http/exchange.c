/* A request and its answer, from the first header to the last byte. */
#include "http/exchange.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/tally.h"
#include "http/body.h"
#include "http/cors.h"
#include "metrics.h"
#include "routes.h"

enum {
    FIRST_BODY = 16 << 10,    /* room for a body of unknown length */
    STRAIGHT_BODY = 32 << 10, /* goes straight to its place: several pieces for libmicrohttpd */
    CHEAP_BODY = 64 << 10,    /* read in a tenth of a millisecond; beyond, a worker reads it */
};

size_t exchange_body_limit(const options *options) {
    return options->body_limit < options->memory ? options->body_limit : options->memory;
}

static size_t body_limit(const exchange *x) {
    return exchange_body_limit(x->service->options);
}

void exchange_make(exchange *x, service *service, header_ids *ids, connection *connection) {
    x->service = service;
    x->ids = ids;
    x->connection = connection;
    x->began = x->refused = x->barred = x->last = false;
    x->charge = (charge){.budget = &service->memory};
    x->request = (request){
        .body = body_empty(),
        .charge = &x->charge,
    };
    x->route = (route){0};
    x->reply = (reply){0};
    *x->quota.policy = '\0';
}

/* ---- whether it may go on -------------------------------------------------------------------- */

/* "http://host/path" names the same as "/path" (RFC 9112, 3.2.2). */
static const char *origin_form(const char *target) {
    size_t scheme = strncasecmp(target, "http", 4) ? 0 : 4;
    scheme += scheme && (target[scheme] == 's' || target[scheme] == 'S');
    if (!scheme || strncmp(target + scheme, "://", 3) != 0)
        return target;
    const char *path = strchr(target + scheme + 3, '/');
    return path ? path : "/";
}

/* A body that is coded is none that is read here (RFC 9110, 8.4). */
static bool is_plain(const char *coding, problem *problem) {
    if (!coding || !*coding || !strcasecmp(coding, "identity"))
        return true;
    char text[96];
    problem_set(problem, PROBLEM_UNSUPPORTED_MEDIA_TYPE, NULL,
                "the body's Content-Encoding is %s, but must be identity: send it as it is",
                text_clip(text, sizeof text, coding));
    problem->header = "Accept-Encoding";
    problem->value = "identity";
    return false;
}

/* Whether who asks may ask that. OPTIONS tells what anyone may know: browsers send it before they
 * send a token. */
static bool is_admitted(exchange *x) {
    const service *service = x->service;
    const request *request = &x->request;
    admission admission = {.authorization = request->authorization,
                           .scope = x->route.scope,
                           .also = x->route.also,
                           .chooses = x->route.chooses};
    if (!service->tokens || !strcmp(request->method, "OPTIONS") ||
        route_is_public(&x->route, service->options->public_paths))
        return true;
    for (size_t i = 0; i < request->query_count; i++)
        admission.in_query |= !strcmp(request->query[i].key, "access_token");
    x->barred = !admit(service->tokens, &admission, &x->request.caller, &x->quota, &x->problem);
    return !x->barred;
}

/* Whether a request may go on, by its headers. */
static bool may_go_on(exchange *x, const exchange_head *head) {
    const problem *refusal = connection_refusal(x->connection);
    if (refusal) {
        x->problem = *refusal;
        return false;
    }
    if (cors_is_foreign(x->service->options->cors_origin, x->request.origin, head->site,
                        head->host))
        return problem_set(&x->problem, PROBLEM_FORBIDDEN, NULL,
                           "a page of another origin may not call; --cors-origin says which may");
    if (head->query_count > QUERY_MOST)
        return problem_set(&x->problem, PROBLEM_INVALID_QUERY, NULL, "the query has too many keys");
    bool found = route_find(&x->request, &x->route, &x->problem);
    return is_admitted(x) && found && is_plain(head->coding, &x->problem) &&
           !(x->route.request_form && atomic_load(&x->service->draining) &&
             !problem_set_draining(&x->problem));
}

/* ---- its body -------------------------------------------------------------------------------- */

/* Time for so many bytes of a body or an answer. */
static int64_t transfer_ms(const exchange *x, size_t bytes) {
    const options *options = x->service->options;
    return (int64_t)options->idle_time +
           (int64_t)fmin((double)bytes * 1e3 / (double)options->least_rate, 1e15);
}

/* The time for the next piece of a body. What was said to come gives none: who sends nothing would
 * hold the memory for it. */
static void await_body(const exchange *x) {
    int64_t idle = (int64_t)x->service->options->idle_time;
    int64_t left = transfer_ms(x, x->request.body_length) - (clock_coarse_ms() - x->begun);
    connection_wait_for_caller(x->connection, left < idle ? left : idle);
}

/* A problem answers a request that has not been read to its end: no other can follow it. */
static void refuse_last(exchange *x) {
    x->good = false;
    x->last = true;
    connection_linger(x->connection);
}

/* Whether the body is waited for. */
static bool begin_body(exchange *x, const exchange_head *head) {
    size_t length = head->length, limit = body_limit(x);
    if (x->barred && length > CHEAP_BODY) /* nobody has to take in what a stranger sends */
        return false;
    if (length != SIZE_MAX && length > limit) {
        x->refused = !body_too_large(limit, &x->problem);
        return false;
    }
    await_body(x);
    if (x->refused)
        return !head->expects;
    size_t first = FIRST_BODY < limit ? FIRST_BODY : limit;
    size_t room = length == SIZE_MAX ? first : length;
    x->refused = !body_make_room(&x->request, room, limit, &x->problem);
    if (x->refused)
        return false;
    if (length != SIZE_MAX && length >= STRAIGHT_BODY)
        connection_aim(x->connection, x->request.body.data, length);
    return true;
}

bool exchange_begin(exchange *x, const exchange_head *head) {
    metrics_move(x->service->metrics, METRICS_REQUESTS, 1);
    x->began = true;
    x->begun = clock_coarse_ms();
    x->request.path = origin_form(x->request.path);
    header_request_id(x->ids, head->id, x->id);
    x->refused = !may_go_on(x, head);
    if (!connection_refusal(x->connection) && begin_body(x, head))
        return true;
    refuse_last(x);
    return false;
}

void exchange_receive(exchange *x, const char *data, size_t size) {
    x->refused = x->refused || !body_make_room(&x->request, size, body_limit(x), &x->problem);
    uint64_t straight = connection_straight_from(x->connection), at = x->request.body_length;
    if (!x->refused && straight > at) /* what is before it came by libmicrohttpd */
        memcpy((char *)x->request.body.data + at, data,
               size < straight - at ? size : (size_t)(straight - at));
    x->request.body_length += size;
    await_body(x);
}

/* ---- who computes ---------------------------------------------------------------------------- */

static void compute(exchange *x) {
    connection_unaim(x->connection); /* all of the body is there */
    x->good = !x->refused && body_trim(&x->request, &x->problem) &&
              x->route.handle(x->service, &x->route, &x->request, &x->reply, &x->problem);
    x->request.unfinished = x->reply.later ? x->reply.unfinished : NULL;
    if (x->reply.later) {
        if (!x->request.unfinished)
            charge_reduce(&x->charge, x->request.body.size); /* what was read is gone */
        return;
    }
    /* before the answer goes out: large ones need not be in memory together */
    layers_tensor_clear(&x->request.body);
    charge_reduce(&x->charge, x->good ? x->reply.body_length : 0);
}

/* Takes a place before those who are to go on with a request: at the store, or at what is dear.
 * NULL with a problem. */
static workers *take_place(exchange *x) {
    const service *service = x->service;
    bool asks = x->reply.later && x->reply.asks;
    workers *next = asks ? service->askers : service->workers;
    if (!workers_admit(next)) {
        metrics_move(service->metrics, METRICS_QUEUE_REFUSED, 1);
        problem_set_overloaded(&x->problem, "as many requests wait as may (--queue); try again");
        x->good = false;
        return NULL;
    }
    x->request.may_wait = true;
    x->request.at_leisure = !asks;
    x->reply.later = x->reply.asks = false;
    return next;
}

workers *exchange_compute(exchange *x) {
    compute(x);
    return x->reply.later ? take_place(x) : NULL;
}

workers *exchange_answer(exchange *x) {
    connection_rest(x->connection);
    const problem *refusal = connection_refusal(x->connection);
    if (refusal) { /* by what came of its body */
        x->problem = *refusal;
        x->refused = true;
        refuse_last(x);
        return NULL;
    }
    if (!x->refused && x->route.request_form && x->request.body_length > CHEAP_BODY)
        return take_place(x);
    return exchange_compute(x);
}

void exchange_drop(exchange *x, drop_reason reason) {
    if (reason == DROP_STOPPING)
        problem_set_draining(&x->problem);
    else
        problem_set_overloaded(&x->problem, "the request waited for longer than it may "
                                            "(--queue-time); try again");
    if (reason == DROP_LATE)
        metrics_move(x->service->metrics, METRICS_QUEUE_LATE, 1);
    x->good = false;
}

/* ---- its answer ------------------------------------------------------------------------------ */

static void log_request(const exchange *x) {
    if (x->reply.status == 500)
        log_line(LOG_ERROR, "%s %s %s: %d %s", x->id, x->request.method, x->request.path,
                 x->reply.status, x->problem.detail);
    else if (log_enabled(LOG_DEBUG))
        log_line(LOG_DEBUG, "%s %s %s: %d, %zu bytes in, %zu out, %.3f ms%s%s", x->id,
                 x->request.method, x->request.path, x->reply.status, x->request.body_length,
                 x->reply.body_length, x->reply.read_ms + x->reply.compute_ms + x->reply.write_ms,
                 x->request.caller ? ", for " : "",
                 x->request.caller ? x->request.caller->name : "");
}

static bool is_stopping(const exchange *x) {
    return atomic_load_explicit(&x->service->stopping, memory_order_relaxed);
}

static void list_headers(const exchange *x, header_list *list) {
    header_list_make(list, x->id, &x->reply, x->good ? NULL : &x->problem);
    cors_add(list, x->service->options->cors_origin, &x->request, &x->route);
    if (*x->quota.policy) {
        header_add(list, "RateLimit-Policy", x->quota.policy);
        header_add(list, "RateLimit", x->quota.left);
    }
    if (x->route.negotiated)
        header_add(list, "Vary", "Accept");
    if (x->route.allow)
        header_add(list, "Allow", x->route.allow);
    if (x->last || is_stopping(x))
        header_add(list, "Connection", "close");
}

void exchange_finish(exchange *x, header_list *headers) {
    if (!x->good) {
        free(x->reply.body);
        x->reply.body = problem_body(&x->problem, &x->reply.body_length);
        x->reply.status = problem_status(x->problem.kind);
        x->reply.content_type = x->reply.body ? "application/problem+json" : NULL;
    }
    log_request(x);
    if (!x->good)
        tally_refused(&x->problem);
    metrics_answered(x->service->metrics, x->route.row, x->request.body_length, &x->reply);
    if (is_stopping(x))
        connection_linger(x->connection); /* who did not know may have sent more */
    connection_send_to_caller(x->connection, transfer_ms(x, x->reply.body_length));
    list_headers(x, headers);
}

void exchange_end(exchange *x, bool whole) {
    connection_wait_for_caller(x->connection, (int64_t)x->service->options->idle_time);
    if (x->began && !whole)
        log_line(LOG_DEBUG, "%s %s %s: the connection ended before the answer was out", x->id,
                 x->request.method, x->request.path);
    if (x->request.unfinished)
        x->reply.drop(x->request.unfinished);
    connection_unaim(x->connection);
    layers_tensor_clear(&x->request.body);
    free(x->reply.body);
    charge_reduce(&x->charge, 0);
    caller_release(x->request.caller);
    if (x->began)
        metrics_move(x->service->metrics, METRICS_REQUESTS, -1);
}
