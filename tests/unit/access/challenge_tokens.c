/* Challenges as they travel, and what inputs are drawn from. The vectors are of Python's hmac, by
 * what challenge_token.c says of the format. */
#include <stdlib.h>
#include <string.h>

#include "access/challenge_token.h"

#include "common/check.h"

static challenge_keys keys_of(const char *first, const char *second) {
    challenge_keys keys = {.count = second ? 2 : 1};
    challenge_key_make(&keys.key[0], first, strlen(first));
    if (second)
        challenge_key_make(&keys.key[1], second, strlen(second));
    return keys;
}

static const char old_key[] = "0123456789abcdefghijklmnopqrstuv",
                  new_key[] = "a key of another time, of 39 characters";

/* Of a submission. */
static challenge sample(void) {
    challenge c = {.tenant = "nndl",
                   .operation = "affine/forward",
                   .name = "plain",
                   .dtype = "float64",
                   .assignment = "a2",
                   .has_submission = true,
                   .issued = 1764288000000,
                   .expires = 1764288600000};
    for (int i = 0; i < SHA256_BYTES; i++)
        c.subject[i] = (unsigned char)(i * 7 + 1);
    return c;
}

static challenge with_nonce(void) {
    challenge c = sample();
    c.has_submission = false;
    memset(c.subject + CHALLENGE_NONCE, 0, SHA256_BYTES - CHALLENGE_NONCE);
    return c;
}

static bool is_same(const challenge *a, const challenge *b) {
    return !strcmp(a->tenant, b->tenant) && !strcmp(a->operation, b->operation) &&
           !strcmp(a->name, b->name) && !strcmp(a->dtype, b->dtype) &&
           !strcmp(a->assignment, b->assignment) && a->has_submission == b->has_submission &&
           !memcmp(a->subject, b->subject, sizeof a->subject) && a->issued == b->issued &&
           a->expires == b->expires;
}

static void expect_words(challenge_stream *stream, const uint32_t *words, size_t count) {
    for (size_t i = 0; i < count; i++) {
        uint32_t got = challenge_stream_next(stream);
        CHECK(got == words[i], "word %zu is %08x, not %08x", i, got, words[i]);
    }
}

Test(challenge_tokens, are_those_of_the_vectors) {
    challenge_keys keys = keys_of(old_key, NULL);
    challenge of_submission = sample(), of_nonce = with_nonce();
    char text[CHALLENGE_TEXT];
    challenge_write(&keys, &of_submission, text);
    CHECK_TEXT(
        text,
        "lc1.AfiE1ogEbm5kbA5hZmZpbmUvZm9yd2FyZAVwbGFpbgdmbG9hdDY0AmEyIAEIDxYdJCsyOUBHTlVcY2pxeH-"
        "GjZSboqmwt77FzNPaAAABmsfCcAAAAAGax8uXwA.HpzGzcvlinKcYhnCk5AWZF0AWjVR4z3wHhW5DIT064E");
    challenge_write(&keys, &of_nonce, text);
    CHECK_TEXT(text, "lc1."
                     "AfiE1ogEbm5kbA5hZmZpbmUvZm9yd2FyZAVwbGFpbgdmbG9hdDY0AmEyEAEIDxYdJCsyOUBHTlVcY"
                     "2oAAAGax8JwAAAAAZrHy5fA.Ep4jNyD5pspukLCT7rr3forKVUd4BflEgWx9ku2MTdk");
}

/* Inputs stay what they were for ever: of one submission under one key. */
Test(challenge_tokens, inputs_are_drawn_from_those_of_the_vectors) {
    static const uint32_t words[] = {0xffd53413, 0xea1faea5, 0x9d731a3b, 0xe3aaa101,
                                     0xec9157bf, 0xaff8bd96, 0xef574595, 0x432e9bb4,
                                     0x207f96eb, 0x8283e3a6, 0x5aa85f3b, 0x9dd7135f};
    static const uint32_t nonce_words[] = {0x1a3956a7, 0x0736dda0, 0x9f2470df, 0x271c2e40,
                                           0x8fb13244, 0xada230d6, 0x839790fe, 0x2bacf20c,
                                           0x8009d87c, 0x51b81e4f, 0x8de07b68, 0x563f5f09};
    challenge_keys keys = keys_of(old_key, NULL);
    challenge_stream stream;
    challenge c = sample();
    challenge_stream_begin(&stream, &keys.key[0], &c);
    expect_words(&stream, words, sizeof words / sizeof *words);
    c = with_nonce();
    challenge_stream_begin(&stream, &keys.key[0], &c);
    expect_words(&stream, nonce_words, sizeof nonce_words / sizeof *nonce_words);
}

static void expect_back(const challenge_keys *keys, const challenge *c) {
    challenge again;
    char text[CHALLENGE_TEXT];
    challenge_write(keys, c, text);
    cr_assert(strlen(text) < sizeof text);
    CHECK(challenge_read(keys, text, &again) == &keys->key[0], "%s", text);
    CHECK(is_same(c, &again), "%s", text);
}

Test(challenge_tokens, are_read_as_they_were_written) {
    challenge_keys keys = keys_of(old_key, NULL);
    challenge c = sample(), nonce = with_nonce();
    expect_back(&keys, &c);
    expect_back(&keys, &nonce);
    for (size_t length = 0; length < sizeof c.assignment; length++) {
        memset(c.assignment, 0xff, length); /* any bytes, and every length around base64's ends */
        c.assignment[length] = '\0';
        expect_back(&keys, &c);
    }
    memset(c.tenant, 't', sizeof c.tenant - 1);
    memset(c.operation, 'o', sizeof c.operation - 1);
    memset(c.name, 'n', sizeof c.name - 1);
    memset(c.dtype, 'd', sizeof c.dtype - 1);
    c.issued = INT64_MIN;
    c.expires = INT64_MAX;
    expect_back(&keys, &c);
}

static bool is_read(const challenge_keys *keys, const char *text) {
    challenge c;
    return challenge_read(keys, text, &c);
}

Test(challenge_tokens, a_changed_byte_is_found) {
    challenge_keys keys = keys_of(old_key, new_key);
    challenge c = sample();
    char text[CHALLENGE_TEXT];
    challenge_write(&keys, &c, text);
    cr_assert(is_read(&keys, text));
    for (size_t i = 0; text[i]; i++) {
        char was = text[i];
        for (int byte = 0; byte < 256; byte++) {
            text[i] = (char)byte;
            if (text[i] != was) /* also the bits that no byte takes of the last digits */
                CHECK(!is_read(&keys, text), "%d at %zu", byte, i);
        }
        text[i] = was;
    }
    CHECK_TRUE(is_read(&keys, text));
}

Test(challenge_tokens, one_that_is_cut_or_longer_is_none) {
    challenge_keys keys = keys_of(old_key, NULL);
    challenge c = with_nonce();
    char text[CHALLENGE_TEXT], other[2 * CHALLENGE_TEXT];
    challenge_write(&keys, &c, text);
    size_t length = strlen(text);
    for (size_t i = 0; i < length; i++) {
        memcpy(other, text, i);
        other[i] = '\0';
        CHECK(!is_read(&keys, other), "the first %zu", i);
        CHECK(!is_read(&keys, text + i + 1), "all but the first %zu", i + 1);
        memcpy(other + i, text + i + 1, length - i);
        CHECK(!is_read(&keys, other), "all but that at %zu", i);
    }
    static const char *const more[] = {"=", "A", " ", "\n", "."};
    for (size_t i = 0; i < sizeof more / sizeof *more; i++) {
        strcat(strcpy(other, text), more[i]);
        CHECK(!is_read(&keys, other), "%s", other);
        strcat(strcpy(other, more[i]), text);
        CHECK(!is_read(&keys, other), "%s", other);
    }
    memset(other, 'A', sizeof other);
    other[sizeof other - 1] = '\0';
    memcpy(other, "lc1.", 4);
    CHECK_TRUE(!is_read(&keys, other));
    static const char *const none[] = {"", "lc1.", "lc1..", ".", "lc1.AAAA.AAAA", "\xff"};
    for (size_t i = 0; i < sizeof none / sizeof *none; i++)
        CHECK(!is_read(&keys, none[i]), "%s", none[i]);
}

Test(challenge_tokens, parts_of_two_make_none) {
    challenge_keys keys = keys_of(old_key, NULL);
    challenge a = sample(), b = sample();
    char one[CHALLENGE_TEXT], other[CHALLENGE_TEXT], mixed[CHALLENGE_TEXT];
    b.expires += 600000;
    challenge_write(&keys, &a, one);
    challenge_write(&keys, &b, other);
    char *dot = strrchr(one, '.');
    cr_assert(strlen(one) == strlen(other));
    memcpy(mixed, one, sizeof mixed);
    strcpy(mixed + (dot - one), other + (dot - one));
    CHECK_TRUE(!is_read(&keys, mixed));
    memcpy(mixed, other, sizeof mixed);
    strcpy(mixed + (dot - one), dot);
    CHECK_TRUE(!is_read(&keys, mixed));
}

Test(challenge_tokens, keys_change_hands) {
    challenge_keys before = keys_of(old_key, NULL), during = keys_of(new_key, old_key),
                   after = keys_of(new_key, NULL);
    challenge c = sample(), again;
    challenge_stream first, second;
    char text[CHALLENGE_TEXT];
    challenge_write(&before, &c, text);
    CHECK_TRUE(challenge_read(&during, text, &again) == &during.key[1]);
    challenge_stream_begin(&first, &before.key[0], &c);
    challenge_stream_begin(&second, &during.key[1], &again);
    for (int i = 0; i < 20; i++)
        CHECK_TRUE(challenge_stream_next(&first) == challenge_stream_next(&second));
    CHECK_TRUE(!is_read(&after, text));
    challenge_write(&during, &c, text);
    CHECK_TRUE(challenge_read(&during, text, &again) == &during.key[0]);
    CHECK_TRUE(is_read(&after, text) && !is_read(&before, text));
}

/* Everything but the times makes other inputs, and so does moving a character to the next field. */
Test(challenge_tokens, each_field_makes_other_inputs) {
    enum { MANY = 9 };
    challenge_keys keys = keys_of(old_key, new_key);
    challenge c[MANY];
    unsigned char id[MANY + 2][CHALLENGE_ID];
    challenge_stream stream;
    for (int i = 0; i < MANY; i++)
        c[i] = sample();
    strcpy(c[1].tenant, "nnd");
    strcpy(c[1].operation, "laffine/forward");
    strcpy(c[2].tenant, "");
    strcpy(c[3].operation, "affine/backward");
    strcpy(c[4].name, "one");
    strcpy(c[5].dtype, "float32");
    strcpy(c[6].assignment, "a3");
    c[7].subject[31] ^= 1;
    c[8] = with_nonce();
    for (int i = 0; i < MANY; i++) {
        challenge_stream_begin(&stream, &keys.key[0], &c[i]);
        challenge_id(&stream, id[i]);
        for (int j = 0; j < i; j++)
            CHECK(memcmp(id[i], id[j], CHALLENGE_ID) != 0, "%d and %d", i, j);
    }
    challenge_stream_begin(&stream, &keys.key[1], &c[0]);
    challenge_id(&stream, id[MANY]);
    CHECK_TRUE(memcmp(id[MANY], id[0], CHALLENGE_ID) != 0);
    c[0].issued++;
    c[0].expires--;
    challenge_stream_begin(&stream, &keys.key[0], &c[0]);
    challenge_id(&stream, id[MANY + 1]);
    CHECK_TRUE(!memcmp(id[MANY + 1], id[0], CHALLENGE_ID));
}

Test(challenge_tokens, a_stream_looks_random) {
    challenge_keys keys = keys_of(old_key, NULL);
    challenge c = sample();
    challenge_stream stream;
    enum { WORDS = 100000 };
    int ones[32] = {0};
    challenge_stream_begin(&stream, &keys.key[0], &c);
    for (int i = 0; i < WORDS; i++) {
        uint32_t word = challenge_stream_next(&stream);
        for (int bit = 0; bit < 32; bit++)
            ones[bit] += word >> bit & 1;
    }
    for (int bit = 0; bit < 32; bit++) /* five times what it strays by */
        CHECK(abs(ones[bit] - WORDS / 2) < 800, "bit %d: %d", bit, ones[bit]);
}
