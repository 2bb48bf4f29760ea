/* Tensors and the buffers that they share. */
#include "buffer.h"

#include <stdalign.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

enum { PAGE = 4096, LARGE_FROM = 4 << 20, APART_FROM = 1 << 16, APART = 1024 };

/* A header of 48 bytes puts the data of a large block (which malloc starts 16 bytes into a page) at
 * a multiple of 64, a cache line. */
struct layers_buffer {
    atomic_size_t references;
    size_t bytes;
    alignas(16) unsigned char unused[32];
    alignas(16) unsigned char data[];
};
_Static_assert(offsetof(layers_buffer, data) == 48, "data of large blocks is cache-line aligned");

bool layers_dtype_bytes(layers_dtype dtype, size_t size, size_t *bytes) {
    switch (dtype) {
    case LAYERS_BIT:
        *bytes = size / 8 + (size % 8 != 0);
        return true;
    case LAYERS_U8:
        *bytes = size;
        return true;
    case LAYERS_F32:
        return !__builtin_mul_overflow(size, sizeof(float), bytes);
    case LAYERS_F64:
    case LAYERS_I64:
        break;
    }
    return !__builtin_mul_overflow(size, sizeof(double), bytes);
}

const char *layers_dtype_name(layers_dtype dtype) {
    static const char *const names[] = {
        [LAYERS_F64] = "float64", [LAYERS_F32] = "float32", [LAYERS_I64] = "int64",
        [LAYERS_BIT] = "bit",     [LAYERS_U8] = "uint8",
    };
    return names[dtype];
}

bool layers_shape_size(const size_t *shape, int rank, size_t *size) {
    size_t product = 1;
    bool empty = false;
    for (int i = 0; i < rank; i++) {
        if (shape[i] == 0)
            empty = true;
        else if (__builtin_mul_overflow(product, shape[i], &product))
            return false;
    }
    *size = empty ? 0 : product;
    return product <= PTRDIFF_MAX / sizeof(double);
}

const char *layers_shape_text(const size_t *shape, int rank, char *text, size_t length) {
    size_t used = (size_t)snprintf(text, length, "(");
    for (int i = 0; i < rank; i++) {
        char dimension[32];
        int n = snprintf(dimension, sizeof dimension,
                         rank == 1 ? "%zu,"
                         : i       ? ", %zu"
                                   : "%zu",
                         shape[i]);
        if (used + (size_t)n + sizeof "...)" > length) {
            used += (size_t)snprintf(text + used, length - used, "...");
            break;
        }
        used += (size_t)snprintf(text + used, length - used, "%s", dimension);
    }
    snprintf(text + used, length - used, ")");
    return text;
}

static layers_code out_of_memory(layers_error *error, size_t bytes) {
    return layers_fail(error, LAYERS_NO_MEMORY, NULL, "no memory for a tensor of %zu bytes", bytes);
}

/* A large block is fresh memory, whose pages fault in one by one as it is written: for 32 MB that
 * takes longer than the relu over it. Pages of 2 MB, where the system has them, fault 512 times
 * less. It is a hint: whether it was heard does not matter. */
static void ask_for_huge_pages(void *block, size_t bytes) {
    uintptr_t start = ((uintptr_t)block + PAGE - 1) / PAGE * PAGE, end = (uintptr_t)block + bytes;
    if (bytes >= LARGE_FROM)
        madvise((char *)block + (start - (uintptr_t)block), (end - start) / PAGE * PAGE,
                MADV_HUGEPAGE);
}

/* Of blocks one behind the other, each as long as some pages, the second starts a header
 * beyond a multiple of a page from the first: whoever reads the one and writes the other has each
 * load wait for a store that its last 12 bits are like, and takes twice the time. A gap puts them
 * apart. */
static layers_buffer *buffer_make(size_t bytes, layers_error *error) {
    size_t total;
    layers_buffer *buffer = NULL;
    if (!__builtin_add_overflow(bytes, sizeof *buffer + (bytes >= APART_FROM ? APART : 0), &total))
        buffer = malloc(total);
    ask_for_huge_pages(buffer, buffer ? total : 0);
    if (!buffer) {
        out_of_memory(error, bytes);
        return NULL;
    }
    atomic_init(&buffer->references, 1);
    buffer->bytes = bytes;
    return buffer;
}

static bool is_ours(layers_buffer *buffer) {
    return atomic_load_explicit(&buffer->references, memory_order_acquire) == 1;
}

bool layers_tensor_is_sole(const layers_tensor *tensor) {
    layers_buffer *buffer = tensor->buffer;
    size_t bytes;
    return buffer && layers_dtype_bytes(tensor->dtype, tensor->size, &bytes) &&
           buffer->bytes == bytes && tensor->data == buffer->data && is_ours(buffer);
}

layers_code layers_tensor_renew(layers_tensor *tensor, layers_dtype dtype, const size_t *shape,
                                int rank, layers_error *error) {
    size_t size, bytes;
    layers_buffer *buffer = NULL, *old = tensor->buffer;
    if (!layers_shape_size(shape, rank, &size) || !layers_dtype_bytes(dtype, size, &bytes)) {
        layers_fail(error, LAYERS_TOO_LARGE, NULL, "the tensor has too many elements");
    } else if (old && old->bytes == bytes && is_ours(old)) {
        buffer = old;
        old = NULL;
    } else {
        buffer = buffer_make(bytes, error);
    }
    layers_buffer_unref(old);
    if (!buffer) {
        *tensor = (layers_tensor){0};
        return error->code;
    }
    for (int i = 0; i < rank; i++)
        tensor->shape[i] = shape[i];
    tensor->dtype = dtype;
    tensor->rank = rank;
    tensor->size = size;
    tensor->data = buffer->data;
    tensor->buffer = buffer;
    return LAYERS_OK;
}

layers_code layers_tensor_make(layers_tensor *tensor, layers_dtype dtype, const size_t *shape,
                               int rank, layers_error *error) {
    tensor->buffer = NULL;
    return layers_tensor_renew(tensor, dtype, shape, rank, error);
}

layers_tensor layers_tensor_wrap(layers_dtype dtype, const size_t *shape, int rank, void *data) {
    layers_tensor tensor = {.dtype = dtype, .rank = rank, .data = data};
    for (int i = 0; i < rank; i++)
        tensor.shape[i] = shape[i];
    layers_shape_size(shape, rank, &tensor.size);
    return tensor;
}

layers_buffer *layers_buffer_ref(layers_buffer *buffer) {
    if (buffer)
        atomic_fetch_add_explicit(&buffer->references, 1, memory_order_relaxed);
    return buffer;
}

void layers_buffer_unref(layers_buffer *buffer) {
    if (buffer && atomic_fetch_sub_explicit(&buffer->references, 1, memory_order_acq_rel) == 1)
        free(buffer);
}

size_t layers_buffer_bytes(const layers_buffer *buffer) {
    return buffer ? buffer->bytes : 0;
}

layers_tensor layers_tensor_share(const layers_tensor *tensor) {
    layers_buffer_ref(tensor->buffer);
    return *tensor;
}

static bool is_aligned(const void *data, layers_dtype dtype) {
    size_t one;
    layers_dtype_bytes(dtype, 1, &one); /* of all of these types the size is the alignment */
    return (uintptr_t)data % one == 0;
}

bool layers_tensor_view(layers_tensor *view, const layers_tensor *whole, layers_dtype dtype,
                        const size_t *shape, int rank, size_t offset) {
    size_t size, bytes, room;
    char *data = whole->data;
    *view = (layers_tensor){0};
    if (!data || !layers_shape_size(shape, rank, &size) ||
        !layers_dtype_bytes(dtype, size, &bytes) ||
        !layers_dtype_bytes(whole->dtype, whole->size, &room) || offset > room ||
        bytes > room - offset || !is_aligned(data + offset, dtype))
        return false;
    *view = layers_tensor_wrap(dtype, shape, rank, data + offset);
    view->buffer = layers_buffer_ref(whole->buffer);
    return true;
}

void layers_tensor_clear(layers_tensor *tensor) {
    layers_buffer_unref(tensor->buffer);
    tensor->rank = 0;
    tensor->size = 0;
    tensor->data = NULL;
    tensor->buffer = NULL;
}

layers_code layers_tensor_resize(layers_tensor *tensor, size_t capacity, layers_error *error) {
    size_t bytes, total;
    if (!layers_dtype_bytes(tensor->dtype, capacity, &bytes) ||
        __builtin_add_overflow(bytes, sizeof *tensor->buffer, &total))
        return layers_fail(error, LAYERS_TOO_LARGE, NULL, "the tensor has too many elements");
    layers_buffer *buffer = realloc(tensor->buffer, total);
    if (!buffer)
        return out_of_memory(error, bytes);
    buffer->bytes = bytes;
    tensor->buffer = buffer;
    tensor->data = buffer->data;
    tensor->shape[0] = tensor->size = capacity;
    return LAYERS_OK;
}

size_t layers_tensor_memory(const layers_tensor *tensor) {
    return layers_buffer_bytes(tensor->buffer);
}
