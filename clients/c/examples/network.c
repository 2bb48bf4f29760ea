/* A network computed by a layerd daemon. */
#include "network.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "chance.h"
#include "images.h"

enum { HIDDEN = 48, FILTERS = 24, KERNEL = 3, HIDDEN_BEHIND_FILTERS = 96 };

static const double KEEP = 0.9;

static bool fail(struct network *net, const char *detail) {
    net->error = (layerd_error){.code = "network"};
    snprintf(net->error.detail, sizeof net->error.detail, "%s", detail);
    return false;
}

/* ---- layers and weights ------------------------------------------------------------------ */

/* A weight that starts uniform in mean - spread to mean + spread. */
static bool make_weight(struct network *net, struct weight *weight, const char *name,
                        const char *gradient, int rank, const size_t *shape, double mean,
                        double spread) {
    weight->name = name;
    weight->gradient = gradient;
    weight->value = layerd_tensor_make(LAYERD_FLOAT32, rank, shape);
    weight->mean = layerd_tensor_make(LAYERD_FLOAT32, rank, shape);
    weight->square = layerd_tensor_make(LAYERD_FLOAT32, rank, shape);
    weight->config = json_object();
    if (weight->value == NULL || weight->mean == NULL || weight->square == NULL ||
        weight->config == NULL)
        return fail(net, "Out of memory.");
    for (size_t i = 0; i < weight->value->size; i++)
        weight->value->f32[i] = (float)(mean + spread * (2 * uniform(&net->random) - 1));
    return true;
}

/* A layer without weights. The reference to params is the layer's. */
static struct layer *add_layer(struct network *net, const char *kind, json_t *params) {
    struct layer *layer = &net->layers[net->depth++];
    layer->kind = kind;
    layer->params = params;
    return layer;
}

static bool add_affine(struct network *net, size_t inputs, size_t outputs) {
    struct layer *layer = add_layer(net, "affine", NULL);
    return make_weight(net, &layer->weights[0], "w", "dw", 2, (size_t[]){inputs, outputs}, 0,
                       sqrt(6.0 / (double)inputs)) &&
           make_weight(net, &layer->weights[1], "b", "db", 1, &outputs, 0, 0);
}

static bool add_batchnorm(struct network *net, size_t features) {
    struct layer *layer = add_layer(net, "batchnorm", json_pack("{s:{}}", "bn_param"));
    return make_weight(net, &layer->weights[0], "gamma", "dgamma", 1, &features, 1, 0) &&
           make_weight(net, &layer->weights[1], "beta", "dbeta", 1, &features, 0, 0);
}

static bool add_conv(struct network *net, size_t channels, size_t filters) {
    const size_t shape[] = {filters, channels, KERNEL, KERNEL};
    double inputs = (double)(channels * KERNEL * KERNEL);
    struct layer *layer =
        add_layer(net, "conv", json_pack("{s:{s:i}}", "conv_param", "pad", KERNEL / 2));
    return make_weight(net, &layer->weights[0], "w", "dw", 4, shape, 0, sqrt(6 / inputs)) &&
           make_weight(net, &layer->weights[1], "b", "db", 1, &filters, 0, 0);
}

bool network_make_affine(struct network *net) {
    if (!add_affine(net, PIXELS, HIDDEN) || !add_batchnorm(net, HIDDEN))
        return false;
    add_layer(net, "relu", NULL);
    add_layer(net, "dropout", json_pack("{s:{s:f}}", "dropout_param", "p", KEEP));
    return add_affine(net, HIDDEN, CLASSES);
}

bool network_make_convolution(struct network *net) {
    if (!add_conv(net, 1, FILTERS))
        return false;
    add_layer(net, "relu", NULL);
    add_layer(net, "max_pool",
              json_pack("{s:{s:i, s:i, s:i}}", "pool_param", "pool_height", 2, "pool_width", 2,
                        "stride", 2));
    if (!add_affine(net, FILTERS * PIXELS / 4, HIDDEN_BEHIND_FILTERS))
        return false;
    add_layer(net, "relu", NULL);
    return add_affine(net, HIDDEN_BEHIND_FILTERS, CLASSES);
}

void network_free(struct network *net) {
    for (int i = 0; i < net->depth; i++) {
        json_decref(net->layers[i].params);
        for (int j = 0; j < WEIGHTS_MOST; j++) {
            struct weight *weight = &net->layers[i].weights[j];
            layerd_tensor_free(weight->value);
            layerd_tensor_free(weight->mean);
            layerd_tensor_free(weight->square);
            json_decref(weight->config);
        }
    }
    layerd_close(net->client);
}

/* ---- forward, backward, update ----------------------------------------------------------- */

/* batchnorm and dropout differ between training and use. */
static bool set_mode(struct network *net, struct layer *layer, bool train) {
    json_t *bn_param = json_object_get(layer->params, "bn_param");
    json_t *dropout_param = json_object_get(layer->params, "dropout_param");
    const char *mode = train ? "train" : "test";
    if (bn_param != NULL && json_object_set_new(bn_param, "mode", json_string(mode)) != 0)
        return fail(net, "Out of memory.");
    /* A seed of its own for every batch: chance, but the same chance in each run. */
    if (dropout_param != NULL &&
        (json_object_set_new(dropout_param, "mode", json_string(mode)) != 0 ||
         json_object_set_new(dropout_param, "seed", json_integer((uint32_t)draw(&net->random)))))
        return fail(net, "Out of memory.");
    return true;
}

static layerd_answer *forward_layer(struct network *net, struct layer *layer,
                                    const layerd_tensor *x, bool train) {
    char path[64];
    snprintf(path, sizeof path, "/%s/forward", layer->kind);
    layerd_request request = {.path = path,
                              .query = train ? NULL : "cache=none",
                              .params = layer->params,
                              .inputs = {{"x", x}}};
    for (int i = 0; i < WEIGHTS_MOST && layer->weights[i].name != NULL; i++)
        request.inputs[i + 1] = (layerd_input){layer->weights[i].name, layer->weights[i].value};
    if (!set_mode(net, layer, train))
        return NULL;
    layerd_answer *answer = layerd_run(net->client, &request, &net->error);
    /* batchnorm's running statistics come back and go out again with the next batch. */
    json_t *bn_param = layerd_answer_value(answer, "bn_param");
    if (train && bn_param != NULL)
        json_object_set(layer->params, "bn_param", bn_param);
    return answer;
}

static void free_answers(struct network *net, layerd_answer **answers) {
    for (int i = 0; i < net->depth; i++)
        layerd_answer_free(answers[i]);
}

/* The scores of the last layer, which its answer owns; NULL after an error. */
static layerd_tensor *forward(struct network *net, const layerd_tensor *x, bool train,
                              layerd_answer **answers) {
    size_t rows = x->shape[0];
    for (int i = 0; i < net->depth; i++) {
        answers[i] = forward_layer(net, &net->layers[i], x, train);
        if (answers[i] == NULL)
            return NULL;
        x = layerd_answer_tensor(answers[i], "out");
    }
    layerd_tensor *scores = layerd_answer_tensor(answers[net->depth - 1], "out");
    if (scores != NULL && scores->size == rows * CLASSES)
        return scores;
    fail(net, "The daemon's scores are not (images, classes).");
    return NULL;
}

/* Puts a tensor of an answer in the place of one that is there. */
static bool replace(layerd_tensor **place, layerd_answer *answer, const char *name) {
    layerd_tensor *taken = layerd_answer_take(answer, name);
    if (taken == NULL)
        return false;
    layerd_tensor_free(*place);
    *place = taken;
    return true;
}

/* One step of Adam: what comes back of it goes out again with the next one. */
static bool update(struct network *net, struct weight *weight, const layerd_tensor *gradient) {
    json_t *params = json_pack("{s:O}", "config", weight->config);
    if (params == NULL ||
        json_object_set_new(weight->config, "learning_rate", json_real(net->rate)) != 0) {
        json_decref(params);
        return fail(net, "Out of memory.");
    }
    layerd_request request = {.path = "/adam/update",
                              .params = params,
                              .inputs = {{"w", weight->value},
                                         {"dw", gradient},
                                         {"config.m", weight->mean},
                                         {"config.v", weight->square}}};
    layerd_answer *answer = layerd_run(net->client, &request, &net->error);
    double steps;
    json_decref(params);
    bool done = answer != NULL && replace(&weight->value, answer, "next_w") &&
                replace(&weight->mean, answer, "config.m") &&
                replace(&weight->square, answer, "config.v") &&
                layerd_answer_number(answer, "config.t", &steps) &&
                json_object_set_new(weight->config, "t", json_integer((json_int_t)steps)) == 0;
    layerd_answer_free(answer);
    return done || (answer != NULL && fail(net, "The daemon's update is not whole."));
}

/* Takes the gradient through the layers, last to first, and moves each layer's weights. */
static bool backward(struct network *net, const layerd_tensor *dout, layerd_answer **answers) {
    layerd_answer *behind = NULL;
    bool done = true;
    for (int i = net->depth - 1; i >= 0 && done; i--) {
        struct layer *layer = &net->layers[i];
        char path[64];
        snprintf(path, sizeof path, "/%s/backward", layer->kind);
        layerd_request request = {.path = path,
                                  .query = "cache=release",
                                  .cache = layerd_answer_cache(answers[i]),
                                  .inputs = {{"dout", dout}}};
        layerd_answer *answer = layerd_run(net->client, &request, &net->error);
        layerd_answer_free(behind);
        behind = answer;
        dout = layerd_answer_tensor(answer, "dx");
        done = answer != NULL;
        for (int j = 0; j < WEIGHTS_MOST && done && layer->weights[j].name != NULL; j++)
            done = update(net, &layer->weights[j],
                          layerd_answer_tensor(answer, layer->weights[j].gradient));
    }
    layerd_answer_free(behind);
    return done;
}

static int count_right(const layerd_tensor *scores, const int64_t *labels) {
    int right = 0;
    for (size_t n = 0; n < scores->shape[0]; n++) {
        const float *row = scores->f32 + n * CLASSES;
        int best = 0;
        for (int c = 1; c < CLASSES; c++)
            if (row[c] > row[best])
                best = c;
        right += best == labels[n];
    }
    return right;
}

bool network_train(struct network *net, const layerd_tensor *x, const layerd_tensor *y,
                   double *loss, int *right) {
    layerd_answer *answers[LAYERS_MOST] = {NULL}, *judged = NULL;
    bool done = false;
    const layerd_tensor *scores = forward(net, x, true, answers);
    if (scores == NULL)
        goto done;
    layerd_request request = {.path = "/softmax/loss", .inputs = {{"x", scores}, {"y", y}}};
    judged = layerd_run(net->client, &request, &net->error);
    if (judged == NULL)
        goto done;
    if (!layerd_answer_number(judged, "loss", loss)) {
        fail(net, "The daemon gave no loss.");
        goto done;
    }
    *right = count_right(scores, y->i64);
    done = backward(net, layerd_answer_tensor(judged, "dx"), answers);
done:
    layerd_answer_free(judged);
    free_answers(net, answers);
    return done;
}

bool network_count_right(struct network *net, const layerd_tensor *x, const layerd_tensor *y,
                         int *right) {
    layerd_answer *answers[LAYERS_MOST] = {NULL};
    const layerd_tensor *scores = forward(net, x, false, answers);
    if (scores != NULL)
        *right = count_right(scores, y->i64);
    free_answers(net, answers);
    return scores != NULL;
}
