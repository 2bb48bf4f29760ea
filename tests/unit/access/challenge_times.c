/* Challenges over time: until they expire, over a restart, whatever is done to the clock; and who
 * may answer them. */
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "access/challenges.h"

#include "common/check.h"

/* Seconds by which somebody has set the clock of the machine. */
static int64_t clock_set_by;

int clock_gettime(clockid_t clock, struct timespec *now) {
    int result = (int)syscall(SYS_clock_gettime, clock, now);
    if (result == 0 && clock == CLOCK_REALTIME)
        now->tv_sec += clock_set_by;
    return result;
}

enum { LIFETIME = 600000 };

static challenges open_with(const challenge_keys *keys, size_t most) {
    challenges c;
    char fault[FILE_FAULT];
    cr_assert(challenges_open(&c, "", LIFETIME, most, fault) == CHALLENGES_OPEN);
    if (keys)
        c.keys = *keys;
    return c;
}

/* Lets time go by. */
static void pass(challenges *c, int64_t milliseconds) {
    c->offset += milliseconds;
}

static challenge sample(bool has_submission) {
    return (challenge){.tenant = "nndl",
                       .operation = "relu/forward",
                       .name = "plain",
                       .dtype = "float32",
                       .has_submission = has_submission,
                       .subject = {1, 2, 3}};
}

typedef struct {
    char text[CHALLENGE_TEXT];
    uint32_t first; /* bits of its stream */
} given;

static given give(const challenges *c, bool has_submission) {
    challenge challenge = sample(has_submission);
    challenge_stream stream;
    problem problem;
    given given;
    cr_assert(challenge_give(c, &challenge, &stream, given.text, &problem));
    CHECK_EQUAL(challenge.expires - challenge.issued, LIFETIME);
    given.first = challenge_stream_next(&stream);
    return given;
}

/* Answers by a number; PROBLEM_KINDS where that is taken. */
static problem answer(challenges *c, const given *given, unsigned claim) {
    challenge challenge;
    challenge_stream stream;
    problem problem = {.kind = PROBLEM_KINDS};
    unsigned char digest[SHA256_BYTES] = {0};
    memcpy(digest, &claim, sizeof claim);
    if (challenge_take(c, "nndl", given->text, &challenge, &stream, &problem) &&
        challenge_spend(c, &challenge, &stream, digest, &problem))
        CHECK_TRUE(challenge_stream_next(&stream) == given->first);
    return problem;
}

static void expect(challenges *c, const given *given, unsigned claim, problem_kind kind) {
    problem problem = answer(c, given, claim);
    CHECK(problem.kind == kind, "%d, not %d", problem.kind, kind);
    if (kind == PROBLEM_CHALLENGES_FULL || kind == PROBLEM_KINDS)
        CHECK_TEXT(problem.pointer, "");
    else
        CHECK_TEXT(problem.pointer, "/challenge");
}

Test(challenge_times, a_nonce_is_answered_once_until_it_expires) {
    challenges c = open_with(NULL, 10);
    given a = give(&c, false), b = give(&c, false);
    CHECK_TRUE(a.first != b.first && strcmp(a.text, b.text) != 0);
    expect(&c, &a, 1, PROBLEM_KINDS);
    expect(&c, &a, 1, PROBLEM_KINDS);
    expect(&c, &a, 2, PROBLEM_CHALLENGE_SPENT);
    pass(&c, LIFETIME - 1000);
    expect(&c, &a, 2, PROBLEM_CHALLENGE_SPENT);
    expect(&c, &b, 2, PROBLEM_KINDS);
    pass(&c, 1000);
    expect(&c, &a, 1, PROBLEM_CHALLENGE_EXPIRED);
    expect(&c, &b, 2, PROBLEM_CHALLENGE_EXPIRED);
    challenges_close(&c);
}

Test(challenge_times, a_submission_is_answered_as_often_as_it_likes) {
    challenges c = open_with(NULL, 1);
    given a = give(&c, true), b;
    for (unsigned claim = 0; claim < 5; claim++)
        expect(&c, &a, claim, PROBLEM_KINDS);
    pass(&c, LIFETIME);
    expect(&c, &a, 1, PROBLEM_CHALLENGE_EXPIRED);
    b = give(&c, true);
    CHECK_TRUE(a.first == b.first); /* the same inputs for ever */
    expect(&c, &b, 1, PROBLEM_KINDS);
    challenges_close(&c);
}

Test(challenge_times, a_restart_ends_what_may_have_been_answered) {
    challenges c = open_with(NULL, 10);
    given of_submission = give(&c, true), of_nonce = give(&c, false);
    challenge_keys keys = c.keys;
    challenges_close(&c);
    CHECK_TRUE(c.keys.count == 0 && c.keys.key[0].tag[0] == 0);
    usleep(5000);
    c = open_with(&keys, 10);
    expect(&c, &of_submission, 1, PROBLEM_KINDS);
    expect(&c, &of_nonce, 1, PROBLEM_CHALLENGE_EXPIRED);
    given next = give(&c, true);
    CHECK_TRUE(next.first == of_submission.first);
    pass(&c, LIFETIME);
    expect(&c, &of_submission, 1, PROBLEM_CHALLENGE_EXPIRED);
    challenges_close(&c);
    c = open_with(NULL, 10); /* with another key */
    expect(&c, &of_submission, 1, PROBLEM_INVALID_CHALLENGE);
    expect(&c, &of_nonce, 1, PROBLEM_INVALID_CHALLENGE);
    challenges_close(&c);
}

Test(challenge_times, nobody_ends_or_revives_one_by_setting_the_clock) {
    challenges c = open_with(NULL, 10);
    given a = give(&c, false), b = give(&c, false);
    expect(&c, &a, 1, PROBLEM_KINDS);
    static const int64_t steps[] = {3600, -3600, 86400 * 365, -86400 * 365};
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
        clock_set_by = steps[i];
        expect(&c, &a, 1, PROBLEM_KINDS);
        expect(&c, &a, 2, PROBLEM_CHALLENGE_SPENT);
        given later = give(&c, false);
        expect(&c, &later, 1, PROBLEM_KINDS);
    }
    expect(&c, &b, 1, PROBLEM_KINDS);
    pass(&c, LIFETIME);
    clock_set_by = -7200;
    expect(&c, &a, 2, PROBLEM_CHALLENGE_EXPIRED);
    challenges_close(&c);
}

Test(challenge_times, a_full_table_tells_when_to_come_again) {
    challenges c = open_with(NULL, 2);
    given given[4];
    for (int i = 0; i < 4; i++)
        given[i] = give(&c, i == 3);
    expect(&c, &given[0], 1, PROBLEM_KINDS);
    expect(&c, &given[1], 1, PROBLEM_KINDS);
    problem problem = answer(&c, &given[2], 1);
    CHECK_EQUAL(problem.kind, PROBLEM_CHALLENGES_FULL);
    CHECK(problem.retry_after >= 599 && problem.retry_after <= 600, "%d", problem.retry_after);
    expect(&c, &given[1], 1, PROBLEM_KINDS);
    expect(&c, &given[1], 2, PROBLEM_CHALLENGE_SPENT);
    expect(&c, &given[3], 1, PROBLEM_KINDS); /* of a submission: nothing is remembered of it */
    pass(&c, LIFETIME - 1500);
    given[2] = give(&c, false);
    problem = answer(&c, &given[2], 1);
    CHECK(problem.retry_after >= 1 && problem.retry_after <= 2, "%d", problem.retry_after);
    pass(&c, 1500);
    expect(&c, &given[2], 1, PROBLEM_KINDS);
    challenges_close(&c);
}

Test(challenge_times, anothers_is_not_told_from_none) {
    challenges c = open_with(NULL, 10), other = open_with(NULL, 10);
    given given = give(&c, true);
    static const char *const tenants[] = {"", "nnd", "nndl2", "NNDL"};
    struct challenge_kept {
        challenge challenge;
        challenge_stream stream;
    } kept;
    problem none, problem;
    CHECK_TRUE(!challenge_take(&c, "nndl", "lc1.x.y", &kept.challenge, &kept.stream, &none));
    CHECK_EQUAL(none.kind, PROBLEM_INVALID_CHALLENGE);
    for (size_t i = 0; i < sizeof tenants / sizeof *tenants; i++) {
        CHECK_TRUE(
            !challenge_take(&c, tenants[i], given.text, &kept.challenge, &kept.stream, &problem));
        CHECK_TEXT(problem.detail, none.detail);
    }
    CHECK_TRUE(
        !challenge_take(&other, "nndl", given.text, &kept.challenge, &kept.stream, &problem));
    CHECK_TEXT(problem.detail, none.detail);
    CHECK_TRUE(challenge_take(&c, "nndl", given.text, &kept.challenge, &kept.stream, &problem));
    challenges_close(&c);
    challenges_close(&other);
}
