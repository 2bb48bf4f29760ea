/* What has a body and an answer in one of the forms, as the document has it. */
#ifndef OPENAPI_POSTING_H
#define OPENAPI_POSTING_H

#include "documents/openapi/part.h"
#include "route.h"

typedef struct {
    const layers_operation *operation; /* whose queries it takes; NULL where it is of none */
    const char *id, *tag, *summary;
    scope scope;
    unsigned queries;  /* a bit each, as in document */
    uint64_t problems; /* its own: see problems_of_post */
    json_t *taken, *given;
} posting;

/* What stands under "post"; takes over what the posting holds. */
json_t *posting_item(openapi *o, const posting *posting);

/* Adds links to what an answer is good for. */
void posting_link(openapi *o, json_t *item, json_t *links);

/* A link to an operation by its id. */
json_t *posting_link_to(const char *id, const char *description, json_t *body);

/* Messages in each form that there is, or in JSON alone (`bytes` is NULL), which else tells how one
 * is as bytes. `schema` is a reference. Takes over both. */
json_t *posting_content(openapi *o, json_t *schema, json_t *examples, const char *bytes);

/* Examples of a message, by name. */
void posting_example(openapi *o, json_t *examples, const char *name, const char *summary,
                     json_t *value);

/* The token that is asked for, where tokens are. */
void put_security(openapi *o, json_t *item, scope scope);

/* "affineForward". Returns `name`. */
char *operation_id(char name[OPENAPI_NAME], const char *verb, const char *noun);

#endif
