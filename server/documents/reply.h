/* Replies that are JSON documents. */
#ifndef DOCUMENTS_REPLY_H
#define DOCUMENTS_REPLY_H

#include <jansson.h>

#include "request.h"

/* A reply of 200 with a JSON document; takes over the reference, which may be NULL where there was
 * no memory. */
bool reply_document(reply *reply, json_t *document, problem *problem);

#endif
