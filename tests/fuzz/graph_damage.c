/* Documents that are nearly graphs. */
#include <string.h>

#include "fuzz.h"
#include "graph_make.h"

enum { DEEP = 6 };

static json_t *any_value(choices *c) {
    static const char *const texts[] = {"null",
                                        "true",
                                        "-1",
                                        "2.5",
                                        "1e300",
                                        "[]",
                                        "{}",
                                        "\"\"",
                                        "\"x\"",
                                        "\"x0.y\"",
                                        "[1]",
                                        "[[]]",
                                        "[1,\"x\"]",
                                        "{\"tensor\":\"x\"}",
                                        "{\"cache\":1}",
                                        "{\"shape\":[2],\"data\":[1]}",
                                        "\"handle:\""};
    json_t *value =
        json_loads(texts[choose(c, sizeof texts / sizeof *texts)], JSON_DECODE_ANY, NULL);
    HOLDS(value);
    return value;
}

static const char *any_key(choices *c) {
    static const char longest[] = "a_name_that_is_longer_than_any_name_may_be_and_goes_on_and_on_"
                                  "and_on_to_the_very_end_of_it";
    static const char *const keys[] = {
        "",     "a/b~c", "tensor", "cache", "shape", "data",   "dtype", "name",
        "op",   "x",     "w",      "of",    "for",   "config", "mode",  "\xc3\xa9\xe2\x82\xac",
        longest};
    return keys[choose(c, sizeof keys / sizeof *keys)];
}

/* A text that goes on behind a quote, or something else in the place of what is no text. */
static json_t *longer(choices *c, const json_t *value) {
    const char *text = json_string_value(value);
    return text ? json_sprintf("%s\"x", text) : any_value(c);
}

static void change_object(choices *c, json_t *object, const char *key) {
    json_t *value = json_object_get(object, key);
    switch (choose(c, 5)) {
    case 0:
        json_object_del(object, key);
        return;
    case 1:
        json_object_set_new(object, key, any_value(c));
        return;
    case 2:
        json_object_set_new(object, any_key(c), any_value(c));
        return;
    case 3:
        json_object_set_new(object, any_key(c), json_deep_copy(value));
        json_object_del(object, key);
        return;
    default:
        json_object_set_new(object, key, longer(c, value));
    }
}

static void change_list(choices *c, json_t *list, size_t i) {
    json_t *value = json_array_get(list, i);
    switch (choose(c, 5)) {
    case 0:
        json_array_remove(list, i);
        return;
    case 1:
        json_array_set_new(list, i, any_value(c));
        return;
    case 2:
        json_array_append_new(list, json_deep_copy(value));
        return;
    case 3:
        json_array_insert_new(list, 0, json_deep_copy(value));
        return;
    default:
        json_array_set_new(list, i, longer(c, value));
    }
}

/* A key of the object, which has one. */
static const char *chosen_key(choices *c, json_t *object) {
    void *at = json_object_iter(object);
    for (unsigned n = choose(c, (unsigned)json_object_size(object)); n > 0; n--)
        at = json_object_iter_next(object, at);
    return json_object_iter_key(at);
}

void graph_damage(choices *c, json_t *document) {
    json_t *in = document;
    for (int depth = 0; depth < DEEP; depth++) {
        json_t *next = NULL;
        if (json_object_size(in) > 0) {
            const char *key = chosen_key(c, in);
            next = json_object_get(in, key);
            if (choose(c, 3) == 0 || json_object_size(next) + json_array_size(next) == 0) {
                change_object(c, in, key);
                return;
            }
        } else if (json_array_size(in) > 0) {
            size_t i = choose(c, (unsigned)json_array_size(in));
            next = json_array_get(in, i);
            if (choose(c, 3) == 0 || json_object_size(next) + json_array_size(next) == 0) {
                change_list(c, in, i);
                return;
            }
        } else {
            return;
        }
        in = next;
    }
}
