/* One connection to a Redis or Valkey. hiredis connects, writes commands and reads answers; values
 * pass it by: its reader is asked what it holds of one, and the rest comes from the socket. */
#include "store/redis_link.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { LINE = 64, IOVECS = 16 };

int64_t link_now(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

bool link_fail(redis_link *link, link_state state, const char *text) {
    if (link->state == LINK_GOOD) {
        link->state = state;
        snprintf(link->text, sizeof link->text, "%s", text);
    }
    return false;
}

static bool lost(redis_link *link) {
    return link_fail(link, LINK_LOST, strerror(errno));
}

/* Waits until the socket is ready for `events`. */
static bool await(redis_link *link, short events) {
    struct pollfd poller = {.fd = link->context->fd, .events = events};
    for (;;) {
        int64_t left = link->deadline - link_now();
        int ready = poll(&poller, 1, left > 0 ? (int)(left < INT_MAX ? left : INT_MAX) : 0);
        if (ready > 0)
            return true;
        if (ready == 0)
            return link_fail(link, LINK_LATE, "it did not answer in time");
        if (errno != EINTR)
            return lost(link);
    }
}

redis_link *link_open(const char *host, int port, int64_t deadline) {
    redis_link *link = calloc(1, sizeof *link);
    if (!link)
        return NULL;
    link->deadline = deadline;
    link->context = port ? redisConnectNonBlock(host, port) : redisConnectUnixNonBlock(host);
    if (!link->context) {
        free(link);
        return NULL;
    }
    int error = 0;
    socklen_t length = sizeof error;
    if (link->context->err)
        link_fail(link, LINK_LOST, link->context->errstr);
    else if (await(link, POLLOUT) &&
             (getsockopt(link->context->fd, SOL_SOCKET, SO_ERROR, &error, &length) != 0 || error))
        link_fail(link, LINK_LOST, strerror(error ? error : errno));
    return link;
}

void link_close(redis_link *link) {
    if (!link)
        return;
    redisFree(link->context);
    free(link);
}

bool link_is_stale(const redis_link *link) {
    struct pollfd poller = {.fd = link->context->fd, .events = POLLIN};
    char first;
    if (link->state != LINK_GOOD || poll(&poller, 1, 0) == 0)
        return link->state != LINK_GOOD;
    return link->owed == 0 || recv(poller.fd, &first, 1, MSG_PEEK | MSG_DONTWAIT) != 1;
}

/* ---- out ---------------------------------------------------------------------------------------
 */

bool link_ask(redis_link *link, int count, const char *const *words) {
    if (link->state != LINK_GOOD)
        return false;
    return redisAppendCommandArgv(link->context, count, (const char **)words, NULL) == REDIS_OK ||
           link_fail(link, LINK_LOST, "no memory for a command");
}

bool link_flush(redis_link *link) {
    int done = 0;
    while (link->state == LINK_GOOD && !done) {
        if (redisBufferWrite(link->context, &done) != REDIS_OK)
            return link_fail(link, LINK_LOST, link->context->errstr);
        if (!done && !await(link, POLLOUT))
            return false;
    }
    return link->state == LINK_GOOD;
}

/* Sends pieces; they are changed on the way. */
static bool send_pieces(redis_link *link, struct iovec *piece, int count) {
    while (count > 0) {
        struct msghdr message = {.msg_iov = piece, .msg_iovlen = (size_t)count};
        ssize_t sent = sendmsg(link->context->fd, &message, MSG_NOSIGNAL);
        if (sent < 0 && errno != EAGAIN && errno != EINTR)
            return lost(link);
        if (sent < 0) {
            if (!await(link, POLLOUT))
                return false;
            continue;
        }
        if (link_now() > link->deadline)
            return link_fail(link, LINK_LATE, "it did not take a value in time");
        for (; count > 0 && (size_t)sent >= piece->iov_len; piece++, count--)
            sent -= (ssize_t)piece->iov_len;
        if (count > 0) {
            piece->iov_base = (char *)piece->iov_base + sent;
            piece->iov_len -= (size_t)sent;
        }
    }
    return true;
}

bool link_set(redis_link *link, const char *key, const struct iovec *pieces, int count,
              int64_t lifetime) {
    char head[512], tail[LINE], digits[24];
    struct iovec all[IOVECS];
    size_t bytes = 0;
    if (count > IOVECS - 2 || !link_flush(link))
        return false;
    for (int i = 0; i < count; i++) {
        all[i + 1] = pieces[i];
        bytes += pieces[i].iov_len;
    }
    int number = snprintf(digits, sizeof digits, "%" PRId64, lifetime);
    int head_length = snprintf(head, sizeof head, "*5\r\n$3\r\nSET\r\n$%zu\r\n%s\r\n$%zu\r\n",
                               strlen(key), key, bytes);
    int tail_length = snprintf(tail, sizeof tail, "\r\n$2\r\nPX\r\n$%d\r\n%s\r\n", number, digits);
    all[0] = (struct iovec){head, (size_t)head_length};
    all[count + 1] = (struct iovec){tail, (size_t)tail_length};
    link->sent += bytes;
    return send_pieces(link, all, count + 2);
}

/* ---- in ----------------------------------------------------------------------------------------
 */

/* Reads more into hiredis's reader. */
static bool read_more(redis_link *link) {
    if (!await(link, POLLIN))
        return false;
    return redisBufferRead(link->context) == REDIS_OK ||
           link_fail(link, LINK_LOST, link->context->errstr);
}

void link_leave(redis_link *link, size_t answers) {
    link->owed += answers;
}

static redisReply *next_answer(redis_link *link) {
    void *reply = NULL;
    while (link->state == LINK_GOOD && !reply) {
        if (redisGetReplyFromReader(link->context, &reply) != REDIS_OK)
            link_fail(link, LINK_STRANGE, link->context->errstr);
        else if (!reply)
            read_more(link);
    }
    redisReply *answer = reply;
    if (!answer || answer->type != REDIS_REPLY_ERROR)
        return answer;
    link_fail(link, LINK_REFUSED, answer->str);
    freeReplyObject(answer);
    return NULL;
}

/* Passes over what nobody will look at. */
static void pass_over(redis_link *link) {
    for (; link->owed > 0 && link->state == LINK_GOOD; link->owed--) {
        redisReply *answer = next_answer(link);
        if (answer)
            freeReplyObject(answer);
    }
}

redisReply *link_answer(redis_link *link) {
    pass_over(link);
    return next_answer(link);
}

/* What hiredis's reader holds and nobody has read. */
static size_t held(const redis_link *link, const char **bytes) {
    const redisReader *reader = link->context->reader;
    *bytes = reader->buf + reader->pos;
    return reader->len - reader->pos;
}

bool link_await(redis_link *link, size_t bytes) {
    const char *there;
    pass_over(link);
    if (link->state != LINK_GOOD || held(link, &there) >= bytes)
        return link->state == LINK_GOOD;
    int fd = link->context->fd, least = (int)(bytes - held(link, &there)), one = 1;
    if (setsockopt(fd, SOL_SOCKET, SO_RCVLOWAT, &least, sizeof least) != 0)
        return true; /* woken more often, then */
    bool good = await(link, POLLIN);
    return (setsockopt(fd, SOL_SOCKET, SO_RCVLOWAT, &one, sizeof one) == 0 || lost(link)) && good;
}

/* Frees an answer that is none to what was asked. Always false. */
static bool strange(redis_link *link, redisReply *answer) {
    freeReplyObject(answer);
    return link_fail(link, LINK_STRANGE, "it gave another answer than there can be");
}

bool link_integer(redis_link *link, int64_t *number) {
    redisReply *answer = link_answer(link);
    if (!answer)
        return false;
    if (answer->type != REDIS_REPLY_INTEGER)
        return strange(link, answer);
    *number = answer->integer;
    freeReplyObject(answer);
    return true;
}

bool link_ok(redis_link *link) {
    redisReply *answer = link_answer(link);
    if (!answer)
        return false;
    if (answer->type != REDIS_REPLY_STATUS)
        return strange(link, answer);
    freeReplyObject(answer);
    return true;
}

bool link_string(redis_link *link, char *text, size_t room, size_t *length) {
    redisReply *answer = link_answer(link);
    if (!answer)
        return false;
    bool is_nil = answer->type == REDIS_REPLY_NIL;
    if (!is_nil && answer->type != REDIS_REPLY_STRING)
        return strange(link, answer);
    size_t most = room - 1;
    *length = is_nil ? 0 : (size_t)answer->len < most ? (size_t)answer->len : most;
    if (*length > 0)
        memcpy(text, answer->str, *length);
    text[*length] = '\0';
    freeReplyObject(answer);
    return !is_nil;
}

/* hiredis gives their memory up at its next answer. */
static void skip_held(redis_link *link, size_t length) {
    link->context->reader->pos += length;
}

bool link_length(redis_link *link, int64_t *length) {
    const char *bytes;
    pass_over(link);
    while (link->state == LINK_GOOD) {
        size_t there = held(link, &bytes);
        const char *end = memmem(bytes, there, "\r\n", 2);
        if (there > 0 && *bytes == '-') {
            freeReplyObject(link_answer(link));
            return false;
        }
        if (!end && there < LINE) {
            read_more(link);
            continue;
        }
        char line[LINE], *digits_end;
        if (!end || end - bytes >= LINE || *bytes != '$')
            return link_fail(link, LINK_STRANGE, "it gave another answer than there can be");
        memcpy(line, bytes, (size_t)(end - bytes));
        line[end - bytes] = '\0';
        *length = strtoll(line + 1, &digits_end, 10);
        if (*digits_end || digits_end == line + 1 || *length < -1)
            return link_fail(link, LINK_STRANGE, "it told no length");
        skip_held(link, (size_t)(end - bytes) + 2);
        return true;
    }
    return false;
}

bool link_take(redis_link *link, void *bytes, size_t length) {
    char end[2], *to = bytes;
    const char *from;
    size_t done = 0, all = length + sizeof end, there = held(link, &from);
    there = there < all ? there : all;
    if (link->state != LINK_GOOD)
        return false;
    size_t of_value = there < length ? there : length;
    memcpy(to, from, of_value);
    memcpy(end, from + of_value, there - of_value);
    skip_held(link, there);
    for (done = there; done < all;) {
        struct iovec rest[2] = {
            {to + done, done < length ? length - done : 0},
            {end + (done > length ? done - length : 0), done > length ? all - done : sizeof end}};
        ssize_t got = readv(link->context->fd, rest, 2);
        if (got == 0)
            return link_fail(link, LINK_LOST, "it ended the connection");
        if (got < 0 && errno != EAGAIN && errno != EINTR)
            return lost(link);
        if (got < 0 && !await(link, POLLIN))
            return false;
        if (got > 0 && link_now() > link->deadline)
            return link_fail(link, LINK_LATE, "it did not give a value in time");
        done += got > 0 ? (size_t)got : 0;
    }
    link->taken += length;
    return !memcmp(end, "\r\n", 2) ||
           link_fail(link, LINK_STRANGE, "a value did not end where it should");
}
