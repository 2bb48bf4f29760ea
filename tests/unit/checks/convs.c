/* Checks of conv for the tests. */
#include "unit/checks/convs.h"

#include <math.h>

const geometry geometries[GEOMETRIES] = {
    {2, 3, 5, 8, 4, 3, 2, 2, 1}, {1, 1, 4, 4, 1, 1, 1, 1, 0}, {2, 2, 5, 7, 4, 4, 3, 3, 2},
    {3, 2, 6, 5, 2, 2, 3, 1, 0}, {1, 2, 7, 9, 3, 2, 2, 4, 3}, {2, 1, 3, 3, 2, 5, 4, 1, 3},
    {1, 8, 9, 9, 2, 5, 5, 2, 2}, {2, 1, 6, 6, 1, 2, 1, 5, 0},
};

static size_t windows(size_t length, size_t kernel, const geometry *g) {
    return (length + 2 * g->pad - kernel) / g->stride + 1;
}

static double number_of(kind kind, int tensor, uint64_t *seed) {
    double x = 2 * uniform(seed) - 1, scale = uniform(seed);
    switch (kind) {
    case POSITIVE:
        return fabs(x) + 0.5;
    case CANCELLING:
        return (scale < 0.5 ? 1e3 : -1e3) + x;
    case SPARSE:
        return scale < 0.9 ? 0 : x;
    case WIDE:
        return x * pow(10, 16 * scale - 8);
    case FAINT: /* squares vanish */
        return tensor == W ? x : x * 1e-170;
    case GREAT: /* squares overflow */
        return tensor == X ? x * 1e170 : x * 1e-170;
    default:
        return x;
    }
}

static layers_tensor tensor_of_kind(layers_dtype dtype, const size_t *shape, int rank, kind kind,
                                    int tensor, uint64_t *seed) {
    layers_tensor made = tensor_make(dtype, shape, rank);
    for (size_t i = 0; i < made.size; i++)
        set_element(&made, i, number_of(kind, tensor, seed));
    return made;
}

void ask_conv(judging *j, int output, const geometry *g, layers_dtype dtype, kind kind,
              uint64_t seed) {
    layers_call *asked = &j->asking.asked;
    j->output = output;
    ask(&j->asking, "conv", output == OUT ? "forward" : "backward", dtype);
    asked->inputs[X] = tensor_of_kind(dtype, SHAPE(g->N, g->C, g->H, g->W), kind, X, &seed);
    asked->inputs[W] = tensor_of_kind(dtype, SHAPE(g->F, g->C, g->R, g->S), kind, W, &seed);
    asked->inputs[B] = tensor_of_kind(dtype, SHAPE(g->F), kind, B, &seed);
    if (output != OUT)
        asked->inputs[3] =
            tensor_of_kind(dtype, SHAPE(g->N, g->F, windows(g->H, g->R, g), windows(g->W, g->S, g)),
                           kind, 3, &seed);
    asked->params[STRIDE] = (layers_value){.given = true, .number = (double)g->stride};
    asked->params[PAD] = (layers_value){.given = true, .number = (double)g->pad};
}

const char *claim_name(const judging *j) {
    static const char *const names[] = {[DX] = "dx", [DW] = "dw", [DB] = "db", [OUT] = "out"};
    return names[j->output];
}
