/* Graphs: the bytes of single calls, the chain rule, what lives and for how long. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "unit/calls.h"

TestSuite(graphs, .timeout = 60);

/* ---- building ----------------------------------------------------------------------------------
 */

static void give_input(layers_graph *graph, const char *name, layers_tensor tensor) {
    layers_error error;
    cr_assert(layers_graph_input(graph, name, tensor, &error) == LAYERS_OK, "%s", error.message);
}

static void add(layers_graph *graph, const layers_node *node) {
    layers_error error;
    cr_assert(layers_graph_add(graph, node, &error) == LAYERS_OK, "%s: %s", error.field,
              error.message);
}

#define NODE(graph, ...) add(graph, &(layers_node){__VA_ARGS__})
#define OP(layer, name)  .operation = layers_find(layer, name)
#define NAMES(...)                                                                                 \
    ((const char *[]){__VA_ARGS__}), sizeof((const char *[]){__VA_ARGS__}) / sizeof(char *)

static void add_gradients(layers_graph *graph, const char *name, const char *const *of,
                          size_t of_count, const char *const *values, size_t count) {
    layers_error error;
    cr_assert(layers_graph_gradients(graph, name, of, of_count, values, count, &error) == LAYERS_OK,
              "%s: %s", error.field, error.message);
}

static size_t want(layers_graph *graph, const char *name) {
    layers_error error;
    size_t wanted;
    cr_assert(layers_graph_want(graph, name, &wanted, &error) == LAYERS_OK, "%s", error.message);
    return wanted;
}

static layers_graph_cost prepare_and_run(layers_graph *graph) {
    layers_error error;
    cr_assert(layers_graph_prepare(graph, &error) == LAYERS_OK, "%s", error.message);
    cr_assert(layers_graph_run(graph, NULL, &error) == LAYERS_OK, "%s: %s", error.field,
              error.message);
    return layers_graph_costs(graph);
}

static const layers_tensor *result(const layers_graph *graph, size_t wanted) {
    return layers_graph_result(graph, wanted).tensor;
}

static void assert_alike(const layers_tensor *got, const layers_tensor *want, const char *what) {
    size_t bytes = 0;
    assert_shape(got, want->shape, want->rank, what);
    cr_assert(got->dtype == want->dtype, "%s: %s", what, layers_dtype_name(got->dtype));
    layers_dtype_bytes(got->dtype, got->size, &bytes);
    cr_assert(bytes == 0 || !memcmp(got->data, want->data, bytes), "%s differs", what);
}

/* ---- single calls, and the same as nodes
 * --------------------------------------------------------- */

/* A call's inputs and parameters as inputs of a graph, and the call as its node. */
static layers_node node_of(layers_graph *graph, const layers_call *call, const char *name,
                           char names[LAYERS_MAX_TENSORS + LAYERS_MAX_PARAMS][80]) {
    layers_node node = {.name = name, .operation = call->operation};
    for (int i = 0; call->operation->inputs[i].name; i++) {
        snprintf(names[i], 80, "%s_%s", name, call->operation->inputs[i].name);
        give_input(graph, names[i], layers_tensor_share(&call->inputs[i]));
        node.inputs[i] = names[i];
    }
    for (int i = 0; call->operation->params && call->operation->params[i].name; i++) {
        const layers_value *value = &call->params[i];
        char *text = names[LAYERS_MAX_TENSORS + i];
        node.params[i] = (layers_node_param){value->given, value->number, value->choice, NULL};
        if (!layers_is_tensor(&call->operation->params[i]) || !value->tensor.data)
            continue;
        snprintf(text, 80, "%s_%s", name, call->operation->params[i].name);
        give_input(graph, text, layers_tensor_share(&value->tensor));
        node.params[i].tensor = text;
    }
    return node;
}

static void compare(layers_graph *graph, const layers_call *call, const char *name) {
    char text[160];
    for (int i = 0; call->operation->outputs[i].name; i++) {
        snprintf(text, sizeof text, "%s.%s", name, call->operation->outputs[i].name);
        assert_alike(result(graph, want(graph, text)), &call->outputs[i], text);
    }
    for (int i = 0; call->operation->params_back && call->operation->params[i].name; i++) {
        const layers_param *param = &call->operation->params[i];
        snprintf(text, sizeof text, "%s.%s.%s", name, call->operation->params_name, param->name);
        if (param->kind == LAYERS_MASK)
            continue;
        layers_result got = layers_graph_result(graph, want(graph, text));
        if (param->kind == LAYERS_TENSOR) {
            assert_alike(got.tensor, &call->params[i].tensor, text);
            continue;
        }
        cr_assert(got.given == call->params[i].given && got.number == call->params[i].number &&
                      got.choice == call->params[i].choice,
                  "%s: %g", text, got.number);
    }
}

/* All that a node gives stays. */
static void want_all(layers_graph *graph, const layers_operation *operation, const char *name) {
    char text[160];
    for (int i = 0; operation->outputs[i].name; i++) {
        snprintf(text, sizeof text, "%s.%s", name, operation->outputs[i].name);
        want(graph, text);
    }
    for (int i = 0; operation->params_back && operation->params[i].name; i++) {
        snprintf(text, sizeof text, "%s.%s.%s", name, operation->params_name,
                 operation->params[i].name);
        if (operation->params[i].kind != LAYERS_MASK)
            want(graph, text);
    }
}

static void node_is_call(const layers_operation *operation, layers_dtype dtype, int choice) {
    char names[LAYERS_MAX_TENSORS + LAYERS_MAX_PARAMS][80];
    layers_call call = valid_call(operation, dtype, choice, 5);
    layers_graph *graph = layers_graph_make(dtype);
    layers_error error;
    layers_node node = node_of(graph, &call, "n", names);
    if (operation->cache == LAYERS_CACHE_TAKEN) {
        node.cache = "c";
        cr_assert(layers_graph_input_cache(graph, "c", layers_cache_ref(call.cache), &error) ==
                  LAYERS_OK);
    }
    add(graph, &node);
    want_all(graph, operation, "n");
    prepare_and_run(graph);
    run(&call);
    compare(graph, &call, "n");
    layers_graph_free(graph);
    layers_call_clear(&call);
}

Test(graphs, every_operation_as_a_node_gives_the_bytes_of_its_call) {
    for (const layers_operation *const *row = layers_operations; *row; row++)
        for (layers_dtype dtype = LAYERS_F64; dtype <= LAYERS_F32; dtype++)
            for (int choice = 0; choice < choices_of(*row); choice++)
                node_is_call(*row, dtype, choice);
}

/* A forward, and its backward by the forward's cache in the same graph. */
static void backward_is_call(const layers_operation *backward, layers_dtype dtype, int choice) {
    char names[2][LAYERS_MAX_TENSORS + LAYERS_MAX_PARAMS][80];
    layers_call call = valid_call(giver_of(backward), dtype, choice, 7), forward;
    layers_graph *graph = layers_graph_make(dtype);
    uint64_t seed = 3;
    layers_node node = node_of(graph, &call, "f", names[0]);
    add(graph, &node);
    forward = call;
    run(&forward);
    layers_call back = {.operation = backward, .dtype = dtype, .cache = forward.cache};
    forward.cache = NULL;
    back.inputs[0] =
        tensor_random(dtype, forward.outputs[0].shape, forward.outputs[0].rank, &seed, -1, 1);
    layers_node back_node = node_of(graph, &back, "b", names[1]);
    back_node.cache = "f.cache";
    add(graph, &back_node);
    want_all(graph, backward, "b");
    prepare_and_run(graph);
    run(&back);
    compare(graph, &back, "b");
    layers_graph_free(graph);
    layers_call_clear(&forward);
    layers_call_clear(&back);
}

Test(graphs, a_backward_by_the_cache_of_a_node) {
    for (const layers_operation *const *row = layers_operations; *row; row++)
        for (layers_dtype dtype = LAYERS_F64; dtype <= LAYERS_F32; dtype++)
            for (int choice = 0; (*row)->cache == LAYERS_CACHE_TAKEN && choice < choices_of(*row);
                 choice++)
                backward_is_call(*row, dtype, choice);
}

/* ---- the chain rule
 * ------------------------------------------------------------------------------ */

enum { N = 5, D = 4, H = 6, C = 3 };

/* A net of two layers whose loss is softmax's; its weights are inputs of these names. */
static const char *const weights[] = {"w1", "b1", "gamma", "beta", "w2", "b2"};
static const size_t shapes[][2] = {{D, H}, {H}, {H}, {H}, {H, C}, {C}};
static const int ranks[] = {2, 1, 1, 1, 2, 1};
enum { WEIGHTS = 6 };

/* Fills inputs of random values, one of them moved by `change` at an element. */
static void give_weights(layers_graph *graph, layers_dtype dtype, int moved, size_t at,
                         double change) {
    uint64_t seed = 11;
    give_input(graph, "y", tensor_of(LAYERS_I64, SHAPE(N), VALUES(0, 2, 1, 1, 0)));
    give_input(graph, "x", tensor_random(dtype, SHAPE(N, D), &seed, -1, 1));
    give_input(graph, "square", tensor_random(dtype, SHAPE(H, H), &(uint64_t){4}, -1, 1));
    for (int i = 0; i < WEIGHTS; i++) {
        layers_tensor w = tensor_random(dtype, shapes[i], ranks[i], &seed, -1, 1);
        if (i == moved)
            set_element(&w, at, element(&w, at) + change);
        give_input(graph, weights[i], w);
    }
}

static void add_net(layers_graph *graph) {
    NODE(graph, .name = "a1", OP("affine", "forward"), .inputs = {"x", "w1", "b1"});
    NODE(graph, .name = "n", OP("batchnorm", "forward"), .inputs = {"a1.out", "gamma", "beta"},
         .params = {{.given = true}});
    NODE(graph, .name = "r", OP("relu", "forward"), .inputs = {"n.out"});
    NODE(graph, .name = "a2", OP("affine", "forward"), .inputs = {"r.out", "w2", "b2"});
    NODE(graph, .name = "l", OP("softmax", "loss"), .inputs = {"a2.out", "y"});
}

static double loss_with(int moved, size_t at, double change) {
    layers_graph *graph = layers_graph_make(LAYERS_F64);
    give_weights(graph, LAYERS_F64, moved, at, change);
    add_net(graph);
    size_t loss = want(graph, "l.loss");
    prepare_and_run(graph);
    double value = element(result(graph, loss), 0);
    layers_graph_free(graph);
    return value;
}

Test(graphs, gradients_are_the_numerical_ones) {
    layers_graph *graph = layers_graph_make(LAYERS_F64);
    size_t wanted[WEIGHTS];
    give_weights(graph, LAYERS_F64, -1, 0, 0);
    add_net(graph);
    add_gradients(graph, "d", NAMES("l.loss"), weights, WEIGHTS);
    for (int i = 0; i < WEIGHTS; i++) {
        char name[16];
        snprintf(name, sizeof name, "d.%s", weights[i]);
        wanted[i] = want(graph, name);
    }
    prepare_and_run(graph);
    for (int i = 0; i < WEIGHTS; i++) {
        const layers_tensor *gradient = result(graph, wanted[i]);
        assert_shape(gradient, shapes[i], ranks[i], weights[i]);
        for (size_t at = 0; at < gradient->size; at++) {
            const double h = 1e-6;
            double slope = (loss_with(i, at, h) - loss_with(i, at, -h)) / (2 * h);
            cr_assert(fabs(slope - element(gradient, at)) < 1e-7, "d%s[%zu] is %g, not %g",
                      weights[i], at, element(gradient, at), slope);
        }
    }
    layers_graph_free(graph);
}

/* relu twice over x, and x itself: three ways, which are added up from the last use to the first.
 */
Test(graphs, ways_are_added_up_from_the_last_use) {
    layers_graph *graph = layers_graph_make(LAYERS_F64);
    const double x[] = {0.1, 0.7, -0.3, 2};
    give_input(graph, "x", tensor_of(LAYERS_F64, SHAPE(2, 2), x));
    give_input(graph, "y", tensor_of(LAYERS_I64, SHAPE(2), VALUES(0, 1)));
    NODE(graph, .name = "l1", OP("softmax", "loss"), .inputs = {"x", "y"});
    NODE(graph, .name = "l2", OP("svm", "loss"), .inputs = {"x", "y"});
    NODE(graph, .name = "r", OP("relu", "forward"), .inputs = {"x"});
    NODE(graph, .name = "l3", OP("softmax", "loss"), .inputs = {"r.out", "y"});
    add_gradients(graph, "d", NAMES("l1.loss", "l2.loss", "l3.loss"), NAMES("x"));
    add_gradients(graph, "twice", NAMES("l1.loss", "l1.loss"), NAMES("x"));
    size_t sum = want(graph, "d.x"), twice = want(graph, "twice.x"), one = want(graph, "l1.dx"),
           two = want(graph, "l2.dx"), three = want(graph, "l3.dx");
    prepare_and_run(graph);
    for (size_t i = 0; i < 4; i++) {
        double last = x[i] > 0 ? element(result(graph, three), i) : 0;
        double expected = (last + element(result(graph, two), i)) + element(result(graph, one), i);
        cr_assert(element(result(graph, sum), i) == expected, "%zu: %.17g, not %.17g", i,
                  element(result(graph, sum), i), expected);
        cr_assert(element(result(graph, twice), i) == 2 * element(result(graph, one), i));
    }
    layers_graph_free(graph);
}

Test(graphs, values_without_a_way_have_zeros_and_those_between_their_own_gradient) {
    layers_graph *graph = layers_graph_make(LAYERS_F32);
    give_weights(graph, LAYERS_F32, -1, 0, 0);
    give_input(graph, "alone", tensor_of(LAYERS_F32, SHAPE(2, 0, 3), VALUES(0)));
    add_net(graph);
    NODE(graph, .name = "after", OP("relu", "forward"), .inputs = {"l.dx"});
    add_gradients(graph, "d", NAMES("l.loss"),
                  NAMES("alone", "a2.out", "after.out", "n.bn_param.running_mean", "l.loss", "x"));
    size_t alone = want(graph, "d.alone"), between = want(graph, "d.a2.out"),
           after = want(graph, "d.after.out"), dx = want(graph, "l.dx"),
           mean = want(graph, "d.n.bn_param.running_mean"), loss = want(graph, "d.l.loss");
    prepare_and_run(graph);
    assert_shape(result(graph, alone), SHAPE(2, 0, 3), "alone");
    assert_alike(result(graph, between), result(graph, dx), "d.a2.out");
    for (size_t i = 0; i < N * C; i++)
        cr_assert(element(result(graph, after), i) == 0);
    assert_values(result(graph, mean), VALUES(0, 0, 0, 0, 0, 0), H, 0, 0, "running_mean");
    assert_shape(result(graph, loss), SCALAR, "loss");
    assert_values(result(graph, loss), VALUES(1), 1, 0, 0, "of a loss by itself");
    layers_graph_free(graph);
}

/* Each layer between an affine layer and a loss, so that the chain goes through its backward: the
 * gradient of the affine layer's b is the sum over rows of the layer's dx. */
Test(graphs, gradients_go_through_every_layer) {
    static const char *const layers[] = {"relu", "dropout", "batchnorm", "layernorm", "affine"};
    for (size_t i = 0; i < sizeof layers / sizeof *layers; i++) {
        const layers_operation *forward = layers_find(layers[i], "forward");
        layers_graph *graph = layers_graph_make(LAYERS_F64);
        uint64_t seed = 23;
        give_input(graph, "x", tensor_random(LAYERS_F64, SHAPE(N, C), &seed, -1, 1));
        give_input(graph, "w", tensor_random(LAYERS_F64, SHAPE(C, C), &seed, -1, 1));
        give_input(graph, "v", tensor_random(LAYERS_F64, SHAPE(C), &seed, -1, 1));
        give_input(graph, "y", tensor_of(LAYERS_I64, SHAPE(N), VALUES(0, 2, 1, 1, 0)));
        NODE(graph, .name = "a", OP("affine", "forward"), .inputs = {"x", "w", "v"});
        layers_node node = {.name = "f", .operation = forward, .inputs = {"a.out", "v", "v"}};
        if (!strcmp(layers[i], "affine"))
            node.inputs[1] = "w";
        if (!strcmp(layers[i], "dropout")) {
            node.params[0] = (layers_node_param){.given = true, .number = 0.5};
            node.params[1] = (layers_node_param){.given = true};
            node.params[2] = (layers_node_param){.given = true, .number = 3};
        } else if (forward->params && forward->params[0].kind == LAYERS_CHOICE) {
            node.params[0].given = true;
        }
        if (!forward->inputs[1].name)
            node.inputs[1] = node.inputs[2] = NULL;
        add(graph, &node);
        NODE(graph, .name = "l", OP("svm", "loss"), .inputs = {"f.out", "y"});
        add_gradients(graph, "d", NAMES("l.loss"), NAMES("a.out", "x"));
        NODE(graph, .name = "b", .operation = layers_find(layers[i], "backward"),
             .inputs = {"l.dx"}, .cache = "f.cache");
        NODE(graph, .name = "back", OP("affine", "backward"), .inputs = {"b.dx"},
             .cache = "a.cache");
        size_t got = want(graph, "d.x"), expected = want(graph, "back.dx"),
               between = want(graph, "d.a.out"), dx = want(graph, "b.dx");
        prepare_and_run(graph);
        assert_alike(result(graph, between), result(graph, dx), layers[i]);
        assert_alike(result(graph, got), result(graph, expected), layers[i]);
        layers_graph_free(graph);
    }
}

/* Statistics are constants of their own layer, and values as any other in the next. */
Test(graphs, statistics_that_are_used_as_values) {
    for (int used = 0; used < 2; used++) {
        layers_graph *graph = layers_graph_make(LAYERS_F64);
        give_weights(graph, LAYERS_F64, -1, 0, 0);
        NODE(graph, .name = "a", OP("affine", "forward"), .inputs = {"x", "w1", "b1"});
        NODE(graph, .name = "n", OP("batchnorm", "forward"), .inputs = {"a.out", "gamma", "beta"},
             .params = {{.given = true}});
        NODE(graph, .name = "a2", OP("affine", "forward"),
             .inputs = {used ? "n.out" : "a.out", "square", "n.bn_param.running_mean"});
        NODE(graph, .name = "l", OP("softmax", "loss"), .inputs = {"a2.out", "y"});
        add_gradients(graph, "d", NAMES("l.loss"), NAMES("n.bn_param.running_mean", "w1"));
        NODE(graph, .name = "b", OP("affine", "backward"), .inputs = {"l.dx"}, .cache = "a2.cache");
        size_t mean = want(graph, "d.n.bn_param.running_mean"), db = want(graph, "b.db");
        prepare_and_run(graph);
        assert_alike(result(graph, mean), result(graph, db), "running_mean as b");
        layers_graph_free(graph);
    }
}

/* ---- what lives, and for how long
 * ---------------------------------------------------------------- */

Test(graphs, intermediates_go_with_their_last_use) {
    enum { LINKS = 20, SIZE = 1000, BYTES = 8 * SIZE };
    layers_graph *graph = layers_graph_make(LAYERS_F64);
    uint64_t seed = 1;
    char name[16], input[16] = "x";
    give_input(graph, "x", tensor_random(LAYERS_F64, SHAPE(SIZE), &seed, -1, 1));
    for (int i = 0; i < LINKS; i++) {
        snprintf(name, sizeof name, "r%d", i);
        NODE(graph, .name = name, OP("relu", "forward"), .inputs = {input});
        snprintf(input, sizeof input, "r%d.out", i);
    }
    NODE(graph, .name = "unused", OP("relu", "forward"), .inputs = {"x"});
    size_t last = want(graph, input);
    layers_graph_cost cost = prepare_and_run(graph);
    assert_shape(result(graph, last), SHAPE(SIZE), "the last");
    cr_assert(cost.steps == LINKS, "%zu steps", cost.steps);
    cr_assert(cost.all >= LINKS * (size_t)BYTES);
    cr_assert(cost.peak >= 2 * BYTES && cost.peak < 2 * BYTES + BYTES / 8, "%zu bytes", cost.peak);
    cr_assert(cost.work == LINKS * 2.0 * SIZE, "%g", cost.work);
    layers_graph_free(graph);
}

/* What a cache shares stays as long as the cache. */
Test(graphs, a_cache_keeps_what_it_shares) {
    enum { ROWS = 100, WIDTH = 50, BYTES = 8 * ROWS * WIDTH };
    layers_graph *graph = layers_graph_make(LAYERS_F64);
    uint64_t seed = 1;
    layers_error error;
    give_input(graph, "x", tensor_random(LAYERS_F64, SHAPE(ROWS, WIDTH), &seed, -1, 1));
    give_input(graph, "w", tensor_random(LAYERS_F64, SHAPE(WIDTH, 1), &seed, -1, 1));
    give_input(graph, "b", tensor_random(LAYERS_F64, SHAPE(1), &seed, -1, 1));
    NODE(graph, .name = "r", OP("relu", "forward"), .inputs = {"x"});
    NODE(graph, .name = "a", OP("affine", "forward"), .inputs = {"r.out", "w", "b"});
    size_t cache = want(graph, "a.cache");
    cr_assert(layers_graph_prepare(graph, &error) == LAYERS_OK);
    size_t bound = layers_graph_result(graph, cache).bytes;
    cr_assert(layers_graph_run(graph, NULL, &error) == LAYERS_OK);
    layers_result kept = layers_graph_result(graph, cache);
    cr_assert(kept.kind == LAYERS_RESULT_CACHE);
    cr_assert(layers_cache_bytes(kept.cache) > BYTES && layers_cache_bytes(kept.cache) <= bound,
              "%zu of %zu", layers_cache_bytes(kept.cache), bound);
    layers_graph_free(graph);
}

/* Of affine and conv, a dx that nobody uses is not made. */
Test(graphs, gradients_that_nobody_uses_are_spared) {
    enum { ROWS = 64, WIDTH = 784, OUT = 10 };
    size_t bytes[2];
    for (int both = 0; both < 2; both++) {
        layers_graph *graph = layers_graph_make(LAYERS_F64);
        uint64_t seed = 1;
        layers_error error;
        give_input(graph, "x", tensor_random(LAYERS_F64, SHAPE(ROWS, WIDTH), &seed, -1, 1));
        give_input(graph, "w", tensor_random(LAYERS_F64, SHAPE(WIDTH, OUT), &seed, -1, 1));
        give_input(graph, "b", tensor_random(LAYERS_F64, SHAPE(OUT), &seed, -1, 1));
        give_input(graph, "dout", tensor_random(LAYERS_F64, SHAPE(ROWS, OUT), &seed, -1, 1));
        NODE(graph, .name = "a", OP("affine", "forward"), .inputs = {"x", "w", "b"});
        NODE(graph, .name = "g", OP("affine", "backward"), .inputs = {"dout"}, .cache = "a.cache");
        want(graph, "g.dw");
        if (both)
            want(graph, "g.dx");
        cr_assert(layers_graph_prepare(graph, &error) == LAYERS_OK);
        bytes[both] = layers_graph_costs(graph).all;
        cr_assert(layers_graph_run(graph, NULL, &error) == LAYERS_OK);
        layers_graph_free(graph);
    }
    cr_assert(bytes[1] - bytes[0] == 8 * ROWS * WIDTH, "%zu and %zu", bytes[0], bytes[1]);
}

/* ---- what is refused
 * ----------------------------------------------------------------------------- */

static void refuse(layers_graph *graph, layers_code got, const layers_error *error,
                   layers_code code, const char *field, const char *text) {
    cr_assert(got == code && !strcmp(error->field, field) && strstr(error->message, text),
              "%s at %s, not %s at %s: %s (%s)", layers_code_name(got), error->field,
              layers_code_name(code), field, error->message, text);
    layers_graph_free(graph);
}

static layers_graph *some_graph(void) {
    layers_graph *graph = layers_graph_make(LAYERS_F64);
    give_weights(graph, LAYERS_F64, -1, 0, 0);
    give_input(graph, "two",
               tensor_of(LAYERS_F64, SHAPE(N, 2), VALUES(0, 0, 0, 0, 0, 0, 0, 0, 0, 0)));
    NODE(graph, .name = "a", OP("affine", "forward"), .inputs = {"x", "w1", "b1"});
    return graph;
}

#define REFUSE_NODE(kind, place, words, ...)                                                       \
    do {                                                                                           \
        layers_graph *graph = some_graph();                                                        \
        layers_error error = {.code = LAYERS_OK};                                                  \
        layers_code got = layers_graph_add(graph, &(layers_node){__VA_ARGS__}, &error);            \
        refuse(graph, got, &error, kind, place, words);                                            \
    } while (0)

#define REFUSE_GRADIENTS(kind, place, words, of, values)                                           \
    do {                                                                                           \
        layers_graph *graph = some_graph();                                                        \
        layers_error error = {.code = LAYERS_OK};                                                  \
        NODE(graph, .name = "l", OP("svm", "loss"), .inputs = {"a.out", "y"});                     \
        NODE(graph, .name = "u", OP("sgd", "update"), .inputs = {"b1", "gamma"});                  \
        NODE(graph, .name = "a3", OP("affine", "forward"), .inputs = {"x", "w1", "u.next_w"});     \
        NODE(graph, .name = "m", OP("svm", "loss"), .inputs = {"a3.out", "y"});                    \
        NODE(graph, .name = "k", OP("svm", "loss"), .inputs = {"l.dx", "y"});                      \
        layers_code got = layers_graph_gradients(graph, "d", of, values, &error);                  \
        refuse(graph, got, &error, kind, place, words);                                            \
    } while (0)

#define RELU(value) .name = "n", OP("relu", "forward"), .inputs = {value}

Test(graphs, names_that_are_not_there) {
    REFUSE_NODE(LAYERS_INVALID_GRAPH, "nodes/1/x", "the nearest is \"a.out\"", RELU("a.outt"));
    REFUSE_NODE(LAYERS_INVALID_GRAPH, "nodes/1/x", "\"a\" gives \"a.out\", \"a.cache\"", RELU("a"));
    REFUSE_NODE(LAYERS_INVALID_GRAPH, "nodes/1/x", "the nearest is \"gamma\"", RELU("gama"));
    REFUSE_NODE(LAYERS_INVALID_GRAPH, "nodes/1/x", "no such value before it", RELU("n.out"));
    REFUSE_NODE(LAYERS_INVALID_GRAPH, "nodes/1/x", "no such value before it", RELU(""));
    REFUSE_NODE(LAYERS_INVALID_GRAPH, "nodes/1/x", "no such value before it", RELU("a."));
    REFUSE_NODE(LAYERS_INVALID_GRAPH, "nodes/1/x", "no such value before it", RELU("x.out"));
}

Test(graphs, names_that_may_not_be) {
    char longest[66] = "";
    memset(longest, 'n', 65);
#define NAMED(text) .name = text, OP("relu", "forward"), .inputs = {"x"}
    REFUSE_NODE(LAYERS_INVALID_GRAPH, "nodes/1/name", "taken by another node", NAMED("a"));
    REFUSE_NODE(LAYERS_INVALID_GRAPH, "nodes/1/name", "taken by an input", NAMED("x"));
    REFUSE_NODE(LAYERS_INVALID_GRAPH, "nodes/1/name", "is no name", NAMED("1a"));
    REFUSE_NODE(LAYERS_INVALID_GRAPH, "nodes/1/name", "is no name", NAMED(""));
    REFUSE_NODE(LAYERS_INVALID_GRAPH, "nodes/1/name", "is no name", NAMED("a.b"));
    REFUSE_NODE(LAYERS_INVALID_GRAPH, "nodes/1/name", "is no name", NAMED("\xc3\xa4"));
    REFUSE_NODE(LAYERS_INVALID_GRAPH, "nodes/1/name", "is no name", NAMED(longest));
    longest[64] = '\0';
    layers_graph *graph = some_graph();
    NODE(graph, NAMED(longest));
    layers_graph_free(graph);
}

Test(graphs, kinds_and_shapes_that_do_not_fit) {
    REFUSE_NODE(LAYERS_WRONG_CACHE, "nodes/1/x", "which is a cache", RELU("a.cache"));
    REFUSE_NODE(LAYERS_WRONG_CACHE, "nodes/1/cache", "which is a tensor", .name = "n",
                OP("affine", "backward"), .inputs = {"a.out"}, .cache = "a.out");
    REFUSE_NODE(LAYERS_WRONG_CACHE, "nodes/1/cache", "of no use to relu/backward", .name = "n",
                OP("relu", "backward"), .inputs = {"a.out"}, .cache = "a.cache");
    REFUSE_NODE(LAYERS_WRONG_TYPE, "nodes/1/x", "x is the input \"y\"", RELU("y"));
    REFUSE_NODE(LAYERS_SHAPE_MISMATCH, "nodes/1/w",
                "x comes from node \"a\" (affine/forward); w is the input \"w1\"", .name = "n",
                OP("affine", "forward"), .inputs = {"a.out", "w1", "b1"});
    REFUSE_NODE(LAYERS_MISSING_FIELD, "nodes/1/b", "needs /b", .name = "n", OP("affine", "forward"),
                .inputs = {"x", "w1"});
    REFUSE_NODE(LAYERS_MISSING_FIELD, "nodes/1/cache", "needs the cache", .name = "n",
                OP("affine", "backward"), .inputs = {"a.out"});
    layers_graph *graph = some_graph();
    layers_error error;
    NODE(graph, .name = "n", OP("softmax", "loss"), .inputs = {"two", "y"});
    cr_assert(layers_graph_prepare(graph, &error) == LAYERS_OK);
    layers_code got = layers_graph_run(graph, NULL, &error);
    refuse(graph, got, &error, LAYERS_LABEL_OUT_OF_RANGE, "inputs/y/1", "label 2");
}

#define NOTHING ((const char *const *)NULL), 0

Test(graphs, gradients_that_there_are_not) {
    REFUSE_GRADIENTS(LAYERS_INVALID_GRAPH, "nodes/6/of/0", "no loss", NAMES("a.out"), NAMES("x"));
    REFUSE_GRADIENTS(LAYERS_INVALID_GRAPH, "nodes/6/of/1", "no loss", NAMES("l.loss", "l.dx"),
                     NAMES("x"));
    REFUSE_GRADIENTS(LAYERS_INVALID_GRAPH, "nodes/6/of/0", "nearest is \"l.loss\"", NAMES("l.los"),
                     NAMES("x"));
    REFUSE_GRADIENTS(LAYERS_INVALID_GRAPH, "nodes/6/of", "is empty", NOTHING, NAMES("x"));
    REFUSE_GRADIENTS(LAYERS_INVALID_GRAPH, "nodes/6/for", "is empty", NAMES("l.loss"), NOTHING);
    REFUSE_GRADIENTS(LAYERS_INVALID_GRAPH, "nodes/6/for/1", "have no gradient", NAMES("l.loss"),
                     NAMES("x", "y"));
    REFUSE_GRADIENTS(LAYERS_WRONG_CACHE, "nodes/6/for/0", "which is a cache", NAMES("l.loss"),
                     NAMES("a.cache"));
    REFUSE_GRADIENTS(LAYERS_WRONG_TYPE, "nodes/6/for/0", "a number of its node", NAMES("l.loss"),
                     NAMES("u.config.learning_rate"));
    REFUSE_GRADIENTS(LAYERS_INVALID_GRAPH, "nodes/6/for", "node \"u\", which has no backward",
                     NAMES("m.loss"), NAMES("b1"));
    REFUSE_GRADIENTS(LAYERS_INVALID_GRAPH, "nodes/6/for", "of a loss only its loss",
                     NAMES("k.loss"), NAMES("x"));
    layers_graph *graph = some_graph();
    layers_error error;
    NODE(graph, .name = "u", OP("sgd", "update"), .inputs = {"b1", "gamma"});
    NODE(graph, .name = "a3", OP("affine", "forward"), .inputs = {"x", "w1", "u.next_w"});
    NODE(graph, .name = "m", OP("svm", "loss"), .inputs = {"a3.out", "y"});
    cr_assert(layers_graph_gradients(graph, "d", NAMES("m.loss"), NAMES("w1", "u.next_w"),
                                     &error) == LAYERS_OK,
              "what lies behind the update is not asked for: %s", error.message);
    layers_graph_free(graph);
}

Test(graphs, a_mask_that_is_computed_is_looked_at_when_it_is_there) {
    for (int good = 0; good < 2; good++) {
        layers_graph *graph = layers_graph_make(LAYERS_F64);
        layers_error error;
        give_input(graph, "x", tensor_of(LAYERS_F64, SHAPE(3), VALUES(1, good ? -1 : 2, 0)));
        NODE(graph, .name = "r", OP("relu", "forward"), .inputs = {"x"});
        NODE(graph, .name = "d", OP("dropout", "forward"), .inputs = {"x"},
             .params = {{.given = true, .number = 0.5}, {.given = true}, {0}, {.tensor = "r.out"}});
        size_t out = want(graph, "d.out");
        cr_assert(layers_graph_prepare(graph, &error) == LAYERS_OK);
        layers_code code = layers_graph_run(graph, NULL, &error);
        if (good) {
            cr_assert(code == LAYERS_OK, "%s", error.message);
            assert_values(result(graph, out), VALUES(2, 0, 0), 3, 0, 0, "out");
        } else {
            cr_assert(code == LAYERS_INVALID_PARAM &&
                          !strcmp(error.field, "nodes/1/dropout_param/mask"),
                      "%s: %s", error.field, error.message);
        }
        layers_graph_free(graph);
    }
}

Test(graphs, as_many_as_there_may_be) {
    layers_error error;
    char name[16];
    layers_graph *graph = layers_graph_make(LAYERS_F64);
    for (int i = 0; i < LAYERS_GRAPH_INPUTS; i++) {
        snprintf(name, sizeof name, "x%d", i);
        give_input(graph, name, tensor_of(LAYERS_F64, SHAPE(1), VALUES(i)));
    }
    for (int i = 0; i < LAYERS_GRAPH_NODES; i++) {
        snprintf(name, sizeof name, "r%d", i);
        NODE(graph, .name = name, OP("relu", "forward"), .inputs = {"x7"});
    }
    size_t last = want(graph, "r1023.out");
    prepare_and_run(graph);
    assert_values(result(graph, last), VALUES(7), 1, 0, 0, "the last");
    layers_code node = layers_graph_add(
        graph, &(layers_node){.name = "one", OP("relu", "forward"), .inputs = {"x7"}}, &error);
    cr_assert(node == LAYERS_INVALID_GRAPH && !strcmp(error.field, "nodes"), "%s", error.field);
    layers_code input =
        layers_graph_input(graph, "x", tensor_of(LAYERS_F64, SHAPE(1), VALUES(1)), &error);
    cr_assert(input == LAYERS_INVALID_GRAPH && !strcmp(error.field, "inputs"), "%s", error.field);
    layers_graph_free(graph);
}

/* Gradients of gradients nodes are many steps of few nodes. */
Test(graphs, steps_have_an_end) {
    layers_error error;
    char name[16], input[16] = "x";
    layers_graph *graph = layers_graph_make(LAYERS_F64);
    layers_code code = LAYERS_OK;
    give_input(graph, "x", tensor_of(LAYERS_F64, SHAPE(1, 1), VALUES(1)));
    give_input(graph, "y", tensor_of(LAYERS_I64, SHAPE(1), VALUES(0)));
    for (int i = 0; i < 500; i++) {
        snprintf(name, sizeof name, "r%d", i);
        NODE(graph, .name = name, OP("relu", "forward"), .inputs = {input});
        snprintf(input, sizeof input, "r%d.out", i);
    }
    NODE(graph, .name = "l", OP("svm", "loss"), .inputs = {input, "y"});
    for (int i = 0; i < 20 && code == LAYERS_OK; i++) {
        snprintf(name, sizeof name, "d%d", i);
        code = layers_graph_gradients(graph, name, NAMES("l.loss"), NAMES("x"), &error);
    }
    cr_assert(code == LAYERS_INVALID_GRAPH && strstr(error.message, "more than 8192 steps"), "%s",
              error.message);
    layers_graph_free(graph);
}
