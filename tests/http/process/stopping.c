/* SIGTERM and SIGINT: what runs is finished, and then it ends. */
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "http/raw.h"

DAEMON_SUITE(stopping);

/* Half of a request, so that it runs until the rest comes. */
static raw begin_slow(const process *p) {
    raw r = raw_open(p);
    raw_print(&r, "POST /relu/forward HTTP/1.1\r\nHost: t\r\nExpect: 100-continue\r\n"
                  "Content-Length: 12\r\n\r\n");
    raw_expect(&r, 100, "");
    raw_print(&r, "{\"x\":[");
    return r;
}

/* Waits until the daemon says on a connection of its own that it drains. */
static void see_draining(process *p) {
    const answer *a;
    double end = clock_now() + 5000;
    do
        a = fetch(p->caller, "GET", "/readyz", NULL);
    while (a->status == 200 && clock_before(end));
    expect_problem(a, "draining", "");
    CHECK_TRUE(atoi(header_of(a, "Retry-After")) >= 1);
}

static void finish_while_stopping(int signal_number) {
    process *p = daemon_start(NULL);
    CHECK_EQUAL(fetch(p->caller, "GET", "/readyz", NULL)->status, 200);
    raw r = begin_slow(p);
    kill(p->pid, signal_number);
    see_draining(p);
    CHECK_EQUAL(fetch(p->caller, "GET", "/healthz", NULL)->status, 200);
    raw_print(&r, "-1,2]}");
    raw_expect(&r, 200, "{\"out\":[0.0,2.0]");
    daemon_wait(p);
    CHECK_TRUE(raw_ended(&r));
    raw_close(&r);
}

Test(stopping, sigterm_lets_a_slow_request_finish) {
    finish_while_stopping(SIGTERM);
}

Test(stopping, sigint_lets_a_slow_request_finish) {
    finish_while_stopping(SIGINT);
}

Test(stopping, new_work_is_refused_while_draining) {
    process *p = daemon_start(NULL);
    raw slow = begin_slow(p);
    kill(p->pid, SIGTERM);
    see_draining(p);
    const answer *a = post(p->caller, "/relu/forward", "{'x':[1]}");
    expect_problem(a, "draining", "");
    CHECK_TRUE(atoi(header_of(a, "Retry-After")) >= 1);
    a = post(p->caller, "/graph", "{'inputs':{'x':[1]},'nodes':[],'keep':['x']}");
    expect_problem(a, "draining", "");
    CHECK_TRUE(atoi(header_of(a, "Retry-After")) >= 1);
    raw_print(&slow, "-1,2]}");
    raw_expect(&slow, 200, "{\"out\":[0.0,2.0]");
    daemon_wait(p);
    raw_close(&slow);
}

static double stop_ms(process *p) {
    double start = clock_now();
    daemon_stop(p);
    return clock_now() - start;
}

/* A balancer that asks /readyz now and then has time to see it, and nothing is lost meanwhile. */
Test(stopping, work_is_taken_for_the_drain_time) {
    process *p = daemon_start(OPTIONS("--drain-time", "1s"));
    double start = clock_now();
    kill(p->pid, SIGTERM);
    see_draining(p);
    for (int i = 0; i < 20; i++) {
        const answer *a = post(p->caller, "/relu/forward", "{'x':[1]}");
        expect_json(a, "{'out':[1.0]}");
        CHECK_TEXT(header_of(a, "Connection"), "close");
        a = post(p->caller, "/graph", "{'inputs':{'x':[1]},'nodes':[],'give':['x']}");
        expect_json(a, "{'results':{'x':[1.0]},'kept':{}}");
        CHECK_TEXT(header_of(a, "Connection"), "close");
        expect_problem(fetch(p->caller, "GET", "/readyz", NULL), "draining", "");
    }
    daemon_wait(p);
    double took = clock_now() - start;
    CHECK(took >= 990 && took < 4000, "%g ms", took);
}

/* The answer is the connection's last, which who sends one request after the other cannot know. */
Test(stopping, an_answer_is_whole_though_more_was_sent) {
    enum { NUMBERS = 150000, MORE = 20000 };
    process *p = daemon_start(OPTIONS("--drain-time", "5s"));
    kill(p->pid, SIGTERM);
    see_draining(p);
    raw r = raw_open(p);
    raw_print(
        &r,
        "POST /relu/forward?cache=none HTTP/1.1\r\nHost: t\r\nContent-Length: %d\r\n\r\n{\"x\":[1",
        2 * NUMBERS + 7);
    for (int i = 1; i < NUMBERS; i++)
        raw_write(&r, ",1", 2);
    raw_write(&r, "]}", 2);
    for (int i = 0; i < MORE; i++)
        if (!raw_post(&r, "/relu/forward", "{'x':[1]}"))
            break;
    raw_answer a = raw_read(&r);
    CHECK_EQUAL(a.status, 200);
    CHECK_EQUAL(a.length, (size_t)4 * NUMBERS + 10);
    raw_close(&r);
    kill(p->pid, SIGTERM);
    daemon_wait(p);
}

Test(stopping, a_second_signal_ends_the_drain_time) {
    process *p = daemon_start(OPTIONS("--drain-time", "1h"));
    kill(p->pid, SIGTERM);
    see_draining(p);
    double took = stop_ms(p);
    CHECK(took < 4000, "%g ms", took);
}

Test(stopping, an_answer_while_draining_ends_its_connection) {
    process *p = daemon_start(NULL);
    raw slow = begin_slow(p), other = raw_open(p);
    kill(p->pid, SIGTERM);
    see_draining(p);
    raw_print(&other, "GET /healthz HTTP/1.1\r\nHost: t\r\n\r\n");
    raw_answer a = raw_read(&other);
    CHECK_EQUAL(a.status, 200);
    CHECK_TRUE(strcasestr(a.head, "\r\nConnection: close\r\n"));
    CHECK_TRUE(raw_ended(&other));
    raw_print(&slow, "-1,2]}");
    raw_expect(&slow, 200, "[0.0,2.0]");
    raw_close(&slow);
    raw_close(&other);
    daemon_wait(p);
}

Test(stopping, an_idle_daemon_ends_at_once) {
    double took = stop_ms(daemon_start(NULL));
    CHECK(took < 2000, "%g ms", took);
}

Test(stopping, idle_connections_do_not_hold_it_up) {
    process *p = daemon_start(NULL);
    CHECK_EQUAL(fetch(p->caller, "GET", "/healthz", NULL)->status, 200);
    raw silent = raw_open(p), half = raw_open(p);
    raw_print(&half, "POST /relu/fo");
    double took = stop_ms(p);
    CHECK(took < 2000, "%g ms", took);
    raw_close(&silent);
    raw_close(&half);
}

Test(stopping, requests_that_were_given_up_do_not_hold_it_up) {
    process *p = daemon_start(OPTIONS("--grace", "5s"));
    for (int i = 0; i < 50; i++) {
        raw r = raw_open(p);
        raw_print(&r, "POST /relu/forward HTTP/1.1\r\nHost: t\r\nContent-Length: 9\r\n\r\n{\"x\"");
        raw_close(&r);
    }
    CHECK_EQUAL(fetch(p->caller, "GET", "/healthz", NULL)->status, 200);
    double took = stop_ms(p);
    CHECK(took < 4000, "%g ms", took);
}

Test(stopping, the_grace_bounds_a_request_that_never_finishes) {
    process *p = daemon_start(OPTIONS("--grace", "300ms"));
    raw r = begin_slow(p);
    double took = stop_ms(p);
    CHECK(took >= 290 && took < 4000, "%g ms", took);
    CHECK_TRUE(raw_ended(&r));
    raw_close(&r);
}

Test(stopping, a_second_signal_stops_at_once) {
    process *p = daemon_start(OPTIONS("--grace", "1h"));
    raw r = begin_slow(p);
    kill(p->pid, SIGTERM);
    see_draining(p);
    double took = stop_ms(p);
    CHECK(took < 4000, "%g ms", took);
    raw_close(&r);
}

Test(stopping, what_is_kept_is_freed) {
    process *p = daemon_start(NULL); /* what is not freed, the leak sanitizer reports */
    for (int i = 0; i < 100; i++)
        cache_of(post(p->caller, "/affine/forward", "{'x':[[%d]],'w':[[1]],'b':[1]}", i));
    for (int i = 0; i < 100; i++)
        CHECK_EQUAL(post(p->caller, "/graph",
                         "{'inputs':{'x':[%d]},'nodes':[{'name':'r','op':'relu/forward','x':'x'}],"
                         "'keep':['x','r.out','r.cache']}",
                         i)
                        ->status,
                    200);
    daemon_stop(p);
}
