/* Reading safetensors: what the format allows is taken, in place, and every lie is told. */
#include <stdlib.h>
#include <string.h>

#include "codec/safetensors_read.h"
#include "unit/calls.h"

TestSuite(safetensors_read);

/* A file in memory: a header in which ' stands for ", and `data` bytes 0, 1, 2, ... behind it. */
static layers_tensor file_of(const char *header, size_t data) {
    uint64_t length = strlen(header);
    layers_tensor file = tensor_make(LAYERS_U8, SHAPE(8 + length + data));
    unsigned char *out = file.data;
    memcpy(out, &length, sizeof length);
    for (size_t i = 0; i < length; i++)
        out[8 + i] = header[i] == '\'' ? '"' : (unsigned char)header[i];
    for (size_t i = 0; i < data; i++)
        out[8 + length + i] = (unsigned char)i;
    return file;
}

/* Reads from memory that ends where the file ends. */
static bool read_exactly(const char *bytes, size_t length, problem *problem) {
    char *copy = malloc(length ? length : 1);
    cr_assert(copy);
    memcpy(copy, bytes, length);
    safetensors_file file;
    bool good = safetensors_read(&file, copy, length, SAFETENSORS_HEADER, problem);
    if (good)
        safetensors_free(&file);
    free(copy);
    return good;
}

Test(safetensors_read, a_file_of_several_tensors) {
    /* in another order than their bytes, of all dtypes, padded, with texts */
    layers_tensor bytes = file_of("{'y':{'dtype':'U8','shape':[2],'data_offsets':[40,42]},"
                                  "'__metadata__':{'cache':'ab','format':'pt'},"
                                  "'bn_param.x':{'shape':[2,2],'data_offsets':[0,32],'dtype':'F64'}"
                                  ",'none':{'dtype':'F32','shape':[0,3],'data_offsets':[40,40]},"
                                  "'l':{'dtype':'I32','shape':[],'data_offsets':[36,40]},"
                                  "'s':{'dtype':'F32','shape':[],'data_offsets':[32,36]}}   ",
                                  42);
    safetensors_file file;
    problem problem;
    cr_assert(safetensors_read(&file, bytes.data, bytes.size, SAFETENSORS_HEADER, &problem), "%s",
              problem.detail);
    static const char *const order[] = {"bn_param.x", "s", "l", "none", "y"};
    cr_assert(file.count == 5);
    for (size_t i = 0; i < 5; i++)
        cr_assert_str_eq(file.entries[i].name, order[i]);
    cr_assert_str_eq(json_string_value(json_object_get(file.metadata, "cache")), "ab");
    cr_assert(json_object_size(file.metadata) == 2);
    cr_assert_str_eq(file.entries[0].dtype->name, "F64");
    cr_assert(file.entries[0].rank == 2 && file.entries[0].size == 4);
    cr_assert(file.entries[3].rank == 2 && file.entries[3].size == 0);
    cr_assert(file.entries[4].end == bytes.size && file.entries[4].begin == bytes.size - 2);
    layers_tensor labels;
    cr_assert(safetensors_tensor(&file.entries[4], &bytes, NULL, &labels, &problem));
    cr_assert(labels.dtype == LAYERS_I64);
    assert_values(&labels, VALUES(40, 41), 2, 0, 0, "y");
    layers_tensor_clear(&labels);
    cr_assert(safetensors_tensor(&file.entries[2], &bytes, NULL, &labels, &problem));
    cr_assert(labels.dtype == LAYERS_I64 && labels.rank == 0);
    assert_values(&labels, VALUES(0x27262524), 1, 0, 0, "l");
    layers_tensor_clear(&labels);
    safetensors_free(&file);
    layers_tensor_clear(&bytes);
}

Test(safetensors_read, what_the_reference_writes) {
    /* the example of the reference implementation's documentation */
    layers_tensor bytes =
        file_of("{'test':{'dtype':'I32','shape':[2,2],'data_offsets':[0,16]}}", 16);
    cr_assert(*(unsigned char *)bytes.data == '<');
    problem problem;
    cr_assert(read_exactly(bytes.data, bytes.size, &problem), "%s", problem.detail);
    layers_tensor_clear(&bytes);
}

Test(safetensors_read, nothing_at_all_is_a_file) {
    problem problem;
    cr_assert(read_exactly("\2\0\0\0\0\0\0\0{}", 10, &problem), "%s", problem.detail);
    cr_assert(read_exactly("\10\0\0\0\0\0\0\0{}      ", 16, &problem), "%s", problem.detail);
}

/* The first tensor of a file with this header; `shared` tells whether it is a view. */
static layers_tensor first_tensor(const char *header, size_t data, bool *shared) {
    layers_tensor bytes = file_of(header, data), tensor;
    safetensors_file file;
    problem problem;
    cr_assert(safetensors_read(&file, bytes.data, bytes.size, SAFETENSORS_HEADER, &problem), "%s",
              problem.detail);
    for (size_t i = 0; i < data / 8; i++) {
        double value = (double)i + 0.5;
        memcpy((char *)bytes.data + bytes.size - data + 8 * i, &value, sizeof value);
    }
    cr_assert(safetensors_tensor(&file.entries[0], &bytes, NULL, &tensor, &problem));
    *shared = tensor.buffer == bytes.buffer;
    safetensors_free(&file);
    layers_tensor_clear(&bytes);
    return tensor;
}

Test(safetensors_read, an_aligned_tensor_is_a_view_that_outlives_the_file) {
    bool shared;
    layers_tensor x = first_tensor(
        "{'x':{'dtype':'F64','shape':[3,1],'data_offsets':[0,24]}}       ", 24, &shared);
    cr_assert(shared);
    assert_shape(&x, SHAPE(3, 1), "x");
    assert_values(&x, VALUES(0.5, 1.5, 2.5), 3, 0, 0, "x");
    layers_tensor_clear(&x);
}

Test(safetensors_read, a_tensor_that_is_not_aligned_is_copied) {
    static const char *const padding[] = {"", " ", "  ", "   ", "    ", "     ", "      "};
    for (size_t i = 0; i < 7; i++) {
        char header[128];
        bool shared;
        snprintf(header, sizeof header,
                 "{'x':{'dtype':'F64','shape':[2],'data_offsets':[0,16]}}%s  ", padding[i]);
        layers_tensor x = first_tensor(header, 16, &shared);
        cr_assert(shared == (strlen(header) % 8 == 0), "%s", header);
        assert_values(&x, VALUES(0.5, 1.5), 2, 0, 0, header);
        layers_tensor_clear(&x);
    }
}

Test(safetensors_read, a_length_that_lies) {
    static const struct {
        const char *bytes;
        size_t length;
        const char *words;
    } rows[] = {
        {"", 0, "0 bytes"},
        {"\2\0\0\0\0\0\0", 7, "7 bytes"},
        {"\0\0\0\0\0\0\0\0", 8, "'{'"},
        {"\2\0\0\0\0\0\0\0", 8, "2, but 0 follow"},
        {"\3\0\0\0\0\0\0\0{}", 10, "3, but 2 follow"},
        {"\377\377\377\377\377\377\377\377{}", 10, "18446744073709551615"},
        {"\0\0\0\0\0\0\0\200{}", 10, "9223372036854775808"},
        {"\3\0\0\0\0\0\0\0 {}", 11, "'{'"},
        {"\2\0\0\0\0\0\0\0[]", 10, "'{'"},
        {"\2\0\0\0\0\0\0\0{} ", 11, "goes on for 1"},
        {"{\"x\": [1, 2]}", 13, "follow"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        problem problem;
        cr_assert(!read_exactly(rows[i].bytes, rows[i].length, &problem), "row %zu", i);
        cr_assert(problem.kind == PROBLEM_INVALID_SAFETENSORS, "row %zu", i);
        cr_assert(strstr(problem.detail, rows[i].words), "row %zu: %s", i, problem.detail);
    }
}

/* The bytes behind each of these headers are 16. */
static const struct {
    const char *header, *pointer, *words;
} lies[] = {
    /* JSON */
    {"{'x':", "", "JSON"},
    {"{}{}", "", "JSON"},
    {"{'x'}", "", "JSON"},
    {"{'x':{'dtype':'F64','shape':[2],'data_offsets':[0,16]},}", "", "JSON"},
    {"{'x\\u0000':{'dtype':'F64','shape':[2],'data_offsets':[0,16]}}", "", "JSON"},
    {"{'\xff':{'dtype':'F64','shape':[2],'data_offsets':[0,16]}}", "", "JSON"},
    {"{'x':{'dtype':'F64','shape':[2],'data_offsets':[0,16]},"
     "'x':{'dtype':'F64','shape':[2],'data_offsets':[0,16]}}",
     "", "duplicate"},
    {"{'x':{'dtype':'F64','dtype':'F64','shape':[2],'data_offsets':[0,16]}}", "", "duplicate"},
    {"{'x':{'dtype':'F64','shape':[2],'data_offsets':[0,99999999999999999999]}}", "", "JSON"},
    /* entries */
    {"{'x':1}", "/x", "dtype"},
    {"{'x':null}", "/x", "dtype"},
    {"{'x':[1]}", "/x", "dtype"},
    {"{'x':{}}", "/x", "dtype"},
    {"{'x':{'shape':[2],'data_offsets':[0,16]}}", "/x", "dtype"},
    {"{'x':{'dtype':'F64','data_offsets':[0,16]}}", "/x", "shape"},
    {"{'x':{'dtype':'F64','shape':[2]}}", "/x", "data_offsets"},
    {"{'x':{'dtype':'F64','shape':[2],'data_offsets':[0,16],'name':'x'}}", "/x", "4 parts"},
    {"{'a.b/c':{'dtype':1,'shape':[2],'data_offsets':[0,16]}}", "/a/b~1c", "dtype"},
    /* dtypes */
    {"{'x':{'dtype':'float64','shape':[2],'data_offsets':[0,16]}}", "/x", "float64"},
    {"{'x':{'dtype':'f64','shape':[2],'data_offsets':[0,16]}}", "/x", "f64"},
    {"{'x':{'dtype':'','shape':[2],'data_offsets':[0,16]}}", "/x", "dtype"},
    {"{'x':{'dtype':64,'shape':[2],'data_offsets':[0,16]}}", "/x", "dtype"},
    /* shapes */
    {"{'x':{'dtype':'F64','shape':2,'data_offsets':[0,16]}}", "/x", "shape"},
    {"{'x':{'dtype':'F64','shape':{},'data_offsets':[0,16]}}", "/x", "shape"},
    {"{'x':{'dtype':'F64','shape':'2','data_offsets':[0,16]}}", "/x", "shape"},
    {"{'x':{'dtype':'F64','shape':[2.0],'data_offsets':[0,16]}}", "/x", "shape"},
    {"{'x':{'dtype':'F64','shape':[-2,-1],'data_offsets':[0,16]}}", "/x", "shape"},
    {"{'x':{'dtype':'F64','shape':['2'],'data_offsets':[0,16]}}", "/x", "shape"},
    {"{'x':{'dtype':'F64','shape':[[2]],'data_offsets':[0,16]}}", "/x", "shape"},
    {"{'x':{'dtype':'F64','shape':[true],'data_offsets':[0,16]}}", "/x", "shape"},
    {"{'x':{'dtype':'F64','shape':[3],'data_offsets':[0,16]}}", "/x", "24 bytes"},
    {"{'x':{'dtype':'F64','shape':[1],'data_offsets':[0,16]}}", "/x", "8 bytes"},
    {"{'x':{'dtype':'F32','shape':[2],'data_offsets':[0,16]}}", "/x", "8 bytes"},
    {"{'x':{'dtype':'F64','shape':[],'data_offsets':[0,16]}}", "/x", "8 bytes"},
    {"{'x':{'dtype':'F64','shape':[0],'data_offsets':[0,16]}}", "/x", "0 bytes"},
    {"{'x':{'dtype':'U8','shape':[4294967296,4294967296,16],'data_offsets':[0,16]}}", "/x",
     "too large"},
    {"{'x':{'dtype':'F64','shape':[2305843009213693954],'data_offsets':[0,16]}}", "/x",
     "too large"},
    {"{'x':{'dtype':'F64','shape':[0,4294967296,4294967296],'data_offsets':[0,0]}}", "/x",
     "too large"},
    /* offsets */
    {"{'x':{'dtype':'F64','shape':[2],'data_offsets':[16,0]}}", "/x", "16 and 0"},
    {"{'x':{'dtype':'F64','shape':[2],'data_offsets':[0,17]}}", "/x", "0 and 17"},
    {"{'x':{'dtype':'F64','shape':[2],'data_offsets':[8,24]}}", "/x", "8 and 24"},
    {"{'x':{'dtype':'F64','shape':[2],'data_offsets':[-16,0]}}", "/x", "data_offsets"},
    {"{'x':{'dtype':'F64','shape':[2],'data_offsets':[0.0,16]}}", "/x", "data_offsets"},
    {"{'x':{'dtype':'F64','shape':[2],'data_offsets':[0,'16']}}", "/x", "data_offsets"},
    {"{'x':{'dtype':'F64','shape':[2],'data_offsets':[0]}}", "/x", "data_offsets"},
    {"{'x':{'dtype':'F64','shape':[2],'data_offsets':[0,16,16]}}", "/x", "data_offsets"},
    {"{'x':{'dtype':'F64','shape':[2],'data_offsets':{}}}", "/x", "data_offsets"},
    {"{'x':{'dtype':'F64','shape':[2],'data_offsets':[9223372036854775807,16]}}", "/x", "rise"},
    /* bytes of none and of two */
    {"{}", "", "goes on for 16"},
    {"{'x':{'dtype':'F64','shape':[1],'data_offsets':[0,8]}}", "", "goes on for 16"},
    {"{'x':{'dtype':'F64','shape':[1],'data_offsets':[8,16]}}", "/x", "no gap"},
    {"{'x':{'dtype':'F32','shape':[1],'data_offsets':[0,4]},"
     "'w':{'dtype':'F64','shape':[1],'data_offsets':[8,16]}}",
     "/w", "no gap"},
    {"{'x':{'dtype':'F64','shape':[2],'data_offsets':[0,16]},"
     "'w':{'dtype':'F64','shape':[1],'data_offsets':[8,16]}}",
     "/w", "no overlap"},
    {"{'x':{'dtype':'F64','shape':[2],'data_offsets':[0,16]},"
     "'w':{'dtype':'F64','shape':[2],'data_offsets':[0,16]}}",
     NULL, "no overlap"},
    {"{'x':{'dtype':'F64','shape':[2],'data_offsets':[0,16]},"
     "'w':{'dtype':'F64','shape':[0],'data_offsets':[8,8]}}",
     "/w", "no overlap"},
    /* texts */
    {"{'__metadata__':1}", "/__metadata__", "object"},
    {"{'__metadata__':['a']}", "/__metadata__", "object"},
    {"{'__metadata__':{'p':0.5}}", "/__metadata__/p", "string"},
    {"{'__metadata__':{'p':null}}", "/__metadata__/p", "string"},
    {"{'__metadata__':{'p':{}}}", "/__metadata__/p", "string"},
};

Test(safetensors_read, every_lie_is_told_with_its_place) {
    for (size_t i = 0; i < sizeof lies / sizeof *lies; i++) {
        layers_tensor bytes = file_of(lies[i].header, 16);
        problem problem;
        cr_assert(!read_exactly(bytes.data, bytes.size, &problem), "%s", lies[i].header);
        cr_assert(problem.kind == PROBLEM_INVALID_SAFETENSORS, "%s: %s", lies[i].header,
                  problem_code(problem.kind));
        cr_assert(!lies[i].pointer || !strcmp(problem.pointer, lies[i].pointer), "%s: at \"%s\"",
                  lies[i].header, problem.pointer);
        cr_assert(strstr(problem.detail, lies[i].words), "%s: %s", lies[i].header, problem.detail);
        layers_tensor_clear(&bytes);
    }
}

Test(safetensors_read, a_header_that_is_no_json_has_its_offset) {
    layers_tensor bytes = file_of("{'x':?}", 0);
    problem problem;
    cr_assert(!read_exactly(bytes.data, bytes.size, &problem));
    cr_assert(problem.has_place && problem.line == 0);
    cr_assert(problem.offset >= 8 + 5 && problem.offset <= 8 + 6, "%zu", problem.offset);
    layers_tensor_clear(&bytes);
    bytes = file_of("{'x':{'dtype':'U8','shape':[2 ],'data_offsets':[0,2]}}", 2);
    ((char *)bytes.data)[8 + 29] = '\0'; /* in the place of the space */
    cr_assert(!read_exactly(bytes.data, bytes.size, &problem));
    cr_assert(problem.has_place && problem.offset == 8 + 29);
    layers_tensor_clear(&bytes);
}

Test(safetensors_read, a_rank_above_32_is_a_shape_too_many) {
    char header[256] = "{'x':{'dtype':'F64','shape':[1";
    for (int i = 0; i < 32; i++)
        strcat(header, ",1");
    strcat(header, "],'data_offsets':[0,8]}}");
    layers_tensor bytes = file_of(header, 8);
    problem problem;
    cr_assert(!read_exactly(bytes.data, bytes.size, &problem));
    cr_assert(problem.kind == PROBLEM_INVALID_SHAPE && !strcmp(problem.pointer, "/x"));
    layers_tensor_clear(&bytes);
}

Test(safetensors_read, a_header_may_have_64_kib) {
    for (size_t length = (64 << 10); length <= (64 << 10) + 1; length++) {
        char *header = malloc(length + 1);
        cr_assert(header);
        memset(header, ' ', length);
        memcpy(header, "{}", 2);
        header[length] = '\0';
        layers_tensor bytes = file_of(header, 0);
        problem problem;
        bool good = read_exactly(bytes.data, bytes.size, &problem);
        cr_assert(good == (length == (64 << 10)));
        cr_assert(good || problem.kind == PROBLEM_BODY_TOO_LARGE);
        layers_tensor_clear(&bytes);
        free(header);
    }
}

Test(safetensors_read, a_file_cut_anywhere_is_refused) {
    layers_tensor bytes = file_of("{'__metadata__':{'cache':'ab'},"
                                  "'x':{'dtype':'F64','shape':[2,1],'data_offsets':[0,16]},"
                                  "'y':{'dtype':'U8','shape':[2],'data_offsets':[16,18]}}  ",
                                  18);
    for (size_t length = 0; length < bytes.size; length++) {
        problem problem;
        cr_assert(!read_exactly(bytes.data, length, &problem), "%zu bytes", length);
        cr_assert(problem.kind == PROBLEM_INVALID_SAFETENSORS, "%zu bytes", length);
        /* and with a length that fits what is left of the header */
        uint64_t rest = length > 8 ? length - 8 : 0, whole;
        memcpy(&whole, bytes.data, 8);
        if (rest > 0 && rest < whole) {
            memcpy(bytes.data, &rest, 8);
            cr_assert(!read_exactly(bytes.data, length, &problem), "%zu bytes", length);
            memcpy(bytes.data, &whole, 8);
        }
    }
    layers_tensor_clear(&bytes);
}

Test(safetensors_read, a_file_with_any_byte_changed_does_no_harm) {
    layers_tensor bytes = file_of("{'__metadata__':{'cache':'ab'},"
                                  "'x':{'dtype':'F64','shape':[2,1],'data_offsets':[0,16]},"
                                  "'y':{'dtype':'U8','shape':[2],'data_offsets':[16,18]}}",
                                  18);
    unsigned char *at = bytes.data;
    size_t taken = 0;
    for (size_t i = 0; i < bytes.size - 18; i++)
        for (unsigned value = 0; value < 256; value++) {
            unsigned char before = at[i];
            problem problem;
            at[i] = (unsigned char)value;
            taken += read_exactly(bytes.data, bytes.size, &problem);
            at[i] = before;
        }
    cr_assert(taken > 0); /* other names and texts */
    layers_tensor_clear(&bytes);
}
