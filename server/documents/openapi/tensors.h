/* Schemas of tensors, shared by all that takes or gives them: one for each rank that a pattern has.
 */
#ifndef OPENAPI_TENSORS_H
#define OPENAPI_TENSORS_H

#include "documents/openapi/part.h"

/* Where a tensor or a parameter stands: in a request, where the handle of a kept one may stand in
 * its place; in an answer; in a node of a graph, where the name of a value does; or in a claim,
 * which may be of any shape: another than the right one is wrong. */
typedef enum { PLACE_REQUEST, PLACE_ANSWER, PLACE_NODE, PLACE_CLAIM } schema_place;

typedef enum { ELEMENT_NUMBER, ELEMENT_LABEL, ELEMENT_FLAG, ELEMENT_INTEGER } schema_element;

/* The schemas of elements and of handles. */
void tensors_begin(openapi *o);

/* A reference to the schema of a tensor of a pattern; one that is a scalar by it is a number. */
json_t *schema_of_tensor(openapi *o, schema_place place, const char *pattern,
                         schema_element element, const char *summary);

/* The schemas of every tensor that a graph can take or give, in a list. */
json_t *schemas_of_any_tensor(openapi *o);

#endif
