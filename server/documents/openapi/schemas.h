/* Schemas of what operations take and give. */
#ifndef OPENAPI_SCHEMAS_H
#define OPENAPI_SCHEMAS_H

#include "documents/openapi/part.h"

/* The schemas that tensors are made of. */
void schemas_begin(openapi *o);

/* Adds the schema of what an operation takes, or gives, and returns a reference to it. */
json_t *schema_of_request(openapi *o, const layers_operation *operation);
json_t *schema_of_answer(openapi *o, const layers_operation *operation);

/* An object schema; takes over both references. */
json_t *schema_of_object(json_t *properties, json_t *required);

#endif
