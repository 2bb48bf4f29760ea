#include "raw.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

enum { DEADLINE_SECONDS = 8 };

raw raw_open_from(const process *process, const char *from) {
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((unsigned short)process->port)};
    inet_pton(AF_INET, process->address, &address.sin_addr);
    raw r = {.fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    struct timeval deadline = {.tv_sec = DEADLINE_SECONDS};
    int yes = 1;
    setsockopt(r.fd, SOL_SOCKET, SO_RCVTIMEO, &deadline, sizeof deadline);
    setsockopt(r.fd, SOL_SOCKET, SO_SNDTIMEO, &deadline, sizeof deadline);
    setsockopt(r.fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
    if (from) {
        struct sockaddr_in own = {.sin_family = AF_INET};
        inet_pton(AF_INET, from, &own.sin_addr);
        cr_assert(bind(r.fd, (struct sockaddr *)&own, sizeof own) == 0);
    }
    cr_assert(connect(r.fd, (struct sockaddr *)&address, sizeof address) == 0);
    return r;
}

raw raw_open(const process *process) {
    return raw_open_from(process, NULL);
}

void raw_close(raw *raw) {
    close(raw->fd);
    free(raw->bytes);
    raw->bytes = NULL;
}

bool raw_write(raw *raw, const void *bytes, size_t length) {
    const char *at = bytes;
    while (length > 0) {
        ssize_t sent = send(raw->fd, at, length, MSG_NOSIGNAL);
        if (sent < 0)
            return false;
        at += sent;
        length -= (size_t)sent;
    }
    return true;
}

bool raw_print(raw *raw, const char *format, ...) {
    char *text;
    va_list arguments;
    va_start(arguments, format);
    int length = vasprintf(&text, format, arguments);
    va_end(arguments);
    bool good = length >= 0 && raw_write(raw, text, (size_t)length);
    free(text);
    return good;
}

bool raw_post(raw *raw, const char *target, const char *json) {
    char *body = json_text("%s", json);
    bool good = raw_print(raw, "POST %s HTTP/1.1\r\nHost: test\r\nContent-Length: %zu\r\n\r\n%s",
                          target, strlen(body), body);
    free(body);
    return good;
}

/* More bytes: false at the end, or after the deadline. */
static bool receive(raw *raw) {
    if (raw->length + 4096 > raw->capacity) {
        raw->capacity = 2 * raw->capacity + 8192;
        raw->bytes = realloc(raw->bytes, raw->capacity);
        cr_assert(raw->bytes);
    }
    ssize_t got = recv(raw->fd, raw->bytes + raw->length, 4095, 0);
    if (got <= 0)
        return false;
    raw->length += (size_t)got;
    raw->bytes[raw->length] = '\0';
    return true;
}

static size_t body_length(const char *head) {
    const char *at = strcasestr(head, "\r\nContent-Length:");
    return at ? strtoul(at + strlen("\r\nContent-Length:"), NULL, 10) : 0;
}

raw_answer raw_read(raw *raw) {
    raw_answer a = {0};
    const char *end;
    while (!raw->length || !(end = strstr(raw->bytes, "\r\n\r\n")))
        if (!receive(raw))
            return a;
    size_t head = (size_t)(end - raw->bytes) + 4;
    snprintf(a.head, sizeof a.head, "%.*s", (int)head, raw->bytes);
    int status = atoi(a.head + strlen("HTTP/1.1 "));
    a.length = status < 200 || status == 204 ? 0 : body_length(a.head);
    while (raw->length < head + a.length)
        if (!receive(raw))
            return a;
    snprintf(a.body, sizeof a.body, "%.*s", (int)a.length, raw->bytes + head);
    raw->length -= head + a.length;
    memmove(raw->bytes, raw->bytes + head + a.length, raw->length + 1);
    a.status = status;
    return a;
}

bool raw_has_answer(const raw *raw) {
    return poll(&(struct pollfd){.fd = raw->fd, .events = POLLIN}, 1, 0) > 0;
}

void raw_expect(raw *raw, int status, const char *words) {
    raw_answer a = raw_read(raw);
    CHECK(a.status == status && strstr(a.body, words), "not %d with %s but %d %s%.300s", status,
          words, a.status, a.status ? "" : a.head, a.body);
}

bool raw_ended(raw *raw) {
    if (raw->length > 0)
        return false;
    char byte;
    ssize_t got = recv(raw->fd, &byte, 1, 0);
    return got == 0 || (got < 0 && errno == ECONNRESET);
}

void raw_half_close(raw *raw) {
    shutdown(raw->fd, SHUT_WR);
}
