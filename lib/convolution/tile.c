/* Tiles for each kind of processor, in both dtypes. This file alone is compiled with contraction to
 * FMA (the Makefile says so). */
#include "convolution/tile.h"

#define JOIN_(a, b, c) a##_##b##_##c
#define JOIN(a, b, c)  JOIN_(a, b, c)

static bool always(void) {
    return true;
}

#ifdef __x86_64__
static bool has_avx512(void) {
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") &&
           __builtin_cpu_supports("fma");
}

static bool has_avx2(void) {
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
}

#define TARGET __attribute__((target("avx512f,avx512vl,fma")))
#define ROWS   8
#define KIND   avx512
#define BYTES  64
#include "convolution/tile_kernel.h"
#undef KIND
#undef BYTES
#define KIND  avx512_half
#define BYTES 32
#include "convolution/tile_kernel.h"
#undef KIND
#undef BYTES
#undef ROWS
#undef TARGET

#define TARGET __attribute__((target("avx2,fma")))
#define ROWS   4
#define KIND   avx2
#define BYTES  32
#include "convolution/tile_kernel.h"
#undef KIND
#undef BYTES
#undef ROWS
#undef TARGET
#endif

#define TARGET
#define ROWS  4
#define KIND  any
#define BYTES 16
#include "convolution/tile_kernel.h"

// clang-format off: versions differ about lists in macros
/* The sums of a kind of vectors with all rows and with half of them. */
#define SUMS(kind, rows, half_rows, real, bytes)                                                   \
    {                                                                                              \
        .lanes = (bytes) / sizeof(real), .sum = {                                                  \
            {JOIN(kind, real, rows##_1), JOIN(kind, real, rows##_2), JOIN(kind, real, rows##_3)},  \
            {JOIN(kind, real, half_rows##_1), JOIN(kind, real, half_rows##_2),                     \
             JOIN(kind, real, half_rows##_3)},                                                     \
        }                                                                                          \
    }
#define ANY(real)                                                                                  \
    { .name = "any", .runs = always, .rows = 4, .whole = SUMS(any, 4, 2, real, 16) }
#ifdef __x86_64__
#define KINDS(real)                                                                                \
    {                                                                                              \
        {.name = "AVX-512",                                                                        \
         .runs = has_avx512,                                                                       \
         .rows = 8,                                                                                \
         .whole = SUMS(avx512, 8, 4, real, 64),                                                    \
         .half = SUMS(avx512_half, 8, 4, real, 32)},                                               \
            {.name = "AVX2", .runs = has_avx2, .rows = 4, .whole = SUMS(avx2, 4, 2, real, 32)},    \
            ANY(real), {                                                                           \
            0                                                                                      \
        }                                                                                          \
    }
#else
#define KINDS(real)                                                                                \
    {                                                                                              \
        ANY(real), {                                                                               \
            0                                                                                      \
        }                                                                                          \
    }
#endif
// clang-format on

const tile_kind tile_kinds_f64[] = KINDS(double), tile_kinds_f32[] = KINDS(float);

static const tile_kind *first(const tile_kind *kind) {
    while (!kind->runs())
        kind++;
    return kind;
}

const tile_kind *tile_kind_f64(void) {
    return first(tile_kinds_f64);
}

const tile_kind *tile_kind_f32(void) {
    return first(tile_kinds_f32);
}
