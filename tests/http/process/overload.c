/* Dear requests: small ones do not wait for them, and those that are too many are refused at once.
 *
 * Which of two things came first is asked, never how long one took. */
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "http/product.h"

DAEMON_SUITE(overload);

/* Sends both but their last bytes, and then these: the second comes while the first is computed. */
static void send_two(const process *p, raw two[2]) {
    size_t length;
    char *text = product("cache=none", &length);
    for (int i = 0; i < 2; i++) {
        two[i] = raw_open(p);
        cr_assert(raw_write(&two[i], text, length - 1));
    }
    for (int i = 0; i < 2; i++)
        cr_assert(raw_write(&two[i], text + length - 1, 1));
    free(text);
}

Test(overload, health_and_small_calls_do_not_wait_for_a_product) {
    process *p = daemon_start(OPTIONS("--threads", "1"));
    raw r = send_product(p, "cache=none");
    for (int i = 0; i < 10; i++) {
        CHECK_EQUAL(fetch(p->caller, "GET", "/healthz", NULL)->status, 200);
        expect_json(post(p->caller, "/relu/forward?cache=none", "{'x':[-1,2]}"),
                    "{'out':[0.0,2.0]}");
    }
    CHECK_TRUE(!raw_has_answer(&r));
    CHECK_EQUAL(raw_read(&r).status, 200);
    raw_close(&r);
    daemon_stop(p);
}

/* D times `element` as the data of a tensor. */
static char *put_data(char *at, const char *shape, const char *element, int count) {
    at = stpcpy(stpcpy(stpcpy(at, "{\"shape\":"), shape), ",\"data\":[0");
    for (int i = 1; i < count; i++)
        at = stpcpy(at, element);
    return stpcpy(at, "]}");
}

/* Backward of a large cache has a small body and much to do. */
Test(overload, a_dear_call_with_a_small_body_is_right_too) {
    enum { D = 1000000 };
    process *p = daemon_start(OPTIONS("--threads", "1"));
    char *body = malloc(4 * D + 256), *at = body;
    cr_assert(body);
    at = put_data(stpcpy(at, "{\"x\":"), "[1,1000000]", ",1", D);
    at = put_data(stpcpy(at, ",\"w\":"), "[1000000,1]", ",2", D);
    at = stpcpy(at, ",\"b\":[0]}");
    const answer *a = post_bytes(p->caller, "/affine/forward", NULL, body, (size_t)(at - body));
    free(body);
    CHECK_TRUE(strstr(a->body, "\"out\":[[1999998.0]]"));
    a = post(p->caller, "/affine/backward", "{'dout':[[3]],'cache':'%s'}", cache_of(a));
    CHECK_TRUE(strstr(a->body, "{\"dx\":[[0.0,6.0,6.0,"));
    CHECK_TRUE(strstr(a->body, ",6.0,6.0]],\"dw\":[[0.0],[3.0],"));
    CHECK_TRUE(strstr(a->body, ",[3.0],[3.0]],\"db\":[3.0]}"));
    daemon_stop(p);
}

Test(overload, past_the_queue_is_refused_at_once) {
    enum { PRODUCTS = 5 };
    process *p = daemon_start(OPTIONS("--threads", "1", "--queue", "1"));
    raw r[PRODUCTS];
    int served = 0, refused = 0;
    for (int i = 0; i < PRODUCTS; i++)
        r[i] = send_product(p, "cache=none");
    for (int i = 0; i < PRODUCTS; i++) {
        raw_answer a = raw_read(&r[i]);
        served += a.status == 200;
        refused +=
            a.status == 503 && strstr(a.head, "Retry-After: 1") && strstr(a.body, "\"overloaded\"");
        raw_close(&r[i]);
    }
    CHECK_EQUAL(served + refused, PRODUCTS);
    CHECK(served >= 1 && refused >= 1, "%d were served and %d refused", served, refused);
    daemon_stop(p);
}

Test(overload, who_waits_for_too_long_is_refused) {
    process *p = daemon_start(OPTIONS("--threads", "1", "--queue-time", "1ms"));
    raw two[2];
    send_two(p, two);
    int late = 0;
    for (int i = 0; i < 2; i++) { /* either may come first; a busy machine may let both wait */
        raw_answer a = raw_read(&two[i]);
        bool refused = a.status == 503 && strstr(a.body, "--queue-time");
        CHECK(refused || a.status == 200, "%d %.200s", a.status, a.body);
        late += refused;
    }
    CHECK_TRUE(late >= 1);
    raw_close(&two[0]);
    raw_close(&two[1]);
    daemon_stop(p);
}

/* Had it been computed, its cache would leave no room for the next one's. */
static void leave_while_waiting(bool without_a_word) {
    process *p = daemon_start(OPTIONS("--threads", "1", "--cache-budget", "30MiB"));
    raw first = send_product(p, "cache=none"), gone = send_product(p, "tensors=flat");
    const struct linger at_once = {.l_onoff = without_a_word};
    setsockopt(gone.fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    raw_close(&gone);
    CHECK_EQUAL(raw_read(&first).status, 200);
    raw_close(&first);
    raw last = send_product(p, "tensors=flat");
    CHECK_EQUAL(raw_read(&last).status, 200);
    raw_close(&last);
    daemon_stop(p);
}

Test(overload, who_goes_away_while_waiting_costs_nothing) {
    leave_while_waiting(false);
}

Test(overload, who_breaks_off_while_waiting_costs_nothing) {
    leave_while_waiting(true);
}

Test(overload, what_waits_at_sigterm_is_finished) {
    process *p = daemon_start(OPTIONS("--threads", "1"));
    raw r[3];
    for (int i = 0; i < 3; i++)
        r[i] = send_product(p, "cache=none");
    CHECK_EQUAL(raw_read(&r[0]).status, 200); /* the others have been sent for long */
    kill(p->pid, SIGTERM);
    CHECK_EQUAL(raw_read(&r[1]).status, 200);
    CHECK_EQUAL(raw_read(&r[2]).status, 200);
    daemon_wait(p);
    for (int i = 0; i < 3; i++)
        raw_close(&r[i]);
}
