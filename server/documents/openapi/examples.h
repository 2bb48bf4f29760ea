/* Examples of requests, and what the daemon answers to them. */
#ifndef OPENAPI_EXAMPLES_H
#define OPENAPI_EXAMPLES_H

#include "documents/openapi/part.h"
#include "route.h"

/* A request that runs. Where it takes a cache, `cache` stands in its place. */
json_t *example_request(openapi *o, const layers_operation *operation, const char *cache,
                        bool flat);

/* What the daemon answers to that. */
json_t *example_answer(openapi *o, const layers_operation *operation);

/* What the daemon answers to a body, which this takes over, in JSON; NULL where it fails. */
json_t *example_run(openapi *o, handler *handle, const layers_operation *operation, json_t *body);

/* The same of a graph: a step of training. Where it keeps something, the answer has "the handle of
 * u1.next_w" and the like. */
json_t *example_graph(openapi *o, bool flat);
json_t *example_results(openapi *o);

/* The next step, which takes what the last one kept and gives it up: its handles are runtime
 * expressions. */
json_t *example_next_graph(openapi *o);

/* Stands for the cache in examples: "the cache that affine/forward gave". */
const char *example_cache(const layers_operation *operation, char text[OPENAPI_NAME]);

/* ---- example_checks.c --------------------------------------------------------------------------
 */

/* A check whose claims are right, or whose first has the wrong sign; and what the daemon answers.
 */
json_t *example_check(openapi *o, const layers_operation *operation, bool right);
json_t *example_verdict(openapi *o, const layers_operation *operation, const json_t *check);

#endif
