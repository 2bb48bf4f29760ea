/* What a caller may do while his request is computed or waits for it. */
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "http/product.h"

DAEMON_SUITE(suspended);

#define HEALTH "GET /healthz HTTP/1.1\r\nHost: t\r\n\r\n"

Test(suspended, requests_behind_it_are_answered_in_order) {
    process *p = daemon_start(OPTIONS("--threads", "1"));
    size_t length;
    char *text = product("cache=none", &length);
    raw r = raw_open(p);
    CHECK_TRUE(raw_write(&r, text, length));
    CHECK_TRUE(raw_print(&r, HEALTH));
    CHECK_TRUE(raw_post(&r, "/relu/forward?cache=none", "{'x':[-1,2]}"));
    free(text);
    raw_expect(&r, 200, "[[1101.0,1101.0,");
    raw_expect(&r, 200, "ok");
    raw_expect(&r, 200, "[0.0,2.0]");
    raw_close(&r);
    daemon_stop(p);
}

Test(suspended, a_request_that_comes_meanwhile_is_answered_after_it) {
    process *p = daemon_start(OPTIONS("--threads", "1"));
    raw r = send_product(p, "cache=none");
    CHECK_EQUAL(fetch(p->caller, "GET", "/healthz", NULL)->status, 200);
    for (int i = 0; i < 3; i++)
        CHECK_TRUE(raw_print(&r, HEALTH));
    raw_expect(&r, 200, "[[1101.0,1101.0,");
    for (int i = 0; i < 3; i++)
        raw_expect(&r, 200, "ok");
    raw_close(&r);
    daemon_stop(p);
}

Test(suspended, the_queue_refuses_after_a_100_continue_too) {
    process *p = daemon_start(OPTIONS("--queue", "0"));
    size_t length;
    char *text = product("cache=none", &length), *body = strstr(text, "\r\n\r\n") + 4;
    size_t body_length = length - (size_t)(body - text);
    raw r = raw_open(p);
    raw_print(&r,
              "POST /affine/forward HTTP/1.1\r\nHost: t\r\nExpect: 100-continue\r\n"
              "Content-Length: %zu\r\n\r\n",
              body_length);
    raw_expect(&r, 100, "");
    CHECK_TRUE(raw_write(&r, body, body_length));
    free(text);
    raw_expect(&r, 503, "--queue");
    raw_print(&r, HEALTH);
    raw_expect(&r, 200, "ok");
    raw_close(&r);
    daemon_stop(p);
}

/* Documents are no operations: whatever comes with the question, they do not wait. */
Test(suspended, documents_are_never_queued) {
    enum { LENGTH = 100000 };
    static const char body[LENGTH];
    process *p = daemon_start(OPTIONS("--queue", "0"));
    raw r = raw_open(p);
    raw_print(&r, "GET /healthz HTTP/1.1\r\nHost: t\r\nContent-Length: %d\r\n\r\n", LENGTH);
    CHECK_TRUE(raw_write(&r, body, LENGTH));
    raw_expect(&r, 200, "ok");
    raw_close(&r);
    daemon_stop(p);
}

static void send_some(const process *p, raw some[], int count) {
    for (int i = 0; i < count; i++)
        some[i] = send_product(p, "cache=none");
    CHECK_EQUAL(fetch(p->caller, "GET", "/healthz", NULL)->status, 200);
}

static void close_some(raw some[], int count) {
    for (int i = 0; i < count; i++)
        raw_close(&some[i]);
}

Test(suspended, the_grace_bounds_what_is_computed) {
    raw some[6];
    process *p = daemon_start(OPTIONS("--threads", "1", "--grace", "1ms"));
    send_some(p, some, 6);
    daemon_stop(p);
    close_some(some, 6);
}

Test(suspended, a_second_signal_does_not_wait_for_what_is_computed) {
    raw some[6];
    process *p = daemon_start(OPTIONS("--threads", "1", "--grace", "1h"));
    send_some(p, some, 6);
    kill(p->pid, SIGTERM);
    while (fetch(p->caller, "GET", "/readyz", NULL)->status == 200)
        caller_forget(p->caller);
    daemon_stop(p);
    close_some(some, 6);
}
