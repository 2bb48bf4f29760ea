/* Options: one row each, from which parsing, the environment, and --help follow. */
#include "options.h"

#include <ctype.h>
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/machine.h"
#include "base/version.h"
#include "http/cors.h"
#include "http/listen.h"
#include "route.h"
#include "store/redis/address.h"

typedef struct {
    const char *suffix;
    size_t factor;
} unit;

static const unit counts[] = {{"", 1}, {NULL, 0}};
static const unit bytes[] = {{"", 1},          {"B", 1},         {"KiB", 1 << 10},
                             {"MiB", 1 << 20}, {"GiB", 1 << 30}, {NULL, 0}};
static const unit operations[] = {
    {"", 1}, {"M", 1000000}, {"G", 1000000000}, {"T", 1000000000000}, {NULL, 0}};
static const unit times[] = {{"ms", 1}, {"s", 1000}, {"min", 60000}, {"h", 3600000}, {NULL, 0}};
static const unit levels[] = {{"error", 0}, {"warn", 1}, {"info", 2}, {"debug", 3}, {NULL, 0}};
static const unit formats[] = {{"text", 0}, {"json", 1}, {NULL, 0}};

static bool is_file(const char *text) {
    return *text;
}

/* One digit. */
static bool is_few(const char *text) {
    return isdigit((unsigned char)*text) && !text[1];
}

/* Kinds of text. */
static const unit addresses[] = {{NULL, 0}}, origins[] = {{NULL, 0}}, files[] = {{NULL, 0}},
                  paths[] = {{NULL, 0}}, stores[] = {{NULL, 0}}, few[] = {{NULL, 0}};
static const struct text {
    const unit *units;
    bool (*is_right)(const char *text);
    const char *must_be;
} texts[] = {
    {addresses, listen_is_address,
     "address:port, such as 127.0.0.1:8080 or [::1]:8080, or unix:/path"},
    {origins, cors_is_right,
     "* or origins as browsers send them, such as https://example.org,http://localhost:3000"},
    {files, is_file, "the path of a file"},
    {paths, documents_are_public,
     "paths that are the same for everyone, such as /healthz,/metrics"},
    {stores, redis_address_is_right,
     "redis://host:6379/0, redis://a:6379,b:6379, unix:///path or "
     "sentinel://a:26379,b:26379/name; rediss:// and rediss+sentinel:// for TLS"},
    {few, is_few, "a number from 0 to 9"},
};
enum { TEXTS = sizeof texts / sizeof *texts };

enum { DAY_MS = 86400000 };

static const struct option {
    const char *name;
    size_t place;        /* in options */
    const unit *units;   /* of a number; or one of the kinds of text */
    bool words;          /* the units are the values themselves */
    const char *initial; /* NULL: one a processor */
    size_t share;        /* and at most one so-manieth of the memory that there is; 0 for any */
    size_t minimum, maximum;
    const char *help;
} rows[] = {
    {"listen", offsetof(options, listen), addresses, false, "127.0.0.1:8080", 0, 0, 0,
     "address:port, port 0 for any, [::]:8080 for IPv6; unix:/path"},
    {"threads", offsetof(options, threads), counts, false, NULL, 0, 1, 256,
     "that compute; of those that answer one more (one a processor)"},
    {"connections", offsetof(options, connections), counts, false, "4096", 512 << 10, 1, 1 << 20,
     "open at once (one in 512 KiB of RAM); past it 503"},
    {"address-connections", offsetof(options, address_connections), counts, false, "2048", 1 << 20,
     1, 1 << 20, "of these from one address (one in 1 MiB of RAM); past it 429"},
    {"idle-time", offsetof(options, idle_time), times, false, "75s", 0, 10, DAY_MS,
     "until a connection's next request has begun"},
    {"least-rate", offsetof(options, least_rate), bytes, false, "64KiB", 0, 1, SIZE_MAX / 4,
     "a second, of a body or an answer, beyond the idle time"},
    {"queue", offsetof(options, queue), counts, false, "256", 0, 0, 1 << 20,
     "dear requests that wait; past it 503"},
    {"queue-time", offsetof(options, queue_time), times, false, "30s", 0, 1, DAY_MS,
     "that they may wait; past it 503"},
    {"body-limit", offsetof(options, body_limit), bytes, false, "256MiB", 8, 1 << 10, SIZE_MAX / 4,
     "largest body of a request (at most 1/8 of the RAM)"},
    {"answer-limit", offsetof(options, answer_limit), bytes, false, "512MiB", 4, 1 << 10,
     SIZE_MAX / 4, "largest answer, its numbers at their longest (1/4 of the RAM)"},
    {"work-limit", offsetof(options, work_limit), operations, false, "2T", 0, 1, SIZE_MAX / 4,
     "operations of one call or graph, such as 2·N·D·M of affine"},
    {"memory", offsetof(options, memory), bytes, false, "16GiB", 2, 1 << 20, SIZE_MAX / 4,
     "for all requests in flight; past it 503 (1/2 of the RAM)"},
    {"cache-budget", offsetof(options, cache_budget), bytes, false, "1GiB", 4, 0, SIZE_MAX / 4,
     "for caches and kept tensors; past it 503 (1/4 of the RAM)"},
    {"cache-lifetime", offsetof(options, cache_lifetime), times, false, "15min", 0, 1,
     365UL * DAY_MS, "time without use after which a handle goes"},
    {"store", offsetof(options, store), stores, false, "", 0, 0, 0,
     "a Redis or Valkey that keeps handles for several daemons"},
    {"store-password-file", offsetof(options, store_password_file), files, false, "", 0, 0, 0,
     "file of its password; before one in --store"},
    {"store-copies", offsetof(options, store_copies), few, false, "", 0, 0, 0,
     "its replicas that must have what is given (by Sentinel: 1)"},
    {"store-timeout", offsetof(options, store_timeout), times, false, "2s", 0, 10, DAY_MS,
     "for an answer of it, beside the time of its bytes"},
    {"store-grace", offsetof(options, store_grace), times, false, "5s", 0, 0, DAY_MS,
     "that it may be away until /readyz says so"},
    {"cors-origin", offsetof(options, cors_origin), origins, false, "", 0, 0, 0,
     "origins, by commas, whose pages may call; * for any"},
    {"tokens", offsetof(options, tokens), files, false, "", 0, 0, 0,
     "file of the tokens that one may call with; else everyone may"},
    {"public", offsetof(options, public_paths), paths, false,
     "/healthz,/readyz,/version,/openapi.json,/", 0, 0, 0, "paths that need no token"},
    {"challenge-key", offsetof(options, challenge_key), files, false, "", 0, 0, 0,
     "file of the keys of challenges; else one drawn at the start"},
    {"challenge-lifetime", offsetof(options, challenge_lifetime), times, false, "10min", 0, 1,
     365UL * DAY_MS, "time after which a challenge cannot be answered"},
    {"challenges", offsetof(options, challenges), counts, false, "100000", 0, 1, 1 << 24,
     "remembered as spent until they expire; past it 503"},
    {"drain-time", offsetof(options, drain_time), times, false, "0s", 0, 0, DAY_MS,
     "that new work is still taken at SIGTERM, not ready"},
    {"grace", offsetof(options, grace), times, false, "10s", 0, 0, DAY_MS,
     "for running requests to finish, after that"},
    {"log-level", offsetof(options, log_level), levels, true, "info", 0, 0, 3,
     "error, warn, info or debug (each request)"},
    {"log-format", offsetof(options, log_format), formats, true, "text", 0, 0, 1,
     "text or json (an object a line)"},
};
enum { ROWS = sizeof rows / sizeof *rows };

static const char new_token[] = "new-token";

/* "LAYERD_BODY_LIMIT" */
static const char *environment_name(const struct option *row, char name[64]) {
    snprintf(name, 64, "LAYERD_%s", row->name);
    for (char *c = name; *c; c++)
        *c = *c == '-' ? '_' : (char)toupper((unsigned char)*c);
    return name;
}

static void print_help(void) {
    printf("layerd " LAYERS_VERSION ": neural-network layers over HTTP; usage: layerd [--option "
           "value]...\n");
    for (const struct option *row = rows; row < rows + ROWS; row++)
        printf("  --%-19s %-14s %s\n", row->name, row->initial ? row->initial : "", row->help);
    static const char *const others[][2] = {
        {new_token, "a token for this name, and its line for the file"},
        {"help", "this text"},
        {"version", "name, version and commit"},
    };
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        printf("  --%-19s %-14s %s\n", others[i][0], "", others[i][1]);
    printf(
        "Sizes take KiB, MiB, GiB; work M, G, T; times ms, s, min, h. The environment may have "
        "each\noption, as LAYERD_LISTEN or LAYERD_BODY_LIMIT; the command line goes before it.\n");
}

static bool parse_number(const struct option *row, const char *text, size_t *value) {
    char *suffix = (char *)text;
    unsigned long long number = 1;
    errno = 0;
    if (!row->words) {
        if (!isdigit((unsigned char)*text))
            return false;
        number = strtoull(text, &suffix, 10);
    }
    for (const unit *u = row->units; u->suffix; u++)
        if (!strcmp(suffix, u->suffix))
            return errno == 0 && !__builtin_mul_overflow(number, u->factor, value) &&
                   *value >= row->minimum && *value <= row->maximum;
    return false;
}

static void complain(const struct option *row, const char *from, const char *text) {
    fprintf(stderr, "layerd: %s is \"%s\", but must be ", from, text);
    if (row->words) {
        for (const unit *u = row->units; u->suffix; u++)
            fprintf(stderr, "%s%s", u->suffix, u[1].suffix ? (u[2].suffix ? ", " : " or ") : "\n");
        return;
    }
    fprintf(stderr, "a number");
    if (row->units != counts)
        fprintf(stderr, " with a unit (%s)",
                row->units == bytes ? "B, KiB, MiB, GiB" : "ms, s, min, h");
    if (row->maximum < SIZE_MAX / 4)
        fprintf(stderr, " from %zu to %zu%s\n", row->minimum, row->maximum,
                row->units == times ? " ms" : "");
    else
        fprintf(stderr, " of at least %zu\n", row->minimum);
}

static bool set(options *options, const struct option *row, const char *from, const char *text) {
    void *place = (char *)options + row->place;
    for (const struct text *kind = texts; kind < texts + TEXTS; kind++) {
        if (kind->units != row->units)
            continue;
        *(const char **)place = text;
        if (text == row->initial || kind->is_right(text))
            return true;
        fprintf(stderr, "layerd: %s is \"%s\", but must be %s\n", from, text, kind->must_be);
        return false;
    }
    if (parse_number(row, text, place))
        return true;
    complain(row, from, text);
    return false;
}

/* The default, which suits the machine or the container. */
static void set_default(options *options, const struct option *row, size_t memory) {
    size_t *value = (size_t *)((char *)options + row->place);
    if (row->initial)
        set(options, row, row->name, row->initial);
    else
        *value = machine_processors();
    if (row->share && *value > memory / row->share)
        *value = memory / row->share;
}

static bool set_initial(options *options) {
    size_t memory = machine_memory();
    for (const struct option *row = rows; row < rows + ROWS; row++) {
        char name[64];
        const char *given = getenv(environment_name(row, name));
        set_default(options, row, memory);
        if (given && *given && !set(options, row, name, given))
            return false;
    }
    return true;
}

static const struct option *find(const char *name, size_t length) {
    for (const struct option *row = rows; row < rows + ROWS; row++)
        if (strlen(row->name) == length && !memcmp(row->name, name, length))
            return row;
    return NULL;
}

options_result options_read(options *options, int argc, char **argv) {
    for (int i = 1; i < argc; i++) {
        if (!strcmp(argv[i], "--help") || !strcmp(argv[i], "-h")) {
            print_help();
            return OPTIONS_DONE;
        }
        if (!strcmp(argv[i], "--version")) {
            printf("layerd " LAYERS_VERSION " (%s)\n", version_commit);
            return OPTIONS_DONE;
        }
    }
    options->new_token = NULL;
    if (!set_initial(options))
        return OPTIONS_WRONG;
    for (int i = 1; i < argc; i++) {
        const char *name = strncmp(argv[i], "--", 2) ? "" : argv[i] + 2;
        size_t length = strcspn(name, "=");
        bool makes = length == strlen(new_token) && !memcmp(name, new_token, length);
        const struct option *row = find(name, length);
        if (!row && !makes) {
            fprintf(stderr, "layerd: %s is not an option; layerd --help lists them\n", argv[i]);
            return OPTIONS_WRONG;
        }
        const char *value = name[length] ? name + length + 1 : argv[++i];
        if (!value) {
            fprintf(stderr, "layerd: --%s needs a value\n", makes ? new_token : row->name);
            return OPTIONS_WRONG;
        }
        if (makes) {
            options->new_token = value;
            continue;
        }
        char from[32];
        snprintf(from, sizeof from, "--%s", row->name);
        if (!set(options, row, from, value))
            return OPTIONS_WRONG;
    }
    return OPTIONS_RUN;
}
