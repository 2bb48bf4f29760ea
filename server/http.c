/* HTTP over libmicrohttpd: the only file that knows it. A request's body is gathered once, into one
 * buffer; its answer is handed over without a copy. */
#include "http.h"

#include <errno.h>
#include <inttypes.h>
#include <microhttpd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "listen.h"
#include "log.h"
#include "routes.h"

enum {
    CONNECTION_MEMORY = 32 << 10, /* cleared for each request: small is fast */
    CONNECTION_MOST = 4096,
    IDLE_SECONDS = 60,
    FIRST_BODY = 16 << 10, /* room for a body of unknown length */
    ID_TEXT = 65,          /* X-Request-Id and a terminator */
};

struct http {
    service *service;
    struct MHD_Daemon *daemon;
    atomic_size_t running;
    atomic_uint_fast64_t requests;
    char id_prefix[24]; /* tells the requests of this process from another's */
};

/* A request from its first header to the last byte of its answer. */
typedef struct {
    request request;
    route route;
    char id[ID_TEXT];
    size_t declared; /* length of the body, SIZE_MAX where it was not said */
    bool refused;    /* by its headers, or by its length on the way: what `problem` says */
    problem problem;
    reply reply;
} exchange;

/* The caller's own X-Request-Id if it is one that can be echoed and logged as it is. */
static bool is_sane_id(const char *id) {
    size_t length = id ? strlen(id) : 0;
    return length > 0 && length < ID_TEXT &&
           strspn(id, "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-_.:") ==
               length;
}

static char *put_decimal(char *out, uint64_t number) {
    char digits[20];
    size_t count = 0;
    do
        digits[count++] = (char)('0' + number % 10);
    while (number /= 10);
    while (count > 0)
        *out++ = digits[--count];
    return out;
}

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

/* What libmicrohttpd lets through and RFC 9112 (5.1, 6.1, 6.3) does not, because two readers could
 * see two different messages: two lengths or codings, a coding beside a length or other than
 * chunked, and space before the colon of a name. */
typedef struct {
    unsigned lengths, codings;
    bool sound;
} framing;

static enum MHD_Result look_at_header(void *cls, enum MHD_ValueKind kind, const char *name,
                                      const char *value) {
    (void)kind;
    framing *framing = cls;
    size_t length = strlen(name);
    if (!strcasecmp(name, MHD_HTTP_HEADER_CONTENT_LENGTH)) {
        framing->lengths++;
    } else if (!strcasecmp(name, MHD_HTTP_HEADER_TRANSFER_ENCODING)) {
        framing->codings++;
        framing->sound = framing->sound && value && !strcasecmp(value, "chunked");
    }
    framing->sound =
        framing->sound && length > 0 && name[length - 1] != ' ' && name[length - 1] != '\t';
    return MHD_YES;
}

static bool is_framed_well(struct MHD_Connection *connection, const char *method) {
    framing framing = {.sound = true};
    MHD_get_connection_values(connection, MHD_HEADER_KIND, look_at_header, &framing);
    return framing.sound && framing.lengths + framing.codings <= 1 &&
           strspn(method, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
                          "!#$%&'*+-.^_`|~") == strlen(method);
}

/* Whether the caller has closed his side. libmicrohttpd, whose epoll is edge-triggered, does not
 * see an end that arrives together with data. */
static bool is_half_closed(struct MHD_Connection *connection) {
    char byte;
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    return info && recv(info->connect_fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) == 0;
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

static bool too_large(exchange *x, size_t limit) {
    x->refused = true;
    return problem_set(&x->problem, PROBLEM_BODY_TOO_LARGE, NULL,
                       "the body is larger than the %zu bytes that are allowed (--body-limit)",
                       limit);
}

static exchange *exchange_new(http *http, struct MHD_Connection *connection, const char *path,
                              const char *method) {
    exchange *x = malloc(sizeof *x);
    if (!x)
        return NULL;
    x->request = (request){
        .method = method,
        .path = path,
        .content_type = header(connection, MHD_HTTP_HEADER_CONTENT_TYPE),
        .accept = header(connection, MHD_HTTP_HEADER_ACCEPT),
    };
    x->refused = false;
    x->reply = (reply){0};
    const char *id = header(connection, "X-Request-Id");
    if (is_sane_id(id))
        strcpy(x->id, id);
    else
        *put_decimal(stpcpy(x->id, http->id_prefix),
                     atomic_fetch_add_explicit(&http->requests, 1, memory_order_relaxed)) = '\0';
    atomic_fetch_add(&http->running, 1);
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

/* "read;dur=0.012, compute;dur=0.003, write;dur=0.001", in milliseconds. By hand, because printf
 * costs more here than a small computation. */
static const char *timing_text(const reply *reply, char text[128]) {
    const struct {
        const char *name;
        double ms;
    } parts[] = {{"read;dur=", reply->read_ms},
                 {", compute;dur=", reply->compute_ms},
                 {", write;dur=", reply->write_ms}};
    char *out = text;
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        uint64_t us = parts[i].ms > 0 ? (uint64_t)(parts[i].ms * 1e3 + 0.5) : 0;
        out = put_decimal(stpcpy(out, parts[i].name), us / 1000);
        *out++ = '.';
        for (unsigned place = 100; place > 0; place /= 10)
            *out++ = (char)('0' + us / place % 10);
    }
    *out = '\0';
    return text;
}

static bool add_headers(struct MHD_Response *response, const http *http, const exchange *x,
                        bool last) {
    char timing[128], seconds[16];
    bool good = MHD_add_response_header(response, "X-Request-Id", x->id) &&
                MHD_add_response_header(response, "Server-Timing", timing_text(&x->reply, timing));
    if (x->reply.content_type)
        good = good && MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE,
                                               x->reply.content_type);
    if (x->reply.status >= 400 && x->problem.allow)
        good = good && MHD_add_response_header(response, MHD_HTTP_HEADER_ALLOW, x->problem.allow);
    if (x->reply.status >= 400 && x->problem.retry_after > 0) {
        snprintf(seconds, sizeof seconds, "%d", x->problem.retry_after);
        good = good && MHD_add_response_header(response, MHD_HTTP_HEADER_RETRY_AFTER, seconds);
    }
    if (last || atomic_load_explicit(&http->service->draining, memory_order_relaxed))
        good = good && MHD_add_response_header(response, MHD_HTTP_HEADER_CONNECTION, "close");
    return good;
}

static void log_request(const exchange *x) {
    if (x->reply.status == 500)
        log_line(LOG_ERROR, "%s %s %s: %d %s", x->id, x->request.method, x->request.path,
                 x->reply.status, x->problem.detail);
    else if (log_enabled(LOG_DEBUG))
        log_line(LOG_DEBUG, "%s %s %s: %d, %zu bytes in, %zu out, %.3f ms", x->id,
                 x->request.method, x->request.path, x->reply.status, x->request.body_length,
                 x->reply.body_length, x->reply.read_ms + x->reply.compute_ms + x->reply.write_ms);
}

/* The one place where answers go out. */
static enum MHD_Result send_reply(struct MHD_Connection *connection, const http *http, exchange *x,
                                  bool good) {
    if (!good) {
        free(x->reply.body);
        x->reply.body = problem_body(&x->problem, &x->reply.body_length);
        x->reply.status = problem_status(x->problem.kind);
        x->reply.content_type = "application/problem+json";
    }
    log_request(x);
    struct MHD_Response *response = make_response(&x->reply);
    if (!response)
        return MHD_NO;
    enum MHD_Result result = MHD_NO;
    if (add_headers(response, http, x, is_half_closed(connection)))
        result = MHD_queue_response(connection, (unsigned)x->reply.status, response);
    MHD_destroy_response(response);
    return result;
}

/* The first look at a request, by its headers. One that is refused for its length, or that waits
 * for a 100 Continue, is answered now and its connection ends; any other that is refused is
 * answered once its body has been read and thrown away, so that the connection can go on. */
static enum MHD_Result begin(http *http, struct MHD_Connection *connection, exchange *x) {
    size_t limit = http->service->options->body_limit;
    size_t length = x->declared = declared_length(connection);
    if (MHD_get_connection_values(connection, MHD_GET_ARGUMENT_KIND, NULL, NULL) > QUERY_MOST) {
        problem_set(&x->problem, PROBLEM_INVALID_QUERY, NULL, "the query has too many keys");
        x->refused = true;
    } else {
        MHD_get_connection_values(connection, MHD_GET_ARGUMENT_KIND, add_query, &x->request);
        x->refused = !route_find(&x->request, &x->route, &x->problem) ||
                     (x->route.operation && atomic_load(&http->service->draining) &&
                      !problem_set_draining(&x->problem));
    }
    if (length != SIZE_MAX && length > limit) {
        too_large(x, limit);
        return send_reply(connection, http, x, false);
    }
    if (x->refused)
        return header(connection, MHD_HTTP_HEADER_EXPECT) ? send_reply(connection, http, x, false)
                                                          : MHD_YES;
    size_t capacity = length == SIZE_MAX ? FIRST_BODY : length;
    layers_error error;
    if (layers_tensor_make(&x->request.body, LAYERS_U8, &capacity, 1, &error) != LAYERS_OK) {
        problem_set_memory(&x->problem, "the body");
        return send_reply(connection, http, x, false);
    }
    return MHD_YES;
}

static bool resize(exchange *x, size_t capacity) {
    layers_error error;
    if (layers_tensor_resize(&x->request.body, capacity, &error) == LAYERS_OK)
        return true;
    x->refused = true;
    return problem_set_memory(&x->problem, "the body");
}

/* Room for `more` bytes of a body whose length was not said. */
static bool make_room(exchange *x, size_t more, size_t limit) {
    size_t need = x->request.body_length + more, room = x->request.body.size;
    if (need <= room)
        return true;
    size_t capacity = 2 * room > need ? 2 * room : need;
    return resize(x, capacity < limit ? capacity : limit);
}

/* Gives back the room that was too much: a cache may keep the body. */
static bool trim(exchange *x) {
    return x->request.body.size == x->request.body_length || resize(x, x->request.body_length);
}

/* A piece of the body. What a refused request sends is thrown away, up to twice the limit: who goes
 * on after that is cut off. */
static enum MHD_Result receive(http *http, struct MHD_Connection *connection, exchange *x,
                               const char *data, size_t *size) {
    size_t limit = http->service->options->body_limit, more = *size;
    *size = 0;
    if (!x->refused && more > limit - x->request.body_length)
        too_large(x, limit);
    if (!x->refused && make_room(x, more, limit))
        memcpy((char *)x->request.body.data + x->request.body_length, data, more);
    x->request.body_length += more;
    if (x->request.body_length > 2 * limit)
        return MHD_NO;
    bool more_to_come = x->declared != SIZE_MAX && x->request.body_length < x->declared;
    return more_to_come && is_half_closed(connection) ? MHD_NO : MHD_YES;
}

static enum MHD_Result answer(http *http, struct MHD_Connection *connection, exchange *x) {
    bool good = !x->refused && trim(x) &&
                x->route.handle(http->service, &x->route, &x->request, &x->reply, &x->problem);
    /* before the answer goes out: large ones need not be in memory together */
    layers_tensor_clear(&x->request.body);
    return send_reply(connection, http, x, good);
}

static enum MHD_Result on_request(void *cls, struct MHD_Connection *connection, const char *path,
                                  const char *method, const char *version, const char *data,
                                  size_t *size, void **state) {
    (void)version;
    http *http = cls;
    exchange *x = *state;
    if (!x) {
        if (!is_framed_well(connection, method))
            return MHD_NO; /* there is no telling where the request ends */
        *state = x = exchange_new(http, connection, path, method);
        return x ? begin(http, connection, x) : MHD_NO;
    }
    if (*size > 0)
        return receive(http, connection, x, data, size);
    return answer(http, connection, x);
}

static void on_completed(void *cls, struct MHD_Connection *connection, void **state,
                         enum MHD_RequestTerminationCode code) {
    (void)connection;
    http *http = cls;
    exchange *x = *state;
    if (!x)
        return;
    if (code != MHD_REQUEST_TERMINATED_COMPLETED_OK)
        log_line(LOG_DEBUG, "%s %s %s: the connection ended before the answer was out", x->id,
                 x->request.method, x->request.path);
    layers_tensor_clear(&x->request.body);
    free(x->reply.body);
    free(x);
    *state = NULL;
    atomic_fetch_sub(&http->running, 1);
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

http *http_start(service *service, char *address, size_t length) {
    int fd = listen_open(service->options->listen, address, length);
    if (fd < 0)
        return NULL;
    http *http = calloc(1, sizeof *http);
    if (http) {
        uint64_t prefix = (uint64_t)time(NULL);
        if (getrandom(&prefix, sizeof prefix, 0) < 0)
            log_line(LOG_WARN,
                     "no random numbers from the kernel: request ids start with the time");
        snprintf(http->id_prefix, sizeof http->id_prefix, "%016" PRIx64 "-", prefix);
        unsigned threads = (unsigned)service->options->threads;
        http->service = service;
        http->daemon = MHD_start_daemon(
            MHD_USE_EPOLL_INTERNAL_THREAD | MHD_USE_ERROR_LOG, 0, NULL, NULL, on_request, http,
            MHD_OPTION_EXTERNAL_LOGGER, on_log, NULL, MHD_OPTION_LISTEN_SOCKET, fd,
            MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)CONNECTION_MEMORY,
            MHD_OPTION_CONNECTION_LIMIT, (unsigned)CONNECTION_MOST, MHD_OPTION_CONNECTION_TIMEOUT,
            (unsigned)IDLE_SECONDS, MHD_OPTION_STRICT_FOR_CLIENT, 1, MHD_OPTION_UNESCAPE_CALLBACK,
            on_unescape, NULL, MHD_OPTION_NOTIFY_COMPLETED, on_completed, http,
            threads > 1 ? MHD_OPTION_THREAD_POOL_SIZE : MHD_OPTION_END, threads, MHD_OPTION_END);
    }
    if (http && http->daemon)
        return http;
    log_line(LOG_ERROR, "cannot start to serve: %s", strerror(errno));
    close(fd);
    free(http);
    return NULL;
}

size_t http_running(const http *http) {
    return atomic_load(&http->running);
}

void http_stop(http *http) {
    MHD_stop_daemon(http->daemon);
    free(http);
}
