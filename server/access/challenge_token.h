/* Challenges as they travel: all that the server has to know of one, signed, so that it need not
 * remember it. Nothing in one is secret; what its inputs are drawn from is. */
#ifndef ACCESS_CHALLENGE_TOKEN_H
#define ACCESS_CHALLENGE_TOKEN_H

#include "access/caller.h"
#include "access/challenge_key.h"

enum {
    CHALLENGE_NAME = 48,        /* of an operation or a case, with a terminator */
    CHALLENGE_ASSIGNMENT = 129, /* 128 bytes, and a terminator */
    CHALLENGE_NONCE = 16,
    CHALLENGE_TEXT = 640, /* room for the longest, and a terminator */
};

typedef struct {
    char tenant[CALLER_NAME_MOST + 1]; /* "" for none */
    char operation[CHALLENGE_NAME];    /* "affine/forward" */
    char name[CHALLENGE_NAME];         /* of the case */
    char dtype[CHALLENGE_NAME];
    char assignment[CHALLENGE_ASSIGNMENT];
    bool has_submission;
    unsigned char subject[SHA256_BYTES]; /* the submission's digest, or a nonce and zeros */
    int64_t issued, expires;             /* milliseconds since 1970 */
} challenge;

/* Writes a challenge, signed with the first key. */
void challenge_write(const challenge_keys *keys, const challenge *challenge,
                     char text[CHALLENGE_TEXT]);

/* Reads what challenge_write wrote, and nothing else: the key that signed it, NULL where none did.
 * Nothing is looked at before its signature is found right. */
const challenge_key *challenge_read(const challenge_keys *keys, const char *text,
                                    challenge *challenge);

/* Random bits for inputs: the same of the same key and challenge, whenever it was issued. */
typedef struct {
    unsigned char key[SHA256_BYTES];
    unsigned char block[SHA256_BYTES];
    uint64_t count; /* blocks that were made */
    size_t used;    /* bytes of the last */
} challenge_stream;

void challenge_stream_begin(challenge_stream *stream, const challenge_key *key,
                            const challenge *challenge);

/* The next 32 bits, of a stream: the `next` of a layers_source. */
uint32_t challenge_stream_next(void *stream);

enum { CHALLENGE_ID = 16 };

/* What stands for a challenge where it is remembered: one for all that draw the same inputs. */
void challenge_id(const challenge_stream *stream, unsigned char id[CHALLENGE_ID]);

#endif
