/* liblayers: neural-network layers, forward and backward, exact to NumPy.
 *
 * error.h      codes and sentences
 * tensor.h     tensors over shared buffers
 * operation.h  the table of operations, and how one is called
 * cache.h      what backward needs of forward, to be kept elsewhere
 * check.h      whether an answer is right, and what is wrong with it
 * graph.h      several operations as one, and gradients by the chain rule
 * pool.h       threads that share the work of large calls
 * random.h     NumPy's legacy random numbers
 */
#ifndef LAYERS_LAYERS_H
#define LAYERS_LAYERS_H

#include "layers/cache.h"
#include "layers/check.h"
#include "layers/error.h"
#include "layers/graph.h"
#include "layers/operation.h"
#include "layers/pool.h"
#include "layers/random.h"
#include "layers/tensor.h"

#ifdef __cplusplus
extern "C" {
#endif

#define LAYERS_VERSION "0.1.0"

/* The version of the library that runs; LAYERS_VERSION is that of the header. */
LAYERS_API const char *layers_version(void);

/* The BLAS that is linked, as it describes itself, e.g. "OpenBLAS 0.3.21 ... Zen"; "CBLAS" where it
 * does not. Static; thread-safe. */
LAYERS_API const char *layers_blas(void);

/* Compares a few small matrix products, in both dtypes, with a plain loop. Some builds of BLAS
 * compute wrongly on processors newer than they are: a program should call this once at its start
 * and stop where it is not LAYERS_OK. Nor is OpenBLAS's build without threads: its calls may not be
 * made from several threads at once. Of its pthread build, openblas_set_num_threads(1) makes one
 * that calls do not wait for. */
LAYERS_API layers_code layers_check_blas(layers_error *error) __attribute__((warn_unused_result));

#ifdef __cplusplus
}
#endif
#endif
