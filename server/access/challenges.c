/* Giving challenges, taking them back, and spending them. */
#include "access/challenges.h"

#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

enum { SECOND = 1000, RETRY_MOST = 3600 };

static int64_t clock_ms(clockid_t clock) {
    struct timespec now;
    clock_gettime(clock, &now);
    return (int64_t)now.tv_sec * SECOND + now.tv_nsec / 1000000;
}

/* Milliseconds since 1970 as they were at the start, and what has gone by since then: whoever sets
 * the machine's clock neither ends a challenge nor brings a spent one back. */
static int64_t time_now(const challenges *challenges) {
    return clock_ms(CLOCK_BOOTTIME) + challenges->offset;
}

challenges_result challenges_open(challenges *challenges, const char *path, int64_t lifetime,
                                  size_t most, char fault[FILE_FAULT]) {
    memset(challenges, 0, sizeof *challenges);
    if (*path && !challenge_keys_read(&challenges->keys, path, fault))
        return CHALLENGES_WRONG_FILE;
    challenges->lifetime = lifetime;
    challenges->started = clock_ms(CLOCK_REALTIME);
    challenges->offset = challenges->started - clock_ms(CLOCK_BOOTTIME);
    challenges->spent = spent_make(most);
    bool good = challenges->spent && (*path || challenge_keys_draw(&challenges->keys));
    if (!good)
        challenges_close(challenges);
    return good ? CHALLENGES_OPEN : CHALLENGES_NO_MEMORY;
}

void challenges_close(challenges *challenges) {
    challenge_keys_wipe(&challenges->keys);
    spent_free(challenges->spent);
    challenges->spent = NULL;
}

bool challenge_give(const challenges *challenges, challenge *challenge, challenge_stream *stream,
                    char text[CHALLENGE_TEXT], problem *problem) {
    challenge->issued = time_now(challenges);
    challenge->expires = challenge->issued + challenges->lifetime;
    if (!challenge->has_submission &&
        getrandom(challenge->subject, CHALLENGE_NONCE, 0) != CHALLENGE_NONCE)
        return problem_set_overloaded(problem, "the system has no random numbers");
    challenge_write(&challenges->keys, challenge, text);
    challenge_stream_begin(stream, &challenges->keys.key[0], challenge);
    return true;
}

bool challenge_refuse(problem *problem) {
    return problem_set(problem, PROBLEM_INVALID_CHALLENGE, "/challenge",
                       "/challenge is none that was given to this caller here, or is not all of "
                       "it, or its key is no longer in use: ask for another with POST /challenge");
}

static bool has_expired(problem *problem, const char *why) {
    return problem_set(problem, PROBLEM_CHALLENGE_EXPIRED, "/challenge",
                       "the challenge %s: ask for another with POST /challenge", why);
}

bool challenge_take(const challenges *challenges, const char *tenant, const char *text,
                    challenge *challenge, challenge_stream *stream, problem *problem) {
    const challenge_key *key = challenge_read(&challenges->keys, text, challenge);
    if (!key || strcmp(tenant, challenge->tenant) != 0)
        return challenge_refuse(problem);
    if (challenge->expires <= time_now(challenges))
        return has_expired(problem, "has expired");
    if (!challenge->has_submission && !challenges->shared &&
        challenge->issued < challenges->started)
        return has_expired(problem, "was given before the server's last start, and may have been "
                                    "answered since");
    challenge_stream_begin(stream, key, challenge);
    return true;
}

bool challenge_was_spent(problem *problem) {
    return problem_set(problem, PROBLEM_CHALLENGE_SPENT, "/challenge",
                       "the challenge was answered before, with another claim: one without a "
                       "submission takes one answer; ask for another with POST /challenge");
}

bool challenge_name(const challenges *challenges, const challenge *challenge,
                    const challenge_stream *stream, char name[CHALLENGE_ID_TEXT], int64_t *left,
                    problem *problem) {
    unsigned char id[CHALLENGE_ID];
    challenge_id(stream, id);
    for (size_t i = 0; i < sizeof id; i++)
        snprintf(name + 2 * i, 3, "%02x", id[i]);
    *left = challenge->expires - time_now(challenges);
    return *left > 0 || has_expired(problem, "has expired");
}

bool challenge_spend(challenges *challenges, const challenge *challenge,
                     const challenge_stream *stream, const unsigned char answer[SHA256_BYTES],
                     problem *problem) {
    unsigned char id[CHALLENGE_ID];
    int64_t now = time_now(challenges), free_at = now;
    if (challenge->has_submission)
        return true;
    challenge_id(stream, id);
    switch (spent_use(challenges->spent, id, answer, now, challenge->expires, &free_at)) {
    case SPENT_NOW:
    case SPENT_BEFORE:
        return true;
    case SPENT_OTHERWISE:
        return challenge_was_spent(problem);
    case SPENT_EXPIRED:
        return has_expired(problem, "has expired");
    default:
        problem_set(problem, PROBLEM_CHALLENGES_FULL, NULL,
                    "as many challenges as there is room for (--challenges) were answered and have "
                    "not expired: try again later");
        int64_t wait = (free_at - now + SECOND - 1) / SECOND;
        problem->retry_after = (int)(wait < 1 ? 1 : wait > RETRY_MOST ? RETRY_MOST : wait);
        return false;
    }
}
