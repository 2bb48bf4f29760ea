/* Numbers and their JSON text: correctly rounded in, shortest out.
 *
 * Every function is pure: no locale, no errno, no allocation, no global state; safe to call from
 * any thread. They count on the processor's default rounding (to nearest, ties to even). */
#ifndef LAYERD_CODEC_NUMBER_H
#define LAYERD_CODEC_NUMBER_H

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Room in bytes that a written number needs at most, as in -2.2250738585072014e-308 and
 * -1234567800000000.0; there is no terminator. */
#define NUMBER_F64_TEXT 24
#define NUMBER_F32_TEXT 19

typedef enum {
    NUMBER_OK,
    NUMBER_MALFORMED,   /* not a JSON number */
    NUMBER_OUT_OF_RANGE /* a JSON number whose rounded value is not finite */
} number_status;

/* Reads the JSON number (RFC 8259, section 6) that starts at *text. Bytes at and past end are never
 * touched, so the text need not be terminated and may end with its mapping.
 *
 * NUMBER_OK: *value is the value nearest to the decimal, ties to even, rounded once also for
 * float32; too small a number gives a subnormal or a zero of its sign, and -0 gives -0.0. *text
 * is past the number; what follows it is the caller's to judge.
 * NUMBER_OUT_OF_RANGE: *text is past the number, *value is unchanged.
 * NUMBER_MALFORMED: *text is at the first byte that does not fit, or at end if more was wanted;
 * *value is unchanged.
 *
 *     const char *at = "-1.5e3]", *end = at + 7;
 *     double x;
 *     number_read_f64(&at, end, &x);  // NUMBER_OK, x is -1500.0, *at is ']' */
number_status number_read_f64(const char **text, const char *end, double *value);
number_status number_read_f32(const char **text, const char *end, float *value);

/* Reads up to `room` numbers with a comma and any white space between each two, as they stand in a
 * JSON list, and returns how many. *text is past the last of them, and where it was if there is
 * none: what follows, also a comma and then no number that could be read, is the caller's to judge.
 */
size_t number_read_run_f64(const char **text, const char *end, double *values, size_t room);
size_t number_read_run_f32(const char **text, const char *end, float *values, size_t room);

/* Writes the shortest decimal that reads back to the same value, the nearest to it among those of
 * that length, in the layout of Python's repr: 3.0, 0.1, 0.0001, 1e-05, 1e+16, 1.5e+300, -0.0.
 * NaN and the infinities become the JSON strings "NaN", "Infinity" and "-Infinity", quotes
 * included. Returns the bytes written; out needs room for NUMBER_F64_TEXT or NUMBER_F32_TEXT,
 * all of which may be written to. */
size_t number_write_f64(char *out, double value);
size_t number_write_f32(char *out, float value);

#ifdef __cplusplus
}
#endif

#endif
