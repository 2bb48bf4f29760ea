/* Graphs: the bytes of single calls, what lives and for how long, and how many there may be. */
#include <stdio.h>

#include "unit/graphs/building.h"

TestSuite(graphs, .timeout = 60);

/* ---- single calls, and the same as nodes -------------------------------------------------------
 */

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
    add_node(graph, &node);
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
    add_node(graph, &node);
    forward = call;
    run(&forward);
    layers_call back = {.operation = backward, .dtype = dtype, .cache = forward.cache};
    forward.cache = NULL;
    back.inputs[0] =
        tensor_random(dtype, forward.outputs[0].shape, forward.outputs[0].rank, &seed, -1, 1);
    layers_node back_node = node_of(graph, &back, "b", names[1]);
    back_node.cache = "f.cache";
    add_node(graph, &back_node);
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

/* ---- what lives, and for how long --------------------------------------------------------------
 */

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
