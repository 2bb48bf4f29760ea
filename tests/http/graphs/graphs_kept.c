/* Tensors that are kept on the daemon: what is told of them, who may use them, when they go, and
 * the budget. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/safetensors.h"
#include "http/figures.h"
#include "http/kept.h"

DAEMON_SUITE(graphs_kept);

/* ---- what they are ---------------------------------------------------------------------------
 */

/* `bytes` are those of the numbers; what a handle costs beside them is bounded. */
static void expect_info(caller *caller, const char *handle, const char *dtype, const char *shape,
                        double bytes) {
    enum { OVERHEAD = 600 };
    const answer *a = about_handle(caller, "GET", handle);
    CHECK_EQUAL(a->status, 200);
    CHECK(json_object_size(a->json) == 6 && json_is_null(json_at(a->json, "layer")), "%s", a->body);
    CHECK_TEXT(text_at(a, "dtype"), dtype);
    char *got = json_dumps(json_at(a->json, "shape"), JSON_COMPACT);
    CHECK_TEXT(got, shape);
    free(got);
    CHECK(number_at(a, "bytes") >= bytes && number_at(a, "bytes") < bytes + OVERHEAD, "%s",
          a->body);
    CHECK_TRUE(*text_at(a, "created") && *text_at(a, "expires"));
}

Test(graphs_kept, tell_what_they_stand_for) {
    process *p = daemon_start(NULL);
    const answer *a = post(p->caller, "/graph",
                           "{'inputs':{'x':[[1,2,3],[4,5,6]],'s':7,'n':[[],[]],"
                           "'y':{'shape':[3],'data':[0,1,2],'dtype':'int64'}},"
                           "'nodes':[],'keep':['x','s','n','y'],'dtype':'float32'}");
    expect_info(p->caller, kept_of(a, "x"), "float32", "[2,3]", 24);
    expect_info(p->caller, kept_of(a, "s"), "float32", "[]", 4);
    expect_info(p->caller, kept_of(a, "n"), "float32", "[2,0]", 0);
    expect_info(p->caller, kept_of(a, "y"), "int64", "[3]", 24);
    char handle[128];
    keep_tensor(p->caller, "[1,2]", handle);
    expect_info(p->caller, handle, "float64", "[2]", 16);
    a = post(p->caller, "/graph",
             "{'inputs':{'x':[-1,1]},'nodes':[{'name':'r','op':'relu/forward','x':'x'}],"
             "'keep':['r.cache']}");
    a = about_handle(p->caller, "GET", kept_of(a, "r.cache"));
    CHECK_TEXT(text_at(a, "layer"), "relu");
    CHECK_EQUAL(json_object_size(a->json), 5);
    daemon_stop(p);
}

/* ---- who may use them ------------------------------------------------------------------------
 */

static const answer *post_file(caller *caller, const char *target, const char *request) {
    char *text = json_text("%s", request);
    json_t *json = json_loads(text, 0, NULL);
    size_t length;
    char *file = safetensors_from_json(json, "I64", &length);
    cr_assert(file, "%s", request);
    const answer *a = post_bytes(
        caller, target,
        HEADERS("Content-Type: application/vnd.safetensors", "Accept: application/vnd.safetensors"),
        file, length);
    json_decref(json);
    free(text);
    free(file);
    return a;
}

Test(graphs_kept, stand_for_tensors_of_single_operations_until_they_are_deleted) {
    process *p = daemon_start(NULL);
    char w[128], request[256];
    keep_tensor(p->caller, "[[0.5],[-1]]", w);
    snprintf(request, sizeof request, "{'x':[[1,2],[3,4]],'w':{'tensor':'%s'},'b':[10]}", w);
    caller *other = caller_open(p->url); /* any connection may */
    expect_json(post(other, "/affine/forward?cache=none", "%s", request), "{'out':[[8.5],[7.5]]}");
    expect_json(post_file(other, "/affine/forward?cache=none", request), "{'out':[[8.5],[7.5]]}");
    CHECK_EQUAL(about_handle(other, "DELETE", w)->status, 204);
    caller_close(other);
    expect_problem(about_handle(p->caller, "DELETE", w), "unknown_cache", "");
    expect_problem(about_handle(p->caller, "GET", w), "unknown_cache", "");
    expect_problem(post(p->caller, "/affine/forward", "%s", request), "unknown_cache", "/w/tensor");
    expect_problem(post_file(p->caller, "/affine/forward", request), "unknown_cache", "/w");
    expect_problem(
        post(p->caller, "/graph", "{'inputs':{'w':{'tensor':'%s'}},'nodes':[],'give':['w']}", w),
        "unknown_cache", "/inputs/w/tensor");
    expect_problem(post(p->caller, "/graph", "{'nodes':[],'release':['%s']}", w), "unknown_cache",
                   "/release/0");
    daemon_stop(p);
}

/* ---- when they go ----------------------------------------------------------------------------
 */

static const answer *give_kept(caller *caller, const char *handle) {
    return post(caller, "/graph", "{'inputs':{'t':{'tensor':'%s'}},'nodes':[],'give':['t']}",
                handle);
}

Test(graphs_kept, expire_without_use) {
    process *p = daemon_start(OPTIONS("--cache-lifetime", "300ms"));
    char handle[128];
    double start = clock_now();
    keep_tensor(p->caller, "[1]", handle);
    bool gone = false;
    while (!gone && clock_before(start + 5000))
        gone = about_handle(p->caller, "GET", handle)->status == 404; /* a look is no use */
    CHECK(gone && clock_now() - start >= 300, "after %g ms", clock_now() - start);
    expect_problem(give_kept(p->caller, handle), "unknown_cache", "/inputs/t/tensor");
    becomes(p, "layerd_cache_entries", 0);
    CHECK_EQUAL(value_of(p, "layerd_cache_expired_total"), 1);
    CHECK_EQUAL(value_of(p, "layerd_cache_bytes"), 0);
    daemon_stop(p);
}

Test(graphs_kept, live_longer_with_use) {
    process *p = daemon_start(OPTIONS("--cache-lifetime", "1s"));
    char by_graphs[128], by_calls[128];
    keep_tensor(p->caller, "[[1]]", by_graphs);
    keep_tensor(p->caller, "[[1]]", by_calls);
    double end = clock_now() + 2500;
    while (clock_before(end)) {
        const answer *a = give_kept(p->caller, by_graphs);
        cr_assert(a->status == 200, "%s", a->body);
        a = post(p->caller, "/relu/forward?cache=none", "{'x':{'tensor':'%s'}}", by_calls);
        cr_assert(a->status == 200, "%s", a->body);
        caller_forget(p->caller);
    }
    daemon_stop(p);
}

/* A step of training: weights that the step before kept are used, updated, and given up. */
static void train(caller *caller, char w[128]) {
    const answer *a = post(caller, "/graph",
                           "{'inputs':{'x':[[1,2],[3,4]],'y':[0,1],'b':[0,0],'w':{'tensor':'%s'}},"
                           "'nodes':[{'name':'a','op':'affine/forward','x':'x','w':'w','b':'b'},"
                           "{'name':'l','op':'softmax/loss','x':'a.out','y':'y'},"
                           "{'name':'d','op':'gradients','of':['l.loss'],'for':['w']},"
                           "{'name':'u','op':'sgd/update','w':'w','dw':'d.w'}],"
                           "'give':['l.loss'],'keep':['u.next_w'],'release':['%s']}",
                           w, w);
    snprintf(w, 128, "%s", kept_of(a, "u.next_w"));
}

Test(graphs_kept, leave_nothing_behind) {
    enum { STEPS = 50 };
    process *p = daemon_start(NULL);
    char w[128];
    keep_tensor(p->caller, "[[1,2],[3,4]]", w);
    holdings before = holdings_of(p);
    CHECK_EQUAL(before.entries, 1);
    for (int i = 0; i < STEPS; i++)
        train(p->caller, w);
    holdings after = holdings_of(p);
    CHECK_EQUAL(after.entries, 1);
    CHECK_EQUAL(after.bytes, before.bytes);
    CHECK_EQUAL(after.given, before.given + STEPS);
    CHECK_EQUAL(after.removed, before.removed + STEPS);
    CHECK_EQUAL(post(p->caller, "/graph", "{'nodes':[],'release':['%s','%s']}", w, w)->status, 200);
    after = holdings_of(p);
    CHECK_EQUAL(after.entries, 0);
    CHECK_EQUAL(after.bytes, 0);
    CHECK_EQUAL(after.removed, before.removed + STEPS + 1);
    daemon_stop(p);
}

/* ---- the budget ------------------------------------------------------------------------------
 */

/* A vector of ones, ' for ". */
static const char *ones(int count, char text[8192]) {
    char *at = stpcpy(text, "[1");
    for (int i = 1; i < count; i++)
        at = stpcpy(at, ",1");
    strcpy(at, "]");
    return text;
}

Test(graphs_kept, are_counted_as_they_are_told) {
    process *p = daemon_start(NULL);
    char text[8192];
    const answer *a =
        post(p->caller, "/graph",
             "{'inputs':{'x':[%s],'g':%s},"
             "'nodes':[{'name':'r','op':'relu/forward','x':'x'},"
             "{'name':'n','op':'layernorm/forward','x':'r.out','gamma':'g','beta':'g'}],"
             "'keep':['x','r.out','r.cache','n.out','n.cache']}",
             ones(1000, text), text);
    double sum = 0;
    const char *name;
    json_t *handle;
    json_object_foreach(json_object_get(a->json, "kept"), name, handle) {
        const answer *told = about_handle(p->caller, "GET", json_string_value(handle));
        CHECK_EQUAL(told->status, 200);
        sum += number_at(told, "bytes");
    }
    holdings now = holdings_of(p);
    CHECK_EQUAL(now.entries, 5);
    CHECK_EQUAL(now.bytes, sum);
    CHECK(sum > 3 * 8000, "%g bytes", sum);
    daemon_stop(p);
}

static void expect_full(const answer *a) {
    expect_problem(a, "cache_full", "");
    int retry = atoi(header_of(a, "Retry-After"));
    CHECK(retry >= 1 && retry <= 3600, "Retry-After is %d", retry);
}

Test(graphs_kept, have_a_budget_and_those_that_were_given_stay_good) {
    process *p = daemon_start(OPTIONS("--cache-budget", "12KiB", "--cache-lifetime", "1h"));
    char text[8192], first[128];
    keep_tensor(p->caller, ones(1000, text), first);
    holdings before = holdings_of(p);
    /* one that fits beside one that does not: neither */
    expect_full(post(p->caller, "/graph",
                     "{'inputs':{'a':[1],'t':%s},'nodes':[],'give':['a'],'keep':['a','t']}", text));
    expect_holdings(p, &before, "one that fits beside one that does not");
    /* what is released makes no room for what is kept */
    expect_full(post(p->caller, "/graph",
                     "{'inputs':{'t':%s},'nodes':[],'keep':['t'],'release':['%s']}", text, first));
    expect_holdings(p, &before, "what is kept instead of what is released");
    const answer *a = give_kept(p->caller, first);
    CHECK_EQUAL(a->status, 200);
    CHECK_EQUAL(json_array_size(json_at(a->json, "results.t")), 1000);
    CHECK_EQUAL(post(p->caller, "/graph", "{'nodes':[],'release':['%s']}", first)->status, 200);
    keep_tensor(p->caller, text, first);
    expect_info(p->caller, first, "float64", "[1000]", 8000);
    daemon_stop(p);
}

Test(graphs_kept, without_a_budget_graphs_compute) {
    process *p = daemon_start(OPTIONS("--cache-budget", "0"));
    static const char nodes[] = "'inputs':{'x':[-1,2]},"
                                "'nodes':[{'name':'r','op':'relu/forward','x':'x'}]";
    expect_json(post(p->caller, "/graph", "{%s,'give':['r.out']}", nodes),
                "{'results':{'r.out':[0.0,2.0]},'kept':{}}");
    expect_full(post(p->caller, "/graph", "{%s,'keep':['r.out']}", nodes));
    expect_full(post(p->caller, "/graph", "{%s,'keep':['r.cache']}", nodes));
    daemon_stop(p);
}

Test(graphs_kept, fill_the_budget_and_no_more) {
    enum { MOST = 300 };
    process *p = daemon_start(OPTIONS("--cache-budget", "16KiB", "--cache-lifetime", "1h"));
    static const char document[] =
        "{'inputs':{'x':[[-1,1,2]],'w':[[1],[2],[3]],'b':[1]},"
        "'nodes':[{'name':'a','op':'affine/forward','x':'x','w':'w','b':'b'},"
        "{'name':'r','op':'relu/forward','x':'a.out'}],"
        "'keep':['a.cache','a.out','r.cache','r.out']}";
    int count = 0;
    const answer *a;
    while ((a = post(p->caller, "/graph", "%s", document))->status == 200 && count < MOST)
        count++;
    CHECK(count > 2 && count < MOST, "%d graphs for 16 KiB", count);
    expect_full(a);
    holdings now = holdings_of(p);
    CHECK_EQUAL(now.entries, 4 * count);
    CHECK(now.bytes <= 16384, "%g bytes", now.bytes);
    daemon_stop(p);
}
