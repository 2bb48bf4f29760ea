/* Masks that a caller gives, FLAGS elements at a time. */
#include "mask.h"

#include <stdio.h>
#include <string.h>

#include "bits.h"
#include "blocks.h"
#include "kernel.h"

/* flag[i] = whether element i is 1. False where one is neither 0 nor 1. */
#define READ(name, type)                                                                           \
    KERNEL bool name(const type *element, size_t count, uint8_t *flag) {                           \
        uint8_t others = 0;                                                                        \
        for (size_t i = 0; i < count; i++) {                                                       \
            flag[i] = element[i] == 1;                                                             \
            others |= (uint8_t)((element[i] != 0) & (element[i] != 1));                            \
        }                                                                                          \
        return !others;                                                                            \
    }
READ(read_u8, uint8_t)
READ(read_f32, float)
READ(read_f64, double)
READ(read_i64, int64_t)
#undef READ

static bool read_flags(const layers_tensor *mask, size_t first, size_t count, uint8_t *flag) {
    if (mask->dtype == LAYERS_U8)
        return read_u8((const uint8_t *)mask->data + first, count, flag);
    if (mask->dtype == LAYERS_I64)
        return read_i64((const int64_t *)mask->data + first, count, flag);
    if (mask->dtype == LAYERS_F32)
        return read_f32((const float *)mask->data + first, count, flag);
    return read_f64((const double *)mask->data + first, count, flag);
}

static double element_of(const layers_tensor *mask, size_t i) {
    return mask->dtype == LAYERS_U8    ? ((const uint8_t *)mask->data)[i]
           : mask->dtype == LAYERS_I64 ? (double)((const int64_t *)mask->data)[i]
           : mask->dtype == LAYERS_F32 ? (double)((const float *)mask->data)[i]
                                       : ((const double *)mask->data)[i];
}

layers_code mask_check_dtype(const layers_tensor *mask, const char *field, layers_error *error) {
    if (mask->dtype != LAYERS_BIT)
        return LAYERS_OK;
    return layers_fail(error, LAYERS_WRONG_TYPE, field,
                       "/%s is %s, but must be uint8, int64, float64 or float32", field,
                       layers_dtype_name(mask->dtype));
}

/* LAYERS_INVALID_PARAM for the element i. */
static layers_code fail_at(const layers_tensor *mask, size_t i, const char *field,
                           layers_error *error) {
    char place[sizeof error->field];
    double value = element_of(mask, i);
    size_t used = (size_t)snprintf(place, sizeof place, "%s", field), inner = mask->size;
    for (int axis = 0; axis < mask->rank && used < sizeof place; axis++) {
        inner /= mask->shape[axis];
        used += (size_t)snprintf(place + used, sizeof place - used, "/%zu", i / inner);
        i %= inner;
    }
    return layers_fail(error, LAYERS_INVALID_PARAM, place, "/%s is %.17g, but must be 0 or 1",
                       place, value);
}

layers_code mask_check_values(const layers_tensor *mask, const char *field, layers_error *error) {
    uint8_t flag[FLAGS];
    for (size_t first = 0; mask->data && first < mask->size; first += FLAGS) {
        size_t count = at_most(FLAGS, mask->size - first), i = first;
        if (read_flags(mask, first, count, flag))
            continue;
        while (element_of(mask, i) == flag[i - first])
            i++;
        return fail_at(mask, i, field, error);
    }
    return LAYERS_OK;
}

void mask_pack(const layers_tensor *mask, size_t first, size_t count, uint8_t *bits) {
    uint8_t flag[FLAGS];
    for (size_t i = 0; i < count; i += FLAGS) {
        size_t some = at_most(FLAGS, count - i);
        memset(flag + some, 0, FLAGS - some);
        read_flags(mask, first + i, some, flag);
        bits_pack(flag, some, bits + i / 8);
    }
}
