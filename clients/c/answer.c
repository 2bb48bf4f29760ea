/* Answers: tensors and values by their names. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "internal.h"

bool layerd_json_number(const json_t *json, double *number) {
    if (json_is_number(json)) {
        *number = json_number_value(json);
        return true;
    }
    const char *text = json_string_value(json);
    if (text == NULL)
        return false;
    if (strcmp(text, "NaN") == 0)
        *number = NAN;
    else if (strcmp(text, "Infinity") == 0)
        *number = INFINITY;
    else if (strcmp(text, "-Infinity") == 0)
        *number = -INFINITY;
    else
        return false;
    return true;
}

bool layerd_answer_add(layerd_answer *answer, const char *name, layerd_tensor *tensor,
                       layerd_error *error) {
    layerd_named named = {strdup(name), tensor}, *longer = NULL;
    if (named.name != NULL)
        longer = realloc(answer->tensors, (answer->count + 1) * sizeof *longer);
    if (longer == NULL) {
        free(named.name);
        layerd_tensor_free(tensor);
        return layerd_fail_memory(error);
    }
    answer->tensors = longer;
    answer->tensors[answer->count++] = named;
    return true;
}

void layerd_answer_free(layerd_answer *answer) {
    if (answer == NULL)
        return;
    for (size_t i = 0; i < answer->count; i++) {
        layerd_tensor_free(answer->tensors[i].tensor);
        free(answer->tensors[i].name);
    }
    free(answer->tensors);
    json_decref(answer->values);
    free(answer);
}

static layerd_tensor **find(const layerd_answer *answer, const char *name) {
    for (size_t i = 0; answer != NULL && i < answer->count; i++)
        if (strcmp(answer->tensors[i].name, name) == 0)
            return &answer->tensors[i].tensor;
    return NULL;
}

layerd_tensor *layerd_answer_tensor(const layerd_answer *answer, const char *name) {
    layerd_tensor **place = find(answer, name);
    return place == NULL ? NULL : *place;
}

layerd_tensor *layerd_answer_take(layerd_answer *answer, const char *name) {
    layerd_tensor **place = find(answer, name);
    if (place == NULL)
        return NULL;
    layerd_tensor *tensor = *place;
    *place = NULL;
    return tensor;
}

/* What stands inside an object under a name with dots. */
static json_t *inside(json_t *value, const char *name) {
    const char *dot;
    for (; value != NULL && (dot = strchr(name, '.')) != NULL; name = dot + 1)
        value = json_object_getn(value, name, (size_t)(dot - name));
    return json_object_get(value, name);
}

json_t *layerd_answer_value(const layerd_answer *answer, const char *name) {
    return answer == NULL ? NULL : inside(answer->values, name);
}

bool layerd_answer_number(const layerd_answer *answer, const char *name, double *number) {
    if (layerd_json_number(layerd_answer_value(answer, name), number))
        return true;
    /* A scalar may as well come as a tensor of rank 0. */
    const layerd_tensor *tensor = layerd_answer_tensor(answer, name);
    if (tensor == NULL || tensor->rank != 0 || !layerd_is_float(tensor->dtype))
        return false;
    *number = tensor->dtype == LAYERD_FLOAT32 ? (double)*tensor->f32 : *tensor->f64;
    return true;
}

const char *layerd_answer_cache(const layerd_answer *answer) {
    return json_string_value(layerd_answer_value(answer, "cache"));
}

const char *layerd_answer_kept(const layerd_answer *answer, const char *name) {
    return json_string_value(inside(layerd_answer_value(answer, "kept"), name));
}
