/* The library for a caller in Python: operations described, calls made, and timed in C. A call is
 * prepared and run again and again, so that its outputs keep their memory. */
#define _GNU_SOURCE
#include <cblas.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "layers/layers.h"

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

/* ---- the table --------------------------------------------------------------------------- */

/* A number that fits where a parameter has no fallback. */
static double some_number(const layers_param *param) {
    if (param->has_fallback)
        return param->fallback;
    return param->kind == LAYERS_INTEGER ? 1 : 0.5;
}

static void describe_params(FILE *out, const layers_param *param) {
    static const char *const kinds[] = {"number", "integer", "choice", "tensor", "mask"};
    for (; param && param->name; param++)
        fprintf(out, "param\t%s\t%s\t%s\t%.17g\t%s\n", param->name, kinds[param->kind],
                param->kind == LAYERS_CHOICE ? param->choices[0] : "", some_number(param),
                param->shape ? param->shape : "");
}

/* Operation `i` as lines of words with tabs between; its text is the caller's to free. NULL past
 * the last one. */
char *bench_describe(int i) {
    int count = 0;
    while (layers_operations[count])
        count++;
    if (i >= count)
        return NULL;
    const layers_operation *operation = layers_operations[i];
    char *text = NULL;
    size_t length;
    FILE *out = open_memstream(&text, &length);
    if (!out)
        return NULL;
    fprintf(out, "name\t%s\t%s\n", operation->layer, operation->name);
    fprintf(out, "work\t%g\t%s\n", operation->work.times,
            operation->work.lengths ? operation->work.lengths : "");
    for (const layers_field *field = operation->inputs; field->name; field++)
        fprintf(out, "input\t%s\t%s\t%d\n", field->name, field->shape, field->labels);
    for (const layers_field *field = operation->outputs; field->name; field++)
        fprintf(out, "output\t%s\t%s\n", field->name, field->shape);
    describe_params(out, operation->params);
    fclose(out);
    return text;
}

/* ---- a call ------------------------------------------------------------------------------ */

typedef struct {
    layers_call call;
    layers_error error;
} bench;

static layers_pool *pool;
static int threads = 1;

/* The threads of every call and copy from here on. */
void bench_threads(int count) {
    threads = count;
    layers_pool_free(pool);
    pool = layers_pool_make((unsigned)threads - 1, NULL);
}

bench *bench_open(int i, int dtype) {
    bench *b = calloc(1, sizeof *b);
    if (b) {
        b->call.operation = layers_operations[i];
        b->call.dtype = (layers_dtype)dtype;
    }
    return b;
}

void bench_close(bench *b) {
    layers_call_clear(&b->call);
    free(b);
}

/* Makes `tensor`, of the library's own memory as the daemon's are, a copy of `data`. */
static bool copy_of(bench *b, layers_tensor *tensor, layers_dtype dtype, int rank,
                    const size_t *shape, const void *data) {
    if (layers_tensor_make(tensor, dtype, shape, rank, &b->error) != LAYERS_OK)
        return false;
    size_t bytes = 0;
    layers_dtype_bytes(dtype, tensor->size, &bytes);
    memcpy(tensor->data, data, bytes);
    return true;
}

/* Sets an input. False where there is no memory. */
bool bench_input(bench *b, int i, int rank, const size_t *shape, const void *data) {
    bool labels = b->call.operation->inputs[i].labels;
    return copy_of(b, &b->call.inputs[i], labels ? LAYERS_I64 : b->call.dtype, rank, shape, data);
}

/* Sets a parameter that is a tensor. False where there is no memory. */
bool bench_tensor(bench *b, int i, int rank, const size_t *shape, const void *data) {
    b->call.params[i].given = true;
    return copy_of(b, &b->call.params[i].tensor, b->call.dtype, rank, shape, data);
}

void bench_number(bench *b, int i, double number) {
    b->call.params[i].given = true;
    b->call.params[i].number = number;
}

/* The choice that the description named. */
void bench_choice(bench *b, int i) {
    b->call.params[i].given = true;
    b->call.params[i].choice = 0;
}

/* The cache that `forward` gave when it was last run. */
void bench_cache(bench *b, bench *forward) {
    b->call.cache = layers_cache_ref(forward->call.cache);
}

/* Seconds a call, on average over `times` of them; -1 where it failed. */
double bench_run(bench *b, int times) {
    double start = now();
    b->call.pool = pool;
    for (int i = 0; i < times; i++)
        if (layers_prepare(&b->call, &b->error) != LAYERS_OK ||
            layers_run(&b->call, &b->error) != LAYERS_OK)
            return -1;
    return (now() - start) / times;
}

const char *bench_error(const bench *b) {
    return b->error.message;
}

const void *bench_output(const bench *b, int i, size_t *size) {
    *size = b->call.outputs[i].size;
    return b->call.outputs[i].data;
}

/* A parameter that came back from the last run. */
const void *bench_tensor_after(const bench *b, int i, size_t *size) {
    *size = b->call.params[i].tensor.size;
    return b->call.params[i].tensor.data;
}

/* ---- a graph ----------------------------------------------------------------------------- */

static layers_error graph_error;

layers_graph *bench_graph_make(int dtype) {
    return layers_graph_make((layers_dtype)dtype);
}

const char *bench_graph_error(void) {
    return graph_error.message;
}

/* Of everything here, false where it fails; no tensor is copied. */
bool bench_graph_input(layers_graph *graph, const char *name, int dtype, int rank,
                       const size_t *shape, void *data) {
    layers_tensor tensor = layers_tensor_wrap((layers_dtype)dtype, shape, rank, data);
    return layers_graph_input(graph, name, tensor, &graph_error) == LAYERS_OK;
}

/* A node of operation `i`, with the names of its inputs and its first parameters, all numbers. */
bool bench_graph_node(layers_graph *graph, const char *name, int i, int inputs,
                      const char *const *input, int params, const double *param) {
    layers_node node = {.name = name, .operation = layers_operations[i]};
    memcpy(node.inputs, input, (size_t)inputs * sizeof *input);
    for (int p = 0; p < params; p++)
        node.params[p] = (layers_node_param){.given = true, .number = param[p]};
    return layers_graph_add(graph, &node, &graph_error) == LAYERS_OK;
}

bool bench_graph_gradients(layers_graph *graph, const char *name, int losses,
                           const char *const *loss, int weights, const char *const *weight) {
    return layers_graph_gradients(graph, name, loss, (size_t)losses, weight, (size_t)weights,
                                  &graph_error) == LAYERS_OK;
}

bool bench_graph_want(layers_graph *graph, const char *name) {
    size_t wanted;
    return layers_graph_want(graph, name, &wanted, &graph_error) == LAYERS_OK;
}

/* Processor seconds of a run by this thread alone; -1 where it failed. Frees the graph. */
double bench_graph_run(layers_graph *graph) {
    struct timespec from, to;
    double seconds = -1;
    if (layers_graph_prepare(graph, &graph_error) == LAYERS_OK) {
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &from);
        layers_code code = layers_graph_run(graph, NULL, &graph_error);
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &to);
        if (code == LAYERS_OK)
            seconds =
                (double)(to.tv_sec - from.tv_sec) + (double)(to.tv_nsec - from.tv_nsec) * 1e-9;
    }
    layers_graph_free(graph);
    return seconds;
}

/* ---- floors ------------------------------------------------------------------------------ */

/* Seconds to copy `bytes` from one buffer to another, every thread its part, on average over
 * `times`. */
double bench_copy(char *to, const char *from, size_t bytes, int times) {
    double start = now();
    size_t part = bytes / (size_t)threads;
    for (int i = 0; i < times; i++) {
#pragma omp parallel for num_threads(threads)
        for (int j = 0; j < threads; j++)
            memcpy(to + (size_t)j * part, from + (size_t)j * part, part);
    }
    return (now() - start) / times;
}

typedef struct {
    int transpose_a, transpose_b, m, n, k;
} shape;

typedef void dgemm(CBLAS_ORDER, CBLAS_TRANSPOSE, CBLAS_TRANSPOSE, int, int, int, double,
                   const double *, int, const double *, int, double, double *, int);
typedef void sgemm(CBLAS_ORDER, CBLAS_TRANSPOSE, CBLAS_TRANSPOSE, int, int, int, float,
                   const float *, int, const float *, int, float, float *, int);

/* Seconds of c = a · b, on average over `times`, by a cblas_dgemm or (dtype 1) cblas_sgemm. */
double bench_product(void (*gemm)(void), int dtype, const shape *s, const void *a, const void *b,
                     void *c, int times) {
    CBLAS_TRANSPOSE ta = s->transpose_a ? CblasTrans : CblasNoTrans,
                    tb = s->transpose_b ? CblasTrans : CblasNoTrans;
    int lda = s->transpose_a ? s->m : s->k, ldb = s->transpose_b ? s->k : s->n;
    double start = now();
    for (int i = 0; i < times; i++) {
        if (dtype == LAYERS_F64)
            ((dgemm *)gemm)(CblasRowMajor, ta, tb, s->m, s->n, s->k, 1, a, lda, b, ldb, 0, c, s->n);
        else
            ((sgemm *)gemm)(CblasRowMajor, ta, tb, s->m, s->n, s->k, 1, a, lda, b, ldb, 0, c, s->n);
    }
    return (now() - start) / times;
}

/* Seconds of a mask of `count` elements from a fresh seed: what dropout/forward draws. */
double bench_mask(uint32_t seed, double p, size_t count, uint8_t *mask) {
    layers_random random;
    double start = now();
    layers_random_seed(&random, seed);
    layers_random_mask(&random, p, count, mask);
    return now() - start;
}
