/* Tensors as JSON text. */
#include "codec/json_write.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "codec/number.h"

enum {
    LENGTH_TEXT = 21, /* a dimension and its comma */
    INTEGER_TEXT = 20,
    PIECE = 96 << 10, /* bytes at most that are worth waking another thread for */
    PIECES_MOST = 128,
};

static size_t add(size_t a, size_t b) {
    return __builtin_add_overflow(a, b, &a) ? SIZE_MAX : a;
}

static size_t multiply(size_t a, size_t b) {
    return __builtin_mul_overflow(a, b, &a) ? SIZE_MAX : a;
}

size_t json_tensor_bound(const layers_tensor *tensor, bool flat) {
    size_t number = tensor->dtype == LAYERS_F64   ? NUMBER_F64_TEXT
                    : tensor->dtype == LAYERS_F32 ? NUMBER_F32_TEXT
                                                  : INTEGER_TEXT;
    size_t bound = multiply(tensor->size, number + 1);
    if (flat)
        return add(bound,
                   sizeof "{'shape':[],'data':[],'dtype':'int64'}" + LENGTH_TEXT * LAYERS_MAX_RANK);
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

/* Labels, or a mask. */
static char *write_integers(char *out, const layers_tensor *tensor, size_t first, size_t count) {
    for (size_t i = first; i < first + count; i++) {
        int64_t value = tensor->dtype == LAYERS_I64 ? ((const int64_t *)tensor->data)[i]
                                                    : ((const uint8_t *)tensor->data)[i];
        out += sprintf(out, "%" PRId64 ",", value);
    }
    return out - 1;
}

/* Elements from `first` on, with commas between. */
static char *write_elements(char *out, const layers_tensor *tensor, size_t first, size_t count) {
    if (count == 0)
        return out;
    if (tensor->dtype != LAYERS_F32 && tensor->dtype != LAYERS_F64)
        return write_integers(out, tensor, first, count);
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

/* Items of `axis`, which are lists or numbers, with commas between; *next is the first element that
 * has not been written. At most LAYERS_MAX_RANK deep. */
static char *write_items(char *out, const layers_tensor *tensor, int axis, size_t count,
                         size_t *next) {
    if (axis == tensor->rank - 1) {
        out = write_elements(out, tensor, *next, count);
        *next += count;
        return out;
    }
    for (size_t i = 0; i < count; i++) {
        if (i > 0)
            *out++ = ',';
        *out++ = '[';
        out = write_items(out, tensor, axis + 1, tensor->shape[axis + 1], next);
        *out++ = ']';
    }
    return out;
}

/* The items of the first axis, in pieces that are written at once, each to where it stands if all
 * before it are as long as can be. */
typedef struct {
    const layers_tensor *tensor;
    char *out;
    size_t count, elements, bound; /* pieces; elements of an item; bytes of one at most */
    size_t length[PIECES_MOST];
} pieces;

static size_t first_item(const pieces *p, size_t piece) {
    return p->tensor->shape[0] * piece / p->count;
}

static void write_piece(void *argument, size_t i) {
    pieces *p = argument;
    size_t first = first_item(p, i), next = first * p->elements;
    char *start = p->out + first * p->bound;
    char *end = write_items(start, p->tensor, 0, first_item(p, i + 1) - first, &next);
    p->length[i] = (size_t)(end - start);
}

/* A list of all there is, of rank 1 at least. */
static char *write_list(char *out, const layers_tensor *tensor, layers_pool *pool) {
    size_t items = tensor->shape[0];
    layers_tensor item = {.dtype = tensor->dtype, .rank = tensor->rank - 1};
    memcpy(item.shape, tensor->shape + 1, (size_t)item.rank * sizeof *item.shape);
    item.size = items ? tensor->size / items : 0;
    pieces p; /* without the lengths: to clear them takes as long as to write a few numbers */
    p.tensor = tensor;
    p.elements = item.size;
    p.bound = json_tensor_bound(&item, false);
    p.count = items ? items * p.bound / PIECE : 0;
    p.count = p.count < items ? p.count : items;
    p.count = p.count < 1 ? 1 : p.count < PIECES_MOST ? p.count : PIECES_MOST;
    *out++ = '[';
    p.out = out;
    layers_pool_run(pool, p.count, write_piece, &p);
    out += p.length[0];
    for (size_t i = 1; i < p.count; i++) {
        *out++ = ',';
        memmove(out, p.out + first_item(&p, i) * p.bound, p.length[i]);
        out += p.length[i];
    }
    *out++ = ']';
    return out;
}

static char *write_flat(char *out, const layers_tensor *tensor, layers_pool *pool) {
    out = json_write_raw(out, "{\"shape\":[");
    for (int i = 0; i < tensor->rank; i++)
        out += sprintf(out, "%s%zu", i ? "," : "", tensor->shape[i]);
    out = json_write_raw(out, "],\"data\":");
    layers_tensor list = layers_tensor_wrap(tensor->dtype, &tensor->size, 1, tensor->data);
    out = write_list(out, &list, pool);
    return json_write_raw(out, tensor->dtype == LAYERS_I64 ? ",\"dtype\":\"int64\"}" : "}");
}

char *json_write_tensor(char *out, const layers_tensor *tensor, bool flat, layers_pool *pool) {
    if (flat)
        return write_flat(out, tensor, pool);
    if (tensor->rank == 0)
        return write_elements(out, tensor, 0, 1);
    return write_list(out, tensor, pool);
}
