/* Tensors and texts as a safetensors file. */
#include "codec/safetensors_write.h"

#include <stdio.h>
#include <string.h>

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "the format is little-endian");

enum {
    LENGTH_BYTES = 8,
    ALIGNMENT = 8,
    NUMBER_TEXT = 21, /* a dimension or an offset, and its comma */
};

static size_t tensor_bytes(const layers_tensor *tensor) {
    size_t bytes;
    return layers_dtype_bytes(tensor->dtype, tensor->size, &bytes) ? bytes : SIZE_MAX;
}

size_t safetensors_bound(const safetensors_contents *contents) {
    size_t bound = LENGTH_BYTES + sizeof "{'__metadata__':{}}" + ALIGNMENT +
                   (size_t)contents->text_count * (2 * SAFETENSORS_NAME + sizeof "'':'',");
    for (int i = 0; i < contents->tensor_count; i++) {
        const layers_tensor *tensor = contents->tensors[i].tensor;
        bound += SAFETENSORS_NAME + sizeof "'':{'dtype':'F64','shape':[],'data_offsets':[,]}," +
                 ((size_t)tensor->rank + 2) * NUMBER_TEXT;
        if (__builtin_add_overflow(bound, tensor_bytes(tensor), &bound))
            return SIZE_MAX;
    }
    return bound;
}

static char *write_texts(char *out, const safetensors_contents *contents) {
    out = stpcpy(out, "\"__metadata__\":{");
    for (int i = 0; i < contents->text_count; i++)
        out += sprintf(out, "%s\"%s\":\"%s\"", i > 0 ? "," : "", contents->texts[i].name,
                       contents->texts[i].text);
    return stpcpy(out, "}");
}

/* Its bytes stand from *offset on, which moves behind them. */
static char *write_entry(char *out, const safetensors_tensor_named *named, size_t *offset) {
    const layers_tensor *tensor = named->tensor;
    size_t begin = *offset;
    *offset += tensor_bytes(tensor);
    out += sprintf(out, "\"%s\":{\"dtype\":\"%s\",\"shape\":[", named->name,
                   tensor->dtype == LAYERS_F32 ? "F32" : "F64");
    for (int i = 0; i < tensor->rank; i++)
        out += sprintf(out, "%s%zu", i > 0 ? "," : "", tensor->shape[i]);
    return out + sprintf(out, "],\"data_offsets\":[%zu,%zu]}", begin, *offset);
}

static char *write_header(char *out, const safetensors_contents *contents) {
    const char *start = out;
    size_t offset = 0;
    *out++ = '{';
    if (contents->text_count > 0)
        out = write_texts(out, contents);
    for (int i = 0; i < contents->tensor_count; i++) {
        if (i > 0 || contents->text_count > 0)
            *out++ = ',';
        out = write_entry(out, &contents->tensors[i], &offset);
    }
    *out++ = '}';
    while ((out - start) % ALIGNMENT != 0)
        *out++ = ' ';
    return out;
}

char *safetensors_write(char *out, const safetensors_contents *contents) {
    char *header = out + LENGTH_BYTES;
    char *end = write_header(header, contents);
    uint64_t length = (uint64_t)(end - header);
    memcpy(out, &length, sizeof length);
    for (int i = 0; i < contents->tensor_count; i++) {
        const layers_tensor *tensor = contents->tensors[i].tensor;
        if (tensor->size > 0)
            end = mempcpy(end, tensor->data, tensor_bytes(tensor));
    }
    return end;
}
