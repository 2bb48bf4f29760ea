/* Challenges that are answered: rightly, wrongly, twice, too late, by somebody else, and by many at
 * once. */
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/safetensors.h"
#include "common/threads.h"
#include "http/guests.h"
#include "key_file.h"

static void clean_up(void);

TestSuite(challenge_answers, .timeout = 100, .fini = clean_up);

#define SUBMISSION      "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
#define KEY             "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff\n"
#define OTHER_KEY       "ffeeddccbbaa99887766554433221100ffeeddccbbaa99887766554433221100\n"

#define NONCE           "{'operation':'affine/forward'}"
#define WITH_SUBMISSION "{'operation':'affine/forward','submission':'" SUBMISSION "'}"

static void clean_up(void) {
    key_file_clean_up();
    guests_clean_up();
}

/* ---- what is right ---------------------------------------------------------------------------
 */

static const answer *post_json(caller *c, const char *target, const json_t *body) {
    char *text = json_dumps(body, JSON_COMPACT);
    const answer *a =
        send_message(c, &(layerd_message){.path = target, .body = text, .length = strlen(text)});
    free(text);
    return a;
}

/* The operation's own answer to inputs of a challenge; of a backward, by way of its forward. */
static const answer *compute(caller *c, const answer *given, const char *dtype) {
    const char *operation = text_at(given, "operation"), *slash = strchr(operation, '/');
    json_t *inputs = json_deep_copy(json_object_get(given->json, "inputs"));
    json_t *dout = json_incref(json_object_get(inputs, "dout"));
    char target[96];
    json_object_set_new(inputs, "dtype", json_string(dtype));
    json_object_del(inputs, "dout");
    snprintf(target, sizeof target, "/%.*s/forward", (int)(slash - operation), operation);
    if (!dout)
        snprintf(target, sizeof target, "/%s", operation);
    const answer *a = post_json(c, target, inputs);
    cr_assert(a->status == 200, "%s: %.300s", target, a->body);
    if (dout) {
        json_t *body = json_pack("{s:o, s:s}", "dout", dout, "cache", text_at(a, "cache"));
        snprintf(target, sizeof target, "/%s?cache=release", operation);
        a = post_json(c, target, body);
        json_decref(body);
    }
    cr_assert(a->status == 200, "%s: %.300s", target, a->body);
    json_decref(inputs);
    return a;
}

/* What an answer claims, of all that an operation gives. */
static json_t *claim_of(const answer *given, const answer *computed) {
    json_t *claim = json_object(), *name;
    size_t i;
    json_array_foreach(json_object_get(given->json, "claims"), i, name) {
        const char *dotted = json_string_value(name), *dot = strchr(dotted, '.');
        json_t *value = json_at(computed->json, dotted), *into = claim;
        char params[64];
        cr_assert(value, "%s is not in %.200s", dotted, computed->body);
        if (dot) {
            snprintf(params, sizeof params, "%.*s", (int)(dot - dotted), dotted);
            if (!json_object_get(claim, params))
                json_object_set_new(claim, params, json_object());
            into = json_object_get(claim, params);
        }
        json_object_set(into, dot ? dot + 1 : dotted, value);
    }
    return claim;
}

/* As text, to be freed. */
static char *right_claim(caller *c, const answer *given) {
    json_t *claim = claim_of(given, compute(c, given, "float64"));
    char *text = json_dumps(claim, JSON_COMPACT);
    json_decref(claim);
    return text;
}

static const answer *respond(caller *c, const char *query, const answer *given, const char *claim) {
    char target[96];
    snprintf(target, sizeof target, "/challenge/answer%s", query);
    return post(c, target, "{'challenge':'%s','claim':%s}", text_at(given, "challenge"), claim);
}

static void expect_verdict(const answer *a, const char *verdict) {
    CHECK(a->status == 200 && !strcmp(text_at(a, "verdict"), verdict), "%s: not %s but %d %.300s",
          a->about, verdict, a->status, a->body);
}

static const answer *give(caller *c, const char *asked) {
    const answer *a = post(c, "/challenge", "%s", asked);
    cr_assert(a->status == 200, "%s: %.300s", asked, a->body);
    return a;
}

Test(challenge_answers, what_the_daemon_computes_is_right_of_every_operation) {
    process *p = daemon_start(NULL);
    json_t *operations = json_deep_copy(
        json_object_get(fetch(p->caller, "GET", "/challenge", NULL)->json, "operations"));
    static const char *const dtypes[] = {"float64", "float32"};
    const char *operation;
    json_t *cases, *name;
    size_t i;
    json_object_foreach(operations, operation, cases) {
        json_array_foreach(cases, i, name) {
            for (int d = 0; d < 2; d++) {
                const answer *given =
                    post(p->caller, "/challenge", "{'operation':'%s','case':'%s','dtype':'%s'}",
                         operation, json_string_value(name), dtypes[d]);
                json_t *claim = claim_of(given, compute(p->caller, given, dtypes[d]));
                json_t *body = json_pack("{s:s, s:o}", "challenge", text_at(given, "challenge"),
                                         "claim", claim);
                const answer *a = post_json(p->caller, "/challenge/answer", body);
                CHECK(a->status == 200 && !strcmp(text_at(a, "verdict"), "right"), "%s %s %s: %s",
                      operation, json_string_value(name), dtypes[d], a->body);
                json_decref(body);
            }
        }
        caller_forget(p->caller);
    }
    json_decref(operations);
    daemon_stop(p);
}

Test(challenge_answers, a_wrong_one_is_told_as_much_as_is_asked_for) {
    process *p = daemon_start(NULL);
    const answer *given = give(p->caller, WITH_SUBMISSION), *a;
    json_t *claim =
        json_pack("{s:O}", "out", json_at(compute(p->caller, given, "float64")->json, "out"));
    json_t *row = json_array_get(json_object_get(claim, "out"), 0);
    double b = json_number_value(json_array_get(json_at(given->json, "inputs.b"), 0));
    json_array_set_new(row, 0, json_real(json_number_value(json_array_get(row, 0)) + b + 1));
    char *text = json_dumps(claim, JSON_COMPACT);
    expect_verdict(respond(p->caller, "", given, text), "wrong");
    a = respond(p->caller, "?detail=verdict", given, text);
    expect_json(a, "{'verdict':'wrong','claim':{'out':{'verdict':'wrong'}}}");
    a = respond(p->caller, "?detail=values", given, text);
    CHECK_TRUE(number_at(a, "claim.out.claimed") == json_number_value(json_array_get(row, 0)));
    CHECK_TRUE(number_at(a, "claim.out.expected") == number_at(a, "claim.out.claimed") - b - 1);
    expect_problem(respond(p->caller, "?detail=all", given, text), "invalid_query", "");
    a = respond(p->caller, "", given, "{'out':[[1]]}");
    CHECK_TEXT(text_at(a, "claim.out.fault"), "shape");
    free(text);
    json_decref(claim);
    daemon_stop(p);
}

/* ---- once, and of whom -----------------------------------------------------------------------
 */

Test(challenge_answers, a_nonce_takes_one_claim_however_it_is_written) {
    process *p = daemon_start(NULL);
    const answer *given = give(p->caller, NONCE);
    expect_problem(respond(p->caller, "", given, "{}"), "missing_field", "/claim");
    expect_problem(respond(p->caller, "", given, "{'oout':[1]}"), "unknown_field", "/claim/oout");
    static const char *const same[] = {
        "{'out':[[1,0,2.5],[-3,'NaN',1e2]]}",
        "{ 'out' : [ [1.0, -0.0, 25e-1] , [-3, NaN, 100] ] }",
        "{'out':{'shape':[2,3],'data':[1,0,2.5,-3,'NaN',100]}}",
    };
    static const char *const others[] = {
        "{'out':[[1,0,2.5],[-3,'NaN',101]]}",
        "{'out':{'shape':[3,2],'data':[1,0,2.5,-3,'NaN',100]}}",
        "{'out':[1,0,2.5,-3,'NaN',100]}",
    };
    for (int round = 0; round < 2; round++) {
        for (size_t i = 0; i < sizeof same / sizeof *same; i++)
            expect_verdict(respond(p->caller, "", given, same[i]), "wrong");
        for (size_t i = 0; i < sizeof others / sizeof *others; i++)
            expect_problem(respond(p->caller, "", given, others[i]), "challenge_spent",
                           "/challenge");
    }
    char *right = right_claim(p->caller, given);
    expect_problem(respond(p->caller, "", given, right), "challenge_spent", "/challenge");
    given = give(p->caller, NONCE); /* another one */
    expect_problem(respond(p->caller, "", given, "{}"), "missing_field", "/claim");
    free(right);
    right = right_claim(p->caller, given);
    expect_verdict(respond(p->caller, "", given, right), "right");
    expect_problem(respond(p->caller, "", given, others[0]), "challenge_spent", "/challenge");
    expect_verdict(respond(p->caller, "?detail=verdict", given, right), "right");
    free(right);
    daemon_stop(p);
}

Test(challenge_answers, a_submission_is_judged_each_time) {
    process *p = daemon_start(NULL);
    const answer *given = give(p->caller, WITH_SUBMISSION),
                 *again = give(p->caller, WITH_SUBMISSION);
    char *right = right_claim(p->caller, given);
    expect_verdict(respond(p->caller, "", given, "{'out':[[1]]}"), "wrong");
    expect_verdict(respond(p->caller, "", given, right), "right");
    expect_verdict(respond(p->caller, "", again, right), "right");
    expect_verdict(respond(p->caller, "", given, "{'out':[[2]]}"), "wrong");
    free(right);
    daemon_stop(p);
}

/* All claims of a challenge, or none. */
Test(challenge_answers, an_answer_is_whole) {
    process *p = daemon_start(NULL);
    const answer *given = give(p->caller, "{'operation':'affine/backward'}");
    expect_problem(respond(p->caller, "", given, "{'dx':[1],'db':[1]}"), "missing_field",
                   "/claim/dw");
    expect_problem(respond(p->caller, "", given, "{'dw':[1],'db':[1]}"), "missing_field",
                   "/claim/dx");
    expect_verdict(respond(p->caller, "", given, "{'dx':[1],'db':[1],'dw':[1]}"), "wrong");
    static const struct {
        const char *body, *code, *pointer;
    } rows[] = {
        {"{'claim':{'out':[1]}}", "missing_field", "/challenge"},
        {"{'challenge':1,'claim':{'out':[1]}}", "wrong_type", "/challenge"},
        {"{'challenge':'','claim':{'out':[1]}}", "invalid_challenge", "/challenge"},
        {"{'challenge':'lc1.\\u0000','claim':{'out':[1]}}", "invalid_challenge", "/challenge"},
        {"{'challenge':'lc1.x.y','claim':{'out':[1]},'x':[1]}", "unknown_field", "/x"},
        {"{'challenge':'lc1.x.y','claim':{'out':[1]},'tolerance':{'rtol':1}}", "unknown_field",
         "/tolerance"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        expect_problem(post(p->caller, "/challenge/answer", "%s", rows[i].body), rows[i].code,
                       rows[i].pointer);
    expect_problem(fetch(p->caller, "GET", "/challenge/answer", NULL), "method_not_allowed", "");
    daemon_stop(p);
}

Test(challenge_answers, one_that_was_changed_is_none_and_nobody_is_told_why) {
    process *p = daemon_start(NULL), *other = daemon_start(NULL);
    const answer *given = give(p->caller, NONCE), *foreign = give(other->caller, NONCE);
    const answer *refused = respond(p->caller, "", foreign, "{'out':[1]}");
    char *text = strdup(text_at(given, "challenge")), detail[640];
    expect_problem(refused, "invalid_challenge", "/challenge");
    snprintf(detail, sizeof detail, "%s", text_at(refused, "detail"));
    size_t length = strlen(text);
    for (size_t i = 0; i < length; i += i + 8 < length ? 7 : 1) {
        char was = text[i];
        text[i] = was == 'A' ? 'B' : 'A';
        refused =
            post(p->caller, "/challenge/answer", "{'challenge':'%s','claim':{'out':[1]}}", text);
        expect_problem(refused, "invalid_challenge", "/challenge");
        CHECK_TEXT(text_at(refused, "detail"), detail);
        text[i] = was;
    }
    text[length - 1] = '\0';
    refused = post(p->caller, "/challenge/answer", "{'challenge':'%s','claim':{'out':[1]}}", text);
    CHECK_TEXT(text_at(refused, "detail"), detail);
    free(text);
    expect_verdict(respond(p->caller, "", given, "{'out':[1]}"), "wrong");
    daemon_stop(other);
    daemon_stop(p);
}

/* ---- time ------------------------------------------------------------------------------------
 */

Test(challenge_answers, one_expires) {
    process *p = daemon_start(OPTIONS("--challenge-lifetime", "300ms", "--challenges", "2"));
    const answer *given[4];
    for (int i = 0; i < 4; i++)
        given[i] = give(p->caller, i == 3 ? WITH_SUBMISSION : NONCE);
    expect_verdict(respond(p->caller, "", given[0], "{'out':[1]}"), "wrong");
    expect_verdict(respond(p->caller, "", given[1], "{'out':[1]}"), "wrong");
    const answer *full = respond(p->caller, "", given[2], "{'out':[1]}");
    expect_problem(full, "challenges_full", "");
    CHECK_TEXT(header_of(full, "Retry-After"), "1");
    expect_problem(respond(p->caller, "", given[0], "{'out':[2]}"), "challenge_spent",
                   "/challenge");
    expect_verdict(respond(p->caller, "", given[3], "{'out':[1]}"), "wrong");
    for (double end = clock_now() + 5000;
         respond(p->caller, "", given[3], "{'out':[1]}")->status == 200 && clock_before(end);)
        ;
    for (int i = 0; i < 4; i++)
        expect_problem(respond(p->caller, "", given[i], "{'out':[1]}"), "challenge_expired",
                       "/challenge");
    expect_verdict(respond(p->caller, "", give(p->caller, NONCE), "{'out':[1]}"), "wrong");
    daemon_stop(p);
}

static void expect_after(process *p, const char *challenge, const char *code) {
    const answer *a =
        post(p->caller, "/challenge/answer", "{'challenge':'%s','claim':{'out':[[1]]}}", challenge);
    if (code)
        expect_problem(a, code, "/challenge");
    else
        expect_verdict(a, "wrong");
}

Test(challenge_answers, a_restart_ends_nonces_and_leaves_submissions) {
    process *p = daemon_start(OPTIONS("--challenge-key", key_file(KEY)));
    char *nonce = strdup(text_at(give(p->caller, NONCE), "challenge"));
    char *submission = strdup(text_at(give(p->caller, WITH_SUBMISSION), "challenge"));
    expect_after(p, nonce, NULL);
    daemon_stop(p);
    p = daemon_start(OPTIONS("--challenge-key", key_file(KEY)));
    expect_after(p, nonce, "challenge_expired");
    expect_after(p, submission, NULL);
    daemon_stop(p);
    /* another key signs, the old one is still known */
    p = daemon_start(OPTIONS("--challenge-key", key_file(OTHER_KEY KEY)));
    expect_after(p, submission, NULL);
    expect_after(p, nonce, "challenge_expired");
    expect_after(p, text_at(give(p->caller, NONCE), "challenge"), NULL);
    daemon_stop(p);
    p = daemon_start(OPTIONS("--challenge-key", key_file(OTHER_KEY)));
    expect_after(p, submission, "invalid_challenge");
    expect_after(p, nonce, "invalid_challenge");
    daemon_stop(p);
    free(nonce);
    free(submission);
}

/* ---- access ----------------------------------------------------------------------------------
 */

enum { ONE, SAME, OTHER, STAFF, EXAM };

static guest guests[] = {{"one", "a check", "", "", ""},
                         {"same", "a check", "", "", ""},
                         {"other", "b check", "", "", ""},
                         {"staff", "a check,compute", "", "", ""},
                         {"exam", "a check", "only=challenge detail=verdict", "", ""},
                         {0}};

Test(challenge_answers, they_are_the_tenants) {
    guests_make(guests);
    process *p = daemon_start(OPTIONS("--tokens", guests_write(guests)));
    caller *c[EXAM + 1];
    for (int i = ONE; i <= EXAM; i++)
        c[i] = guest_open(p, &guests[i]);
    const answer *given = give(c[ONE], WITH_SUBMISSION);
    char *right = right_claim(c[STAFF], given);
    expect_verdict(respond(c[SAME], "", given, right), "right");
    expect_problem(respond(c[OTHER], "", given, right), "invalid_challenge", "/challenge");
    expect_problem(respond(p->caller, "", given, right), "unauthorized", "");
    expect_problem(respond(c[ONE], "?detail=values", given, right), "forbidden", "");
    CHECK_TRUE(number_at(respond(c[STAFF], "?detail=values", given, right), "claim.out.error") ==
               0);
    expect_json(respond(c[EXAM], "", given, "{'out':[[1]]}"),
                "{'verdict':'wrong','claim':{'out':{'verdict':'wrong'}}}");
    expect_json(respond(c[EXAM], "?detail=values", given, "{'out':[[1]]}"),
                "{'verdict':'wrong','claim':{'out':{'verdict':'wrong'}}}");
    expect_problem(post(c[EXAM], "/check/affine/forward",
                        "{'x':[[1]],'w':[[1]],'b':[1],'claim':{'out':[[2]]}}"),
                   "forbidden", "");
    free(right);
    for (int i = ONE; i <= EXAM; i++)
        caller_close(c[i]);
    daemon_stop(p);
}

/* ---- bytes -----------------------------------------------------------------------------------
 */

Test(challenge_answers, an_answer_may_be_a_file) {
    process *p = daemon_start(NULL);
    const answer *given = give(p->caller, NONCE);
    const json_t *x = json_at(given->json, "inputs.x"), *w = json_at(given->json, "inputs.w"),
                 *b = json_at(given->json, "inputs.b");
    size_t rows = json_array_size(x), columns = json_array_size(b);
    double out[64];
    cr_assert(rows * columns <= 64);
    for (size_t i = 0; i < rows * columns; i++) {
        size_t n = i / columns, m = i % columns;
        out[i] = json_number_value(json_array_get(b, m));
        for (size_t d = 0; d < json_array_size(w); d++)
            out[i] += json_number_value(json_array_get(json_array_get(x, n), d)) *
                      json_number_value(json_array_get(json_array_get(w, d), m));
    }
    char file[2048],
        *header = json_text("{'__metadata__':{'challenge':'%s'},'claim.out':{'dtype':'F64',"
                            "'shape':[%zu,%zu],'data_offsets':[0,%zu]}}",
                            text_at(given, "challenge"), rows, columns, rows * columns * 8);
    uint64_t length = strlen(header);
    memcpy(file, &length, 8);
    memcpy(file + 8, header, length);
    memcpy(file + 8 + length, out, rows * columns * 8);
    free(header);
    for (int round = 0; round < 2; round++)
        expect_verdict(post_bytes(p->caller, "/challenge/answer",
                                  HEADERS("Content-Type: application/vnd.safetensors"), file,
                                  8 + length + rows * columns * 8),
                       "right");
    char *right = right_claim(p->caller, given); /* the same claim in the other form */
    expect_verdict(respond(p->caller, "", given, right), "right");
    expect_problem(respond(p->caller, "", given, "{'out':[1]}"), "challenge_spent", "/challenge");
    free(right);
    daemon_stop(p);
}

/* ---- many at once ----------------------------------------------------------------------------
 */

enum { RIVALS = 6, RACES = 40 };

typedef struct {
    const char *url;
    char challenge[RACES][700];
    atomic_int ready[RACES], won[RACES], lost[RACES];
} race;

static void answer_all(void *context, int number, char fault[FAULT_TEXT]) {
    race *race = context;
    caller *c = caller_open(race->url);
    for (int i = 0; i < RACES && !*fault; i++) {
        atomic_fetch_add(&race->ready[i], 1);
        for (double end = clock_now() + 5000; race->ready[i] < RIVALS && clock_before(end);)
            ;
        const answer *a =
            caller_post(c, "/challenge/answer", "{'challenge':'%s','claim':{'out':[[%d]]}}",
                        race->challenge[i], number);
        if (!a)
            snprintf(fault, FAULT_TEXT, "%s", c->fault);
        atomic_fetch_add(&race->won[i], a && a->status == 200);
        atomic_fetch_add(&race->lost[i], a && a->status == 409);
        caller_forget(c);
    }
    caller_close(c);
}

Test(challenge_answers, of_many_at_once_one_is_taken) {
    static race race;
    process *p = daemon_start(NULL);
    race.url = p->url;
    for (int i = 0; i < RACES; i++)
        snprintf(race.challenge[i], sizeof race.challenge[i], "%s",
                 text_at(give(p->caller, NONCE), "challenge"));
    threads_run(RIVALS, answer_all, &race);
    for (int i = 0; i < RACES; i++)
        CHECK(race.won[i] == 1 && race.lost[i] == RIVALS - 1, "%d: %d won, %d lost", i, race.won[i],
              race.lost[i]);
    daemon_stop(p);
}
