/* Challenges as they travel: "lc1.", fields, ".", a signature of all before it. Every field is
 * preceded by its length, in what is signed and in what inputs are drawn from: no two challenges
 * have the same bytes. */
#include "access/challenge_token.h"

#include <string.h>

enum {
    VERSION = 1,
    PAYLOAD = 448, /* room for the longest */
    SIGNATURE = 43,
    TIME = 8,
};

static const char prefix[] = "lc1.";

/* ---- base64url (RFC 4648, 5), without padding --------------------------------------------------
 */

static const char digits64[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/* Returns the end. */
static char *write_base64(char *out, const unsigned char *bytes, size_t length) {
    uint32_t bits = 0;
    int count = 0;
    for (size_t i = 0; i < length; i++) {
        bits = bits << 8 | bytes[i];
        for (count += 8; count >= 6; count -= 6)
            *out++ = digits64[bits >> (count - 6) & 63];
    }
    if (count > 0)
        *out++ = digits64[bits << (6 - count) & 63];
    return out;
}

/* So many digits, whose bytes fit into `bytes`. False where one is none. */
static bool read_base64(const char *text, size_t length, unsigned char *bytes) {
    uint32_t bits = 0;
    int count = 0;
    for (size_t i = 0; i < length; i++) {
        const char *digit = memchr(digits64, text[i], sizeof digits64 - 1);
        if (!digit)
            return false;
        bits = bits << 6 | (uint32_t)(digit - digits64);
        count += 6;
        if (count >= 8)
            *bytes++ = (unsigned char)(bits >> (count -= 8));
    }
    return true;
}

/* ---- fields ------------------------------------------------------------------------------------
 */

static unsigned char *put(unsigned char *out, const void *bytes, size_t length) {
    *out++ = (unsigned char)length;
    memcpy(out, bytes, length);
    return out + length;
}

static unsigned char *put_text(unsigned char *out, const char *text) {
    return put(out, text, strlen(text));
}

static unsigned char *put_number(unsigned char *out, uint64_t number) {
    for (int shift = 56; shift >= 0; shift -= 8)
        *out++ = (unsigned char)(number >> shift);
    return out;
}

static size_t subject_length(const challenge *challenge) {
    return challenge->has_submission ? SHA256_BYTES : CHALLENGE_NONCE;
}

/* What inputs are drawn from. */
static unsigned char *put_fields(unsigned char *out, const challenge *challenge) {
    out = put_text(out, challenge->tenant);
    out = put_text(out, challenge->operation);
    out = put_text(out, challenge->name);
    out = put_text(out, challenge->dtype);
    out = put_text(out, challenge->assignment);
    return put(out, challenge->subject, subject_length(challenge));
}

/* What is left to read. */
typedef struct {
    const unsigned char *at, *end;
    bool good;
} reading;

static const unsigned char *take(reading *r, size_t length) {
    const unsigned char *bytes = r->at;
    r->good = r->good && (size_t)(r->end - r->at) >= length;
    r->at += r->good ? length : 0;
    return r->good ? bytes : NULL;
}

/* A field's bytes, at most `most`. */
static size_t take_field(reading *r, void *to, size_t most) {
    const unsigned char *length = take(r, 1);
    const unsigned char *bytes = length ? take(r, *length) : NULL;
    r->good = r->good && *length <= most;
    if (!r->good)
        return 0;
    memcpy(to, bytes, *length);
    return *length;
}

static void take_text(reading *r, char *to, size_t size) {
    to[take_field(r, to, size - 1)] = '\0';
}

static int64_t take_time(reading *r) {
    const unsigned char *bytes = take(r, TIME);
    uint64_t number = 0;
    for (int i = 0; bytes && i < TIME; i++)
        number = number << 8 | bytes[i];
    return (int64_t)number;
}

static bool take_all(reading *r, const challenge_key *key, challenge *challenge) {
    const unsigned char *version = take(r, 1), *id = take(r, CHALLENGE_KEY_ID);
    if (!id || *version != VERSION || memcmp(id, key->id, CHALLENGE_KEY_ID) != 0)
        return false;
    memset(challenge, 0, sizeof *challenge);
    take_text(r, challenge->tenant, sizeof challenge->tenant);
    take_text(r, challenge->operation, sizeof challenge->operation);
    take_text(r, challenge->name, sizeof challenge->name);
    take_text(r, challenge->dtype, sizeof challenge->dtype);
    take_text(r, challenge->assignment, sizeof challenge->assignment);
    size_t length = take_field(r, challenge->subject, sizeof challenge->subject);
    challenge->has_submission = length == SHA256_BYTES;
    challenge->issued = take_time(r);
    challenge->expires = take_time(r);
    return r->good && length == subject_length(challenge) && r->at == r->end;
}

/* ---- the whole ---------------------------------------------------------------------------------
 */

static void sign(const challenge_key *key, const char *text, size_t length,
                 char signature[SIGNATURE]) {
    unsigned char mac[SHA256_BYTES];
    hmac_sha256(key->tag, sizeof key->tag, text, length, mac);
    write_base64(signature, mac, sizeof mac);
}

void challenge_write(const challenge_keys *keys, const challenge *challenge,
                     char text[CHALLENGE_TEXT]) {
    const challenge_key *key = &keys->key[0];
    unsigned char payload[PAYLOAD] = {VERSION}, *end = payload + 1;
    end = (unsigned char *)memcpy(end, key->id, sizeof key->id) + sizeof key->id;
    end = put_fields(end, challenge);
    end = put_number(end, (uint64_t)challenge->issued);
    end = put_number(end, (uint64_t)challenge->expires);
    char *out = stpcpy(text, prefix);
    out = write_base64(out, payload, (size_t)(end - payload));
    sign(key, text, (size_t)(out - text), out + 1);
    *out = '.';
    out[1 + SIGNATURE] = '\0';
}

/* The key whose signature stands behind so many characters of the text. All are tried. */
static const challenge_key *signer_of(const challenge_keys *keys, const char *text, size_t length) {
    const challenge_key *signer = NULL;
    for (int i = 0; i < keys->count; i++) {
        char signature[SIGNATURE];
        sign(&keys->key[i], text, length, signature);
        if (secret_equal(signature, text + length + 1, SIGNATURE) && !signer)
            signer = &keys->key[i];
    }
    return signer;
}

const challenge_key *challenge_read(const challenge_keys *keys, const char *text,
                                    challenge *challenge) {
    unsigned char payload[PAYLOAD];
    size_t length = strnlen(text, CHALLENGE_TEXT);
    if (length == CHALLENGE_TEXT || length <= strlen(prefix) + 1 + SIGNATURE)
        return NULL;
    length -= 1 + SIGNATURE;
    const challenge_key *key = text[length] == '.' ? signer_of(keys, text, length) : NULL;
    if (!key || strncmp(text, prefix, strlen(prefix)) != 0)
        return NULL;
    size_t digits = length - strlen(prefix), bytes = digits * 6 / 8;
    if (bytes > sizeof payload || !read_base64(text + strlen(prefix), digits, payload))
        return NULL;
    reading r = {payload, payload + bytes, true};
    return take_all(&r, key, challenge) ? key : NULL;
}

/* ---- inputs ------------------------------------------------------------------------------------
 */

void challenge_stream_begin(challenge_stream *stream, const challenge_key *key,
                            const challenge *challenge) {
    unsigned char fields[PAYLOAD];
    size_t length = (size_t)(put_fields(fields, challenge) - fields);
    *stream = (challenge_stream){.used = sizeof stream->block};
    hmac_sha256(key->seed, sizeof key->seed, fields, length, stream->key);
}

uint32_t challenge_stream_next(void *state) {
    challenge_stream *stream = state;
    if (stream->used == sizeof stream->block) {
        unsigned char counter[8];
        put_number(counter, stream->count++);
        hmac_sha256(stream->key, sizeof stream->key, counter, sizeof counter, stream->block);
        stream->used = 0;
    }
    const unsigned char *at = stream->block + stream->used;
    stream->used += 4;
    return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

void challenge_id(const challenge_stream *stream, unsigned char id[CHALLENGE_ID]) {
    static const char label[] = "layerd challenge id";
    unsigned char mac[SHA256_BYTES];
    hmac_sha256(stream->key, sizeof stream->key, label, sizeof label - 1, mac);
    memcpy(id, mac, CHALLENGE_ID);
}
