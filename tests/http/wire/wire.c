/* HTTP on the wire: keep-alive, pipelining, chunks, 100 Continue. */
#include <stdlib.h>
#include <string.h>

#include "http/raw.h"

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

/* A loss of so many scores: each of them but the first adds 1 - `score`. */
static char *put_loss(char *at, int scores, int score) {
    static const char tail[] = "]],\"y\":[0]},\"nodes\":[{\"name\":\"l\",\"op\":\"svm/loss\","
                               "\"x\":\"x\",\"y\":\"y\"}],\"give\":[\"l.loss\"]}";
    char start[64];
    int length = sprintf(start, "{\"inputs\":{\"x\":[[%d", score);
    at += sprintf(at, "POST /graph HTTP/1.1\r\nHost: t\r\nContent-Length: %zu\r\n\r\n%s",
                  (size_t)length + 2 * (size_t)(scores - 1) + sizeof tail - 1, start);
    for (int i = 1; i < scores; i++)
        at = stpcpy(at, ",0");
    return stpcpy(at, tail);
}

Test(wire, large_bodies_may_be_pipelined) {
    static const int scores[] = {40000, 100000, 20000, 9, 150000, 30000};
    enum { COUNT = sizeof scores / sizeof *scores, TEXT = 1 << 20 };
    process *p = daemon_start(NULL);
    raw r = raw_open(p);
    char *text = malloc(TEXT), *at = text, words[64];
    cr_assert(text);
    for (int i = 0; i < COUNT; i++)
        at = put_loss(at, scores[i], -i);
    cr_assert(raw_write(&r, text, (size_t)(at - text)));
    for (int i = 0; i < COUNT; i++) {
        snprintf(words, sizeof words, "\"l.loss\":%d.0}", (i + 1) * (scores[i] - 1));
        raw_expect(&r, 200, words);
    }
    free(text);
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

/* What a request says once does not depend on how it is written. */
Test(wire, spaces_and_case_of_headers_mean_nothing) {
    process *p = daemon_start(NULL);
    raw r = raw_open(p);
    static const char *const heads[] = {
        "POST /relu/forward HTTP/1.1\r\nhost:t\r\ncontent-length:9\r\n\r\n",
        "POST /relu/forward HTTP/1.1\r\nHOST: \t t \t \r\nContent-LENGTH:   9  \r\n\r\n",
        "\r\n\r\nPOST /relu/forward HTTP/1.1\r\nHost: t \r\nX: y \r\nContent-Length: 09\t\r\n\r\n",
        "POST /relu/forward HTTP/1.1\r\nHost:t\r\nContent-Length:9\r\nAccept: */* \r\n\r\n",
        "POST /relu/forward HTTP/1.9\r\nHost: t\r\nContent-Length: 9\r\nX-Empty:\r\n\r\n",
    };
    for (size_t i = 0; i < sizeof heads / sizeof *heads; i++) {
        raw_print(&r, "%s{\"x\":[1]}", heads[i]);
        raw_expect(&r, 200, "[1.0]");
    }
    raw_print(&r, RELU
              "Transfer-Encoding: , ChunKed ,\r\n\r\n09 ; a=\"b\" \r\n{\"x\":[1]}\r\n0\r\n\r\n");
    raw_expect(&r, 200, "[1.0]");
    raw_print(&r, "GET /healthz HTTP/1.1\r\nHost: t\r\nConnection: x, Close\r\n\r\n");
    raw_expect(&r, 200, "ok");
    CHECK_TRUE(raw_ended(&r));
    raw_close(&r);
    daemon_stop(p);
}

Test(wire, options_of_the_server_are_told) {
    process *p = daemon_start(NULL);
    raw r = raw_open(p);
    raw_print(&r, "OPTIONS * HTTP/1.1\r\nHost: t\r\n\r\n");
    raw_answer a = raw_read(&r);
    CHECK_EQUAL(a.status, 204);
    CHECK_TRUE(strstr(a.head, "\r\nAllow: GET, HEAD, POST, DELETE\r\n"));
    raw_print(&r, "GET * HTTP/1.1\r\nHost: t\r\n\r\n");
    raw_expect(&r, 404, "not_found");
    raw_print(&r, "OPTIONS / HTTP/1.0\r\n\r\n"); /* as HAProxy asks */
    a = raw_read(&r);
    CHECK_EQUAL(a.status, 204);
    CHECK_TRUE(strstr(a.head, "\r\nAllow: GET, HEAD\r\n"));
    CHECK_TRUE(raw_ended(&r));
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

Test(wire, a_target_may_name_the_host_too) {
    process *p = daemon_start(NULL);
    raw r = raw_open(p);
    raw_print(&r, "GET http://t/healthz HTTP/1.1\r\nHost: t\r\n\r\n");
    raw_expect(&r, 200, "ok");
    raw_print(&r, "GET HTTPS://t/healthz HTTP/1.1\r\nHost: t\r\n\r\n");
    raw_expect(&r, 200, "ok");
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
