/* Tensors that are empty may be as long as they like in their other axes: a check of them takes
 * neither memory nor time for what is not there, and what is there is still told right from wrong.
 */
#include "checks.h"

TestSuite(checks_empty, .timeout = 10);

/* As long as a length may be beside one that is 0. */
enum { LONG = 1 << 29 };

static void give_shape(asking *a, const char *name, int rank, const size_t *shape) {
    static const double ones[] = {1, 1, 1, 1};
    give_values(a, name, shape, rank, ones);
}

#define GIVE(a, name, ...)                                                                         \
    give_shape((a), (name), (int)(sizeof((size_t[]){__VA_ARGS__}) / sizeof(size_t)),               \
               (const size_t[]){__VA_ARGS__})

/* Answers, and drops it. */
static void expect_cheap(asking *a) {
    const layers_operation *op = a->question.operation;
    layers_error error = {0};
    layers_code code = layers_check_make(&a->check, &a->question, &a->asked, LAYERS_F64, &error);
    cr_assert(code == LAYERS_OK, "%s/%s: %s: %s", op->layer, op->name, error.field, error.message);
    size_t bytes = layers_check_bytes(a->check);
    CHECK(bytes < 4096, "%s/%s takes %zu bytes", op->layer, op->name, bytes);
    cr_assert(bytes >= 4096 || layers_check_run(a->check, NULL, &error) == LAYERS_OK);
}

Test(checks_empty, affine) {
    asking a;
    ask(&a, "affine", "backward", LAYERS_F64);
    GIVE(&a, "x", 0, LONG);
    GIVE(&a, "w", LONG, 0);
    GIVE(&a, "b", 0);
    GIVE(&a, "dout", 0, 0);
    expect_cheap(&a);
    drop_asked(&a);
}

/* x has no channel: out is b, and only db is there. */
static void ask_conv(asking *a, const char *operation, size_t N, size_t C, size_t F) {
    ask(a, "conv", operation, LAYERS_F64);
    GIVE(a, "x", N, C, LONG, LONG);
    GIVE(a, "w", F, C, 1, 1);
    GIVE(a, "b", F);
    give_number(a, "stride", LONG);
}

Test(checks_empty, conv_forward) {
    static const size_t empty[][3] = {{0, 1, 1}, {1, 0, 1}, {1, 0, 0}};
    for (size_t i = 0; i < sizeof empty / sizeof *empty; i++) {
        asking a;
        ask_conv(&a, "forward", empty[i][0], empty[i][1], empty[i][2]);
        expect_cheap(&a);
        if (empty[i][0] && empty[i][2]) {
            assert_found(&a, "out", (double[]){1}, LAYERS_RIGHT, NULL);
            assert_found(&a, "out", (double[]){0}, LAYERS_WRONG, "bias_missing");
        }
        drop_asked(&a);
    }
}

Test(checks_empty, conv_backward) {
    static const size_t empty[][3] = {{0, 1, 1}, {1, 0, 1}, {1, 0, 0}};
    for (size_t i = 0; i < sizeof empty / sizeof *empty; i++) {
        asking a;
        ask_conv(&a, "backward", empty[i][0], empty[i][1], empty[i][2]);
        GIVE(&a, "dout", empty[i][0], empty[i][2], 1, 1);
        expect_cheap(&a);
        if (empty[i][2])
            CHECK(finding_of(&a, "db", (double[]){(double)empty[i][0] + 1}).verdict == LAYERS_WRONG,
                  "db is not looked at");
        drop_asked(&a);
    }
}

/* No filter, and a kernel and padding that are as large as they like. */
Test(checks_empty, conv_without_filters) {
    asking a;
    ask(&a, "conv", "backward", LAYERS_F64);
    GIVE(&a, "x", 1, 1, 1, 1);
    GIVE(&a, "w", 0, 1, LONG, LONG);
    GIVE(&a, "b", 0);
    GIVE(&a, "dout", 1, 0, LONG + 2, LONG + 2);
    give_number(&a, "pad", LONG);
    expect_cheap(&a);
    CHECK(finding_of(&a, "dx", (double[]){0}).verdict != LAYERS_WRONG, "0 is wrong");
    CHECK(finding_of(&a, "dx", (double[]){1}).verdict == LAYERS_WRONG, "dx is not looked at");
    drop_asked(&a);
}

/* Faults that keep the last example, or the last filter, where there is none. */
Test(checks_empty, conv_faults) {
    static const size_t empty[][2] = {{0, 1}, {1, 0}};
    const double claim[9] = {1};
    for (size_t i = 0; i < 2; i++) {
        size_t N = empty[i][0], F = empty[i][1];
        const double ones[9] = {1, 1, 1, 1, 1, 1, 1, 1, 1};
        asking a;
        ask(&a, "conv", "backward", LAYERS_F64);
        give_values(&a, "x", (const size_t[]){N, 1, 3, 3}, 4, ones);
        give_values(&a, "w", (const size_t[]){F, 1, 2, 2}, 4, ones);
        give_values(&a, "b", &F, 1, ones);
        give_values(&a, "dout", (const size_t[]){N, F, 2, 2}, 4, ones);
        answer(&a, LAYERS_F64);
        CHECK(finding_of(&a, N > 0 ? "dx" : "dw", claim).verdict == LAYERS_WRONG, "a 1 passes");
        drop_asked(&a);
    }
}

Test(checks_empty, spatial_groupnorm) {
    asking a;
    ask(&a, "spatial_groupnorm", "backward", LAYERS_F64);
    GIVE(&a, "x", 1, 1, 0, LONG);
    GIVE(&a, "gamma", 1);
    GIVE(&a, "beta", 1);
    GIVE(&a, "dout", 1, 1, 0, LONG);
    give_number(&a, "groups", 1);
    expect_cheap(&a);
    assert_found(&a, "dgamma", (double[]){0}, LAYERS_RIGHT, NULL);
    CHECK(finding_of(&a, "dgamma", (double[]){1}).verdict == LAYERS_WRONG, "dgamma passes");
    drop_asked(&a);
}
