/* Errors that tell what was meant: of the key that a list stands at, the nearest name, the place
 * where a key belongs. And what is no error: one number for a list of one. */
#include <stdlib.h>
#include <string.h>

#include "http/refusal.h"

DAEMON_SUITE(errors_hints);

static const char affine[] = "/affine/forward", relu[] = "/relu/forward",
                  batchnorm[] = "/batchnorm/forward", dropout[] = "/dropout/forward",
                  svm[] = "/svm/loss";

/* A list is read as numbers before its key is looked at; the fault is told of the key. */
Test(errors_hints, a_list_for_a_field_that_takes_none) {
    static const refusal list[] = {
        {batchnorm,
         NORM("'mode':['train']"),
         "wrong_type",
         "/bn_param/mode",
         {"/bn_param/mode is a list, but must be \"train\" or \"test\""}},
        {batchnorm, NORM("'mode':[[1],2]"), "wrong_type", "/bn_param/mode", {"a list"}},
        {batchnorm, NORM("'mode':{'a':['b']}"), "wrong_type", "/bn_param/mode", {"an object"}},
        {batchnorm, NORM("'mode':1e999"), "wrong_type", "/bn_param/mode", {"a number"}},
        {batchnorm,
         NORM("'mode':'train','eps':['x']"),
         "wrong_type",
         "/bn_param/eps",
         {"/bn_param/eps is a list, but must be a number"}},
        {batchnorm,
         NORM("'mode':'train','eps':1e999"),
         "number_out_of_range",
         "/bn_param/eps",
         {NULL}},
        {batchnorm, NORM("'m\\u006fde':['train']"), "wrong_type", "/bn_param/mode", {"a list"}},
        {batchnorm,
         NORM("'mode':'train','running_mean':['a']"),
         "wrong_type",
         "/bn_param/running_mean/0",
         {"a string"}},
        {batchnorm, NORM("'mod':['train']"), "unknown_field", "/bn_param/mod", {"\"mode\""}},
        {batchnorm,
         "{'x':[[1]],'gamma':[1],'beta':[1],'bn_param':['train']}",
         "wrong_type",
         "/bn_param",
         {"/bn_param is a list, but must be an object"}},
        {dropout,
         "{'x':1,'dropout_param':{'p':['a'],'mode':'train'}}",
         "wrong_type",
         "/dropout_param/p",
         {"a list", "a number"}},
        {relu,
         "{'x':1,'dtype':['float32']}",
         "wrong_type",
         "/dtype",
         {"/dtype is a list, but must be \"float64\" or \"float32\""}},
        {relu,
         "{'x':1,'dtype':[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]}",
         "wrong_type",
         "/dtype",
         {"a list"}},
        {"/relu/backward",
         "{'dout':1,'cache':['abc']}",
         "wrong_type",
         "/cache",
         {"/cache is a list, but must be the string that forward gave"}},
        {"/relu/backward", "{'dout':1,'cache':{'x':1}}", "wrong_type", "/cache", {"an object"}},
        {"/relu/backward", "{'dout':1,'cache':{'x':['a']}}", "wrong_type", "/cache", {"an object"}},
        {"/relu/backward", "{'dout':1,'cache':null}", "wrong_type", "/cache", {"/cache is null"}},
        {relu, "{'x':1,'cache':['abc']}", "unknown_field", "/cache", {NULL}},
        {relu, "{'names':['a','b'],'x':1}", "unknown_field", "/names", {"\"x\""}},
        {relu, "['a']", "wrong_type", "", {"the body is a list"}},
        {relu, " [1,[2]]", "wrong_type", "", {"the body is a list"}},
        {relu, "{'x':[1,null]}", "wrong_type", "/x/1", {"/x/1 is null, but must be a number"}},
        {relu, "{'x':[[true]]}", "wrong_type", "/x/0/0", {"/x/0/0 is true"}},
    };
    EXPECT(list);
}

Test(errors_hints, one_number_is_a_list_of_one) {
    process *p = daemon_start(NULL);
    expect_json(post(p->caller, "/relu/forward?cache=none", "{'x':{'shape':3,'data':[1,2,3]}}"),
                "{'out':[1.0,2.0,3.0]}");
    expect_json(post(p->caller, "/relu/forward?cache=none", "{'x':{'shape':[1],'data':8.5}}"),
                "{'out':[8.5]}");
    expect_json(post(p->caller, "/affine/forward?cache=none",
                     "{'x':[[1]],'w':{'shape':[1,1],'data':2},'b':{'shape':1,'data':3}}"),
                "{'out':[[5.0]]}");
    expect_json(post(p->caller, svm, "{'x':[[1,3]],'y':{'shape':1,'data':1}}"),
                "{'loss':0.0,'dx':[[0.0,0.0]]}");
    expect_json(post(p->caller, "/batchnorm/forward?cache=none",
                     "{'x':[[3]],'gamma':[1],'beta':[0],'bn_param':{'mode':'test',"
                     "'running_mean':{'shape':1,'data':3}}}"),
                "{'out':[[0.0]],'bn_param':{'mode':'test','eps':1e-05,'momentum':0.9,"
                "'running_mean':[3.0],'running_var':[0.0]}}");
    expect_json(post(p->caller, "/relu/forward?cache=none", "{'\\u0078':['\\u004eaN','Infinity']}"),
                "{'out':['NaN','Infinity']}");
    daemon_stop(p);
}

Test(errors_hints, long_strings_and_deep_objects) {
    enum { LENGTH = 70000, DEPTH = 50000 };
    process *p = daemon_start(NULL);
    char *text = malloc(6 * DEPTH + 64);
    memset(text, 'a', LENGTH);
    text[LENGTH] = '\0';
    expect_problem(post(p->caller, "/relu/backward", "{'dout':1,'cache':'%s'}", text),
                   "unknown_cache", "/cache");
    expect_problem(post(p->caller, relu, "{'x':1,'%s':1}", text), "unknown_field", NULL);
    expect_problem(post(p->caller, relu, "{'%s':[1,'a']}", text), "unknown_field", NULL);
    expect_problem(post(p->caller, relu, "{'x':1,'dtype':'%s'}", text), "invalid_param", "/dtype");
    expect_problem(post(p->caller, relu, "{'x':['%s']}", text), "wrong_type", "/x/0");
    for (int i = 0; i < DEPTH; i++)
        memcpy(text + 5 * i, "{'x':", 6);
    expect_problem(post(p->caller, relu, "%s", text), "invalid_json", NULL);
    for (int i = 0; i < DEPTH; i++)
        text[5 * DEPTH + i] = '}';
    text[5 * DEPTH - 1] = '1';
    text[6 * DEPTH - 1] = '\0';
    memcpy(text + 5 * DEPTH - 5, "{'x':", 5);
    expect_problem(post(p->caller, relu, "%s", text), "invalid_json", NULL);
    free(text);
    daemon_stop(p);
}

Test(errors_hints, hints_help) {
    static const refusal list[] = {
        {affine,
         "{'x':[[1]],'W':[[1]],'b':[1]}",
         "unknown_field",
         "/W",
         {"the nearest that it takes is \"w\""}},
        {svm,
         "{'x':[[1,2]],'labels':[0]}",
         "unknown_field",
         "/labels",
         {"it takes \"x\", \"y\", \"dtype\""}},
        {dropout,
         "{'x':1,'p':0.5,'mode':'train'}",
         "unknown_field",
         "/p",
         {"\"p\" belongs inside /dropout_param", "/dropout_param/p"}},
        {dropout,
         "{'x':1,'p':['a']}",
         "unknown_field",
         "/p",
         {"\"p\" belongs inside /dropout_param"}},
        {batchnorm,
         "{'x':[[1]],'bn_param':{'mode':'train','gamma':[1],'beta':[1]}}",
         "unknown_field",
         "/bn_param/gamma",
         {"\"gamma\" belongs beside /bn_param"}},
        {batchnorm,
         NORM("'mode':'train','xx':1"),
         "unknown_field",
         "/bn_param/xx",
         {"in /bn_param; it takes \"mode\""}},
        {batchnorm,
         "{'x':[[1]],'gamma':1,'beta':[1],'bn_param':{'mode':'train'}}",
         "invalid_shape",
         "/gamma",
         {"/gamma has shape (), but must be (D,); write [1]"}},
        {affine, "{'x':[[1]],'w':2.5,'b':[1]}", "invalid_shape", "/w", {"write [[2.5]]"}},
        {svm, "{'x':[[1,2]],'y':1}", "invalid_shape", "/y", {"write [1]"}},
        {dropout,
         "{'x':1,'dropout_param':{'p':0,'mode':'train'}}",
         "invalid_param",
         "/dropout_param/p",
         {"/dropout_param/p is 0", "the probability of keeping"}},
        {dropout,
         "{'x':1,'dropout_param':{'p':1.5,'mode':'train'}}",
         "invalid_param",
         "/dropout_param/p",
         {"1.5", "the probability of keeping"}},
        {relu, "{'x':{'shape':[2,-3],'data':[]}}", "invalid_shape", "/x/shape", {"-3"}},
    };
    EXPECT(list);
}
