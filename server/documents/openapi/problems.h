/* Problems, as schemas and as responses. */
#ifndef OPENAPI_PROBLEMS_H
#define OPENAPI_PROBLEMS_H

#include "documents/openapi/part.h"
#include "route.h"

/* The schema of each problem. */
void problems_begin(openapi *o);

/* Problems, a bit each: of an operation, or of a graph (NULL), which has those of all and its own;
 * and of a document. */
uint64_t problems_of_post(const layers_operation *operation);
uint64_t problems_of_document(const document *document);

/* Of a challenge that is asked for, and of an answer to one. */
uint64_t problems_of_challenge(void);
uint64_t problems_of_answer(void);

/* Adds the response of each status that the problems have. */
void problems_put(openapi *o, json_t *responses, uint64_t problems);

/* What a response has of headers; the names are those of components.headers. */
json_t *response_headers(int status);

#endif
