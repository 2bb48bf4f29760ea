/* The table of operations: a layer's file describes its own, one line a file makes them known. */
#include <string.h>

#include "layers/layers.h"

extern const layers_operation affine_forward, affine_backward;
extern const layers_operation relu_forward, relu_backward;
extern const layers_operation batchnorm_forward, batchnorm_backward;
extern const layers_operation dropout_forward, dropout_backward;
extern const layers_operation svm_loss;
extern const layers_operation softmax_loss;

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
