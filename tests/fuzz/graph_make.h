/* Bytes become graphs, most of which are valid: each byte is a choice. */
#ifndef FUZZ_GRAPH_MAKE_H
#define FUZZ_GRAPH_MAKE_H

#include "graph_model.h"

enum { WANTED_MOST = 8, KEPT_MOST = 512 };

/* What an input decides with. Digits are choices from 0 on, spaces and line feeds are skipped; when
 * all are used up, every choice is the first. */
typedef struct {
    const uint8_t *at, *end;
} choices;

/* One of `count`. */
unsigned choose(choices *choices, unsigned count);

/* A value that stays with the daemon, under `handle` of the value. */
typedef struct {
    bool is_live, is_known; /* not given up; with what it is */
    model_value value;
} kept_value;

typedef struct {
    choices *choices;
    model *model;
    const kept_value *kept;
    int kept_count;
    json_t *document;
    file file; /* of its inputs, where it goes as safetensors */
    bool as_file;
    int give[WANTED_MOST], keep[WANTED_MOST]; /* values */
    int give_count, keep_count;
    uint64_t released; /* of the handles that are kept, by their places */
    uint64_t wrong;    /* the problems that it may get: PROBLEM_BIT; 0 for none */
    bool is_mistaken;  /* a mistake is in it, or looks like one */
} made_graph;

/* Makes a graph, whose choices, model and kept values are there. */
void graph_make(made_graph *graph);

/* Changes something of a document, whatever comes of it. */
void graph_damage(choices *choices, json_t *document);

#endif
