/* Connections: how many there may be, and how long each may take for what it is at. */
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "../common/clock.h"
#include "raw.h"

DAEMON_SUITE(limits);

#define HEALTH "GET /healthz HTTP/1.1\r\nHost: t\r\n\r\n"

/* Opens a connection and sees that it is served. */
static raw open_served(const process *p) {
    raw r = raw_open(p);
    raw_print(&r, HEALTH);
    raw_expect(&r, 200, "ok");
    return r;
}

/* One connection more is refused with that answer; and taken once another has gone. */
static void expect_full(const process *p, raw *other, int status, const char *code) {
    raw r = raw_open(p);
    raw_answer a = raw_read(&r);
    CHECK_EQUAL(a.status, status);
    CHECK(strstr(a.body, code), "%s", a.body);
    CHECK_TRUE(strstr(a.head, "Retry-After: 1"));
    CHECK_TRUE(strstr(a.head, "X-Request-Id: ") && strstr(a.head, "Server-Timing: read;dur=0"));
    CHECK_TRUE(raw_ended(&r));
    raw_close(&r);
    raw_close(other);
    bool served = false;
    for (double end = clock_now() + 5000; !served && clock_before(end);) {
        raw again = raw_open(p);
        raw_print(&again, HEALTH);
        served = raw_read(&again).status == 200;
        raw_close(&again);
    }
    CHECK_TRUE(served);
}

Test(limits, one_connection_too_many_is_refused) {
    process *p = daemon_start(OPTIONS("--connections", "3"));
    raw r[] = {open_served(p), open_served(p), open_served(p)};
    expect_full(p, &r[1], 503, "\"overloaded\"");
    raw_close(&r[0]);
    raw_close(&r[2]);
    daemon_stop(p);
}

Test(limits, one_connection_too_many_from_an_address_is_refused) {
    process *p = daemon_start(OPTIONS("--address-connections", "2"));
    raw r[] = {open_served(p), open_served(p)};
    expect_full(p, &r[0], 429, "\"rate_limited\"");
    raw_close(&r[1]);
    daemon_stop(p);
}

/* Sends `text`, and then more and more, a byte at a time until the daemon ends the connection. */
static bool is_cut_off(raw *r, const char *text) {
    struct pollfd on = {.fd = r->fd, .events = POLLIN};
    for (double end = clock_now() + 8000; clock_before(end); text += *text != '\0')
        if (!raw_write(r, *text ? text : "1", 1) || poll(&on, 1, 0) > 0)
            return raw_ended(r);
    return false;
}

Test(limits, a_connection_without_a_request_is_closed) {
    process *p = daemon_start(OPTIONS("--idle-time", "300ms"));
    raw silent = raw_open(p), used = open_served(p);
    CHECK_TRUE(raw_ended(&silent));
    CHECK_TRUE(raw_ended(&used));
    raw_close(&silent);
    raw_close(&used);
    daemon_stop(p);
}

Test(limits, headers_that_never_end_are_cut_off) {
    process *p = daemon_start(OPTIONS("--idle-time", "300ms"));
    raw r = raw_open(p);
    CHECK_TRUE(is_cut_off(&r, "GET /healthz HTTP/1.1\r\nHost: t\r\nX: "));
    raw_close(&r);
    CHECK_EQUAL(fetch(p->caller, "GET", "/healthz", NULL)->status, 200);
    daemon_stop(p);
}

Test(limits, a_body_that_comes_too_slowly_is_cut_off) {
    process *p = daemon_start(OPTIONS("--idle-time", "300ms", "--least-rate", "1MiB"));
    raw r = raw_open(p);
    raw_print(&r, "POST /relu/forward HTTP/1.1\r\nHost: t\r\nContent-Length: 100000\r\n\r\n");
    CHECK_TRUE(is_cut_off(&r, "{\"x\":["));
    raw_close(&r);
    daemon_stop(p);
}

Test(limits, chunks_that_come_too_slowly_are_cut_off) {
    process *p = daemon_start(OPTIONS("--idle-time", "300ms", "--least-rate", "1MiB"));
    raw r = raw_open(p);
    raw_print(&r, "POST /relu/forward HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n\r\n"
                  "10000\r\n");
    CHECK_TRUE(is_cut_off(&r, "{\"x\":["));
    raw_close(&r);
    daemon_stop(p);
}

/* A daemon with such a grace stops only once nothing runs any more. */
Test(limits, an_answer_that_is_not_read_is_cut_off) {
    enum { COUNT = 4000000 }; /* more than sockets hold */
    process *p =
        daemon_start(OPTIONS("--idle-time", "300ms", "--least-rate", "100MiB", "--grace", "1h"));
    raw r = raw_open(p);
    char *body = malloc(2 * COUNT + 8);
    cr_assert(body);
    strcpy(body, "{\"x\":[1");
    for (int i = 1; i < COUNT; i++)
        memcpy(body + 5 + 2 * i, ",1", 2);
    strcpy(body + 2 * COUNT + 5, "]}");
    raw_print(&r,
              "POST /relu/forward?cache=none HTTP/1.1\r\nHost: t\r\nContent-Length: %zu\r\n\r\n",
              strlen(body));
    CHECK_TRUE(raw_write(&r, body, strlen(body)));
    free(body);
    CHECK_EQUAL(fetch(p->caller, "GET", "/healthz", NULL)->status, 200);
    daemon_stop(p);
    raw_close(&r);
}

/* "1," takes two bytes, and eight as a number. */
Test(limits, what_would_go_beyond_the_memory_is_refused) {
    enum { COUNT = 300000 };
    process *p = daemon_start(OPTIONS("--memory", "2MiB"));
    char *body = malloc(2 * COUNT + 16);
    cr_assert(body);
    char *at = stpcpy(body, "{\"x\":[1");
    for (int i = 1; i < COUNT; i++)
        at = stpcpy(at, ",1");
    strcpy(at, "]}");
    for (int i = 0; i < 3; i++) {
        const answer *a = post_bytes(p->caller, "/relu/forward", NULL, body, strlen(body));
        expect_problem(a, "overloaded", NULL);
        CHECK_TRUE(atoi(header_of(a, "Retry-After")) >= 1);
        expect_json(post(p->caller, "/relu/forward?cache=none", "{'x':[1]}"), "{'out':[1.0]}");
    }
    free(body);
    daemon_stop(p);
}

Test(limits, a_body_above_the_memory_is_too_large) {
    process *p = daemon_start(OPTIONS("--memory", "1MiB"));
    raw r = raw_open(p);
    raw_print(&r, "POST /relu/forward HTTP/1.1\r\nHost: t\r\nContent-Length: 1048577\r\n\r\n");
    raw_expect(&r, 413, "body_too_large");
    raw_close(&r);
    daemon_stop(p);
}
