/* Checks whose claims come as safetensors, and claims that are too large. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "http/daemon.h"
#include "http/raw.h"

DAEMON_SUITE(checks_files);

/* Posts a file of this header, ' for ", and these bytes behind it. */
static const answer *post_file(caller *c, const char *target, const char *header, const void *data,
                               size_t size) {
    char *text = json_text("%s", header);
    uint64_t length = strlen(text);
    char *file = malloc(8 + length + size);
    cr_assert(file);
    memcpy(file, &length, 8);
    memcpy(file + 8, text, length);
    memcpy(file + 8 + length, data, size);
    const answer *a = post_bytes(c, target, HEADERS("Content-Type: application/vnd.safetensors"),
                                 file, 8 + length + size);
    free(file);
    free(text);
    return a;
}

/* x (2, 2), w (2, 1), b (1) in F64, and then out (2, 1) in F64 or F32. */
#define FILE_OF(dtype, end, more)                                                                  \
    "{'x':{'dtype':'F64','shape':[2,2],'data_offsets':[0,32]},"                                    \
    "'w':{'dtype':'F64','shape':[2,1],'data_offsets':[32,48]},"                                    \
    "'b':{'dtype':'F64','shape':[1],'data_offsets':[48,56]},"                                      \
    "'claim.out':{'dtype':'" dtype "','shape':[2,1],'data_offsets':[56," end "]}" more "}"

typedef struct __attribute__((packed)) {
    double x[4], w[2], b[1], out[2];
} wide;

typedef struct __attribute__((packed)) {
    double x[4], w[2], b[1];
    float out[2];
} narrow;

static const wide right = {{1, 2, 3, 4}, {0.5, -1}, {10}, {8.5, 7.5}};
static const wide unbiased = {{1, 2, 3, 4}, {0.5, -1}, {10}, {-1.5, -2.5}};

Test(checks_files, the_answer_is_that_of_json) {
    process *p = daemon_start(NULL);
    static const char path[] = "/check/affine/forward";
    const answer *a = post_file(p->caller, path, FILE_OF("F64", "72", ""), &unbiased, sizeof(wide));
    const answer *b = post(p->caller, path,
                           "{'x':[[1,2],[3,4]],'w':[[0.5],[-1]],'b':[10],"
                           "'claim':{'out':[[-1.5],[-2.5]]}}");
    CHECK_TEXT(a->body, b->body);
    CHECK_TEXT(header_of(a, "Content-Type"), "application/json");
    a = post_file(p->caller, path, FILE_OF("F64", "72", ""), &right, sizeof right);
    expect_json(a, "{'verdict':'right','claim':{'out':{'verdict':'right'}}}");
    a = post_file(p->caller, path, FILE_OF("F64", "72", ",'__metadata__':{'tolerance.atol':'100'}"),
                  &unbiased, sizeof unbiased);
    CHECK_TEXT(text_at(a, "verdict"), "right");
    a = post_file(p->caller, path, FILE_OF("F64", "72", ",'__metadata__':{'tolerance.atol':'-1'}"),
                  &unbiased, sizeof unbiased);
    expect_problem(a, "invalid_param", "/tolerance/atol");
    a = post_file(p->caller, path, FILE_OF("F64", "72", ",'__metadata__':{'tolerance.rtoll':'1'}"),
                  &right, sizeof right);
    expect_problem(a, "unknown_field", NULL);
    a = post_file(p->caller, path, FILE_OF("F64", "72", ",'__metadata__':{'precision':'float16'}"),
                  &right, sizeof right);
    expect_problem(a, "invalid_param", "/precision");
    daemon_stop(p);
}

Test(checks_files, claims_may_be_narrower_than_inputs) {
    process *p = daemon_start(NULL);
    static const char path[] = "/check/affine/forward";
    const narrow exact = {{1, 2, 3, 4}, {0.5, -1}, {10}, {8.5F, 7.5F}};
    const narrow tenths = {{0.1, 0.2, 0.3, 0.4}, {0.5, -1}, {0.3}, {0.15F, 0.05F}};
    const answer *a = post_file(p->caller, path, FILE_OF("F32", "64", ""), &exact, sizeof exact);
    CHECK_TEXT(text_at(a, "verdict"), "right");
    a = post_file(p->caller, path, FILE_OF("F32", "64", ""), &tenths, sizeof tenths);
    CHECK_TEXT(text_at(a, "claim.out.fault"), "float32_values");
    a = post_file(p->caller, path, FILE_OF("F32", "64", ",'__metadata__':{'precision':'float32'}"),
                  &tenths, sizeof tenths);
    CHECK_TEXT(text_at(a, "verdict"), "right");
    daemon_stop(p);
}

Test(checks_files, claims_of_other_kinds_are_refused) {
    process *p = daemon_start(NULL);
    static const char path[] = "/check/affine/forward";
    struct __attribute__((packed)) {
        double x[4], w[2], b[1];
        int64_t out[2];
    } whole = {{1, 2, 3, 4}, {0.5, -1}, {10}, {8, 7}};
    expect_problem(post_file(p->caller, path, FILE_OF("I64", "72", ""), &whole, sizeof whole),
                   "wrong_type", "/claim/out");
    static const char no_claim[] = "{'x':{'dtype':'F64','shape':[2,2],'data_offsets':[0,32]},"
                                   "'w':{'dtype':'F64','shape':[2,1],'data_offsets':[32,48]},"
                                   "'b':{'dtype':'F64','shape':[1],'data_offsets':[48,56]}}";
    expect_problem(post_file(p->caller, path, no_claim, &right, 56), "missing_field", "/claim");
    static const char other[] = "{'x':{'dtype':'F64','shape':[2,2],'data_offsets':[0,32]},"
                                "'claim.dx':{'dtype':'F64','shape':[2,1],'data_offsets':[32,48]}}";
    const answer *a = post_file(p->caller, path, other, &right, 48);
    expect_problem(a, "unknown_field", "/claim/dx");
    expect_detail(a, "claim.out");
    daemon_stop(p);
}

Test(checks_files, a_loss_is_a_text) {
    process *p = daemon_start(NULL);
    static const struct {
        double x[6];
        int64_t y[2];
    } body = {{1, 2, 0, 3, 0, 1}, {0, 0}};
#define LOSS(text)                                                                                 \
    "{'x':{'dtype':'F64','shape':[2,3],'data_offsets':[0,48]},"                                    \
    "'y':{'dtype':'I64','shape':[2],'data_offsets':[48,64]},"                                      \
    "'__metadata__':{'claim.loss':'" text "'}}"
    static const char path[] = "/check/svm/loss";
    const answer *a = post_file(p->caller, path, LOSS("1"), &body, sizeof body);
    expect_json(a, "{'verdict':'right','claim':{'loss':{'verdict':'right'}}}");
    a = post_file(p->caller, path, LOSS("2.0"), &body, sizeof body);
    CHECK_TEXT(text_at(a, "claim.loss.fault"), "sum_not_mean");
    a = post_file(p->caller, path, LOSS("NaN"), &body, sizeof body);
    CHECK_TEXT(text_at(a, "claim.loss.fault"), "not_finite");
    expect_problem(post_file(p->caller, path, LOSS("low"), &body, sizeof body), "wrong_type",
                   "/claim/loss");
    expect_problem(post_file(p->caller, path, LOSS("1e999"), &body, sizeof body),
                   "number_out_of_range", "/claim/loss");
    daemon_stop(p);
}

Test(checks_files, nested_parameters_are_dotted) {
    process *p = daemon_start(NULL);
    static const double body[] = {1,         4,
                                  /* x */ 1, /* gamma */ 0, /* beta */
                                  1,         /* running_mean */ 1.15 /* claimed */};
    const answer *a = post_file(
        p->caller, "/check/batchnorm/forward",
        "{'x':{'dtype':'F64','shape':[2,1],'data_offsets':[0,16]},"
        "'gamma':{'dtype':'F64','shape':[1],'data_offsets':[16,24]},"
        "'beta':{'dtype':'F64','shape':[1],'data_offsets':[24,32]},"
        "'bn_param.running_mean':{'dtype':'F64','shape':[1],'data_offsets':[32,40]},"
        "'claim.bn_param.running_mean':{'dtype':'F64','shape':[1],'data_offsets':[40,48]},"
        "'__metadata__':{'bn_param.mode':'train','claim.bn_param.momentum':'0.9'}}",
        body, sizeof body);
    expect_json(a, "{'verdict':'right','claim':{'bn_param':{'momentum':{'verdict':'right'},"
                   "'running_mean':{'verdict':'right'}}}}");
    daemon_stop(p);
}

/* ---- what is too large -------------------------------------------------------------------------
 */

Test(checks_files, a_claim_is_no_way_round_the_limits) {
    process *p = daemon_start(OPTIONS("--body-limit", "64KiB"));
    char *many = malloc(100000);
    size_t used = 0;
    for (int i = 0; i < 40000; i++)
        used += (size_t)sprintf(many + used, "%s1", i ? "," : "");
    expect_problem(post(p->caller, "/check/relu/forward", "{'x':[1],'claim':{'out':[%s]}}", many),
                   "body_too_large", "");
    many[40000 - 1] = '\0'; /* 20000 elements, of another shape */
    const answer *a =
        post(p->caller, "/check/relu/forward", "{'x':[1],'claim':{'out':[%s]}}", many);
    CHECK_TEXT(text_at(a, "claim.out.says"), "out has shape (20000,), but must have (1,)");
    free(many);
    a = post(p->caller, "/check/relu/forward",
             "{'x':[1],'claim':{'out':{'shape':[1000000000000],'data':[]}}}");
    expect_problem(a, "invalid_shape", "/claim/out");
    a = post(p->caller, "/check/relu/forward",
             "{'x':[1],'claim':{'out':{'shape':[0,18446744073709551615],'data':[]}}}");
    CHECK(a->status == 422 || !strcmp(text_at(a, "claim.out.fault"), "shape"), "%d %s", a->status,
          a->body);
    char deep[80] = "";
    for (int i = 0; i < 33; i++)
        deep[i] = '[', deep[34 + i] = ']';
    deep[33] = '1';
    a = post(p->caller, "/check/relu/forward", "{'x':[1],'claim':{'out':%s}}", deep);
    CHECK_EQUAL(a->status, 422);
    daemon_stop(p);
}

Test(checks_files, work_is_limited_as_that_of_the_operation) {
    process *p = daemon_start(OPTIONS("--work-limit", "59"));
    static const char path[] = "/check/affine/forward";
#define TENS "[1,1,1,1,1,1,1,1,1,1]"
    CHECK_EQUAL(post(p->caller, path,
                     "{'x':[" TENS "," TENS "],'w':[[1],[1],[1],[1],[1],[1],[1],[1],[1],[1]],"
                     "'b':[1],'claim':{'out':[1]}}")
                    ->status,
                200);
    const answer *a =
        post(p->caller, path,
             "{'x':[" TENS "," TENS "," TENS "],'w':[[1],[1],[1],[1],[1],[1],[1],[1],[1],[1]],"
             "'b':[1],'claim':{'out':[1]}}");
    expect_problem(a, "result_too_large", NULL);
    expect_detail(a, "60 operations");
    daemon_stop(p);
}
