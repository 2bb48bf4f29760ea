/* JSON for tests: short to write, and compared as the contract means it. */
#ifndef TESTS_JSON_H
#define TESTS_JSON_H

#include <jansson.h>
#include <stdarg.h>
#include <stdbool.h>

/* Prints like printf and turns ' into ", so that JSON reads well in C. To be freed. */
char *json_text(const char *format, ...) __attribute__((format(printf, 1, 2)));
char *json_text_list(const char *format, va_list arguments) __attribute__((format(printf, 1, 0)));

/* Whether `got` is `want`. What has a point or an exponent in `want`, or is "NaN", "Infinity" or
 * "-Infinity", must be such a number within atol + rtol * |want|; integers and other strings must
 * be the same, lists as long, objects of the same keys, save a "cache" that `want` does not name.
 * Otherwise `why` tells the first difference. */
bool json_same(const json_t *got, const json_t *want, double rtol, double atol, char why[256]);

/* The member at "a.b", NULL where there is none. */
json_t *json_at(const json_t *value, const char *path);

#endif
