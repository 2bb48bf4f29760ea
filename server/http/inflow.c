/* What comes in on a connection. */
#include "http/inflow.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "http/head.h"

enum {
    PIECE = 16 << 10,    /* read at a time where heads or chunks may be in it */
    LINE_MOST = 4 << 10, /* of a chunk's size with its extensions, and of a trailer's line */
    STRAIGHT = 1 << 20,  /* read at a time of a body that goes to its place */
};

/* Bytes that came, on their way: the first `ready` may pass. */
typedef struct {
    char *at;
    size_t length, ready;
} stream;

void inflow_begin(inflow *in, uint64_t limit) {
    in->at = INFLOW_HEAD;
    in->limit = limit;
    in->requests = in->length = in->ready = 0;
    in->refused = false;
    in->held = NULL;
    inflow_unaim(in);
}

void inflow_end(inflow *in) {
    free(in->held);
    in->held = NULL;
}

void inflow_aim(inflow *in, char *memory, uint64_t whole) {
    in->aim = memory;
    in->aimed = in->requests;
    in->whole = in->direct = whole;
}

void inflow_unaim(inflow *in) {
    in->aim = NULL;
    in->owed = 0;
}

/* The rest of the connection is not read: `instead` passes, which ends the request. */
static void refuse(inflow *in, stream *s, const char *instead) {
    in->refused = true;
    in->at = INFLOW_OVER;
    *s = (stream){(char *)instead, strlen(instead), strlen(instead)};
}

static bool begins(inflow *in, stream *s) {
    static const char get[] = "GET / HTTP/1.1\r\nHost:-\r\n\r\n";
    static const char head_alone[] = "HEAD / HTTP/1.1\r\nHost:-\r\n\r\n";
    char text[HEAD_MOST + PIECE];
    head head = {.text = text};
    head_result result = head_read(s->at, s->length, &head, &in->problem);
    if (result == HEAD_PARTIAL)
        return false;
    in->requests++;
    if (result == HEAD_REFUSED) {
        refuse(in, s, head.bodiless ? head_alone : get);
        return true;
    }
    size_t shorter = head.length - head.written;
    memcpy(s->at + shorter, text, head.written);
    s->at += shorter;
    s->length -= shorter;
    s->ready = head.written;
    in->left = head.body;
    in->chunks = in->trailer = 0;
    in->at = head.chunked ? INFLOW_SIZE : head.body > 0 ? INFLOW_BODY : INFLOW_HEAD;
    return true;
}

/* The line at the start of the stream, its CR LF included; 0 where it has not come whole. Refuses
 * one that ends otherwise or is too long. */
static size_t line_length(inflow *in, stream *s, const char *instead) {
    const char *end = memchr(s->at, '\n', s->length);
    size_t length = end ? (size_t)(end + 1 - s->at) : 0;
    if ((end ? length : s->length) > LINE_MOST)
        problem_set(&in->problem, PROBLEM_HEADERS_TOO_LARGE, NULL,
                    "a line between the chunks of the body is longer than %d bytes", LINE_MOST);
    else if (end && (length < 2 || end[-1] != '\r'))
        problem_set(
            &in->problem, PROBLEM_INVALID_REQUEST, NULL,
            "a line between the chunks of the body ends in a bare LF, but must end in CR LF");
    else if (end && !head_is_value(s->at, length - 2))
        problem_set(&in->problem, PROBLEM_INVALID_REQUEST, NULL,
                    "a line between the chunks of the body has a control character");
    else
        return length;
    refuse(in, s, instead);
    return 0;
}

/* "5;a=b" becomes "5". False where no whole line is there. */
static bool measure_chunk(inflow *in, stream *s) {
    static const char instead[] = "0\r\n\r\n";
    size_t length = line_length(in, s, instead), digits = 0;
    if (length == 0)
        return in->at == INFLOW_OVER;
    uint64_t size = 0;
    for (; isxdigit((unsigned char)s->at[digits]); digits++) {
        char digit[2] = {s->at[digits], '\0'};
        size = size > UINT64_MAX >> 4 ? UINT64_MAX : size << 4 | strtoul(digit, NULL, 16);
    }
    size_t end = digits + strspn(s->at + digits, " \t"); /* an LF ends all of these */
    if (digits == 0 || (s->at[end] != ';' && s->at[end] != '\r')) {
        problem_set(&in->problem, PROBLEM_INVALID_REQUEST, NULL,
                    "a chunk of the body must begin with its size, a hexadecimal number");
        refuse(in, s, instead);
        return true;
    }
    if (size > 2 * in->limit - in->chunks) {
        problem_set(&in->problem, PROBLEM_BODY_TOO_LARGE, NULL,
                    "the body is larger than the %" PRIu64 " bytes that are allowed (--body-limit)",
                    in->limit);
        refuse(in, s, instead);
        return true;
    }
    char text[24];
    size_t written = (size_t)sprintf(text, "%" PRIx64 "\r\n", size);
    memcpy(s->at + length - written, text, written);
    s->at += length - written;
    s->length -= length - written;
    s->ready = written;
    in->chunks += size;
    in->left = size;
    in->at = size > 0 ? INFLOW_CHUNK : INFLOW_TRAILER;
    return true;
}

/* What is left of a chunk, then its CR LF. */
static bool pass_chunk(inflow *in, stream *s) {
    if (in->left > 0) {
        s->ready = in->left < s->length ? (size_t)in->left : s->length;
        in->left -= s->ready;
        return true;
    }
    if (s->length < 2)
        return false;
    if (memcmp(s->at, "\r\n", 2) != 0) {
        problem_set(&in->problem, PROBLEM_INVALID_REQUEST, NULL,
                    "a chunk of the body is longer than its size says");
        refuse(in, s, "\r\n0\r\n\r\n");
        return true;
    }
    s->ready = 2;
    in->at = INFLOW_SIZE;
    return true;
}

/* Drops a line behind the last chunk; an empty one is the end. */
static bool drop_trailer(inflow *in, stream *s) {
    static const char instead[] = "\r\n";
    size_t length = line_length(in, s, instead);
    if (length == 0)
        return in->at == INFLOW_OVER;
    if (length == 2) {
        s->ready = 2;
        in->at = INFLOW_HEAD;
        return true;
    }
    const char *colon = memchr(s->at, ':', length);
    in->trailer += length;
    if (!colon || !head_is_token(s->at, (size_t)(colon - s->at)))
        problem_set(&in->problem, PROBLEM_INVALID_REQUEST, NULL,
                    "what stands behind the last chunk of the body is no header");
    else if (in->trailer > HEAD_FIELDS_MOST)
        problem_set(&in->problem, PROBLEM_HEADERS_TOO_LARGE, NULL,
                    "the headers behind the last chunk take more than %d bytes", HEAD_FIELDS_MOST);
    else {
        s->at += length;
        s->length -= length;
        return true;
    }
    refuse(in, s, instead);
    return true;
}

/* Makes more of the stream ready. False where it takes more bytes to go on. */
static bool advance(inflow *in, stream *s) {
    if (s->ready > 0)
        return true;
    if (s->length == 0)
        return false;
    switch (in->at) {
    case INFLOW_HEAD:
        return begins(in, s);
    case INFLOW_BODY:
        s->ready = in->left < s->length ? (size_t)in->left : s->length;
        in->left -= s->ready;
        if (in->left == 0)
            in->at = INFLOW_HEAD;
        return true;
    case INFLOW_SIZE:
        return measure_chunk(in, s);
    case INFLOW_CHUNK:
        return pass_chunk(in, s);
    case INFLOW_TRAILER:
        return drop_trailer(in, s);
    case INFLOW_OVER:
        break;
    }
    s->length = 0;
    return false;
}

/* Keeps what has not passed. False where there is no memory for it. */
static bool hold(inflow *in, stream s) {
    char *held = s.length > 0 ? malloc(s.length) : NULL;
    if (s.length > 0 && !held)
        return false;
    if (held)
        memcpy(held, s.at, s.length);
    free(in->held); /* where the stream may lie */
    in->held = held;
    in->length = s.length;
    in->ready = s.ready;
    return true;
}

/* Gives out what may pass, and holds the rest. */
static bool pass(inflow *in, stream s, char *out, size_t room, size_t *given) {
    while (*given < room && advance(in, &s)) {
        size_t now = s.ready < room - *given ? s.ready : room - *given;
        memcpy(out + *given, s.at, now);
        *given += now;
        s.at += now;
        s.ready -= now;
        s.length -= now;
    }
    return hold(in, s);
}

/* Reads a body into the reader's memory. */
static ssize_t read_body(inflow *in, int fd, char *out, size_t room, size_t *given) {
    ssize_t got = recvfrom(fd, out + *given, room - *given, 0, NULL, NULL);
    if (got <= 0)
        return got;
    size_t body = (uint64_t)got < in->left ? (size_t)got : (size_t)in->left;
    in->left -= body;
    in->at = in->left > 0 ? INFLOW_BODY : INFLOW_HEAD;
    *given += body;
    return hold(in, (stream){out + *given, (size_t)got - body, 0}) ? got : -1;
}

/* Reads a body, and nothing behind it, straight to where it goes. */
static ssize_t read_straight(inflow *in, int fd, size_t most) {
    uint64_t at = in->whole - in->left;
    ssize_t got = recvfrom(fd, in->aim + at, most, 0, NULL, NULL);
    if (got <= 0)
        return got;
    in->direct = at < in->direct ? at : in->direct;
    in->left -= (uint64_t)got;
    in->owed += (size_t)got;
    in->at = in->left > 0 ? INFLOW_BODY : INFLOW_HEAD;
    return got;
}

/* Tells of what went straight to its place. */
static void tell(inflow *in, size_t room, size_t *given) {
    size_t now = in->owed < room - *given ? in->owed : room - *given;
    in->owed -= now;
    *given += now;
}

/* Reads behind what is held, no more than there is room for. */
static ssize_t read_piece(inflow *in, int fd, char *out, size_t room, size_t *given) {
    char fresh[PIECE];
    size_t most = room - *given < PIECE ? room - *given : PIECE, held = in->length;
    char *piece = in->held ? realloc(in->held, held + most) : fresh;
    if (!piece)
        return -1;
    if (in->held)
        in->held = piece;
    ssize_t got = recvfrom(fd, piece + held, most, 0, NULL, NULL);
    if (got <= 0)
        return got;
    return pass(in, (stream){piece, held + (size_t)got, 0}, out, room, given) ? got : -1;
}

/* Reads some; *asked is how much was wanted. */
static ssize_t read_some(inflow *in, int fd, char *out, size_t room, size_t *given, size_t *asked) {
    bool body = in->at == INFLOW_BODY && !in->held;
    if (body && in->aim && in->requests == in->aimed) { /* no body behind it */
        *asked = in->left < STRAIGHT ? (size_t)in->left : STRAIGHT;
        return read_straight(in, fd, *asked);
    }
    *asked = body || room - *given < PIECE ? room - *given : PIECE;
    return body ? read_body(in, fd, out, room, given) : read_piece(in, fd, out, room, given);
}

ssize_t inflow_read(inflow *in, int fd, char *out, size_t room) {
    size_t given = 0, asked;
    for (bool drained = false;;) {
        tell(in, room, &given);
        if (in->held && !pass(in, (stream){in->held, in->length, in->ready}, out, room, &given))
            return -1;
        if (drained || given == room || in->at == INFLOW_OVER)
            return given > 0 ? (ssize_t)given : (errno = EAGAIN, -1);
        ssize_t got = read_some(in, fd, out, room, &given, &asked);
        if (got <= 0)
            return given > 0 ? (ssize_t)given : got;
        drained = (size_t)got < asked;
        tell(in, room, &given);
    }
}
