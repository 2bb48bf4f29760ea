/* A graph, and the same operations called one by one: what both give, byte for byte. */
#ifndef TESTS_ONE_BY_ONE_H
#define TESTS_ONE_BY_ONE_H

#include <stdint.h>

#include "http/caller.h"

/* A network: JSON with ' for ". "nodes" is the graph, with one gradients node at most; "alone" are
 * the calls that stand for that one, among them {"op": "sum", "a": ..., "b": ...}; "same" tells
 * which value of theirs each gradient is. */
typedef struct {
    const char *name, *text;
    const char *shapes[2]; /* of its inputs, small and large: {"x": [2, 3], "y": [2]} */
    int classes;           /* below which labels are: the inputs whose name begins with y */
} network;

extern const network networks[];
enum { NETWORKS = 3 };

/* How it is sent, and answered. */
typedef struct {
    const network *network;
    bool large, float32, binary; /* binary: safetensors both ways */
} way;

/* Random values for all inputs, the same for the same state. */
json_t *random_inputs(const way *way, uint64_t *state);

/* The bytes of everything that the graph gives, by its name, from single calls; for a call that
 * fails NULL, and the caller's fault is set. */
json_t *run_one_by_one(caller *caller, const way *way, const json_t *inputs);

/* The request of the graph that gives what stands in `bytes`, to be freed. */
char *graph_body(const way *way, json_t *inputs, const json_t *bytes, size_t *length);

/* Its answer; NULL, and the caller's fault is set, where that is an error. */
const answer *run_graph(caller *caller, const way *way, const char *body, size_t length);

/* Whether an answer has these bytes, and nothing else; `fault` tells what differs. */
bool answer_has(const way *way, const answer *answer, const json_t *bytes, char fault[FAULT_TEXT]);

#endif
