/* Documents as JSON text, measured first and then written. Not by json_dumps, which on running out
 * of memory may leave out a key and go on. */
#include "base/json_dump.h"

#include <stdlib.h>

char *json_document_text(const json_t *document, size_t *length) {
    *length = json_dumpb(document, NULL, 0, JSON_COMPACT);
    char *text = *length ? malloc(*length + 1) : NULL;
    if (!text || json_dumpb(document, text, *length, JSON_COMPACT) != *length) {
        free(text);
        *length = 0;
        return NULL;
    }
    text[*length] = '\0';
    return text;
}
