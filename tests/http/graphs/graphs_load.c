/* Many graphs at once: handles that go while others use them, and callers with weights of their
 * own. */
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/threads.h"
#include "http/figures.h"
#include "http/kept.h"
#include "http/raw.h"

DAEMON_SUITE(graphs_load);

/* ---- a handle that goes while a graph runs ---------------------------------------------------
 */

enum { SIDE = 700, FEW = 30, MANY = 60, TEXT = 64 << 10 };

/* Keeps the unit matrix. */
static void keep_unit(caller *caller, char handle[128]) {
    char *text = malloc((size_t)SIDE * SIDE * 2 + 64);
    cr_assert(text);
    char *at = text + sprintf(text, "{'shape':[%d,%d],'data':[1", SIDE, SIDE);
    for (int i = 1; i < SIDE * SIDE; i++)
        at = stpcpy(at, i % (SIDE + 1) ? ",0" : ",1");
    strcpy(at, "]}");
    keep_tensor(caller, text, handle);
    free(text);
}

static char *put_vector(char *at, int step) {
    for (int i = 0; i < SIDE; i++)
        at += sprintf(at, "%c%d", i ? ',' : '[', i * step % 10);
    return stpcpy(at, "]");
}

/* The unit matrix to such a power, times a vector, by the handle of the matrix; the result is kept,
 * too. */
static raw send_power(const process *p, const char *handle, int power) {
    char *text = malloc(TEXT), *at = text;
    cr_assert(text);
    at += sprintf(at, "{'inputs':{'w':{'tensor':'%s'},'zero':[0],'b':", handle);
    at = put_vector(at, 0);
    at += sprintf(at, ",'v':{'shape':[%d,1],'data':", SIDE);
    at = put_vector(at, 1);
    at = stpcpy(at, "}},'nodes':[{'name':'n0','op':'relu/forward','x':'w'}");
    for (int i = 1; i < power; i++)
        at += sprintf(at, ",{'name':'n%d','op':'affine/forward','x':'n%d.out','w':'w','b':'b'}", i,
                      i - 1);
    sprintf(at,
            ",{'name':'z','op':'affine/forward','x':'n%d.out','w':'v','b':'zero'}],"
            "'give':['z.out'],'keep':['z.out']}",
            power - 1);
    raw r = raw_open(p);
    cr_assert(raw_post(&r, "/graph", text));
    free(text);
    return r;
}

static void expect_power(raw *r, char kept[128]) {
    for (double end = clock_now() + 30000; !raw_has_answer(r) && clock_before(end);)
        continue;
    raw_answer a = raw_read(r);
    char want[8192], *at = want + sprintf(want, "{\"results\":{\"z.out\":[");
    for (int i = 0; i < SIDE; i++)
        at += sprintf(at, "%s[%d.0]", i ? "," : "", i % 10);
    at = stpcpy(at, "]},\"kept\":{\"z.out\":\"");
    CHECK_EQUAL(a.status, 200);
    CHECK(!strncmp(a.body, want, strlen(want)), "%.300s", a.body);
    snprintf(kept, 128, "%.32s", a.body + strlen(want));
}

/* Waits until the store has set aside what the graph is to keep: it has been checked, and runs. */
static void see_running(process *p, double bytes_before) {
    double end = clock_now() + 10000;
    bool runs = false;
    while (!runs && clock_before(end))
        runs = value_of(p, "layerd_cache_bytes") > bytes_before;
    cr_assert(runs);
}

static void run_while_it_goes(const char *const *options, int power,
                              void (*go)(process *, const char *)) {
    process *p = daemon_start(options);
    char handle[128], kept[128];
    keep_unit(p->caller, handle);
    raw r = send_power(p, handle, power);
    see_running(p, number_at(about_handle(p->caller, "GET", handle), "bytes"));
    go(p, handle);
    expect_problem(about_handle(p->caller, "GET", handle), "unknown_cache", "");
    CHECK(!raw_has_answer(&r), "the graph was done before its handle had gone");
    expect_power(&r, kept);
    raw_close(&r);
    CHECK_EQUAL(value_of(p, "layerd_cache_bytes"),
                (long long)number_at(about_handle(p->caller, "GET", kept), "bytes"));
    CHECK_EQUAL(value_of(p, "layerd_cache_entries"), 1);
    daemon_stop(p);
}

static void delete_it(process *p, const char *handle) {
    CHECK_EQUAL(about_handle(p->caller, "DELETE", handle)->status, 204);
}

static void release(process *p, const char *handle) {
    expect_json(post(p->caller, "/graph", "{'nodes':[],'release':['%s']}", handle),
                "{'results':{},'kept':{}}");
}

static void expire(process *p, const char *handle) {
    double end = clock_now() + 5000;
    while (about_handle(p->caller, "GET", handle)->status == 200 && clock_before(end))
        caller_forget(p->caller);
}

Test(graphs_load, a_handle_that_is_deleted_is_held_by_who_uses_it) {
    run_while_it_goes(NULL, FEW, delete_it);
}

Test(graphs_load, a_handle_that_is_released_is_held_by_who_uses_it) {
    run_while_it_goes(NULL, FEW, release);
}

Test(graphs_load, a_handle_that_expires_is_held_by_who_uses_it) {
    run_while_it_goes(OPTIONS("--cache-lifetime", "300ms"), MANY, expire);
}

Test(graphs_load, a_handle_is_held_by_who_waits) {
    process *p = daemon_start(OPTIONS("--threads", "1"));
    char first[128], second[128], kept[128];
    keep_unit(p->caller, first);
    keep_unit(p->caller, second);
    double bytes = number_at(about_handle(p->caller, "GET", first), "bytes");
    raw before = send_power(p, first, FEW);
    see_running(p, 2 * bytes);
    raw r = send_power(p, second, 2);
    becomes(p, "layerd_queue_length", 1);
    delete_it(p, second);
    CHECK(!raw_has_answer(&before), "the graph did not wait");
    expect_power(&before, kept);
    expect_power(&r, kept);
    CHECK_EQUAL(value_of(p, "layerd_cache_entries"), 3);
    raw_close(&before);
    raw_close(&r);
    daemon_stop(p);
}

/* ---- one handle, many callers ----------------------------------------------------------------
 */

enum { THREADS = 16, ROUNDS = 30 };

typedef struct {
    const char *url;
    char handles[ROUNDS][128];
    atomic_int released[ROUNDS];
} shared;

/* Whether an answer says that a handle is not known, at the place where it stood. */
static bool is_unknown(const answer *a, const char *pointer) {
    return a && a->status == 404 && !strcmp(text_at(a, "code"), "unknown_cache") &&
           !strcmp(text_at(a, "pointer"), pointer);
}

static void tell(char fault[FAULT_TEXT], const caller *c, const answer *a) {
    snprintf(fault, FAULT_TEXT, "%.200s %.200s", c->fault, a ? a->body : "");
}

/* All release the same handles in the same order; every other one uses them, too. */
static void release_all(void *context, int number, char fault[FAULT_TEXT]) {
    shared *s = context;
    caller *c = caller_open(s->url);
    for (int i = 0; i < ROUNDS && !*fault; i++) {
        bool uses = number % 2;
        const answer *a =
            uses ? caller_post(c, "/graph",
                               "{'inputs':{'t':{'tensor':'%s'}},"
                               "'nodes':[{'name':'r','op':'relu/forward','x':'t'}],"
                               "'give':['r.out'],'release':['%s']}",
                               s->handles[i], s->handles[i])
                 : caller_post(c, "/graph", "{'nodes':[],'release':['%s']}", s->handles[i]);
        char want[96];
        snprintf(want, sizeof want, "{\"results\":{%s},\"kept\":{}}\n",
                 uses ? "\"r.out\":[0.0,2.0]" : "");
        if (a && a->status == 200 && !strcmp(a->body, want))
            atomic_fetch_add(&s->released[i], 1);
        else if (!is_unknown(a, "/release/0") && !(uses && is_unknown(a, "/inputs/t/tensor")))
            tell(fault, c, a);
    }
    caller_close(c);
}

Test(graphs_load, a_handle_that_many_release_is_released_once) {
    process *p = daemon_start(OPTIONS("--threads", "4"));
    static shared s;
    s.url = p->url;
    for (int i = 0; i < ROUNDS; i++)
        keep_tensor(p->caller, "[-1,2]", s.handles[i]);
    threads_run(THREADS, release_all, &s);
    for (int i = 0; i < ROUNDS; i++)
        CHECK(s.released[i] >= 1, "nobody released handle %d", i);
    holdings after = holdings_of(p);
    CHECK_EQUAL(after.removed, ROUNDS);
    CHECK_EQUAL(after.entries, 0);
    CHECK_EQUAL(after.bytes, 0);
    daemon_stop(p);
}

/* Each keeps anew what stands under a handle that all know, until one gives it up: of what was kept
 * nothing goes with it. */
static void keep_anew(void *context, int number, char fault[FAULT_TEXT]) {
    shared *s = context;
    caller *c = caller_open(s->url);
    for (int i = 0; i < ROUNDS && !*fault; i++) {
        bool gives_up = number == i % THREADS;
        char mine[128];
        const answer *a = caller_post(
            c, "/graph",
            "{'inputs':{'t':{'tensor':'%s'}},'nodes':[],'keep':['t'],'release':[%s%s%s]}",
            s->handles[i], gives_up ? "'" : "", gives_up ? s->handles[i] : "", gives_up ? "'" : "");
        if (is_unknown(a, "/inputs/t/tensor"))
            continue;
        snprintf(mine, sizeof mine, "%.64s", a ? text_at(a, "kept.t") : "");
        a = caller_post(c, "/graph",
                        "{'inputs':{'t':{'tensor':'%s'}},'nodes':[],'give':['t'],'release':['%s']}",
                        mine, mine);
        if (a && !strcmp(a->body, "{\"results\":{\"t\":[-1.0,2.0]},\"kept\":{}}\n"))
            atomic_fetch_add(&s->released[i], 1);
        else
            tell(fault, c, a);
    }
    caller_close(c);
}

Test(graphs_load, what_is_kept_anew_outlives_what_it_came_from) {
    process *p = daemon_start(OPTIONS("--threads", "4"));
    static shared s;
    s.url = p->url;
    for (int i = 0; i < ROUNDS; i++)
        keep_tensor(p->caller, "[-1,2]", s.handles[i]);
    threads_run(THREADS, keep_anew, &s);
    for (int i = 0; i < ROUNDS; i++)
        CHECK(s.released[i] >= 1, "nobody kept handle %d", i);
    CHECK_EQUAL(value_of(p, "layerd_cache_entries"), 0);
    CHECK_EQUAL(value_of(p, "layerd_cache_bytes"), 0);
    daemon_stop(p);
}

/* ---- callers with weights of their own -------------------------------------------------------
 */

enum { STEPS = 25 };

/* A step of a network that learns; `w` becomes the handle of its next weights. */
static const answer *train(caller *c, int number, char w[128]) {
    const answer *a =
        caller_post(c, "/graph",
                    "{'inputs':{'x':[[%d,2],[3,4],[-1,0.5]],'y':[0,1,1],'b':[0.25,0],"
                    "'w':{'tensor':'%s'}},"
                    "'nodes':[{'name':'a','op':'affine/forward','x':'x','w':'w','b':'b'},"
                    "{'name':'l','op':'softmax/loss','x':'a.out','y':'y'},"
                    "{'name':'d','op':'gradients','of':['l.loss'],'for':['w']},"
                    "{'name':'u','op':'sgd/update','w':'w','dw':'d.w'}],"
                    "'give':['l.loss','d.w'],'keep':['u.next_w'],'release':['%s']}",
                    number, w, w);
    const json_t *kept = a ? json_object_get(a->json, "kept") : NULL;
    snprintf(w, 128, "%s", kept ? json_string_value(json_object_get(kept, "u.next_w")) : "");
    return a;
}

typedef struct {
    const char *url;
    char *results[THREADS][STEPS]; /* of each step on an idle daemon */
} trainings;

/* What stands before the handles. */
static char *results_of(const answer *a) {
    const char *end = a && a->status == 200 ? strstr(a->body, ",\"kept\":") : NULL;
    return end ? strndup(a->body, (size_t)(end - a->body)) : strdup("none");
}

static void train_all(void *context, int number, char fault[FAULT_TEXT]) {
    trainings *t = context;
    caller *c = caller_open(t->url);
    char w[128];
    const answer *a =
        caller_post(c, "/graph", "{'inputs':{'t':[[1,2],[3,4]]},'nodes':[],'keep':['t']}");
    snprintf(w, sizeof w, "%s", a ? text_at(a, "kept.t") : "");
    for (int i = 0; i < STEPS && !*fault; i++) {
        a = train(c, number, w);
        char *results = results_of(a);
        if (!t->results[number][i])
            t->results[number][i] = strdup(results);
        if (strcmp(results, t->results[number][i]) != 0 || !strcmp(results, "none"))
            tell(fault, c, a);
        free(results);
    }
    caller_post(c, "/graph", "{'nodes':[],'release':['%s']}", w);
    caller_close(c);
}

Test(graphs_load, callers_with_weights_of_their_own_do_not_meet) {
    process *p = daemon_start(OPTIONS("--threads", "4"));
    static trainings t;
    t.url = p->url;
    for (int i = 0; i < THREADS; i++) {
        char fault[FAULT_TEXT] = "";
        train_all(&t, i, fault); /* notes what comes */
        CHECK(!*fault, "%s", fault);
        CHECK(i == 0 || strcmp(t.results[i][STEPS - 1], t.results[0][STEPS - 1]) != 0,
              "two callers learn the same");
    }
    threads_run(THREADS, train_all, &t);
    CHECK_EQUAL(value_of(p, "layerd_cache_entries"), 0);
    CHECK_EQUAL(value_of(p, "layerd_cache_given_total"), 2 * THREADS * (STEPS + 1));
    for (int i = 0; i < THREADS; i++)
        for (int k = 0; k < STEPS; k++)
            free(t.results[i][k]);
    daemon_stop(p);
}
