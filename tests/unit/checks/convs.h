/* Checks of conv for the tests: what they are asked with, and of which output. Whatever fails in
 * here fails the test. */
#ifndef UNIT_CONVS_H
#define UNIT_CONVS_H

#include "answers/conv.h"
#include "unit/checks/checks.h"

typedef struct {
    size_t N, C, H, W, F, R, S, stride, pad;
} geometry;

enum { GEOMETRIES = 8 };
extern const geometry geometries[GEOMETRIES];

enum { OUT = 3 }; /* behind DX, DW and DB, in loops over what is claimed */

typedef struct {
    asking asking;
    int output;
} judging;

/* Numbers to ask with. */
typedef enum { USUAL, POSITIVE, CANCELLING, SPARSE, WIDE, FAINT, GREAT, KINDS } kind;

/* Asks about an output, in place of `ask`. Equal seeds give equal numbers. */
void ask_conv(judging *j, int output, const geometry *g, layers_dtype dtype, kind kind,
              uint64_t seed);

/* "out", or "dx". */
const char *claim_name(const judging *j);

#endif
