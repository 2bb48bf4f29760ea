/* The keys of challenges. What is all hexadecimal digits and long enough for it is read as these:
 * 64 digits are a key of 32 bytes, and never one of 64. */
#include "access/challenge_key.h"

#include <stdio.h>
#include <string.h>
#include <sys/random.h>

enum { FILE_MOST = CHALLENGE_KEYS * (2 * CHALLENGE_KEY_MOST + 1) };

void challenge_key_make(challenge_key *key, const void *bytes, size_t length) {
    static const char id[] = "layerd challenge key id", tag[] = "layerd challenge signature",
                      seed[] = "layerd challenge inputs";
    unsigned char mac[SHA256_BYTES];
    hmac_sha256(bytes, length, id, sizeof id - 1, mac);
    memcpy(key->id, mac, sizeof key->id);
    hmac_sha256(bytes, length, tag, sizeof tag - 1, key->tag);
    hmac_sha256(bytes, length, seed, sizeof seed - 1, key->seed);
}

/* A key of digits alone. */
static bool add_digits(challenge_keys *keys, const char *text, size_t length) {
    unsigned char bytes[CHALLENGE_KEY_MOST];
    bool good = keys->count < CHALLENGE_KEYS && length >= 2 * CHALLENGE_KEY_LEAST &&
                length <= 2 * CHALLENGE_KEY_MOST && hex_decode(text, length, bytes);
    if (good)
        challenge_key_make(&keys->key[keys->count++], bytes, length / 2);
    secret_wipe(bytes, sizeof bytes);
    return good;
}

/* Lines of digits, of which the last need not end. */
static bool add_lines(challenge_keys *keys, const char *text, size_t length) {
    for (size_t line; length > 0; text += line, length -= line) {
        const char *feed = memchr(text, '\n', length);
        line = feed ? (size_t)(feed - text) : length;
        if (!add_digits(keys, text, line))
            return false;
        line += feed != NULL;
    }
    return keys->count > 0;
}

static bool take(challenge_keys *keys, const access_file *file) {
    if (add_lines(keys, file->bytes, file->length))
        return true;
    keys->count = 0;
    if (file->length < CHALLENGE_KEY_LEAST || file->length > CHALLENGE_KEY_MOST)
        return false;
    challenge_key_make(&keys->key[keys->count++], file->bytes, file->length);
    return true;
}

bool challenge_keys_read(challenge_keys *keys, const char *path, char fault[FILE_FAULT]) {
    access_file file = {0};
    *keys = (challenge_keys){0};
    if (!access_file_read(&file, path, FILE_MOST, fault))
        return false;
    keys->is_readable = file.is_readable;
    bool good = take(keys, &file);
    if (!good)
        snprintf(fault, FILE_FAULT,
                 "it has %zu bytes, but must have 32 to 64 random bytes, or these as hexadecimal "
                 "digits, or two lines of such digits, of which the first signs",
                 file.length);
    access_file_free(&file);
    return good;
}

bool challenge_keys_draw(challenge_keys *keys) {
    unsigned char bytes[CHALLENGE_KEY_LEAST];
    *keys = (challenge_keys){.count = 1};
    bool good = getrandom(bytes, sizeof bytes, 0) == (ssize_t)sizeof bytes;
    challenge_key_make(&keys->key[0], bytes, sizeof bytes);
    secret_wipe(bytes, sizeof bytes);
    return good;
}

void challenge_keys_wipe(challenge_keys *keys) {
    secret_wipe(keys, sizeof *keys);
}
