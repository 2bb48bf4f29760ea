/* Errors about what stands in a body: fields, types, shapes, ranges. */
#include <stdlib.h>
#include <string.h>

#include "http/refusal.h"

DAEMON_SUITE(errors_fields);

static const char affine[] = "/affine/forward", relu[] = "/relu/forward",
                  batchnorm[] = "/batchnorm/forward", dropout[] = "/dropout/forward",
                  svm[] = "/svm/loss", softmax[] = "/softmax/loss";

Test(errors_fields, missing_field) {
    static const refusal list[] = {
        {relu, "{}", "missing_field", "/x", {"x"}},
        {affine, "{'x':[[1]],'b':[1]}", "missing_field", "/w", {"w"}},
        {batchnorm,
         "{'x':[[1]],'gamma':[1],'beta':[1]}",
         "missing_field",
         "/bn_param",
         {"bn_param"}},
        {batchnorm,
         "{'x':[[1]],'gamma':[1],'beta':[1],'bn_param':{}}",
         "missing_field",
         "/bn_param/mode",
         {"mode"}},
        {dropout,
         "{'x':1,'dropout_param':{'mode':'train'}}",
         "missing_field",
         "/dropout_param/p",
         {"p"}},
        {svm, "{'x':[[1]]}", "missing_field", "/y", {"y"}},
        {"/relu/backward", "{'dout':[1]}", "missing_field", "/cache", {"cache"}},
        {relu, "{'x':{'shape':[1]}}", "missing_field", "/x/data", {"data"}},
        {relu, "{'x':{'data':[1]}}", "missing_field", "/x/shape", {"shape"}},
        {relu, "{'x':{}}", "missing_field", NULL, {NULL}},
    };
    EXPECT(list);
}

Test(errors_fields, unknown_field_names_the_nearest) {
    static const refusal list[] = {
        {affine,
         "{'x':[[1]],'w':[[1]],'b':[1],'dtipe':'float32'}",
         "unknown_field",
         "/dtipe",
         {"\"dtype\""}},
        {batchnorm,
         "{'x':[[1]],'gama':[1],'beta':[1],'bn_param':{'mode':'train'}}",
         "unknown_field",
         "/gama",
         {"\"gamma\""}},
        {batchnorm,
         "{'x':[[1]],'gamma':[1],'beta':[1],'bn_param':{'mode':'train','running_men':[1]}}",
         "unknown_field",
         "/bn_param/running_men",
         {"\"running_mean\""}},
        {dropout,
         "{'x':1,'dropout_param':{'p':1,'mode':'test','sed':1}}",
         "unknown_field",
         "/dropout_param/sed",
         {"\"seed\""}},
        {relu, "{'x':{'shape':[1],'data':[1],'dat':[1]}}", "unknown_field", "/x/dat", {"data"}},
        {relu, "{'x':1,'cache':'a'}", "unknown_field", "/cache", {"cache"}},
        {"/relu/backward", "{'dout':1,'cash':'a'}", "unknown_field", "/cash", {"\"cache\""}},
        {relu, "{'x':1,'':2}", "unknown_field", "/", {NULL}},
        {relu, "{'x':1,'caf\xc3\xa9':2}", "unknown_field", "/caf\xc3\xa9", {"caf\xc3\xa9"}},
    };
    EXPECT(list);
}

Test(errors_fields, pointers_escape_as_rfc_6901_says) {
    static const refusal list[] = {
        {relu, "{'x':1,'a/b':2}", "unknown_field", "/a~1b", {"a/b"}},
        {relu, "{'x':1,'a~b':2}", "unknown_field", "/a~0b", {"a~b"}},
        {relu, "{'x':{'shape':[1],'data':[1],'a/b':1}}", "unknown_field", "/x/a~1b", {"a/b"}},
        {relu, "{'a/b':[1,[2]]}", "unknown_field", "/a~1b", {NULL}},
        {relu, "{'a/b':{'c':['~']}}", "unknown_field", "/a~1b", {"\"a/b\""}},
        {relu, "{'x':{'a/b':[1,[2]]}}", "ragged_array", "/x/a~1b/1", {NULL}},
    };
    EXPECT(list);
}

Test(errors_fields, wrong_type) {
    static const refusal list[] = {
        {relu, "[1]", "wrong_type", "", {"a list", "object"}},
        {relu, "5", "wrong_type", "", {"a number"}},
        {relu, "'x'", "wrong_type", "", {"a string"}},
        {relu, "null", "wrong_type", "", {"null"}},
        {relu, "{'x':true}", "wrong_type", "/x", {"a boolean"}},
        {relu, "{'x':null}", "wrong_type", "/x", {"null"}},
        {relu, "{'x':'1'}", "wrong_type", "/x", {"a string"}},
        {relu, "{'x':'nan'}", "wrong_type", "/x", {"a string"}},
        {relu, "{'x':[1,true]}", "wrong_type", "/x/1", {NULL}},
        {relu, "{'x':[[1,2],[3,null]]}", "wrong_type", "/x/1/1", {NULL}},
        {relu, "{'x':[1,'2']}", "wrong_type", "/x/1", {NULL}},
        {relu, "{'x':[1,{}]}", "wrong_type", "/x/1", {NULL}},
        {relu, "{'x':1,'dtype':64}", "wrong_type", "/dtype", {"a number"}},
        {relu, "{'x':{'shape':'2','data':[1]}}", "wrong_type", "/x/shape", {"a string"}},
        {relu, "{'x':{'shape':[1.5],'data':[1]}}", "wrong_type", "/x/shape/0", {"1.5"}},
        {relu, "{'x':{'shape':[1],'data':'1'}}", "wrong_type", "/x/data", {"a string"}},
        {relu, "{'x':{'shape':[1],'data':[true]}}", "wrong_type", "/x/data/0", {NULL}},
        {"/relu/backward", "{'dout':1,'cache':5}", "wrong_type", "/cache", {"a number"}},
        {"/relu/backward", "{'dout':1,'cache':[1]}", "wrong_type", "/cache", {"a list"}},
        {batchnorm,
         "{'x':[[1]],'gamma':[1],'beta':[1],'bn_param':[1]}",
         "wrong_type",
         "/bn_param",
         {"a list"}},
        {batchnorm,
         "{'x':[[1]],'gamma':[1],'beta':[1],'bn_param':{'mode':1}}",
         "wrong_type",
         "/bn_param/mode",
         {"a number"}},
        {batchnorm,
         "{'x':[[1]],'gamma':[1],'beta':[1],'bn_param':{'mode':'train','eps':'x'}}",
         "wrong_type",
         "/bn_param/eps",
         {"a string"}},
        {dropout,
         "{'x':1,'dropout_param':{'p':[1],'mode':'train'}}",
         "wrong_type",
         "/dropout_param/p",
         {"a list"}},
        {svm, "{'x':[[1,2]],'y':[0.5]}", "wrong_type", "/y/0", {"0.5", "integer"}},
        {svm, "{'x':[[1,2]],'y':['0']}", "wrong_type", "/y/0", {NULL}},
        {softmax, "{'x':[[1,2]],'y':[NaN]}", "wrong_type", "/y/0", {"integer"}},
    };
    EXPECT(list);
}

Test(errors_fields, ragged_array_points_where_it_first_disagrees) {
    static const refusal list[] = {
        {relu, "{'x':[[1,2],[3]]}", "ragged_array", "/x/1", {NULL}},
        {relu, "{'x':[[1],[2],[3,4],[5,6]]}", "ragged_array", "/x/2", {NULL}},
        {relu, "{'x':[1,[2]]}", "ragged_array", "/x/1", {NULL}},
        {relu, "{'x':[[1],2]}", "ragged_array", "/x/1", {NULL}},
        {relu, "{'x':[[[1,2]],[[3,4],[5,6]]]}", "ragged_array", "/x/1", {NULL}},
        {relu, "{'x':[[[1,2],[3]]]}", "ragged_array", "/x/0/1", {NULL}},
        {relu, "{'x':[[],[1]]}", "ragged_array", "/x/1", {NULL}},
        {affine, "{'x':[[1,2]],'w':[[1],[1,2]],'b':[1]}", "ragged_array", "/w/1", {NULL}},
        {batchnorm,
         "{'x':[[1]],'gamma':[1],'beta':[1],'bn_param':{'mode':'test','running_mean':[1,[2]]}}",
         "ragged_array",
         "/bn_param/running_mean/1",
         {NULL}},
    };
    EXPECT(list);
}

Test(errors_fields, invalid_shape) {
    static const refusal list[] = {
        {affine, "{'x':1,'w':[[1]],'b':[1]}", "invalid_shape", "/x", {"x"}},
        {affine, "{'x':[[1]],'w':[1],'b':[1]}", "invalid_shape", "/w", {"(1,)", "(D, M)"}},
        {affine, "{'x':[[1]],'w':[[1]],'b':[[1]]}", "invalid_shape", "/b", {"(1, 1)", "(M,)"}},
        {batchnorm,
         "{'x':[1],'gamma':[1],'beta':[1],'bn_param':{'mode':'train'}}",
         "invalid_shape",
         "/x",
         {"(N, D)"}},
        {batchnorm,
         "{'x':{'shape':[0,1],'data':[]},'gamma':[1],'beta':[1],"
         "'bn_param':{'mode':'train'}}",
         "invalid_shape",
         "/x",
         {"N = 0"}},
        {svm, "{'x':{'shape':[0,2],'data':[]},'y':[]}", "invalid_shape", "/x", {"N = 0"}},
        {softmax, "{'x':[1,2],'y':[0]}", "invalid_shape", "/x", {"(N, C)"}},
        {softmax, "{'x':[[1,2]],'y':0}", "invalid_shape", "/y", {"(N,)"}},
        {relu, "{'x':{'shape':[2,2],'data':[1,2,3]}}", "invalid_shape", NULL, {"(2, 2)", "3"}},
        {relu, "{'x':{'shape':[2],'data':[[1,2]]}}", "invalid_shape", NULL, {NULL}},
        {relu, "{'x':{'shape':[-1],'data':[1]}}", "invalid_shape", NULL, {"negative"}},
        {relu, "{'x':{'shape':[[1]],'data':[1]}}", "invalid_shape", NULL, {NULL}},
    };
    EXPECT(list);
}

Test(errors_fields, shapes_that_overflow) {
    static const refusal list[] = {
        {relu,
         "{'x':{'shape':[4294967296,4294967296,4294967296,4294967296],'data':[]}}",
         "invalid_shape",
         NULL,
         {NULL}},
        {relu, "{'x':{'shape':[4294967296,4294967296],'data':[]}}", "invalid_shape", NULL, {NULL}},
        {relu, "{'x':{'shape':[4294967296,4294967297],'data':[1]}}", "invalid_shape", NULL, {NULL}},
        {relu, "{'x':{'shape':[9007199254740992],'data':[]}}", "invalid_shape", NULL, {NULL}},
        {relu, "{'x':{'shape':[2305843009213693952,8],'data':[]}}", NULL, NULL, {NULL}},
        {relu,
         "{'x':{'shape':[1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1],"
         "'data':[1]}}",
         "invalid_shape",
         NULL,
         {"32"}},
    };
    process *p = daemon_start(NULL);
    for (size_t i = 0; i < sizeof list / sizeof *list; i++) {
        const answer *a = post(p->caller, list[i].path, "%s", list[i].body);
        if (list[i].code)
            expect_problem(a, list[i].code, list[i].pointer);
        else
            CHECK_EQUAL(a->status, 422);
    }
    CHECK_EQUAL(fetch(p->caller, "GET", "/healthz", NULL)->status, 200);
    daemon_stop(p);
}

Test(errors_fields, shape_mismatch_names_both) {
    static const refusal list[] = {
        {affine,
         "{'x':[[1,2,3]],'w':[[1],[2]],'b':[1]}",
         "shape_mismatch",
         "/w",
         {"(2, 1)", "(1, 3)", "D = 3"}},
        {affine,
         "{'x':[[1]],'w':[[1,2]],'b':[1,2,3]}",
         "shape_mismatch",
         "/b",
         {"(3,)", "(1, 2)", "M = 2"}},
        {batchnorm,
         "{'x':[[1,2]],'gamma':[1],'beta':[1,1],'bn_param':{'mode':'train'}}",
         "shape_mismatch",
         "/gamma",
         {"(1,)", "(1, 2)", "D = 2"}},
        {batchnorm,
         "{'x':[[1,2]],'gamma':[1,1],'beta':[1,1],'bn_param':{'mode':'train','running_var':[1]}}",
         "shape_mismatch",
         "/bn_param/running_var",
         {"(1,)", "(1, 2)", "D = 2"}},
        {svm, "{'x':[[1,2]],'y':[0,1]}", "shape_mismatch", "/y", {"(2,)", "(1, 2)", "N = 1"}},
        {dropout,
         "{'x':[[1,2]],'dropout_param':{'p':1,'mode':'train','mask':[1,0]}}",
         "shape_mismatch",
         "/dropout_param/mask",
         {"(2,)", "(1, 2)"}},
    };
    EXPECT(list);
}

Test(errors_fields, invalid_param) {
    static const refusal list[] = {
        {relu, "{'x':1,'dtype':'float16'}", "invalid_param", "/dtype", {"float16", "float32"}},
        {batchnorm, NORM("'mode':'Train'"), "invalid_param", "/bn_param/mode", {"Train", "train"}},
        {batchnorm, NORM("'mode':'train','eps':0"), "invalid_param", "/bn_param/eps", {"0"}},
        {batchnorm, NORM("'mode':'train','eps':-1"), "invalid_param", "/bn_param/eps", {"-1"}},
        {batchnorm, NORM("'mode':'train','eps':NaN"), "invalid_param", "/bn_param/eps", {NULL}},
        {batchnorm,
         NORM("'mode':'train','eps':Infinity"),
         "invalid_param",
         "/bn_param/eps",
         {NULL}},
        {batchnorm,
         NORM("'mode':'train','momentum':1.5"),
         "invalid_param",
         "/bn_param/momentum",
         {"1.5"}},
        {batchnorm,
         NORM("'mode':'train','momentum':-0.1"),
         "invalid_param",
         "/bn_param/momentum",
         {"-0.1"}},
        {dropout, DROP("'mode':'train','p':0"), "invalid_param", "/dropout_param/p", {"0"}},
        {dropout, DROP("'mode':'train','p':1.5"), "invalid_param", "/dropout_param/p", {"1.5"}},
        {dropout, DROP("'mode':'train','p':NaN"), "invalid_param", "/dropout_param/p", {NULL}},
        {dropout, DROP("'mode':'on','p':1"), "invalid_param", "/dropout_param/mode", {"on"}},
        {dropout,
         DROP("'mode':'train','p':1,'seed':-1"),
         "invalid_param",
         "/dropout_param/seed",
         {"-1"}},
        {dropout,
         DROP("'mode':'train','p':1,'seed':4294967296"),
         "invalid_param",
         "/dropout_param/seed",
         {"4294967296", "4294967295"}},
        {dropout,
         DROP("'mode':'train','p':1,'seed':0.5"),
         "invalid_param",
         "/dropout_param/seed",
         {"0.5"}},
        {dropout,
         DROP("'mode':'train','p':1,'mask':0.5"),
         "invalid_param",
         "/dropout_param/mask",
         {"0.5", "0 or 1"}},
        {dropout,
         "{'x':[[1,2],[3,4]],'dtype':'float32',"
         "'dropout_param':{'mode':'train','p':1,'mask':[[1,0],[1e-50,1]]}}",
         "invalid_param",
         "/dropout_param/mask/1/0",
         {"1e-50", "0 or 1"}},
        {dropout,
         "{'x':[[1,2],[3,4]],"
         "'dropout_param':{'mode':'test','p':1,'mask':{'shape':[2,2],'data':[1,0,1,NaN]}}}",
         "invalid_param",
         "/dropout_param/mask/1/1",
         {"nan", "0 or 1"}},
        {dropout,
         DROP("'mode':'train','p':1,'mask':1,'seed':1"),
         "invalid_param",
         "/dropout_param/mask",
         {"seed", "not both"}},
    };
    EXPECT(list);
}

Test(errors_fields, label_out_of_range) {
    static const refusal list[] = {
        {svm, "{'x':[[1,2],[1,2],[1,2],[1,2]],'y':[0,1,0,2]}", "label_out_of_range", "/y/3", {"2"}},
        {softmax,
         "{'x':[[1,2],[1,2],[1,2],[1,2]],'y':[0,1,0,-1]}",
         "label_out_of_range",
         "/y/3",
         {"-1"}},
        {softmax, "{'x':[[1,2]],'y':[9007199254740992]}", "label_out_of_range", "/y/0", {NULL}},
        {svm, "{'x':{'shape':[1,0],'data':[]},'y':[0]}", NULL, NULL, {NULL}},
    };
    process *p = daemon_start(NULL);
    for (size_t i = 0; i < sizeof list / sizeof *list; i++) {
        const answer *a = post(p->caller, list[i].path, "%s", list[i].body);
        if (list[i].code)
            expect_problem(a, list[i].code, list[i].pointer);
        else
            CHECK_EQUAL(a->status, 422);
    }
    daemon_stop(p);
}

Test(errors_fields, number_out_of_range) {
    static const refusal list[] = {
        {relu, "{'x':[1,1e999]}", "number_out_of_range", "/x/1", {NULL}},
        {relu, "{'x':[[1],[-1e309]]}", "number_out_of_range", "/x/1/0", {NULL}},
        {relu, "{'x':[3.5e38],'dtype':'float32'}", "number_out_of_range", "/x/0", {NULL}},
        {relu, "{'x':1e99999999999999999999}", "number_out_of_range", "/x", {NULL}},
        {batchnorm,
         "{'x':[[1]],'gamma':[1],'beta':[1],'bn_param':{'mode':'train','eps':1e999}}",
         "number_out_of_range",
         "/bn_param/eps",
         {NULL}},
    };
    EXPECT(list);
    process *p = daemon_start(NULL);
    expect_json(post(p->caller, relu, "{'x':[1e-999,3.5e38,-1e-99999999999999999999]}"),
                "{'out':[0.0,3.5e38,0.0]}");
    daemon_stop(p);
}

Test(errors_fields, wrong_cache) {
    process *p = daemon_start(NULL);
    char relus[128];
    snprintf(relus, sizeof relus, "%s", cache_of(post(p->caller, relu, "{'x':[[1]]}")));
    const answer *a = post(p->caller, "/affine/backward", "{'dout':[[1]],'cache':'%s'}", relus);
    expect_problem(a, "wrong_cache", "/cache");
    expect_detail(a, "relu");
    a = post(p->caller, "/relu/backward", "{'dout':[[1]],'cache':'%s'}", relus);
    expect_json(a, "{'dx':[[1.0]]}");
    daemon_stop(p);
}

Test(errors_fields, a_result_may_be_too_large) {
    process *p = daemon_start(NULL);
    char *b = malloc(2000010), *out = b;
    for (int i = 0; i < 1000000; i++)
        out += sprintf(out, "0,");
    out[-1] = '\0';
    const answer *a = post(p->caller, affine,
                           "{'x':{'shape':[1000000,0],'data':[]},"
                           "'w':{'shape':[0,1000000],'data':[]},'b':[%s]}",
                           b);
    expect_problem(a, "result_too_large", "");
    a = post(p->caller, relu, "{'x':{'shape':[1000000000,0],'data':[]}}");
    expect_problem(a, "result_too_large", "");
    expect_json(
        post(p->caller, "/relu/forward?tensors=flat", "{'x':{'shape':[1000000000,0],'data':[]}}"),
        "{'out':{'shape':[1000000000,0],'data':[]}}");
    CHECK(daemon_memory(p, "VmHWM") < 400 * 1024, "the daemon took %ld KiB",
          daemon_memory(p, "VmHWM"));
    free(b);
    daemon_stop(p);
}

Test(errors_fields, the_answer_limit_is_kept) {
    process *p = daemon_start(OPTIONS("--answer-limit", "1KiB"));
    expect_json(post(p->caller, relu, "{'x':[1]}"), "{'out':[1.0]}");
    const answer *a = post(p->caller, relu,
                           "{'x':{'shape':[30,1],'data':[1,1,1,1,1,1,1,1,1,1,"
                           "1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1]}}");
    expect_problem(a, "result_too_large", "");
    daemon_stop(p);
}
