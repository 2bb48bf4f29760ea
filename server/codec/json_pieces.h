/* The text of a number array, looked through before it is read: how many elements stand before each
 * place, and where it can be cut so that several threads read it at once. */
#ifndef CODEC_JSON_PIECES_H
#define CODEC_JSON_PIECES_H

#include <stddef.h>

#include "layers/pool.h"

enum { JSON_PIECES_MOST = 128 };

/* The first piece starts where the text does, every other one behind a comma. */
typedef struct {
    const char *start;
    size_t first; /* commas before it: elements, where a list is nowhere empty */
} json_piece;

typedef struct {
    size_t count;
    json_piece piece[JSON_PIECES_MOST + 1]; /* behind the last: the end, and how many there are */
} json_pieces;

/* Cuts a text into pieces of about the same length, `length` bytes or more; into one for 0 and
 * where the text is not twice as long. Threads of the pool help to count. */
void json_pieces_cut(json_pieces *pieces, const char *text, const char *end, size_t length,
                     layers_pool *pool);

/* How many elements stand before a place of the text that is behind one of them. */
size_t json_pieces_elements(const json_pieces *pieces, const char *at);

#endif
