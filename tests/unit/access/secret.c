/* Hashes by the vectors of FIPS 180-4 (NIST's examples) and RFC 4231; tokens. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "access/secret.h"

#include "common/check.h"

static const char *hash(const void *bytes, size_t length) {
    static char text[SHA256_HEX + 1];
    unsigned char digest[SHA256_BYTES];
    sha256_of(bytes, length, digest);
    hex_write(digest, text);
    return text;
}

Test(secret, sha256_is_that_of_the_standard) {
    static const char *const rows[][2] = {
        {"", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
        {"abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
        {"test", "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"},
        {"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
         "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"},
        {"abcdefghbcdefghicdefghijdefghijkefghijklfghijklmghijklmnhijklmnoijklmnopjklmnopqklmnopqr"
         "lmnopqrsmnopqrstnopqrstu",
         "cf5b16a778af8380036ce59e7b0492370b249b11e8f07a51afac45037afee9d1"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        CHECK_TEXT(hash(rows[i][0], strlen(rows[i][0])), rows[i][1]);
    char *many = malloc(1000000);
    memset(many, 'a', 1000000);
    CHECK_TEXT(hash(many, 1000000),
               "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
    free(many);
}

/* Every length around the ends of blocks, in pieces of every size. */
Test(secret, sha256_does_not_mind_the_pieces) {
    unsigned char bytes[200], whole[SHA256_BYTES], parts[SHA256_BYTES];
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (unsigned char)(i * 7);
    for (size_t length = 0; length <= sizeof bytes; length++)
        for (size_t step = 1; step < 70; step += 3) {
            sha256 hash;
            sha256_of(bytes, length, whole);
            sha256_begin(&hash);
            for (size_t at = 0; at < length; at += step)
                sha256_add(&hash, bytes + at, length - at < step ? length - at : step);
            sha256_end(&hash, parts);
            cr_assert(!memcmp(whole, parts, sizeof whole), "%zu by %zu", length, step);
        }
}

Test(secret, hmac_is_that_of_rfc_4231) {
    static const struct {
        size_t key_length;
        int key; /* each byte of it; -1: "Jefe" */
        const char *data;
        int fill; /* 50 bytes of it in the place of the data; 0 for none */
        const char *mac;
    } rows[] = {
        {20, 0x0b, "Hi There", 0,
         "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"},
        {4, -1, "what do ya want for nothing?", 0,
         "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"},
        {20, 0xaa, NULL, 0xdd, "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe"},
        {131, 0xaa, "Test Using Larger Than Block-Size Key - Hash Key First", 0,
         "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"},
        {131, 0xaa,
         "This is a test using a larger than block-size key and a larger than block-size data. The "
         "key needs to be hashed before being used by the HMAC algorithm.",
         0, "9b09ffa71b942fcb27635fbcd5b0e944bfdc63644f0713938a7f51535c3a35e2"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        unsigned char key[131], data[200], mac[SHA256_BYTES];
        char text[SHA256_HEX + 1];
        size_t length = rows[i].data ? strlen(rows[i].data) : 50;
        memset(key, rows[i].key, sizeof key);
        if (rows[i].key < 0)
            memcpy(key, "Jefe", 4);
        memset(data, rows[i].fill, sizeof data);
        if (rows[i].data)
            memcpy(data, rows[i].data, length);
        hmac_sha256(key, rows[i].key_length, data, length, mac);
        hex_write(mac, text);
        CHECK_TEXT(text, rows[i].mac);
    }
}

Test(secret, equal_means_every_byte) {
    unsigned char a[SHA256_BYTES] = {1, 2, 3}, b[SHA256_BYTES] = {1, 2, 3};
    CHECK_TRUE(secret_equal(a, b, sizeof a));
    for (size_t i = 0; i < sizeof a; i++)
        for (int bit = 0; bit < 8; bit++) {
            b[i] ^= (unsigned char)(1 << bit);
            CHECK_TRUE(!secret_equal(a, b, sizeof a));
            CHECK_TRUE(secret_equal(a, b, i));
            b[i] ^= (unsigned char)(1 << bit);
        }
}

Test(secret, the_checksum_is_that_of_zlib) {
    CHECK_EQUAL(crc32_of("123456789", 9), 0xcbf43926);
    CHECK_EQUAL(crc32_of("", 0), 0);
    CHECK_EQUAL(crc32_of("The quick brown fox jumps over the lazy dog", 43), 0x414fa339);
}

Test(secret, base_62_has_the_highest_digit_first) {
    char text[8];
    base62_write(0, 6, text);
    CHECK_TEXT(text, "000000");
    base62_write(61, 6, text);
    CHECK_TEXT(text, "00000z");
    base62_write(10 * 62 + 36, 6, text);
    CHECK_TEXT(text, "0000Aa");
    base62_write(UINT32_MAX, 6, text);
    CHECK_TEXT(text, "4gfFC3");
}

Test(secret, tokens_are_whole_and_all_different) {
    enum { MANY = 200 };
    static char tokens[MANY][TOKEN_TEXT];
    for (int i = 0; i < MANY; i++) {
        cr_assert(token_make(tokens[i]));
        cr_assert(strlen(tokens[i]) == TOKEN_LENGTH && !strncmp(tokens[i], "layerd_", 7) &&
                      token_is_whole(tokens[i]),
                  "%s", tokens[i]);
        for (int j = 0; j < i; j++)
            cr_assert(strcmp(tokens[i], tokens[j]) != 0);
    }
    for (size_t i = 0; i < TOKEN_LENGTH; i++) {
        char changed[TOKEN_TEXT + 1];
        strcpy(changed, tokens[0]);
        changed[i] = changed[i] == 'x' ? 'y' : 'x';
        CHECK(!token_is_whole(changed), "%s for %s", changed, tokens[0]);
        strcpy(changed, tokens[0]);
        changed[i] = '\0';
        CHECK(!token_is_whole(changed), "%s", changed);
    }
    char longer[TOKEN_TEXT + 1];
    snprintf(longer, sizeof longer, "%s0", tokens[0]);
    CHECK_TRUE(!token_is_whole(longer));
}

Test(secret, hexadecimal_is_read_as_it_is_written) {
    unsigned char digest[SHA256_BYTES], again[SHA256_BYTES];
    char text[SHA256_HEX + 2];
    sha256_of("x", 1, digest);
    hex_write(digest, text);
    CHECK_TRUE(hex_read(text, SHA256_HEX, again) && !memcmp(digest, again, sizeof digest));
    for (char *c = text; *c; c++)
        *c = *c >= 'a' ? (char)(*c - 'a' + 'A') : *c;
    CHECK_TRUE(hex_read(text, SHA256_HEX, again) && !memcmp(digest, again, sizeof digest));
    CHECK_TRUE(!hex_read(text, SHA256_HEX - 1, again));
    CHECK_TRUE(!hex_read("", 0, again));
    text[10] = 'g';
    CHECK_TRUE(!hex_read(text, SHA256_HEX, again));
    text[10] = '\0';
    CHECK_TRUE(!hex_read(text, SHA256_HEX, again));
}
