/* Learns XOR. Each step of training is one call of a layerd daemon, where the weights stay. */
#include <stdio.h>

#include "chance.h"
#include "layerd.h"

enum { STEPS = 300, HIDDEN = 8, CASES = 4, WEIGHTS = 4 };

/* JSON as it is, without a backslash at each quotation mark. */
#define TEXT(...) #__VA_ARGS__

/* clang-format off */
static const char training[] = TEXT(
    {"nodes": [
        {"name": "hidden", "op": "affine/forward", "x": "x", "w": "w1", "b": "b1"},
        {"name": "active", "op": "relu/forward", "x": "hidden.out"},
        {"name": "scores", "op": "affine/forward", "x": "active.out", "w": "w2", "b": "b2"},
        {"name": "judged", "op": "softmax/loss", "x": "scores.out", "y": "y"},
        {"name": "d", "op": "gradients", "of": ["judged.loss"], "for": ["w1", "b1", "w2", "b2"]},
        {"name": "u1", "op": "sgd/update", "w": "w1", "dw": "d.w1", "config": {"learning_rate": 1}},
        {"name": "u2", "op": "sgd/update", "w": "b1", "dw": "d.b1", "config": {"learning_rate": 1}},
        {"name": "u3", "op": "sgd/update", "w": "w2", "dw": "d.w2", "config": {"learning_rate": 1}},
        {"name": "u4", "op": "sgd/update", "w": "b2", "dw": "d.b2", "config": {"learning_rate": 1}}],
     "give": ["judged.loss"],
     "keep": ["u1.next_w", "u2.next_w", "u3.next_w", "u4.next_w"]});

static const char use[] = TEXT(
    {"nodes": [
        {"name": "hidden", "op": "affine/forward", "x": "x", "w": "w1", "b": "b1"},
        {"name": "active", "op": "relu/forward", "x": "hidden.out"},
        {"name": "scores", "op": "affine/forward", "x": "active.out", "w": "w2", "b": "b2"}],
     "give": ["scores.out"]});
/* clang-format on */

static const char *const weights[] = {"w1", "b1", "w2", "b2"};
static const char *const trained[] = {"u1.next_w", "u2.next_w", "u3.next_w", "u4.next_w"};

static const double pairs[CASES][2] = {{0, 0}, {0, 1}, {1, 0}, {1, 1}};
static const int64_t classes[CASES] = {0, 1, 1, 0};

/* Puts the weights of the first step on the daemon: biases of 0, the others uniform. */
static layerd_answer *put_weights(layerd_client *client, layerd_error *error) {
    double w1[2 * HIDDEN], w2[HIDDEN * 2], b1[HIDDEN] = {0}, b2[2] = {0};
    uint64_t random = 231;
    for (int i = 0; i < 2 * HIDDEN; i++) {
        w1[i] = 2 * uniform(&random) - 1;
        w2[i] = 2 * uniform(&random) - 1;
    }
    const layerd_tensor tensors[] = {
        layerd_wrap(LAYERD_FLOAT64, 2, (size_t[]){2, HIDDEN}, w1),
        layerd_wrap(LAYERD_FLOAT64, 1, (size_t[]){HIDDEN}, b1),
        layerd_wrap(LAYERD_FLOAT64, 2, (size_t[]){HIDDEN, 2}, w2),
        layerd_wrap(LAYERD_FLOAT64, 1, (size_t[]){2}, b2),
    };
    layerd_input inputs[WEIGHTS + 1] = {0};
    for (int i = 0; i < WEIGHTS; i++)
        inputs[i] = (layerd_input){weights[i], &tensors[i]};
    return layerd_put(client, inputs, error);
}

/* Runs a document on the four cases. The weights that `kept` tells the handles of, each under a
 * name of `names`, are released: a step makes new ones. */
static layerd_answer *run(layerd_client *client, const char *text, const layerd_answer *kept,
                          const char *const *names, layerd_error *error) {
    layerd_tensor x = layerd_wrap(LAYERD_FLOAT64, 2, (size_t[]){CASES, 2}, pairs);
    layerd_tensor y = layerd_wrap(LAYERD_INT64, 1, (size_t[]){CASES}, classes);
    layerd_handle handles[WEIGHTS + 1] = {0};
    for (int i = 0; i < WEIGHTS; i++)
        handles[i] = (layerd_handle){weights[i], layerd_answer_kept(kept, names[i])};
    json_t *document = json_loads(text, 0, NULL);
    layerd_graph_request request = {.document = document,
                                    .inputs = (layerd_input[]){{"x", &x}, {"y", &y}, {0}},
                                    .kept = handles,
                                    .release = handles};
    layerd_answer *answer = layerd_graph(client, &request, error);
    json_decref(document);
    return answer;
}

/* The last step's answer; NULL after an error. */
static layerd_answer *train(layerd_client *client, layerd_error *error) {
    layerd_answer *kept = put_weights(client, error);
    double loss = 0;
    for (int step = 1; step <= STEPS && kept != NULL; step++) {
        layerd_answer *answer = run(client, training, kept, step == 1 ? weights : trained, error);
        layerd_answer_free(kept);
        kept = answer;
        if (step % 100 == 0 && layerd_answer_number(answer, "judged.loss", &loss))
            printf("step %d: loss %.4f\n", step, loss);
    }
    return kept;
}

/* How many of the four answers are right. */
static int show(const layerd_tensor *scores) {
    int right = 0;
    for (int i = 0; i < CASES && scores != NULL; i++) {
        int answer = scores->f64[2 * i + 1] > scores->f64[2 * i];
        printf("%g xor %g = %d\n", pairs[i][0], pairs[i][1], answer);
        right += answer == classes[i];
    }
    return right;
}

int main(int argc, char **argv) {
    layerd_error error;
    layerd_client *client = layerd_open(argc > 1 ? argv[1] : NULL, &error);
    layerd_answer *kept = train(client, &error), *used = NULL;
    if (kept != NULL)
        used = run(client, use, kept, trained, &error);
    if (used == NULL)
        fprintf(stderr, "xor: %s (%s %s)\n", error.detail, error.code, error.pointer);
    int right = show(layerd_answer_tensor(used, "scores.out"));
    layerd_answer_free(kept);
    layerd_answer_free(used);
    layerd_close(client);
    return right == CASES ? 0 : 1;
}
