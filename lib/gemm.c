/* Matrix products through CBLAS, and the look that a BLAS is trusted after. */
#include "gemm.h"

#include <cblas.h>
#include <math.h>
#include <string.h>

#include "layers/layers.h"

static CBLAS_TRANSPOSE transpose(bool yes) {
    return yes ? CblasTrans : CblasNoTrans;
}

void gemm_f64(bool transpose_a, bool transpose_b, size_t m, size_t n, size_t k, const double *a,
              const double *b, double *c) {
    if (m == 0 || n == 0)
        return;
    if (k == 0) {
        memset(c, 0, m * n * sizeof *c);
        return;
    }
    cblas_dgemm(CblasRowMajor, transpose(transpose_a), transpose(transpose_b), (int)m, (int)n,
                (int)k, 1.0, a, (int)(transpose_a ? m : k), b, (int)(transpose_b ? k : n), 0.0, c,
                (int)n);
}

void gemm_f32(bool transpose_a, bool transpose_b, size_t m, size_t n, size_t k, const float *a,
              const float *b, float *c) {
    if (m == 0 || n == 0)
        return;
    if (k == 0) {
        memset(c, 0, m * n * sizeof *c);
        return;
    }
    cblas_sgemm(CblasRowMajor, transpose(transpose_a), transpose(transpose_b), (int)m, (int)n,
                (int)k, 1.0F, a, (int)(transpose_a ? m : k), b, (int)(transpose_b ? k : n), 0.0F, c,
                (int)n);
}

/* Sizes on both sides of the widths that kernels unroll by. */
enum { CHECK_M = 19, CHECK_N = 35, CHECK_K = 67 };

static double element(bool transposed, size_t row, size_t column) {
    size_t i = transposed ? column : row, j = transposed ? row : column;
    return (double)((i * 7 + j * 13) % 17) - 8.0;
}

/* Small integers: every product and sum is exact in both dtypes, so any order gives the same. */
static double expected(size_t row, size_t column) {
    double sum = 0;
    for (size_t k = 0; k < CHECK_K; k++)
        sum += element(false, row, k) * element(false, k, column);
    return sum;
}

static bool products_are_right(bool ta, bool tb) {
    double a[CHECK_M * CHECK_K], b[CHECK_K * CHECK_N], c[CHECK_M * CHECK_N];
    float af[CHECK_M * CHECK_K], bf[CHECK_K * CHECK_N], cf[CHECK_M * CHECK_N];
    size_t a_columns = ta ? CHECK_M : CHECK_K, b_columns = tb ? CHECK_K : CHECK_N;
    for (size_t i = 0; i < CHECK_M * CHECK_K; i++)
        af[i] = (float)(a[i] = element(ta, i / a_columns, i % a_columns));
    for (size_t i = 0; i < CHECK_K * CHECK_N; i++)
        bf[i] = (float)(b[i] = element(tb, i / b_columns, i % b_columns));
    gemm_f64(ta, tb, CHECK_M, CHECK_N, CHECK_K, a, b, c);
    gemm_f32(ta, tb, CHECK_M, CHECK_N, CHECK_K, af, bf, cf);
    for (size_t i = 0; i < CHECK_M * CHECK_N; i++) {
        double want = expected(i / CHECK_N, i % CHECK_N);
        if (c[i] != want || cf[i] != (float)want)
            return false;
    }
    return true;
}

layers_code layers_check_blas(layers_error *error) {
    for (int way = 0; way < 4; way++)
        if (!products_are_right(way & 1, way & 2))
            return layers_fail(error, LAYERS_BAD_BLAS, NULL,
                               "the BLAS (%s) computes wrong products on this processor; link "
                               "another, or set OPENBLAS_CORETYPE to an older one, e.g. Haswell",
                               layers_blas());
    return LAYERS_OK;
}

/* OpenBLAS's own; any other CBLAS leaves it NULL. */
extern char *openblas_get_config(void) __attribute__((weak));

const char *layers_blas(void) {
    return openblas_get_config ? openblas_get_config() : "CBLAS";
}
