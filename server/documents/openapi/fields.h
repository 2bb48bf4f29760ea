/* The rows of the table of operations, as they are. */
#ifndef OPENAPI_FIELDS_H
#define OPENAPI_FIELDS_H

#include "documents/openapi/part.h"

/* x-layerd: the operation's row of the table. */
json_t *operation_row(openapi *o, const layers_operation *operation);

/* The faults that claims of an operation are compared with, and those of all (NULL). */
json_t *fault_rows(openapi *o, const layers_operation *operation);

#endif
