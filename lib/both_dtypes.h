/* Includes THIS_FILE, the including file itself, twice more: once with REAL = float and once with
 * REAL = double. The part of that file behind #ifdef REAL is written once for both, and
 * typed(forward) is forward_f32 and then forward_f64. No include guard: several files do this. */
#define REAL        float
#define typed(stem) stem##_f32
#include THIS_FILE
#undef REAL
#undef typed

#define REAL        double
#define typed(stem) stem##_f64
#include THIS_FILE
#undef REAL
#undef typed
