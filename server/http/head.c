/* The head of a request: each line in turn, then what the lines say together. */
#include "http/head.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

enum { DIGITS_PLAIN = 18 /* of a number that is below 2^62 whatever they are */ };

typedef struct {
    const char *at;
    size_t length;
} span;

/* The headers that are read. One that is a list may come in several lines (RFC 9110, 5.3). */
enum field {
    HOST,
    CONTENT_LENGTH,
    TRANSFER_ENCODING,
    CONNECTION,
    EXPECT,
    AS_IT_IS, /* from here on they pass with the values that they have */
    AUTHORIZATION = AS_IT_IS,
    ACCEPT,
    CONTENT_TYPE,
    CONTENT_ENCODING,
    ORIGIN,
    SEC_FETCH_SITE,
    REQUEST_METHOD,
    REQUEST_ID,
    FIELDS
};

static const struct {
    const char *name;
    size_t length;
    bool list;
} fields[FIELDS] = {
#define NAME(text) text, sizeof text - 1
    [HOST] = {NAME("Host"), false},
    [CONTENT_LENGTH] = {NAME("Content-Length"), false},
    [TRANSFER_ENCODING] = {NAME("Transfer-Encoding"), true},
    [CONNECTION] = {NAME("Connection"), true},
    [EXPECT] = {NAME("Expect"), true},
    [AUTHORIZATION] = {NAME("Authorization"), true},
    [ACCEPT] = {NAME("Accept"), true},
    [CONTENT_TYPE] = {NAME("Content-Type"), false},
    [CONTENT_ENCODING] = {NAME("Content-Encoding"), true},
    [ORIGIN] = {NAME("Origin"), false},
    [SEC_FETCH_SITE] = {NAME("Sec-Fetch-Site"), false},
    [REQUEST_METHOD] = {NAME("Access-Control-Request-Method"), false},
    [REQUEST_ID] = {NAME("X-Request-Id"), true},
#undef NAME
};

static const bool token[256] = {
    ['0' ... '9'] = true,  ['A' ... 'Z'] = true, ['a' ... 'z'] = true, ['!'] = true,
    ['#' ... '\''] = true, ['*'] = true,         ['+'] = true,         ['-'] = true,
    ['.'] = true,          ['^' ... '`'] = true, ['|'] = true,         ['~'] = true,
};
static const bool value[256] = {['\t'] = true, [' ' ... '~'] = true, [0x80 ... 0xff] = true};
static const bool target[256] = {['!' ... '~'] = true, [0x80 ... 0xff] = true};
static const bool host[256] = {
    ['0' ... '9'] = true, ['A' ... 'Z'] = true, ['a' ... 'z'] = true, ['!'] = true, ['$'] = true,
    ['%'] = true,         ['&'] = true,         ['\''] = true,        ['('] = true, [')'] = true,
    ['*'] = true,         ['+'] = true,         ['-'] = true,         ['.'] = true, [':'] = true,
    [';'] = true,         ['='] = true,         ['['] = true,         [']'] = true, ['_'] = true,
    ['~'] = true,
};

static bool all_of(const bool class[256], span text) {
    bool all = true;
    for (size_t i = 0; i < text.length; i++)
        all = all && class[(unsigned char)text.at[i]];
    return all;
}

bool head_is_value(const char *bytes, size_t length) {
    return all_of(value, (span){bytes, length});
}

bool head_is_token(const char *bytes, size_t length) {
    return length > 0 && all_of(token, (span){bytes, length});
}

static bool is(span text, const char *word) {
    return text.length == strlen(word) && !strncasecmp(text.at, word, text.length);
}

/* A head on its way from bytes to its text. */
typedef struct {
    const char *at, *end; /* what has not been read */
    span method, target;
    bool minor; /* HTTP/1.1, not 1.0 */
    struct {
        enum field field;
        span value;
    } line[HEAD_LINES_MOST];
    size_t lines;
    unsigned seen[FIELDS];
    problem *problem;
} reading;

static head_result refuse(const reading *r, const char *detail) {
    problem_set(r->problem, PROBLEM_INVALID_REQUEST, NULL, "%s", detail);
    return HEAD_REFUSED;
}

static head_result too_large(const reading *r, const char *what, size_t most) {
    problem_set(r->problem, PROBLEM_HEADERS_TOO_LARGE, NULL, "%s than %zu bytes", what, most);
    return HEAD_REFUSED;
}

/* The next line, without its end. */
static head_result read_line(reading *r, span *line) {
    const char *end = memchr(r->at, '\n', (size_t)(r->end - r->at));
    if (!end)
        return HEAD_PARTIAL;
    if (end == r->at || end[-1] != '\r')
        return refuse(r, "a line of the head ends in a bare LF, but must end in CR LF");
    *line = (span){r->at, (size_t)(end - 1 - r->at)};
    r->at = end + 1;
    return HEAD_WHOLE;
}

/* "POST /relu/forward HTTP/1.1" */
static head_result read_request_line(reading *r) {
    static const char shape[] = "the first line must be a method, a target and HTTP/1.1, with one "
                                "space between them";
    span line;
    const char *start = r->at;
    while (r->end - r->at >= 2 && r->at[0] == '\r' && r->at[1] == '\n')
        r->at += 2; /* empty lines before it mean nothing (RFC 9112, 2.2) */
    if (r->at < r->end && *r->at != '\r' && !token[(unsigned char)*r->at])
        return refuse(r, shape);
    head_result result = read_line(r, &line);
    if (result != HEAD_REFUSED && r->at - start > HEAD_TARGET_MOST)
        return too_large(r, "the target is longer", HEAD_TARGET_MOST);
    if (result != HEAD_WHOLE)
        return result == HEAD_PARTIAL && r->end - r->at > HEAD_TARGET_MOST
                   ? too_large(r, "the target is longer", HEAD_TARGET_MOST)
                   : result;
    const char *space = memchr(line.at, ' ', line.length);
    r->method = (span){line.at, space ? (size_t)(space - line.at) : 0};
    if (!head_is_token(r->method.at, r->method.length))
        return refuse(r, shape);
    span rest = {space + 1, line.length - r->method.length - 1};
    space = memchr(rest.at, ' ', rest.length);
    r->target = (span){rest.at, space ? (size_t)(space - rest.at) : 0};
    if (r->target.length == 0 || !all_of(target, r->target))
        return refuse(r, shape);
    size_t keys = 1;
    for (size_t i = 0; i < r->target.length; i++)
        keys += r->target.at[i] == '&';
    if (keys > HEAD_KEYS_MOST) {
        problem_set(r->problem, PROBLEM_INVALID_QUERY, NULL, "the query has too many keys");
        return HEAD_REFUSED;
    }
    span version = {space + 1, rest.length - r->target.length - 1};
    if (version.length != 8 || memcmp(version.at, "HTTP/", 5) != 0 || version.at[6] != '.' ||
        !isdigit((unsigned char)version.at[5]) || !isdigit((unsigned char)version.at[7]))
        return refuse(r, shape);
    if (version.at[5] != '1')
        return refuse(r, "the version of HTTP must be 1.1 or 1.0");
    r->minor = version.at[7] != '0';
    return HEAD_WHOLE;
}

/* Keeps a header that is read. */
static head_result keep(reading *r, span name, span content) {
    for (int field = 0; field < FIELDS; field++) {
        if (name.length != fields[field].length ||
            strncasecmp(name.at, fields[field].name, name.length) != 0)
            continue;
        if (r->seen[field]++ && !fields[field].list) {
            problem_set(r->problem, PROBLEM_INVALID_REQUEST, NULL, "%s stands there twice",
                        fields[field].name);
            return HEAD_REFUSED;
        }
        r->line[r->lines].field = (enum field)field;
        r->line[r->lines++].value = content;
    }
    return HEAD_WHOLE;
}

static span trim(span text) {
    for (; text.length > 0 && (*text.at == ' ' || *text.at == '\t'); text.length--)
        text.at++;
    while (text.length > 0 && (text.at[text.length - 1] == ' ' || text.at[text.length - 1] == '\t'))
        text.length--;
    return text;
}

/* "Name: value"; an empty line ends the head. */
static head_result read_fields(reading *r) {
    const char *start = r->at;
    for (;;) {
        span line;
        head_result result = read_line(r, &line);
        if (result != HEAD_REFUSED &&
            (result == HEAD_PARTIAL ? r->end : r->at) - start > HEAD_FIELDS_MOST)
            return too_large(r, "the headers take more", HEAD_FIELDS_MOST);
        if (result != HEAD_WHOLE || line.length == 0)
            return result;
        const char *colon = memchr(line.at, ':', line.length);
        span name = {line.at, colon ? (size_t)(colon - line.at) : 0};
        if (*line.at == ' ' || *line.at == '\t')
            return refuse(r, "a header goes on in a second line, which HTTP no longer has");
        if (!head_is_token(name.at, name.length))
            return refuse(r, "a header must be a name, a colon without a space before it, and a "
                             "value");
        span content = trim((span){colon + 1, line.length - name.length - 1});
        if (!all_of(value, content))
            return refuse(r, "a header's value has a control character");
        result = keep(r, name, content);
        if (result != HEAD_WHOLE)
            return result;
    }
}

static const span *value_of(const reading *r, enum field field) {
    for (size_t i = 0; i < r->lines; i++)
        if (r->line[i].field == field)
            return &r->line[i].value;
    return NULL;
}

/* Calls for each element of a list, over all its lines; counts those that are the word. */
static unsigned count_elements(const reading *r, enum field field, const char *word,
                               unsigned *others) {
    unsigned count = 0;
    for (size_t i = 0; r->seen[field] && i < r->lines; i++) {
        span rest = r->line[i].value;
        while (r->line[i].field == field && rest.length > 0) {
            const char *comma = memchr(rest.at, ',', rest.length);
            size_t length = comma ? (size_t)(comma - rest.at) : rest.length;
            span one = trim((span){rest.at, length});
            count += is(one, word);
            *others += one.length > 0 && !is(one, word);
            rest.at += length + (comma != NULL);
            rest.length -= length + (comma != NULL);
        }
    }
    return count;
}

static head_result check_host(const reading *r) {
    const span *name = value_of(r, HOST);
    if (!name && r->minor)
        return refuse(r, "a request of HTTP/1.1 must have a Host");
    if (name && !all_of(host, *name))
        return refuse(r, "Host is not a name or an address, with or without a port");
    return HEAD_WHOLE;
}

/* How long the body is (RFC 9112, 6.3). */
static head_result measure_body(const reading *r, head *head) {
    const span *length = value_of(r, CONTENT_LENGTH);
    unsigned others = 0;
    unsigned chunked = count_elements(r, TRANSFER_ENCODING, "chunked", &others);
    const uint64_t most = UINT64_C(1) << 62; /* more than anyone takes, small enough for all */
    head->chunked = chunked > 0;
    head->body = 0;
    if (others > 0) {
        problem_set(r->problem, PROBLEM_NOT_IMPLEMENTED, NULL,
                    "a Transfer-Encoding other than chunked is not understood");
        return HEAD_REFUSED;
    }
    if (r->seen[TRANSFER_ENCODING] && (chunked != 1 || !r->minor || length))
        return refuse(r, "Transfer-Encoding must be chunked, once, in HTTP/1.1, and without "
                         "Content-Length beside it");
    if (length && length->length == 0)
        return refuse(r, "Content-Length is empty, but must be a number of bytes");
    for (size_t i = 0; length && i < length->length; i++) {
        if (!isdigit((unsigned char)length->at[i]))
            return refuse(r, "Content-Length must be a number of bytes, digits and nothing else");
        uint64_t digit = (uint64_t)(length->at[i] - '0');
        head->body = head->body > most / 10 ? most : head->body * 10 + digit;
    }
    return HEAD_WHOLE;
}

typedef struct {
    char *text;
    size_t length;
} writing;

static void write_span(writing *w, span text) {
    memcpy(w->text + w->length, text.at, text.length);
    w->length += text.length;
}

static void write_text(writing *w, const char *text) {
    write_span(w, (span){text, strlen(text)});
}

/* "Name:value", the values of several lines by commas. */
static void write_field(writing *w, const reading *r, enum field field) {
    const char *before = NULL;
    for (size_t i = 0; r->seen[field] && i < r->lines; i++) {
        if (r->line[i].field != field)
            continue;
        if (!before)
            write_span(w, (span){fields[field].name, fields[field].length});
        write_text(w, before ? before : ":");
        if (field == AUTHORIZATION && r->seen[field] > 1) { /* no list: which counts nobody knows */
            write_text(w, ",\r\n");
            return;
        }
        write_span(w, r->line[i].value);
        before = ",";
    }
    write_text(w, before ? "\r\n" : "");
}

/* What says how to read the request, in one way; and the headers that are read. */
static void write_head(const reading *r, head *head) {
    writing w = {head->text, 0};
    unsigned others = 0;
    bool closes = count_elements(r, CONNECTION, "close", &others);
    bool stays = count_elements(r, CONNECTION, "keep-alive", &others);
    write_span(&w, r->method);
    write_text(&w, " ");
    write_span(&w, r->target);
    write_text(&w, r->minor ? " HTTP/1.1\r\n" : " HTTP/1.0\r\n");
    write_field(&w, r, HOST);
    if (head->chunked)
        write_text(&w, "Transfer-Encoding:chunked\r\n");
    else if (r->seen[CONTENT_LENGTH] && value_of(r, CONTENT_LENGTH)->length <= DIGITS_PLAIN)
        write_field(&w, r, CONTENT_LENGTH);
    else if (r->seen[CONTENT_LENGTH])
        w.length +=
            (size_t)sprintf(w.text + w.length, "Content-Length:%" PRIu64 "\r\n", head->body);
    if (closes || stays)
        write_text(&w, closes ? "Connection:close\r\n" : "Connection:Keep-Alive\r\n");
    if (r->minor && count_elements(r, EXPECT, "100-continue", &others))
        write_text(&w, "Expect:100-continue\r\n");
    for (int field = AS_IT_IS; field < FIELDS; field++)
        write_field(&w, r, (enum field)field);
    write_text(&w, "\r\n");
    head->written = w.length;
}

head_result head_read(const char *bytes, size_t length, head *head, problem *problem) {
    reading r;
    r.at = bytes;
    r.end = bytes + length;
    r.method = (span){bytes, 0};
    r.lines = 0;
    memset(r.seen, 0, sizeof r.seen);
    r.problem = problem;
    head_result result = read_request_line(&r);
    result = result == HEAD_WHOLE ? read_fields(&r) : result;
    result = result == HEAD_WHOLE ? check_host(&r) : result;
    result = result == HEAD_WHOLE ? measure_body(&r, head) : result;
    head->bodiless = r.method.length == 4 && !memcmp(r.method.at, "HEAD", 4);
    if (result == HEAD_WHOLE) {
        head->length = (size_t)(r.at - bytes);
        write_head(&r, head);
    }
    return result;
}
