/* Secrets: SHA-256 (FIPS 180-4) and HMAC with it (RFC 2104), tokens, and comparing without telling
 * where two differ. */
#ifndef ACCESS_SECRET_H
#define ACCESS_SECRET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    SHA256_BYTES = 32,
    SHA256_HEX = 2 * SHA256_BYTES,
    SHA256_BLOCK = 64,
    TOKEN_LENGTH = 53, /* "layerd_", 40 random characters, 6 of a checksum */
    TOKEN_TEXT = TOKEN_LENGTH + 1,
};

typedef struct {
    uint32_t state[8];
    uint64_t length; /* bytes so far */
    unsigned char block[SHA256_BLOCK];
} sha256;

void sha256_begin(sha256 *hash);
void sha256_add(sha256 *hash, const void *bytes, size_t length);
void sha256_end(sha256 *hash, unsigned char digest[SHA256_BYTES]);

void sha256_of(const void *bytes, size_t length, unsigned char digest[SHA256_BYTES]);

void hmac_sha256(const void *key, size_t key_length, const void *bytes, size_t length,
                 unsigned char mac[SHA256_BYTES]);

/* Takes equally long wherever the first difference is. */
bool secret_equal(const void *a, const void *b, size_t length);

/* Zeros that no compiler leaves out. */
void secret_wipe(void *bytes, size_t length);

/* The checksum of zlib and PNG (ISO 3309). */
uint32_t crc32_of(const void *bytes, size_t length);

/* So many digits of base 62, 0-9A-Za-z, the highest first, and a terminator. */
void base62_write(uint64_t number, size_t digits, char *text);

/* A new token, of 238 random bits. False where the system gives none. */
bool token_make(char text[TOKEN_TEXT]);

/* Whether its checksum is right: no token that was copied in part, and no other word. */
bool token_is_whole(const char *text);

/* 64 hexadecimal digits, and a terminator. */
void hex_write(const unsigned char digest[SHA256_BYTES], char text[SHA256_HEX + 1]);

/* The bytes of so many hexadecimal digits, in either case, two a byte. False where they are not
 * just these, or an odd number. */
bool hex_decode(const char *text, size_t length, unsigned char *bytes);

/* The same of 64 digits, and false for another number. */
bool hex_read(const char *text, size_t length, unsigned char digest[SHA256_BYTES]);

#endif
