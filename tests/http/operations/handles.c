/* The life of a cache handle. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/clock.h"
#include "common/threads.h"
#include "http/daemon.h"

DAEMON_SUITE(handles);

/* Keeps a copy of the handle of a forward call of relu, whose mask is [0, 1]. */
static void relu_handle(caller *caller, char handle[128]) {
    snprintf(handle, 128, "%s", cache_of(post(caller, "/relu/forward", "{'x':[-1,1]}")));
}

static const answer *relu_backward(caller *caller, const char *handle, const char *query) {
    char target[64];
    snprintf(target, sizeof target, "/relu/backward%s", query);
    return post(caller, target, "{'dout':[3,4],'cache':'%s'}", handle);
}

static const answer *info(caller *caller, const char *method, const char *handle) {
    char target[256];
    snprintf(target, sizeof target, "/cache/%.200s", handle);
    return fetch(caller, method, target, NULL);
}

Test(handles, are_url_safe_and_have_128_bits) {
    process *p = daemon_start(NULL);
    char handle[128];
    relu_handle(p->caller, handle);
    size_t safe =
        strspn(handle, "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-_~.");
    CHECK_EQUAL(safe, strlen(handle));
    CHECK(strlen(handle) >= 22, "%s cannot hold 128 bits", handle);
    daemon_stop(p);
}

Test(handles, can_be_used_many_times_and_from_several_connections) {
    process *p = daemon_start(NULL);
    char handle[128];
    relu_handle(p->caller, handle);
    caller *other = caller_open(p->url);
    for (int i = 0; i < 20; i++)
        expect_json(relu_backward(i % 2 ? other : p->caller, handle, ""), "{'dx':[0.0,4.0]}");
    caller_close(other);
    daemon_stop(p);
}

static void use_concurrently(void *context, int number, char fault[FAULT_TEXT]) {
    const char *const *shared = context; /* the daemon's URL, a handle */
    caller *c = caller_open(shared[0]);
    for (int i = 0; i < 50 && !*fault; i++) {
        char want[64];
        const answer *a =
            caller_post(c, "/relu/backward", "{'dout':[9,%d.5],'cache':'%s'}", number, shared[1]);
        snprintf(want, sizeof want, "{\"dx\":[0.0,%d.5]}\n", number);
        if (!a || strcmp(a->body, want) != 0)
            snprintf(fault, FAULT_TEXT, "%.200s %.200s", c->fault, a ? a->body : "");
    }
    caller_close(c);
}

Test(handles, can_be_used_concurrently) {
    process *p = daemon_start(NULL);
    char handle[128];
    relu_handle(p->caller, handle);
    threads_run(16, use_concurrently, (const char *[]){p->url, handle});
    daemon_stop(p);
}

/* Seconds since 1970 of an RFC 3339 time in UTC; NAN for any other text. */
static double time_of(const char *text) {
    struct tm utc = {0};
    double fraction = 0;
    const char *rest = strptime(text, "%Y-%m-%dT%H:%M:%S", &utc);
    int used = 0;
    if (rest && *rest == '.' && sscanf(rest, "%lf%n", &fraction, &used) == 1)
        rest += used;
    return rest && !strcmp(rest, "Z") ? (double)timegm(&utc) + fraction : NAN;
}

Test(handles, tell_what_they_stand_for) {
    process *p = daemon_start(OPTIONS("--cache-lifetime", "10min"));
    const answer *a =
        post(p->caller, "/affine/forward", "{'x':[[1,2]],'w':[[1],[2]],'b':[0],'dtype':'float32'}");
    a = info(p->caller, "GET", cache_of(a));
    CHECK_EQUAL(a->status, 200);
    CHECK_EQUAL(json_object_size(a->json), 5);
    CHECK_TEXT(text_at(a, "layer"), "affine");
    CHECK_TEXT(text_at(a, "dtype"), "float32");
    CHECK_TRUE(json_is_integer(json_at(a->json, "bytes")));
    CHECK(number_at(a, "bytes") >= 4 * sizeof(float) && number_at(a, "bytes") < 4096, "%s",
          a->body);
    double created = time_of(text_at(a, "created")), expires = time_of(text_at(a, "expires"));
    CHECK(fabs(created - (double)time(NULL)) < 30, "%s", a->body);
    CHECK(fabs(expires - created - 600) < 30, "%s", a->body);
    daemon_stop(p);
}

Test(handles, keep_one_bit_an_element_for_relu) {
    process *p = daemon_start(NULL);
    static char body[2 * 64000 + 16] = "{\"x\":[1";
    for (char *out = body + strlen(body); out < body + 7 + 2 * 63999; out += 2)
        memcpy(out, ",1", 2);
    strcat(body, "]}");
    const answer *a = post_bytes(p->caller, "/relu/forward", NULL, body, strlen(body));
    a = info(p->caller, "GET", cache_of(a));
    CHECK(number_at(a, "bytes") >= 8000 && number_at(a, "bytes") < 9000, "%s", a->body);
    daemon_stop(p);
}

Test(handles, are_gone_once_deleted) {
    process *p = daemon_start(NULL);
    char handle[128];
    relu_handle(p->caller, handle);
    CHECK_EQUAL(info(p->caller, "DELETE", handle)->status, 204);
    expect_problem(info(p->caller, "DELETE", handle), "unknown_cache", "");
    expect_problem(info(p->caller, "GET", handle), "unknown_cache", "");
    expect_problem(relu_backward(p->caller, handle, ""), "unknown_cache", "/cache");
    daemon_stop(p);
}

Test(handles, are_not_given_where_none_is_asked_for) {
    process *p = daemon_start(OPTIONS("--cache-budget", "0"));
    CHECK_TEXT(post(p->caller, "/relu/forward?cache=none", "{'x':[1]}")->body, "{\"out\":[1.0]}\n");
    expect_problem(post(p->caller, "/relu/forward", "{'x':[1]}"), "cache_full", NULL);
    daemon_stop(p);
}

Test(handles, are_released_after_use_where_asked) {
    process *p = daemon_start(NULL);
    char handle[128];
    relu_handle(p->caller, handle);
    expect_json(relu_backward(p->caller, handle, "?cache=release"), "{'dx':[0.0,4.0]}");
    expect_problem(relu_backward(p->caller, handle, "?cache=release"), "unknown_cache", "/cache");
    expect_problem(info(p->caller, "GET", handle), "unknown_cache", "");
    daemon_stop(p);
}

Test(handles, are_not_released_by_a_request_that_failed) {
    process *p = daemon_start(NULL);
    char handle[128];
    relu_handle(p->caller, handle);
    static const char *const failing[] = {"'dout':[1,2,3]",     "'dout':[1,[2]]",
                                          "'dout':[1,1e999]",   "'dout':[1,2],'dtype':'float32'",
                                          "'dout':[1,2],'z':1", "'dout':true",
                                          "'dout':[1,2"};
    for (size_t i = 0; i < sizeof failing / sizeof *failing; i++)
        CHECK_TRUE(
            post(p->caller, "/relu/backward?cache=release", "{'cache':'%s',%s}", handle, failing[i])
                ->status >= 400);
    expect_problem(
        post(p->caller, "/affine/backward?cache=release", "{'cache':'%s','dout':[[1]]}", handle),
        "wrong_cache", "/cache");
    expect_json(relu_backward(p->caller, handle, ""), "{'dx':[0.0,4.0]}");
    daemon_stop(p);
}

Test(handles, expire_without_use) {
    process *p = daemon_start(OPTIONS("--cache-lifetime", "200ms"));
    char handle[128];
    double start = clock_now();
    relu_handle(p->caller, handle);
    bool gone = false;
    while (!gone && clock_before(start + 5000))
        gone = info(p->caller, "GET", handle)->status == 404; /* a look is no use */
    CHECK(gone && clock_now() - start >= 200, "after %g ms", clock_now() - start);
    expect_problem(relu_backward(p->caller, handle, ""), "unknown_cache", "/cache");
    daemon_stop(p);
}

Test(handles, live_longer_with_use) {
    process *p = daemon_start(OPTIONS("--cache-lifetime", "1s"));
    char handle[128];
    relu_handle(p->caller, handle);
    double end = clock_now() + 2500;
    while (clock_before(end)) {
        const answer *a = relu_backward(p->caller, handle, "");
        cr_assert(a->status == 200, "%s", a->body);
        caller_forget(p->caller);
    }
    daemon_stop(p);
}

Test(handles, backward_is_of_the_dtype_of_its_cache) {
    process *p = daemon_start(NULL);
    char handle[128];
    snprintf(handle, sizeof handle, "%s",
             cache_of(post(p->caller, "/relu/forward", "{'x':[1],'dtype':'float32'}")));
    expect_json(post(p->caller, "/relu/backward", "{'dout':[0.10000000001],'cache':'%s'}", handle),
                "{'dx':[0.1]}");
    expect_json(
        post(p->caller, "/relu/backward", "{'dout':[0.1],'cache':'%s','dtype':'float32'}", handle),
        "{'dx':[0.1]}");
    expect_problem(
        post(p->caller, "/relu/backward", "{'dout':[0.1],'cache':'%s','dtype':'float64'}", handle),
        "invalid_param", "/dtype");
    daemon_stop(p);
}

Test(handles, are_never_the_same_and_have_nothing_in_common) {
    enum { COUNT = 2000, PLACES = 22 };
    process *p = daemon_start(NULL);
    static char handles[COUNT][128];
    bool differs[PLACES] = {false};
    for (int i = 0; i < COUNT; i++) {
        relu_handle(p->caller, handles[i]);
        for (int place = 0; place < PLACES; place++)
            differs[place] |= handles[i][place] != handles[0][place];
        caller_forget(p->caller);
    }
    qsort(handles, COUNT, sizeof *handles, (int (*)(const void *, const void *))strcmp);
    for (int i = 1; i < COUNT; i++)
        CHECK_TRUE(strcmp(handles[i - 1], handles[i]) != 0);
    for (int place = 0; place < PLACES; place++)
        CHECK(differs[place], "character %d is the same in all handles", place);
    daemon_stop(p);
}

Test(handles, that_are_malformed_are_unknown) {
    static const char *const malformed[] = {"0",
                                            "zzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzz",
                                            "00000000000000000000000000000000",
                                            "0000000000000000000000000000000",
                                            "000000000000000000000000000000000",
                                            "-1",
                                            "%20",
                                            "..%2f..%2fhealthz",
                                            "00000000000000000000000000000000%00",
                                            "caf%C3%A9"};
    process *p = daemon_start(NULL);
    char huge[4097] = "", real[128];
    memset(huge, 'a', sizeof huge - 1);
    for (size_t i = 0; i < sizeof malformed / sizeof *malformed; i++) {
        expect_problem(info(p->caller, "GET", malformed[i]), "unknown_cache", "");
        expect_problem(info(p->caller, "DELETE", malformed[i]), "unknown_cache", "");
        expect_problem(relu_backward(p->caller, malformed[i], ""), "unknown_cache", "/cache");
    }
    expect_problem(relu_backward(p->caller, huge, ""), "unknown_cache", "/cache");
    expect_problem(relu_backward(p->caller, "", ""), "unknown_cache", "/cache");
    relu_handle(p->caller, real);
    expect_problem(post(p->caller, "/relu/backward", "{'dout':[3,4],'cache':' %s'}", real),
                   "unknown_cache", "/cache");
    for (char *c = real; *c; c++)
        *c = *c >= 'a' && *c <= 'f' ? (char)(*c - 32) : *c;
    if (strpbrk(real, "ABCDEF"))
        expect_problem(relu_backward(p->caller, real, ""), "unknown_cache", "/cache");
    daemon_stop(p);
}

Test(handles, do_not_end_at_a_nul) {
    process *p = daemon_start(NULL);
    char real[128];
    relu_handle(p->caller, real);
    expect_problem(post(p->caller, "/relu/backward", "{'dout':[3,4],'cache':'%s\\u0000'}", real),
                   "unknown_cache", "/cache");
    daemon_stop(p);
}

Test(handles, that_were_given_stay_good_when_the_cache_is_full) {
    enum { MOST = 200 };
    process *p = daemon_start(OPTIONS("--cache-budget", "8KiB", "--cache-lifetime", "1h"));
    static char handles[MOST][128];
    int count = 0;
    const answer *a;
    while ((a = post(p->caller, "/relu/forward", "{'x':[-1,1]}"))->status == 200 && count < MOST)
        snprintf(handles[count++], 128, "%s", cache_of(a));
    CHECK(count > 5 && count < MOST, "%d handles for 8 KiB", count);
    expect_problem(a, "cache_full", "");
    int retry = atoi(header_of(a, "Retry-After"));
    CHECK(retry >= 1 && retry <= 3600, "Retry-After is %d", retry);
    for (int i = 0; i < count; i++)
        expect_json(relu_backward(p->caller, handles[i], ""), "{'dx':[0.0,4.0]}");
    CHECK_EQUAL(post(p->caller, "/relu/forward?cache=none", "{'x':[-1,1]}")->status, 200);
    CHECK_EQUAL(info(p->caller, "DELETE", handles[0])->status, 204);
    CHECK_EQUAL(post(p->caller, "/relu/forward", "{'x':[-1,1]}")->status, 200);
    expect_problem(post(p->caller, "/relu/forward", "{'x':[-1,1]}"), "cache_full", "");
    daemon_stop(p);
}

Test(handles, that_expired_make_room) {
    process *p = daemon_start(OPTIONS("--cache-budget", "2KiB", "--cache-lifetime", "200ms"));
    int given = 0;
    bool refused = false;
    double end = clock_now() + 5000;
    while ((!refused || given == 0) && clock_now() < end) {
        bool good = post(p->caller, "/relu/forward", "{'x':[-1,1]}")->status == 200;
        given = refused ? good : given + good;
        refused = refused || !good;
        clock_pause();
    }
    CHECK(refused && given > 0, "no room again within 5 s");
    daemon_stop(p);
}

Test(handles, are_not_kept_for_requests_that_fail) {
    process *p = daemon_start(OPTIONS("--cache-budget", "2KiB"));
    for (int i = 0; i < 200; i++)
        CHECK_EQUAL(post(p->caller, "/affine/forward", "{'x':[[1]],'w':[[1]],'b':[1,2]}")->status,
                    422);
    CHECK_EQUAL(post(p->caller, "/relu/forward", "{'x':[1]}")->status, 200);
    daemon_stop(p);
}
