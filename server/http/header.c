/* The headers of an answer, whoever sends it. */
#include "http/header.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include "base/decimal.h"
#include "base/log.h"

void header_ids_start(header_ids *ids) {
    uint64_t prefix = (uint64_t)time(NULL);
    if (getrandom(&prefix, sizeof prefix, 0) < 0)
        log_line(LOG_WARN, "no random numbers from the kernel: request ids start with the time");
    snprintf(ids->prefix, sizeof ids->prefix, "%016" PRIx64 "-", prefix);
}

static bool is_sane_id(const char *id) {
    size_t length = id ? strlen(id) : 0;
    return length > 0 && length < HEADER_ID_TEXT &&
           strspn(id, "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-_.:") ==
               length;
}

void header_request_id(header_ids *ids, const char *given, char id[HEADER_ID_TEXT]) {
    if (is_sane_id(given))
        strcpy(id, given);
    else
        *decimal_put(stpcpy(id, ids->prefix),
                     atomic_fetch_add_explicit(&ids->next, 1, memory_order_relaxed)) = '\0';
}

/* By hand, because printf costs more here than a small computation. */
static const char *write_timing(const reply *reply, char text[HEADER_TIMING_TEXT]) {
    const struct {
        const char *name;
        double ms;
    } parts[] = {{"read;dur=", reply->read_ms},
                 {", compute;dur=", reply->compute_ms},
                 {", write;dur=", reply->write_ms}};
    char *out = text;
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        uint64_t us = parts[i].ms > 0 ? (uint64_t)(parts[i].ms * 1e3 + 0.5) : 0;
        out = decimal_put(stpcpy(out, parts[i].name), us / 1000);
        *out++ = '.';
        for (unsigned place = 100; place > 0; place /= 10)
            *out++ = (char)('0' + us / place % 10);
    }
    *out = '\0';
    return text;
}

void header_add(header_list *list, const char *name, const char *value) {
    assert(list->count < HEADERS_MOST);
    list->field[list->count].name = name;
    list->field[list->count++].value = value;
}

void header_list_make(header_list *list, const char *id, const reply *reply,
                      const problem *problem) {
    list->count = 0;
    header_add(list, "X-Request-Id", id);
    header_add(list, "Server-Timing", write_timing(reply, list->timing));
    if (reply->content_type)
        header_add(list, "Content-Type", reply->content_type);
    for (const char *const *name = reply->headers; name && *name; name += 2)
        header_add(list, name[0], name[1]);
    if (problem && problem->header)
        header_add(list, problem->header, problem->value);
    if (problem && problem->retry_after > 0) {
        snprintf(list->retry_after, sizeof list->retry_after, "%d", problem->retry_after);
        header_add(list, "Retry-After", list->retry_after);
    }
}
