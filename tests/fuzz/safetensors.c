/* safetensors files: what is read accounts for every byte, and its tensors are there. */
#include <string.h>

#include "codec/safetensors_read.h"
#include "fuzz.h"

static void entry_holds(const safetensors_entry *entry, const layers_tensor *file, size_t *end) {
    size_t size;
    HOLDS(entry->rank >= 0 && entry->rank <= LAYERS_MAX_RANK && entry->name && entry->dtype);
    HOLDS(layers_shape_size(entry->shape, entry->rank, &size) && size == entry->size);
    HOLDS(entry->begin == *end && entry->end - entry->begin == size * entry->dtype->bytes);
    HOLDS(entry->end <= file->size);
    *end = entry->end;
}

static void tensor_holds(const safetensors_entry *entry, const layers_tensor *file) {
    layers_tensor tensor;
    problem problem;
    size_t bytes;
    HOLDS(safetensors_tensor(entry, file, NULL, &tensor, &problem));
    HOLDS(tensor.dtype == entry->dtype->as && tensor.size == entry->size);
    HOLDS(tensor.rank == entry->rank && (uintptr_t)tensor.data % 8 % entry->dtype->bytes == 0);
    HOLDS(layers_dtype_bytes(tensor.dtype, tensor.size, &bytes));
    volatile char sum = 0;
    for (size_t i = 0; i < bytes; i++)
        sum = (char)(sum ^ ((const char *)tensor.data)[i]);
    layers_tensor_clear(&tensor);
}

static void file_holds(const safetensors_file *file, const layers_tensor *bytes) {
    uint64_t header;
    memcpy(&header, bytes->data, sizeof header);
    size_t end = sizeof header + (size_t)header;
    for (size_t i = 0; i < file->count; i++) {
        char pointer[192];
        entry_holds(&file->entries[i], bytes, &end);
        HOLDS(*safetensors_pointer(file->entries[i].name, pointer, sizeof pointer) == '/');
        if (file->entries[i].dtype->is_read)
            tensor_holds(&file->entries[i], bytes);
    }
    HOLDS(end == bytes->size);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    safetensors_file file;
    layers_tensor bytes;
    layers_error error;
    problem problem;
    HOLDS(layers_tensor_make(&bytes, LAYERS_U8, &size, 1, &error) == LAYERS_OK);
    if (size > 0)
        memcpy(bytes.data, data, size);
    if (safetensors_read(&file, bytes.data, size, SAFETENSORS_HEADER, &problem)) {
        file_holds(&file, &bytes);
        safetensors_free(&file);
    } else {
        problem_holds(&problem);
        HOLDS(problem.kind != PROBLEM_OVERLOADED);
    }
    layers_tensor_clear(&bytes);
    return 0;
}
