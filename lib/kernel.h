/* How kernels are compiled: loops over plain arrays, which the compiler turns into vector
 * instructions. KERNEL before a function makes it once for each kind of processor; the right one is
 * taken when the program starts. Nothing may be contracted to FMA (the Makefile says so), so all of
 * them give the same bytes. KERNEL_OF_32 is for integers in vectors of 32 bytes, whose instructions
 * are only longer where there are wider ones. */
#ifndef LIB_KERNEL_H
#define LIB_KERNEL_H

/* Sanitizers and the loader's choice of a clone do not go together. */
#if defined __x86_64__ && !defined __SANITIZE_ADDRESS__ && !defined __SANITIZE_THREAD__ &&         \
    !defined __clang__
#define KERNEL       __attribute__((target_clones("arch=x86-64-v4", "avx2", "default"))) static
#define KERNEL_OF_32 __attribute__((target_clones("avx2", "default"))) static
#else
#define KERNEL       static
#define KERNEL_OF_32 static
#endif

/* Before a loop: no iteration reads what another one writes, or at least none close to it. */
#ifdef __clang__
#define INDEPENDENT _Pragma("clang loop vectorize(assume_safety)")
#else
#define INDEPENDENT _Pragma("GCC ivdep")
#endif

/* Small parts of kernels, compiled for the processor of the kernel that they are in. */
#define INLINED static inline __attribute__((always_inline))

#endif
