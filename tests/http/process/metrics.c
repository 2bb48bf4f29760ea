/* GET /metrics: the figures move as requests are made. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "http/figures.h"
#include "http/raw.h"

DAEMON_SUITE(metrics);

#define RELU "layer='relu',operation='forward'"

Test(metrics, requests_are_counted_by_operation_and_status) {
    process *p = daemon_start(NULL);
    CHECK_EQUAL(value_of(p, "layerd_requests_total{" RELU ",status='200'}"), 0);
    for (int i = 0; i < 3; i++)
        post(p->caller, "/relu/forward", "{'x':[1]}");
    expect_problem(post(p->caller, "/relu/forward", "{'x':"), "invalid_json", NULL);
    expect_problem(post(p->caller, "/relu/forward", "{'y':[1]}"), "unknown_field", NULL);
    expect_problem(post(p->caller, "/relu/forward", "{}"), "missing_field", NULL);
    fetch(p->caller, "GET", "/relu/forward", NULL);
    fetch(p->caller, "GET", "/healthz", NULL);
    fetch(p->caller, "GET", "/cache/0", NULL);
    fetch(p->caller, "GET", "/nowhere", NULL);
    const char *page = scrape(p);
    static const struct {
        const char *labels;
        double want;
    } counts[] = {
        {RELU ",status='200'", 3},
        {RELU ",status='400'", 1},
        {RELU ",status='422'", 2},
        {RELU ",status='405'", 1},
        {"layer='relu',operation='backward',status='200'", 0},
        {"layer='',operation='healthz',status='200'", 1},
        {"layer='',operation='cache',status='404'", 1},
        {"layer='',operation='other',status='404'", 1},
        {"layer='',operation='metrics',status='200'", 1},
    };
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
        double got = value_in(page, "layerd_requests_total{%s}", counts[i].labels);
        CHECK(got == counts[i].want, "%s: %g, not %g", counts[i].labels, got, counts[i].want);
    }
    daemon_stop(p);
}

Test(metrics, a_query_with_too_many_keys_is_counted) {
    process *p = daemon_start(NULL);
    expect_problem(post(p->caller, "/relu/forward?a&b&c&d&e&f&g&h&i", "{}"), "invalid_query", "");
    CHECK_EQUAL(value_of(p, "layerd_requests_total{layer='',operation='other',status='400'}"), 1);
    daemon_stop(p);
}

/* Buckets that never fall, of which the last is the count. */
static void check_histogram(const char *page, const char *name, double count) {
    char start[128];
    snprintf(start, sizeof start, "%s,le=", name);
    for (char *c = start; *c; c++)
        *c = *c == '\'' ? '"' : *c;
    double last = 0;
    int buckets = 0;
    for (const char *at = strstr(page, start); at; at = strstr(at + 1, start)) {
        double value = strtod(strchr(at, ' '), NULL);
        CHECK(value >= last, "%s falls from %g to %g", name, last, value);
        last = value;
        buckets++;
    }
    CHECK(buckets > 5 && last == count, "%s: %d buckets up to %g, not %g", name, buckets, last,
          count);
}

Test(metrics, histograms_count_what_was_read) {
    process *p = daemon_start(NULL);
    for (int i = 0; i < 5; i++)
        post(p->caller, "/relu/forward", "{'x':[%d]}", i); /* 9 bytes, 59 back */
    expect_problem(post(p->caller, "/relu/forward", "{'x'  [1]}"), "invalid_json", NULL);
    fetch(p->caller, "GET", "/relu/forward", NULL);
    const char *page = scrape(p);
    static const char *const phases[] = {"read", "compute", "write"};
    for (int i = 0; i < 3; i++) {
        char name[128];
        snprintf(name, sizeof name, "layerd_request_seconds_bucket{phase='%s'," RELU, phases[i]);
        check_histogram(page, name, 6); /* all but the one that was refused by its method */
        CHECK_EQUAL(value_in(page, "layerd_request_seconds_count{phase='%s'," RELU "}", phases[i]),
                    6);
        CHECK_TRUE(value_in(page, "layerd_request_seconds_sum{phase='%s'," RELU "}", phases[i]) <
                   10);
    }
    CHECK_TRUE(value_in(page, "layerd_request_seconds_sum{phase='%s'," RELU "}", "read") > 0);
    check_histogram(page, "layerd_request_body_bytes_bucket{" RELU, 7);
    CHECK_EQUAL(value_in(page, "layerd_request_body_bytes_sum{%s}", RELU), 5 * 9 + 10);
    check_histogram(page, "layerd_response_body_bytes_bucket{" RELU, 7);
    CHECK_EQUAL(value_in(page, "layerd_response_body_bytes_bucket{%s,le='100.0'}", RELU), 5);
    daemon_stop(p);
}

Test(metrics, a_dear_call_is_counted_once) {
    process *p = daemon_start(NULL);
    enum { SIZE = 100000 };
    char *body = malloc(2 * SIZE + 16), *out = stpcpy(body, "{\"x\":[1");
    for (int i = 1; i < SIZE; i++)
        out = stpcpy(out, ",1");
    out = stpcpy(out, "]}");
    CHECK_EQUAL(post_bytes(p->caller, "/relu/forward", NULL, body, (size_t)(out - body))->status,
                200);
    const char *page = scrape(p);
    CHECK_EQUAL(value_in(page, "layerd_requests_total{%s,status='200'}", RELU), 1);
    CHECK_EQUAL(value_in(page, "layerd_request_seconds_count{phase='read',%s}", RELU), 1);
    free(body);
    daemon_stop(p);
}

Test(metrics, the_queue_is_told) {
    process *p = daemon_start(OPTIONS("--queue", "0"));
    size_t length = 100000;
    char *body = malloc(length); /* too long to be read where it came in */
    memset(body, ' ', length);
    expect_problem(post_bytes(p->caller, "/relu/forward", NULL, body, length), "overloaded", "");
    free(body);
    const char *page = scrape(p);
    CHECK_EQUAL(value_in(page, "%s", "layerd_queue_refused_total"), 1);
    CHECK_EQUAL(value_in(page, "%s", "layerd_queue_late_total"), 0);
    CHECK_EQUAL(value_in(page, "%s", "layerd_queue_length"), 0);
    CHECK_EQUAL(value_in(page, "%s", "layerd_queue_capacity"), 0);
    CHECK_EQUAL(value_in(page, "layerd_request_seconds_count{phase='read',%s}", RELU), 0);
    daemon_stop(p);
}

Test(metrics, caches_are_told_right_after) {
    process *p = daemon_start(OPTIONS("--cache-budget", "4KiB"));
    char handle[64], target[96];
    CHECK_EQUAL(value_of(p, "layerd_cache_budget_bytes"), 4096);
    snprintf(handle, sizeof handle, "%s", cache_of(post(p->caller, "/relu/forward", "{'x':[1]}")));
    CHECK_EQUAL(value_of(p, "layerd_cache_entries"), 1);
    CHECK_EQUAL(value_of(p, "layerd_cache_given_total"), 1);
    double one = value_of(p, "layerd_cache_bytes");
    CHECK(one > 0 && one < 4096, "%g bytes", one);
    snprintf(target, sizeof target, "/cache/%s",
             cache_of(post(p->caller, "/relu/forward", "{'x':[1]}")));
    CHECK_EQUAL(value_of(p, "layerd_cache_bytes"), 2 * one);
    CHECK_EQUAL(fetch(p->caller, "DELETE", target, NULL)->status, 204);
    CHECK_EQUAL(value_of(p, "layerd_cache_removed_total"), 1);
    expect_json(
        post(p->caller, "/relu/backward?cache=release", "{'dout':[2],'cache':'%s'}", handle),
        "{'dx':[2.0]}");
    CHECK_EQUAL(value_of(p, "layerd_cache_removed_total"), 2);
    CHECK_EQUAL(value_of(p, "layerd_cache_entries"), 0);
    CHECK_EQUAL(value_of(p, "layerd_cache_bytes"), 0);
    for (int i = 0; post(p->caller, "/relu/forward", "{'x':[1]}")->status == 200;)
        cr_assert(++i < 1000);
    CHECK_EQUAL(value_of(p, "layerd_cache_refused_total"), 1);
    CHECK_EQUAL(value_of(p, "layerd_cache_expired_total"), 0);
    daemon_stop(p);
}

Test(metrics, expiry_is_told) {
    process *p = daemon_start(OPTIONS("--cache-lifetime", "50ms"));
    cache_of(post(p->caller, "/relu/forward", "{'x':[1]}"));
    becomes(p, "layerd_cache_expired_total", 1);
    CHECK_EQUAL(value_of(p, "layerd_cache_entries"), 0);
    CHECK_EQUAL(value_of(p, "layerd_cache_given_total"), 1);
    daemon_stop(p);
}

Test(metrics, connections_and_requests_in_flight_rise_and_fall) {
    process *p = daemon_start(NULL);
    becomes(p, "layerd_connections", 1);
    raw r = raw_open(p);
    raw_print(&r, "POST /relu/forward HTTP/1.1\r\nHost: t\r\nContent-Length: 9\r\n\r\n{");
    becomes(p, "layerd_requests_in_flight", 2); /* and the one that asks */
    CHECK_EQUAL(value_of(p, "layerd_connections"), 2);
    raw_close(&r);
    becomes(p, "layerd_requests_in_flight", 1);
    becomes(p, "layerd_connections", 1);
    daemon_stop(p);
}

static int lines_of(const char *text) {
    int lines = 0;
    for (; *text; text++)
        lines += *text == '\n';
    return lines;
}

Test(metrics, odd_paths_make_no_new_series) {
    process *p = daemon_start(NULL);
    fetch(p->caller, "GET", "/nowhere", NULL);
    scrape(p);
    int before = lines_of(scrape(p));
    for (int i = 0; i < 1000; i++) {
        char path[96];
        snprintf(path, sizeof path, i % 2 ? "/%d/forward" : "/relu/%%22%d%%0a%%5c", i);
        fetch(p->caller, "GET", path, NULL);
        caller_forget(p->caller);
    }
    const char *page = scrape(p);
    CHECK_EQUAL(lines_of(page), before);
    CHECK_EQUAL(
        value_in(page, "%s", "layerd_requests_total{layer='',operation='other',status='404'}"),
        1001);
    daemon_stop(p);
}

Test(metrics, the_process_is_told) {
    process *p = daemon_start(NULL);
    const char *page = scrape(p);
    static const char *const names[] = {
        "process_cpu_seconds_total", "process_resident_memory_bytes",
        "process_virtual_memory_bytes", "process_open_fds", "process_max_fds"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        CHECK(value_in(page, "%s", names[i]) > 0, "%s", names[i]);
    double resident = value_in(page, "%s", "process_resident_memory_bytes");
    CHECK(fabs(resident / 1024 - (double)daemon_memory(p, "VmRSS")) < 8192, "%g bytes", resident);
    CHECK_TRUE(value_in(page, "%s", "process_threads") >= 2);
    double age = (double)time(NULL) - value_in(page, "%s", "process_start_time_seconds");
    CHECK(age > -2 && age < 60, "started %g s ago", age);
    CHECK_TRUE(strstr(page, "\nlayerd_build_info{version=\"") != NULL);
    daemon_stop(p);
}

Test(metrics, the_form_is_the_one_that_is_asked_for) {
    static const struct {
        const char *accept, *type;
    } cases[] = {
        {"Accept: */*", "text/plain; version=0.0.4; charset=utf-8"},
        {"Accept: application/*", "text/plain; version=0.0.4; charset=utf-8"},
        {"Accept: application/openmetrics-text;q=0", "text/plain; version=0.0.4; charset=utf-8"},
        {"Accept: application/openmetrics-text;q=0.4,text/plain;q=0.5",
         "text/plain; version=0.0.4; charset=utf-8"},
        {"Accept: application/openmetrics-text",
         "application/openmetrics-text; version=1.0.0; charset=utf-8"},
        {"Accept: application/openmetrics-text;version=1.0.0;q=0.5,text/plain;q=0.2,*/*;q=0.1",
         "application/openmetrics-text; version=1.0.0; charset=utf-8"},
    };
    process *p = daemon_start(NULL);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const answer *a = fetch(p->caller, "GET", "/metrics", HEADERS(cases[i].accept));
        bool open = strstr(cases[i].type, "openmetrics");
        CHECK_TEXT(header_of(a, "Content-Type"), cases[i].type);
        CHECK(!strcmp(a->body + a->length - 6, "# EOF\n") == open, "%s", cases[i].accept);
        CHECK(strstr(a->body, "# TYPE layerd_requests counter\n") ? open : !open, "%s",
              cases[i].accept);
        CHECK_TRUE(strstr(a->body, "\nlayerd_requests_total{"));
    }
    const answer *head = fetch(p->caller, "HEAD", "/metrics", NULL);
    CHECK_EQUAL(head->status, 200);
    CHECK_TEXT(header_of(head, "Content-Type"), cases[0].type);
    CHECK_TRUE(atoi(header_of(head, "Content-Length")) > 1000);
    expect_problem(fetch(p->caller, "POST", "/metrics", NULL), "method_not_allowed", "");
    expect_problem(fetch(p->caller, "GET", "/metrics?a=b", NULL), "invalid_query", "");
    daemon_stop(p);
}
