/* HTTP over libmicrohttpd: the only file that knows it. A request's body is gathered once, into one
 * buffer; its answer is handed over without a copy. Cheap requests are answered by the thread of
 * their connection; dear ones leave it to the workers, while the connection is suspended. */
#include "http/http.h"

#include <errno.h>
#include <limits.h>
#include <math.h>
#include <microhttpd.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "access/admit.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/tally.h"
#include "base/turns.h"
#include "http/body.h"
#include "http/connections.h"
#include "http/cors.h"
#include "http/header.h"
#include "http/listen.h"
#include "metrics.h"
#include "routes.h"

enum {
    CONNECTION_MEMORY = 32 << 10, /* holds the longest head; cleared for each request */
    FIRST_BODY = 16 << 10,        /* room for a body of unknown length */
    LOOP_MOST = 126,              /* connections of one thread */
    LOOP_MANY = 4,                /* from here on it goes for throughput; see turns.h */
    OTHER_DESCRIPTORS = 32,       /* beside connections' and two of each thread */
    STRAIGHT_BODY = 32 << 10,     /* goes straight to its place: several pieces for libmicrohttpd */
    CHEAP_BODY = 64 << 10,        /* read in a tenth of a millisecond; beyond, a worker reads it */
};

/* One thread of libmicrohttpd's and its connections. Each has a daemon of its own, not a pool, so
 * that connections can be dealt out evenly; and never as many as libmicrohttpd asks epoll for at
 * once, 128 with its own wake-up: where it gets just so many, it waits for more before it serves
 * them. */
typedef struct {
    http *http;
    struct MHD_Daemon *daemon;
    atomic_size_t connections;
    bool many; /* LOOP_MANY of them or more; its own thread's */
} loop;

struct http {
    service *service;
    connections *connections;
    atomic_size_t running;
    header_ids ids;
    size_t loops; /* that have been started; from then on the accepting thread's */
    loop loop[];  /* as many as all connections can need */
};

/* A request from its first header to the last byte of its answer. */
typedef struct {
    request request;
    route route;
    http *http;
    struct MHD_Connection *mhd;
    connection *connection;
    bool began;    /* its head has come whole */
    int64_t begun; /* when, of clock_coarse_ms() */
    char id[HEADER_ID_TEXT];
    bool refused;  /* by its headers, or by its length on the way: what `problem` says */
    bool barred;   /* as who asks may not ask that */
    job job;       /* for the workers */
    bool computed; /* by them, or dropped */
    bool unwanted; /* the caller has gone */
    bool good;     /* there is a reply; else a problem */
    bool last;     /* no request follows this one */
    charge charge; /* of the memory budget */
    quota_headers quota;
    problem problem;
    reply reply;
} exchange;

static const char *header(struct MHD_Connection *connection, const char *name) {
    return MHD_lookup_connection_value(connection, MHD_HEADER_KIND, name);
}

static enum MHD_Result add_query(void *cls, enum MHD_ValueKind kind, const char *key,
                                 const char *value) {
    (void)kind;
    request *request = cls;
    if (request->query_count == QUERY_MOST)
        return MHD_NO;
    request->query[request->query_count++] = (query_pair){key, value};
    return MHD_YES;
}

/* The length that the request says its body has; SIZE_MAX where it does not say. */
static size_t declared_length(struct MHD_Connection *connection) {
    const char *length = header(connection, MHD_HTTP_HEADER_CONTENT_LENGTH);
    if (!length)
        return header(connection, MHD_HTTP_HEADER_TRANSFER_ENCODING) ? SIZE_MAX : 0;
    errno = 0;
    unsigned long long value = strtoull(length, NULL, 10);
    return errno == 0 && value < SIZE_MAX ? (size_t)value : SIZE_MAX - 1;
}

/* The largest body: one that is larger than the memory for all requests would never be taken. */
static size_t body_limit(const http *http) {
    const options *options = http->service->options;
    return options->body_limit < options->memory ? options->body_limit : options->memory;
}

/* The first line of a request has come; what is returned is its state from here on. */
static void *on_target(void *cls, const char *target, struct MHD_Connection *connection) {
    (void)target;
    http *http = ((loop *)cls)->http;
    exchange *x = malloc(sizeof *x);
    if (!x)
        return NULL;
    x->http = http;
    x->mhd = connection;
    x->connection =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT)->socket_context;
    x->began = x->refused = x->barred = x->computed = x->unwanted = x->last = false;
    x->charge = (charge){.budget = &http->service->memory};
    x->request = (request){
        .body = body_empty(),
        .charge = &x->charge,
    };
    x->route = (route){0};
    x->reply = (reply){0};
    *x->quota.policy = '\0';
    return x;
}

static void release_body(void *body) {
    free(body);
}

/* Gives the answer's body away: from here on it is the response's. */
static struct MHD_Response *make_response(reply *reply) {
    char *body = reply->body;
    if (!body)
        return MHD_create_response_from_buffer(0, NULL, MHD_RESPMEM_PERSISTENT);
    struct MHD_Response *response =
        MHD_create_response_from_buffer_with_free_callback(reply->body_length, body, release_body);
    if (!response)
        free(body);
    reply->body = NULL;
    return response;
}

static bool add_headers(struct MHD_Response *response, const exchange *x) {
    const service *service = x->http->service;
    header_list list;
    header_list_make(&list, x->id, &x->reply, x->good ? NULL : &x->problem);
    cors_add(&list, service->options->cors_origin, &x->request, &x->route);
    if (*x->quota.policy) {
        header_add(&list, "RateLimit-Policy", x->quota.policy);
        header_add(&list, "RateLimit", x->quota.left);
    }
    if (x->route.negotiated)
        header_add(&list, MHD_HTTP_HEADER_VARY, "Accept");
    if (x->route.allow)
        header_add(&list, MHD_HTTP_HEADER_ALLOW, x->route.allow);
    if (x->last || atomic_load_explicit(&service->stopping, memory_order_relaxed))
        header_add(&list, MHD_HTTP_HEADER_CONNECTION, "close");
    for (size_t i = 0; i < list.count; i++)
        if (MHD_add_response_header(response, list.field[i].name, list.field[i].value) != MHD_YES)
            return false;
    return true;
}

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

/* Time for so many bytes of a body or an answer. */
static int64_t transfer_ms(const http *http, size_t bytes) {
    const options *options = http->service->options;
    return (int64_t)options->idle_time +
           (int64_t)fmin((double)bytes * 1e3 / (double)options->least_rate, 1e15);
}

/* The one place where answers go out. */
static enum MHD_Result send_reply(exchange *x) {
    if (!x->good) {
        free(x->reply.body);
        x->reply.body = problem_body(&x->problem, &x->reply.body_length);
        x->reply.status = problem_status(x->problem.kind);
        x->reply.content_type = x->reply.body ? "application/problem+json" : NULL;
    }
    log_request(x);
    if (!x->good)
        tally_refused(&x->problem);
    metrics_answered(x->http->service->metrics, x->route.row, x->request.body_length, &x->reply);
    if (atomic_load_explicit(&x->http->service->stopping, memory_order_relaxed))
        connection_linger(x->connection); /* who did not know may have sent more */
    connection_send_to_caller(x->connection, transfer_ms(x->http, x->reply.body_length));
    struct MHD_Response *response = make_response(&x->reply);
    if (!response)
        return MHD_NO;
    enum MHD_Result result = MHD_NO;
    if (add_headers(response, x))
        result = MHD_queue_response(x->mhd, (unsigned)x->reply.status, response);
    MHD_destroy_response(response);
    return result;
}

static enum MHD_Result send_problem(exchange *x) {
    x->good = false;
    return send_reply(x);
}

/* The problem of a request that has not been read to its end: no other can follow it. */
static enum MHD_Result send_last(exchange *x) {
    x->last = true;
    connection_linger(x->connection);
    return send_problem(x);
}

/* The time for the next piece of a body. What was said to come gives none: who sends nothing would
 * hold the memory for it. */
static void await_body(const exchange *x) {
    int64_t idle = (int64_t)x->http->service->options->idle_time;
    int64_t left = transfer_ms(x->http, x->request.body_length) - (clock_coarse_ms() - x->begun);
    connection_wait_for_caller(x->connection, left < idle ? left : idle);
}

/* "http://host/path" names the same as "/path" (RFC 9112, 3.2.2). */
static const char *origin_form(const char *target) {
    size_t scheme = strncasecmp(target, "http", 4) ? 0 : 4;
    scheme += scheme && (target[scheme] == 's' || target[scheme] == 'S');
    if (!scheme || strncmp(target + scheme, "://", 3) != 0)
        return target;
    const char *path = strchr(target + scheme + 3, '/');
    return path ? path : "/";
}

/* What handlers know of a request. */
static void read_headers(exchange *x) {
    request *request = &x->request;
    request->path = origin_form(request->path);
    request->content_type = header(x->mhd, MHD_HTTP_HEADER_CONTENT_TYPE);
    request->accept = header(x->mhd, MHD_HTTP_HEADER_ACCEPT);
    request->origin = header(x->mhd, MHD_HTTP_HEADER_ORIGIN);
    request->authorization = header(x->mhd, MHD_HTTP_HEADER_AUTHORIZATION);
    request->is_preflight = !strcmp(request->method, MHD_HTTP_METHOD_OPTIONS) &&
                            header(x->mhd, MHD_HTTP_HEADER_ACCESS_CONTROL_REQUEST_METHOD);
    header_request_id(&x->http->ids, header(x->mhd, "X-Request-Id"), x->id);
}

/* A body that is coded is none that is read here (RFC 9110, 8.4). */
static bool is_plain(exchange *x) {
    const char *coding = header(x->mhd, MHD_HTTP_HEADER_CONTENT_ENCODING);
    if (!coding || !*coding || !strcasecmp(coding, "identity"))
        return true;
    char text[96];
    problem_set(&x->problem, PROBLEM_UNSUPPORTED_MEDIA_TYPE, NULL,
                "the body's Content-Encoding is %s, but must be identity: send it as it is",
                text_clip(text, sizeof text, coding));
    x->problem.header = MHD_HTTP_HEADER_ACCEPT_ENCODING;
    x->problem.value = "identity";
    return false;
}

/* Whether who asks may ask that. OPTIONS tells what anyone may know: browsers send it before they
 * send a token. */
static bool is_admitted(exchange *x) {
    const service *service = x->http->service;
    const request *request = &x->request;
    admission admission = {.authorization = request->authorization,
                           .scope = x->route.scope,
                           .also = x->route.also,
                           .chooses = x->route.chooses};
    if (!service->tokens || !strcmp(request->method, MHD_HTTP_METHOD_OPTIONS) ||
        route_is_public(&x->route, service->options->public_paths))
        return true;
    for (size_t i = 0; i < request->query_count; i++)
        admission.in_query |= !strcmp(request->query[i].key, "access_token");
    x->barred = !admit(service->tokens, &admission, &x->request.caller, &x->quota, &x->problem);
    return !x->barred;
}

/* Whether a request may go on, by its headers. */
static bool may_go_on(exchange *x) {
    const service *service = x->http->service;
    const problem *refusal = connection_refusal(x->connection);
    if (refusal) {
        x->problem = *refusal;
        return false;
    }
    if (cors_is_foreign(service->options->cors_origin, x->request.origin,
                        header(x->mhd, "Sec-Fetch-Site"), header(x->mhd, MHD_HTTP_HEADER_HOST)))
        return problem_set(&x->problem, PROBLEM_FORBIDDEN, NULL,
                           "a page of another origin may not call; --cors-origin says which may");
    if (MHD_get_connection_values(x->mhd, MHD_GET_ARGUMENT_KIND, NULL, NULL) > QUERY_MOST)
        return problem_set(&x->problem, PROBLEM_INVALID_QUERY, NULL, "the query has too many keys");
    MHD_get_connection_values(x->mhd, MHD_GET_ARGUMENT_KIND, add_query, &x->request);
    bool found = route_find(&x->request, &x->route, &x->problem);
    return is_admitted(x) && found && is_plain(x) &&
           !(x->route.request_form && atomic_load(&service->draining) &&
             !problem_set_draining(&x->problem));
}

/* The first look at a request, by its headers. One that could not be read, that is refused for its
 * length, or that waits for a 100 Continue, is answered now and its connection ends; any other that
 * is refused is answered once its body has been read and thrown away, so that the connection can go
 * on. */
static enum MHD_Result begin(exchange *x) {
    atomic_fetch_add(&x->http->running, 1);
    metrics_move(x->http->service->metrics, METRICS_REQUESTS, 1);
    x->began = true;
    x->begun = clock_coarse_ms();
    read_headers(x);
    x->refused = !may_go_on(x);
    if (connection_refusal(x->connection))
        return send_last(x);
    size_t length = declared_length(x->mhd), limit = body_limit(x->http);
    if (x->barred && length > CHEAP_BODY) /* nobody has to take in what a stranger sends */
        return send_last(x);
    if (length != SIZE_MAX && length > limit) {
        x->refused = !body_too_large(limit, &x->problem);
        return send_last(x);
    }
    await_body(x);
    if (x->refused)
        return header(x->mhd, MHD_HTTP_HEADER_EXPECT) ? send_last(x) : MHD_YES;
    size_t first = FIRST_BODY < limit ? FIRST_BODY : limit;
    size_t room = length == SIZE_MAX ? first : length;
    x->refused = !body_make_room(&x->request, room, limit, &x->problem);
    if (x->refused)
        return send_last(x);
    if (length != SIZE_MAX && length >= STRAIGHT_BODY)
        connection_aim(x->connection, x->request.body.data, length);
    return MHD_YES;
}

/* A piece of the body. What a refused request sends is thrown away. */
static enum MHD_Result receive(exchange *x, const char *data, size_t *size) {
    size_t more = *size;
    *size = 0;
    x->refused = x->refused || !body_make_room(&x->request, more, body_limit(x->http), &x->problem);
    uint64_t straight = connection_straight_from(x->connection), at = x->request.body_length;
    if (!x->refused && straight > at) /* what is before it came by libmicrohttpd */
        memcpy((char *)x->request.body.data + at, data,
               more < straight - at ? more : (size_t)(straight - at));
    x->request.body_length += more;
    await_body(x);
    return MHD_YES;
}

static void compute(exchange *x) {
    connection_unaim(x->connection); /* all of the body is there */
    x->good = !x->refused && body_trim(&x->request, &x->problem) &&
              x->route.handle(x->http->service, &x->route, &x->request, &x->reply, &x->problem);
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

static exchange *exchange_of(job *job) {
    return (exchange *)((char *)job - offsetof(exchange, job));
}

static void drop_job(job *job, drop_reason reason) {
    exchange *x = exchange_of(job);
    x->unwanted = reason == DROP_UNWANTED;
    if (reason == DROP_STOPPING)
        problem_set_draining(&x->problem);
    else
        problem_set_overloaded(&x->problem, "the request waited for longer than it may "
                                            "(--queue-time); try again");
    if (reason == DROP_LATE)
        metrics_move(x->http->service->metrics, METRICS_QUEUE_LATE, 1);
    x->good = false;
    x->computed = true;
    MHD_resume_connection(x->mhd);
}

static bool is_wanted(job *job) {
    return !connection_has_hung_up(exchange_of(job)->connection);
}

/* Takes a place before those who are to go on with a request: at the store, or at what is dear.
 * NULL with a problem. */
static workers *take_place(exchange *x) {
    const service *service = x->http->service;
    bool asks = x->reply.later && x->reply.asks;
    workers *next = asks ? service->askers : service->workers;
    if (!workers_admit(next)) {
        metrics_move(service->metrics, METRICS_QUEUE_REFUSED, 1);
        problem_set_overloaded(&x->problem, "as many requests wait as may (--queue); try again");
        return NULL;
    }
    x->request.may_wait = true;
    x->request.at_leisure = !asks;
    x->reply.later = x->reply.asks = false;
    return next;
}

/* One that waited for the store may turn out to be dear. */
static void run_job(job *job) {
    exchange *x = exchange_of(job);
    compute(x);
    if (x->reply.later) {
        workers *next = take_place(x);
        if (next) {
            workers_post(next, job);
            return;
        }
        x->good = false;
    }
    x->computed = true;
    MHD_resume_connection(x->mhd);
}

/* Leaves a request that would take long to others. */
static enum MHD_Result hand_over(exchange *x) {
    workers *next = take_place(x);
    if (!next)
        return send_problem(x);
    x->job = (job){.run = run_job, .drop = drop_job, .is_wanted = is_wanted};
    MHD_suspend_connection(x->mhd);
    workers_post(next, &x->job);
    return MHD_YES;
}

static enum MHD_Result answer(exchange *x) {
    connection_rest(x->connection);
    const problem *refusal = connection_refusal(x->connection);
    if (refusal) { /* by what came of its body */
        x->problem = *refusal;
        x->refused = true;
        return send_last(x);
    }
    if (!x->refused && x->route.request_form && x->request.body_length > CHEAP_BODY)
        return hand_over(x);
    compute(x);
    return x->reply.later ? hand_over(x) : send_reply(x);
}

static enum MHD_Result on_request(void *cls, struct MHD_Connection *connection, const char *path,
                                  const char *method, const char *version, const char *data,
                                  size_t *size, void **state) {
    (void)cls, (void)connection, (void)version;
    exchange *x = *state;
    if (!x)
        return MHD_NO; /* there was no memory */
    if (!x->began) {
        x->request.method = method;
        x->request.path = path; /* as it lies; see begin */
        if (connection_takes_request(x->connection))
            return begin(x);
        log_line(LOG_ERROR, "libmicrohttpd read a request by another way than recv");
        return MHD_NO;
    }
    if (x->computed)
        return x->unwanted ? MHD_NO : send_reply(x);
    if (*size > 0)
        return receive(x, data, size);
    return answer(x);
}

static void on_completed(void *cls, struct MHD_Connection *connection, void **state,
                         enum MHD_RequestTerminationCode code) {
    (void)connection;
    http *http = ((loop *)cls)->http;
    exchange *x = *state;
    if (!x)
        return;
    connection_wait_for_caller(x->connection, (int64_t)http->service->options->idle_time);
    if (x->began && code != MHD_REQUEST_TERMINATED_COMPLETED_OK)
        log_line(LOG_DEBUG, "%s %s %s: the connection ended before the answer was out", x->id,
                 x->request.method, x->request.path);
    if (x->request.unfinished)
        x->reply.drop(x->request.unfinished);
    connection_unaim(x->connection);
    layers_tensor_clear(&x->request.body);
    free(x->reply.body);
    charge_reduce(&x->charge, 0);
    caller_release(x->request.caller);
    if (x->began) {
        metrics_move(http->service->metrics, METRICS_REQUESTS, -1);
        atomic_fetch_sub(&http->running, 1);
    }
    free(x);
    *state = NULL;
}

__attribute__((format(printf, 2, 0))) static void on_log(void *cls, const char *format,
                                                         va_list arguments) {
    (void)cls;
    char text[512];
    vsnprintf(text, sizeof text, format, arguments);
    log_line(LOG_DEBUG, "libmicrohttpd: %s", text);
}

/* A NUL, which would end the text for everyone after, becomes a byte that nothing is named with. */
static size_t on_unescape(void *cls, struct MHD_Connection *connection, char *text) {
    (void)cls, (void)connection;
    size_t length = MHD_http_unescape(text);
    for (char *nul; (nul = memchr(text, '\0', length));)
        *nul = '\x01';
    return length;
}

/* Takes its turns as befits so many connections. */
static void take_turns(loop *loop) {
    bool many = atomic_load(&loop->connections) >= LOOP_MANY;
    if (many != loop->many)
        turns_to_answer(loop->many = many);
}

static void on_connection(void *cls, struct MHD_Connection *connection, void **context,
                          enum MHD_ConnectionNotificationCode code) {
    loop *loop = cls;
    http *http = loop->http;
    bool starts = code == MHD_CONNECTION_NOTIFY_STARTED;
    metrics_move(http->service->metrics, METRICS_CONNECTIONS, starts ? 1 : -1);
    if (starts) {
        int fd = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd;
        *context = connections_find(http->connections, fd);
        connection_wait_for_caller(*context, (int64_t)http->service->options->idle_time);
    } else {
        atomic_fetch_sub(&loop->connections, 1);
        connections_leave(http->connections, *context);
    }
    take_turns(loop);
}

/* Threads that answer from the start: one more than processors, so that these are used evenly
 * beside a caller of this machine. */
static size_t usual_loops(const options *options) {
    return options->threads + 1;
}

/* Enough for so many connections, with no more than LOOP_MOST for each. */
static size_t loops_for(size_t connections, const options *options) {
    size_t enough = (connections + LOOP_MOST - 1) / LOOP_MOST;
    return enough > usual_loops(options) ? enough : usual_loops(options);
}

static bool start_loop(http *http) {
    loop *loop = &http->loop[http->loops];
    loop->http = http;
    loop->daemon = MHD_start_daemon(
        MHD_USE_EPOLL_INTERNAL_THREAD | MHD_USE_NO_LISTEN_SOCKET | MHD_ALLOW_SUSPEND_RESUME |
            MHD_USE_ERROR_LOG,
        0, NULL, NULL, on_request, loop, MHD_OPTION_EXTERNAL_LOGGER, on_log, NULL,
        MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)CONNECTION_MEMORY, MHD_OPTION_CONNECTION_LIMIT,
        UINT_MAX /* they are counted elsewhere */, MHD_OPTION_STRICT_FOR_CLIENT, 1,
        MHD_OPTION_UNESCAPE_CALLBACK, on_unescape, NULL, MHD_OPTION_URI_LOG_CALLBACK, on_target,
        loop, MHD_OPTION_NOTIFY_COMPLETED, on_completed, loop, MHD_OPTION_NOTIFY_CONNECTION,
        on_connection, loop, MHD_OPTION_END);
    http->loops += loop->daemon != NULL;
    return loop->daemon != NULL;
}

static void stop_loops(http *http) {
    for (size_t i = 0; i < http->loops; i++)
        MHD_stop_daemon(http->loop[i].daemon);
}

/* The thread that has the fewest connections: of the usual ones, or, where these have all that they
 * may, of the others, of which one more is started where these have too. NULL where it cannot be.
 */
static loop *next_loop(http *http) {
    loop *least = http->loop;
    for (size_t i = 0; i < http->loops; i++) {
        size_t connections = atomic_load(&least->connections);
        if (i >= usual_loops(http->service->options) && connections < LOOP_MOST)
            break;
        if (atomic_load(&http->loop[i].connections) < connections)
            least = &http->loop[i];
    }
    if (atomic_load(&least->connections) < LOOP_MOST)
        return least;
    return start_loop(http) ? &http->loop[http->loops - 1] : NULL;
}

static bool serve(void *context, int fd, const struct sockaddr *from, socklen_t length) {
    loop *loop = next_loop(context);
    if (!loop) {
        log_line(LOG_WARN, "no thread for one more connection: %s", strerror(errno));
        close(fd);
        return false;
    }
    atomic_fetch_add(&loop->connections, 1);
    if (MHD_add_connection(loop->daemon, fd, from, length) == MHD_YES)
        return true;
    atomic_fetch_sub(&loop->connections, 1);
    return false;
}

static bool tick(void *context) {
    http *http = context;
    workers_tend(http->service->workers);
    if (http->service->askers)
        workers_tend(http->service->askers);
    return tally_report(clock_coarse_ms());
}

static bool start(http *http, int listener) {
    const options *options = http->service->options;
    /* Connections inherit it: one whose caller takes nothing of an answer for so long is ended. */
    const unsigned idle_time = (unsigned)options->idle_time;
    setsockopt(listener, IPPROTO_TCP, TCP_USER_TIMEOUT, &idle_time, sizeof idle_time);
    header_ids_start(&http->ids);
    const connections_setup setup = {
        .most = options->connections,
        .most_per_address = options->address_connections,
        .other_descriptors = OTHER_DESCRIPTORS + 2 * loops_for(options->connections, options),
        .serve = serve,
        .tick = tick,
        .context = http,
        .ids = &http->ids,
        .body_limit = body_limit(http),
    };
    http->connections = connections_make(&setup);
    if (!http->connections)
        return false;
    for (size_t i = 0; i < usual_loops(options); i++)
        if (!start_loop(http))
            return false;
    return connections_start(http->connections, listener);
}

http *http_start(service *service, char *address, size_t length) {
    int listener = listen_open(service->options->listen, address, length);
    if (listener < 0)
        return NULL;
    size_t loops = loops_for(service->options->connections, service->options);
    http *http = calloc(1, sizeof *http + loops * sizeof *http->loop);
    if (http) {
        http->service = service;
        if (start(http, listener))
            return http;
        stop_loops(http);
        connections_free(http->connections);
    }
    log_line(LOG_ERROR, "cannot start to serve: %s", strerror(errno));
    close(listener);
    free(http);
    return NULL;
}

size_t http_running(const http *http) {
    return atomic_load(&http->running);
}

void http_stop(http *http) {
    listen_close(http->service->options->listen);
    connections_stop_accepting(http->connections);
    stop_loops(http);
    connections_free(http->connections);
    free(http);
}
