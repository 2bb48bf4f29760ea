/* The nearest word, by edit distance. */
#include "layers/error.h"

#include <ctype.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

enum { WORD_MOST = 63 }; /* of a longer word, its start */

static size_t smallest(size_t a, size_t b, size_t c) {
    size_t ab = a < b ? a : b;
    return ab < c ? ab : c;
}

static bool is_same(char a, char b) {
    return tolower((unsigned char)a) == tolower((unsigned char)b);
}

/* The edits between two words; SIZE_MAX where those are too many for one to be meant by the other.
 */
static size_t distance(const char *a, const char *b) {
    size_t a_length = strnlen(a, WORD_MOST), b_length = strnlen(b, WORD_MOST);
    size_t row[WORD_MOST + 1]; /* of the table: from a's first i bytes to each start of b */
    for (size_t j = 0; j <= b_length; j++)
        row[j] = j;
    for (size_t i = 1; i <= a_length; i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= b_length; j++) {
            size_t above = row[j];
            row[j] = smallest(above + 1, row[j - 1] + 1, diagonal + !is_same(a[i - 1], b[j - 1]));
            diagonal = above;
        }
    }
    size_t longer = a_length > b_length ? a_length : b_length;
    return 3 * row[b_length] <= longer + 1 ? row[b_length] : SIZE_MAX;
}

/* To a name, or to what stands behind its dot: "p" is near "dropout_param.p". */
static size_t name_distance(const char *word, const char *name) {
    const char *dot = strchr(name, '.');
    size_t whole = distance(word, name), behind = dot ? distance(word, dot + 1) : whole;
    return behind < whole ? behind : whole;
}

const char *layers_nearest(const char *word, const char *const *names) {
    const char *best = NULL;
    size_t least = SIZE_MAX;
    for (; *names; names++) {
        size_t edits = name_distance(word, *names);
        if (edits < least) {
            least = edits;
            best = *names;
        }
    }
    return best;
}
