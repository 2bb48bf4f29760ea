/* The table of operations: a layer's file describes its own, one line a file makes them known. */
#include <string.h>

#include "layers/layers.h"

extern const layers_operation affine_forward, affine_backward;
extern const layers_operation relu_forward, relu_backward;
extern const layers_operation batchnorm_forward, batchnorm_backward;
extern const layers_operation dropout_forward, dropout_backward;
extern const layers_operation svm_loss;
extern const layers_operation softmax_loss;
extern const layers_operation layernorm_forward, layernorm_backward;
extern const layers_operation conv_forward, conv_backward;
extern const layers_operation max_pool_forward, max_pool_backward;
extern const layers_operation spatial_batchnorm_forward, spatial_batchnorm_backward;
extern const layers_operation spatial_groupnorm_forward, spatial_groupnorm_backward;
extern const layers_operation sgd_update;
extern const layers_operation sgd_momentum_update;
extern const layers_operation rmsprop_update;
extern const layers_operation adam_update;

const layers_operation *const layers_operations[] = {
    &affine_forward,
    &affine_backward, /* affine.c */
    &relu_forward,
    &relu_backward, /* relu.c */
    &batchnorm_forward,
    &batchnorm_backward, /* batchnorm.c */
    &dropout_forward,
    &dropout_backward, /* dropout.c */
    &svm_loss,         /* svm.c */
    &softmax_loss,     /* softmax.c */
    &layernorm_forward,
    &layernorm_backward, /* layernorm.c */
    &conv_forward,
    &conv_backward, /* conv.c */
    &max_pool_forward,
    &max_pool_backward, /* max_pool.c */
    &spatial_batchnorm_forward,
    &spatial_batchnorm_backward, /* spatial_batchnorm.c */
    &spatial_groupnorm_forward,
    &spatial_groupnorm_backward, /* spatial_groupnorm.c */
    &sgd_update,                 /* sgd.c */
    &sgd_momentum_update,        /* sgd_momentum.c */
    &rmsprop_update,             /* rmsprop.c */
    &adam_update,                /* adam.c */
    NULL,
};

const layers_operation *layers_find(const char *layer, const char *name) {
    for (const layers_operation *const *row = layers_operations; *row; row++)
        if (!strcmp((*row)->layer, layer) && !strcmp((*row)->name, name))
            return *row;
    return NULL;
}

const char *layers_version(void) {
    return LAYERS_VERSION;
}
