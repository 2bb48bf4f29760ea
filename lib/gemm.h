/* Matrix products, row-major, over any CBLAS. */
#ifndef LIB_GEMM_H
#define LIB_GEMM_H

#include <stdbool.h>
#include <stddef.h>

/* c (m, n) = op(a) · op(b), where op(a) is (m, k) and op(b) is (k, n). A transposed operand is
 * stored (k, m) or (n, k). c is set, never added to; k = 0 makes it zeros. Dimensions of matrices
 * that are not empty are at most INT_MAX. */
void gemm_f64(bool transpose_a, bool transpose_b, size_t m, size_t n, size_t k, const double *a,
              const double *b, double *c);
void gemm_f32(bool transpose_a, bool transpose_b, size_t m, size_t n, size_t k, const float *a,
              const float *b, float *c);

#endif
