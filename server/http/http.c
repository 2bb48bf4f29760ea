/* HTTP over libmicrohttpd: the only file that knows it. Its threads and connections, and what it
 * tells of a request and is told of the answer, which exchange.h makes. Cheap requests are answered
 * by the thread of their connection; dear ones leave it to the workers, while the connection is
 * suspended. */
#include "http/http.h"

#include <errno.h>
#include <limits.h>
#include <microhttpd.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/tally.h"
#include "base/turns.h"
#include "http/connections.h"
#include "http/exchange.h"
#include "http/listen.h"
#include "metrics.h"

enum {
    CONNECTION_MEMORY = 32 << 10, /* holds the longest head; cleared for each request */
    LOOP_MOST = 126,              /* connections of one thread */
    LOOP_MANY = 4,                /* from here on it goes for throughput; see turns.h */
    OTHER_DESCRIPTORS = 32,       /* beside connections' and two of each thread */
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

/* A request and its answer, on the way. */
typedef struct {
    exchange exchange;
    http *http;
    struct MHD_Connection *mhd;
    job job;       /* for the workers */
    bool computed; /* by them, or dropped */
    bool unwanted; /* the caller has gone */
} served;

/* The first line of a request has come; what is returned is its state from here on. */
static void *on_target(void *cls, const char *target, struct MHD_Connection *connection) {
    (void)target;
    http *http = ((loop *)cls)->http;
    served *s = malloc(sizeof *s);
    if (!s)
        return NULL;
    s->http = http;
    s->mhd = connection;
    s->computed = s->unwanted = false;
    exchange_make(
        &s->exchange, http->service, &http->ids,
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT)->socket_context);
    return s;
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

static bool add_headers(struct MHD_Response *response, const header_list *list) {
    for (size_t i = 0; i < list->count; i++)
        if (MHD_add_response_header(response, list->field[i].name, list->field[i].value) != MHD_YES)
            return false;
    return true;
}

/* The one place where answers go out. */
static enum MHD_Result send_reply(served *s) {
    reply *reply = &s->exchange.reply;
    header_list headers;
    exchange_finish(&s->exchange, &headers);
    struct MHD_Response *response = make_response(reply);
    if (!response)
        return MHD_NO;
    enum MHD_Result result = MHD_NO;
    if (add_headers(response, &headers))
        result = MHD_queue_response(s->mhd, (unsigned)reply->status, response);
    MHD_destroy_response(response);
    return result;
}

static const char *header(const served *s, const char *name) {
    return MHD_lookup_connection_value(s->mhd, MHD_HEADER_KIND, name);
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
static size_t declared_length(const served *s) {
    const char *length = header(s, MHD_HTTP_HEADER_CONTENT_LENGTH);
    if (!length)
        return header(s, MHD_HTTP_HEADER_TRANSFER_ENCODING) ? SIZE_MAX : 0;
    errno = 0;
    unsigned long long value = strtoull(length, NULL, 10);
    return errno == 0 && value < SIZE_MAX ? (size_t)value : SIZE_MAX - 1;
}

/* What handlers know of a request. */
static void read_request(const served *s, request *request) {
    request->content_type = header(s, MHD_HTTP_HEADER_CONTENT_TYPE);
    request->accept = header(s, MHD_HTTP_HEADER_ACCEPT);
    request->origin = header(s, MHD_HTTP_HEADER_ORIGIN);
    request->authorization = header(s, MHD_HTTP_HEADER_AUTHORIZATION);
    request->is_preflight = !strcmp(request->method, MHD_HTTP_METHOD_OPTIONS) &&
                            header(s, MHD_HTTP_HEADER_ACCESS_CONTROL_REQUEST_METHOD);
    MHD_get_connection_values(s->mhd, MHD_GET_ARGUMENT_KIND, add_query, request);
}

static exchange_head read_head(const served *s) {
    return (exchange_head){
        .id = header(s, "X-Request-Id"),
        .coding = header(s, MHD_HTTP_HEADER_CONTENT_ENCODING),
        .site = header(s, "Sec-Fetch-Site"),
        .host = header(s, MHD_HTTP_HEADER_HOST),
        .query_count = (size_t)MHD_get_connection_values(s->mhd, MHD_GET_ARGUMENT_KIND, NULL, NULL),
        .length = declared_length(s),
        .expects = header(s, MHD_HTTP_HEADER_EXPECT) != NULL,
    };
}

static enum MHD_Result begin(served *s) {
    atomic_fetch_add(&s->http->running, 1);
    read_request(s, &s->exchange.request);
    exchange_head head = read_head(s);
    return exchange_begin(&s->exchange, &head) ? MHD_YES : send_reply(s);
}

static served *served_of(job *job) {
    return (served *)((char *)job - offsetof(served, job));
}

static void resume(served *s) {
    s->computed = true;
    MHD_resume_connection(s->mhd);
}

static void drop_job(job *job, drop_reason reason) {
    served *s = served_of(job);
    s->unwanted = reason == DROP_UNWANTED;
    exchange_drop(&s->exchange, reason);
    resume(s);
}

static bool is_wanted(job *job) {
    return !connection_has_hung_up(served_of(job)->exchange.connection);
}

static void run_job(job *job) {
    served *s = served_of(job);
    workers *next = exchange_compute(&s->exchange);
    if (next)
        workers_post(next, job);
    else
        resume(s);
}

static enum MHD_Result answer(served *s) {
    workers *next = exchange_answer(&s->exchange);
    if (!next)
        return send_reply(s);
    s->job = (job){.run = run_job, .drop = drop_job, .is_wanted = is_wanted};
    MHD_suspend_connection(s->mhd);
    workers_post(next, &s->job);
    return MHD_YES;
}

static enum MHD_Result on_request(void *cls, struct MHD_Connection *connection, const char *path,
                                  const char *method, const char *version, const char *data,
                                  size_t *size, void **state) {
    (void)cls, (void)connection, (void)version;
    served *s = *state;
    if (!s)
        return MHD_NO; /* there was no memory */
    exchange *x = &s->exchange;
    if (!x->began) {
        x->request.method = method;
        x->request.path = path; /* as it lies; see exchange_begin */
        if (connection_takes_request(x->connection))
            return begin(s);
        log_line(LOG_ERROR, "libmicrohttpd read a request by another way than recv");
        return MHD_NO;
    }
    if (s->computed)
        return s->unwanted ? MHD_NO : send_reply(s);
    if (*size == 0)
        return answer(s);
    exchange_receive(x, data, *size);
    *size = 0;
    return MHD_YES;
}

static void on_completed(void *cls, struct MHD_Connection *connection, void **state,
                         enum MHD_RequestTerminationCode code) {
    (void)cls, (void)connection;
    served *s = *state;
    if (!s)
        return;
    exchange_end(&s->exchange, code == MHD_REQUEST_TERMINATED_COMPLETED_OK);
    if (s->exchange.began)
        atomic_fetch_sub(&s->http->running, 1);
    free(s);
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
        .body_limit = exchange_body_limit(options),
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
