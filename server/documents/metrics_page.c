/* GET /metrics: what was counted, in the text form of Prometheus 0.0.4, or in OpenMetrics 1.0 where
 * Accept prefers that. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/accept.h"
#include "base/version.h"
#include "documents/process.h"
#include "handlers.h"
#include "metrics.h"

static const char openmetrics[] = "application/openmetrics-text";

/* What is read once for a page. */
typedef struct {
    service *service;
    store_stats store;
    size_t routes;
    metrics_route *route;
    FILE *out;
    bool openmetrics;
} page;

/* A family's values. */
typedef void writer(page *page, const char *name);

typedef enum { COUNTER, GAUGE, HISTOGRAM, INFO } family_type;

/* The names that a type has in both forms, and what its samples' names end in. */
static const struct {
    const char *name, *openmetrics, *suffix;
} types[] = {
    [COUNTER] = {"counter", "counter", "_total"},
    [GAUGE] = {"gauge", "gauge", ""},
    [HISTOGRAM] = {"histogram", "histogram", ""},
    [INFO] = {"gauge", "info", "_info"},
};

static void write_label_value(FILE *out, const char *text) {
    for (; *text; text++)
        if (*text == '\n')
            fputs("\\n", out);
        else
            fprintf(out, *text == '"' || *text == '\\' ? "\\%c" : "%c", *text);
}

static void write_count(page *page, const char *name, uint64_t value) {
    fprintf(page->out, "%s %" PRIu64 "\n", name, value);
}

/* layer="affine",operation="forward" */
static void write_route(page *page, size_t row) {
    route_label label = route_label_of(row);
    fprintf(page->out, "layer=\"%s\",operation=\"%.*s\"", label.layer, label.length, label.name);
}

static bool is_operation(size_t row) {
    return route_label_of(row).computes;
}

static void write_requests(page *page, const char *name) {
    for (size_t row = 0; row < page->routes; row++)
        for (int i = 0; i < METRICS_STATUSES; i++) {
            uint64_t count = page->route[row].statuses[i];
            int status = METRICS_STATUS_FIRST + i;
            if (count == 0 && !(is_operation(row) && status == 200))
                continue;
            fprintf(page->out, "%s{", name);
            write_route(page, row);
            fprintf(page->out, ",status=\"%d\"} %" PRIu64 "\n", status, count);
        }
}

/* One series of a histogram: its name, its labels in front of "le", and what its sum is in. */
typedef struct {
    const char *name, *phase; /* "": no such label */
    size_t row;
    const double *bounds;
    double scale;
} series;

static void write_sample(page *page, const series *series, const char *suffix) {
    fprintf(page->out, "%s_%s{", series->name, suffix);
    if (*series->phase)
        fprintf(page->out, "phase=\"%s\",", series->phase);
    write_route(page, series->row);
}

static void write_histogram(page *page, const series *series, const metrics_histogram *histogram) {
    uint64_t count = 0;
    for (int i = 0; i < METRICS_BUCKETS; i++) {
        char bound[32] = "+Inf";
        count += histogram->bucket[i];
        if (isfinite(series->bounds[i])) {
            snprintf(bound, sizeof bound, "%g", series->bounds[i]);
            if (!strpbrk(bound, ".e")) /* the one form that OpenMetrics has for it */
                strcat(bound, ".0");
        }
        write_sample(page, series, "bucket");
        fprintf(page->out, ",le=\"%s\"} %" PRIu64 "\n", bound, count);
        if (!isfinite(series->bounds[i]))
            break;
    }
    write_sample(page, series, "sum");
    fprintf(page->out, "} %.15g\n", (double)histogram->sum * series->scale);
    write_sample(page, series, "count");
    fprintf(page->out, "} %" PRIu64 "\n", count);
}

static void write_seconds(page *page, const char *name) {
    static const char *const phases[METRICS_PHASES] = {"read", "compute", "write"};
    for (size_t row = 0; row < page->routes; row++)
        for (int i = 0; i < METRICS_PHASES && is_operation(row); i++) {
            const series series = {name, phases[i], row, metrics_seconds, 1e-9};
            write_histogram(page, &series, &page->route[row].phases[i]);
        }
}

static void write_bodies(page *page, const char *name, bool taken) {
    for (size_t row = 0; row < page->routes; row++) {
        const series series = {name, "", row, metrics_bytes, 1};
        if (is_operation(row))
            write_histogram(page, &series,
                            taken ? &page->route[row].taken : &page->route[row].given);
    }
}

static void write_taken(page *page, const char *name) {
    write_bodies(page, name, true);
}

static void write_given(page *page, const char *name) {
    write_bodies(page, name, false);
}

static void write_build(page *page, const char *name) {
    const char *const labels[][2] = {{"version", layers_version()},
                                     {"commit", version_commit},
                                     {"blas", layers_blas()},
                                     {"cpu", version_cpu()}};
    fputs(name, page->out);
    for (size_t i = 0; i < sizeof labels / sizeof *labels; i++) {
        fprintf(page->out, "%s%s=\"", i ? "," : "{", labels[i][0]);
        write_label_value(page->out, labels[i][1]);
        fputc('"', page->out);
    }
    fputs("} 1\n", page->out);
}

/* Writers of one number. */
#define NUMBER(function, value)                                                                    \
    static void function(page *page, const char *name) {                                           \
        write_count(page, name, (uint64_t)(value));                                                \
    }

NUMBER(write_running, metrics_level_of(page->service->metrics, METRICS_REQUESTS))
NUMBER(write_connections, metrics_level_of(page->service->metrics, METRICS_CONNECTIONS))
NUMBER(write_queue_refused, metrics_level_of(page->service->metrics, METRICS_QUEUE_REFUSED))
NUMBER(write_queue_late, metrics_level_of(page->service->metrics, METRICS_QUEUE_LATE))
NUMBER(write_queue, workers_waiting(page->service->workers))
NUMBER(write_queue_capacity, page->service->options->queue)
NUMBER(write_memory, atomic_load(&page->service->memory.used))
NUMBER(write_memory_limit, page->service->memory.limit)
NUMBER(write_memory_refused, atomic_load(&page->service->memory.refused))
NUMBER(write_cache_entries, page->store.entries)
NUMBER(write_cache_bytes, page->store.bytes)
NUMBER(write_cache_budget, page->store.budget)
NUMBER(write_cache_given, page->store.given)
NUMBER(write_cache_expired, page->store.expired)
NUMBER(write_cache_removed, page->store.removed)
NUMBER(write_cache_refused, page->store.refused)

NUMBER(write_store_up, page->store.link.up)
NUMBER(write_store_memory, page->store.link.used)
NUMBER(write_store_limit, page->store.link.maximum)
NUMBER(write_store_sent, page->store.link.sent)
NUMBER(write_store_taken, page->store.link.taken)
NUMBER(write_store_hits, page->store.link.hits)
NUMBER(write_store_misses, page->store.link.misses)
NUMBER(write_store_unconfirmed, page->store.link.unconfirmed)
NUMBER(write_store_connects, page->store.link.connects)
NUMBER(write_store_losses, page->store.link.losses)
NUMBER(write_store_moves, page->store.link.moves)
NUMBER(write_store_swept, page->store.link.swept)

static void write_store_away(page *page, const char *name) {
    fprintf(page->out, "%s %.3f\n", name, page->store.link.away);
}

static void write_store_exchanges(page *page, const char *name) {
    for (int i = 0; i < STORE_COMMANDS; i++)
        for (int j = 0; j < STORE_OUTCOMES; j++)
            if (j == 0 || page->store.link.exchanges[i][j] > 0)
                fprintf(page->out, "%s{command=\"%s\",outcome=\"%s\"} %" PRIu64 "\n", name,
                        store_command_names[i], store_outcome_names[j],
                        page->store.link.exchanges[i][j]);
}

static void write_store_seconds(page *page, const char *name) {
    for (int i = 0; i < STORE_COMMANDS; i++) {
        const char *command = store_command_names[i];
        uint64_t count = 0;
        for (int j = 0; j < STORE_SECONDS; j++) {
            char bound[32] = "+Inf";
            count += page->store.link.seconds[i][j];
            if (isfinite(store_seconds[j]))
                snprintf(bound, sizeof bound, store_seconds[j] < 1 ? "%g" : "%.1f",
                         store_seconds[j]);
            fprintf(page->out, "%s_bucket{command=\"%s\",le=\"%s\"} %" PRIu64 "\n", name, command,
                    bound, count);
        }
        fprintf(page->out, "%s_sum{command=\"%s\"} %.9g\n", name, command, page->store.link.sum[i]);
        fprintf(page->out, "%s_count{command=\"%s\"} %" PRIu64 "\n", name, command, count);
    }
}

static void write_processor_time(page *page, const char *name) {
    struct timespec time;
    if (clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time) == 0)
        fprintf(page->out, "%s %lld.%09ld\n", name, (long long)time.tv_sec, time.tv_nsec);
}

/* Writers of one number that the system may not tell. */
#define FIGURE(function, figure)                                                                   \
    static void function(page *page, const char *name) {                                           \
        uint64_t value;                                                                            \
        if (figure(&value))                                                                        \
            write_count(page, name, value);                                                        \
    }

FIGURE(write_threads, process_threads)
FIGURE(write_virtual, process_virtual_bytes)
FIGURE(write_resident, process_resident_bytes)
FIGURE(write_open_files, process_open_files)
FIGURE(write_most_files, process_most_files)

static void write_start(page *page, const char *name) {
    double start;
    if (process_start(&start))
        fprintf(page->out, "%s %.2f\n", name, start);
}

static void write_tokens(page *page, const char *name) {
    write_count(page, name, tokens_count(page->service->tokens));
}

static void write_access_refused(page *page, const char *name) {
    static const char *const reasons[REFUSALS] = {
        [REFUSED_NO_TOKEN] = "no_token",   [REFUSED_BAD_REQUEST] = "bad_request",
        [REFUSED_BAD_TOKEN] = "bad_token", [REFUSED_SCOPE] = "scope",
        [REFUSED_RATE] = "rate",           [REFUSED_WORK] = "work"};
    refusal_counts *counts = tokens_refusals(page->service->tokens);
    for (int i = 0; i < REFUSALS; i++)
        fprintf(page->out, "%s{reason=\"%s\"} %" PRIu64 "\n", name, reasons[i],
                (uint64_t)atomic_load(&counts->count[i]));
}

/* Every family: name without its type's ending, type, unit ("": none), writer, what it is. */
static const struct family {
    const char *name;
    family_type type;
    const char *unit;
    writer *write;
    const char *help;
} families[] = {
    {"layerd_build", INFO, "", write_build, "What this build is, and where it runs."},
    {"layerd_requests", COUNTER, "", write_requests, "Requests that were answered."},
    {"layerd_requests_in_flight", GAUGE, "", write_running,
     "Requests that have begun and whose answer is not out."},
    {"layerd_request_seconds", HISTOGRAM, "seconds", write_seconds,
     "Time to read a call, to compute it, and to write its answer."},
    {"layerd_request_body_bytes", HISTOGRAM, "bytes", write_taken, "Bodies of requests."},
    {"layerd_response_body_bytes", HISTOGRAM, "bytes", write_given, "Bodies of answers."},
    {"layerd_connections", GAUGE, "", write_connections, "Connections that are open."},
    {"layerd_queue_length", GAUGE, "", write_queue, "Dear calls that wait for a thread."},
    {"layerd_queue_capacity", GAUGE, "", write_queue_capacity, "Dear calls that may wait."},
    {"layerd_queue_refused", COUNTER, "", write_queue_refused,
     "Dear calls that were refused, as the queue was full."},
    {"layerd_queue_late", COUNTER, "", write_queue_late,
     "Dear calls that were dropped, as they had waited for too long."},
    {"layerd_memory_bytes", GAUGE, "bytes", write_memory, "Memory of the requests in flight."},
    {"layerd_memory_limit_bytes", GAUGE, "bytes", write_memory_limit,
     "Memory that the requests in flight may take."},
    {"layerd_memory_refused", COUNTER, "", write_memory_refused,
     "Times that this memory was not to be had."},
    {"layerd_cache_entries", GAUGE, "", write_cache_entries, "Caches and tensors that are kept."},
    {"layerd_cache_bytes", GAUGE, "bytes", write_cache_bytes,
     "Memory of what is kept, and set aside for it."},
    {"layerd_cache_budget_bytes", GAUGE, "bytes", write_cache_budget,
     "Memory that what is kept may take."},
    {"layerd_cache_given", COUNTER, "", write_cache_given, "Handles that were given."},
    {"layerd_cache_expired", COUNTER, "", write_cache_expired, "Handles that have expired."},
    {"layerd_cache_removed", COUNTER, "", write_cache_removed,
     "Handles that were released or deleted."},
    {"layerd_cache_refused", COUNTER, "", write_cache_refused,
     "Times that this memory was not to be had."},
    {"process_cpu_seconds", COUNTER, "seconds", write_processor_time,
     "Processor time of the process, user and system."},
    {"process_resident_memory_bytes", GAUGE, "bytes", write_resident, "Memory that is resident."},
    {"process_virtual_memory_bytes", GAUGE, "bytes", write_virtual, "Memory that is mapped."},
    {"process_open_fds", GAUGE, "", write_open_files, "File descriptors that are open."},
    {"process_max_fds", GAUGE, "", write_most_files, "File descriptors that may be open."},
    {"process_threads", GAUGE, "", write_threads, "Threads of the process."},
    {"process_start_time_seconds", GAUGE, "seconds", write_start,
     "When the process started, since 1970."},
};

/* Where tokens are. */
static const struct family access_families[] = {
    {"layerd_tokens", GAUGE, "", write_tokens, "Tokens that one may call with."},
    {"layerd_access_refused", COUNTER, "", write_access_refused,
     "Requests that were refused for who asked."},
};

/* Where the store is elsewhere. */
static const struct family store_families[] = {
    {"layerd_store_up", GAUGE, "", write_store_up, "Whether the store answers: 1 or 0."},
    {"layerd_store_away_seconds", COUNTER, "seconds", write_store_away,
     "Time that the store was away."},
    {"layerd_store_exchanges", COUNTER, "", write_store_exchanges,
     "What the store was asked, and what came of it."},
    {"layerd_store_exchange_seconds", HISTOGRAM, "seconds", write_store_seconds,
     "Time until the store had answered."},
    {"layerd_store_sent_bytes", COUNTER, "bytes", write_store_sent,
     "Bytes of values that were sent to the store."},
    {"layerd_store_taken_bytes", COUNTER, "bytes", write_store_taken,
     "Bytes of values that were taken from the store."},
    {"layerd_store_hits", COUNTER, "", write_store_hits, "Uses of a handle that had a copy here."},
    {"layerd_store_misses", COUNTER, "", write_store_misses,
     "Uses of a handle whose value the store was asked for."},
    {"layerd_store_unconfirmed", COUNTER, "", write_store_unconfirmed,
     "Uses that too few of the store's replicas have noted."},
    {"layerd_store_connects", COUNTER, "", write_store_connects,
     "Times that the store was found, or found again."},
    {"layerd_store_losses", COUNTER, "", write_store_losses, "Times that the store went away."},
    {"layerd_store_moves", COUNTER, "", write_store_moves,
     "Times that the store was found at another address."},
    {"layerd_store_swept", COUNTER, "", write_store_swept,
     "Keys of the store that were looked at, so that what has expired is freed."},
    {"layerd_store_memory_bytes", GAUGE, "bytes", write_store_memory,
     "Memory that the store uses."},
    {"layerd_store_memory_limit_bytes", GAUGE, "bytes", write_store_limit,
     "Memory that the store may use; 0: no limit."},
};

static void write_family(page *page, const struct family *family) {
    char sample[64];
    snprintf(sample, sizeof sample, "%s%s", family->name, types[family->type].suffix);
    const char *name = page->openmetrics ? family->name : sample;
    fprintf(page->out, "# HELP %s %s\n# TYPE %s %s\n", name, family->help, name,
            page->openmetrics ? types[family->type].openmetrics : types[family->type].name);
    if (page->openmetrics && *family->unit)
        fprintf(page->out, "# UNIT %s %s\n", name, family->unit);
    family->write(page, sample);
}

static void write_page(page *page) {
    for (size_t row = 0; row < page->routes; row++)
        metrics_read(page->service->metrics, row, &page->route[row]);
    page->service->store->stats(page->service->store, &page->store);
    for (size_t i = 0; i < sizeof families / sizeof *families; i++)
        write_family(page, &families[i]);
    for (size_t i = 0; page->service->tokens && i < sizeof access_families / sizeof *families; i++)
        write_family(page, &access_families[i]);
    for (size_t i = 0; page->store.is_elsewhere && i < sizeof store_families / sizeof *families;
         i++)
        write_family(page, &store_families[i]);
    if (page->openmetrics)
        fputs("# EOF\n", page->out);
}

static bool wants_openmetrics(const char *accept) {
    if (!accept)
        return false;
    preference wanted = preference_for(accept, openmetrics);
    return wanted.closeness == 3 && wanted.quality > 0 &&
           wanted.quality >= preference_for(accept, "text/plain").quality;
}

/* Text that grows as it is written. Not open_memstream, which without memory drops what it was to
 * write and reports no error. */
typedef struct {
    char *text;
    size_t length, capacity;
} growing;

static ssize_t append(void *cookie, const char *piece, size_t length) {
    growing *page = cookie;
    if (length > page->capacity - page->length) {
        size_t capacity = 2 * page->capacity + length;
        char *text = realloc(page->text, capacity);
        if (!text)
            return 0;
        page->text = text;
        page->capacity = capacity;
    }
    memcpy(page->text + page->length, piece, length);
    page->length += length;
    return (ssize_t)length;
}

bool handle_metrics(service *service, const route *route, const request *request, reply *reply,
                    problem *problem) {
    (void)route;
    page page = {
        .service = service,
        .routes = route_count(),
        .openmetrics = wants_openmetrics(request->accept),
    };
    growing text = {0};
    char buffer[BUFSIZ];
    page.route = malloc(page.routes * sizeof *page.route);
    page.out = fopencookie(&text, "w", (cookie_io_functions_t){.write = append});
    bool good = page.route && page.out;
    if (good) {
        setvbuf(page.out, buffer, _IOFBF, sizeof buffer);
        write_page(&page);
    }
    if (page.out) {
        good = !ferror(page.out) && good;
        good = fclose(page.out) == 0 && good;
    }
    free(page.route);
    reply->body = text.text; /* the caller frees it in any case */
    reply->body_length = text.length;
    if (!good)
        return problem_set_memory(problem, "the metrics");
    reply->status = 200;
    reply->content_type = page.openmetrics
                              ? "application/openmetrics-text; version=1.0.0; charset=utf-8"
                              : "text/plain; version=0.0.4; charset=utf-8";
    return true;
}
