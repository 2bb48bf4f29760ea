/* What this build is. */
#ifndef SERVER_VERSION_H
#define SERVER_VERSION_H

#include "layers/layers.h"

extern const char version_commit[];

/* The features of this processor that matter to the kernels, e.g. "avx2 fma"; static. Call it first
 * before there are threads. */
const char *version_cpu(void);

#endif
