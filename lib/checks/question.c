/* What a check takes, and what can be claimed. */
#include <string.h>

#include "checks/check.h"

static const layers_operation *forward_of(const layers_operation *operation) {
    return operation->cache == LAYERS_CACHE_TAKEN ? layers_find(operation->layer, "forward")
                                                  : operation;
}

static int add_fields(layers_field *to, int count, const layers_field *fields) {
    for (; fields->name; fields++)
        to[count++] = *fields;
    to[count] = (layers_field){0};
    return count;
}

/* The parameters that come back: all but masks, which stand last. */
static void add_params(layers_param *to, const layers_param *params) {
    for (; params->name && params->kind != LAYERS_MASK; params++, to++) {
        *to = *params;
        to->required = to->has_fallback = false;
    }
    *to = (layers_param){0};
}

void layers_question_make(layers_question *question, const layers_operation *operation) {
    const layers_operation *forward = forward_of(operation);
    int count = add_fields(question->take, 0, forward->inputs);
    question->operation = operation;
    question->takes = (layers_operation){.layer = operation->layer,
                                         .name = operation->name,
                                         .summary = operation->summary,
                                         .inputs = question->take,
                                         .outputs = operation->outputs,
                                         .params_name = forward->params_name,
                                         .params = forward->params};
    question->claims = (layers_operation){.layer = operation->layer,
                                          .name = operation->name,
                                          .summary = operation->summary,
                                          .inputs = question->claim,
                                          .outputs = operation->outputs};
    if (forward != operation)
        add_fields(question->take, count, operation->inputs);
    add_fields(question->claim, 0, operation->outputs);
    if (operation->params_back) {
        add_params(question->claim_params, operation->params);
        question->claims.params_name = operation->params_name;
        question->claims.params = question->claim_params;
    }
}
