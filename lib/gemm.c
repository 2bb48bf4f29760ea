/* Matrix products through CBLAS, and the look that a BLAS is trusted after.
 *
 * A product that is not small is cut along its longer side into pieces that are products of their
 * own, each computed by the one thread that took it: the BLAS uses no threads of its own. The cut
 * depends on the shape alone, and so do the bytes of the result. A piece packs the other operand
 * anew: at 256 rows that costs 3 %. */
#ifndef REAL
#include "gemm.h"

#include <cblas.h>
#include <math.h>
#include <string.h>

#include "blocks.h"
#include "layers/layers.h"

/* OpenMP's, where the BLAS is built on it: this thread computes by itself. Any other BLAS leaves
 * them NULL. */
extern int omp_get_max_threads(void) __attribute__((weak));
extern void omp_set_num_threads(int threads) __attribute__((weak));

enum {
    LONG_PIECE = 256, /* rows or columns of a piece, at least, where there are twice as many */
    SHORT_PIECE = 48, /* where there are not */
};

/* Floating-point operations of a piece in float64, at least, and of the products that are worth a
 * helper; twice as many in float32: 40 to 80 µs. Measured: two halves of a product of 1e7 take 7 to
 * 20 % longer than the whole, and two threads take 0.57 to 0.7 of its time for them. */
static const double piece_work = 2e6;

static CBLAS_TRANSPOSE transpose(bool yes) {
    return yes ? CblasTrans : CblasNoTrans;
}

/* How a product is cut. */
typedef struct {
    const product *whole;
    bool columns; /* into columns instead of rows */
    size_t pieces;
    size_t length; /* of a piece; the last may be shorter */
} cut;

static double work_of(const product *p) {
    return 2.0 * (double)p->m * (double)p->n * (double)p->k;
}

/* An even number of pieces, each of so much work at least: two threads end together. */
static cut make_cut(const product *p, double least) {
    cut cut = {.whole = p, .columns = p->n > p->m, .pieces = 1};
    size_t side = cut.columns ? p->n : p->m;
    size_t pieces = side / (side >= 2 * LONG_PIECE ? LONG_PIECE : SHORT_PIECE) / 2 * 2;
    double enough = work_of(p) / least;
    if ((double)pieces > enough)
        pieces = (size_t)enough / 2 * 2;
    cut.length = side;
    if (pieces < 2)
        return cut;
    cut.length = ((side + pieces - 1) / pieces + 7) / 8 * 8; /* kernels come in eights */
    cut.pieces = (side + cut.length - 1) / cut.length;
    return cut;
}

/* Products that are computed together. */
typedef struct {
    size_t count;
    cut cut[PRODUCTS_MOST];
} batch;

#define cblas_gemm_f64 cblas_dgemm
#define cblas_gemm_f32 cblas_sgemm
#define cblas_gemv_f64 cblas_dgemv
#define cblas_gemv_f32 cblas_sgemv
#define THIS_FILE      "gemm.c"
#include "both_dtypes.h"

/* Sizes on both sides of the widths that kernels unroll by. */
enum { CHECK_M = 19, CHECK_N = 35, CHECK_K = 67 };

/* Small integers: every product and sum is exact in both dtypes, so any order gives the same. */
static double element(bool transposed, size_t row, size_t column) {
    size_t i = transposed ? column : row, j = transposed ? row : column;
    return (double)((i * 7 + j * 13) % 17) - 8.0;
}

/* A daemon's start waits for it: so it is computed once, and in the order that vectors take. */
static void compute_expected(double want[CHECK_M][CHECK_N]) {
    memset(want, 0, sizeof(double[CHECK_M][CHECK_N]));
    for (size_t k = 0; k < CHECK_K; k++) {
        double row[CHECK_N];
        for (size_t j = 0; j < CHECK_N; j++)
            row[j] = element(false, k, j);
        for (size_t i = 0; i < CHECK_M; i++)
            for (size_t j = 0; j < CHECK_N; j++)
                want[i][j] += element(false, i, k) * row[j];
    }
}

static bool products_are_right(bool ta, bool tb, size_t m, size_t n,
                               const double want[CHECK_M][CHECK_N]) {
    double a[CHECK_M * CHECK_K], b[CHECK_K * CHECK_N], c[CHECK_M * CHECK_N];
    float af[CHECK_M * CHECK_K], bf[CHECK_K * CHECK_N], cf[CHECK_M * CHECK_N];
    size_t a_columns = ta ? m : CHECK_K, b_columns = tb ? CHECK_K : n;
    for (size_t i = 0; i < m * CHECK_K; i++)
        af[i] = (float)(a[i] = element(ta, i / a_columns, i % a_columns));
    for (size_t i = 0; i < CHECK_K * n; i++)
        bf[i] = (float)(b[i] = element(tb, i / b_columns, i % b_columns));
    for (size_t i = 0; i < m * n; i++)
        cf[i] = (float)(c[i] = NAN); /* what stands there must not matter */
    gemm_f64(NULL, &(product){ta, tb, m, n, CHECK_K, a, b, NULL, c}, 1);
    gemm_f32(NULL, &(product){ta, tb, m, n, CHECK_K, af, bf, NULL, cf}, 1);
    for (size_t i = 0; i < m; i++)
        for (size_t j = 0; j < n; j++)
            if (c[i * n + j] != want[i][j] || cf[i * n + j] != (float)want[i][j])
                return false;
    return true;
}

/* OpenBLAS's own; any other CBLAS leaves them NULL. */
extern char *openblas_get_config(void) __attribute__((weak));
extern int openblas_get_parallel(void) __attribute__((weak));

const char *layers_blas(void) {
    return openblas_get_config ? openblas_get_config() : "CBLAS";
}

layers_code layers_check_blas(layers_error *error) {
    if (openblas_get_parallel && openblas_get_parallel() == 0)
        return layers_fail(
            error, LAYERS_BAD_BLAS, NULL,
            "the BLAS (%s) is built without threads and computes wrongly when several "
            "threads call it at once; link OpenBLAS's OpenMP build",
            layers_blas());
    double want[CHECK_M][CHECK_N];
    compute_expected(want);
    for (int way = 0; way < 16; way++)
        if (!products_are_right(way & 1, way & 2, way & 4 ? 1 : CHECK_M, way & 8 ? 1 : CHECK_N,
                                want))
            return layers_fail(error, LAYERS_BAD_BLAS, NULL,
                               "the BLAS (%s) computes wrong products on this processor; link "
                               "another, or set OPENBLAS_CORETYPE to an older one, e.g. Haswell",
                               layers_blas());
    return LAYERS_OK;
}

#else /* for REAL */

/* A product of m rows and n columns of the whole; one of a row or a column alone by the BLAS's
 * routine for vectors, which takes a half to a quarter of the time. */
static void typed(multiply)(const product *p, size_t m, size_t n, const REAL *a, const REAL *b,
                            REAL *c) {
    const CBLAS_TRANSPOSE of_a = transpose(p->transpose_a), of_b = transpose(p->transpose_b);
    const int k = (int)p->k, rows = (int)m, columns = (int)n;
    const int lda = (int)(p->transpose_a ? p->m : p->k), ldb = (int)(p->transpose_b ? p->k : p->n);
    if (p->m == 1) /* c' = b' a' */
        typed(cblas_gemv)(CblasRowMajor, p->transpose_b ? CblasNoTrans : CblasTrans,
                          p->transpose_b ? columns : k, p->transpose_b ? k : columns, 1, b, ldb, a,
                          1, 0, c, 1);
    else if (p->n == 1)
        typed(cblas_gemv)(CblasRowMajor, of_a, p->transpose_a ? k : rows, p->transpose_a ? rows : k,
                          1, a, lda, b, 1, 0, c, 1);
    else
        typed(cblas_gemm)(CblasRowMajor, of_a, of_b, rows, columns, k, 1, a, lda, b, ldb, 0, c,
                          (int)p->n);
}

/* The same in the calling thread alone. */
static void typed(multiply_alone)(const product *p, size_t m, size_t n, const REAL *a,
                                  const REAL *b, REAL *c) {
    int threads = omp_get_max_threads ? omp_get_max_threads() : 1;
    if (threads > 1)
        omp_set_num_threads(1);
    typed(multiply)(p, m, n, a, b, c);
    if (threads > 1)
        omp_set_num_threads(threads);
}

/* One piece, and its part of the bias while it is in the cache. */
static void typed(piece)(void *argument, size_t i) {
    const cut *cut = ((const batch *)argument)->cut;
    for (; i >= cut->pieces; cut++)
        i -= cut->pieces;
    const product *p = cut->whole;
    size_t row = cut->columns ? 0 : i * cut->length, column = cut->columns ? i * cut->length : 0;
    size_t m = cut->columns ? p->m : at_most(cut->length, p->m - row);
    size_t n = cut->columns ? at_most(cut->length, p->n - column) : p->n;
    const REAL *a = (const REAL *)p->a + (p->transpose_a ? row : row * p->k);
    const REAL *b = (const REAL *)p->b + (p->transpose_b ? column * p->k : column);
    REAL *c = (REAL *)p->c + row * p->n + column;
    if (p->k > 0)
        typed(multiply_alone)(p, m, n, a, b, c);
    else
        for (size_t j = 0; j < m; j++)
            memset(c + j * p->n, 0, n * sizeof *c);
    if (!p->bias)
        return;
    const REAL *bias = (const REAL *)p->bias + column;
    for (size_t j = 0; j < m; j++, c += p->n)
        for (size_t l = 0; l < n; l++)
            c[l] += bias[l];
}

void typed(gemm)(layers_pool *pool, const product *products, size_t count) {
    batch batch = {0};
    double least = piece_work * (sizeof(double) / sizeof(REAL)), work = 0;
    size_t pieces = 0;
    for (size_t i = 0; i < count; i++) {
        if (products[i].m == 0 || products[i].n == 0)
            continue;
        const cut *cut = &batch.cut[batch.count];
        batch.cut[batch.count++] = make_cut(&products[i], least);
        pieces += cut->pieces;
        work += work_of(cut->whole);
    }
    layers_pool_run(work < least ? NULL : pool, pieces, typed(piece), &batch);
}

#endif
