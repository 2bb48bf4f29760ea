/* Bodies in safetensors: dtypes, what is kept of them, and what is refused. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/safetensors.h"
#include "http/daemon.h"

DAEMON_SUITE(safetensors);

enum { FILE_MOST = 4096 };

/* Posts a file of this header, ' for ", and these bytes behind it. */
static const answer *post_header(caller *caller, const char *target, const char *header,
                                 const void *data, size_t data_length) {
    char file[FILE_MOST], *text = json_text("%s", header);
    uint64_t length = strlen(text);
    cr_assert(8 + length + data_length <= sizeof file);
    memcpy(file, &length, 8);
    memcpy(file + 8, text, length);
    if (data_length > 0)
        memcpy(file + 8 + length, data, data_length);
    free(text);
    return post_bytes(caller, target, HEADERS("Content-Type: application/vnd.safetensors"), file,
                      8 + length + data_length);
}

static const double ones[] = {1, 1, 1, 1};

Test(safetensors, answers_are_of_the_dtype_of_the_tensors) {
    process *p = daemon_start(NULL);
    static const float f32[] = {0.1F, -1};
    expect_json(post_header(p->caller, "/relu/forward?cache=none",
                            "{'x':{'dtype':'F32','shape':[2],'data_offsets':[0,8]}}", f32, 8),
                "{'out':[0.1,0.0]}");
    static const double f64[] = {0.1, -1};
    expect_json(post_header(p->caller, "/relu/forward?cache=none",
                            "{'x':{'dtype':'F64','shape':[2],'data_offsets':[0,16]},"
                            "'__metadata__':{'dtype':'float64','format':'np'}}",
                            f64, 16),
                "{'out':[0.1,0.0]}");
    daemon_stop(p);
}

Test(safetensors, nan_and_infinities_travel_as_themselves) {
    process *p = daemon_start(NULL);
    const double x[] = {NAN, INFINITY, -INFINITY, -0.0};
    expect_json(post_header(p->caller, "/relu/forward?cache=none",
                            "{'x':{'dtype':'F64','shape':[4],'data_offsets':[0,32]}}", x, 32),
                "{'out':['NaN','Infinity',0.0,0.0]}");
    static const char request[] = "{\"x\":[[Infinity,1]],\"y\":[0]}";
    const answer *a =
        post_bytes(p->caller, "/softmax/loss", HEADERS("Accept: application/vnd.safetensors"),
                   request, sizeof request - 1);
    CHECK_TEXT(text_at(a, "loss"), "NaN"); /* a text of __metadata__, without quotes within */
    daemon_stop(p);
}

Test(safetensors, labels_may_be_of_three_dtypes) {
    process *p = daemon_start(NULL);
    static const char answer[] = "{'loss':1.0,'dx':[[-1.0,1.0]]}";
    static const struct {
        double x[2];
        int64_t y;
    } body = {{2, 2}, 0};
    static const char *const dtypes[] = {"I64", "I32", "U8"};
    static const size_t bytes[] = {8, 4, 1};
    for (int i = 0; i < 3; i++) {
        char header[256];
        snprintf(header, sizeof header,
                 "{'x':{'dtype':'F64','shape':[1,2],'data_offsets':[0,16]},"
                 "'y':{'dtype':'%s','shape':[1],'data_offsets':[16,%zu]}}",
                 dtypes[i], 16 + bytes[i]);
        expect_json(post_header(p->caller, "/svm/loss", header, &body, 16 + bytes[i]), "%s",
                    answer);
    }
    daemon_stop(p);
}

Test(safetensors, a_mask_may_be_of_three_dtypes_whatever_that_of_the_call) {
    process *p = daemon_start(NULL);
    static const double f64[] = {1, 0, 1};
    static const float f32[] = {1, 0, 1};
    static const uint8_t u8[] = {1, 0, 1};
    static const struct {
        const char *dtype;
        const void *data;
        size_t bytes;
    } rows[] = {{"F64", f64, sizeof f64}, {"F32", f32, sizeof f32}, {"U8", u8, sizeof u8}};
    for (int x = 0; x < 2; x++)
        for (int m = 0; m < 3; m++) {
            char header[512], data[64];
            size_t first = rows[x].bytes, end = first + rows[m].bytes;
            memcpy(data, rows[x].data, first);
            memcpy(data + first, rows[m].data, rows[m].bytes);
            snprintf(header, sizeof header,
                     "{'x':{'dtype':'%s','shape':[3],'data_offsets':[0,%zu]},"
                     "'dropout_param.mask':{'dtype':'%s','shape':[3],'data_offsets':[%zu,%zu]},"
                     "'__metadata__':{'dropout_param.p':'0.5','dropout_param.mode':'train'}}",
                     rows[x].dtype, first, rows[m].dtype, first, end);
            expect_json(post_header(p->caller, "/dropout/forward?cache=none", header, data, end),
                        "{'out':[2.0,0.0,2.0],'dropout_param':{'p':0.5,'mode':'train'}}");
        }
    daemon_stop(p);
}

Test(safetensors, a_mask_of_bytes_may_stand_before_values_which_are_then_not_aligned) {
    process *p = daemon_start(NULL);
    struct __attribute__((packed)) {
        uint8_t mask;
        double x;
    } body = {1, 3};
    expect_json(
        post_header(p->caller, "/dropout/forward?cache=none",
                    "{'dropout_param.mask':{'dtype':'U8','shape':[],'data_offsets':[0,1]},"
                    "'x':{'dtype':'F64','shape':[],'data_offsets':[1,9]},"
                    "'__metadata__':{'dropout_param.p':'0.5','dropout_param.mode':'train'}}",
                    &body, sizeof body),
        "{'out':6.0,'dropout_param':{'p':0.5,'mode':'train'}}");
    daemon_stop(p);
}

Test(safetensors, a_negative_label_of_four_bytes_is_out_of_range) {
    process *p = daemon_start(NULL);
    static const struct {
        double x[2];
        int32_t y;
    } body = {{2, 2}, -1};
    const answer *a = post_header(p->caller, "/svm/loss",
                                  "{'x':{'dtype':'F64','shape':[1,2],'data_offsets':[0,16]},"
                                  "'y':{'dtype':'I32','shape':[1],'data_offsets':[16,20]}}",
                                  &body, 20);
    expect_problem(a, "label_out_of_range", NULL);
    expect_detail(a, "-1");
    daemon_stop(p);
}

Test(safetensors, what_does_not_fit_the_description_is_refused) {
    static const struct {
        const char *target, *header, *code, *pointer, *words;
    } rows[] = {
        {"/relu/forward", "{'x':{'dtype':'I64','shape':[4],'data_offsets':[0,32]}}", "wrong_type",
         "/x", "I64, but must be F64 or F32"},
        {"/relu/forward", "{'x':{'dtype':'BF16','shape':[16],'data_offsets':[0,32]}}", "wrong_type",
         "/x", "BF16, but must be F64 or F32"},
        {"/svm/loss",
         "{'x':{'dtype':'F64','shape':[1,2],'data_offsets':[0,16]},"
         "'y':{'dtype':'F64','shape':[2],'data_offsets':[16,32]}}",
         "wrong_type", "/y", "F64, but must be I64, I32 or U8"},
        {"/svm/loss",
         "{'x':{'dtype':'F64','shape':[1,2],'data_offsets':[0,16]},"
         "'y':{'dtype':'I16','shape':[8],'data_offsets':[16,32]}}",
         "wrong_type", "/y", "I16, but must be"},
        {"/affine/forward",
         "{'b':{'dtype':'F64','shape':[1],'data_offsets':[0,8]},"
         "'x':{'dtype':'F64','shape':[1,1],'data_offsets':[8,16]},"
         "'w':{'dtype':'F32','shape':[4,1],'data_offsets':[16,32]}}",
         "wrong_type", "/w", "w is float32, but x is float64"},
        {"/batchnorm/forward",
         "{'x':{'dtype':'F64','shape':[1,1],'data_offsets':[0,8]},"
         "'gamma':{'dtype':'F64','shape':[1],'data_offsets':[8,16]},"
         "'beta':{'dtype':'F64','shape':[1],'data_offsets':[16,24]},"
         "'bn_param.running_var':{'dtype':'F32','shape':[2],'data_offsets':[24,32]},"
         "'__metadata__':{'bn_param.mode':'test'}}",
         "wrong_type", "/bn_param/running_var", "float32"},
        {"/relu/forward",
         "{'x':{'dtype':'F64','shape':[4],'data_offsets':[0,32]},"
         "'__metadata__':{'dtype':'float32'}}",
         "wrong_type", "/x", "x is float64, but dtype is float32"},
        {"/relu/forward",
         "{'x':{'dtype':'F64','shape':[4],'data_offsets':[0,32]},"
         "'__metadata__':{'dtype':'F64'}}",
         "invalid_param", "/dtype", "float64"},
        {"/relu/forward", "{'xs':{'dtype':'F64','shape':[4],'data_offsets':[0,32]}}",
         "unknown_field", "/xs", "nearest that it takes is \"x\""},
        {"/relu/forward",
         "{'x':{'dtype':'F64','shape':[4],'data_offsets':[0,32]},'__metadata__':{'cache':'0'}}",
         "unknown_field", "/cache", "takes no \"cache\""},
        {"/batchnorm/forward",
         "{'x':{'dtype':'F64','shape':[4],'data_offsets':[0,32]},"
         "'__metadata__':{'bn_param.esp':'1'}}",
         "unknown_field", "/bn_param/esp", "\"bn_param.eps\""},
        {"/dropout/forward",
         "{'x':{'dtype':'F64','shape':[4],'data_offsets':[0,32]},'__metadata__':{'p':'0.5'}}",
         "unknown_field", "/p", "\"dropout_param.p\""},
        {"/batchnorm/forward", "{'bn_param':{'dtype':'F64','shape':[4],'data_offsets':[0,32]}}",
         "unknown_field", "/bn_param", "bn_param"},
        {"/dropout/forward",
         "{'x':{'dtype':'F64','shape':[3],'data_offsets':[0,24]},"
         "'dropout_param.p':{'dtype':'F64','shape':[],'data_offsets':[24,32]}}",
         "wrong_type", "/dropout_param/p", "__metadata__"},
        {"/affine/forward",
         "{'x':{'dtype':'F64','shape':[4],'data_offsets':[0,32]},'__metadata__':{'x':'[1]'}}",
         "wrong_type", "/x", "is a tensor, and stands in __metadata__ too"},
        {"/dropout/forward",
         "{'x':{'dtype':'F64','shape':[3],'data_offsets':[0,24]},"
         "'dropout_param.mask':{'dtype':'I64','shape':[1],'data_offsets':[24,32]}}",
         "wrong_type", "/dropout_param/mask", "I64, but must be U8, F64 or F32"},
        {"/dropout/forward",
         "{'x':{'dtype':'F64','shape':[3],'data_offsets':[0,24]},"
         "'dropout_param.mask':{'dtype':'BOOL','shape':[8],'data_offsets':[24,32]}}",
         "wrong_type", "/dropout_param/mask", "BOOL, but must be U8, F64 or F32"},
        {"/dropout/forward",
         "{'x':{'dtype':'F64','shape':[3],'data_offsets':[0,24]},"
         "'dropout_param.mask':{'dtype':'U8','shape':[8],'data_offsets':[24,32]},"
         "'__metadata__':{'dropout_param.p':'0.5','dropout_param.mode':'train'}}",
         "shape_mismatch", "/dropout_param/mask",
         "/dropout_param/mask has shape (8,), but /x has shape (3,)"},
        {"/dropout/forward",
         "{'dropout_param.mask':{'dtype':'F64','shape':[4],'data_offsets':[0,32]},"
         "'__metadata__':{'dropout_param.mask':'[1]','dropout_param.mode':'train'}}",
         "wrong_type", "/dropout_param/mask", "is a tensor, and stands in __metadata__ too"},
        {"/dropout/forward",
         "{'x':{'dtype':'F64','shape':[4],'data_offsets':[0,32]},"
         "'__metadata__':{'dropout_param.p':'half','dropout_param.mode':'train'}}",
         "wrong_type", "/dropout_param/p", "\"half\""},
        {"/dropout/forward",
         "{'x':{'dtype':'F64','shape':[4],'data_offsets':[0,32]},"
         "'__metadata__':{'dropout_param.p':'0.5 ','dropout_param.mode':'train'}}",
         "wrong_type", "/dropout_param/p", "\"0.5 \""},
        {"/dropout/forward",
         "{'x':{'dtype':'F64','shape':[4],'data_offsets':[0,32]},"
         "'__metadata__':{'dropout_param.p':'','dropout_param.mode':'train'}}",
         "wrong_type", "/dropout_param/p", "number"},
        {"/dropout/forward",
         "{'x':{'dtype':'F64','shape':[4],'data_offsets':[0,32]},"
         "'__metadata__':{'dropout_param.p':'NaN','dropout_param.mode':'train'}}",
         "invalid_param", "/dropout_param/p", "nan"},
        {"/dropout/forward",
         "{'x':{'dtype':'F64','shape':[4],'data_offsets':[0,32]},"
         "'__metadata__':{'dropout_param.p':'1e999','dropout_param.mode':'train'}}",
         "number_out_of_range", "/dropout_param/p", "1e999"},
        {"/dropout/forward",
         "{'x':{'dtype':'F64','shape':[4],'data_offsets':[0,32]},"
         "'__metadata__':{'dropout_param.p':'0.5','dropout_param.mode':'Train'}}",
         "invalid_param", "/dropout_param/mode", "\"Train\""},
        {"/dropout/forward",
         "{'x':{'dtype':'F64','shape':[4],'data_offsets':[0,32]},"
         "'__metadata__':{'dropout_param.p':'0.5','dropout_param.mode':'test',"
         "'dropout_param.seed':'0.5'}}",
         "invalid_param", "/dropout_param/seed", "integer"},
        {"/relu/forward", "{'x':{'dtype':'F64','shape':[4],'data_offsets':[0,31]}}",
         "invalid_safetensors", "/x", "32 bytes"},
        {"/relu/forward", "{'x':{'dtype':'F64','shape':[4],'data_offsets':[0,32]}",
         "invalid_safetensors", "", "JSON"},
    };
    process *p = daemon_start(NULL);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const answer *a = post_header(p->caller, rows[i].target, rows[i].header, ones, 32);
        expect_problem(a, rows[i].code, rows[i].pointer);
        expect_detail(a, rows[i].words);
    }
    daemon_stop(p);
}

Test(safetensors, an_answer_above_the_limit_is_refused_before_it_is_computed) {
    process *p = daemon_start(OPTIONS("--answer-limit", "64KiB"));
    static const char body[] = "{\"x\":{\"shape\":[9000,0],\"data\":[]},"
                               "\"w\":{\"shape\":[0,1],\"data\":[]},\"b\":[1]}";
    expect_problem(post_bytes(p->caller, "/affine/forward",
                              HEADERS("Accept: application/vnd.safetensors"), body,
                              sizeof body - 1),
                   "result_too_large", "");
    daemon_stop(p);
}

/* A file of x (rows, 4) that counts up, w (4, 1) of ones, and b; to be freed. */
static char *affine_file(size_t rows, size_t *length) {
    size_t x = rows * 32;
    char header[256];
    int text = snprintf(header, sizeof header,
                        "{\"x\":{\"dtype\":\"F64\",\"shape\":[%zu,4],\"data_offsets\":[0,%zu]},"
                        "\"w\":{\"dtype\":\"F64\",\"shape\":[4,1],\"data_offsets\":[%zu,%zu]},"
                        "\"b\":{\"dtype\":\"F64\",\"shape\":[1],\"data_offsets\":[%zu,%zu]}}",
                        rows, x, x, x + 32, x + 32, x + 40);
    uint64_t padded = ((uint64_t)text + 7) / 8 * 8;
    *length = 8 + padded + x + 40;
    char *file = malloc(*length);
    cr_assert(file);
    memcpy(file, &padded, 8);
    memset(file + 8, ' ', padded);
    memcpy(file + 8, header, (size_t)text);
    double *data = (double *)(file + 8 + padded);
    for (size_t i = 0; i < rows * 4; i++)
        data[i] = (double)i;
    for (size_t i = 0; i < 5; i++)
        data[rows * 4 + i] = 1;
    return file;
}

/* Sends the file with these headers from a connection of its own, which is gone afterwards, and
 * checks what the cache keeps and that backward is right. */
static void check_kept(process *p, const char *const *headers, const char *file, size_t length,
                       size_t rows) {
    char handle[64], path[96], *dout = malloc(rows * 4 + 1);
    caller *other = caller_open(p->url);
    const answer *a = post_bytes(other, "/affine/forward", headers, file, length);
    snprintf(handle, sizeof handle, "%s", cache_of(a));
    caller_close(other);
    snprintf(path, sizeof path, "/cache/%s", handle);
    double kept = number_at(fetch(p->caller, "GET", path, NULL), "bytes");
    CHECK(kept >= (double)length && kept < (double)length + 2048,
          "%.0f bytes are kept of a body of %zu", kept, length);
    cr_assert(dout);
    for (size_t i = 0; i < rows; i++)
        memcpy(dout + 4 * i, "[1],", 4);
    dout[rows * 4 - 1] = '\0';
    a = post(p->caller, "/affine/backward", "{'dout':[%s],'cache':'%s'}", dout, handle);
    double n = (double)rows;
    for (size_t d = 0; d < 4; d++) {
        const json_t *row = json_array_get(json_at(a->json, "dw"), d);
        double want = 4 * n * (n - 1) / 2 + n * (double)d;
        CHECK(json_real_value(json_array_get(row, 0)) == want, "dw[%zu] is not %g: %.300s", d, want,
              a->body);
    }
    free(dout);
}

Test(safetensors, a_cache_shares_the_body_that_brought_it) {
    enum { ROWS = 2000 };
    process *p = daemon_start(NULL);
    size_t length;
    char *file = affine_file(ROWS, &length);
    check_kept(p, HEADERS("Content-Type: application/vnd.safetensors"), file, length, ROWS);
    check_kept(p,
               HEADERS("Content-Type: application/vnd.safetensors", "Transfer-Encoding: chunked"),
               file, length, ROWS);
    free(file);
    daemon_stop(p);
}

Test(safetensors, many_bodies_leave_no_memory_behind) {
    enum { ROWS = 5000 };
    process *p = daemon_start(OPTIONS("--cache-budget", "8MiB"));
    size_t length;
    char *file = affine_file(ROWS, &length);
    long before = 0;
    for (int i = 0; i < 400; i++) {
        const answer *a =
            post_bytes(p->caller, "/affine/forward?cache=none",
                       HEADERS("Content-Type: application/vnd.safetensors"), file, length);
        CHECK_EQUAL(a->status, 200);
        caller_forget(p->caller);
        if (i == 99)
            before = daemon_memory(p, "VmRSS");
    }
    long after = daemon_memory(p, "VmRSS");
    CHECK(after < before + 16384, "%ld KiB grew to %ld", before, after);
    free(file);
    daemon_stop(p);
}
