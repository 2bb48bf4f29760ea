/* Includes LAYER_FILE, the layer's own file, twice more: once with REAL = float and once with
 * REAL = double. The part of that file behind #ifdef REAL holds the kernels, written once, and
 * NAME(forward) is forward_f32 and then forward_f64. No include guard: each layer includes this. */
#define REAL       float
#define NAME(stem) stem##_f32
#include LAYER_FILE
#undef REAL
#undef NAME

#define REAL       double
#define NAME(stem) stem##_f64
#include LAYER_FILE
#undef REAL
#undef NAME
