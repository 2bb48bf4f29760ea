/* What every answer has: headers, the form of numbers and arrays, parameters that come back. */
#include <float.h>
#include <stdlib.h>
#include <string.h>

#include "http/daemon.h"

DAEMON_SUITE(answers);

Test(answers, a_sane_request_id_is_echoed) {
    static const char *const sane[] = {"a", "0", "req-1_2.3:4", "ABCxyz-0123456789",
                                       "7f9c24e8-3b12-4fef-91e0-1a2b3c4d5e6f"};
    process *p = daemon_start(NULL);
    for (size_t i = 0; i < sizeof sane / sizeof *sane; i++) {
        char line[128];
        snprintf(line, sizeof line, "X-Request-Id: %s", sane[i]);
        CHECK_TEXT(header_of(fetch(p->caller, "GET", "/healthz", HEADERS(line)), "X-Request-Id"),
                   sane[i]);
        CHECK_TEXT(header_of(fetch(p->caller, "GET", "/nowhere", HEADERS(line)), "X-Request-Id"),
                   sane[i]);
    }
    daemon_stop(p);
}

Test(answers, an_insane_request_id_is_replaced) {
    char huge[400];
    memset(huge, 'a', sizeof huge - 1);
    huge[sizeof huge - 1] = '\0';
    const char *const insane[] = {"two words", "a\tb",        "\"quoted\"",  "<script>", "a\x01z",
                                  "a\x7f",     "caf\xc3\xa9", "back\\slash", huge};
    process *p = daemon_start(NULL);
    for (size_t i = 0; i < sizeof insane / sizeof *insane; i++) {
        char line[512];
        snprintf(line, sizeof line, "X-Request-Id: %s", insane[i]);
        const answer *a = fetch(p->caller, "GET", "/healthz", HEADERS(line));
        CHECK(*header_of(a, "X-Request-Id") && strcmp(header_of(a, "X-Request-Id"), insane[i]) != 0,
              "the id %.40s came back", insane[i]);
    }
    daemon_stop(p);
}

Test(answers, requests_without_an_id_get_different_ones) {
    process *p = daemon_start(NULL);
    char first[128];
    snprintf(first, sizeof first, "%s",
             header_of(fetch(p->caller, "GET", "/healthz", NULL), "X-Request-Id"));
    CHECK_TRUE(*first);
    CHECK_TRUE(
        strcmp(first, header_of(fetch(p->caller, "GET", "/healthz", NULL), "X-Request-Id")) != 0);
    daemon_stop(p);
}

Test(answers, the_time_of_a_computation_is_told) {
    process *p = daemon_start(NULL);
    char *body = malloc(2000008), *out = body + sprintf(body, "{\"x\":[");
    for (int i = 0; i < 400000; i++)
        out += sprintf(out, "%d.5,", i % 10);
    sprintf(out - 1, "]}");
    const answer *a = post_bytes(p->caller, "/relu/forward?cache=none", NULL, body, strlen(body));
    double read = 0, compute = 0, write = 0;
    CHECK_EQUAL(sscanf(header_of(a, "Server-Timing"),
                       "read;dur=%lf, compute;dur=%lf, write;dur=%lf", &read, &compute, &write),
                3);
    CHECK(read > 0 && compute > 0 && write > 0 && read + compute + write < 40000,
          "read %g, compute %g, write %g", read, compute, write);
    free(body);
    daemon_stop(p);
}

/* The text of a number in `out`, by its body: what JSON readers do not tell apart matters here. */
static void expect_number(caller *caller, const char *dtype, const char *in, const char *out) {
    char want[96];
    const answer *a = post(caller, "/relu/forward?cache=none", "{'x':%s,'dtype':'%s'}", in, dtype);
    snprintf(want, sizeof want, "{\"out\":%s}\n", out);
    CHECK_TEXT(a->body, want);
}

Test(answers, numbers_are_the_shortest_and_carry_a_point_or_an_exponent) {
    process *p = daemon_start(NULL);
    static const char *const exact[][2] = {
        {"3", "3.0"},
        {"0", "0.0"},
        {"-0.0", "0.0"},
        {"0.1", "0.1"},
        {"0.30000000000000004", "0.30000000000000004"},
        {"1.7976931348623157e308", "1.7976931348623157e+308"},
        {"123456.75", "123456.75"},
        {"[[1],[2]]", "[[1.0],[2.0]]"},
        {"[]", "[]"},
        {"[[],[]]", "[[],[]]"},
    };
    for (size_t i = 0; i < sizeof exact / sizeof *exact; i++)
        expect_number(p->caller, "float64", exact[i][0], exact[i][1]);
    expect_number(p->caller, "float32", "0.1", "0.1");
    expect_number(p->caller, "float32", "0.30000000000000004", "0.3");
    expect_number(p->caller, "float32", "16777217", "16777216.0");
    expect_number(p->caller, "float32", "3.4028234663852886e38", "3.4028235e+38");
    daemon_stop(p);
}

Test(answers, every_float64_comes_back_as_it_was) {
    static const double hard[] = {DBL_MIN,
                                  DBL_MAX,
                                  DBL_EPSILON,
                                  4.9406564584124654e-324,
                                  2.2250738585072009e-308,
                                  1e21,
                                  1e22,
                                  1e23,
                                  9007199254740993.0,
                                  5e-324,
                                  0.1 + 0.2,
                                  1.0 / 3,
                                  1e15,
                                  1e16,
                                  1e17,
                                  123456789012345680.0};
    process *p = daemon_start(NULL);
    for (size_t i = 0; i < sizeof hard / sizeof *hard; i++) {
        const answer *a = post(p->caller, "/relu/forward?cache=none", "{'x':%.17g}", hard[i]);
        CHECK(json_is_real(json_at(a->json, "out")), "%s is not a float", a->body);
        CHECK(number_at(a, "out") == hard[i], "%s is not %.17g", a->body, hard[i]);
    }
    daemon_stop(p);
}

Test(answers, tensors_are_nested_or_flat_as_asked) {
    process *p = daemon_start(NULL);
    caller *c = p->caller;
    expect_json(post(c, "/relu/forward", "{'x':{'shape':[2,1,2],'data':[1,-2,3,4]}}"),
                "{'out':[[[1.0,0.0]],[[3.0,4.0]]]}");
    expect_json(post(c, "/relu/forward?tensors=flat", "{'x':[[[1,-2]],[[3,4]]]}"),
                "{'out':{'shape':[2,1,2],'data':[1.0,0.0,3.0,4.0]}}");
    expect_json(post(c, "/relu/forward?tensors=flat", "{'x':[[],[]]}"),
                "{'out':{'shape':[2,0],'data':[]}}");
    expect_json(post(c, "/relu/forward", "{'x':{'shape':[0,3],'data':[]}}"), "{'out':[]}");
    expect_json(post(c, "/affine/forward?tensors=flat&cache=none",
                     "{'x':[[1,2]],'w':{'shape':[2,1],'data':[3,4]},'b':[5]}"),
                "{'out':{'shape':[1,1],'data':[16.0]}}");
    expect_json(post(c, "/svm/loss?tensors=flat", "{'x':[[0,0]],'y':{'shape':[1],'data':[1]}}"),
                "{'loss':1.0,'dx':{'shape':[1,2],'data':[1.0,-1.0]}}");
    daemon_stop(p);
}

Test(answers, a_number_is_a_tensor_of_rank_0) {
    process *p = daemon_start(NULL);
    expect_json(post(p->caller, "/relu/forward", "{'x':2}"), "{'out':2.0}");
    expect_json(post(p->caller, "/relu/forward", "{'x':{'shape':[],'data':[2]}}"), "{'out':2.0}");
    expect_json(post(p->caller, "/relu/forward", "{'x':'NaN'}"), "{'out':'NaN'}");
    daemon_stop(p);
}

Test(answers, nan_and_infinities_go_in_bare_and_come_out_as_strings) {
    process *p = daemon_start(NULL);
    expect_number(p->caller, "float64", "[NaN,Infinity,-Infinity]", "[\"NaN\",\"Infinity\",0.0]");
    expect_number(p->caller, "float32", "['NaN','Infinity','-Infinity']",
                  "[\"NaN\",\"Infinity\",0.0]");
    expect_number(p->caller, "float64", "NaN", "\"NaN\"");
    expect_json(post(p->caller, "/relu/forward", "{'x':{'shape':[2],'data':[NaN,-Infinity]}}"),
                "{'out':['NaN',0.0]}");
    daemon_stop(p);
}

Test(answers, an_integral_float_is_a_label) {
    process *p = daemon_start(NULL);
    expect_json(post(p->caller, "/svm/loss", "{'x':[[0,0,0]],'y':[2.0]}"),
                "{'loss':2.0,'dx':[[1.0,1.0,-2.0]]}");
    daemon_stop(p);
}

Test(answers, bn_param_comes_back_whole_and_can_be_sent_as_it_is) {
    process *p = daemon_start(NULL);
    const answer *a = post(p->caller, "/batchnorm/forward",
                           "{'x':[[0,1],[2,3]],'gamma':[1,1],'beta':[0,0],"
                           "'bn_param':{'mode':'train','momentum':0.5}}");
    json_t *param = json_at(a->json, "bn_param");
    char *text = json_dumps(param, JSON_COMPACT), why[256];
    CHECK_EQUAL(a->status, 200);
    json_t *want = json_loads("{\"mode\":\"train\",\"eps\":1e-5,\"momentum\":0.5,"
                              "\"running_mean\":[0.5,1.0],\"running_var\":[0.5,0.5]}",
                              0, NULL);
    CHECK(json_same(param, want, 0, 0, why), "%s", why);
    json_decref(want);
    a = post(p->caller, "/batchnorm/forward",
             "{'x':[[4,4],[6,6]],'gamma':[1,1],'beta':[0,0],'bn_param':%s}", text);
    CHECK_EQUAL(a->status, 200);
    CHECK(number_at(a, "bn_param.eps") == 1e-5, "eps is %g", number_at(a, "bn_param.eps"));
    want = json_loads("[2.75,3.0]", 0, NULL);
    CHECK(json_same(json_at(a->json, "bn_param.running_mean"), want, 0, 0, why), "%s", why);
    json_decref(want);
    free(text);
    daemon_stop(p);
}

Test(answers, a_drawn_seed_comes_back_and_gives_the_same_again) {
    static const char x[] = "[[1,2,3,4,5,6,7,8],[9,10,11,12,13,14,15,16]]";
    process *p = daemon_start(NULL);
    const answer *a = post(p->caller, "/dropout/forward?cache=none",
                           "{'x':%s,'dropout_param':{'p':0.5,'mode':'train'}}", x);
    json_t *seed = json_at(a->json, "dropout_param.seed");
    cr_assert(json_is_integer(seed), "%s", a->body);
    CHECK_TRUE(json_integer_value(seed) >= 0 && json_integer_value(seed) <= UINT32_MAX);
    const answer *b = post(p->caller, "/dropout/forward?cache=none",
                           "{'x':%s,'dropout_param':{'p':0.5,'mode':'train','seed':%lld}}", x,
                           (long long)json_integer_value(seed));
    CHECK_TEXT(b->body, a->body);
    const answer *c = post(p->caller, "/dropout/forward?cache=none",
                           "{'x':%s,'dropout_param':{'p':0.5,'mode':'train'}}", x);
    CHECK_TRUE(!json_equal(seed, json_at(c->json, "dropout_param.seed")));
    daemon_stop(p);
}

Test(answers, the_mask_does_not_depend_on_the_dtype) {
    process *p = daemon_start(NULL);
    char bodies[2][256];
    for (int i = 0; i < 2; i++) {
        const answer *a = post(p->caller, "/dropout/forward?cache=none",
                               "{'x':[1,1,1,1,1,1,1,1,1,1,1,1],'dtype':'%s',"
                               "'dropout_param':{'p':0.5,'mode':'train','seed':42}}",
                               i ? "float32" : "float64");
        CHECK_EQUAL(a->status, 200);
        snprintf(bodies[i], sizeof bodies[i], "%s", a->body);
    }
    CHECK_TEXT(bodies[1], bodies[0]);
    daemon_stop(p);
}
