/* Documents as JSON text. */
#ifndef BASE_JSON_DUMP_H
#define BASE_JSON_DUMP_H

#include <jansson.h>

/* The text of a document, which may be NULL, as an answer has it: compact, with a line feed at its
 * end, to be freed. `flags` are more of Jansson's. NULL where there is no memory. */
char *json_document_text(const json_t *document, size_t flags, size_t *length);

#endif
