/* Schemas and examples of challenges: what asks for one, what is given, and what answers it. */
#ifndef OPENAPI_CHALLENGES_H
#define OPENAPI_CHALLENGES_H

#include "documents/openapi/part.h"

/* References to schemas, which are added. */
json_t *schema_of_asked(openapi *o);
json_t *schema_of_challenge(openapi *o);
json_t *schema_of_challenge_answer(openapi *o);

/* A request for a challenge, and the challenge; an answer to that. */
json_t *example_asked(void);
json_t *example_challenge(void);
json_t *example_challenge_answer(void);

#endif
