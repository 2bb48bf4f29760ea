/* A network whose layers and whose updates are computed by a layerd daemon: here are only its
 * weights, and what is called one after the other. */
#ifndef NETWORK_H
#define NETWORK_H

#include "layerd.h"

enum { LAYERS_MOST = 6, WEIGHTS_MOST = 2 };

struct weight {
    const char *name, *gradient; /* as /<kind>/forward and /<kind>/backward call them */
    layerd_tensor *value;
    json_t *config;               /* of /adam/update: its numbers, */
    layerd_tensor *mean, *square; /* and its tensors, "m" and "v" */
};

struct layer {
    const char *kind; /* "conv" */
    json_t *params;   /* sent with forward; NULL for none */
    struct weight weights[WEIGHTS_MOST];
};

struct network {
    layerd_client *client;
    layerd_error error; /* of what failed last */
    int depth;          /* layers */
    struct layer layers[LAYERS_MOST];
    uint64_t random;
    double rate; /* Adam's, of the next step */
};

/* The two networks for images (N, 1, SIDE, SIDE):
 * affine – batchnorm – relu – dropout – affine, and
 * conv – relu – 2 × 2 max_pool – affine – relu – affine. */
bool network_make_affine(struct network *net);
bool network_make_convolution(struct network *net);
void network_free(struct network *net);

/* One step on a batch: its softmax loss before the step, and how many images were read right. */
bool network_train(struct network *net, const layerd_tensor *x, const layerd_tensor *y,
                   double *loss, int *right);

/* How many are read right. */
bool network_count_right(struct network *net, const layerd_tensor *x, const layerd_tensor *y,
                         int *right);

#endif
