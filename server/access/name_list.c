/* Names by their hashes. */
#include "access/name_list.h"

#include <stdlib.h>
#include <string.h>

enum { FIRST_ROOM = 64 };

/* FNV-1a. Who writes the names is who runs the daemon, and nobody that it has to fear. */
static uint64_t hash(const char *name) {
    uint64_t hash = 0xcbf29ce484222325;
    for (; *name; name++)
        hash = (hash ^ (unsigned char)*name) * 0x100000001b3;
    return hash ^ hash >> 32;
}

/* The slot of a name, or the free one in which it would be. */
static size_t slot_of(const name_list *names, const char *name) {
    size_t at = hash(name) & (names->slots - 1);
    while (names->slot[at] && strcmp(names->list[names->slot[at] - 1], name) != 0)
        at = (at + 1) & (names->slots - 1);
    return at;
}

size_t name_list_find(const name_list *names, const char *name) {
    uint32_t place = names->slots ? names->slot[slot_of(names, name)] : 0;
    return place ? place - 1 : NAME_LIST_NONE;
}

static bool grow(name_list *names) {
    size_t room = names->room ? 2 * names->room : FIRST_ROOM;
    const char **list = realloc(names->list, room * sizeof *list);
    if (!list)
        return false;
    names->list = list;
    uint32_t *slot = calloc(2 * room, sizeof *slot);
    if (!slot)
        return false;
    free(names->slot);
    names->slot = slot;
    names->slots = 2 * room;
    names->room = room;
    for (size_t i = 0; i < names->count; i++)
        slot[slot_of(names, list[i])] = (uint32_t)(i + 1);
    return true;
}

bool name_list_add(name_list *names, const char *name) {
    if (names->count == names->room && (names->count >= UINT32_MAX / 2 || !grow(names)))
        return false;
    size_t at = slot_of(names, name);
    names->list[names->count++] = name;
    names->slot[at] = (uint32_t)names->count;
    return true;
}

void name_list_clear(name_list *names) {
    free(names->list);
    free(names->slot);
    *names = (struct name_list){0};
}
