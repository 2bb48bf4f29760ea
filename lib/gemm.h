/* Matrix products, row-major, over any CBLAS. */
#ifndef LIB_GEMM_H
#define LIB_GEMM_H

#include <stdbool.h>
#include <stddef.h>

#include "layers/pool.h"

/* c (m, n) = op(a) · op(b) + bias, where op(a) is (m, k), op(b) is (k, n), and a transposed operand
 * is stored (k, m) or (n, k). `bias` (n) is added to each row, after the product; NULL for none. c
 * is set, never added to; k = 0 makes the product zeros. */
typedef struct {
    bool transpose_a, transpose_b;
    size_t m, n, k; /* at most INT_MAX each, where no matrix is empty */
    const void *a, *b;
    const void *bias;
    void *c;
} product;

enum { PRODUCTS_MOST = 2 };

/* Some products, at most PRODUCTS_MOST, in double and in float, with the help of a pool (or NULL)
 * where they are large. */
void gemm_f64(layers_pool *pool, const product *products, size_t count);
void gemm_f32(layers_pool *pool, const product *products, size_t count);

#endif
