/* Checks and challenges in the document. */
#ifndef OPENAPI_CHECKS_H
#define OPENAPI_CHECKS_H

#include "documents/openapi/part.h"
#include "route.h"

/* The schemas that those of checks are made of. */
void checks_begin(openapi *o);

/* What stands under "post" of a check of an operation, and of the rows of challenges. */
json_t *post_check(openapi *o, const document *row, const layers_operation *operation);
json_t *post_challenge(openapi *o, const document *row);
json_t *post_answer(openapi *o, const document *row);

#endif
