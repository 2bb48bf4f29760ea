/* What an operator sees in the log. */
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/clock.h"
#include "http/raw.h"

DAEMON_SUITE(logs);

static const char *log_of(const process *p) {
    static char text[1 << 16];
    ssize_t got = pread(p->log, text, sizeof text - 1, 0);
    text[got > 0 ? got : 0] = '\0';
    return text;
}

static int count(const char *text, const char *words) {
    int found = 0;
    for (; (text = strstr(text, words)); text++)
        found++;
    return found;
}

/* Each kind has a line when it begins, and no line for each of its answers. */
Test(logs, tell_of_refusals_once) {
    process *p = daemon_start(OPTIONS("--cache-budget", "0", "--body-limit", "1KiB"));
    static char large[2000];
    for (int i = 0; i < 20; i++) {
        expect_problem(post(p->caller, "/relu/forward", "{'x':[1]}"), "cache_full", "");
        expect_problem(post_bytes(p->caller, "/relu/forward", NULL, large, sizeof large),
                       "body_too_large", "");
        expect_problem(post(p->caller, "/relu/forward", "{'x':"), "invalid_json", "");
    }
    CHECK_EQUAL(count(log_of(p), "callers are refused with 503 cache_full: "), 1);
    CHECK_EQUAL(count(log_of(p), "callers are refused with 413 body_too_large: "), 1);
    CHECK_EQUAL(count(log_of(p), "invalid_json"), 0);
    daemon_stop(p);
}

Test(logs, tell_of_refused_connections) {
    process *p = daemon_start(OPTIONS("--address-connections", "1"));
    CHECK_EQUAL(fetch(p->caller, "GET", "/healthz", NULL)->status, 200);
    for (int i = 0; i < 5; i++) {
        raw r = raw_open(p);
        raw_expect(&r, 429, "rate_limited");
        raw_close(&r);
    }
    CHECK_EQUAL(count(log_of(p), "callers are refused with 429 rate_limited: "), 1);
    daemon_stop(p);
}

Test(logs, sighup_ends_nothing) {
    process *p = daemon_start(NULL);
    CHECK_EQUAL(fetch(p->caller, "GET", "/healthz", NULL)->status, 200);
    kill(p->pid, SIGHUP);
    for (double end = clock_now() + 5000; clock_before(end) && !strstr(log_of(p), "SIGHUP");)
        clock_pause();
    CHECK_EQUAL(count(log_of(p), "SIGHUP"), 1);
    expect_json(post(p->caller, "/relu/forward", "{'x':[1]}"), "{'out':[1.0]}");
    daemon_stop(p);
}

Test(logs, may_be_json) {
    process *p = daemon_start(OPTIONS("--log-format", "json", "--log-level", "debug"));
    fetch(p->caller, "GET", "/%22%5c%01%c3%a9", NULL);
    int lines = 0;
    char *text = strdup(log_of(p)), *rest = NULL;
    for (char *line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
        json_t *object = json_loads(line, JSON_REJECT_DUPLICATES, NULL);
        CHECK(json_string_value(json_object_get(object, "time")) &&
                  json_string_value(json_object_get(object, "level")) &&
                  json_string_value(json_object_get(object, "message")) &&
                  json_object_size(object) == 3,
              "%s", line);
        const char *message = json_string_value(json_object_get(object, "message"));
        lines += message && strstr(message, "GET /\"\\x5c\\x01\\xc3\\xa9: 404");
        json_decref(object);
    }
    free(text);
    CHECK_EQUAL(lines, 1);
    daemon_stop(p);
}
