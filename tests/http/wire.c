/* HTTP on the wire: keep-alive, pipelining, chunks, 100 Continue, bad framing. */
#include <string.h>

#include "raw.h"

DAEMON_SUITE(wire);

#define HEALTH "GET /healthz HTTP/1.1\r\nHost: t\r\n\r\n"
#define RELU   "POST /relu/forward?cache=none HTTP/1.1\r\nHost: t\r\n"

Test(wire, a_connection_takes_several_requests) {
    process *p = daemon_start(NULL);
    raw r = raw_open(p);
    for (int i = 0; i < 10; i++) {
        raw_print(&r, HEALTH);
        raw_expect(&r, 200, "ok");
        raw_post(&r, "/relu/forward?cache=none", "{'x':[-1,2]}");
        raw_expect(&r, 200, "{\"out\":[0.0,2.0]}");
    }
    raw_close(&r);
    daemon_stop(p);
}

Test(wire, pipelined_requests_are_answered_in_order) {
    process *p = daemon_start(NULL);
    raw r = raw_open(p);
    raw_print(&r, RELU "Content-Length: 9\r\n\r\n{\"x\":[1]}" HEALTH RELU
                       "Content-Length: 9\r\n\r\n{\"x\":[3]}");
    raw_expect(&r, 200, "[1.0]");
    raw_expect(&r, 200, "ok");
    raw_expect(&r, 200, "[3.0]");
    raw_close(&r);
    daemon_stop(p);
}

Test(wire, many_pipelined_requests_are_answered_in_order) {
    enum { COUNT = 500 };
    process *p = daemon_start(NULL);
    raw r = raw_open(p);
    char words[32], body[32];
    for (int i = 0; i < COUNT; i++) {
        int length = snprintf(body, sizeof body, "{\"x\":%d}", i);
        raw_print(&r, RELU "Content-Length: %d\r\n\r\n%s", length, body);
    }
    for (int i = 0; i < COUNT; i++) {
        snprintf(words, sizeof words, "{\"out\":%d.0}", i);
        raw_expect(&r, 200, words);
    }
    raw_close(&r);
    daemon_stop(p);
}

Test(wire, a_request_may_come_one_byte_at_a_time) {
    static const char text[] = RELU "Content-Length: 12\r\n\r\n{\"x\":[-1,2]}";
    process *p = daemon_start(NULL);
    raw r = raw_open(p);
    for (size_t i = 0; i < sizeof text - 1; i++)
        cr_assert(raw_write(&r, text + i, 1));
    raw_expect(&r, 200, "[0.0,2.0]");
    raw_close(&r);
    daemon_stop(p);
}

Test(wire, bodies_may_come_in_chunks_of_any_size) {
    static const char body[] = "{\"x\":[-1,2,33,444,-5555]}";
    process *p = daemon_start(NULL);
    raw r = raw_open(p);
    for (size_t size = 1; size <= sizeof body; size += 3) {
        raw_print(&r, RELU "Transfer-Encoding: chunked\r\n\r\n");
        for (size_t at = 0; at < sizeof body - 1; at += size) {
            size_t left = sizeof body - 1 - at, length = left < size ? left : size;
            raw_print(&r, "%zx\r\n%.*s\r\n", length, (int)length, body + at);
        }
        raw_print(&r, "0\r\n\r\n");
        raw_expect(&r, 200, "[0.0,2.0,33.0,444.0,0.0]");
    }
    raw_close(&r);
    daemon_stop(p);
}

Test(wire, chunks_may_have_extensions_and_a_trailer) {
    process *p = daemon_start(NULL);
    raw r = raw_open(p);
    raw_print(&r, RELU "Transfer-Encoding: chunked\r\n\r\n"
                       "4;a=b\r\n{\"x\"\r\n5;c\r\n:[1]}\r\n0\r\nX-Late: yes\r\n\r\n" HEALTH);
    raw_expect(&r, 200, "[1.0]");
    raw_expect(&r, 200, "ok");
    raw_close(&r);
    daemon_stop(p);
}

Test(wire, expect_100_continue_is_answered_before_the_body) {
    process *p = daemon_start(NULL);
    raw r = raw_open(p);
    for (int i = 0; i < 3; i++) {
        raw_print(&r, RELU "Expect: 100-continue\r\nContent-Length: 9\r\n\r\n");
        raw_expect(&r, 100, "");
        raw_print(&r, "{\"x\":[1]}");
        raw_expect(&r, 200, "[1.0]");
    }
    raw_close(&r);
    daemon_stop(p);
}

Test(wire, errors_leave_the_connection_good) {
    static const char *const targets[] = {"/nowhere",      "/healthz",       "/relu/forward?foo=1",
                                          "/relu/forward", "/relu/backward", "/cache/0"};
    process *p = daemon_start(NULL);
    raw r = raw_open(p);
    for (size_t i = 0; i < sizeof targets / sizeof *targets; i++) {
        raw_post(&r, targets[i], "{'y':[1,2,3]}");
        raw_answer a = raw_read(&r);
        CHECK(a.status >= 400 && a.status < 500, "%s: %d", targets[i], a.status);
        raw_post(&r, "/relu/forward", "{'x':[1]}");
        raw_expect(&r, 200, "[1.0]");
    }
    raw_close(&r);
    daemon_stop(p);
}

Test(wire, a_large_refused_body_leaves_the_connection_good) {
    process *p = daemon_start(NULL);
    static char body[1 << 20];
    memset(body, '1', sizeof body);
    raw r = raw_open(p);
    raw_print(&r, "POST /nowhere HTTP/1.1\r\nHost: t\r\nContent-Length: %zu\r\n\r\n", sizeof body);
    cr_assert(raw_write(&r, body, sizeof body));
    raw_expect(&r, 404, "not_found");
    raw_print(&r, HEALTH);
    raw_expect(&r, 200, "ok");
    raw_close(&r);
    daemon_stop(p);
}

Test(wire, connections_that_end_in_a_body_harm_nobody) {
    process *p = daemon_start(OPTIONS("--grace", "0ms"));
    for (int i = 0; i < 200; i++) {
        raw r = raw_open(p);
        raw_print(&r, RELU "Content-Length: 1000\r\n\r\n{\"x\":[1,2,");
        raw_close(&r);
    }
    expect_json(post(p->caller, "/relu/forward", "{'x':[1]}"), "{'out':[1.0]}");
    daemon_stop(p);
}

Test(wire, a_half_closed_connection_gets_its_answer_and_is_closed) {
    process *p = daemon_start(NULL);
    raw r = raw_open(p);
    raw_post(&r, "/relu/forward?cache=none", "{'x':[7]}");
    raw_half_close(&r);
    raw_expect(&r, 200, "[7.0]");
    CHECK_TRUE(raw_ended(&r));
    raw_close(&r);
    daemon_stop(p);
}

/* What has been read and waits for its turn is not lost when no more will come. */
Test(wire, a_half_closed_connection_gets_all_its_answers) {
    enum { COUNT = 3000 };
    process *p = daemon_start(NULL);
    for (int round = 0; round < 10; round++) {
        raw r = raw_open(p);
        char text[64 * COUNT] = "", *at = text;
        for (int i = 0; i < COUNT; i++)
            at = stpcpy(at, "GET /healthz HTTP/1.1\r\nHost: t\r\n\r\n");
        raw_write(&r, text, (size_t)(at - text));
        raw_half_close(&r);
        int answers = 0;
        while (answers < COUNT && raw_read(&r).status == 200)
            answers++;
        CHECK_EQUAL(answers, COUNT);
        raw_close(&r);
    }
    daemon_stop(p);
}

Test(wire, connection_close_is_obeyed) {
    process *p = daemon_start(NULL);
    raw r = raw_open(p);
    raw_print(&r, "GET /healthz HTTP/1.1\r\nHost: t\r\nConnection: close\r\n\r\n");
    raw_expect(&r, 200, "ok");
    CHECK_TRUE(raw_ended(&r));
    raw_close(&r);
    daemon_stop(p);
}

Test(wire, http_1_0_is_served) {
    process *p = daemon_start(NULL);
    raw r = raw_open(p);
    raw_print(&r, "GET /healthz HTTP/1.0\r\n\r\n");
    raw_expect(&r, 200, "ok");
    CHECK_TRUE(raw_ended(&r));
    raw_close(&r);
    r = raw_open(p);
    raw_print(&r, "POST /relu/forward HTTP/1.0\r\nContent-Length: 9\r\n\r\n{\"x\":[1]}");
    raw_expect(&r, 200, "[1.0]");
    raw_close(&r);
    daemon_stop(p);
}

/* What is wrong in its framing is refused or cut off, never taken for a request. */
Test(wire, bad_framing_is_refused) {
    static const char *const bad[] = {
        "GET /healthz HTTP/1.1\r\n\r\n", /* no Host: RFC 9112, 3.2 */
        RELU "Content-Length: -1\r\n\r\n",
        RELU "Content-Length: x\r\n\r\n",
        RELU "Content-Length: 9x\r\n\r\n{\"x\":[1]}",
        RELU "Content-Length: 99999999999999999999999\r\n\r\n",
        RELU "Transfer-Encoding: chunked\r\n\r\nx\r\n",
        RELU "Transfer-Encoding: chunked\r\n\r\n-1\r\n",
        RELU "Transfer-Encoding: chunked\r\n\r\n9\r\n{\"x\":[1]}0\r\n\r\n",
        RELU "Transfer-Encoding: chunked\r\n\r\nffffffffffffffffffff\r\n",
        "\x16\x03\x01\x02\x01\x01 TLS?\r\n\r\n",
        "GET\r\n\r\n",
        "GET /healthz\r\n\r\n",
        "GET /healthz HTTP/9.9\r\n\r\n",
        "\r\n\r\n\r\n \r\n\r\n",
        ": \r\n: \r\n\r\n",
        "GET /healthz HTTP/1.1\nHost: t\n\n",
        "GET /healthz HTTP/1.1\r\nHost: t\nX: y\r\n\r\n",
        "GET /healthz HTTP/1.1\r\nHost: t\r\nX: y\r\n\n",
        "GET /healthz HTTP/1.1\r\nHost: t\r\nX: a\r\n b\r\n\r\n",
        "GET /healthz HTTP/1.1\r\n Host: t\r\n\r\n",
        "GET /healthz HTTP/1.1\r\nHost: t\r\nX: a\rContent-Length: 5\r\n\r\n",
        "GET /healthz HTTP/1.1\r\nHost: t\r\nA B: v\r\n\r\n",
        "GET /healthz HTTP/1.1\r\nHost: t\r\nA(: v\r\n\r\n",
        "GET /healthz HTTP/1.1\r\nHost: t\r\nHost: u\r\n\r\n",
        "GET /healthz HTTP/1.1\r\nHost: t\r\nno colon\r\n\r\n",
        "GET  /healthz HTTP/1.1\r\nHost: t\r\n\r\n",
        "GET /health z HTTP/1.1\r\nHost: t\r\n\r\n",
        " GET /healthz HTTP/1.1\r\nHost: t\r\n\r\n",
        "GET\t/healthz\tHTTP/1.1\r\nHost: t\r\n\r\n",
        "GET /healthz HTTP/1.10\r\nHost: t\r\n\r\n",
        "GET /healthz HTTP/2.0\r\nHost: t\r\n\r\n",
        "GET /healthz http/1.1\r\nHost: t\r\n\r\n",
        RELU "Content-Length: +9\r\n\r\n{\"x\":[1]}",
        RELU "Content-Length: 9,9\r\n\r\n{\"x\":[1]}",
        RELU "Content-Length: 9\r\nContent-Length: 9\r\n\r\n{\"x\":[1]}",
        RELU "Content-Length : 9\r\n\r\n{\"x\":[1]}",
        RELU "Content-Length:\r\n 9\r\n\r\n{\"x\":[1]}",
        RELU "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
        RELU "Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n",
        RELU "Transfer-Encoding: \x0b"
             "chunked\r\n\r\n0\r\n\r\n",
        RELU "Transfer-Encoding: chunked\r\n\r\n0x9\r\n{\"x\":[1]}\r\n0\r\n\r\n",
        RELU "Transfer-Encoding: chunked\r\n\r\n+9\r\n{\"x\":[1]}\r\n0\r\n\r\n",
        RELU "Transfer-Encoding: chunked\r\n\r\n 9\r\n{\"x\":[1]}\r\n0\r\n\r\n",
        RELU "Transfer-Encoding: chunked\r\n\r\n9h\r\n{\"x\":[1]}\r\n0\r\n\r\n",
    };
    process *p = daemon_start(NULL);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        raw r = raw_open(p);
        raw_write(&r, bad[i], strlen(bad[i]));
        raw_half_close(&r);
        raw_answer a = raw_read(&r);
        CHECK(a.status == 0 || a.status >= 400, "%.60s: %d %.100s", bad[i], a.status, a.body);
        raw_close(&r);
    }
    CHECK_EQUAL(fetch(p->caller, "GET", "/healthz", NULL)->status, 200);
    daemon_stop(p);
}

/* A NUL must not hide what follows it. (In the place of a CR it hides nothing: a line still ends
 * where it is seen to end, at the LF.) */
Test(wire, nul_bytes_in_a_head_are_refused) {
    static const char whole[] = "GET /healthz HTTP/1.1\r\nHost: t\r\nX-Y: ab\r\n\r\n";
    process *p = daemon_start(NULL);
    for (size_t i = 0; i < sizeof whole - 1; i++) {
        char head[sizeof whole];
        if (whole[i] == '\r')
            continue;
        memcpy(head, whole, sizeof whole);
        head[i] = '\0';
        raw r = raw_open(p);
        raw_write(&r, head, sizeof whole - 1);
        raw_half_close(&r);
        raw_answer a = raw_read(&r);
        CHECK(a.status == 0 || a.status >= 400, "byte %zu: %d", i, a.status);
        raw_close(&r);
    }
    CHECK_EQUAL(fetch(p->caller, "GET", "/healthz", NULL)->status, 200);
    daemon_stop(p);
}

Test(wire, heads_beyond_all_measure_are_refused) {
    enum { LENGTH = 200000 };
    static const char *const starts[] = {"GET /", "GET /healthz HTTP/1.1\r\nHost: t\r\nX: ",
                                         "GET /healthz HTTP/1.1\r\nHost: t\r\nX"};
    static char filler[LENGTH];
    memset(filler, 'a', sizeof filler);
    process *p = daemon_start(NULL);
    for (size_t i = 0; i < sizeof starts / sizeof *starts; i++) {
        raw r = raw_open(p);
        raw_print(&r, "%s", starts[i]);
        raw_write(&r, filler, sizeof filler);
        raw_answer a = raw_read(&r);
        CHECK(a.status == 0 || a.status == 414 || a.status == 431, "%s: %d", starts[i], a.status);
        raw_close(&r);
    }
    CHECK_EQUAL(fetch(p->caller, "GET", "/healthz", NULL)->status, 200);
    daemon_stop(p);
}

Test(wire, a_target_may_name_the_host_too) {
    process *p = daemon_start(NULL);
    raw r = raw_open(p);
    raw_print(&r, "GET http://t/healthz HTTP/1.1\r\nHost: t\r\n\r\n");
    raw_expect(&r, 200, "ok");
    raw_close(&r);
    daemon_stop(p);
}

/* Two lengths are how requests are smuggled past a proxy. */
Test(wire, a_body_of_two_lengths_is_not_read_as_two_requests) {
    process *p = daemon_start(NULL);
    raw r = raw_open(p);
    raw_print(&r, RELU "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
                       "GET /version HTTP/1.1\r\nHost: t\r\n\r\n");
    raw_answer a = raw_read(&r);
    CHECK(a.status == 0 || a.status == 400, "%d %.200s", a.status, a.body);
    raw_close(&r);
    r = raw_open(p);
    raw_print(&r, RELU "Content-Length: 9\r\nContent-Length: 20\r\n\r\n{\"x\":[1]}           ");
    a = raw_read(&r);
    CHECK(a.status == 0 || a.status == 400, "%d %.200s", a.status, a.body);
    raw_close(&r);
    daemon_stop(p);
}

Test(wire, silence_keeps_nobody_else_waiting) {
    enum { SILENT = 300 };
    static raw silent[SILENT];
    process *p = daemon_start(NULL);
    for (int i = 0; i < SILENT; i++) {
        silent[i] = raw_open(p);
        if (i % 2)
            raw_print(&silent[i], "POST /relu/forward HTTP/1.1\r\nHos");
    }
    expect_json(post(p->caller, "/relu/forward", "{'x':[1]}"), "{'out':[1.0]}");
    for (int i = 0; i < SILENT; i++)
        raw_close(&silent[i]);
    daemon_stop(p);
}

/* Exactly as many at once as one look at the events gives: none may be kept waiting for another's.
 */
Test(wire, requests_of_128_connections_at_once_are_all_answered) {
    enum { CONNECTIONS = 128, ROUNDS = 60 };
    static raw r[CONNECTIONS];
    process *p = daemon_start(OPTIONS("--threads", "1"));
    for (int i = 0; i < CONNECTIONS; i++)
        r[i] = raw_open(p);
    for (int round = 0; round < ROUNDS; round++) {
        for (int i = 0; i < CONNECTIONS; i++)
            raw_print(&r[i], HEALTH);
        for (int i = 0; i < CONNECTIONS; i++)
            raw_expect(&r[i], 200, "ok");
    }
    for (int i = 0; i < CONNECTIONS; i++)
        raw_close(&r[i]);
    daemon_stop(p);
}
