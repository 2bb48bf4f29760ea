/* Giving challenges, taking them back, and spending them. All functions but opening and closing may
 * be called from any thread. */
#ifndef ACCESS_CHALLENGES_H
#define ACCESS_CHALLENGES_H

#include "access/spent.h"
#include "base/problem.h"

typedef struct {
    challenge_keys keys;
    spent *spent;
    int64_t lifetime; /* milliseconds */
    int64_t started;  /* milliseconds since 1970 */
    int64_t offset;   /* from a clock that nobody sets to these */
    bool shared; /* what is spent is known elsewhere, to others too, and outlives this process */
} challenges;

typedef enum { CHALLENGES_OPEN, CHALLENGES_WRONG_FILE, CHALLENGES_NO_MEMORY } challenges_result;

/* With the keys of a file, or one that is drawn where the path is "". CHALLENGES_WRONG_FILE with
 * what is wrong with it. */
challenges_result challenges_open(challenges *challenges, const char *path, int64_t lifetime,
                                  size_t most, char fault[FILE_FAULT]);

/* Wipes the keys. */
void challenges_close(challenges *challenges);

/* Gives a challenge, whose fields but the times are there, and of one without a submission but the
 * nonce; and begins the stream of its inputs. False with a problem. */
bool challenge_give(const challenges *challenges, challenge *challenge, challenge_stream *stream,
                    char text[CHALLENGE_TEXT], problem *problem);

/* Takes a challenge back of a tenant, "" for none, and begins its stream. False with a problem:
 * invalid_challenge, challenge_expired. */
bool challenge_take(const challenges *challenges, const char *tenant, const char *text,
                    challenge *challenge, challenge_stream *stream, problem *problem);

/* invalid_challenge: the one sentence for all that is wrong with one. Always false. */
bool challenge_refuse(problem *problem);

/* Spends one that was taken on an answer, by its digest: nothing to do where it is of a submission.
 * False with a problem: challenge_spent, challenge_expired, challenges_full. */
bool challenge_spend(challenges *challenges, const challenge *challenge,
                     const challenge_stream *stream, const unsigned char answer[SHA256_BYTES],
                     problem *problem);

enum { CHALLENGE_ID_TEXT = 2 * CHALLENGE_ID + 1 };

/* The same where it is to be known elsewhere: under this name, and for so many milliseconds. False
 * with challenge_expired. */
bool challenge_name(const challenges *challenges, const challenge *challenge,
                    const challenge_stream *stream, char name[CHALLENGE_ID_TEXT], int64_t *left,
                    problem *problem);

/* challenge_spent. Always false. */
bool challenge_was_spent(problem *problem);

#endif
