/* Writing safetensors: byte for byte as the format says, within its bound. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "calls.h"
#include "codec/safetensors_read.h"
#include "codec/safetensors_write.h"

TestSuite(safetensors_write);

static void add(safetensors_contents *contents, const char *name, const layers_tensor *tensor) {
    safetensors_tensor_named *named = &contents->tensors[contents->tensor_count++];
    strcpy(named->name, name);
    named->tensor = tensor;
}

static void add_text(safetensors_contents *contents, const char *name, const char *text) {
    safetensors_text_named *named = &contents->texts[contents->text_count++];
    strcpy(named->name, name);
    strcpy(named->text, text);
}

/* Writes into exactly as much memory as the bound says; to be freed. */
static char *write_all(const safetensors_contents *contents, size_t *length) {
    size_t bound = safetensors_bound(contents);
    char *out = malloc(bound);
    cr_assert(out);
    *length = (size_t)(safetensors_write(out, contents) - out);
    cr_assert(*length <= bound, "%zu of at most %zu bytes", *length, bound);
    return out;
}

static void assert_bytes(const safetensors_contents *contents, const char *want, size_t length) {
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
    safetensors_contents contents = {0};
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
    safetensors_contents contents = {0};
    add(&contents, "bn_param.a", &a);
    add(&contents, "b", &b);
    add_text(&contents, "bn_param.mode", "train");
    add_text(&contents, "cache", "00ff");
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
    safetensors_contents contents = {0};
    add(&contents, "a", &none);
    add(&contents, "b", &one);
    add(&contents, "c", &none);
    size_t length;
    char *bytes = write_all(&contents, &length);
    safetensors_file file;
    problem problem;
    cr_assert(safetensors_read(&file, bytes, length, &problem), "%s", problem.detail);
    cr_assert(file.count == 3);
    safetensors_free(&file);
    free(bytes);
    layers_tensor_clear(&none);
    layers_tensor_clear(&one);
}

Test(safetensors_write, data_starts_at_a_multiple_of_8_for_names_of_any_length) {
    layers_tensor x = tensor_of(LAYERS_F64, SHAPE(2), VALUES(0.1, NAN));
    char name[SAFETENSORS_NAME] = "";
    for (size_t i = 0; i < SAFETENSORS_NAME - 1; i++) {
        safetensors_contents contents = {0};
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
    char longest[SAFETENSORS_NAME];
    memset(longest, 'n', sizeof longest - 1);
    longest[sizeof longest - 1] = '\0';
    safetensors_contents contents = {0};
    for (int i = 0; i < SAFETENSORS_MOST; i++) {
        add(&contents, longest, &none);
        add_text(&contents, longest, longest);
    }
    size_t length;
    free(write_all(&contents, &length));
    cr_assert(length > SAFETENSORS_MOST * 3 * SAFETENSORS_NAME);
    layers_tensor_clear(&none);
}

Test(safetensors_write, a_bound_that_overflows_is_the_largest) {
    size_t half = SIZE_MAX / 32;
    layers_tensor large = layers_tensor_wrap(LAYERS_F64, SHAPE(half), NULL);
    safetensors_contents contents = {0};
    for (int i = 0; i < 8; i++)
        add(&contents, "x", &large);
    cr_assert(safetensors_bound(&contents) == SIZE_MAX);
}
