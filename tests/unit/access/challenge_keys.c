/* The files of challenge keys: what is taken, and what is refused. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "access/challenge_key.h"

#include "common/check.h"

static char path[] = "/tmp/layerd-key-XXXXXX";

static void make_file(void) {
    int fd = mkstemp(path);
    cr_assert(fd >= 0);
    close(fd);
}

static void remove_file(void) {
    unlink(path);
}

TestSuite(challenge_keys, .init = make_file, .fini = remove_file, .timeout = 60);

static bool read_bytes(challenge_keys *keys, const void *bytes, size_t length,
                       char fault[FILE_FAULT]) {
    FILE *file = fopen(path, "we");
    cr_assert(file);
    cr_assert(fwrite(bytes, 1, length, file) == length);
    cr_assert(fclose(file) == 0);
    return challenge_keys_read(keys, path, fault);
}

static challenge_keys read_text(const char *text, size_t length) {
    challenge_keys keys;
    char fault[FILE_FAULT] = "";
    cr_assert(read_bytes(&keys, text, length, fault), "%zu: %s", length, fault);
    return keys;
}

static void expect_refused(const char *text, size_t length) {
    challenge_keys keys;
    char fault[FILE_FAULT] = "";
    CHECK(!read_bytes(&keys, text, length, fault), "%zu bytes are taken: %.20s", length, text);
    CHECK(strstr(fault, "bytes"), "%zu bytes: %s", length, fault);
}

static bool is_key_of(const challenge_key *key, const void *bytes, size_t length) {
    challenge_key want;
    challenge_key_make(&want, bytes, length);
    return !memcmp(key, &want, sizeof want);
}

/* The number as two digits, so many times. */
static char *digits(unsigned char byte, size_t times, char *out) {
    for (size_t i = 0; i < times; i++)
        out += sprintf(out, "%02x", byte);
    return out;
}

Test(challenge_keys, thirty_two_to_sixty_four_bytes_are_a_key) {
    unsigned char bytes[66];
    memset(bytes, 0xe9, sizeof bytes);
    bytes[0] = '\0';
    bytes[20] = '\n';
    for (size_t length = 0; length <= sizeof bytes; length++) {
        if (length < 32 || length > 64) {
            expect_refused((char *)bytes, length);
            continue;
        }
        challenge_keys keys = read_text((char *)bytes, length);
        CHECK_EQUAL(keys.count, 1);
        CHECK(is_key_of(&keys.key[0], bytes, length), "%zu", length);
    }
}

Test(challenge_keys, hexadecimal_is_the_bytes_that_it_says) {
    char text[140];
    unsigned char bytes[70];
    memset(bytes, 0xab, sizeof bytes);
    for (size_t length = 30; length <= 66; length++) {
        char *end = digits(0xab, length, text);
        *end = '\n';
        for (size_t feed = 0; feed < 2; feed++) {
            if (length < 32 && 2 * length + feed <= 64)
                continue; /* too short for a key in digits, and so the bytes of one */
            if (length < 32 || length > 64) {
                expect_refused(text, 2 * length + feed);
                continue;
            }
            challenge_keys keys = read_text(text, 2 * length + feed);
            CHECK_EQUAL(keys.count, 1);
            CHECK(is_key_of(&keys.key[0], bytes, length), "%zu", length);
        }
    }
    for (char *c = text; *c; c++)
        *c = *c == 'a' ? 'A' : *c;
    CHECK_TRUE(is_key_of(&read_text(text, 80).key[0], bytes, 40));
}

Test(challenge_keys, of_two_lines_the_first_signs) {
    char text[300], *end = digits(0x11, 32, text);
    unsigned char first[32], second[64];
    memset(first, 0x11, sizeof first);
    memset(second, 0x22, sizeof second);
    *end++ = '\n';
    end = digits(0x22, 64, end);
    *end++ = '\n';
    for (size_t cut = 0; cut < 2; cut++) {
        challenge_keys keys = read_text(text, (size_t)(end - text) - cut);
        CHECK_EQUAL(keys.count, 2);
        CHECK_TRUE(is_key_of(&keys.key[0], first, sizeof first));
        CHECK_TRUE(is_key_of(&keys.key[1], second, sizeof second));
    }
    *end = '\n';
    expect_refused(text, (size_t)(end - text) + 1);
}

Test(challenge_keys, anything_else_is_refused) {
    char text[400], *end;
    end = digits(0x11, 32, text);
    end = stpcpy(end, "\r\n");
    expect_refused(text, (size_t)(end - text));
    end = stpcpy(digits(0x11, 32, text), "\n");
    end = stpcpy(digits(0x22, 31, end), "\n");
    expect_refused(text, (size_t)(end - text));
    end = stpcpy(digits(0x11, 32, text), "\n");
    end = stpcpy(digits(0x22, 32, end), "\n");
    end = stpcpy(digits(0x33, 32, end), "\n");
    expect_refused(text, (size_t)(end - text));
    end = stpcpy(digits(0x11, 36, text), "g");
    expect_refused(text, (size_t)(end - text));
    end = stpcpy(stpcpy(text, " "), "");
    end = digits(0x11, 32, end);
    expect_refused(text, (size_t)(end - text));
    memset(text, 'k', sizeof text);
    expect_refused(text, sizeof text);
}

Test(challenge_keys, a_file_that_is_none_is_refused) {
    challenge_keys keys;
    char fault[FILE_FAULT] = "", text[65] = "";
    digits(0x5a, 32, text);
    CHECK_TRUE(read_bytes(&keys, text, 64, fault));
    CHECK_TRUE(!challenge_keys_read(&keys, "/nowhere/key", fault));
    CHECK(strstr(fault, "No such file"), "%s", fault);
    CHECK_TRUE(!challenge_keys_read(&keys, "/tmp", fault));
    CHECK(strstr(fault, "not a regular file"), "%s", fault);
    static const mode_t writable[] = {0620, 0602, 0666};
    for (size_t i = 0; i < sizeof writable / sizeof *writable; i++) {
        cr_assert(chmod(path, writable[i]) == 0);
        CHECK_TRUE(!challenge_keys_read(&keys, path, fault));
        CHECK(strstr(fault, "chmod go-w"), "%o: %s", writable[i], fault);
    }
    static const mode_t good[] = {0400, 0600, 0440, 0644};
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        cr_assert(chmod(path, good[i]) == 0);
        CHECK(challenge_keys_read(&keys, path, fault), "%o: %s", good[i], fault);
        CHECK_TRUE(keys.is_readable == (good[i] == 0644));
    }
}

Test(challenge_keys, what_is_made_of_a_key_differs_in_all_its_parts) {
    challenge_key a, b;
    unsigned char bytes[64] = {7};
    challenge_key_make(&a, bytes, 32);
    CHECK_TRUE(memcmp(a.tag, a.seed, sizeof a.tag) != 0);
    CHECK_TRUE(memcmp(a.tag, bytes, sizeof a.tag) != 0);
    bytes[31] = 1;
    challenge_key_make(&b, bytes, 32);
    CHECK_TRUE(memcmp(a.id, b.id, sizeof a.id) != 0);
    CHECK_TRUE(memcmp(a.tag, b.tag, sizeof a.tag) != 0);
    CHECK_TRUE(memcmp(a.seed, b.seed, sizeof a.seed) != 0);
}

/* With HMAC-SHA-256 of Python's hmac: inputs stay what they were, whichever version draws them. */
Test(challenge_keys, a_key_is_made_the_same_for_ever) {
    challenge_key key;
    char text[SHA256_HEX + 1];
    challenge_key_make(&key, "0123456789abcdefghijklmnopqrstuv", 32);
    hex_write(key.tag, text);
    CHECK_TEXT(text, "2d621d4ebfca9dd59c9da4cd38e0fab640f8349a532f9eccb9936fc8e2ac8656");
    hex_write(key.seed, text);
    CHECK_TEXT(text, "bef19e5aef3abf186e6e78a1d7fb3e76b73b2e9880c00f9f2d0f1ea2e044116b");
}

Test(challenge_keys, drawn_keys_are_new_each_time) {
    challenge_keys a, b;
    cr_assert(challenge_keys_draw(&a) && challenge_keys_draw(&b));
    CHECK_EQUAL(a.count, 1);
    CHECK_TRUE(memcmp(a.key[0].tag, b.key[0].tag, SHA256_BYTES) != 0);
    challenge_keys_wipe(&a);
    CHECK_TRUE(a.count == 0 && a.key[0].seed[0] == 0 && a.key[0].seed[31] == 0);
}
