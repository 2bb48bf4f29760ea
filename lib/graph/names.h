/* Names in a graph: of inputs, of nodes, and of gradients ("d.w"), in a hash table. */
#ifndef LIB_GRAPH_NAMES_H
#define LIB_GRAPH_NAMES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct {
    char *text;
    size_t length;
    uint64_t hash;
    bool is_node; /* `index` is that of a node, else of a value */
    int index;
} name;

typedef struct {
    name *names;
    size_t count, room;
    int *slots; /* of names, or -1; a power of two of them */
    size_t slot_count;
} names;

void names_free(names *names);

/* The index of a name, -1 where it is not there. */
int names_find(const names *names, const char *text, size_t length);

/* Adds a name that is not there. False where there is no memory. */
bool names_add(names *names, const char *text, size_t length, bool is_node, int index);

#endif
