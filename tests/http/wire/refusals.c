/* What cannot be taken as HTTP: each gets one answer, whole and readable, and the connection ends.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "http/contract.h"
#include "http/raw.h"

DAEMON_SUITE(refusals);

#define HEALTH "GET /healthz HTTP/1.1\r\nHost: t\r\n\r\n"
#define RELU   "POST /relu/forward?cache=none HTTP/1.1\r\nHost: t\r\n"
#define CHUNKS RELU "Transfer-Encoding: chunked\r\n\r\n"

/* That problem comes, once, with its headers; then the end. */
static void expect_refused(raw *r, const char *code, const char *about) {
    raw_answer a = raw_read(r);
    char expected[64];
    snprintf(expected, sizeof expected, "\"code\":\"%s\"", code);
    CHECK(a.status == contract_status(code) && strstr(a.body, expected), "%.60s: %d %.300s", about,
          a.status, a.body);
    CHECK(strstr(a.head, "Content-Type: application/problem+json") &&
              strstr(a.head, "X-Request-Id: ") && strcasestr(a.head, "Connection: close"),
          "%.60s: %s", about, a.head);
    CHECK(raw_ended(r), "%.60s: more came: %.300s", about, r->length ? r->bytes : "");
}

static void refuse(process *p, const void *bytes, size_t length, const char *code) {
    raw r = raw_open(p);
    raw_write(&r, bytes, length);
    expect_refused(&r, code, bytes);
    raw_close(&r);
    r = raw_open(p); /* behind another request, and a byte at a time */
    raw_print(&r, HEALTH);
    for (size_t i = 0; i < length; i++)
        raw_write(&r, (const char *)bytes + i, 1);
    raw_expect(&r, 200, "ok");
    expect_refused(&r, code, bytes);
    raw_close(&r);
}

Test(refusals, of_heads) {
    static const char *const bad[] = {
        "GET /healthz HTTP/1.1\r\n\r\n", /* no Host: RFC 9112, 3.2 */
        RELU "Content-Length: -1\r\n\r\n",
        RELU "Content-Length: x\r\n\r\n",
        RELU "Content-Length: 9x\r\n\r\n{\"x\":[1]}",
        RELU "Content-Length:\r\n\r\n",
        "\x16\x03\x01\x02\x01\x01 TLS?\r\n\r\n",
        "GET\r\n\r\n",
        "GET /healthz\r\n\r\n",
        "GET /healthz HTTP/9.9\r\n\r\n",
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
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
        "GET /healthz HTTP/1.1\r\nHost: t/u\r\n\r\n",
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
        RELU "Content-Length: 9\r\nContent-Length: 20\r\n\r\n{\"x\":[1]}           ",
        RELU "Content-Length : 9\r\n\r\n{\"x\":[1]}",
        RELU "Content-Length:\r\n 9\r\n\r\n{\"x\":[1]}",
        RELU "Content-Type: text/plain\r\nContent-Type: application/json\r\n\r\n",
        RELU "Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n",
        RELU "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        RELU "Transfer-Encoding:\r\n\r\n0\r\n\r\n",
        RELU "Transfer-Encoding: \x0b"
             "chunked\r\n\r\n0\r\n\r\n",
        "POST /relu/forward HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    };
    process *p = daemon_start(NULL);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        refuse(p, bad[i], strlen(bad[i]), "invalid_request");
    daemon_stop(p);
}

Test(refusals, of_lengths_beyond_all_measure) {
    static const char *const lengths[] = {"18446744073709551615", "18446744073709551616",
                                          "9223372036854775808", "1000000000000000000000000000000"};
    process *p = daemon_start(NULL);
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        char head[256];
        int length = snprintf(head, sizeof head, RELU "Content-Length: %s\r\n\r\n", lengths[i]);
        refuse(p, head, (size_t)length, "body_too_large");
    }
    daemon_stop(p);
}

Test(refusals, of_codings) {
    static const char *const codings[] = {"gzip, chunked", "chunked, identity", "gzip", "identity",
                                          "chunked;q=1"};
    process *p = daemon_start(NULL);
    for (size_t i = 0; i < sizeof codings / sizeof *codings; i++) {
        char head[256];
        int length =
            snprintf(head, sizeof head, RELU "Transfer-Encoding: %s\r\n\r\n0\r\n\r\n", codings[i]);
        refuse(p, head, (size_t)length, "not_implemented");
    }
    daemon_stop(p);
}

Test(refusals, of_chunks) {
    static const char *const bad[] = {
        CHUNKS "x\r\n",
        CHUNKS "-1\r\n",
        CHUNKS "9\r\n{\"x\":[1]}0\r\n\r\n",
        CHUNKS "0x9\r\n{\"x\":[1]}\r\n0\r\n\r\n",
        CHUNKS "+9\r\n{\"x\":[1]}\r\n0\r\n\r\n",
        CHUNKS " 9\r\n{\"x\":[1]}\r\n0\r\n\r\n",
        CHUNKS "9h\r\n{\"x\":[1]}\r\n0\r\n\r\n",
        CHUNKS "9\n{\"x\":[1]}\r\n0\r\n\r\n",
        CHUNKS "9 a\r\n{\"x\":[1]}\r\n0\r\n\r\n",
        CHUNKS "9;a\x01\r\n{\"x\":[1]}\r\n0\r\n\r\n",
        CHUNKS "\r\n{\"x\":[1]}\r\n0\r\n\r\n",
        CHUNKS "9\r\n{\"x\":[1]}\n0\r\n\r\n",
        CHUNKS "9\r\n{\"x\":[1]}\r\n0\r\n\n",
        CHUNKS "9\r\n{\"x\":[1]}\r\n0\r\nno colon\r\n\r\n",
    };
    process *p = daemon_start(NULL);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        refuse(p, bad[i], strlen(bad[i]), "invalid_request");
    refuse(p, CHUNKS "ffffffffffffffffffff\r\n", strlen(CHUNKS) + 22, "body_too_large");
    daemon_stop(p);
}

/* A NUL must not hide what follows it. */
Test(refusals, of_nul_bytes_in_a_head) {
    static const char whole[] = "GET /healthz HTTP/1.1\r\nHost: t\r\nX-Y: ab\r\n\r\n";
    process *p = daemon_start(NULL);
    for (size_t i = 0; i < sizeof whole - 1; i++) {
        char head[sizeof whole];
        memcpy(head, whole, sizeof whole);
        head[i] = '\0';
        raw r = raw_open(p);
        raw_write(&r, head, sizeof whole - 1);
        raw_half_close(&r); /* where it is the last LF that is missing, no more will come */
        raw_answer a = raw_read(&r);
        CHECK(a.status == 400 || (a.status == 0 && i == sizeof whole - 2), "byte %zu: %d", i,
              a.status);
        raw_close(&r);
    }
    daemon_stop(p);
}

/* A HEAD has no body to its answer, not a refused one either. */
Test(refusals, of_a_head_have_no_body) {
    static const char *const bad[] = {"HEAD / HTTP/1.1\r\n\r\n",
                                      "HEAD /healthz HTTP/1.1\r\nHost: a@b\r\n\r\n"};
    process *p = daemon_start(NULL);
    for (int i = 0; i < 2; i++) {
        raw r = raw_open(p);
        raw_print(&r, "%s", bad[i]);
        char bytes[4096];
        size_t length = 0;
        for (ssize_t got; (got = read(r.fd, bytes + length, sizeof bytes - 1 - length)) > 0;)
            length += (size_t)got;
        bytes[length] = '\0';
        CHECK(strstr(bytes, "HTTP/1.1 400 ") == bytes && strstr(bytes, "X-Request-Id: "), "%s",
              bytes);
        CHECK(length > 4 && !strcmp(bytes + length - 4, "\r\n\r\n"), "%s", bytes);
        raw_close(&r);
    }
    daemon_stop(p);
}

/* 16 KiB of headers are taken in any mix. */
Test(refusals, of_headers_by_their_size) {
    static const struct {
        const char *name;
        int lines, length; /* of a value */
        bool good;
    } mixes[] = {
        {"Cookie", 1, 7000, true},   {"Cookie", 1, 7800, true},   {"Cookie", 1, 7900, true},
        {"Cookie", 1, 8000, true},   {"Cookie", 1, 12000, true},  {"Cookie", 1, 15600, true},
        {"Cookie", 1, 16384, true},  {"Cookie", 4, 4000, true},   {"Accept", 1, 16000, true},
        {"X", 1, 16300, true},       {"X", 2700, 1, true},        {"X-Request-Id", 1, 16000, true},
        {"X", 1, 18000, false},      {"Cookie", 1, 20000, false}, {"X", 1, 200000, false},
        {"Cookie", 40, 4000, false}, {"Accept", 2, 10000, false}, {"X", 5000, 1, false},
        {"Accept", 1700, 1, true},
    };
    process *p = daemon_start(NULL);
    char *value = malloc(200001), *text = malloc(400000);
    for (size_t i = 0; i < sizeof mixes / sizeof *mixes; i++) {
        memset(value, 'a', 200000);
        memcpy(value, "*/*,", mixes[i].length > 4 ? 4 : 0);
        value[mixes[i].length] = '\0';
        char *at = text + sprintf(text, "GET /healthz HTTP/1.1\r\nHost: t\r\n");
        for (int k = 0; k < mixes[i].lines; k++)
            at += sprintf(at, "%s:%s\r\n", mixes[i].name, value);
        at += sprintf(at, "\r\n");
        if (!mixes[i].good) {
            raw r = raw_open(p);
            raw_write(&r, text, (size_t)(at - text));
            expect_refused(&r, "headers_too_large", mixes[i].name);
            raw_close(&r);
            continue;
        }
        raw r = raw_open(p);
        for (int k = 0; k < 3; k++) {
            CHECK_TRUE(raw_write(&r, text, (size_t)(at - text)));
            raw_answer a = raw_read(&r);
            CHECK(a.status == 200, "%d %s of %d: %d %s", mixes[i].lines, mixes[i].name,
                  mixes[i].length, a.status, a.body);
        }
        raw_close(&r);
    }
    free(value);
    free(text);
    daemon_stop(p);
}

Test(refusals, of_targets_by_their_length) {
    static char target[200001];
    process *p = daemon_start(NULL);
    for (size_t length = 8000; length <= 200000; length *= 5) {
        memset(target, 'a', length);
        target[0] = '/';
        raw r = raw_open(p);
        raw_print(&r, "GET %.*s", (int)length, target);
        if (length > 8192) {
            expect_refused(&r, "headers_too_large", "target");
        } else {
            raw_print(&r, " HTTP/1.1\r\nHost: t\r\n\r\n");
            raw_expect(&r, 404, "not_found");
        }
        raw_close(&r);
    }
    daemon_stop(p);
}

Test(refusals, of_queries_by_their_keys) {
    process *p = daemon_start(NULL);
    char target[8200] = "GET /healthz?", *at = target + strlen(target);
    for (int i = 0; i < 4000; i++)
        at = stpcpy(at, "a&");
    strcpy(at, " HTTP/1.1\r\nHost: t\r\n\r\n");
    refuse(p, target, strlen(target), "invalid_query");
    daemon_stop(p);
}

/* Two lengths are how requests are smuggled past a proxy. */
Test(refusals, of_a_body_of_two_lengths_read_nothing_behind_it) {
    static const char bad[] =
        RELU "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
             "GET /version HTTP/1.1\r\nHost: t\r\n\r\n";
    process *p = daemon_start(NULL);
    refuse(p, bad, sizeof bad - 1, "invalid_request");
    daemon_stop(p);
}

/* Sends so large a body as a caller does that reads the answer only afterwards. */
static void send_all_and_read(process *p, const char *headers, size_t length, int status) {
    static char piece[1 << 16];
    raw r = raw_open(p);
    raw_print(&r, "POST /relu/forward HTTP/1.1\r\nHost: t\r\n%sContent-Length: %zu\r\n\r\n",
              headers, length);
    memset(piece, ' ', sizeof piece);
    for (size_t sent = 0; sent < length; sent += sizeof piece) {
        size_t left = length - sent;
        CHECK(raw_write(&r, piece, left < sizeof piece ? left : sizeof piece),
              "%s%zu: cut off after %zu", headers, length, sent);
    }
    raw_answer a = raw_read(&r);
    CHECK(a.status == status, "%s%zu: %d %s", headers, length, a.status, a.body);
    CHECK_TRUE(raw_ended(&r));
    raw_close(&r);
}

Test(refusals, reach_who_still_sends) {
    process *p = daemon_start(OPTIONS("--body-limit", "1MiB", "--memory", "2MiB"));
    for (int i = 0; i < 5; i++) {
        send_all_and_read(p, "", (1 << 20) + 1, 413);
        send_all_and_read(p, "", 3 << 20, 413);
        send_all_and_read(p, "", 20 << 20, 413);
        send_all_and_read(p, "no colon\r\n", 1 << 20, 400);
        send_all_and_read(p, "X: a\r\n b\r\n", 20 << 20, 400);
    }
    daemon_stop(p);
}

/* There is no memory for them beside one whose body does not come. */
Test(refusals, for_want_of_memory_reach_who_still_sends) {
    process *p = daemon_start(OPTIONS("--body-limit", "1MiB", "--memory", "1MiB"));
    raw holds = raw_open(p);
    raw_print(&holds, RELU "Content-Length: 1000000\r\n\r\n");
    while (strstr(fetch(p->caller, "GET", "/metrics", NULL)->body, "\nlayerd_memory_bytes 0\n"))
        continue;
    for (int i = 0; i < 20; i++)
        send_all_and_read(p, "", 1000000, 503);
    raw_close(&holds);
    daemon_stop(p);
}

/* There are bounds to it. */
Test(refusals, do_not_read_for_ever) {
    static char piece[1 << 20];
    process *p = daemon_start(OPTIONS("--body-limit", "1KiB"));
    raw r = raw_open(p);
    raw_print(&r, RELU "Content-Length: 1000000000000\r\n\r\n");
    int sent = 0;
    while (sent < 1000 && raw_write(&r, piece, sizeof piece))
        sent++;
    CHECK(sent < 200, "%d MiB were taken", sent);
    raw_close(&r);
    CHECK_EQUAL(fetch(p->caller, "GET", "/healthz", NULL)->status, 200);
    daemon_stop(p);
}
