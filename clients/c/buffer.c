/* Bytes that grow, with one check for memory at the end of the writing. */
#include <stdlib.h>
#include <string.h>

#include "internal.h"

char *layerd_buffer_reserve(layerd_buffer *buffer, size_t length) {
    if (buffer->failed)
        return NULL;
    if (buffer->data == NULL || length > buffer->capacity - buffer->length) {
        size_t capacity = buffer->capacity < 512 ? 1024 : buffer->capacity * 2;
        if (length > PTRDIFF_MAX / 2 - buffer->length) {
            buffer->failed = true;
            return NULL;
        }
        if (capacity < buffer->length + length)
            capacity = buffer->length + length;
        char *data = realloc(buffer->data, capacity);
        if (data == NULL) {
            buffer->failed = true;
            return NULL;
        }
        buffer->data = data;
        buffer->capacity = capacity;
    }
    return buffer->data + buffer->length;
}

void layerd_buffer_add(layerd_buffer *buffer, const void *bytes, size_t length) {
    char *end = layerd_buffer_reserve(buffer, length);
    if (end == NULL || length == 0)
        return;
    memcpy(end, bytes, length);
    buffer->length += length;
}

void layerd_buffer_text(layerd_buffer *buffer, const char *text) {
    layerd_buffer_add(buffer, text, strlen(text));
}

void layerd_buffer_free(layerd_buffer *buffer) {
    free(buffer->data);
    *buffer = (layerd_buffer){0};
}
