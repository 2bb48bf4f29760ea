/* Handwritten digits: reading and shuffling them. */
#include "images.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "chance.h"

static bool read_row(const char *line, float *pixels, int64_t *label) {
    char *end;
    for (int i = 0; i <= PIXELS; i++, line = end + 1) {
        long number = strtol(line, &end, 10);
        if (end == line || *end != (i < PIXELS ? ',' : '\n') || number < 0 || number > 16)
            return false;
        if (i < PIXELS)
            pixels[i] = (float)number / 16;
        else
            *label = number;
    }
    return *label < CLASSES;
}

bool images_read(struct images *set, const char *path, size_t least, layerd_error *error) {
    enum { MOST = 10000 };
    char line[1024];
    FILE *file = fopen(path, "r");
    *error = (layerd_error){.code = "images"};
    if (file == NULL) {
        snprintf(error->detail, sizeof error->detail, "Cannot read %s: %s.", path, strerror(errno));
        return false;
    }
    set->pixels = malloc(sizeof(float) * MOST * PIXELS);
    set->labels = malloc(sizeof(int64_t) * MOST);
    bool good = set->pixels != NULL && set->labels != NULL;
    while (good && set->count < MOST && fgets(line, sizeof line, file) != NULL) {
        good = read_row(line, set->pixels + set->count * PIXELS, set->labels + set->count);
        set->count++;
    }
    fclose(file);
    if (good && set->count > least)
        return true;
    snprintf(error->detail, sizeof error->detail,
             "%s, line %zu: not %d pixels (0 to 16) and a digit, or too few.", path, set->count,
             PIXELS);
    return false;
}

void images_free(struct images *set) {
    free(set->pixels);
    free(set->labels);
}

void images_shuffle(struct images *set, size_t count, uint64_t *random) {
    for (size_t i = count; i > 1; i--) {
        size_t j = draw(random) % i;
        float row[PIXELS], *a = set->pixels + (i - 1) * PIXELS, *b = set->pixels + j * PIXELS;
        memcpy(row, a, sizeof row);
        memmove(a, b, sizeof row);
        memcpy(b, row, sizeof row);
        int64_t label = set->labels[i - 1];
        set->labels[i - 1] = set->labels[j];
        set->labels[j] = label;
    }
}

layerd_tensor images_pixels(const struct images *set, size_t first, size_t count) {
    return layerd_wrap(LAYERD_FLOAT32, 4, (size_t[]){count, 1, SIDE, SIDE},
                       set->pixels + first * PIXELS);
}

layerd_tensor images_labels(const struct images *set, size_t first, size_t count) {
    return layerd_wrap(LAYERD_INT64, 1, &count, set->labels + first);
}
