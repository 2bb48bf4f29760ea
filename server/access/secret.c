/* Secrets: hashes, tokens, comparisons. */
#include "access/secret.h"

#include <string.h>
#include <sys/random.h>

enum { RANDOM_DIGITS = 40, SUM_DIGITS = 6, BASE = 62 };

static const char prefix[] = "layerd_";
static const char digits62[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/* The first 32 bits of the fractions of the cube roots of the first 64 primes. */
static const uint32_t constants[64] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2};

static uint32_t rotate(uint32_t x, int by) {
    return x >> by | x << (32 - by);
}

/* FIPS 180-4, 6.2.2. Names go round instead of values: of s[0] to s[7] "a" is that of (8 - i) % 8.
 */
static void mix(uint32_t state[8], const unsigned char *block) {
    uint32_t w[64], s[8];
    for (int i = 0; i < 16; i++, block += 4)
        w[i] = (uint32_t)block[0] << 24 | (uint32_t)block[1] << 16 | (uint32_t)block[2] << 8 |
               block[3];
    for (int i = 16; i < 64; i++) {
        uint32_t a = w[i - 15], b = w[i - 2];
        w[i] = w[i - 16] + (rotate(a, 7) ^ rotate(a, 18) ^ a >> 3) + w[i - 7] +
               (rotate(b, 17) ^ rotate(b, 19) ^ b >> 10);
    }
    memcpy(s, state, sizeof s);
#pragma GCC unroll 64
    for (unsigned i = 0; i < 64; i++) {
        uint32_t a = s[-i % 8], b = s[(1 - i) % 8], c = s[(2 - i) % 8];
        uint32_t e = s[(4 - i) % 8], f = s[(5 - i) % 8], g = s[(6 - i) % 8];
        uint32_t *d = &s[(3 - i) % 8], *h = &s[(7 - i) % 8];
        uint32_t first = *h + (rotate(e, 6) ^ rotate(e, 11) ^ rotate(e, 25)) + (g ^ (e & (f ^ g))) +
                         constants[i] + w[i];
        *d += first;
        *h = first + (rotate(a, 2) ^ rotate(a, 13) ^ rotate(a, 22)) + ((a & b) | (c & (a | b)));
    }
    for (int i = 0; i < 8; i++)
        state[i] += s[i];
}

void sha256_begin(sha256 *hash) {
    *hash = (sha256){.state = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f,
                               0x9b05688c, 0x1f83d9ab, 0x5be0cd19}};
}

void sha256_add(sha256 *hash, const void *bytes, size_t length) {
    const unsigned char *from = bytes;
    while (length > 0) {
        size_t used = hash->length % SHA256_BLOCK, room = SHA256_BLOCK - used;
        size_t step = length < room ? length : room;
        memcpy(hash->block + used, from, step);
        hash->length += step;
        from += step;
        length -= step;
        if (step == room)
            mix(hash->state, hash->block);
    }
}

void sha256_end(sha256 *hash, unsigned char digest[SHA256_BYTES]) {
    static const unsigned char padding[SHA256_BLOCK] = {0x80};
    unsigned char bits[8];
    uint64_t length = hash->length * 8;
    for (int i = 0; i < 8; i++)
        bits[i] = (unsigned char)(length >> (56 - 8 * i));
    size_t used = hash->length % SHA256_BLOCK;
    sha256_add(hash, padding, (used < 56 ? 56 : 56 + SHA256_BLOCK) - used);
    sha256_add(hash, bits, sizeof bits);
    for (int i = 0; i < SHA256_BYTES; i++)
        digest[i] = (unsigned char)(hash->state[i / 4] >> (24 - i % 4 * 8));
    secret_wipe(hash, sizeof *hash);
}

void sha256_of(const void *bytes, size_t length, unsigned char digest[SHA256_BYTES]) {
    sha256 hash;
    sha256_begin(&hash);
    sha256_add(&hash, bytes, length);
    sha256_end(&hash, digest);
}

void hmac_sha256(const void *key, size_t key_length, const void *bytes, size_t length,
                 unsigned char mac[SHA256_BYTES]) {
    unsigned char block[SHA256_BLOCK] = {0};
    sha256 hash;
    if (key_length > sizeof block)
        sha256_of(key, key_length, block);
    else if (key_length > 0)
        memcpy(block, key, key_length);
    for (size_t i = 0; i < sizeof block; i++)
        block[i] ^= 0x36;
    sha256_begin(&hash);
    sha256_add(&hash, block, sizeof block);
    sha256_add(&hash, bytes, length);
    sha256_end(&hash, mac);
    for (size_t i = 0; i < sizeof block; i++)
        block[i] ^= 0x36 ^ 0x5c;
    sha256_begin(&hash);
    sha256_add(&hash, block, sizeof block);
    sha256_add(&hash, mac, SHA256_BYTES);
    sha256_end(&hash, mac);
    secret_wipe(block, sizeof block);
}

bool secret_equal(const void *a, const void *b, size_t length) {
    const unsigned char *x = a, *y = b;
    uint64_t differ = 0, p, q;
    for (; length >= sizeof p; length -= sizeof p, x += sizeof p, y += sizeof p) {
        memcpy(&p, x, sizeof p);
        memcpy(&q, y, sizeof q);
        differ |= p ^ q;
        __asm__("" : "+r"(differ)); /* nobody may see that one difference is enough */
    }
    for (; length > 0; length--) {
        differ |= (uint64_t)(*x++ ^ *y++);
        __asm__("" : "+r"(differ));
    }
    return differ == 0;
}

void secret_wipe(void *bytes, size_t length) {
    explicit_bzero(bytes, length);
}

uint32_t crc32_of(const void *bytes, size_t length) {
    const unsigned char *at = bytes;
    uint32_t crc = UINT32_MAX;
    for (size_t i = 0; i < length; i++) {
        crc ^= at[i];
        for (int bit = 0; bit < 8; bit++)
            crc = crc >> 1 ^ (crc & 1 ? 0xedb88320 : 0);
    }
    return ~crc;
}

void base62_write(uint64_t number, size_t digits, char *text) {
    text[digits] = '\0';
    for (; digits > 0; number /= BASE)
        text[--digits] = digits62[number % BASE];
}

bool token_make(char text[TOKEN_TEXT]) {
    char *out = stpcpy(text, prefix), *start = out;
    while (out < start + RANDOM_DIGITS) {
        unsigned char byte;
        if (getrandom(&byte, sizeof byte, 0) != (ssize_t)sizeof byte)
            return false;
        if (byte < 256 / BASE * BASE) /* so that all digits are equally likely */
            *out++ = digits62[byte % BASE];
    }
    base62_write(crc32_of(start, RANDOM_DIGITS), SUM_DIGITS, out);
    return true;
}

bool token_is_whole(const char *text) {
    const char *random = text + strlen(prefix);
    char sum[SUM_DIGITS + 1];
    if (strlen(text) != TOKEN_LENGTH || strncmp(text, prefix, strlen(prefix)) != 0 ||
        strspn(random, digits62) != RANDOM_DIGITS + SUM_DIGITS)
        return false;
    base62_write(crc32_of(random, RANDOM_DIGITS), SUM_DIGITS, sum);
    return !strcmp(random + RANDOM_DIGITS, sum);
}

void hex_write(const unsigned char digest[SHA256_BYTES], char text[SHA256_HEX + 1]) {
    for (int i = 0; i < SHA256_BYTES; i++) {
        *text++ = "0123456789abcdef"[digest[i] >> 4];
        *text++ = "0123456789abcdef"[digest[i] & 15];
    }
    *text = '\0';
}

bool hex_decode(const char *text, size_t length, unsigned char *bytes) {
    static const char digits[] = "0123456789abcdef0123456789ABCDEF";
    if (length % 2 != 0)
        return false;
    for (size_t i = 0; i < length; i++) {
        const char *digit = memchr(digits, text[i], sizeof digits - 1);
        if (!digit)
            return false;
        unsigned value = (unsigned)(digit - digits) % 16;
        bytes[i / 2] = (unsigned char)(i % 2 ? bytes[i / 2] << 4 | value : value);
    }
    return true;
}

bool hex_read(const char *text, size_t length, unsigned char digest[SHA256_BYTES]) {
    return length == SHA256_HEX && hex_decode(text, length, digest);
}
