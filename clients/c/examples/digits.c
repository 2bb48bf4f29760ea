/* Learns to read handwritten digits by a network whose layers and updates a layerd daemon computes.
 */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "images.h"
#include "network.h"

enum { BATCH = 64, HELD_BACK = 360 };

/* The networks there are. */
struct course {
    const char *name;
    bool (*make)(struct network *net);
    double rate; /* Adam's, in the first epoch */
    int epochs;
    double pass; /* the share of the images held back that must be read right */
};

static const struct course courses[] = {
    {"affine", network_make_affine, 0.015, 6, 0.95},
    {"convolution", network_make_convolution, 0.01, 16, 0.97},
    {0},
};

static void show(const char *title, size_t done, size_t count, double losses, int rights) {
    printf("%s%s  %4zu/%zu images  loss %.4f  accuracy %5.2f %%", isatty(STDOUT_FILENO) ? "\r" : "",
           title, done, count, losses / (double)done, 100.0 * rights / (double)done);
    fflush(stdout);
}

static bool train_epoch(struct network *net, struct images *set, size_t count, const char *title) {
    double loss, losses = 0;
    int right, rights = 0;
    images_shuffle(set, count, &net->random);
    for (size_t first = 0; first < count; first += BATCH) {
        size_t rows = count - first < BATCH ? count - first : BATCH;
        layerd_tensor x = images_pixels(set, first, rows), y = images_labels(set, first, rows);
        if (!network_train(net, &x, &y, &loss, &right))
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
    size_t count = set->count - first;
    layerd_tensor x = images_pixels(set, first, count), y = images_labels(set, first, count);
    int right = 0;
    if (!network_count_right(net, &x, &y, &right))
        return false;
    *accuracy = right / (double)count;
    return true;
}

static bool learn(struct network *net, struct images *set, const struct course *course, int epochs,
                  double *accuracy) {
    size_t count = set->count - HELD_BACK;
    images_shuffle(set, set->count, &net->random);
    for (int epoch = 1; epoch <= epochs; epoch++) {
        char title[64];
        snprintf(title, sizeof title, "epoch %2d/%d", epoch, epochs);
        net->rate = course->rate * (epochs - epoch + 1) / epochs; /* smaller towards the end */
        if (!train_epoch(net, set, count, title) || !evaluate(net, set, count, accuracy))
            return false;
        printf("  held back %5.2f %%\n", 100 * *accuracy);
    }
    return true;
}

struct options {
    const char *url, *token_file, *data;
    const struct course *course;
    int epochs; /* 0: the course's */
};

static const char help[] =
    "Usage: digits [--url URL] [--token-file FILE] [--data FILE]\n"
    "              [--network NAME] [--epochs N]\n"
    "Trains a network on handwritten digits, each layer and each step of Adam computed by a\n"
    "layerd daemon.\n\n"
    "  --url URL          the daemon (LAYERD_URL, or http://127.0.0.1:8080)\n"
    "  --token-file FILE  whose first line is the token to call with (that in LAYERD_TOKEN)\n"
    "  --data FILE        lines of 64 pixels from 0 to 16 and the digit (tests/data/digits.csv)\n"
    "  --network NAME     affine, of two affine layers (the default), or convolution, of three\n"
    "                     layers\n"
    "  --epochs N         times to go through the images, 1 to 1000 (6, 16)\n"
    "  --help             this text\n\n"
    "Exits 0 if more than 95 % of the images held back (97 % by convolution) are read right,\n"
    "1 if not or after an error, 2 for options it does not know.\n";

static const struct course *find_course(const char *name) {
    const struct course *course = courses;
    while (course->name != NULL && strcmp(course->name, name) != 0)
        course++;
    return course->name != NULL ? course : NULL;
}

/* -1 to go on, or the program's exit status. */
static int read_options(int argc, char **argv, struct options *options) {
    static const struct option names[] = {{"url", required_argument, NULL, 'u'},
                                          {"token-file", required_argument, NULL, 't'},
                                          {"data", required_argument, NULL, 'd'},
                                          {"network", required_argument, NULL, 'n'},
                                          {"epochs", required_argument, NULL, 'e'},
                                          {"help", no_argument, NULL, 'h'},
                                          {0}};
    for (int name; (name = getopt_long(argc, argv, "", names, NULL)) != -1;) {
        if (name == 'u')
            options->url = optarg;
        else if (name == 't')
            options->token_file = optarg;
        else if (name == 'd')
            options->data = optarg;
        else if (name == 'n')
            options->course = find_course(optarg);
        else if (name == 'e')
            options->epochs = atoi(optarg);
        else
            return fputs(help, name == 'h' ? stdout : stderr), name == 'h' ? 0 : 2;
    }
    if (options->course != NULL && options->epochs == 0)
        options->epochs = options->course->epochs;
    if (optind == argc && options->epochs >= 1 && options->epochs <= 1000)
        return -1;
    fputs(help, stderr);
    return 2;
}

/* Has the client call with the token that the first line of a file is. */
static bool use_token(layerd_client *client, const char *path, layerd_error *error) {
    char line[256] = "";
    FILE *file = fopen(path, "r");
    bool read = file != NULL && fgets(line, sizeof line, file) != NULL;
    if (file != NULL)
        fclose(file);
    line[strcspn(line, "\r\n")] = '\0';
    if (read && *line != '\0')
        return layerd_set_token(client, line, error);
    strcpy(error->code, "invalid_input");
    snprintf(error->detail, sizeof error->detail, "There is no token in %s.", path);
    return false;
}

int main(int argc, char **argv) {
    struct options options = {.data = "tests/data/digits.csv", .course = courses};
    int status = read_options(argc, argv, &options);
    if (status != -1)
        return status;

    struct network net = {.random = 231};
    struct images set = {0};
    struct timespec start, end;
    double accuracy = 0;
    clock_gettime(CLOCK_MONOTONIC, &start);
    net.client = layerd_open(options.url, &net.error);
    bool done =
        net.client != NULL &&
        (options.token_file == NULL || use_token(net.client, options.token_file, &net.error)) &&
        images_read(&set, options.data, HELD_BACK, &net.error) && options.course->make(&net) &&
        learn(&net, &set, options.course, options.epochs, &accuracy);
    clock_gettime(CLOCK_MONOTONIC, &end);
    if (done)
        printf("%.2f %% of %d images held back are read right, after %.1f s\n", 100 * accuracy,
               HELD_BACK,
               (double)(end.tv_sec - start.tv_sec) + 1e-9 * (double)(end.tv_nsec - start.tv_nsec));
    else
        fprintf(stderr, "digits: %s (%s)\n", net.error.detail, net.error.code);
    images_free(&set);
    network_free(&net);
    return done && accuracy > options.course->pass ? 0 : 1;
}
