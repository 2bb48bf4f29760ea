/* Handwritten digits, of SIDE by SIDE pixels. */
#ifndef IMAGES_H
#define IMAGES_H

#include "layerd.h"

enum { SIDE = 8, PIXELS = SIDE * SIDE, CLASSES = 10 };

struct images {
    size_t count;
    float *pixels; /* (count, PIXELS), 0 to 1 */
    int64_t *labels;
};

/* Reads lines of PIXELS numbers from 0 to 16 and the digit. False with an error where a line is
 * none or there are not more than `least`. */
bool images_read(struct images *set, const char *path, size_t least, layerd_error *error);
void images_free(struct images *set);

/* Shuffles the first `count` images (Fisher, Yates). */
void images_shuffle(struct images *set, size_t count, uint64_t *random);

/* Some of them as (count, 1, SIDE, SIDE), and their labels as (count): nothing is copied. */
layerd_tensor images_pixels(const struct images *set, size_t first, size_t count);
layerd_tensor images_labels(const struct images *set, size_t first, size_t count);

#endif
