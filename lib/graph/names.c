/* Names in a graph: a hash table with open addressing. */
#include "graph/names.h"

#include <stdlib.h>
#include <string.h>

enum { FIRST_SLOTS = 64 };

/* FNV-1a of 64 bits, http://www.isthe.com/chongo/tech/comp/fnv/. */
static uint64_t hash_of(const char *text, size_t length) {
    uint64_t hash = UINT64_C(0xcbf29ce484222325);
    for (size_t i = 0; i < length; i++)
        hash = (hash ^ (unsigned char)text[i]) * UINT64_C(0x100000001b3);
    return hash ^ hash >> 32;
}

/* The slot of a name, or the free one where it would go. */
static int *slot_of(const names *names, const char *text, size_t length, uint64_t hash) {
    for (size_t at = hash;; at++) {
        int *slot = &names->slots[at & (names->slot_count - 1)];
        const name *name = &names->names[*slot < 0 ? 0 : *slot];
        if (*slot < 0 ||
            (name->hash == hash && name->length == length && memcmp(name->text, text, length) == 0))
            return slot;
    }
}

int names_find(const names *names, const char *text, size_t length) {
    return names->count ? *slot_of(names, text, length, hash_of(text, length)) : -1;
}

/* Twice the slots; at most half of them are taken. */
static bool grow(names *names) {
    size_t count = names->slot_count ? 2 * names->slot_count : FIRST_SLOTS;
    int *slots = malloc(count * sizeof *slots);
    name *larger = slots ? realloc(names->names, count / 2 * sizeof *larger) : NULL;
    if (!larger) {
        free(slots);
        return false;
    }
    free(names->slots);
    names->names = larger;
    names->slots = slots;
    names->slot_count = count;
    names->room = count / 2;
    memset(slots, 0xff, count * sizeof *slots);
    for (size_t i = 0; i < names->count; i++)
        *slot_of(names, larger[i].text, larger[i].length, larger[i].hash) = (int)i;
    return true;
}

bool names_add(names *names, const char *text, size_t length, bool is_node, int index) {
    if (names->count == names->room && !grow(names))
        return false;
    char *copy = malloc(length + 1);
    if (!copy)
        return false;
    memcpy(copy, text, length);
    copy[length] = '\0';
    name *added = &names->names[names->count];
    added->text = copy;
    added->length = length;
    added->hash = hash_of(text, length);
    added->is_node = is_node;
    added->index = index;
    *slot_of(names, text, length, added->hash) = (int)names->count++;
    return true;
}

void names_free(names *names) {
    for (size_t i = 0; i < names->count; i++)
        free(names->names[i].text);
    free(names->names);
    free(names->slots);
}
