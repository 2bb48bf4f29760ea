/* GET /tokens: who may call, what each has used, and no secret. By hand, as there may be a million:
 * no name needs an escape. */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "handlers.h"

enum { ENTRY_MOST = 768, TIME_TEXT = 32 };

typedef struct {
    char *text;
    size_t length;
} writing;

__attribute__((format(printf, 2, 3))) static void put(writing *w, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    w->length += (size_t)vsprintf(w->text + w->length, format, arguments);
    va_end(arguments);
}

/* null where there is none. */
static void put_number(writing *w, const char *key, uint64_t number, bool given) {
    if (given)
        put(w, ",\"%s\":%" PRIu64, key, number);
    else
        put(w, ",\"%s\":null", key);
}

static void put_time(writing *w, const char *key, int64_t when, const char *format, bool given) {
    char text[TIME_TEXT];
    struct tm utc;
    time_t seconds = (time_t)when;
    gmtime_r(&seconds, &utc);
    strftime(text, sizeof text, format, &utc);
    put(w, given ? ",\"%s\":\"%s\"" : ",\"%s\":null", key, text);
}

static void put_caller(writing *w, const caller *caller) {
    const caller_limits *limits = &caller->limits;
    const char *before = "[";
    put(w,
        caller->tenant ? "{\"name\":\"%s\",\"tenant\":\"%s\",\"scopes\":"
                       : "{\"name\":\"%s\",\"tenant\":null,\"scopes\":",
        caller->name, caller->tenant ? caller->tenant->name : "");
    for (int i = 0; i < SCOPES; i++)
        if (caller->scopes & 1U << i) {
            put(w, "%s\"%s\"", before, scope_names[i]);
            before = ",";
        }
    put(w, "]");
    put_number(w, "rate", limits->rate, limits->rate);
    put_number(w, "burst", limits->burst, limits->rate);
    put_number(w, "work", limits->work, limits->work);
    size_t cache = caller->tenant ? atomic_load(&caller->tenant->limit) : SIZE_MAX;
    put_number(w, "cache", cache, cache != SIZE_MAX);
    put_time(w, "until", caller->until - 1, "%F", caller->until != INT64_MAX); /* the last day */
    put(w, ",\"detail\":%s,\"only\":%s", caller->verdict_only ? "\"verdict\"" : "null",
        caller->challenge_only ? "\"challenge\"" : "null");
    const usage *usage = caller->usage;
    put_number(w, "requests", atomic_load(&usage->passed), true);
    put_number(w, "refused", atomic_load(&usage->refused), true);
    put_number(w, "worked", atomic_load(&usage->worked), true);
    put_number(w, "kept", caller->tenant ? atomic_load(&caller->tenant->kept) : 0, true);
    int64_t last = atomic_load(&usage->last);
    put_time(w, "last", last, "%FT%TZ", last > 0);
    put(w, "}");
}

bool handle_tokens(service *service, const route *route, const request *request, reply *reply,
                   problem *problem) {
    (void)route;
    if (!service->tokens)
        return problem_set(problem, PROBLEM_NOT_FOUND, NULL,
                           "there is nothing at /tokens, as the daemon runs without --tokens");
    size_t count;
    caller **all = tokens_all(service->tokens, &count);
    size_t size = (count + 1) * ENTRY_MOST;
    writing w = {.text = all && charge_add(request->charge, size) ? malloc(size) : NULL};
    if (w.text)
        put(&w, "{\"tokens\":[");
    for (size_t i = 0; all && i < count; i++) {
        if (w.text && i > 0)
            put(&w, ",");
        if (w.text)
            put_caller(&w, all[i]);
        caller_release(all[i]);
    }
    free(all);
    if (!w.text)
        return problem_set_memory(problem, "the answer");
    put(&w, "]}\n");
    reply->status = 200;
    reply->content_type = "application/json";
    reply->body = w.text;
    reply->body_length = w.length;
    return true;
}
