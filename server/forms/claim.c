/* What all forms have of claims in common. */
#include "forms/claim.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

const char *claim_taker(const layers_operation *operation, char taker[FORM_TAKER]) {
    snprintf(taker, FORM_TAKER, "a claim of %s/%s", operation->layer, operation->name);
    return taker;
}

bool claim_precision(form_claim *claim, const char *word, problem *problem) {
    for (layers_dtype dtype = LAYERS_F64; dtype <= LAYERS_F32; dtype++)
        if (!strcmp(word, layers_dtype_name(dtype))) {
            claim->precision = dtype;
            return true;
        }
    char text[48];
    return problem_set(problem, PROBLEM_INVALID_PARAM, "/precision",
                       "/precision is \"%s\", but must be \"float64\" or \"float32\"",
                       text_clip(text, sizeof text, word));
}

bool claim_tolerance(form_claim *claim, const char *name, double number, problem *problem) {
    char pointer[FORM_POINTER] = "/tolerance";
    claim->has_tolerance = true;
    *(!strcmp(name, "rtol") ? &claim->tolerance.rtol : &claim->tolerance.atol) = number;
    if (number >= 0 && isfinite(number))
        return true;
    pointer_add(pointer, sizeof pointer, name);
    return problem_set(problem, PROBLEM_INVALID_PARAM, pointer,
                       "%s is %.17g, but must be a finite number of at least 0", pointer, number);
}

bool claim_is_given(const form_claim *claim, int place) {
    const layers_operation *operation = claim->call.operation;
    if (place < LAYERS_MAX_TENSORS) {
        const layers_tensor *tensor = &claim->call.inputs[place];
        return tensor->rank > 0 || tensor->size > 0;
    }
    int i = place - LAYERS_MAX_TENSORS;
    const layers_tensor *tensor = &claim->call.params[i].tensor;
    return operation->params[i].kind == LAYERS_TENSOR ? tensor->rank > 0 || tensor->size > 0
                                                      : claim->call.params[i].given;
}

bool claim_is_there(const form_claim *claim, problem *problem) {
    const layers_operation *operation = claim->call.operation;
    bool there = false;
    for (int i = 0; operation->inputs[i].name; i++)
        there |= claim_is_given(claim, i);
    for (int i = 0; operation->params && operation->params[i].name; i++)
        there |= claim_is_given(claim, LAYERS_MAX_TENSORS + i);
    return there || problem_set(problem, PROBLEM_MISSING_FIELD, "/claim",
                                "%s needs /claim, an object with one or more of the outputs "
                                "of %s/%s, e.g. \"%s\"",
                                claim->open ? "an answer" : "a check", operation->layer,
                                operation->name, operation->inputs[0].name);
}
