/* GET /openapi.json, made from the tables of operations, of problems and of routes: what its parts
 * share. Nothing here lists an operation, an error or a path. */
#ifndef OPENAPI_OPENAPI_H
#define OPENAPI_OPENAPI_H

#include <jansson.h>
#include <stdint.h>

#include "request.h"
#include "routes.h"

/* A document that is being made. */
typedef struct {
    service *service;
    json_t *schemas; /* components.schemas */
    bool failed;     /* there was no memory for a part of it */
} openapi;

/* Puts a value, or adds one; takes over the reference, which may be NULL where there was no memory:
 * then the document has failed. */
void openapi_put(openapi *o, json_t *object, const char *key, json_t *value);
void openapi_add(openapi *o, json_t *array, json_t *value);

enum { OPENAPI_NAME = 96 };

/* "affine", "forward", "Request" -> "AffineForwardRequest". Words are cut at what is no letter or
 * digit. Returns `name`. */
char *openapi_name(char name[OPENAPI_NAME], const char *layer, const char *operation,
                   const char *suffix);

/* {"$ref": "#/components/<kind>/<name>"} */
json_t *openapi_ref(const char *kind, const char *name);

/* ---- schemas.c ---------------------------------------------------------------------------------
 */

/* The schemas that tensors are made of. */
void schemas_begin(openapi *o);

/* Adds the schema of what an operation takes, or gives, and returns a reference to it. */
json_t *schema_of_request(openapi *o, const layers_operation *operation);
json_t *schema_of_answer(openapi *o, const layers_operation *operation);

/* An object schema; takes over both references. */
json_t *schema_of_object(json_t *properties, json_t *required);

/* ---- problems.c --------------------------------------------------------------------------------
 */

/* The schema of each problem. */
void problems_begin(openapi *o);

/* Problems, a bit each. */
uint64_t problems_of_operation(const layers_operation *operation);
uint64_t problems_of_document(const document *document);

/* Adds the response of each status that the problems have. */
void problems_put(openapi *o, json_t *responses, uint64_t problems);

/* components.responses: one of each problem, also of those that only other paths and methods get.
 */
json_t *problems_responses(openapi *o);

/* What a response has of headers; the names are those of components.headers. */
json_t *response_headers(int status);

/* ---- examples.c --------------------------------------------------------------------------------
 */

/* A request that runs. Where it takes a cache, `cache` stands in its place. */
json_t *example_request(openapi *o, const layers_operation *operation, const char *cache,
                        bool flat);

/* What the daemon answers to that; NULL where it does not. */
json_t *example_answer(openapi *o, const layers_operation *operation);

/* Stands for the cache in examples: "the cache that affine/forward gave". */
const char *example_cache(const layers_operation *operation, char text[OPENAPI_NAME]);

/* ---- fields.c ----------------------------------------------------------------------------------
 */

/* x-layerd: the operation's row of the table. */
json_t *operation_row(openapi *o, const layers_operation *operation);

#endif
