/* POST /graph: a document becomes a layers_graph, and its results an answer. What was read of a
 * document is of the thread that read it, until it is closed. */
#ifndef GRAPHS_GRAPH_H
#define GRAPHS_GRAPH_H

#include "codec/safetensors_read.h"
#include "codec/safetensors_write.h"
#include "forms/form.h"
#include "graphs/graph_handles.h"
#include "layers/graph.h"

/* A value that the answer gives, or that is kept. */
typedef struct {
    const char *name;
    size_t value; /* as layers_graph_want told */
    bool is_twin; /* the name stood before */
} graph_wanted;

typedef struct {
    graph_wanted *list;
    size_t count;
} graph_wanteds;

/* One request on its way. */
typedef struct graph_call {
    const layers_tensor *body; /* LAYERS_U8; inputs may share it */
    store *store;
    charge *charge;
    layers_pool *pool;
    problem *problem;
    taken_handles taken; /* of the document */
    json_document document;
    safetensors_file file; /* whose tensors are inputs; none in JSON */
    layers_dtype dtype;
    layers_graph *graph;
    graph_wanteds give, keep;
    const char **release; /* handles */
    size_t release_count;
    const char **handled; /* names of inputs that came as handles of tensors */
    size_t handled_count;
    char *texts;                   /* names and handles, once the document is closed; NULL before */
    char (*handles)[HANDLE_TEXT];  /* of what is kept, once it is */
    bool flat;                     /* answer with flat tensors, where the form has two ways */
    safetensors_contents contents; /* of the answer in safetensors */
} graph_call;

/* What each form does: reads the document; tells the most bytes that the answer can have, 0 where
 * there is no memory for it; writes the answer and returns its end. */
bool graph_open_json(graph_call *call);
bool graph_open_safetensors(graph_call *call);
size_t graph_bound_json(graph_call *call);
size_t graph_bound_safetensors(graph_call *call);
char *graph_write_json(char *out, graph_call *call);
char *graph_write_safetensors(char *out, graph_call *call);

/* Reads the text of a document, JSON, whose handles have been taken out. */
bool graph_open_text(graph_call *call, const char *text, size_t length);

/* Builds and prepares the graph of a document that is open. False with a problem. */
bool graph_build(graph_call *call);

/* Gives up the document and the file, and keeps of them what is still needed: then the call may go
 * to another thread. False where there is no memory. */
bool graph_close(graph_call *call);

/* Its inputs: tensors of the file, of the document, and kept ones. */
bool graph_build_inputs(graph_call *call, const json_t *nodes);

/* A problem from an error of the library. Always false. */
bool graph_fail(const graph_call *call, const layers_error *error);

#endif
