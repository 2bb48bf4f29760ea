/* JSON request bodies: the first byte chooses dtypes, the rest is a body. What is read is what
 * Jansson reads, and what is refused as malformed Jansson refuses, too. Threads that share the
 * reading find the same. */
#include <jansson.h>
#include <string.h>

#include "codec/json_value.h"
#include "fuzz.h"

static layers_dtype dtype_of(unsigned choice) {
    return choice % 3 == 0 ? LAYERS_F64 : choice % 3 == 1 ? LAYERS_F32 : LAYERS_I64;
}

static void tensor_holds(const layers_tensor *tensor, layers_dtype dtype) {
    size_t size;
    HOLDS(tensor->dtype == dtype && tensor->rank >= 0 && tensor->rank <= LAYERS_MAX_RANK);
    HOLDS(layers_shape_size(tensor->shape, tensor->rank, &size) && size == tensor->size);
    HOLDS(tensor->data);
    size_t bytes;
    HOLDS(layers_dtype_bytes(dtype, size, &bytes) && bytes <= layers_tensor_memory(tensor));
    volatile char sum = 0;
    for (size_t i = 0; i < bytes; i++)
        sum = (char)(sum ^ ((const char *)tensor->data)[i]);
}

static void use_members(json_document *document, json_t *object, unsigned choice, int depth) {
    const char *key;
    json_t *value;
    json_object_foreach(object, key, value) {
        problem problem;
        layers_tensor tensor;
        double number;
        choice = choice * 5 + 1;
        HOLDS(*json_kind(document, value));
        bool read = choice & 64
                        ? json_double(document, value, "/x", &number, &problem)
                        : json_tensor(document, value, dtype_of(choice), "/x", &tensor, &problem);
        if (!read)
            problem_holds(&problem);
        else if (!(choice & 64)) {
            tensor_holds(&tensor, dtype_of(choice));
            layers_tensor_clear(&tensor);
        }
        if (json_is_object(value) && depth < 8)
            use_members(document, value, choice, depth + 1);
    }
}

/* NaN and the infinities without quotes are the contract's, not Jansson's; and it overlooks a zero
 * byte behind a word or a number. */
static bool is_comparable(const char *text, size_t length) {
    return !memmem(text, length, "NaN", 3) && !memmem(text, length, "Infinity", 8) &&
           !memchr(text, '\0', length);
}

static bool jansson_reads(const char *text, size_t length) {
    json_t *root = json_loadb(
        text, length,
        JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL | JSON_DECODE_INT_AS_REAL | JSON_DECODE_ANY, NULL);
    json_decref(root);
    return root;
}

static void same_arrays(const json_document *a, const json_document *b) {
    HOLDS(a->count == b->count && json_equal(a->root, b->root));
    for (size_t i = 0; i < a->count; i++) {
        const json_number_array *x = &a->arrays[i], *y = &b->arrays[i];
        size_t bytes;
        HOLDS(x->text == y->text && x->end == y->end && x->left == y->left);
        HOLDS(x->tensor.dtype == y->tensor.dtype && x->tensor.rank == y->tensor.rank);
        HOLDS(!memcmp(x->tensor.shape, y->tensor.shape,
                      (size_t)x->tensor.rank * sizeof *x->tensor.shape));
        HOLDS(layers_dtype_bytes(x->tensor.dtype, x->tensor.size, &bytes));
        HOLDS(!memcmp(x->tensor.data, y->tensor.data, bytes));
    }
}

/* Reads again what has been read, or refused for a problem, in pieces of a few bytes. */
static void same_in_pieces(const json_document *document, const problem *wanted, size_t piece) {
    static layers_pool *pool;
    if (!pool)
        pool = layers_pool_make(1, NULL);
    json_source source = document->source;
    json_document again;
    problem problem;
    source.pool = pool;
    source.piece = piece;
    bool read = json_document_read(&again, &source, &problem);
    HOLDS(read == !wanted);
    if (read) {
        same_arrays(document, &again);
        json_document_free(&again);
    } else {
        HOLDS(problem.kind == wanted->kind && problem.has_place == wanted->has_place);
        HOLDS(!strcmp(problem.pointer, wanted->pointer));
        HOLDS(!strcmp(problem.detail, wanted->detail)); /* tells the place, too */
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size == 0)
        return 0;
    size_t length = size - 1;
    char *text = exact_copy(data + 1, length);
    json_document document;
    problem problem;
    const json_source source = {
        .text = text, .length = length, .dtype = data[0] & 1 ? LAYERS_F32 : LAYERS_F64};
    if (json_document_read(&document, &source, &problem)) {
        HOLDS(json_is_object(document.root));
        HOLDS(!is_comparable(text, length) || jansson_reads(text, length));
        same_in_pieces(&document, NULL, 1 + data[0] / 8);
        use_members(&document, document.root, data[0], 0);
        json_document_free(&document);
    } else {
        problem_holds(&problem);
        HOLDS(problem.kind != PROBLEM_INVALID_JSON || problem.offset <= length);
        HOLDS(problem.kind != PROBLEM_INVALID_JSON || !is_comparable(text, length) ||
              !jansson_reads(text, length));
        same_in_pieces(&(json_document){.source = source}, &problem, 1 + data[0] / 8);
    }
    free(text);
    return 0;
}
