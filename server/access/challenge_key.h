/* The keys of challenges: what is signed with them, and what inputs are drawn with. */
#ifndef ACCESS_CHALLENGE_KEY_H
#define ACCESS_CHALLENGE_KEY_H

#include "access/file.h"
#include "access/secret.h"

enum {
    CHALLENGE_KEYS = 2,
    CHALLENGE_KEY_ID = 4,
    CHALLENGE_KEY_LEAST = 32, /* bytes */
    CHALLENGE_KEY_MOST = 64,
};

/* All that is kept of a key: three HMACs of it, no two of which tell anything of each other. */
typedef struct {
    unsigned char id[CHALLENGE_KEY_ID]; /* no secret */
    unsigned char tag[SHA256_BYTES];    /* signs challenges */
    unsigned char seed[SHA256_BYTES];   /* draws their inputs */
} challenge_key;

/* The first signs, all verify. */
typedef struct {
    challenge_key key[CHALLENGE_KEYS];
    int count;
    bool is_readable; /* its file, by users that are neither its owner nor of its group */
} challenge_keys;

/* A key of so many bytes. */
void challenge_key_make(challenge_key *key, const void *bytes, size_t length);

/* Reads a file of 32 to 64 bytes, or of these in hexadecimal, with or without a line feed; or of
 * two keys in hexadecimal, a line each. False with what is wrong. */
bool challenge_keys_read(challenge_keys *keys, const char *path, char fault[FILE_FAULT]);

/* One key of random bytes. False where the system gives none. */
bool challenge_keys_draw(challenge_keys *keys);

void challenge_keys_wipe(challenge_keys *keys);

#endif
