/* Graphs that are refused: where, and with which words. */
#include <string.h>

#include "unit/graphs/building.h"

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
