/* malloc for Jansson, which remembers that it failed. */
#include "codec/json_memory.h"

#include <jansson.h>
#include <stdlib.h>

static _Thread_local bool ran_out;

static void *allocate(size_t bytes) {
    void *block = malloc(bytes);
    ran_out = ran_out || !block;
    return block;
}

__attribute__((constructor)) static void set_allocation(void) {
    json_set_alloc_funcs(allocate, free);
}

bool json_memory_ran_out(void) {
    bool result = ran_out;
    ran_out = false;
    return result;
}
