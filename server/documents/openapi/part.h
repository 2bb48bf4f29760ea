/* What the parts of /openapi.json share: the document that is being made, and how values get into
 * it. It is made from the tables of operations, of problems and of routes; no part lists an
 * operation, an error or a path. */
#ifndef OPENAPI_PART_H
#define OPENAPI_PART_H

#include <jansson.h>
#include <stdint.h>

#include "request.h"

/* A document that is being made. */
typedef struct {
    service *service;
    json_t *schemas, *responses; /* of the components: those that something refers to */
    bool failed;                 /* there was no memory for a part of it */
} openapi;

/* Puts a value, or adds one; takes over the reference, which may be NULL where there was no memory:
 * then the document has failed. */
void openapi_put(openapi *o, json_t *object, const char *key, json_t *value);
void openapi_add(openapi *o, json_t *array, json_t *value);

enum { OPENAPI_NAME = 96 };

/* "affine", "forward", "Answer" -> "AffineForwardAnswer". Words are cut at what is no letter or
 * digit; the suffix stays as it is. Returns `name`. */
char *openapi_name(char name[OPENAPI_NAME], const char *layer, const char *operation,
                   const char *suffix);

/* The operation whose description has the derived lengths of another's patterns: itself, or that
 * which gives the cache that it takes. */
const layers_operation *openapi_deriver(const layers_operation *operation);

/* A number of a parameter's row: an integer where its kind is that. */
json_t *openapi_number(const layers_param *param, double number);

/* {"$ref": "#/components/<kind>/<name>"} */
json_t *openapi_ref(const char *kind, const char *name);

/* An object schema; takes over both references. */
json_t *openapi_object(json_t *properties, json_t *required);

#endif
