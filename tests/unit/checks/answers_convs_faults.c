/* What is found of wrong answers to conv: those of loops with a slip in them are told by its name,
 * other shapes by how one comes to them. */
#include <stdlib.h>
#include <string.h>

#include "unit/checks/convs.h"

/* ---- slips -------------------------------------------------------------------------------------
 * Loops as the courses' notes have them, over a padded copy, with a slip at a time. */

typedef struct {
    int64_t front;                 /* rows and columns put in front of x, cut off dx; −1: pad */
    int64_t stride;                /* 0: the stride */
    bool assigns;                  /* dx, dw: = for += */
    bool flips, swaps;             /* the kernel: reversed; r for s */
    bool drops_last;               /* windows */
    bool without_bias, overwrites; /* out; each channel the one before */
} slip;

typedef struct {
    convolution g;
    slip slip;
    int64_t front, stride, height, width; /* of the padded copy */
    double *padded, *out, *dpadded, *dw;
} loops;

static double *padded_at(const loops *l, double *planes, int64_t n, int64_t c, int64_t h,
                         int64_t w) {
    return &planes[((n * l->g.C + c) * l->height + h) * l->width + w];
}

static loops loops_of(const judging *j, slip slip) {
    convolution g = convolution_of(j->asking.check);
    loops l = {.g = g, .slip = slip, .front = slip.front < 0 ? g.pad : slip.front};
    l.stride = slip.stride ? slip.stride : g.stride;
    l.height = g.H + 4 * g.pad + 4;
    l.width = g.W + 4 * g.pad + 4;
    size_t padded = (size_t)(g.N * g.C * l.height * l.width);
    l.padded = calloc(padded, sizeof(double));
    l.dpadded = calloc(padded, sizeof(double));
    l.out = calloc((size_t)(g.N * g.F * g.P * g.Q), sizeof(double));
    l.dw = calloc((size_t)(g.F * g.C * g.R * g.S), sizeof(double));
    for (int64_t i = 0; i < g.N * g.C; i++)
        for (int64_t h = 0; h < g.H; h++)
            memcpy(padded_at(&l, l.padded, 0, i, h + l.front, l.front), g.x + (i * g.H + h) * g.W,
                   (size_t)g.W * sizeof(double));
    return l;
}

static void free_loops(loops *l) {
    free(l->padded);
    free(l->dpadded);
    free(l->out);
    free(l->dw);
}

static void store(double *to, bool assigns, double value) {
    *to = assigns ? value : *to + value;
}

/* One window: its sum, and what its gradient adds. */
static void visit(loops *l, int64_t n, int64_t f, int64_t p, int64_t q) {
    const convolution *g = &l->g;
    double sum = 0, dout = g->backward ? dout_at(g, n, f, p, q) : 0;
    for (int64_t c = 0; c < g->C; c++) {
        if (l->slip.overwrites)
            sum = 0;
        for (int64_t r = 0; r < g->R; r++)
            for (int64_t s = 0; s < g->S; s++) {
                int64_t row = l->slip.swaps ? s : l->slip.flips ? g->R - 1 - r : r;
                int64_t column = l->slip.swaps ? r : l->slip.flips ? g->S - 1 - s : s;
                int64_t h = p * l->stride + r, w = q * l->stride + s;
                double *dw = &l->dw[((f * g->C + c) * g->R + row) * g->S + column];
                sum += *padded_at(l, l->padded, n, c, h, w) * w_at(g, f, c, row, column);
                store(dw, l->slip.assigns, *padded_at(l, l->padded, n, c, h, w) * dout);
                store(padded_at(l, l->dpadded, n, c, h, w), l->slip.assigns,
                      dout * w_at(g, f, c, row, column));
            }
    }
    l->out[((n * g->F + f) * g->P + p) * g->Q + q] = sum + (l->slip.without_bias ? 0 : g->b[f]);
}

static void go(loops *l) {
    const convolution *g = &l->g;
    int64_t less = l->slip.drops_last;
    for (int64_t n = 0; n < g->N; n++)
        for (int64_t f = 0; f < g->F; f++)
            for (int64_t p = 0; p < g->P - less; p++)
                for (int64_t q = 0; q < g->Q - less; q++)
                    visit(l, n, f, p, q);
}

/* What the loops give for what is claimed, in memory of its own. */
static double *result_of(loops *l, int output) {
    const convolution *g = &l->g;
    size_t out = (size_t)(g->N * g->F * g->P * g->Q), dw = (size_t)(g->F * g->C * g->R * g->S);
    size_t count = output == OUT ? out : output == DW ? dw : (size_t)(g->N * g->C * g->H * g->W);
    double *values = malloc(count * sizeof *values);
    if (output != DX)
        return memcpy(values, output == OUT ? l->out : l->dw, count * sizeof *values);
    for (size_t i = 0; i < count; i++) {
        place at = place_of(i, g->C, g->H, g->W);
        values[i] = *padded_at(l, l->dpadded, at.a, at.b, at.c + l->front, at.d + l->front);
    }
    return values;
}

/* Without a slip, `want` is NULL. */
static void claim_slip(size_t n, int output, slip slip, const char *want) {
    judging j;
    ask_conv(&j, output, &geometries[n], LAYERS_F64, USUAL, 3);
    answer(&j.asking, LAYERS_F64);
    loops l = loops_of(&j, slip);
    go(&l);
    double *values = result_of(&l, output);
    layers_finding finding = finding_of(&j.asking, claim_name(&j), values);
    bool is_mean_too = output != OUT && geometries[n].N == 1;
    layers_verdict verdict = want ? LAYERS_WRONG : is_mean_too ? LAYERS_UNDECIDED : LAYERS_RIGHT;
    CHECK(finding.verdict == verdict, "geometry %zu, output %d, %s: %s (%s)", n, output,
          want ? want : "right", layers_verdict_names[finding.verdict], finding.says);
    CHECK(!want || (finding.fault && !strcmp(finding.fault, want)),
          "geometry %zu, output %d: %s is taken for %s", n, output, want,
          finding.fault ? finding.fault : "nothing known");
    free(values);
    free_loops(&l);
    drop_asked(&j.asking);
}

Test(answers_convs, loops_without_a_slip_are_right) {
    for (size_t n = 0; n < GEOMETRIES; n++)
        for (int output = DX; output <= OUT; output++)
            if (output != DB)
                claim_slip(n, output, (slip){.front = -1}, NULL);
}

Test(answers_convs, slips_of_forward_are_told) {
    claim_slip(0, OUT, (slip){.front = -1, .without_bias = true}, "bias_missing");
    claim_slip(0, OUT, (slip){.front = -1, .overwrites = true}, "channels_not_summed");
    claim_slip(0, OUT, (slip){.front = -1, .flips = true}, "flipped");
    claim_slip(6, OUT, (slip){.front = -1, .swaps = true}, "kernel_transposed");
    claim_slip(0, OUT, (slip){.front = 0}, "pad_at_end");
    claim_slip(2, OUT, (slip){.front = 1}, "padding_fixed");
    claim_slip(3, OUT, (slip){.front = 1}, "padding_fixed");
    claim_slip(0, OUT, (slip){.front = -1, .stride = 1}, "stride_ignored");
    claim_slip(0, OUT, (slip){.front = -1, .drops_last = true}, "last_window_missing");
}

Test(answers_convs, slips_of_backward_are_told) {
    for (int output = DX; output <= DW; output++) {
        claim_slip(0, output, (slip){.front = -1, .flips = true}, "flipped");
        claim_slip(6, output, (slip){.front = -1, .swaps = true}, "kernel_transposed");
        claim_slip(2, output, (slip){.front = 1}, "padding_fixed");
        claim_slip(3, output, (slip){.front = 1}, "padding_fixed");
        claim_slip(0, output, (slip){.front = -1, .stride = 1}, "stride_ignored");
    }
    claim_slip(0, DX, (slip){.front = 0}, "padding_not_cut");
    claim_slip(0, DX, (slip){.front = -1, .assigns = true}, "overlap_not_added");
    claim_slip(0, DW, (slip){.front = 0}, "pad_at_end");
    claim_slip(0, DW, (slip){.front = -1, .assigns = true}, "windows_not_summed");
}

/* ---- shapes ------------------------------------------------------------------------------------
 */

static void claim_shape(size_t n, int output, const size_t *shape, int rank, const char *words) {
    judging j;
    ask_conv(&j, output, &geometries[n], LAYERS_F64, USUAL, 3);
    answer(&j.asking, LAYERS_F64);
    layers_tensor claim = tensor_make(LAYERS_F64, shape, rank);
    for (size_t i = 0; i < claim.size; i++)
        set_element(&claim, i, 1);
    layers_finding finding = finding_of_tensor(&j.asking, claim_name(&j), &claim);
    CHECK(finding.verdict == LAYERS_WRONG && !strcmp(finding.fault, "shape"), "geometry %zu: %s", n,
          finding.says);
    CHECK(strstr(finding.says, words), "geometry %zu: not \"%s\" but \"%s\"", n, words,
          finding.says);
    layers_tensor_clear(&claim);
    drop_asked(&j.asking);
}

Test(answers_convs, other_shapes_are_explained) {
    claim_shape(0, OUT, SHAPE(2, 4, 5, 3), "height and width");
    claim_shape(0, OUT, SHAPE(2, 3, 5, 4), "filters come before");
    claim_shape(0, OUT, SHAPE(2, 4, 2, 4), "not padded");
    claim_shape(4, OUT, SHAPE(1, 3, 2, 3), "padded by 1, whatever pad says");
    claim_shape(0, OUT, SHAPE(2, 4, 5, 9), "stride was left out");
    claim_shape(2, OUT, SHAPE(2, 4, 3, 4), "rounded down");
    claim_shape(3, OUT, SHAPE(3, 2, 4, 2), "one window more");
    claim_shape(3, OUT, SHAPE(3, 2, 6, 5), "still fits");
    claim_shape(0, OUT, SHAPE(2, 4, 3, 3), "height and width were mixed up");
    claim_shape(3, DX, SHAPE(3, 2, 0, 0), "dx is empty because pad is 0");
    claim_shape(3, DX, SHAPE(3, 2, 0), "dx is empty because pad is 0");
    claim_shape(0, DX, SHAPE(2, 3, 7, 10), "to be cut off");
    claim_shape(2, DX, SHAPE(2, 2, 7, 9), "whatever pad says");
    claim_shape(0, DX, SHAPE(2, 3, 8, 5), "height and width");
    claim_shape(0, DW, SHAPE(4, 3, 2, 3), "height and width");
}
