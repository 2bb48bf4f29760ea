/* A list of names, each once, in which one is found at once. Not for several threads. */
#ifndef ACCESS_NAME_LIST_H
#define ACCESS_NAME_LIST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct name_list {
    const char **list;
    size_t count;
    size_t room;    /* of the list */
    uint32_t *slot; /* places in the list from 1, by hashes; as many as a power of two, 0 free */
    size_t slots;
} name_list;

#define NAME_LIST_NONE SIZE_MAX

/* The place of a name in the list. */
size_t name_list_find(const name_list *names, const char *name);

/* Adds a name that is not there; it has to live as long. False where there is no memory. */
bool name_list_add(name_list *names, const char *name);

/* Frees the list, not the names. */
void name_list_clear(name_list *names);

#endif
