/* What a handle stands for, as bytes: a safetensors file, whose "__metadata__" says the rest. The
 * bytes are a stranger's when they come back. */
#ifndef STORE_VALUE_H
#define STORE_VALUE_H

#include "layers/cache.h"
#include "store/store.h"

enum {
    VALUE_HEADER = 16 << 10, /* bytes that the header has at most, with the eight before it */
    VALUE_TEXT = 128,
};

/* A value as it is to be written: a header, then tensors where they lie. */
typedef struct {
    char header[VALUE_HEADER];
    size_t header_length;
    layers_cache_parts parts; /* of a cache; they hold its memory */
    const void *data[LAYERS_MAX_TENSORS];
    size_t bytes[LAYERS_MAX_TENSORS];
    int count;
    size_t data_bytes; /* of all of them */
} value_image;

/* What is known of a value by its header alone. */
typedef struct {
    store_info info; /* but `expires` */
    size_t header_length, data_bytes;
} value_head;

/* The image of a value that takes `bytes` of memory. `piece`: where data is longer than this, the
 * header says in how many pieces it is. It shares the value's memory until it is cleared. */
void value_image_make(value_image *image, const store_value *value, size_t bytes, size_t piece);

/* That of the cache that a prepared call will give: its data is where it will be, NULL where it is
 * yet to be computed. The header is not what it will be. */
void value_image_foresee(value_image *image, const layers_call *call, size_t piece);
void value_image_clear(value_image *image);

/* In how many pieces the data is, from the start of a value; 0: it stands behind the header. */
size_t value_pieces(const char *bytes, size_t length);

/* Reads the header at the start of `length` bytes. False with a sentence. */
bool value_head_read(value_head *head, const char *bytes, size_t length, char text[VALUE_TEXT]);

/* The value of a whole file, LAYERS_U8, whose memory it shares. False with a sentence. */
bool value_read(store_value *value, const layers_tensor *file, char text[VALUE_TEXT]);

#endif
