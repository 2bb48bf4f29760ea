/* Writing safetensors: byte for byte as the format says, within its bound. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "codec/safetensors_read.h"
#include "codec/safetensors_write.h"
#include "unit/calls.h"

TestSuite(safetensors_write);

enum { MOST = 16 };

/* Contents with room of their own. */
typedef struct {
    safetensors_contents all;
    safetensors_tensor_named tensors[MOST];
    safetensors_text_named texts[MOST];
} contents;

static void add(contents *contents, const char *name, const layers_tensor *tensor) {
    contents->all.tensors = contents->tensors;
    contents->tensors[contents->all.tensor_count++] =
        (safetensors_tensor_named){.name = name, .tensor = tensor};
}

static void add_text(contents *contents, const char *owner, const char *name, const char *text) {
    safetensors_text_named *named = &contents->texts[contents->all.text_count++];
    contents->all.texts = contents->texts;
    *named = (safetensors_text_named){.owner = owner, .name = name};
    strcpy(named->text, text);
}

/* Writes into exactly as much memory as the bound says; to be freed. */
static char *write_all(const contents *contents, size_t *length) {
    size_t bound = safetensors_bound(&contents->all);
    char *out = malloc(bound);
    cr_assert(out);
    *length = (size_t)(safetensors_write(out, &contents->all) - out);
    cr_assert(*length <= bound, "%zu of at most %zu bytes", *length, bound);
    return out;
}

static void assert_bytes(const contents *contents, const char *want, size_t length) {
    size_t got_length;
    char *got = write_all(contents, &got_length);
    cr_assert(got_length == length, "%zu bytes, not %zu: %.*s", got_length, length,
              (int)got_length - 8, got + 8);
    for (size_t i = 0; i < length; i++)
        cr_assert(got[i] == want[i], "byte %zu is %d, not %d", i, got[i], want[i]);
    free(got);
}

#define BYTES(text) text, sizeof text - 1

Test(safetensors_write, a_file_byte_for_byte) {
    layers_tensor x = tensor_of(LAYERS_F64, SHAPE(1, 2), VALUES(1, -2));
    contents contents = {0};
    add(&contents, "out", &x);
    /* the header's 59 bytes are padded to 64 */
    assert_bytes(&contents, BYTES("\100\0\0\0\0\0\0\0"
                                  "{\"out\":{\"dtype\":\"F64\",\"shape\":[1,2],"
                                  "\"data_offsets\":[0,16]}}     "
                                  "\0\0\0\0\0\0\360\77\0\0\0\0\0\0\0\300"));
    layers_tensor_clear(&x);
}

Test(safetensors_write, texts_come_first_and_tensors_one_behind_another) {
    layers_tensor a = tensor_of(LAYERS_F32, SHAPE(3), VALUES(1, 2, 3));
    layers_tensor b = tensor_of(LAYERS_F32, SCALAR, VALUES(0.5));
    contents contents = {0};
    add(&contents, "a", &a);
    contents.tensors[0].owner = "bn_param";
    add(&contents, "b", &b);
    add_text(&contents, "bn_param", "mode", "train");
    add_text(&contents, NULL, "cache", "00ff");
    assert_bytes(&contents, BYTES("\260\0\0\0\0\0\0\0"
                                  "{\"__metadata__\":{\"bn_param.mode\":\"train\","
                                  "\"cache\":\"00ff\"},"
                                  "\"bn_param.a\":{\"dtype\":\"F32\",\"shape\":[3],"
                                  "\"data_offsets\":[0,12]},"
                                  "\"b\":{\"dtype\":\"F32\",\"shape\":[],"
                                  "\"data_offsets\":[12,16]}}  "
                                  "\0\0\200\77\0\0\0\100\0\0\100\100\0\0\0\77"));
    layers_tensor_clear(&a);
    layers_tensor_clear(&b);
}

Test(safetensors_write, tensors_without_elements) {
    layers_tensor none = tensor_make(LAYERS_F64, SHAPE(0, 3));
    layers_tensor one = tensor_of(LAYERS_F64, SHAPE(1), VALUES(7));
    contents contents = {0};
    add(&contents, "a", &none);
    add(&contents, "b", &one);
    add(&contents, "c", &none);
    size_t length;
    char *bytes = write_all(&contents, &length);
    safetensors_file file;
    problem problem;
    cr_assert(safetensors_read(&file, bytes, length, SAFETENSORS_HEADER, &problem), "%s",
              problem.detail);
    cr_assert(file.count == 3);
    safetensors_free(&file);
    free(bytes);
    layers_tensor_clear(&none);
    layers_tensor_clear(&one);
}

Test(safetensors_write, data_starts_at_a_multiple_of_8_for_names_of_any_length) {
    layers_tensor x = tensor_of(LAYERS_F64, SHAPE(2), VALUES(0.1, NAN));
    char name[SAFETENSORS_TEXT] = "";
    for (size_t i = 0; i < SAFETENSORS_TEXT - 1; i++) {
        contents contents = {0};
        name[i] = 'n';
        add(&contents, name, &x);
        size_t length;
        char *bytes = write_all(&contents, &length);
        uint64_t header;
        memcpy(&header, bytes, 8);
        cr_assert(header % 8 == 0 && length == 8 + header + 16, "%s", name);
        cr_assert(memcmp(bytes + 8 + header, x.data, 16) == 0);
        free(bytes);
    }
    layers_tensor_clear(&x);
}

Test(safetensors_write, the_bound_holds_for_the_fullest_file) {
    size_t shape[LAYERS_MAX_RANK], huge = (size_t)1 << 55;
    for (int i = 0; i < LAYERS_MAX_RANK; i++)
        shape[i] = i == 0 ? 0 : i == 1 ? huge : 1;
    layers_tensor none = tensor_make(LAYERS_F64, shape, LAYERS_MAX_RANK);
    char longest[SAFETENSORS_TEXT];
    memset(longest, 'n', sizeof longest - 1);
    longest[sizeof longest - 1] = '\0';
    contents contents = {0};
    for (int i = 0; i < MOST; i++) {
        add(&contents, longest, &none);
        add_text(&contents, longest, longest, longest);
    }
    size_t length;
    free(write_all(&contents, &length));
    cr_assert(length > MOST * 4 * SAFETENSORS_TEXT);
    layers_tensor_clear(&none);
}

Test(safetensors_write, a_bound_that_overflows_is_the_largest) {
    size_t half = SIZE_MAX / 32;
    layers_tensor large = layers_tensor_wrap(LAYERS_F64, SHAPE(half), NULL);
    contents contents = {0};
    for (int i = 0; i < 8; i++)
        add(&contents, "x", &large);
    cr_assert(safetensors_bound(&contents.all) == SIZE_MAX);
}

Test(safetensors_write, labels_and_masks_as_they_are) {
    layers_tensor labels = tensor_of(LAYERS_I64, SHAPE(2), VALUES(3, -1));
    layers_tensor mask = tensor_of(LAYERS_U8, SHAPE(3), VALUES(1, 0, 1));
    contents contents = {0};
    add(&contents, "y", &labels);
    add(&contents, "m", &mask);
    assert_bytes(&contents, BYTES("\160\0\0\0\0\0\0\0"
                                  "{\"y\":{\"dtype\":\"I64\",\"shape\":[2],"
                                  "\"data_offsets\":[0,16]},"
                                  "\"m\":{\"dtype\":\"U8\",\"shape\":[3],"
                                  "\"data_offsets\":[16,19]}}   "
                                  "\3\0\0\0\0\0\0\0\377\377\377\377\377\377\377\377\1\0\1"));
    layers_tensor_clear(&labels);
    layers_tensor_clear(&mask);
}
