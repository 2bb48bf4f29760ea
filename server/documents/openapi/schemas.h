/* Schemas of what operations take and give. */
#ifndef OPENAPI_SCHEMAS_H
#define OPENAPI_SCHEMAS_H

#include "documents/openapi/part.h"

/* What the names of schemas of requests end in. openapi-typescript takes a member with a default
 * for one that is always there, unless "requestBody" or "parameters" stands in the name. */
#define SCHEMA_REQUEST ".requestBody"

/* The schemas that others are made of. */
void schemas_begin(openapi *o);

/* Adds the schema of what an operation takes, or gives, or of a node of a graph that is one, and
 * returns a reference to it. */
json_t *schema_of_request(openapi *o, const layers_operation *operation);
json_t *schema_of_answer(openapi *o, const layers_operation *operation);
json_t *schema_of_node(openapi *o, const layers_operation *operation);

/* The same of what a check of an operation takes, and of what can be claimed in it. */
json_t *schema_of_check(openapi *o, const layers_operation *operation);

/* What "dtype" may be. */
json_t *schema_of_dtype(openapi *o, bool of_cache);

#endif
