/* Tenants and quotas: nobody sees what is another's, nobody gets more than his share. */
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/threads.h"
#include "http/figures.h"
#include "http/guests.h"
#include "http/kept.h"
#include "http/raw.h"

TestSuite(tenants, .timeout = 50, .fini = guests_clean_up);

enum { ONE, SAME, OTHER, OPS };

/* Two tokens of one tenant, one of another, and one that sees the metrics. */
static guest guests[] = {{"one", "a compute", "", "", ""},
                         {"same", "a compute", "", "", ""},
                         {"other", "b compute", "", "", ""},
                         {"ops", "- admin", "", "", ""},
                         {0}};

static caller *callers[4];

static process *start(const char *const *limits) {
    for (int i = 0; guests[i].name; i++)
        guests[i].limits = limits ? limits[i] : "";
    guests_make(guests);
    process *p = daemon_start(OPTIONS("--tokens", guests_write(guests), "--cache-budget", "1MiB"));
    for (int i = 0; guests[i].name; i++)
        callers[i] = guest_open(p, &guests[i]);
    return p;
}

static void stop(process *p) {
    for (int i = 0; guests[i].name; i++)
        caller_close(callers[i]);
    daemon_stop(p);
}

/* The handle of a cache, and of a tensor. */
static void make_handles(caller *c, char cache[128], char tensor[128]) {
    snprintf(cache, 128, "%s", cache_of(post(c, "/relu/forward", "{'x':[1,-2]}")));
    keep_tensor(c, "[3,4]", tensor);
}

/* What each way to use a handle is answered. */
static const answer *use(caller *c, int way, const char *cache, const char *tensor) {
    switch (way) {
    case 0:
        return post(c, "/relu/backward", "{'dout':[1,1],'cache':'%s'}", cache);
    case 1:
        return post(c, "/relu/forward?cache=none", "{'x':{'tensor':'%s'}}", tensor);
    case 2:
        return post(c, "/graph",
                    "{'inputs':{'d':[1,1],'c':{'cache':'%s'}},'nodes':[{'name':'b','op':"
                    "'relu/backward','dout':'d','cache':'c'}],'give':['b.dx']}",
                    cache);
    case 3:
        return post(c, "/graph", "{'inputs':{'t':{'tensor':'%s'}},'nodes':[],'give':['t']}",
                    tensor);
    case 4:
        return post(c, "/graph", "{'nodes':[],'inputs':{'t':[1]},'give':['t'],'release':['%s']}",
                    tensor);
    case 5:
        return about_handle(c, "GET", cache);
    case 6:
        return about_handle(c, "GET", tensor);
    case 7:
        return post(c, "/relu/backward?cache=release", "{'dout':[1,1],'cache':'%s'}", cache);
    case 8:
        return about_handle(c, "DELETE", tensor);
    default:
        return NULL;
    }
}

Test(tenants, a_handle_of_another_is_not_there) {
    process *p = start(NULL);
    static const char never[] = "0123456789abcdef0123456789abcdef";
    char cache[128], tensor[128], other_cache[128], other_tensor[128];
    make_handles(callers[ONE], cache, tensor);
    make_handles(callers[OTHER], other_cache, other_tensor);
    for (int way = 0; way < 9; way++) {
        const answer *a = use(callers[OTHER], way, cache, tensor);
        expect_problem(a, "unknown_cache", NULL);
        /* word for word as of one that never was */
        const answer *b = use(callers[OTHER], way, never, never);
        CHECK(!strcmp(a->body, b->body), "way %d: %s\n%s", way, a->body, b->body);
        CHECK_TEXT(header_of(a, "Content-Length"), header_of(b, "Content-Length"));
    }
    for (int way = 0; way < 4; way++) { /* the other token of the tenant may */
        CHECK_EQUAL(use(callers[SAME], way, cache, tensor)->status, 200);
        CHECK_EQUAL(use(callers[OTHER], way, other_cache, other_tensor)->status, 200);
    }
    CHECK_EQUAL(use(callers[SAME], 7, cache, tensor)->status, 200);
    CHECK_EQUAL(use(callers[SAME], 8, cache, tensor)->status, 204);
    expect_problem(use(callers[ONE], 0, cache, tensor), "unknown_cache", "/cache");
    CHECK_EQUAL(use(callers[OTHER], 4, other_cache, other_tensor)->status, 200);
    expect_problem(use(callers[OTHER], 3, other_cache, other_tensor), "unknown_cache", NULL);
    stop(p);
}

#define ROW                                                                                        \
    "1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31,32,"

/* A tenant that is full is full alone, for all its tokens, and others do not notice. */
Test(tenants, a_full_tenant_is_full_alone) {
    process *p = start((const char *const[]){"cache=16KiB", "cache=16KiB", "", ""});
    char handle[128] = "";
    int kept = 0;
    const answer *a = NULL;
    for (; kept < 100; kept++) {
        a = post(callers[kept % 2], "/relu/forward", "{'x':[1,-2,3,4,5,6,7,8]}");
        if (a->status != 200)
            break;
        snprintf(handle, sizeof handle, "%s", cache_of(a));
    }
    CHECK(kept > 5 && kept < 40, "%d were kept", kept);
    expect_problem(a, "cache_full", "");
    expect_problem(post(callers[ONE], "/graph",
                        "{'inputs':{'t':[" ROW ROW ROW ROW "0]},'nodes':[],'keep':['t']}"),
                   "cache_full", "");
    for (int i = 0; i < 3 * kept; i++)
        CHECK_EQUAL(post(callers[OTHER], "/relu/forward", "{'x':[1,-2,3]}")->status, 200);
    CHECK_EQUAL(post(callers[ONE], "/relu/forward?cache=none", "{'x':[1]}")->status, 200);
    CHECK_EQUAL(about_handle(callers[SAME], "DELETE", handle)->status, 204);
    CHECK_EQUAL(post(callers[ONE], "/relu/forward", "{'x':[1,-2,3,4,5,6,7,8]}")->status, 200);
    stop(p);
}

/* Handles outlive a change of the file, and are still their tenant's. */
Test(tenants, handles_stay_where_the_file_changes) {
    process *p = start(NULL);
    char cache[128], tensor[128];
    make_handles(callers[ONE], cache, tensor);
    guests[SAME].rest = "b compute"; /* to the other tenant */
    guests_write(guests);
    CHECK_TRUE(guests_reload(p, "4 tokens"));
    CHECK_EQUAL(use(callers[ONE], 0, cache, tensor)->status, 200);
    expect_problem(use(callers[SAME], 0, cache, tensor), "unknown_cache", "/cache");
    stop(p);
}

/* ---- rates -------------------------------------------------------------------------------------
 */

Test(tenants, an_answer_tells_what_is_left) {
    process *p = start((const char *const[]){"rate=1 burst=5", "", "", ""});
    for (int left = 4; left >= 0; left--) {
        const answer *a = post(callers[ONE], "/relu/forward?cache=none", "{'x':[1]}");
        char want[32];
        snprintf(want, sizeof want, "\"requests\";r=%d;t=", left);
        CHECK_EQUAL(a->status, 200);
        CHECK_TEXT(header_of(a, "RateLimit-Policy"), "\"requests\";q=5;w=5");
        CHECK(!strncmp(header_of(a, "RateLimit"), want, strlen(want)), "%s, not %s",
              header_of(a, "RateLimit"), want);
    }
    const answer *a = post(callers[ONE], "/relu/forward?cache=none", "{'x':[1]}");
    expect_problem(a, "rate_limited", "");
    CHECK_TEXT(header_of(a, "RateLimit"), "\"requests\";r=0;t=1");
    CHECK_TEXT(header_of(a, "Retry-After"), "1");
    CHECK_EQUAL(post(callers[SAME], "/relu/forward?cache=none", "{'x':[1]}")->status, 200);
    a = post(callers[SAME], "/relu/forward?cache=none", "{'x':[1]}");
    CHECK_TEXT(header_of(a, "RateLimit"), "");
    for (double end = clock_now() + 1100; clock_before(end);)
        clock_pause();
    CHECK_EQUAL(post(callers[ONE], "/relu/forward?cache=none", "{'x':[1]}")->status, 200);
    stop(p);
}

Test(tenants, errors_of_a_token_with_a_rate_tell_it_too) {
    process *p = start((const char *const[]){"rate=9", "", "", ""});
    const answer *a = fetch(callers[ONE], "GET", "/metrics", NULL);
    expect_problem(a, "forbidden", "");
    CHECK_TEXT(header_of(a, "RateLimit-Policy"), "\"requests\";q=9;w=1");
    a = fetch(callers[ONE], "GET", "/nothing", NULL);
    expect_problem(a, "not_found", "");
    CHECK_TRUE(*header_of(a, "RateLimit"));
    stop(p);
}

enum { CROWD = 16, TRIES = 40, BURST = 100 };

typedef struct {
    process *process;
    atomic_int passed, refused;
} crowd;

static void ask_often(void *context, int number, char fault[FAULT_TEXT]) {
    (void)number;
    crowd *crowd = context;
    caller *c = guest_open(crowd->process, &guests[ONE]);
    for (int i = 0; i < TRIES && !*fault; i++) {
        const answer *a = caller_post(c, "/relu/forward?cache=none", "{'x':[1]}");
        if (!a || (a->status != 200 && a->status != 429))
            snprintf(fault, FAULT_TEXT, "%.200s %d", c->fault, a ? a->status : 0);
        else
            (*(a->status == 200 ? &crowd->passed : &crowd->refused))++;
    }
    caller_close(c);
}

/* A rate of one a second adds next to nothing while they ask. */
Test(tenants, many_connections_get_the_burst_and_no_more) {
    process *p = start((const char *const[]){"rate=1 burst=100", "", "", ""});
    crowd crowd = {.process = p};
    double began = clock_now();
    threads_run(CROWD, ask_often, &crowd);
    int more = (int)((clock_now() - began) / 1000) + 1;
    CHECK(crowd.passed >= BURST && crowd.passed <= BURST + more, "%d of %d passed in %d s",
          crowd.passed, CROWD * TRIES, more);
    CHECK_EQUAL(crowd.passed + crowd.refused, CROWD * TRIES);
    stop(p);
}

#define AFFINE "{'x':[[1,2,3,4],[1,2,3,4]],'w':[[1,2],[1,2],[1,2],[1,2]],'b':[1,2]}"

Test(tenants, work_is_charged_before_it_is_done) {
    process *p = start((const char *const[]){"work=1000", "work=1000", "", ""});
    int passed = 0;
    const answer *a;
    do
        a = post(callers[ONE], "/affine/forward?cache=none", AFFINE);
    while (a->status == 200 && ++passed < 1000);
    expect_problem(a, "rate_limited", "");
    expect_detail(a, "1000 operations a second");
    CHECK(passed >= 1000 / 64 && passed < 500, "%d passed", passed);
    CHECK_EQUAL(post(callers[SAME], "/affine/forward?cache=none", AFFINE)->status, 200);
    /* one that is larger than a second's worth passes once, and is paid for */
    char *many = malloc(60000);
    size_t used = 0;
    for (int i = 0; i < 10000; i++)
        used += (size_t)sprintf(many + used, "%s1", i ? "," : "");
    CHECK_EQUAL(post(callers[SAME], "/relu/forward?cache=none", "{'x':[%s]}", many)->status, 200);
    a = post(callers[SAME], "/graph",
             "{'inputs':{'x':[1,2]},'nodes':[{'name':'r','op':'relu/forward','x':'x'}],"
             "'give':['r.out']}");
    expect_problem(a, "rate_limited", "");
    CHECK(atoi(header_of(a, "Retry-After")) >= 5, "%s", header_of(a, "Retry-After"));
    free(many);
    stop(p);
}

/* What is dear, and so is done by another thread, is charged once. */
Test(tenants, dear_calls_are_charged_once) {
    process *p = start((const char *const[]){"work=1G", "", "", ""});
    char *many = malloc(400000);
    size_t used = 0;
    for (int i = 0; i < 90000; i++)
        used += (size_t)sprintf(many + used, "%s1", i ? "," : "");
    /* 54e6 operations a call: of a second's worth, 1e9, at least 18 pass */
    for (int i = 0; i < 18; i++)
        CHECK_EQUAL(post(callers[ONE], "/affine/forward?cache=none",
                         "{'x':{'shape':[300,300],'data':[%s]},'w':{'shape':[300,300],'data':"
                         "[%s]},'b':{'shape':[300],'data':[%.*s]}}",
                         many, many, 599, many)
                        ->status,
                    200);
    free(many);
    stop(p);
}
