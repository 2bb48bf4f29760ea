/* Errors about images, windows, groups and updates: every number that a caller may choose. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "http/refusal.h"

DAEMON_SUITE(errors_images);

static const char conv[] = "/conv/forward", pool[] = "/max_pool/forward",
                  groupnorm[] = "/spatial_groupnorm/forward", adam[] = "/adam/update";

/* A 2 × 2 image, and a kernel of one pixel; three channels of one pixel; one weight. */
#define CONV(param) "{'x':[[[[1,2],[3,4]]]],'w':[[[[1]]]],'b':[0],'conv_param':{" param "}}"
#define POOL(param) "{'x':[[[[1,2],[3,4]]]],'pool_param':{" param "}}"
#define GROUP(param)                                                                               \
    "{'x':[[[[1]],[[2]],[[3]]]],'gamma':[1,1,1],'beta':[0,0,0],'gn_param':{" param "}}"
#define ADAM(config) "{'w':1,'dw':1,'config':{" config "}}"

Test(errors_images, strides_and_pads) {
    static const refusal list[] = {
        {conv, CONV("'stride':0"), "invalid_param", "/conv_param/stride", {"0", "at least 1"}},
        {conv, CONV("'stride':-1"), "invalid_param", "/conv_param/stride", {"-1"}},
        {conv, CONV("'stride':1.5"), "invalid_param", "/conv_param/stride", {"1.5", "integer"}},
        {conv,
         CONV("'stride':9223372036854775808"),
         "invalid_param",
         "/conv_param/stride",
         {"at most 9007199254740991"}},
        {conv, CONV("'pad':-1"), "invalid_param", "/conv_param/pad", {"-1", "at least 0"}},
        {conv, CONV("'pad':0.5"), "invalid_param", "/conv_param/pad", {"integer"}},
        {conv, CONV("'pad':9223372036854775808"), "invalid_param", "/conv_param/pad", {"at most"}},
        {conv, CONV("'pad':'1'"), "wrong_type", "/conv_param/pad", {"number"}},
        {conv, CONV("'padding':1"), "unknown_field", "/conv_param/padding", {"\"pad\""}},
        {conv, CONV("'pad':9007199254740991"), "result_too_large", NULL, {"2·pad"}},
        {conv, CONV("'pad':1000000"), "result_too_large", NULL, {"--answer-limit"}},
    };
    EXPECT(list);
}

Test(errors_images, kernels_and_windows) {
    static const refusal list[] = {
        {conv,
         "{'x':[[[[1,2],[3,4]]]],'w':[[[[1],[1],[1]]]],'b':[0]}",
         "invalid_shape",
         "/w",
         {"R = 3", "= 2", "does not fit"}},
        {conv,
         "{'x':[[[[1,2],[3,4]]]],'w':[[[[1,1,1]]]],'b':[0]}",
         "invalid_shape",
         "/w",
         {"S = 3", "= 2", "does not fit"}},
        {conv,
         "{'x':[[[[1]],[[2]]]],'w':[[[[1]]]],'b':[0]}",
         "shape_mismatch",
         "/w",
         {"C = 2", "/x"}},
        {conv, "{'x':[[1]],'w':[[[[1]]]],'b':[0]}", "invalid_shape", "/x", {"(N, C, H, W)"}},
        {pool,
         POOL("'pool_height':3,'pool_width':1,'stride':1"),
         "invalid_param",
         "/pool_param/pool_height",
         {"3", "H = 2"}},
        {pool,
         POOL("'pool_height':1,'pool_width':9007199254740991,'stride':1"),
         "invalid_param",
         "/pool_param/pool_width",
         {"W = 2"}},
        {pool,
         POOL("'pool_height':1,'pool_width':1,'stride':0"),
         "invalid_param",
         "/pool_param/stride",
         {"at least 1"}},
        {pool,
         POOL("'pool_height':1,'pool_width':1"),
         "missing_field",
         "/pool_param/stride",
         {"stride"}},
        {pool, "{'x':[[[[1]]]]}", "missing_field", "/pool_param", {"pool_param"}},
        {"/spatial_batchnorm/forward",
         "{'x':[[[]]],'gamma':[1],'beta':[1],'bn_param':{'mode':'train'}}",
         "invalid_shape",
         "/x",
         {"(N, C, H, W)"}},
        {"/spatial_batchnorm/forward",
         "{'x':[[[[]]]],'gamma':[1],'beta':[1],'bn_param':{'mode':'train'}}",
         "invalid_shape",
         "/x",
         {"no pixels"}},
    };
    EXPECT(list);
}

Test(errors_images, groups) {
    static const refusal list[] = {
        {groupnorm, GROUP("'groups':2"), "invalid_param", "/gn_param/groups", {"2", "3"}},
        {groupnorm, GROUP("'groups':0"), "invalid_param", "/gn_param/groups", {"at least 1"}},
        {groupnorm, GROUP("'groups':9007199254740991"), "invalid_param", "/gn_param/groups", {"3"}},
        {groupnorm, GROUP(""), "missing_field", "/gn_param/groups", {"groups"}},
        {groupnorm, GROUP("'groups':3,'eps':0"), "invalid_param", "/gn_param/eps", {"above 0"}},
    };
    EXPECT(list);
}

Test(errors_images, updates) {
    static const refusal list[] = {
        {adam, ADAM("'t':-1"), "invalid_param", "/config/t", {"-1", "at least 0"}},
        {adam, ADAM("'t':1.5"), "invalid_param", "/config/t", {"integer"}},
        {adam, ADAM("'t':9007199254740992"), "invalid_param", "/config/t", {"at most"}},
        {adam, ADAM("'beta1':1"), "invalid_param", "/config/beta1", {"below 1"}},
        {adam, ADAM("'beta2':-0.1"), "invalid_param", "/config/beta2", {"at least 0"}},
        {adam, ADAM("'epsilon':0"), "invalid_param", "/config/epsilon", {"above 0"}},
        {adam, ADAM("'m':[1]"), "shape_mismatch", "/config/m", {"(1,)", "()"}},
        {adam, "{'w':[1],'dw':1}", "shape_mismatch", "/dw", {"/w"}},
        {"/sgd/update",
         "{'w':1,'dw':1,'config':{'learning_rate':-1}}",
         "invalid_param",
         "/config/learning_rate",
         {"at least 0"}},
        {"/sgd_momentum/update",
         "{'w':1,'dw':1,'config':{'momentum':1.5}}",
         "invalid_param",
         "/config/momentum",
         {"at most 1"}},
        {"/rmsprop/update",
         "{'w':1,'dw':1,'config':{'cache':'0123456789abcdef0123456789abcdef'}}",
         "wrong_type",
         "/config/cache",
         {"a string"}},
        {"/sgd/update", "{'w':1,'dw':1,'cache':'none'}", "unknown_field", "/cache", {"cache"}},
    };
    EXPECT(list);
}

/* 4 · 10⁶ places of 250,000 products each: a minute of a processor, asked for in a megabyte. */
Test(errors_images, the_work_limit_is_kept) {
    enum { KERNEL = 500 };
    process *p = daemon_start(NULL);
    char *ones = malloc(2 * KERNEL * KERNEL + 1), *out = ones;
    for (int i = 0; i < KERNEL * KERNEL; i++)
        out += sprintf(out, i ? ",1" : "1");
    const answer *a = post(p->caller, conv,
                           "{'x':[[[[1]]]],'w':{'shape':[1,1,500,500],'data':[%s]},'b':[0],"
                           "'conv_param':{'pad':1300}}",
                           ones);
    expect_problem(a, "result_too_large", "");
    CHECK(strstr(a->body, "--work-limit"), "%s", a->body);
    free(ones);
    daemon_stop(p);
    p = daemon_start(OPTIONS("--work-limit", "17"));
    expect_json(post(p->caller, "/affine/forward?cache=none",
                     "{'x':[[1,2],[3,4]],'w':[[1,1],[1,1]],'b':[0,0]}"),
                "{'out':[[3.0,3.0],[7.0,7.0]]}");
    a = post(p->caller, "/affine/forward?cache=none",
             "{'x':[[1,2],[3,4],[5,6]],'w':[[1,1],[1,1]],'b':[0,0]}");
    expect_problem(a, "result_too_large", "");
    daemon_stop(p);
}

static void expect_body(process *daemon, const char *path, const char *query, const char *body,
                        int status, const char *want) {
    layerd_error error;
    layerd_reply *reply = layerd_raw(
        daemon->caller->client,
        &(layerd_message){.path = path, .query = query, .body = body, .length = strlen(body)},
        &error);
    cr_assert(reply, "%s: %s", path, error.detail);
    CHECK(reply->status == status && strstr(reply->body, want), "%s: %d %s", path, reply->status,
          reply->body);
    layerd_reply_free(reply);
}

Test(errors_images, what_is_no_error) {
    process *daemon = daemon_start(NULL);
    const char image[] = "{\"x\":[[[[1,2],[3,4]]]],\"w\":[[[[2]]]],\"b\":[1]";
    char body[256];
    for (int i = 0; i < 4; i++) { /* left out, empty, as reals, and a stride beyond the image */
        static const char *const params[] = {"", ",\"conv_param\":{}",
                                             ",\"conv_param\":{\"stride\":1.0,\"pad\":0e3}",
                                             ",\"conv_param\":{\"stride\":9007199254740991}"};
        snprintf(body, sizeof body, "%s%s}", image, params[i]);
        expect_body(daemon, "/conv/forward", "cache=none", body, 200,
                    i < 3 ? "{\"out\":[[[[3.0,5.0],[7.0,9.0]]]]}" : "{\"out\":[[[[3.0]]]]}");
    }
    expect_body(daemon, "/adam/update", NULL, "{\"w\":1,\"dw\":0,\"config\":{\"t\":41.0}}", 200,
                "\"t\":42}");
    expect_body(daemon, "/sgd/update", "cache=none", "{\"w\":1,\"dw\":0}", 400,
                "\"code\":\"invalid_query\"");
    daemon_stop(daemon);
}
