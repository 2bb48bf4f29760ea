/* Tensors as JSON text. */
#include "codec/json_write.h"

#include <stdio.h>
#include <string.h>

#include "codec/number.h"

enum { LENGTH_TEXT = 21 }; /* a dimension and its comma */

static size_t add(size_t a, size_t b) {
    return __builtin_add_overflow(a, b, &a) ? SIZE_MAX : a;
}

static size_t multiply(size_t a, size_t b) {
    return __builtin_mul_overflow(a, b, &a) ? SIZE_MAX : a;
}

size_t json_tensor_bound(const layers_tensor *tensor, bool flat) {
    size_t number = tensor->dtype == LAYERS_F32 ? NUMBER_F32_TEXT : NUMBER_F64_TEXT;
    size_t bound = multiply(tensor->size, number + 1);
    if (flat)
        return add(bound, sizeof "{'shape':[],'data':[]}" + LENGTH_TEXT * LAYERS_MAX_RANK);
    size_t lists = 1; /* a tensor of no elements may still have many lists */
    for (int i = 0; i < tensor->rank && lists; i++) {
        bound = add(bound, multiply(lists, sizeof "[],"));
        lists = multiply(lists, tensor->shape[i]);
    }
    return bound;
}

char *json_write_raw(char *out, const char *text) {
    size_t length = strlen(text);
    memcpy(out, text, length);
    return out + length;
}

char *json_write_double(char *out, double number) {
    return out + number_write_f64(out, number);
}

/* Elements from `first` on, with commas between. */
static char *write_elements(char *out, const layers_tensor *tensor, size_t first, size_t count) {
    if (count == 0)
        return out;
    if (tensor->dtype == LAYERS_F32) {
        const float *value = (const float *)tensor->data + first;
        for (size_t i = 0; i < count; i++) {
            out += number_write_f32(out, value[i]);
            *out++ = ',';
        }
    } else {
        const double *value = (const double *)tensor->data + first;
        for (size_t i = 0; i < count; i++) {
            out += number_write_f64(out, value[i]);
            *out++ = ',';
        }
    }
    return out - 1;
}

/* The lists from `axis` on; *next is the first element that has not been written. At most
 * LAYERS_MAX_RANK deep. */
static char *write_list(char *out, const layers_tensor *tensor, int axis, size_t *next) {
    *out++ = '[';
    if (axis == tensor->rank - 1) {
        out = write_elements(out, tensor, *next, tensor->shape[axis]);
        *next += tensor->shape[axis];
    } else {
        for (size_t i = 0; i < tensor->shape[axis]; i++) {
            if (i > 0)
                *out++ = ',';
            out = write_list(out, tensor, axis + 1, next);
        }
    }
    *out++ = ']';
    return out;
}

static char *write_flat(char *out, const layers_tensor *tensor) {
    out = json_write_raw(out, "{\"shape\":[");
    for (int i = 0; i < tensor->rank; i++)
        out += sprintf(out, "%s%zu", i ? "," : "", tensor->shape[i]);
    out = json_write_raw(out, "],\"data\":[");
    out = write_elements(out, tensor, 0, tensor->size);
    return json_write_raw(out, "]}");
}

char *json_write_tensor(char *out, const layers_tensor *tensor, bool flat) {
    size_t next = 0;
    if (flat)
        return write_flat(out, tensor);
    if (tensor->rank == 0)
        return write_elements(out, tensor, 0, 1);
    return write_list(out, tensor, 0, &next);
}
