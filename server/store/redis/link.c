/* One connection to a Redis or Valkey. hiredis's reader is fed with answers; values pass it by: it
 * is asked what it holds of one, and the rest comes from the socket. */
#include "store/redis/link.h"

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

enum {
    LINE = 64,
    LAST_LOOK = 10, /* milliseconds past the deadline: it may be this process that was stopped */
    IOVECS = 16,
    MOST_OUT = 256 << 10, /* bytes that are kept to be sent together */
    AT_ONCE = 16 << 10,   /* bytes that are read at once; and of a value that is copied to be sent
                             with   what comes after it */
};

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
        int64_t wait = left < LAST_LOOK ? LAST_LOOK : left < INT_MAX ? left : INT_MAX;
        int ready = poll(&poller, 1, (int)wait);
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
    tls_close(link->session);
    redisFree(link->context);
    free(link->out);
    free(link);
}

/* What became of GnuTLS's `result`, by which nothing was done: true where it may be tried again. */
static bool try_again(redis_link *link, ssize_t result) {
    char text[TLS_TEXT];
    if (tls_waits(result))
        return await(link, tls_events(link->session));
    if (tls_ended(result))
        return link_fail(link, LINK_LOST, "it ended the connection");
    tls_fault(link->session, result, text);
    return link_fail(link, LINK_REFUSED, text);
}

bool link_start_tls(redis_link *link, const redis_tls *tls, const char *name) {
    ssize_t result;
    if (link->state != LINK_GOOD)
        return false;
    link->session = tls_open(tls, link->context->fd, name);
    if (!link->session)
        return link_fail(link, LINK_LOST, "no memory");
    while ((result = gnutls_handshake(link->session)) != GNUTLS_E_SUCCESS)
        if (!try_again(link, result))
            return false;
    return true;
}

/* A session may have read what is none of an answer. */
static bool has_ended(const redis_link *link) {
    char first;
    if (link->session)
        return link->owed == 0 && !tls_waits(gnutls_record_recv(link->session, &first, 1));
    return link->owed == 0 || recv(link->context->fd, &first, 1, MSG_PEEK | MSG_DONTWAIT) != 1;
}

bool link_is_stale(const redis_link *link) {
    struct pollfd poller = {.fd = link->context->fd, .events = POLLIN};
    return link->state != LINK_GOOD || (poll(&poller, 1, 0) != 0 && has_ended(link));
}

/* ---- out ---------------------------------------------------------------------------------------
 */

/* Makes room for so many bytes more of what is to be sent; NULL where there is no memory. */
static char *room_for(redis_link *link, size_t bytes) {
    if (link->out_room - link->out_used < bytes) {
        size_t room = 2 * (link->out_used + bytes);
        char *out = realloc(link->out, room);
        if (!out) {
            link_fail(link, LINK_LOST, "no memory for a command");
            return NULL;
        }
        link->out = out;
        link->out_room = room;
    }
    return link->out + link->out_used;
}

static void add(redis_link *link, const char *bytes, size_t length) {
    char *out = room_for(link, length);
    if (!out)
        return;
    memcpy(out, bytes, length);
    link->out_used += length;
}

/* "*3", "$5" */
static void add_count(redis_link *link, char kind, size_t count) {
    char text[LINE];
    int length = snprintf(text, sizeof text, "%c%zu\r\n", kind, count);
    add(link, text, (size_t)length);
}

static void add_word(redis_link *link, const char *word) {
    size_t length = strlen(word);
    add_count(link, '$', length);
    add(link, word, length);
    add(link, "\r\n", 2);
}

bool link_ask(redis_link *link, int count, const char *const *words) {
    if (link->state != LINK_GOOD)
        return false;
    add_count(link, '*', (size_t)count);
    for (int i = 0; i < count; i++)
        add_word(link, words[i]);
    return link->state == LINK_GOOD;
}

/* Sends some of the pieces: how many bytes; 0: none yet, or the link failed. */
static size_t send_some(redis_link *link, const struct iovec *piece, int count) {
    if (link->session) {
        ssize_t sent = gnutls_record_send(link->session, piece->iov_base, piece->iov_len);
        if (sent < 0)
            try_again(link, sent);
        return sent > 0 ? (size_t)sent : 0;
    }
    struct msghdr message = {.msg_iov = (struct iovec *)piece, .msg_iovlen = (size_t)count};
    ssize_t sent = sendmsg(link->context->fd, &message, MSG_NOSIGNAL);
    if (sent < 0 && errno != EAGAIN && errno != EINTR)
        lost(link);
    else if (sent < 0)
        await(link, POLLOUT);
    return sent > 0 ? (size_t)sent : 0;
}

/* Sends pieces, of which none is empty; they are changed on the way. */
static bool send_pieces(redis_link *link, struct iovec *piece, int count) {
    while (count > 0 && link->state == LINK_GOOD) {
        size_t sent = send_some(link, piece, count);
        for (; count > 0 && sent >= piece->iov_len; piece++, count--)
            sent -= piece->iov_len;
        if (count > 0) {
            piece->iov_base = (char *)piece->iov_base + sent;
            piece->iov_len -= sent;
            if (link_now() > link->deadline)
                link_fail(link, LINK_LATE, "it did not take a value in time");
        }
    }
    return link->state == LINK_GOOD;
}

bool link_flush(redis_link *link) {
    struct iovec all = {link->out, link->out_used};
    bool good = send_pieces(link, &all, link->out_used > 0);
    link->out_used = 0;
    return good;
}

bool link_set(redis_link *link, const char *key, const struct iovec *pieces, int count,
              int64_t lifetime) {
    static const char end[] = "\r\n";
    struct iovec all[IOVECS];
    char time[LINE];
    size_t bytes = 0;
    int parts = 1;
    if (count > IOVECS - 2 || link->state != LINK_GOOD)
        return false;
    for (int i = 0; i < count; i++)
        bytes += pieces[i].iov_len;
    snprintf(time, sizeof time, "%" PRId64, lifetime);
    link->sent += bytes;
    add_count(link, '*', 5);
    add_word(link, "SET");
    add_word(link, key);
    add_count(link, '$', bytes);
    if (bytes > AT_ONCE) {
        all[0] = (struct iovec){link->out, link->out_used};
        for (int i = 0; i < count; i++)
            if (pieces[i].iov_len > 0)
                all[parts++] = pieces[i];
        send_pieces(link, all, parts);
        link->out_used = 0;
    }
    for (int i = 0; i < count && bytes <= AT_ONCE; i++)
        add(link, pieces[i].iov_base, pieces[i].iov_len);
    add(link, end, sizeof end - 1);
    add_word(link, "PX");
    add_word(link, time);
    return bytes > AT_ONCE || link->out_used > MOST_OUT ? link_flush(link)
                                                        : link->state == LINK_GOOD;
}

/* ---- in ----------------------------------------------------------------------------------------
 */

/* Reads some bytes into the parts: how many; 0: none yet, or the link failed. */
static size_t take_some(redis_link *link, const struct iovec *parts, int count) {
    if (link->session) {
        const struct iovec *part = parts->iov_len > 0 ? parts : parts + 1;
        ssize_t got = gnutls_record_recv(link->session, part->iov_base, part->iov_len);
        if (got <= 0)
            try_again(link, got);
        return got > 0 ? (size_t)got : 0;
    }
    ssize_t got = readv(link->context->fd, parts, count);
    if (got == 0)
        link_fail(link, LINK_LOST, "it ended the connection");
    else if (got < 0 && errno != EAGAIN && errno != EINTR)
        lost(link);
    else if (got < 0)
        await(link, POLLIN);
    return got > 0 ? (size_t)got : 0;
}

/* Reads more into hiredis's reader. */
static bool read_more(redis_link *link) {
    char bytes[AT_ONCE];
    struct iovec all = {.iov_len = sizeof bytes};
    size_t got = 0;
    all.iov_base = bytes;
    if (!link->session && !await(link, POLLIN))
        return false;
    while (got == 0 && link->state == LINK_GOOD)
        got = take_some(link, &all, 1);
    return got > 0 && (redisReaderFeed(link->context->reader, bytes, got) == REDIS_OK ||
                       link_fail(link, LINK_LOST, "no memory for an answer"));
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
    if (link->session || setsockopt(fd, SOL_SOCKET, SO_RCVLOWAT, &least, sizeof least) != 0)
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
    for (done = there; done < all && link->state == LINK_GOOD;) {
        struct iovec rest[2] = {
            {to + done, done < length ? length - done : 0},
            {end + (done > length ? done - length : 0), done > length ? all - done : sizeof end}};
        done += take_some(link, rest, 2);
        if (done < all && link_now() > link->deadline)
            return link_fail(link, LINK_LATE, "it did not give a value in time");
    }
    if (link->state != LINK_GOOD)
        return false;
    link->taken += length;
    return !memcmp(end, "\r\n", 2) ||
           link_fail(link, LINK_STRANGE, "a value did not end where it should");
}
