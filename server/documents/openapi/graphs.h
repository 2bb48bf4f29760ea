/* Schemas of graphs: every operation of the table is a node. */
#ifndef OPENAPI_GRAPHS_H
#define OPENAPI_GRAPHS_H

#include "documents/openapi/part.h"

/* Adds the schema of what POST /graph takes, or gives, and returns a reference to it. */
json_t *schema_of_graph(openapi *o);
json_t *schema_of_results(openapi *o);

#endif
