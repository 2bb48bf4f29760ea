/* Documents as JSON text, measured first and then written. Not by json_dumps, which on running out
 * of memory may leave out a key and go on. */
#include "base/json_dump.h"

#include <stdlib.h>

char *json_document_text(const json_t *document, size_t flags, size_t *length) {
    size_t size = json_dumpb(document, NULL, 0, flags | JSON_COMPACT);
    char *text = size ? malloc(size + 1) : NULL;
    *length = 0;
    if (!text || json_dumpb(document, text, size, flags | JSON_COMPACT) != size) {
        free(text);
        return NULL;
    }
    text[size] = '\n';
    *length = size + 1;
    return text;
}
