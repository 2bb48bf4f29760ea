/* For tile.c: the sums of tiles of one KIND of processor, in vectors of BYTES, with ROWS and half
 * as many rows, in double and in float. Every sum has a name of its own: of arrays of vectors
 * compilers do not always see that they may stay in registers. */
#define REAL double
#include "convolution/tile_rows.h"
#undef REAL
#define REAL float
#include "convolution/tile_rows.h"
#undef REAL
