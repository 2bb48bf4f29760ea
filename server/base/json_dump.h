/* Documents as JSON text. */
#ifndef BASE_JSON_DUMP_H
#define BASE_JSON_DUMP_H

#include <jansson.h>

/* The text of a document, which may be NULL: compact, terminated, to be freed. NULL where there is
 * no memory. */
char *json_document_text(const json_t *document, size_t *length);

#endif
