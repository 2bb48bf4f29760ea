/* Tensors and calls for the tests, made in one line each. Whatever fails in here fails the test. */
#ifndef UNIT_CALLS_H
#define UNIT_CALLS_H

#include <criterion/criterion.h>

#include "layers/layers.h"

/* A shape with its rank, as two arguments: SHAPE(2, 3). */
#define SHAPE(...)                                                                                 \
    ((const size_t[]){__VA_ARGS__}), (int)(sizeof((size_t[]){__VA_ARGS__}) / sizeof(size_t))
#define SCALAR ((const size_t *)NULL), 0

/* The values of a tensor, as an argument: VALUES(1, 2.5). */
#define VALUES(...) ((const double[]){__VA_ARGS__})

/* Uninitialised; in C order from `values`; and uniform in [low, high). */
layers_tensor tensor_make(layers_dtype dtype, const size_t *shape, int rank);
layers_tensor tensor_of(layers_dtype dtype, const size_t *shape, int rank, const double *values);
layers_tensor tensor_random(layers_dtype dtype, const size_t *shape, int rank, uint64_t *seed,
                            double low, double high);

/* The same values in another dtype. */
layers_tensor tensor_as(layers_dtype dtype, const layers_tensor *tensor);

/* The same call over the same buffers, without a cache. */
layers_call over_again(const layers_call *call);

double element(const layers_tensor *tensor, size_t i);
void set_element(layers_tensor *tensor, size_t i, double value);

/* Uniform in [0, 1); *seed moves on. */
double uniform(uint64_t *seed);

/* |got - want| <= atol + rtol * |want|, NaN like NaN, and infinities alike. */
bool is_close(double got, double want, double rtol, double atol);

/* Each element close, and as many as there are. */
void assert_values(const layers_tensor *tensor, const double *values, size_t count, double rtol,
                   double atol, const char *what);
void assert_shape(const layers_tensor *tensor, const size_t *shape, int rank, const char *what);

/* The layer's operation; it must be there. */
layers_call call_of(const char *layer, const char *operation, layers_dtype dtype);

/* The layer's forward of x; and its backward, with the cache of `forward`. */
layers_call forward_of(const char *layer, layers_dtype dtype, const size_t *shape, int rank,
                       const double *x);
layers_call backward_from(const layers_call *forward, const size_t *shape, int rank,
                          const double *dout);

/* layers_prepare and layers_run, both of which must succeed. */
void run(layers_call *call);

/* layers_prepare must fail: with this code, this field, and each of these texts in its sentence. */
void assert_refused(layers_call *call, layers_code code, const char *field, const char *text1,
                    const char *text2);

/* The operation of the same layer that gives the cache that `operation` takes. */
const layers_operation *giver_of(const layers_operation *operation);

/* A call that is right by its description alone: random inputs of shapes that fit each other, every
 * parameter at a middling value, and choice number `choice` (where there are as many; past them, a
 * parameter that stands in the place of another instead of that one). Equal seeds give equal calls.
 * A cache that is taken comes from a run of its giver. */
layers_call valid_call(const layers_operation *operation, layers_dtype dtype, int choice,
                       uint64_t seed);

/* The same, in its first choice, but so large that a pool is asked to help. */
layers_call large_call(const layers_operation *operation, layers_dtype dtype);

/* How many choices valid_call takes: the values of the operation's largest choice, 1 where there is
 * none, and the parameters that stand in another's place. Of an operation that takes a cache, those
 * of its giver. */
int choices_of(const layers_operation *operation);

/* Each operation of the table, as `op`. */
#define EACH_OPERATION(op)                                                                         \
    for (const layers_operation *const *row = layers_operations, *op = *row; op; op = *++row)

/* Tests an operation's valid calls that differ in dtype and choice, one after the other. */
void with_each_call(const layers_operation *op, void (*test)(layers_call *call));

#endif
