#include "json.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct {
    double rtol, atol;
    char *why;
} comparison;

char *json_text_list(const char *format, va_list arguments) {
    char *text;
    if (vasprintf(&text, format, arguments) < 0)
        abort();
    for (char *c = text; *c; c++)
        if (*c == '\'')
            *c = '"';
    return text;
}

char *json_text(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    char *text = json_text_list(format, arguments);
    va_end(arguments);
    return text;
}

json_t *json_at(const json_t *value, const char *path) {
    char name[64];
    while (value && *path) {
        size_t length = strcspn(path, ".");
        snprintf(name, sizeof name, "%.*s", (int)length, path);
        value = json_object_get(value, name);
        path += length + (path[length] == '.');
    }
    return (json_t *)value;
}

/* A float as answers carry it: an integer is none. */
static bool number_of(const json_t *value, double *number) {
    static const struct {
        const char *word;
        double value;
    } words[] = {{"NaN", NAN}, {"Infinity", INFINITY}, {"-Infinity", -INFINITY}};
    if (json_is_real(value)) {
        *number = json_real_value(value);
        return true;
    }
    for (size_t i = 0; json_is_string(value) && i < 3; i++)
        if (!strcmp(json_string_value(value), words[i].word)) {
            *number = words[i].value;
            return true;
        }
    return false;
}

static bool numbers_same(double got, double want, const comparison *c) {
    if (isnan(want) || isnan(got))
        return isnan(want) && isnan(got);
    if (isinf(want) || isinf(got))
        return got == want;
    return fabs(got - want) <= c->atol + c->rtol * fabs(want);
}

static bool differ(const comparison *c, const char *path, const json_t *got, const json_t *want) {
    char *got_text = json_dumps(got, JSON_COMPACT | JSON_ENCODE_ANY);
    char *want_text = json_dumps(want, JSON_COMPACT | JSON_ENCODE_ANY);
    snprintf(c->why, 256, "%.60s is %.80s, not %.80s", *path ? path : "all",
             got_text ? got_text : "absent", want_text ? want_text : "there");
    free(got_text);
    free(want_text);
    return false;
}

static bool same(const json_t *got, const json_t *want, const char *path, const comparison *c);

static bool lists_same(const json_t *got, const json_t *want, const char *path,
                       const comparison *c) {
    if (json_array_size(got) != json_array_size(want))
        return differ(c, path, got, want);
    for (size_t i = 0; i < json_array_size(want); i++) {
        char place[128];
        snprintf(place, sizeof place, "%.100s/%zu", path, i);
        if (!same(json_array_get(got, i), json_array_get(want, i), place, c))
            return false;
    }
    return true;
}

static bool objects_same(const json_t *got, const json_t *want, const char *path,
                         const comparison *c) {
    const char *key;
    json_t *member;
    char place[128];
    json_object_foreach((json_t *)want, key, member) {
        snprintf(place, sizeof place, "%.80s/%.40s", path, key);
        if (!same(json_object_get(got, key), member, place, c))
            return false;
    }
    json_object_foreach((json_t *)got, key, member) {
        snprintf(place, sizeof place, "%.80s/%.40s", path, key);
        if (!json_object_get(want, key) && strcmp(place, "/cache") != 0)
            return differ(c, place, member, NULL);
    }
    return true;
}

static bool same(const json_t *got, const json_t *want, const char *path, const comparison *c) {
    double got_number, want_number;
    if (number_of(want, &want_number))
        return (number_of(got, &got_number) && numbers_same(got_number, want_number, c)) ||
               differ(c, path, got, want);
    if (!got || json_typeof(got) != json_typeof(want))
        return differ(c, path, got, want);
    if (json_is_array(want))
        return lists_same(got, want, path, c);
    if (json_is_object(want))
        return objects_same(got, want, path, c);
    return json_equal(got, want) || differ(c, path, got, want);
}

bool json_same(const json_t *got, const json_t *want, double rtol, double atol, char why[256]) {
    why[0] = '\0';
    return same(got, want, "", &(comparison){rtol, atol, why});
}
