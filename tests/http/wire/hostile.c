/* What nobody well-meaning sends: always an answer of the contract, and no memory lost. */
#include <stdlib.h>
#include <string.h>

#include "common/random_bits.h"
#include "http/daemon.h"

DAEMON_SUITE(hostile);

enum {
    RANDOM_BODIES = 4000,
    MUTATIONS = 6000,
    WARM_UP = 500,         /* requests after which memory is looked at first */
    GROWTH_KIB = 32 << 10, /* that memory may grow from there */
    LARGE = 10 << 20,
    FAULTS_SHOWN = 5,
};

static const char *const paths[] = {
    "/affine/forward",     "/affine/backward",   "/relu/forward",    "/relu/backward",
    "/svm/loss",           "/batchnorm/forward", "/dropout/forward", "/softmax/loss",
    "/batchnorm/backward", "/dropout/backward",
};
enum { PATHS = sizeof paths / sizeof *paths };

static const char *const good[] = {
    "{\"x\":[[1,2,3],[4,5,6]],\"w\":[[1,2],[3,4],[5,6]],\"b\":[1,2]}",
    "{\"x\":{\"shape\":[2,3],\"data\":[1,-2.5,3e2,4,NaN,\"-Infinity\"]},\"dtype\":\"float32\"}",
    "{\"x\":[[1,2]],\"gamma\":[1,1],\"beta\":[0,0],\"bn_param\":{\"mode\":\"test\",\"eps\":0.1}}",
    "{\"x\":[1,2,3],\"dropout_param\":{\"p\":0.5,\"mode\":\"train\",\"seed\":42}}",
    "{\"x\":[[1,2,3],[3,2,1]],\"y\":[0,2]}",
    "{\"dout\":[[1,2],[3,4]],\"cache\":\"0123456789abcdef0123456789abcdef\"}",
};
enum { GOOD = sizeof good / sizeof *good };

/* Sends `count` bodies that `make` writes, each of which must be answered as the contract says. */
static void send_many(int count, size_t (*make)(uint64_t *state, int i, char body[512])) {
    process *p = daemon_start(OPTIONS("--cache-lifetime", "1s"));
    uint64_t state = 1;
    long before = 0;
    int faults = 0;
    for (int i = 0; i < count; i++) {
        char body[512];
        size_t length = make(&state, i, body);
        const char *path = paths[random_below(&state, PATHS)];
        const answer *a =
            caller_send(p->caller, &(layerd_message){.path = path, .body = body, .length = length});
        faults += !a || a->status >= 500;
        CHECK(faults > FAULTS_SHOWN || (a && a->status < 500), "body %d: %s%.200s", i,
              p->caller->fault, a ? a->body : "");
        caller_forget(p->caller);
        if (i == WARM_UP)
            before = daemon_memory(p, "VmRSS");
    }
    long growth = daemon_memory(p, "VmRSS") - before;
    CHECK(faults == 0, "%d of %d answers break the contract", faults, count);
    CHECK(growth < GROWTH_KIB, "memory grew by %ld KiB", growth);
    CHECK_EQUAL(fetch(p->caller, "GET", "/healthz", NULL)->status, 200);
    daemon_stop(p);
}

static size_t random_body(uint64_t *state, int i, char body[512]) {
    static const char json[] = "{}[]:,\"\\ \n0123456789.-+eEtruefalsnlNaIiy/xwbd";
    size_t length = random_below(state, 512);
    for (size_t k = 0; k < length; k++)
        body[k] = i % 2 ? json[random_below(state, sizeof json)] : (char)random_bits(state);
    return length;
}

Test(hostile, random_bodies) {
    send_many(RANDOM_BODIES, random_body);
}

static size_t mutate(uint64_t *state, char *body, size_t length) {
    if (length == 0)
        return 0;
    size_t at = random_below(state, length);
    switch (random_below(state, 5)) {
    case 0: /* a bit */
        body[at] ^= (char)(1 << random_below(state, 8));
        return length;
    case 1: /* a byte less */
        memmove(body + at, body + at + 1, length - at - 1);
        return length - 1;
    case 2: /* a byte more, mostly one that JSON has */
        memmove(body + at + 1, body + at, length - at);
        body[at] = "[]{},:\"0-9eN\\\0\xff "[random_below(state, 16)];
        return length + 1;
    case 3: /* cut off */
        return at + 1;
    default: /* a piece twice */
        if (length - at > 24)
            memmove(body + at + 12, body + at, length - at);
        return length - at > 24 ? length + 12 : length;
    }
}

static size_t mutated_body(uint64_t *state, int i, char body[512]) {
    const char *from = good[i % GOOD];
    size_t length = strlen(from);
    memcpy(body, from, length);
    for (uint64_t n = 1 + random_below(state, 4); n > 0; n--)
        length = mutate(state, body, length);
    return length;
}

Test(hostile, mutated_bodies) {
    send_many(MUTATIONS, mutated_body);
}

/* A body of `start`, LARGE times the pattern, and `end`. */
static const answer *send_large(caller *caller, const char *start, const char *pattern,
                                const char *end) {
    size_t length = strlen(start), step = strlen(pattern);
    char *body = malloc(LARGE + 256);
    cr_assert(body);
    strcpy(body, start);
    for (; length + step < LARGE; length += step)
        memcpy(body + length, pattern, step);
    strcpy(body + length, end);
    const answer *a = post_bytes(caller, "/relu/forward", NULL, body, length + strlen(end));
    free(body);
    return a;
}

Test(hostile, large_bodies_of_one_thing) {
    static const char *const shapes[][4] = {
        {"", "7", "", "number_out_of_range"},
        {"{\"x\":", "7", "}", "number_out_of_range"},
        {"{\"x\":[", "7", "]}", "number_out_of_range"},
        {"{\"x\":1e", "7", "}", "number_out_of_range"},
        {"{\"x\":1e-", "7", "}", NULL},
        {"{\"x\":0.", "3", "}", NULL},
        {"{\"x\":\"", "a", "\"}", NULL},
        {"{\"", "k", "\":1}", NULL},
        {"", "[", "", NULL},
        {"", "{\"a\":", "", NULL},
        {"{\"x\":[", "[],", "[]]}", NULL},
        {"{\"x\":[", "[1],", "2]}", "ragged_array"},
        {"", " ", "", NULL},
        {"", "\n", "", NULL},
        {"{\"x\":[", "\"\\u0000\",", "1]}", "wrong_type"},
        {"{\"x\":1", ",\"x\":1", "}", NULL},
        {"", "\xf0\x9f\x98\x80", "", NULL},
    };
    process *p = daemon_start(NULL);
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
        const answer *a = send_large(p->caller, shapes[i][0], shapes[i][1], shapes[i][2]);
        if (shapes[i][3])
            expect_problem(a, shapes[i][3], NULL);
        CHECK(a->status < 500, "%s: %d", shapes[i][1], a->status);
        CHECK(a->length < LARGE * 3, "%s: an answer of %zu bytes", shapes[i][1], a->length);
        caller_forget(p->caller);
    }
    CHECK_EQUAL(fetch(p->caller, "GET", "/healthz", NULL)->status, 200);
    daemon_stop(p);
}

Test(hostile, deep_bodies) {
    enum { DEPTH = 100000 };
    process *p = daemon_start(NULL);
    char *lists = malloc(DEPTH + 16), *objects = malloc(5 * DEPTH + 1), *out = objects;
    cr_assert(lists && objects);
    sprintf(lists, "{\"x\":");
    memset(lists + 5, '[', DEPTH);
    for (int i = 0; i < DEPTH; i++)
        out += sprintf(out, "{\"a\":");
    expect_problem(post_bytes(p->caller, "/relu/forward", NULL, lists, DEPTH + 5), "invalid_shape",
                   "/x");
    CHECK_TRUE(post_bytes(p->caller, "/relu/forward", NULL, lists + 5, DEPTH)->status < 500);
    const answer *a = post_bytes(p->caller, "/relu/forward", NULL, objects, 5 * DEPTH);
    CHECK(a->status == 400 || a->status == 413, "%d %.200s", a->status, a->body);
    CHECK_EQUAL(fetch(p->caller, "GET", "/healthz", NULL)->status, 200);
    free(lists);
    free(objects);
    daemon_stop(p);
}

/* A pointer or a sentence that would quote half a character must still be one. */
Test(hostile, names_are_cut_between_characters) {
    process *p = daemon_start(NULL);
    for (int shift = 0; shift < 4; shift++) {
        char name[301];
        memset(name, 'a', (size_t)shift);
        for (int i = shift; i + 2 < 300; i += 2)
            memcpy(name + i, "\xc3\xa9", 3);
        expect_problem(post(p->caller, "/relu/forward", "{'x':1,'%s':1}", name), "unknown_field",
                       NULL);
        expect_problem(post(p->caller, "/relu/forward", "{'%s':[1,[2]]}", name), "unknown_field",
                       NULL);
        expect_problem(post(p->caller, "/relu/forward", "{'x':1,'dtype':'%s'}", name),
                       "invalid_param", "/dtype");
    }
    daemon_stop(p);
}

Test(hostile, names_that_are_not_utf8_are_answered) {
    process *p = daemon_start(NULL);
    expect_problem(post(p->caller, "/relu/forward", "{'\xff':1}"), "invalid_json", NULL);
    CHECK_TRUE(post(p->caller, "/relu/forward", "{'\xff':[1,[2]]}")->status >= 400);
    CHECK_TRUE(post(p->caller, "/relu/forward", "{'\xff':[1e999]}")->status >= 400);
    daemon_stop(p);
}
