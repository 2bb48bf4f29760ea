/* Shape patterns: matching and making shapes. */
#include "dims.h"

#include <stdio.h>
#include <string.h>

enum { TEXT = 96 };

static layers_dim *find(const layers_dims *dims, char letter) {
    for (int i = 0; i < dims->count; i++)
        if (dims->dim[i].letter == letter)
            return (layers_dim *)&dims->dim[i];
    return NULL;
}

size_t dims_length(const layers_dims *dims, char letter) {
    return find(dims, letter)->length;
}

void dims_derive(layers_dims *dims, char letter, size_t length) {
    dims->dim[dims->count++] = (layers_dim){letter, length, NULL, NULL};
}

/* "(N, *D)" for people, from "N D...". */
static const char *pattern_text(const char *pattern, char text[TEXT]) {
    if (!strcmp(pattern, "..."))
        return strcpy(text, "any shape");
    char *out = text;
    *out++ = '(';
    for (const char *p = pattern; *p; p++) {
        if (*p == ' ') {
            *out++ = ',';
            *out++ = ' ';
        } else if (*p != '.') {
            if (p[1] == '.')
                *out++ = '*';
            *out++ = *p;
        }
    }
    if (strlen(pattern) == 1)
        *out++ = ',';
    strcpy(out, ")");
    return text;
}

static const char *subject_shape(const dims_subject *subject, char text[TEXT]) {
    return layers_shape_text(subject->tensor->shape, subject->tensor->rank, text, TEXT);
}

/* How the list of one is written that a single number was meant for: "; write [1]". */
static const char *single_hint(const dims_subject *subject, char text[TEXT]) {
    const layers_tensor *tensor = subject->tensor;
    bool tail = strchr(subject->pattern, '.');
    int lists = (int)(strcspn(subject->pattern, ".") + 1) / 2 - tail;
    text[0] = '\0';
    if (tensor->rank > 0 || !tensor->data)
        return text;
    char *out = stpcpy(text, "; write ");
    memset(out, '[', (size_t)lists);
    out += lists;
    out += tensor->dtype == LAYERS_F64 ? sprintf(out, "%.17g", *(const double *)tensor->data)
           : tensor->dtype == LAYERS_F32
               ? sprintf(out, "%.9g", *(const float *)tensor->data)
               : sprintf(out, "%lld", (long long)*(const int64_t *)tensor->data);
    memset(out, ']', (size_t)lists);
    out[lists] = '\0';
    return text;
}

static layers_code wrong_rank(const dims_subject *subject, layers_error *error) {
    char want[TEXT], have[TEXT], hint[TEXT];
    return layers_fail(error, LAYERS_INVALID_SHAPE, subject->field,
                       "/%s has shape %s, but must be %s%s", subject->field,
                       subject_shape(subject, have), pattern_text(subject->pattern, want),
                       single_hint(subject, hint));
}

/* Gives the letter its length, or holds the tensor to the length that it has. */
static layers_code bind(layers_dims *dims, char letter, size_t length, const dims_subject *subject,
                        layers_error *error) {
    layers_dim *known = find(dims, letter);
    if (!known) {
        dims->dim[dims->count++] = (layers_dim){letter, length, subject->name, subject->tensor};
        return LAYERS_OK;
    }
    if (known->length == length)
        return LAYERS_OK;
    char want[TEXT], have[TEXT], shape[TEXT], other[2 * TEXT] = "the cache";
    if (known->by)
        snprintf(other, sizeof other, "/%s of shape %s", known->by,
                 layers_shape_text(known->tensor->shape, known->tensor->rank, shape, TEXT));
    return layers_fail(error, LAYERS_SHAPE_MISMATCH, subject->field,
                       "/%s has shape %s, but must be %s with %c = %zu, as %s has it",
                       subject->field, subject_shape(subject, have),
                       pattern_text(subject->pattern, want), letter, known->length, other);
}

static void bind_tail(layers_dims *dims, const dims_subject *subject, int axis) {
    const layers_tensor *tensor = subject->tensor;
    dims->has_tail = true;
    dims->tail_by = subject->name;
    dims->tail_rank = tensor->rank - axis;
    memcpy(dims->tail, tensor->shape + axis, (size_t)dims->tail_rank * sizeof *dims->tail);
}

static layers_code match_any(layers_dims *dims, const dims_subject *subject, layers_error *error) {
    const layers_tensor *tensor = subject->tensor;
    if (!dims->has_tail) {
        bind_tail(dims, subject, 0);
        return LAYERS_OK;
    }
    if (dims->tail_rank == tensor->rank &&
        memcmp(dims->tail, tensor->shape, (size_t)tensor->rank * sizeof *tensor->shape) == 0)
        return LAYERS_OK;
    char want[TEXT], have[TEXT];
    return layers_fail(error, LAYERS_SHAPE_MISMATCH, subject->field,
                       "/%s has shape %s, but %s%s has shape %s, and they must be alike",
                       subject->field, subject_shape(subject, have), dims->tail_by ? "/" : "",
                       dims->tail_by ? dims->tail_by : "the input of the cache",
                       layers_shape_text(dims->tail, dims->tail_rank, want, sizeof want));
}

layers_code dims_match(layers_dims *dims, const dims_subject *subject, layers_error *error) {
    const char *pattern = subject->pattern;
    const layers_tensor *tensor = subject->tensor;
    if (!strcmp(pattern, "..."))
        return match_any(dims, subject, error);
    bool tail = strchr(pattern, '.');
    int letters = (int)(strcspn(pattern, ".") + 1) / 2; /* with a space between */
    if (tail ? tensor->rank < letters - 1 : tensor->rank != letters)
        return wrong_rank(subject, error);
    for (int axis = 0; axis < letters; axis++) {
        size_t length;
        if (tail && axis == letters - 1) {
            bind_tail(dims, subject, axis);
            layers_shape_size(dims->tail, dims->tail_rank, &length);
        } else {
            length = tensor->shape[axis];
        }
        layers_code code = bind(dims, pattern[2 * axis], length, subject, error);
        if (code != LAYERS_OK)
            return code;
    }
    return LAYERS_OK;
}

int dims_shape(const layers_dims *dims, const char *pattern, size_t shape[LAYERS_MAX_RANK]) {
    int rank = 0;
    for (const char *p = pattern; *p; p++) {
        if (*p == ' ')
            continue;
        if (*p == '.' || p[1] == '.') {
            memcpy(shape + rank, dims->tail, (size_t)dims->tail_rank * sizeof *shape);
            return rank + dims->tail_rank;
        }
        shape[rank++] = dims_length(dims, *p);
    }
    return rank;
}
