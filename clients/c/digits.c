/* Learns to read handwritten digits, with every layer computed by a layerd daemon: affine,
 * batchnorm, relu, dropout, affine, softmax. Here are only the loop, the weights and Adam. */
#include <errno.h>
#include <getopt.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "layerd.h"

enum { PIXELS = 64, HIDDEN = 48, CLASSES = 10, LAYERS = 5, BATCH = 64, HELD_BACK = 360 };

static const double KEEP = 0.9, RATE = 0.015, PASS = 0.95;

/* ---- the network ------------------------------------------------------------------------- */

struct weight {
    const char *name, *gradient; /* as /<kind>/forward and /<kind>/backward call them */
    layerd_tensor *value;
    layerd_tensor *mean, *square; /* Adam's running moments of the gradient */
};

struct layer {
    const char *kind;
    json_t *params; /* sent with forward; NULL for none */
    struct weight weights[2];
};

struct network {
    layerd_client *client;
    layerd_error error;
    struct layer layers[LAYERS];
    uint64_t random;
    int steps;
    double rate;
};

static void set_error(struct network *net, const char *detail) {
    net->error = (layerd_error){.code = "digits"};
    snprintf(net->error.detail, sizeof net->error.detail, "%s", detail);
}

/* splitmix64 (Steele, Lea, Flood 2014): every run is the same run. */
static uint64_t draw(uint64_t *state) {
    uint64_t z = *state += 0x9E3779B97F4A7C15;
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9;
    z = (z ^ z >> 27) * 0x94D049BB133111EB;
    return z ^ z >> 31;
}

static double uniform(uint64_t *state) {
    return (double)(draw(state) >> 11) * 0x1p-53;
}

/* A weight that starts uniform in mean - spread to mean + spread. */
static bool make_weight(struct network *net, struct weight *weight, const char *name,
                        const char *gradient, int rank, const size_t *shape, double mean,
                        double spread) {
    weight->name = name;
    weight->gradient = gradient;
    weight->value = layerd_tensor_make(LAYERD_FLOAT32, rank, shape);
    weight->mean = layerd_tensor_make(LAYERD_FLOAT32, rank, shape);
    weight->square = layerd_tensor_make(LAYERD_FLOAT32, rank, shape);
    if (weight->value == NULL || weight->mean == NULL || weight->square == NULL)
        return false;
    for (size_t i = 0; i < weight->value->size; i++)
        weight->value->f32[i] = (float)(mean + spread * (2 * uniform(&net->random) - 1));
    return true;
}

static bool make_affine(struct network *net, struct layer *layer, size_t inputs, size_t outputs) {
    layer->kind = "affine";
    return make_weight(net, &layer->weights[0], "w", "dw", 2, (size_t[]){inputs, outputs}, 0,
                       sqrt(6.0 / (double)inputs)) &&
           make_weight(net, &layer->weights[1], "b", "db", 1, (size_t[]){outputs}, 0, 0);
}

static bool make_batchnorm(struct network *net, struct layer *layer, size_t features) {
    layer->kind = "batchnorm";
    layer->params = json_pack("{s:{s:s}}", "bn_param", "mode", "train");
    return layer->params != NULL &&
           make_weight(net, &layer->weights[0], "gamma", "dgamma", 1, &features, 1, 0) &&
           make_weight(net, &layer->weights[1], "beta", "dbeta", 1, &features, 0, 0);
}

static bool make_network(struct network *net) {
    struct layer *layers = net->layers;
    layers[2].kind = "relu";
    layers[3].kind = "dropout";
    layers[3].params = json_pack("{s:{s:s,s:f}}", "dropout_param", "mode", "train", "p", KEEP);
    bool made = layers[3].params != NULL && make_affine(net, &layers[0], PIXELS, HIDDEN) &&
                make_batchnorm(net, &layers[1], HIDDEN) &&
                make_affine(net, &layers[4], HIDDEN, CLASSES);
    if (!made)
        set_error(net, "Out of memory.");
    return made;
}

static void free_network(struct network *net) {
    for (struct layer *layer = net->layers; layer < net->layers + LAYERS; layer++) {
        json_decref(layer->params);
        for (struct weight *weight = layer->weights; weight < layer->weights + 2; weight++) {
            layerd_tensor_free(weight->value);
            layerd_tensor_free(weight->mean);
            layerd_tensor_free(weight->square);
        }
    }
    layerd_close(net->client);
}

/* ---- forward, backward, update ----------------------------------------------------------- */

static bool set_mode(struct network *net, struct layer *layer, bool train) {
    const char *key;
    json_t *param;
    json_object_foreach(layer->params, key, param) {
        if (json_object_set_new(param, "mode", json_string(train ? "train" : "test")) != 0)
            return false;
        /* A seed of its own for every batch: chance, but the same chance in each run. */
        if (train && strcmp(key, "dropout_param") == 0 &&
            json_object_set_new(param, "seed", json_integer((uint32_t)draw(&net->random))) != 0)
            return false;
    }
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
    for (int i = 0; i < 2; i++)
        if (layer->weights[i].name != NULL)
            request.inputs[i + 1] = (layerd_input){layer->weights[i].name, layer->weights[i].value};

    if (!set_mode(net, layer, train)) {
        set_error(net, "Out of memory.");
        return NULL;
    }
    layerd_answer *answer = layerd_run(net->client, &request, &net->error);
    /* Batchnorm's running statistics come back and go out again with the next batch. */
    json_t *bn_param = layerd_answer_value(answer, "bn_param");
    if (train && bn_param != NULL)
        json_object_set(layer->params, "bn_param", bn_param);
    return answer;
}

static void free_answers(layerd_answer **answers) {
    for (int i = 0; i < LAYERS; i++) {
        layerd_answer_free(answers[i]);
        answers[i] = NULL;
    }
}

/* The scores of the last layer, which answers[LAYERS - 1] owns; NULL after an error. */
static layerd_tensor *forward(struct network *net, const layerd_tensor *x, bool train,
                              layerd_answer **answers) {
    size_t rows = x->shape[0];
    for (int i = 0; i < LAYERS; i++) {
        answers[i] = forward_layer(net, &net->layers[i], x, train);
        if (answers[i] == NULL)
            return NULL;
        x = layerd_answer_tensor(answers[i], "out");
    }
    layerd_tensor *scores = layerd_answer_tensor(answers[LAYERS - 1], "out");
    if (scores != NULL && scores->size == rows * CLASSES)
        return scores;
    set_error(net, "The daemon's scores are not (images, classes).");
    return NULL;
}

/* Adam (Kingma, Ba 2015) with the usual constants. */
static bool update(struct network *net, struct weight *weight, const layerd_tensor *gradient) {
    if (gradient == NULL || gradient->size != weight->value->size) {
        set_error(net, "The daemon's gradient does not have the shape of its weight.");
        return false;
    }
    double bias1 = 1 - pow(0.9, net->steps), bias2 = 1 - pow(0.999, net->steps);
    for (size_t i = 0; i < gradient->size; i++) {
        float g = gradient->f32[i];
        float *mean = &weight->mean->f32[i], *square = &weight->square->f32[i];
        *mean = 0.9f * *mean + 0.1f * g;
        *square = 0.999f * *square + 0.001f * g * g;
        weight->value->f32[i] -=
            (float)(net->rate * (*mean / bias1) / (sqrt(*square / bias2) + 1e-8));
    }
    return true;
}

/* Takes the gradient through the layers, last to first, and moves each layer's weights. */
static bool backward(struct network *net, const layerd_tensor *dout, layerd_answer **answers) {
    layerd_answer *behind = NULL;
    bool done = true;
    net->steps++;
    for (int i = LAYERS - 1; i >= 0 && done; i--) {
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
        for (int j = 0; j < 2 && done && layer->weights[j].name != NULL; j++)
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

static bool train_batch(struct network *net, const layerd_tensor *x, const layerd_tensor *y,
                        double *loss, int *right) {
    layerd_answer *answers[LAYERS] = {NULL}, *judged = NULL;
    bool done = false;
    const layerd_tensor *scores = forward(net, x, true, answers);
    if (scores == NULL)
        goto done;
    layerd_request request = {.path = "/softmax/loss", .inputs = {{"x", scores}, {"y", y}}};
    judged = layerd_run(net->client, &request, &net->error);
    if (judged == NULL)
        goto done;
    if (!layerd_answer_number(judged, "loss", loss)) {
        set_error(net, "The daemon gave no loss.");
        goto done;
    }
    *right = count_right(scores, y->i64);
    done = backward(net, layerd_answer_tensor(judged, "dx"), answers);
done:
    layerd_answer_free(judged);
    free_answers(answers);
    return done;
}

/* ---- the images -------------------------------------------------------------------------- */

struct images {
    size_t count;
    float *pixels; /* (count, PIXELS), 0 to 1 */
    int64_t *labels;
};

static bool read_row(const char *line, float *pixels, int64_t *label) {
    char *end;
    for (int i = 0; i <= PIXELS; i++, line = end + 1) {
        long number = strtol(line, &end, 10);
        if (end == line || *end != (i < PIXELS ? ',' : '\n') || number < 0 || number > 16)
            return false;
        if (i < PIXELS)
            pixels[i] = (float)number / 16;
        else
            *label = number;
    }
    return *label < CLASSES;
}

static bool read_images(struct network *net, const char *path, struct images *set) {
    enum { MOST = 10000 };
    char line[1024];
    FILE *file = fopen(path, "r");
    if (file == NULL) {
        snprintf(line, sizeof line, "Cannot read %s: %s.", path, strerror(errno));
        set_error(net, line);
        return false;
    }
    set->pixels = malloc(sizeof(float) * MOST * PIXELS);
    set->labels = malloc(sizeof(int64_t) * MOST);
    bool good = set->pixels != NULL && set->labels != NULL;
    while (good && set->count < MOST && fgets(line, sizeof line, file) != NULL) {
        good = read_row(line, set->pixels + set->count * PIXELS, set->labels + set->count);
        set->count++;
    }
    fclose(file);
    if (good && set->count > HELD_BACK)
        return true;
    snprintf(line, sizeof line, "%s, line %zu: not %d pixels (0 to 16) and a digit, or too few.",
             path, set->count, PIXELS);
    set_error(net, line);
    return false;
}

/* Shuffles the first `count` images (Fisher, Yates). */
static void shuffle(struct network *net, struct images *set, size_t count) {
    for (size_t i = count; i > 1; i--) {
        size_t j = draw(&net->random) % i;
        float row[PIXELS], *a = set->pixels + (i - 1) * PIXELS, *b = set->pixels + j * PIXELS;
        memcpy(row, a, sizeof row);
        memmove(a, b, sizeof row);
        memcpy(b, row, sizeof row);
        int64_t label = set->labels[i - 1];
        set->labels[i - 1] = set->labels[j];
        set->labels[j] = label;
    }
}

/* ---- the loop ---------------------------------------------------------------------------- */

static layerd_tensor wrap_pixels(const struct images *set, size_t first, size_t count) {
    return layerd_wrap(LAYERD_FLOAT32, 2, (size_t[]){count, PIXELS}, set->pixels + first * PIXELS);
}

static void show(const char *title, size_t done, size_t count, double losses, int rights) {
    printf("%s%s  %4zu/%zu images  loss %.4f  accuracy %5.2f %%", isatty(STDOUT_FILENO) ? "\r" : "",
           title, done, count, losses / (double)done, 100.0 * rights / (double)done);
    fflush(stdout);
}

static bool train_epoch(struct network *net, struct images *set, size_t count, const char *title) {
    double loss, losses = 0;
    int right, rights = 0;
    shuffle(net, set, count);
    for (size_t first = 0; first < count; first += BATCH) {
        size_t rows = count - first < BATCH ? count - first : BATCH;
        layerd_tensor x = wrap_pixels(set, first, rows);
        layerd_tensor y = layerd_wrap(LAYERD_INT64, 1, &rows, set->labels + first);
        if (!train_batch(net, &x, &y, &loss, &right))
            return false;
        losses += loss * (double)rows;
        rights += right;
        if (isatty(STDOUT_FILENO) || first + rows == count)
            show(title, first + rows, count, losses, rights);
    }
    return true;
}

/* The share of the images from `first` on that are read right. */
static bool evaluate(struct network *net, const struct images *set, size_t first,
                     double *accuracy) {
    layerd_answer *answers[LAYERS] = {NULL};
    layerd_tensor x = wrap_pixels(set, first, set->count - first);
    const layerd_tensor *scores = forward(net, &x, false, answers);
    if (scores != NULL)
        *accuracy = count_right(scores, set->labels + first) / (double)(set->count - first);
    free_answers(answers);
    return scores != NULL;
}

static bool learn(struct network *net, struct images *set, int epochs, double *accuracy) {
    size_t count = set->count - HELD_BACK;
    shuffle(net, set, set->count);
    for (int epoch = 1; epoch <= epochs; epoch++) {
        char title[64];
        snprintf(title, sizeof title, "epoch %2d/%d", epoch, epochs);
        net->rate = RATE * (epochs - epoch + 1) / epochs; /* smaller steps towards the end */
        if (!train_epoch(net, set, count, title) || !evaluate(net, set, count, accuracy))
            return false;
        printf("  held back %5.2f %%\n", 100 * *accuracy);
    }
    return true;
}

struct options {
    const char *url, *data;
    int epochs;
};

static const char help[] =
    "Usage: digits [--url URL] [--data FILE] [--epochs N]\n"
    "Trains a network on handwritten digits, each layer of it computed by a layerd "
    "daemon.\n\n"
    "  --url URL     the daemon (LAYERD_URL, or http://127.0.0.1:8080)\n"
    "  --data FILE   lines of 64 pixels from 0 to 16 and the digit (tests/data/digits.csv)\n"
    "  --epochs N    times to go through the images, 1 to 1000 (6)\n"
    "  --help        this text\n\n"
    "Exits 0 if more than 95 % of the images held back are read right, 1 if not or after "
    "an\n"
    "error, 2 for options it does not know.\n";

/* -1 to go on, or the program's exit status. */
static int read_options(int argc, char **argv, struct options *options) {
    static const struct option names[] = {{"url", required_argument, NULL, 'u'},
                                          {"data", required_argument, NULL, 'd'},
                                          {"epochs", required_argument, NULL, 'e'},
                                          {"help", no_argument, NULL, 'h'},
                                          {0}};
    for (int name; (name = getopt_long(argc, argv, "", names, NULL)) != -1;) {
        if (name == 'u')
            options->url = optarg;
        else if (name == 'd')
            options->data = optarg;
        else if (name == 'e')
            options->epochs = atoi(optarg);
        else
            return fputs(help, name == 'h' ? stdout : stderr), name == 'h' ? 0 : 2;
    }
    if (optind == argc && options->epochs >= 1 && options->epochs <= 1000)
        return -1;
    fputs(help, stderr);
    return 2;
}

int main(int argc, char **argv) {
    struct options options = {.data = "tests/data/digits.csv", .epochs = 6};
    int status = read_options(argc, argv, &options);
    if (status != -1)
        return status;

    struct network net = {.random = 231};
    struct images set = {0};
    struct timespec start, end;
    double accuracy = 0;
    clock_gettime(CLOCK_MONOTONIC, &start);
    net.client = layerd_open(options.url, &net.error);
    bool done = net.client != NULL && read_images(&net, options.data, &set) && make_network(&net) &&
                learn(&net, &set, options.epochs, &accuracy);
    clock_gettime(CLOCK_MONOTONIC, &end);
    if (done)
        printf("%.2f %% of %d images held back are read right, after %.1f s\n", 100 * accuracy,
               HELD_BACK,
               (double)(end.tv_sec - start.tv_sec) + 1e-9 * (double)(end.tv_nsec - start.tv_nsec));
    else
        fprintf(stderr, "digits: %s (%s)\n", net.error.detail, net.error.code);
    free(set.pixels);
    free(set.labels);
    free_network(&net);
    return done && accuracy > PASS ? 0 : 1;
}
