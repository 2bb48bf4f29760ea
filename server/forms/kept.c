/* Handles in requests. */
#include "forms/kept.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "codec/json_value.h"
#include "forms/form.h"

bool kept_fault(const store *store, const char *pointer, problem *problem) {
    switch (store->fault) {
    case STORE_AWAY:
    case STORE_LATER: /* it will be asked again, at leisure */
        problem_set(problem, PROBLEM_STORE_UNAVAILABLE, pointer,
                    "the store of caches and kept tensors does not answer; try again");
        problem->retry_after = 1;
        return true;
    case STORE_BROKEN:
        problem_set(problem, PROBLEM_INTERNAL, pointer,
                    "what the store holds for the handle cannot be read by this version");
        return true;
    default:
        return false;
    }
}

static bool unknown(const store *store, const char *pointer, const char *what, problem *problem) {
    if (kept_fault(store, pointer, problem))
        return false;
    return problem_set(problem, PROBLEM_UNKNOWN_CACHE, pointer,
                       "the %s is not known: it was never given, has expired, or was deleted",
                       what);
}

bool kept_tensor(store *store, const char *handle, const char *pointer, layers_tensor *tensor,
                 problem *problem) {
    store_value value;
    if (!store->get(store, handle, &value))
        return unknown(store, pointer, "tensor", problem);
    *tensor = value.tensor;
    if (!value.cache)
        return true;
    const char *layer = layers_cache_layer(value.cache);
    store_value_clear(&value);
    return problem_set(problem, PROBLEM_WRONG_CACHE, pointer,
                       "%s is the handle of a cache of %s/forward, but must be a tensor's", pointer,
                       layer);
}

bool kept_cache(store *store, const char *handle, const char *pointer, layers_cache **cache,
                problem *problem) {
    store_value value;
    if (!store->get(store, handle, &value))
        return unknown(store, pointer, "cache", problem);
    *cache = value.cache;
    if (value.cache)
        return true;
    store_value_clear(&value);
    return problem_set(problem, PROBLEM_WRONG_CACHE, pointer,
                       "%s is the handle of a tensor, but must be a cache's", pointer);
}

bool kept_is_named(const json_t *value, const char *key) {
    return json_object_get(value, key) != NULL;
}

const char *kept_handle(const json_document *document, const json_t *value, const char *key,
                        const char *pointer, problem *problem) {
    const char *other;
    json_t *member;
    char place[FORM_POINTER], name[48];
    json_object_foreach((json_t *)value, other, member) {
        if (!strcmp(other, key))
            continue;
        pointer_add(strcpy(place, pointer), sizeof place, text_clip(name, sizeof name, other));
        problem_set(problem, PROBLEM_UNKNOWN_FIELD, place,
                    "\"%s\" may not stand beside \"%s\", which is a handle alone", name, key);
        return NULL;
    }
    json_t *handle = json_object_get(value, key);
    pointer_add(strcpy(place, pointer), sizeof place, key);
    if (!json_is_string(handle))
        problem_set(problem, PROBLEM_WRONG_TYPE, place,
                    "%s is %s, but must be the string that was given as a handle", place,
                    json_kind(document, handle));
    return json_plain_text(handle);
}

void kept_blame(problem *problem, const char *behind) {
    static const char *const keys[] = {"/tensor", "/cache"};
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        size_t length = strlen(keys[i]);
        if (strncmp(behind, keys[i], length) != 0 || !strchr("/", behind[length]))
            continue;
        char place[FORM_POINTER];
        size_t end = (size_t)(behind - problem->pointer) + length;
        const char *kind = !behind[length] && problem->kind != PROBLEM_INVALID_SHAPE ? "a number"
                           : isdigit((unsigned char)behind[length + 1])              ? "a list"
                                                                                     : "an object";
        snprintf(place, sizeof place, "%.*s", (int)end, problem->pointer);
        problem_set(problem, PROBLEM_WRONG_TYPE, place,
                    "%s is %s, but must be the string that was given as a handle", place, kind);
        return;
    }
}
