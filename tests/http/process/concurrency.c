/* Many threads at once: every answer is its own request's. */
#include <math.h>
#include <string.h>

#include "common/random_bits.h"
#include "common/threads.h"
#include "http/daemon.h"

DAEMON_SUITE(concurrency);

enum { THREADS = 16, ROUNDS = 40 };

/* Notes what was wrong with an answer that must be that text, save a cache at its end. */
static bool is_answer(const caller *c, const answer *a, const char *want, char fault[FAULT_TEXT]) {
    size_t length = strlen(want);
    if (a && a->status == 200 && !strncmp(a->body, want, length) &&
        (!strcmp(a->body + length, "}\n") || !strncmp(a->body + length, ",\"cache\":\"", 10)))
        return true;
    snprintf(fault, FAULT_TEXT, "%.150s: %.150s, not %.150s", c->fault, a ? a->body : "", want);
    return false;
}

/* The data of a thread's call: no other call has it. */
typedef struct {
    int a, b;
} numbers;

static bool affine(caller *c, numbers n, char fault[FAULT_TEXT]) {
    char want[200];
    const answer *a = caller_post(c, "/affine/forward",
                                  "{'x':[[%d,2]],'w':[[1,0],[%d,1]],'b':[1,%d]}", n.a, n.b, n.a);
    snprintf(want, sizeof want, "{\"out\":[[%d.0,%d.0]]", n.a + 2 * n.b + 1, 2 + n.a);
    if (!is_answer(c, a, want, fault))
        return false;
    a = caller_post(c, "/affine/backward?cache=release", "{'dout':[[1,%d]],'cache':'%s'}", n.b,
                    text_at(a, "cache"));
    snprintf(want, sizeof want,
             "{\"dx\":[[1.0,%d.0]],\"dw\":[[%d.0,%lld.0],[2.0,%d.0]],\"db\":[1.0,%d.0]", 2 * n.b,
             n.a, (long long)n.a * n.b, 2 * n.b, n.b);
    return is_answer(c, a, want, fault);
}

static bool relu(caller *c, numbers n, char fault[FAULT_TEXT]) {
    char want[200];
    const answer *a = caller_post(c, "/relu/forward", "{'x':[%d,-%d,%d]}", n.a, n.a, n.b);
    snprintf(want, sizeof want, "{\"out\":[%d.0,0.0,%d.0]", n.a, n.b);
    if (!is_answer(c, a, want, fault))
        return false;
    a = caller_post(c, "/relu/backward", "{'dout':[%d,5,7],'cache':'%s'}", n.b,
                    text_at(a, "cache"));
    snprintf(want, sizeof want, "{\"dx\":[%d.0,0.0,7.0]", n.b);
    return is_answer(c, a, want, fault);
}

static bool dropout(caller *c, numbers n, char fault[FAULT_TEXT]) {
    char want[200];
    const answer *a = caller_post(c, "/dropout/forward?cache=none",
                                  "{'x':[%d,%d],'dropout_param':{'p':1,'mode':'train','seed':%d}}",
                                  n.a, n.b, n.a);
    snprintf(want, sizeof want,
             "{\"out\":[%d.0,%d.0],\"dropout_param\":{\"p\":1.0,\"mode\":\"train\",\"seed\":%d}",
             n.a, n.b, n.a);
    return is_answer(c, a, want, fault);
}

static bool batchnorm(caller *c, numbers n, char fault[FAULT_TEXT]) {
    char want[200];
    const answer *a = caller_post(c, "/batchnorm/forward?cache=none",
                                  "{'x':[[%d]],'gamma':[3],'beta':[%d],"
                                  "'bn_param':{'mode':'train','momentum':0}}",
                                  n.a, n.b);
    snprintf(want, sizeof want,
             "{\"out\":[[%d.0]],\"bn_param\":{\"mode\":\"train\",\"eps\":1e-05,"
             "\"momentum\":0.0,\"running_mean\":[%d.0],\"running_var\":[0.0]}",
             n.b, n.a);
    return is_answer(c, a, want, fault);
}

static bool svm(caller *c, numbers n, char fault[FAULT_TEXT]) {
    char want[200];
    const answer *a = caller_post(c, "/svm/loss", "{'x':[[%d,0]],'y':[1]}", n.a);
    snprintf(want, sizeof want, "{\"loss\":%d.0,\"dx\":[[1.0,-1.0]]", n.a + 1);
    return is_answer(c, a, want, fault);
}

static bool softmax(caller *c, numbers n, char fault[FAULT_TEXT]) {
    const answer *a = caller_post(c, "/softmax/loss", "{'x':[[%d,0]],'y':[1]}", n.a);
    double want = n.a + log1p(exp(-n.a)), got = a ? number_at(a, "loss") : NAN;
    if (fabs(got - want) <= 1e-12 * want)
        return true;
    snprintf(fault, FAULT_TEXT, "%.200s: loss is %.17g, not %.17g", c->fault, got, want);
    return false;
}

static bool refused(caller *c, numbers n, char fault[FAULT_TEXT]) {
    char pointer[64];
    const answer *a = caller_post(c, "/relu/forward", "{'x%d':1}", n.a);
    snprintf(pointer, sizeof pointer, "/x%d", n.a);
    if (a && a->status == 422 && !strcmp(text_at(a, "pointer"), pointer))
        return true;
    snprintf(fault, FAULT_TEXT, "%.200s: not the error of %s", c->fault, pointer);
    return false;
}

static void mixed(void *context, int number, char fault[FAULT_TEXT]) {
    static bool (*const kinds[])(caller *, numbers, char *) = {affine, relu,    dropout, batchnorm,
                                                               svm,    softmax, refused};
    caller *c = caller_open(context);
    uint64_t state = (uint64_t)number;
    bool good = true;
    for (int i = 0; i < ROUNDS * 7 && good; i++) {
        numbers n = {1 + i * THREADS + number, 1 + (int)random_below(&state, 100000)};
        good = kinds[i % 7](c, n, fault);
        caller_forget(c);
    }
    caller_close(c);
}

Test(concurrency, every_answer_is_its_own_requests) {
    process *p = daemon_start(OPTIONS("--threads", "8"));
    threads_run(THREADS, mixed, p->url);
    daemon_stop(p);
}

Test(concurrency, one_thread_serves_many_connections) {
    process *p = daemon_start(OPTIONS("--threads", "1"));
    threads_run(THREADS, mixed, p->url);
    daemon_stop(p);
}

/* Connections that come and go. */
static void short_lived(void *context, int number, char fault[FAULT_TEXT]) {
    for (int i = 0; i < ROUNDS && !*fault; i++) {
        caller *c = caller_open(context);
        relu(c, (numbers){number + 1, i + 1}, fault);
        caller_close(c);
    }
}

Test(concurrency, connections_may_be_short) {
    process *p = daemon_start(NULL);
    threads_run(THREADS, short_lived, p->url);
    daemon_stop(p);
}

typedef struct {
    const char *url;
    char handles[THREADS][128];
} shared;

/* Each thread deletes its own handle while the others use it: right, or unknown, nothing else. */
static void share(void *context, int number, char fault[FAULT_TEXT]) {
    shared *s = context;
    caller *c = caller_open(s->url);
    char target[192];
    snprintf(target, sizeof target, "/cache/%s", s->handles[number]);
    for (int i = 0; i < ROUNDS * 4 && !*fault; i++) {
        const answer *a = caller_post(c, "/relu/backward", "{'dout':[1,%d],'cache':'%s'}", number,
                                      s->handles[(number + i) % THREADS]);
        char want[64];
        snprintf(want, sizeof want, "{\"dx\":[0.0,%d.0]", number);
        if (!a || a->status != 404)
            is_answer(c, a, want, fault);
        if (i == ROUNDS && !caller_send(c, &(layerd_message){.method = "DELETE", .path = target}))
            snprintf(fault, FAULT_TEXT, "%.200s", c->fault);
    }
    caller_close(c);
}

Test(concurrency, handles_may_be_deleted_while_they_are_used) {
    process *p = daemon_start(OPTIONS("--threads", "4"));
    static shared s;
    s.url = p->url;
    for (int i = 0; i < THREADS; i++)
        snprintf(s.handles[i], sizeof s.handles[i], "%s",
                 cache_of(post(p->caller, "/relu/forward", "{'x':[-1,1]}")));
    threads_run(THREADS, share, &s);
    for (int i = 0; i < THREADS; i++)
        expect_problem(
            post(p->caller, "/relu/backward", "{'dout':[1,1],'cache':'%s'}", s.handles[i]),
            "unknown_cache", "/cache");
    daemon_stop(p);
}

static char same_body[64 << 10], same_want[128 << 10];

static void same(void *context, int number, char fault[FAULT_TEXT]) {
    (void)number;
    caller *c = caller_open(context);
    for (int i = 0; i < 10 && !*fault; i++) {
        const answer *a = caller_post(c, "/softmax/loss", "%s", same_body);
        if (!a || strcmp(a->body, same_want) != 0)
            snprintf(fault, FAULT_TEXT, "%.200s: another answer: %.200s", c->fault,
                     a ? a->body : "");
    }
    caller_close(c);
}

Test(concurrency, the_same_request_gets_the_same_bytes) {
    process *p = daemon_start(OPTIONS("--threads", "4"));
    uint64_t state = 7;
    char *out = same_body + sprintf(same_body, "{\"y\":[0,1,2,3],\"x\":[");
    for (int n = 0; n < 4; n++) {
        out += sprintf(out, "%s[", n ? "," : "");
        for (int i = 0; i < 500; i++)
            out += sprintf(out, "%s%.15g", i ? "," : "",
                           (double)random_below(&state, 1000000007) / 1e8);
        out += sprintf(out, "]");
    }
    sprintf(out, "]}");
    const answer *a = post(p->caller, "/softmax/loss", "%s", same_body);
    CHECK_EQUAL(a->status, 200);
    snprintf(same_want, sizeof same_want, "%s", a->body);
    threads_run(THREADS, same, p->url);
    daemon_stop(p);
}

/* A call of many rows, whose answer is that of its rows one by one. */
enum { LARGE_ROWS = 12, LARGE_COLUMNS = 2000, LARGE_CALLERS = 3, LARGE_CALLS = 4 };

typedef struct {
    const char *url;
    char body[1 << 20], want[1 << 20];
} large_call;

static char *put_row(char *out, uint64_t *state) {
    *out++ = '[';
    for (int i = 0; i < LARGE_COLUMNS; i++)
        out += sprintf(out, "%s%.17g", i ? ", " : "", (double)random_bits(state) * 0x1p-64 - 0.5);
    return out + sprintf(out, "]");
}

static void call_large(void *context, int number, char fault[FAULT_TEXT]) {
    (void)number;
    const large_call *call = context;
    caller *c = caller_open(call->url);
    for (int i = 0; i < LARGE_CALLS && !*fault; i++)
        is_answer(c, caller_post(c, "/relu/forward?cache=none", "%s", call->body), call->want,
                  fault);
    caller_close(c);
}

Test(concurrency, a_large_call_is_the_calls_of_its_rows) {
    static large_call call;
    process *p = daemon_start(OPTIONS("--threads", "4"));
    call.url = p->url;
    uint64_t state = 8;
    char *out = call.body + sprintf(call.body, "{\"x\":["), *want = call.want;
    want += sprintf(want, "{\"out\":[");
    for (int n = 0; n < LARGE_ROWS; n++) {
        char *row = out += sprintf(out, "%s", n ? ",\n" : "");
        out = put_row(out, &state);
        const answer *a = post(p->caller, "/relu/forward?cache=none", "{'x':%s}", row);
        CHECK_EQUAL(a->status, 200);
        want += sprintf(want, "%s%s", n ? "," : "", a->body + strlen("{\"out\":"));
        want -= strlen("}\n"); /* its own */
    }
    sprintf(out, "]}");
    sprintf(want, "]");
    threads_run(LARGE_CALLERS, call_large, &call);
    daemon_stop(p);
}
