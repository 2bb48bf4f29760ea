/* malloc for Jansson, and what stands in for it while a text is read. */
#include "codec/json_memory.h"

#include <jansson.h>
#include <stdint.h>
#include <stdlib.h>

/* What opens something or parts it becomes at most some 200 bytes, an empty object; a byte of a
 * string at most 4, while the string grows. */
enum { OF_A_MARK = 256, OF_A_BYTE = 4, AT_LEAST = 4096, ALIGNMENT = 16 };

static _Thread_local struct {
    char *start;
    size_t size, used;
} reserve;

static void *allocate(size_t bytes) {
    void *block = malloc(bytes);
    size_t rounded = (bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    if (block || !reserve.start || rounded > reserve.size - reserve.used)
        return block;
    block = reserve.start + reserve.used;
    reserve.used += rounded;
    return block;
}

static void release(void *block) {
    uintptr_t offset = (uintptr_t)block - (uintptr_t)reserve.start;
    if (!reserve.start || offset >= reserve.size)
        free(block);
}

__attribute__((constructor)) static void set_allocation(void) {
    json_set_alloc_funcs(allocate, release);
}

bool json_memory_guard(const char *text, size_t length) {
    size_t marks = 0;
    for (size_t i = 0; i < length; i++)
        marks += (text[i] == '{') | (text[i] == '[') | (text[i] == ',') | (text[i] == ':');
    reserve.size = OF_A_MARK * marks + OF_A_BYTE * length + AT_LEAST;
    reserve.used = 0;
    reserve.start = malloc(reserve.size);
    return reserve.start;
}

bool json_memory_ran_out(void) {
    return reserve.used > 0;
}

void json_memory_unguard(void) {
    free(reserve.start);
    reserve.start = NULL;
}
