/* Problems, as schemas and as responses. */
#ifndef OPENAPI_PROBLEMS_H
#define OPENAPI_PROBLEMS_H

#include "documents/openapi/part.h"
#include "route.h"

/* The schema of each problem. */
void problems_begin(openapi *o);

/* Problems, a bit each: of GET and DELETE; of whatever has a body, beside its own; and its own of
 * what takes the tensors of an operation, or of any (NULL). */
uint64_t problems_of_document(const document *document);
uint64_t problems_of_post(uint64_t own);
uint64_t problems_of_tensors(const layers_operation *operation);

/* Adds the response of each status that the problems have. */
void problems_put(openapi *o, json_t *responses, uint64_t problems);

/* What a response has of headers; the names are those of components.headers. */
json_t *response_headers(int status);

#endif
