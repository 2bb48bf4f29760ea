/* Who may ask what of a check, what it costs, and what its answers tell by their length and time.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "http/contract.h"
#include "http/guests.h"
#include "http/raw.h"

TestSuite(checks_access, .timeout = 100, .fini = guests_clean_up);

#define BEARER "Bearer realm=\"layerd\""
#define AFFINE "'x':[[1,2],[3,4]],'w':[[0.5],[-1]],'b':[10]"
#define WRONG  "{" AFFINE ",'claim':{'out':[[-1.5],[-2.5]]}}"

enum { CHECKS, COMPUTES, STAFF, TERSE, TERSE_STAFF, EXAM };

static guest guests[] = {{"checks", "a check", "", "", ""},
                         {"computes", "a compute", "", "", ""},
                         {"staff", "a check,compute", "", "", ""},
                         {"terse", "a check", "detail=verdict", "", ""},
                         {"terse_staff", "a check,compute", "detail=verdict", "", ""},
                         {"exam", "a check", "only=challenge", "", ""},
                         {0}};
enum { GUESTS = sizeof guests / sizeof *guests - 1 };

static caller *callers[GUESTS];

static process *start(void) {
    guests_make(guests);
    process *p = daemon_start(OPTIONS("--tokens", guests_write(guests)));
    for (int i = 0; i < GUESTS; i++)
        callers[i] = guest_open(p, &guests[i]);
    return p;
}

static void stop(process *p) {
    for (int i = 0; i < GUESTS; i++)
        caller_close(callers[i]);
    daemon_stop(p);
}

static void expect_forbidden(const answer *a, const char *scope) {
    char challenge[96];
    snprintf(challenge, sizeof challenge, BEARER ", error=\"insufficient_scope\", scope=\"%s\"",
             scope);
    expect_problem(a, "forbidden", "");
    CHECK_TEXT(header_of(a, "WWW-Authenticate"), challenge);
}

#define NAMED                                                                                      \
    "{'verdict':'wrong','claim':{'out':{'verdict':'wrong','fault':'bias_missing',"                 \
    "'says':'out is x · w: b was not added'}}}"
#define BARE "{'verdict':'wrong','claim':{'out':{'verdict':'wrong'}}}"

Test(checks_access, values_are_for_those_who_may_compute) {
    process *p = start();
    static const char plain[] = "/check/affine/forward";
    static const char values[] = "/check/affine/forward?detail=values";
    expect_json(post(callers[CHECKS], plain, WRONG), NAMED);
    expect_json(post(callers[CHECKS], "/check/affine/forward?detail=words", WRONG), NAMED);
    expect_json(post(callers[CHECKS], "/check/affine/forward?detail=verdict", WRONG), BARE);
    expect_forbidden(post(callers[CHECKS], values, WRONG), "compute");
    expect_json(post(callers[STAFF], plain, WRONG), NAMED);
    CHECK_TRUE(number_at(post(callers[STAFF], values, WRONG), "claim.out.bound") > 0);
    expect_forbidden(post(callers[COMPUTES], plain, WRONG), "check");
    expect_forbidden(post(callers[COMPUTES], values, WRONG), "check");
    expect_problem(post(p->caller, plain, WRONG), "unauthorized", "");
    stop(p);
}

/* Refused before anything is read, so that what is wrong with a request is not told. */
Test(checks_access, values_are_refused_whatever_is_asked) {
    process *p = start();
    expect_forbidden(post(callers[CHECKS], "/check/affine/forward?detail=values", "nothing"),
                     "compute");
    expect_forbidden(post(callers[EXAM], "/check/affine/forward?detail=values", "nothing"),
                     "compute");
    stop(p);
}

Test(checks_access, who_is_held_to_verdicts_gets_no_more) {
    process *p = start();
    static const char *const details[] = {"", "?detail=verdict", "?detail=words", "?detail=values"};
    for (size_t i = 0; i < sizeof details / sizeof *details; i++) {
        char path[64];
        snprintf(path, sizeof path, "/check/affine/forward%s", details[i]);
        expect_json(post(callers[TERSE_STAFF], path, WRONG), BARE);
        expect_json(post(callers[TERSE], path, WRONG), BARE);
    }
    const answer *a =
        post(callers[TERSE], "/check/affine/forward", "{" AFFINE ",'claim':{'out':[1,2]}}");
    expect_json(a, BARE); /* of another shape, too */
    a = post(callers[TERSE], "/check/affine/forward",
             "{'x':[[1]],'w':[[2]],'b':[0],'claim':{'out':[[2]]}}");
    expect_json(a, "{'verdict':'undecided','claim':{'out':{'verdict':'undecided'}}}");
    stop(p);
}

Test(checks_access, who_is_held_to_challenges_has_no_checks) {
    process *p = start();
    const answer *a = post(callers[EXAM], "/check/affine/forward", WRONG);
    expect_problem(a, "forbidden", "");
    a = post(callers[EXAM], "/challenge", "{'operation':'affine/forward'}");
    CHECK_EQUAL(a->status, 200);
    stop(p);
}

/* ---- what it costs -----------------------------------------------------------------------------
 */

/* Asks until it is refused; how often it was not. */
static int asked_until_refused(caller *c, const char *path, const char *body) {
    int passed = 0;
    const answer *a;
    do
        a = post(c, path, "%s", body);
    while (a->status == 200 && ++passed < 10000);
    expect_problem(a, "rate_limited", "");
    return passed;
}

Test(checks_access, a_check_counts_twice) {
    static guest paying[] = {{"one", "a check,compute", "work=4000", "", ""},
                             {"two", "b check,compute", "work=4000", "", ""},
                             {0}};
    guests_make(paying);
    process *p = daemon_start(OPTIONS("--tokens", guests_write(paying)));
    caller *one = guest_open(p, &paying[0]), *two = guest_open(p, &paying[1]);
#define LARGE                                                                                      \
    "{'x':[[1,2,3,4,5],[1,2,3,4,5],[1,2,3,4,5],[1,2,3,4,5]],"                                      \
    "'w':[[1,2,3,4,5],[1,2,3,4,5],[1,2,3,4,5],[1,2,3,4,5],[1,2,3,4,5]],'b':[1,2,3,4,5]"
    double began = clock_now();
    int computed = asked_until_refused(one, "/affine/forward?cache=none", LARGE "}");
    int checked = asked_until_refused(two, "/check/affine/forward", LARGE ",'claim':{'out':[1]}}");
    /* 200 operations each, of 4000 at once and 4000 a second after that */
    int more = (int)((clock_now() - began) / 1000 * 4000 / 200) + 1;
    CHECK(computed >= 20 && computed <= 20 + more, "%d computed", computed);
    CHECK(checked >= 10 && checked <= 10 + more / 2 + 1, "%d checked", checked);
    caller_close(one);
    caller_close(two);
    daemon_stop(p);
}

/* ---- what length and time tell -----------------------------------------------------------------
 */

enum { ROWS = 120, COLUMNS = 40, ELEMENTS = ROWS * COLUMNS, RUNS = 60 };

/* A check of relu whose claim is wrong in one element, -1 for none; to be freed. */
static char *relu_claim(int wrong) {
    size_t used = 0, size = 64 + 40 * (size_t)ELEMENTS;
    char *body = malloc(size);
    cr_assert(body);
    used += (size_t)snprintf(body, size, "{\"x\":[");
    for (int i = 0; i < ELEMENTS; i++)
        used += (size_t)snprintf(body + used, size - used, "%s%d.25", i ? "," : "", 100 + i);
    used += (size_t)snprintf(body + used, size - used, "],\"claim\":{\"out\":[");
    for (int i = 0; i < ELEMENTS; i++)
        used += (size_t)snprintf(body + used, size - used, "%s%d.%s", i ? "," : "", 100 + i,
                                 i == wrong ? "75" : "25");
    snprintf(body + used, size - used, "]}}");
    return body;
}

static const answer *ask(caller *c, const char *query, const char *body) {
    char path[64];
    snprintf(path, sizeof path, "/check/relu/forward%s", query);
    return send_message(c, &(layerd_message){.path = path, .body = body, .length = strlen(body)});
}

Test(checks_access, length_does_not_tell_where) {
    process *p = daemon_start(NULL);
    static const int places[] = {0, 1, ELEMENTS / 2, ELEMENTS - 1};
    char first[512] = "";
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        char *body = relu_claim(places[i]);
        const answer *a = ask(p->caller, "", body);
        CHECK_TEXT(text_at(a, "verdict"), "wrong");
        if (i == 0)
            snprintf(first, sizeof first, "%s", a->body);
        CHECK_TEXT(a->body, first);
        CHECK_EQUAL(atoi(header_of(a, "Content-Length")), (int)strlen(first));
        free(body);
    }
    daemon_stop(p);
}

/* Milliseconds of "compute" in Server-Timing. */
static double computed_in(const answer *a) {
    const char *text = strstr(header_of(a, "Server-Timing"), "compute;dur=");
    cr_assert(text, "%s", header_of(a, "Server-Timing"));
    return strtod(text + strlen("compute;dur="), NULL);
}

/* The standard score of Mann and Whitney's rank sum: how much more often times of one kind are the
 * longer than chance would have them. */
static double rank_score(const double *a, const double *b, int count) {
    double wins = 0, n = count;
    for (int i = 0; i < count; i++)
        for (int j = 0; j < count; j++)
            wins += a[i] > b[j] ? 1 : a[i] < b[j] ? 0 : 0.5;
    return (wins - n * n / 2) / sqrt(n * n * (2 * n + 1) / 12);
}

static double median(const double *times, int count) {
    double best = INFINITY, found = 0;
    for (int i = 0; i < count; i++) {
        int below = 0;
        for (int j = 0; j < count; j++)
            below += times[j] < times[i];
        double apart = fabs(below - count / 2.0);
        found = apart < best ? times[i] : found;
        best = apart < best ? apart : best;
    }
    return found;
}

/* What stopped at the first difference would be shorter where that is the first element by most of
 * its time. Chance comes to neither of the two: a score of 6, and medians that are a fifth apart.
 */
Test(checks_access, time_does_not_tell_where) {
    process *p = daemon_start(NULL);
    char *bodies[] = {relu_claim(0), relu_claim(ELEMENTS - 1)};
    double times[2][RUNS], medians[2];
    for (int run = -5; run < RUNS; run++) /* the first are not counted */
        for (int which = 0; which < 2; which++) {
            int kind = (run + which) & 1;
            double time = computed_in(ask(p->caller, "?detail=verdict", bodies[kind]));
            if (run >= 0)
                times[kind][run] = time;
            caller_forget(p->caller);
        }
    double score = rank_score(times[0], times[1], RUNS);
    for (int kind = 0; kind < 2; kind++)
        medians[kind] = median(times[kind], RUNS);
    CHECK(fabs(score) < 6 || fabs(medians[0] - medians[1]) < 0.2 * medians[1],
          "the fault at the first element takes %.4g ms, at the last %.4g: score %.3g", medians[0],
          medians[1], score);
    free(bodies[0]);
    free(bodies[1]);
    daemon_stop(p);
}
