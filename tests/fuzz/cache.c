/* Values of a store that is elsewhere: what is read of a stranger's bytes can be computed with, and
 * goes out as it came in. */
#include <string.h>

#include "fuzz.h"
#include "store/value.h"

enum { MOST = 1 << 20, PIECE = 1 << 20 };

/* The shape of the gradient that backward takes: that of what forward gave. */
static bool shape_of_gradient(const layers_cache_parts *parts, layers_tensor *dout) {
    const layers_operation *operation = parts->operation;
    layers_call call = {.operation = operation, .dtype = parts->dtype};
    layers_error error;
    memcpy(call.inputs, parts->inputs, sizeof call.inputs);
    for (int i = 0; operation->params && operation->params[i].name; i++)
        if (!layers_is_tensor(&operation->params[i]))
            call.params[i] = (layers_value){
                .given = true, .number = parts->number[i], .choice = parts->choice[i]};
    HOLDS(layers_prepare(&call, &error) == LAYERS_OK);
    *dout = call.outputs[0];
    return call.output_bytes <= MOST && call.work <= MOST;
}

static void backward_holds(layers_cache *cache, const layers_tensor *shape) {
    layers_call call = {.operation = layers_find(layers_cache_layer(cache), "backward"),
                        .dtype = layers_cache_dtype(cache),
                        .cache = layers_cache_ref(cache)};
    layers_error error;
    size_t bytes;
    HOLDS(layers_tensor_make(&call.inputs[0], shape->dtype, shape->shape, shape->rank, &error) ==
          LAYERS_OK);
    layers_dtype_bytes(shape->dtype, shape->size, &bytes);
    memset(call.inputs[0].data, 0x3f, bytes);
    HOLDS(layers_prepare(&call, &error) == LAYERS_OK);
    if (call.output_bytes <= MOST && call.work <= MOST)
        HOLDS(layers_run(&call, &error) == LAYERS_OK);
    layers_call_clear(&call);
}

static void cache_holds(layers_cache *cache) {
    layers_cache_parts parts;
    layers_tensor dout;
    layers_cache_take_apart(cache, &parts);
    if (shape_of_gradient(&parts, &dout))
        backward_holds(cache, &dout);
    layers_cache_parts_clear(&parts);
}

/* The file of an image, in memory of its own. */
static layers_tensor file_of(const value_image *image) {
    layers_tensor file;
    layers_error error;
    size_t length = image->header_length + image->data_bytes;
    HOLDS(layers_tensor_make(&file, LAYERS_U8, &length, 1, &error) == LAYERS_OK);
    char *to = mempcpy(file.data, image->header, image->header_length);
    for (int i = 0; i < image->count; i++)
        to = mempcpy(to, image->data[i], image->bytes[i]);
    return file;
}

/* Written, read and written again it is the same, but for when it was written. */
static void comes_back(const store_value *value) {
    static value_image first, second;
    char text[VALUE_TEXT];
    store_value again;
    value_head head;
    value_image_make(&first, value, 100, PIECE);
    layers_tensor file = file_of(&first);
    HOLDS(value_head_read(&head, file.data, file.size, text));
    HOLDS(head.header_length == first.header_length && head.data_bytes == first.data_bytes);
    HOLDS(value_read(&again, &file, text));
    value_image_make(&second, &again, 100, PIECE);
    HOLDS(first.data_bytes == second.data_bytes && first.count == second.count);
    for (int i = 0; i < first.count; i++)
        HOLDS(first.bytes[i] == second.bytes[i] &&
              !memcmp(first.data[i], second.data[i], first.bytes[i]));
    value_image_clear(&first);
    value_image_clear(&second);
    store_value_clear(&again);
    layers_tensor_clear(&file);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    layers_tensor file;
    layers_error error;
    store_value value;
    value_head head;
    char text[VALUE_TEXT] = "";
    HOLDS(layers_tensor_make(&file, LAYERS_U8, &size, 1, &error) == LAYERS_OK);
    if (size > 0)
        memcpy(file.data, data, size);
    value_pieces(file.data, size);
    value_head_read(&head, file.data, size, text);
    *text = '\0';
    if (value_read(&value, &file, text)) {
        if (value.cache)
            cache_holds(value.cache);
        comes_back(&value);
        store_value_clear(&value);
    } else {
        HOLDS(*text && !value.cache && !value.tensor.data);
    }
    layers_tensor_clear(&file);
    return 0;
}
