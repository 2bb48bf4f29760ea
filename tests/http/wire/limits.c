/* Connections: how many there may be, and how long each may take for what it is at. */
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "common/clock.h"
#include "http/raw.h"

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

/* The answer is there before the request is, and stays until it can be read. */
Test(limits, who_is_refused_while_sending_gets_the_answer) {
    static const char piece[10000];
    process *p = daemon_start(OPTIONS("--connections", "1"));
    raw served = open_served(p), r = raw_open(p);
    raw_print(&r, "POST /relu/forward HTTP/1.1\r\nHost: t\r\nContent-Length: 100000\r\n\r\n");
    CHECK_EQUAL(poll(&(struct pollfd){.fd = r.fd, .events = POLLIN}, 1, 5000), 1);
    for (int i = 0; i < 10; i++) {
        clock_pause();
        CHECK_TRUE(raw_write(&r, piece, sizeof piece));
    }
    raw_expect(&r, 503, "\"overloaded\"");
    raw_close(&r);
    raw_close(&served);
    daemon_stop(p);
}

Test(limits, one_connection_too_many_from_an_address_is_refused) {
    process *p = daemon_start(OPTIONS("--address-connections", "2"));
    raw r[] = {open_served(p), open_served(p)};
    expect_full(p, &r[0], 429, "\"rate_limited\"");
    raw_close(&r[1]);
    daemon_stop(p);
}

/* IPv4 addresses count one by one, also where they come as IPv6. */
Test(limits, addresses_count_each_for_itself) {
    process *p = daemon_start(OPTIONS("--listen", "[::]:0", "--address-connections", "1"));
    static const char *const addresses[] = {"127.0.0.1", "127.0.0.2", "127.0.0.1"};
    strcpy(p->address, "127.0.0.1");
    raw r[3];
    for (int i = 0; i < 3; i++) {
        r[i] = raw_open_from(p, addresses[i]);
        raw_print(&r[i], HEALTH);
        raw_expect(&r[i], i < 2 ? 200 : 429, i < 2 ? "ok" : "rate_limited");
    }
    for (int i = 0; i < 3; i++)
        raw_close(&r[i]);
    daemon_stop(p);
}

/* The daemon takes 64 of its descriptors for itself. */
Test(limits, connections_are_no_more_than_descriptors) {
    enum { DESCRIPTORS = 116, OWN = 32 + 2 * 2 + 64 /* connections that were refused */ };
    const struct rlimit limit = {DESCRIPTORS, DESCRIPTORS};
    setrlimit(RLIMIT_NOFILE, &limit);
    process *p = daemon_start(OPTIONS("--threads", "1", "--connections", "200"));
    raw r[DESCRIPTORS - OWN];
    for (int i = 0; i < DESCRIPTORS - OWN; i++)
        r[i] = open_served(p);
    expect_full(p, &r[0], 503, "\"overloaded\"");
    for (int i = 1; i < DESCRIPTORS - OWN; i++)
        raw_close(&r[i]);
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

/* The length that was said must not buy time: it holds memory. */
Test(limits, a_large_body_that_does_not_come_is_cut_off) {
    process *p = daemon_start(OPTIONS("--idle-time", "300ms"));
    raw r = raw_open(p);
    raw_print(&r, "POST /relu/forward HTTP/1.1\r\nHost: t\r\nContent-Length: 50000000\r\n\r\n");
    raw_print(&r, "{\"x\":[%0*d", 1000000, 1);
    CHECK_TRUE(raw_ended(&r));
    raw_close(&r);
    daemon_stop(p);
}

/* A daemon with such a grace stops only once nothing runs any more. */
static void leave_unread(const char *least_rate) {
    enum { COUNT = 4000000 }; /* more than sockets hold */
    process *p =
        daemon_start(OPTIONS("--idle-time", "300ms", "--least-rate", least_rate, "--grace", "1h"));
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

Test(limits, an_answer_that_is_read_too_slowly_is_cut_off) {
    leave_unread("100MiB");
}

Test(limits, an_answer_that_is_not_read_is_cut_off_at_any_rate) {
    leave_unread("1");
}

/* Whether all is given back, as /metrics says. */
static bool holds_nothing(process *p) {
    const answer *a;
    double end = clock_now() + 5000;
    do
        a = fetch(p->caller, "GET", "/metrics", NULL);
    while (!strstr(a->body, "\nlayerd_memory_bytes 0\n") && clock_before(end));
    return strstr(a->body, "\nlayerd_memory_bytes 0\n");
}

/* Requests that end in each way that there is. */
Test(limits, memory_is_given_back_on_every_way) {
    static const char *const texts[] = {
        "POST /relu/forward HTTP/1.1\r\nHost: t\r\nContent-Length: 900000\r\n\r\n{\"x\":[",
        "POST /relu/forward HTTP/1.1\r\nHost: t\r\nContent-Length: 1100000\r\n\r\n{\"x\":[",
        "POST /relu/forward HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{\"x\":",
        "POST /relu/forward HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        "POST /nowhere HTTP/1.1\r\nHost: t\r\nContent-Length: 5\r\n\r\n{\"x\":",
        "POST /relu/forward HTTP/1.1\r\nHost: t\r\nContent-Length: 5\r\n\r\n{\"x\":",
        "POST /relu/forward HTTP/1.1\r\nHost: t\r\nContent-Length: 11\r\n\r\n{\"x\":[1,2]}",
        "GET /healthz HTTP/1.1\r\nHost: t\r\nContent-Length: 5\r\n\r\n{\"x\":",
    };
    process *p = daemon_start(OPTIONS("--memory", "1MiB"));
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        raw r = raw_open(p);
        raw_print(&r, "%s", texts[i]);
        CHECK_EQUAL(fetch(p->caller, "GET", "/healthz", NULL)->status, 200);
        raw_close(&r);
        CHECK(holds_nothing(p), "%s", texts[i]);
    }
    daemon_stop(p);
}

/* Its room doubles as it comes: there is enough for the body, and not to read it as well. */
Test(limits, a_chunked_body_beyond_the_memory_is_refused) {
    enum { CHUNK = 90000 };
    process *p = daemon_start(OPTIONS("--memory", "1MiB"));
    raw r = raw_open(p);
    for (int chunks = 10; chunks <= 12; chunks += 2) { /* below the memory, and beyond */
        raw_print(&r, "POST /relu/forward HTTP/1.1\r\nHost: t\r\n"
                      "Transfer-Encoding: chunked\r\n\r\n6\r\n{\"x\":[\r\n");
        for (int i = 0; i < chunks; i++) {
            raw_print(&r, "%x\r\n", CHUNK);
            for (int k = 0; k < CHUNK; k += 10)
                raw_print(&r, "1,1,1,1,1,");
            raw_print(&r, "\r\n");
        }
        raw_print(&r, "3\r\n1]}\r\n0\r\n\r\n");
        raw_expect(&r, chunks == 10 ? 503 : 413, chunks == 10 ? "no memory" : "body_too_large");
    }
    raw_print(&r, HEALTH);
    raw_expect(&r, 200, "ok");
    raw_close(&r);
    CHECK_TRUE(holds_nothing(p));
    daemon_stop(p);
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
