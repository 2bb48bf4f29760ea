/* Gradients of graphs: the chain rule. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "unit/graphs/building.h"

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
        assert_shape(gradient, weight_shapes[i], weight_ranks[i], weights[i]);
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
        add_node(graph, &node);
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
