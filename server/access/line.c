/* The file of tokens, line by line: what is not wholly understood is refused. */
#include "access/line.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
    WORDS_MOST = 4 + 7, /* the longest line there is */
    COUNT_MOST = 1000000000,
};

typedef struct {
    const char *at;
    size_t length;
} word;

typedef struct {
    const char *suffix;
    uint64_t factor;
} unit;

static const unit counts[] = {{"", 1}, {NULL, 0}};
static const unit operations[] = {
    {"", 1}, {"M", 1000000}, {"G", 1000000000}, {"T", 1000000000000}, {NULL, 0}};
static const unit bytes[] = {{"", 1},          {"B", 1},         {"KiB", 1 << 10},
                             {"MiB", 1 << 20}, {"GiB", 1 << 30}, {NULL, 0}};

__attribute__((format(printf, 2, 3))) static bool wrong(char fault[TOKENS_FAULT],
                                                        const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(fault, TOKENS_FAULT, format, arguments);
    va_end(arguments);
    return false;
}

static bool is(word word, const char *text) {
    return word.length == strlen(text) && !memcmp(word.at, text, word.length);
}

/* ---- words -------------------------------------------------------------------------------------
 */

static bool is_name(word word) {
    static const char first[] = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
    static const char more[] = "._-";
    for (size_t i = 0; i < word.length; i++)
        if (!memchr(first, word.at[i], sizeof first - 1) &&
            (i == 0 || !memchr(more, word.at[i], sizeof more - 1)))
            return false;
    return word.length > 0 && word.length <= CALLER_NAME_MOST;
}

bool line_is_name(const char *text) {
    return is_name((word){text, strlen(text)});
}

static bool read_names(const word *words, token_line *line, char fault[TOKENS_FAULT]) {
    static const char must_be[] = "must be at most 64 letters, digits or ._- of them, a letter or "
                                  "a digit first";
    if (!is_name(words[0]))
        return wrong(fault, "the name, the first word, %s", must_be);
    if (!is(words[1], "-") && !is_name(words[1]))
        return wrong(fault, "the tenant, the second word, %s; or - for none", must_be);
    snprintf(line->name, sizeof line->name, "%.*s", (int)words[0].length, words[0].at);
    if (!is(words[1], "-"))
        snprintf(line->tenant, sizeof line->tenant, "%.*s", (int)words[1].length, words[1].at);
    return true;
}

/* "check,compute" */
static bool read_scopes(word list, token_line *line, char fault[TOKENS_FAULT]) {
    for (bool more = true; more;) {
        const char *comma = memchr(list.at, ',', list.length);
        word one = {list.at, comma ? (size_t)(comma - list.at) : list.length};
        unsigned bit = 0;
        for (int i = 0; i < SCOPES; i++)
            bit |= is(one, scope_names[i]) ? 1U << i : 0;
        if (!bit || line->scopes & bit)
            return wrong(fault, "the scopes, the third word, must be compute, check or admin, by "
                                "commas, each once");
        line->scopes |= bit;
        more = comma;
        list = (word){one.at + one.length + 1, more ? list.length - one.length - 1 : 0};
    }
    if (line->scopes & (SCOPE_COMPUTE | SCOPE_CHECK) && !*line->tenant)
        return wrong(fault, "a token that computes or checks must have a tenant, whose handles it "
                            "has; - is for others");
    return true;
}

static bool read_digest(word hex, token_line *line, char fault[TOKENS_FAULT]) {
    if (hex_read(hex.at, hex.length, line->digest))
        return true;
    if (hex.length > 7 && !memcmp(hex.at, "layerd_", 7))
        return wrong(fault, "a token itself stands there, which now is known to whoever can read "
                            "the file: its SHA-256 must be the fourth word, of a new one");
    return wrong(fault, "the SHA-256 of the token, the fourth word, must be 64 hexadecimal digits");
}

/* A whole number with one of the units, at least 1. */
static bool read_number(word text, const unit *units, uint64_t most, uint64_t *value) {
    uint64_t number = 0;
    size_t i = 0;
    for (; i < text.length && text.at[i] >= '0' && text.at[i] <= '9'; i++)
        if (__builtin_mul_overflow(number, 10, &number) ||
            __builtin_add_overflow(number, (uint64_t)(text.at[i] - '0'), &number))
            return false;
    word suffix = {text.at + i, text.length - i};
    for (const unit *u = units; i > 0 && u->suffix; u++)
        if (is(suffix, u->suffix))
            return !__builtin_mul_overflow(number, u->factor, value) && *value >= 1 &&
                   *value <= most;
    return false;
}

/* "2027-02-01": the last day, in UTC. */
static bool read_date(word text, int64_t *end) {
    static const char shape[] = "0000-00-00";
    if (text.length != strlen(shape))
        return false;
    for (size_t i = 0; i < text.length; i++)
        if (shape[i] == '-' ? text.at[i] != '-' : text.at[i] < '0' || text.at[i] > '9')
            return false;
    char copy[sizeof shape];
    snprintf(copy, sizeof copy, "%.*s", (int)text.length, text.at);
    int day = atoi(copy + 8), month = atoi(copy + 5);
    struct tm date = {.tm_year = atoi(copy) - 1900, .tm_mon = month - 1, .tm_mday = day};
    time_t start = timegm(&date);
    *end = (int64_t)start + 86400;
    return date.tm_mon == month - 1 && date.tm_mday == day; /* else there is no such day */
}

enum key { RATE, BURST, WORK, CACHE, UNTIL, DETAIL, ONLY, KEYS };

static const struct {
    const char *name, *must_be;
} keys[KEYS] = {
    [RATE] = {"rate", "requests a second, a whole number from 1 to 1000000000"},
    [BURST] = {"burst", "requests, a whole number from 1 to 1000000000"},
    [WORK] = {"work", "operations a second, a whole number with or without M, G or T"},
    [CACHE] = {"cache", "bytes, a whole number with or without KiB, MiB or GiB"},
    [UNTIL] = {"until", "a day, such as 2027-02-01, the last"},
    [DETAIL] = {"detail", "verdict"},
    [ONLY] = {"only", "challenge"},
};

static bool read_value(enum key key, word value, token_line *line) {
    uint64_t number;
    switch (key) {
    case RATE:
        return read_number(value, counts, COUNT_MOST, &line->limits.rate);
    case BURST:
        return read_number(value, counts, COUNT_MOST, &line->limits.burst);
    case WORK:
        return read_number(value, operations, INT64_MAX, &line->limits.work);
    case CACHE:
        return read_number(value, bytes, SIZE_MAX / 4, &number) && (line->cache = number);
    case UNTIL:
        return read_date(value, &line->until);
    case DETAIL:
        return line->verdict_only = is(value, keys[key].must_be);
    default:
        return line->challenge_only = is(value, keys[key].must_be);
    }
}

/* "rate=20" */
static bool read_limit(word text, unsigned *seen, token_line *line, char fault[TOKENS_FAULT]) {
    const char *sign = memchr(text.at, '=', text.length);
    size_t length = sign ? (size_t)(sign - text.at) : text.length;
    for (unsigned key = 0; key < KEYS; key++) {
        if (!is((word){text.at, length}, keys[key].name) || !sign)
            continue;
        if (*seen & 1U << key)
            return wrong(fault, "%s stands there twice", keys[key].name);
        *seen |= 1U << key;
        return read_value(key, (word){sign + 1, text.length - length - 1}, line) ||
               wrong(fault, "%s must be %s", keys[key].name, keys[key].must_be);
    }
    return wrong(fault, "behind the SHA-256 there may be rate=, burst=, work=, cache=, until=, "
                        "detail= and only=, and nothing else");
}

/* ---- lines -------------------------------------------------------------------------------------
 */

/* Splits at spaces and tabs, up to a comment. One more than there may be is told, no further one.
 */
static size_t split(const char *text, size_t length, word words[WORDS_MOST + 1]) {
    size_t count = 0;
    const char *end = text + length, *comment = memchr(text, '#', length);
    if (comment)
        end = comment;
    while (count <= WORDS_MOST) {
        while (text < end && (*text == ' ' || *text == '\t'))
            text++;
        if (text == end)
            break;
        words[count].at = text;
        while (text < end && *text != ' ' && *text != '\t')
            text++;
        words[count].length = (size_t)(text - words[count].at);
        count++;
    }
    return count;
}

static bool read_words(const word *words, size_t count, token_line *line,
                       char fault[TOKENS_FAULT]) {
    unsigned seen = 0;
    if (count < 4)
        return wrong(fault, "there must be a name, a tenant, scopes and the SHA-256 of the token");
    if (count > WORDS_MOST)
        return wrong(fault, "there are too many words");
    if (!read_names(words, line, fault) || !read_scopes(words[2], line, fault) ||
        !read_digest(words[3], line, fault))
        return false;
    for (size_t i = 4; i < count; i++)
        if (!read_limit(words[i], &seen, line, fault))
            return false;
    if (line->limits.burst && !line->limits.rate)
        return wrong(fault, "burst must have a rate beside it");
    if (line->cache != SIZE_MAX && !*line->tenant)
        return wrong(fault, "cache is a tenant's, and there is none");
    if (!line->limits.burst)
        line->limits.burst = line->limits.rate;
    return true;
}

line_kind line_read(const char *text, size_t length, token_line *line, char fault[TOKENS_FAULT]) {
    word words[WORDS_MOST + 1];
    size_t count = split(text, length, words);
    *line = (token_line){.cache = SIZE_MAX, .until = INT64_MAX};
    if (count == 0)
        return LINE_EMPTY;
    return read_words(words, count, line, fault) ? LINE_TOKEN : LINE_WRONG;
}
