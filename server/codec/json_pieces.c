/* The pieces of an array's text. A comma stands between each two elements, so it is commas that are
 * counted; windows of the same length first, which begin anywhere, and the pieces follow. */
#include "codec/json_pieces.h"

#include <string.h>

typedef struct {
    json_piece *window; /* `start` behind its first comma, NULL for none; `first`: commas in it */
    size_t count, length;
    const char *text, *end;
} windows;

/* In so few bytes that their number is one: many are looked at at a time. */
static inline size_t commas_of_block(const char *at, size_t length) {
    unsigned char found = 0;
    for (size_t i = 0; i < length; i++)
        found += at[i] == ',';
    return found;
}

/* A look at all of the text takes a few percent of the time of reading it, and then no memory is
 * moved, and none taken that is not needed. */
static size_t count_commas(const char *at, const char *end) {
    enum { LONG = 128, SHORT = 16 };
    size_t commas = 0;
    for (; end - at >= LONG; at += LONG)
        commas += commas_of_block(at, LONG);
    for (; end - at >= SHORT; at += SHORT)
        commas += commas_of_block(at, SHORT);
    return commas + commas_of_block(at, (size_t)(end - at));
}

static void count_window(void *argument, size_t i) {
    const windows *w = argument;
    const char *at = w->text + i * w->length;
    const char *end = i + 1 < w->count ? at + w->length : w->end;
    const char *comma = memchr(at, ',', (size_t)(end - at));
    w->window[i].start = comma ? comma + 1 : NULL;
    w->window[i].first = count_commas(at, end);
}

void json_pieces_cut(json_pieces *pieces, const char *text, const char *end, size_t length,
                     layers_pool *pool) {
    size_t bytes = (size_t)(end - text), count = length > 0 ? bytes / length : 1;
    count = count < 1 ? 1 : count < JSON_PIECES_MOST ? count : JSON_PIECES_MOST;
    windows w = {pieces->piece, count, bytes / count, text, end};
    layers_pool_run(pool, count, count_window, &w);
    size_t commas = 0;
    pieces->count = 0;
    for (size_t i = 0; i < count; i++) {
        json_piece window = pieces->piece[i];
        if (i == 0)
            pieces->piece[pieces->count++] = (json_piece){text, 0};
        else if (window.start)
            pieces->piece[pieces->count++] = (json_piece){window.start, commas + 1};
        commas += window.first;
    }
    pieces->piece[pieces->count] = (json_piece){end, commas + 1};
}

size_t json_pieces_elements(const json_pieces *pieces, const char *at) {
    size_t i = 0;
    while (i + 1 < pieces->count && pieces->piece[i + 1].start <= at)
        i++;
    return pieces->piece[i].first + count_commas(pieces->piece[i].start, at) + 1;
}
