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

static size_t name_bound(const char *owner, const char *name) {
    return (owner ? strlen(owner) + 1 : 0) + strlen(name);
}

size_t safetensors_bound(const safetensors_contents *contents) {
    size_t bound = LENGTH_BYTES + sizeof "{'__metadata__':{}}" + ALIGNMENT;
    for (size_t i = 0; i < contents->text_count; i++) {
        const safetensors_text_named *named = &contents->texts[i];
        bound += name_bound(named->owner, named->name) + sizeof "'':''," +
                 (named->longer ? strlen(named->longer) : SAFETENSORS_TEXT);
    }
    for (size_t i = 0; i < contents->tensor_count; i++) {
        const safetensors_tensor_named *named = &contents->tensors[i];
        bound += name_bound(named->owner, named->name) +
                 sizeof "'':{'dtype':'F64','shape':[],'data_offsets':[,]}," +
                 ((size_t)named->tensor->rank + 2) * NUMBER_TEXT;
        if (__builtin_add_overflow(bound, tensor_bytes(named->tensor), &bound))
            return SIZE_MAX;
    }
    return bound;
}

/* "owner.name": */
static char *write_name(char *out, const char *owner, const char *name) {
    *out++ = '"';
    if (owner)
        out = stpcpy(stpcpy(out, owner), ".");
    return stpcpy(stpcpy(out, name), "\":");
}

static char *write_texts(char *out, const safetensors_contents *contents) {
    out = stpcpy(out, "\"__metadata__\":{");
    for (size_t i = 0; i < contents->text_count; i++) {
        const safetensors_text_named *named = &contents->texts[i];
        if (i > 0)
            *out++ = ',';
        out = write_name(out, named->owner, named->name);
        out += sprintf(out, "\"%s\"", named->longer ? named->longer : named->text);
    }
    return stpcpy(out, "}");
}

/* Its bytes stand from *offset on, which moves behind them. */
static char *write_entry(char *out, const safetensors_tensor_named *named, size_t *offset) {
    static const char *const dtypes[] = {
        [LAYERS_F64] = "F64", [LAYERS_F32] = "F32", [LAYERS_I64] = "I64", [LAYERS_U8] = "U8"};
    const layers_tensor *tensor = named->tensor;
    size_t begin = *offset;
    *offset += tensor_bytes(tensor);
    out = write_name(out, named->owner, named->name);
    out += sprintf(out, "{\"dtype\":\"%s\",\"shape\":[", dtypes[tensor->dtype]);
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
    for (size_t i = 0; i < contents->tensor_count; i++) {
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
    for (size_t i = 0; i < contents->tensor_count; i++) {
        const layers_tensor *tensor = contents->tensors[i].tensor;
        if (tensor->size > 0)
            end = mempcpy(end, tensor->data, tensor_bytes(tensor));
    }
    return end;
}
