/* POST /check/...: what is asked, what is claimed, what is found. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "http/daemon.h"
#include "http/refusal.h"

DAEMON_SUITE(checks);

#define AFFINE "'x':[[1,2],[3,4]],'w':[[0.5],[-1]],'b':[10]"
#define RIGHT  "'claim':{'out':[[8.5],[7.5]]}"

static void expect_verdict(const answer *a, const char *verdict, const char *fault) {
    const char *found = text_at(a, "claim.out.fault");
    CHECK(a->status == 200 && !strcmp(text_at(a, "verdict"), verdict) && !strcmp(found, fault),
          "%s: not %s %s but %d %.400s", a->about, verdict, fault, a->status, a->body);
}

Test(checks, what_the_contract_shows_is_what_is_answered) {
    process *p = daemon_start(NULL);
    const answer *a = post(p->caller, "/check/affine/forward",
                           "{'x':[[1,2],[3,4]],'w':[[0.5],[-1]],'b':[10],"
                           "'claim':{'out':[[-1.5],[-2.5]]}}");
    expect_json(a, "{'verdict':'wrong','claim':{'out':{'verdict':'wrong','fault':'bias_missing',"
                   "'says':'out is x · w: b was not added'}}}");
    CHECK_TEXT(header_of(a, "Content-Type"), "application/json");
    CHECK(a->body[a->length - 1] == '\n', "no line feed at the end");
    expect_json(post(p->caller, "/check/affine/forward", "{" AFFINE "," RIGHT "}"),
                "{'verdict':'right','claim':{'out':{'verdict':'right'}}}");
    daemon_stop(p);
}

Test(checks, details_are_what_was_asked_for) {
    process *p = daemon_start(NULL);
#define WRONG "{" AFFINE ",'claim':{'out':[[8.5],[9.5]]}}"
    expect_json(post(p->caller, "/check/affine/forward?detail=verdict",
                     "{" AFFINE ",'claim':{'out':[[-1.5],[-2.5]]}}"),
                "{'verdict':'wrong','claim':{'out':{'verdict':'wrong'}}}");
    expect_json(post(p->caller, "/check/affine/forward?detail=words", WRONG),
                "{'verdict':'wrong','claim':{'out':{'verdict':'wrong'}}}");
    const answer *a = post(p->caller, "/check/affine/forward?detail=values", WRONG);
    CHECK_EQUAL(json_array_size(json_at(a->json, "claim.out.at")), 2);
    CHECK_EQUAL(json_integer_value(json_array_get(json_at(a->json, "claim.out.at"), 0)), 1);
    CHECK_EQUAL(json_integer_value(json_array_get(json_at(a->json, "claim.out.at"), 1)), 0);
    CHECK_TRUE(number_at(a, "claim.out.claimed") == 9.5);
    CHECK_TRUE(number_at(a, "claim.out.expected") == 7.5);
    CHECK_TRUE(number_at(a, "claim.out.error") == 2);
    double bound = number_at(a, "claim.out.bound");
    CHECK(bound > 0x1p-50 && bound < 1e-13, "the bound is %g", bound);
    a = post(p->caller, "/check/affine/forward?detail=values", "{" AFFINE "," RIGHT "}");
    expect_verdict(a, "right", "");
    CHECK_TRUE(number_at(a, "claim.out.error") == 0);
    EXPECT(((refusal[]){
        {"/check/affine/forward?detail=all", WRONG, "invalid_query", "", {"detail"}},
        {"/check/affine/forward?detail=", WRONG, "invalid_query", "", {0}},
        {"/check/affine/forward?cache=none", WRONG, "invalid_query", "", {"cache"}},
        {"/check/affine/forward?tensors=flat", WRONG, "invalid_query", "", {0}},
        {"/affine/forward?detail=words", "{" AFFINE "}", "invalid_query", "", {0}},
    }));
    daemon_stop(p);
}

Test(checks, claims_are_what_the_operation_gives) {
#define CLAIM(text) "{" AFFINE ",'claim':" text "}"
    EXPECT(((refusal[]){
        {"/check/affine/forward", "{" AFFINE "}", "missing_field", "/claim", {"out"}},
        {"/check/affine/forward", CLAIM("{}"), "missing_field", "/claim", {"out"}},
        {"/check/affine/forward",
         CLAIM("{'ouT':[[1],[2]]}"),
         "unknown_field",
         "/claim/ouT",
         {"out"}},
        {"/check/affine/forward", CLAIM("{'dx':[[1],[2]]}"), "unknown_field", "/claim/dx", {0}},
        {"/check/affine/forward", CLAIM("{'cache':'x'}"), "unknown_field", "/claim/cache", {0}},
        {"/check/affine/forward", CLAIM("[[8.5],[7.5]]"), "wrong_type", "/claim", {"object"}},
        {"/check/affine/forward", CLAIM("'out'"), "wrong_type", "/claim", {"object"}},
        {"/check/affine/forward", CLAIM("null"), "wrong_type", "/claim", {"object"}},
        {"/check/affine/forward", CLAIM("3"), "wrong_type", "/claim", {"object"}},
        {"/check/affine/forward", CLAIM("{'out':'right'}"), "wrong_type", "/claim/out", {0}},
        {"/check/affine/forward", CLAIM("{'out':null}"), "wrong_type", "/claim/out", {0}},
        {"/check/affine/forward",
         CLAIM("{'out':[[1],[2,3]]}"),
         "ragged_array",
         "/claim/out/1",
         {0}},
        {"/check/affine/forward",
         CLAIM("{'out':[[1],['x']]}"),
         "wrong_type",
         "/claim/out/1/0",
         {0}},
        {"/check/affine/forward",
         CLAIM("{'out':[[1],[1e999]]}"),
         "number_out_of_range",
         "/claim/out/1/0",
         {0}},
        {"/check/affine/forward",
         CLAIM("{'out':{'shape':[2,1],'data':[1]}}"),
         "invalid_shape",
         "/claim/out",
         {0}},
        {"/check/affine/forward",
         CLAIM("{'out':{'tensor':'nothing'}}"),
         "unknown_field",
         "/claim/out/tensor",
         {0}},
        {"/check/affine/forward",
         "{'claims':{'out':[1]}," AFFINE "}",
         "unknown_field",
         "/claims",
         {"claim"}},
        {"/check/affine/forward",
         "{'x':[[1,2]],'b':[1],'claim':{'out':[[1]]}}",
         "missing_field",
         "/w",
         {0}},
        {"/check/affine/forward",
         "{'x':[[1,2]],'w':[[1]],'b':[1],'claim':{'out':[[1]]}}",
         "shape_mismatch",
         "/w",
         {0}},
        {"/check/affine/sideways", CLAIM("{'out':[1]}"), "not_found", "", {0}},
        {"/check/affine", CLAIM("{'out':[1]}"), "not_found", "", {0}},
        {"/check/graph", "{}", "not_found", "", {0}},
        {"/check/", "{}", "not_found", "", {0}},
    }));
    process *p = daemon_start(NULL);
    const answer *a = fetch(p->caller, "GET", "/check/affine/forward", NULL);
    expect_problem(a, "method_not_allowed", "");
    CHECK_TEXT(header_of(a, "Allow"), "POST");
    daemon_stop(p);
}

Test(checks, another_shape_is_wrong_and_told) {
    process *p = daemon_start(NULL);
    static const struct {
        const char *out, *says;
    } rows[] = {
        {"[8.5,7.5]", "out has shape (2,), but must have (2, 1): the values are right, so reshape "
                      "them"},
        {"[[8.5,7.5]]", "out has shape (1, 2), but must have (2, 1): the values are right, so "
                        "reshape them"},
        {"[[1],[2],[3]]", "out has shape (3, 1), but must have (2, 1)"},
        {"[]", "out has shape (0,), but must have (2, 1)"},
        {"8.5", "out has shape (), but must have (2, 1)"},
        {"[[[8.5]],[[0]]]", "out has shape (2, 1, 1), but must have (2, 1)"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const answer *a = post(p->caller, "/check/affine/forward",
                               "{" AFFINE ",'claim':{'out':%s}}", rows[i].out);
        expect_verdict(a, "wrong", "shape");
        CHECK_TEXT(text_at(a, "claim.out.says"), rows[i].says);
    }
    const answer *a = post(p->caller, "/check/affine/forward?detail=values",
                           "{" AFFINE ",'claim':{'out':[1,2]}}");
    CHECK_TRUE(!json_at(a->json, "claim.out.expected") && !json_at(a->json, "claim.out.bound"));
    daemon_stop(p);
}

Test(checks, both_ways_to_write_a_tensor_are_read) {
    process *p = daemon_start(NULL);
    expect_verdict(post(p->caller, "/check/affine/forward",
                        "{'x':{'shape':[2,2],'data':[1,2,3,4]},'w':[[0.5],[-1]],'b':[10],"
                        "'claim':{'out':{'shape':[2,1],'data':[8.5,7.5]}}}"),
                   "right", "");
    expect_verdict(post(p->caller, "/check/affine/forward",
                        "{'claim':{'out':{'shape':[2,1],'data':[8.5,7.25]}}," AFFINE "}"),
                   "wrong", "");
    daemon_stop(p);
}

/* ---- what cannot be told -----------------------------------------------------------------------
 */

Test(checks, what_a_fault_would_give_too_is_undecided) {
    process *p = daemon_start(NULL);
    const answer *a =
        post(p->caller, "/check/affine/forward",
             "{'x':[[1,2],[3,4]],'w':[[0.5],[-1]],'b':[0],'claim':{'out':[[-1.5],[-2.5]]}}");
    expect_verdict(a, "undecided", "");
    CHECK_TRUE(strstr(text_at(a, "claim.out.says"), "b was not added"));
    a = post(p->caller, "/check/affine/backward",
             "{'x':[[1,2]],'w':[[0.5],[-1]],'b':[10],'dout':[[3]],"
             "'claim':{'dx':[[1.5,-3]],'dw':[[3],[6]],'db':[3]}}");
    CHECK_TEXT(text_at(a, "claim.dw.verdict"), "undecided");
    CHECK_TRUE(strstr(text_at(a, "claim.dw.says"), "divided by N"));
    a = post(
        p->caller, "/check/dropout/forward",
        "{'x':[1,2,3],'dropout_param':{'p':1,'mode':'train','seed':1},'claim':{'out':[1,2,3]}}");
    expect_verdict(a, "undecided", "");
    CHECK_TRUE(*text_at(a, "claim.out.says"));
    a = post(p->caller, "/check/affine/forward", /* wrong all the same */
             "{'x':[[1,2],[3,4]],'w':[[0.5],[-1]],'b':[0],'claim':{'out':[[-1.5],[-2]]}}");
    expect_verdict(a, "wrong", "");
    daemon_stop(p);
}

Test(checks, the_whole_is_as_bad_as_the_worst) {
    process *p = daemon_start(NULL);
#define BACK(dx, dw, db)                                                                           \
    "{'x':[[1,2]],'w':[[0.5],[-1]],'b':[10],'dout':[[3]],"                                         \
    "'claim':{'dx':" dx ",'dw':" dw ",'db':" db "}}"
    const answer *a =
        post(p->caller, "/check/affine/backward", BACK("[[9,9]]", "[[3],[6]]", "[3]"));
    CHECK_TEXT(text_at(a, "verdict"), "wrong");
    CHECK_TEXT(text_at(a, "claim.dx.verdict"), "wrong");
    CHECK_TEXT(text_at(a, "claim.db.verdict"), "undecided");
    a = post(p->caller, "/check/affine/backward", BACK("[[1.5,-3]]", "[[3],[6]]", "[3]"));
    CHECK_TEXT(text_at(a, "verdict"), "undecided");
    a = post(p->caller, "/check/affine/backward",
             "{'x':[[1,2],[0,1]],'w':[[0.5],[-1]],'b':[10],'dout':[[3],[1]],"
             "'claim':{'db':[4],'dx':[[1.5,-3],[0.5,-1]]}}");
    expect_json(a, "{'verdict':'right','claim':{'dx':{'verdict':'right'},"
                   "'db':{'verdict':'right'}}}");
    daemon_stop(p);
}

Test(checks, what_is_not_finite_matches_in_kind_and_place) {
    process *p = daemon_start(NULL);
    static const struct {
        const char *x, *out, *verdict, *fault;
    } rows[] = {
        {"[1,-2]", "['NaN',0]", "wrong", "not_finite"},
        {"[1,-2]", "[1,'NaN']", "wrong", "not_finite"},
        {"[1,-2]", "['Infinity',0]", "wrong", "not_finite"},
        {"['NaN',-2,3]", "['NaN',0,3]", "right", ""},
        {"['NaN',-2,3]", "[0,0,3]", "wrong", "nan_dropped"},
        {"['Infinity',-2,3]", "['Infinity',0,3]", "right", ""},
        {"['Infinity',-2,3]", "['NaN',0,3]", "wrong", ""},
        {"['Infinity',-2,3]", "['-Infinity',0,3]", "wrong", ""},
        {"['Infinity',-2,3]", "[1.7e308,0,3]", "wrong", ""},
        {"[-2,3,-1]", "[-0.0,3,0]", "right", ""},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        expect_verdict(post(p->caller, "/check/relu/forward", "{'x':%s,'claim':{'out':%s}}",
                            rows[i].x, rows[i].out),
                       rows[i].verdict, rows[i].fault);
    daemon_stop(p);
}

/* ---- precision and tolerance -------------------------------------------------------------------
 */

/* 0.1 · 0.2 + 0.3, in float64 and in float32. */
#define TENTHS(more) "{'x':[[0.1]],'w':[[0.2]],'b':[0.3],'claim':{'out':[[%s]]}" more "}"
#define IN_DOUBLE    "0.32"
#define IN_SINGLE    "0.3199999928474426"

Test(checks, claims_are_as_exact_as_they_say) {
    process *p = daemon_start(NULL);
    static const char path[] = "/check/affine/forward";
    expect_verdict(post(p->caller, path, TENTHS(""), IN_DOUBLE), "right", "");
    expect_verdict(post(p->caller, path, TENTHS(""), IN_SINGLE), "wrong", "float32_values");
    expect_verdict(post(p->caller, path, TENTHS(",'precision':'float32'"), IN_SINGLE), "right", "");
    expect_verdict(post(p->caller, path, TENTHS(",'precision':'float64'"), IN_SINGLE), "wrong",
                   "float32_values");
    expect_verdict(post(p->caller, path, TENTHS(",'dtype':'float32'"), IN_SINGLE), "right", "");
    expect_verdict(
        post(p->caller, path, TENTHS(",'dtype':'float32','precision':'float64'"), IN_SINGLE),
        "right", "");
    expect_verdict(post(p->caller, path, TENTHS(",'precision':'float32'"), "0.3201"), "wrong", "");
    daemon_stop(p);
    EXPECT(((refusal[]){
        {path,
         "{" AFFINE "," RIGHT ",'precision':'float16'}",
         "invalid_param",
         "/precision",
         {"float32"}},
        {path, "{" AFFINE "," RIGHT ",'precision':32}", "wrong_type", "/precision", {"float32"}},
        {path, "{" AFFINE "," RIGHT ",'precision':null}", "wrong_type", "/precision", {0}},
        {path, "{" AFFINE "," RIGHT ",'precision':{}}", "wrong_type", "/precision", {0}},
    }));
}

Test(checks, a_tolerance_loosens_and_never_tightens) {
    process *p = daemon_start(NULL);
    static const char path[] = "/check/affine/forward";
    static const struct {
        const char *tolerance, *claimed, *verdict;
    } rows[] = {
        {"{'rtol':1e-3}", "0.3201", "right"},
        {"{'atol':1e-3}", "0.3201", "right"},
        {"{'rtol':1e-5,'atol':1e-3}", "0.3201", "right"},
        {"{'rtol':1e-5}", "0.3201", "wrong"},
        {"{}", "0.3201", "wrong"},
        {"{}", IN_DOUBLE, "right"},
        {"{'rtol':0,'atol':0}", "0.32000000000000006", "right"},
        {"{'rtol':1e-300}", "0.32000000000000006", "right"},
        {"{'rtol':0}", "0.3200001", "wrong"},
        {"{'atol':1e300}", "-7", "right"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const answer *a = post(p->caller, path,
                               "{'x':[[0.1]],'w':[[0.2]],'b':[0.3],'claim':{'out':[[%s]]},"
                               "'tolerance':%s}",
                               rows[i].claimed, rows[i].tolerance);
        CHECK(!strcmp(text_at(a, "verdict"), rows[i].verdict), "%s of %s: %s", rows[i].claimed,
              rows[i].tolerance, a->body);
    }
    const answer *a = post(p->caller, "/check/affine/forward?detail=values",
                           "{" AFFINE "," RIGHT ",'tolerance':{'rtol':0.5,'atol':2}}");
    CHECK_TRUE(number_at(a, "claim.out.bound") == 0.5 * number_at(a, "claim.out.expected") + 2);
    daemon_stop(p);
#define TOLERANCE(text) "{" AFFINE "," RIGHT ",'tolerance':" text "}"
    EXPECT(((refusal[]){
        {path, TOLERANCE("{'rtol':-1}"), "invalid_param", "/tolerance/rtol", {"-1"}},
        {path, TOLERANCE("{'atol':-1e-300}"), "invalid_param", "/tolerance/atol", {0}},
        {path, TOLERANCE("{'atol':'NaN'}"), "invalid_param", "/tolerance/atol", {0}},
        {path, TOLERANCE("{'atol':NaN}"), "invalid_param", "/tolerance/atol", {0}},
        {path, TOLERANCE("{'rtol':'Infinity'}"), "invalid_param", "/tolerance/rtol", {0}},
        {path, TOLERANCE("{'rtol':'small'}"), "wrong_type", "/tolerance/rtol", {0}},
        {path, TOLERANCE("{'rtol':[1]}"), "wrong_type", "/tolerance/rtol", {0}},
        {path, TOLERANCE("{'atoll':1}"), "unknown_field", "/tolerance/atoll", {"atol"}},
        {path, TOLERANCE("0.1"), "wrong_type", "/tolerance", {"object"}},
        {path, TOLERANCE("[0.1,0.2]"), "wrong_type", "/tolerance", {"object"}},
    }));
}

/* What the inputs hide is hidden, however loose the bound is. */
Test(checks, a_tolerance_does_not_decide_what_cannot_be_told) {
    process *p = daemon_start(NULL);
    expect_verdict(post(p->caller, "/check/affine/forward",
                        "{'x':[[1,2],[3,4]],'w':[[0.5],[-1]],'b':[0],'tolerance':{'rtol':0.1},"
                        "'claim':{'out':[[-1.5],[-2.5]]}}"),
                   "undecided", "");
    daemon_stop(p);
}

/* ---- what is different in other layers ---------------------------------------------------------
 */

#define BATCH                                                                                      \
    "'x':[[1,2],[3,6],[5,1]],'gamma':[1,2],'beta':[0.5,0],"                                        \
    "'bn_param':{'mode':'train','momentum':0.75,'running_mean':[1,1],'running_var':[2,2]}"

Test(checks, parameters_that_come_back_nest) {
    process *p = daemon_start(NULL);
    static const char path[] = "/check/batchnorm/forward";
    expect_json(post(p->caller, path,
                     "{" BATCH ",'claim':{'bn_param':{'running_mean':[1.5,1.5],"
                     "'mode':'train','eps':1e-5}}}"),
                "{'verdict':'right','claim':{'bn_param':{'mode':{'verdict':'right'},"
                "'eps':{'verdict':'right'},'running_mean':{'verdict':'right'}}}}");
    const answer *a = post(p->caller, path,
                           "{" BATCH ",'claim':{'bn_param':{'running_mean':[1.5,"
                           "2],'running_var':[[1,1]],'momentum':0.25}}}");
    CHECK_TEXT(text_at(a, "verdict"), "wrong");
    CHECK_TEXT(text_at(a, "claim.bn_param.running_mean.verdict"), "wrong");
    CHECK_TEXT(text_at(a, "claim.bn_param.running_var.fault"), "shape");
    CHECK_TEXT(text_at(a, "claim.bn_param.running_var.says"),
               "running_var has shape (1, 2), but must have (2,)");
    CHECK_TEXT(text_at(a, "claim.bn_param.momentum.verdict"), "wrong");
    daemon_stop(p);
    EXPECT(((refusal[]){
        {path, "{" BATCH ",'claim':{'bn_param':{}}}", "missing_field", "/claim", {0}},
        {path,
         "{" BATCH ",'claim':{'bn_param':{'running_men':[1,1]}}}",
         "unknown_field",
         "/claim/bn_param/running_men",
         {"running_mean"}},
        {path, "{" BATCH ",'claim':{'bn_param':[1]}}", "wrong_type", "/claim/bn_param", {0}},
        {path,
         "{" BATCH ",'claim':{'running_mean':[1,1]}}",
         "unknown_field",
         "/claim/running_mean",
         {0}},
        {path,
         "{" BATCH ",'claim':{'bn_param':{'mode':'trian'}}}",
         "invalid_param",
         "/claim/bn_param/mode",
         {"train"}},
    }));
}

Test(checks, a_backward_is_asked_with_what_its_forward_takes) {
    process *p = daemon_start(NULL);
    static const char path[] = "/check/relu/backward";
    expect_json(post(p->caller, path, "{'x':[2,-1],'dout':[3,4],'claim':{'dx':[3,0]}}"),
                "{'verdict':'right','claim':{'dx':{'verdict':'right'}}}");
    daemon_stop(p);
    EXPECT(((refusal[]){
        {path,
         "{'x':[1,-1],'dout':[3,4],'cache':'abc','claim':{'dx':[3,0]}}",
         "unknown_field",
         "/cache",
         {0}},
        {path, "{'dout':[3,4],'claim':{'dx':[3,0]}}", "missing_field", "/x", {0}},
        {path, "{'x':[1,-1],'claim':{'dx':[3,0]}}", "missing_field", "/dout", {0}},
        {path, "{'x':[1,-1],'dout':[3],'claim':{'dx':[3,0]}}", "shape_mismatch", "/dout", {0}},
        {"/check/affine/backward",
         "{'x':[[1]],'w':[[1]],'dout':[[1]],'claim':{'db':[1]}}",
         "missing_field",
         "/b",
         {0}},
        {"/check/svm/loss",
         "{'x':[[1,2]],'y':[2],'claim':{'loss':1}}",
         "label_out_of_range",
         "/y/0",
         {0}},
    }));
}

Test(checks, of_dropout_the_seed_must_be_known) {
    static const char path[] = "/check/dropout/forward";
    EXPECT(((refusal[]){
        {path,
         "{'x':[1,2],'dropout_param':{'p':0.5,'mode':'train'},'claim':{'out':[2,0]}}",
         "missing_field",
         "/dropout_param/seed",
         {"seed"}},
        {"/check/dropout/backward",
         "{'x':[1,2],'dout':[1,1],'dropout_param':{'p':0.5,'mode':'train'},'claim':{'dx':[2,0]}}",
         "missing_field",
         "/dropout_param/seed",
         {"seed"}},
        {path,
         "{'x':[1,2],'dropout_param':{'p':0,'mode':'train','seed':1},'claim':{'out':[2,0]}}",
         "invalid_param",
         "/dropout_param/p",
         {0}},
    }));
    process *p = daemon_start(NULL);
    expect_verdict(post(p->caller, path,
                        "{'x':[1,2],'dropout_param':{'p':0.5,'mode':'test'},"
                        "'claim':{'out':[1,2]}}"),
                   "right", "");
    expect_verdict(post(p->caller, path,
                        "{'x':[1,2,3],'dropout_param':{'p':0.25,'mode':'train','mask':[1,0,1]},"
                        "'claim':{'out':[4,0,12]}}"),
                   "right", "");
#define SEEDED "'x':[1,2,3,4,5,6,7,8],'dropout_param':{'p':0.75,'mode':'train','seed':231}"
    const answer *a = post(p->caller, "/dropout/forward?cache=none", "{" SEEDED "}");
    char *out = json_dumps(json_object_get(a->json, "out"), JSON_COMPACT);
    expect_verdict(post(p->caller, path, "{" SEEDED ",'claim':{'out':%s}}", out), "right", "");
    free(out);
    daemon_stop(p);
}

Test(checks, a_loss_is_one_number) {
    process *p = daemon_start(NULL);
    static const char path[] = "/check/svm/loss";
    expect_json(post(p->caller, path, "{'x':[[1,2,0],[3,0,1]],'y':[0,0],'claim':{'loss':1}}"),
                "{'verdict':'right','claim':{'loss':{'verdict':'right'}}}");
    const answer *a = post(p->caller, path, "{'x':[[1,2,0],[3,0,1]],'y':[0,0],'claim':{'loss':2}}");
    CHECK_TEXT(text_at(a, "claim.loss.fault"), "sum_not_mean");
    a = post(p->caller, path, "{'x':[[1,2,0],[3,0,1]],'y':[0,0],'claim':{'loss':[1]}}");
    CHECK_TEXT(text_at(a, "claim.loss.fault"), "shape");
    a = post(p->caller, "/check/svm/loss?detail=values",
             "{'x':[[1,2,0],[3,0,1]],'y':[0,0],'claim':{'loss':1.5}}");
    CHECK_TRUE(json_is_array(json_at(a->json, "claim.loss.at")));
    CHECK_EQUAL(json_array_size(json_at(a->json, "claim.loss.at")), 0);
    CHECK_TRUE(number_at(a, "claim.loss.expected") == 1);
    daemon_stop(p);
}

/* A right answer that could not be given as one is not computed to compare claims with it. */
Test(checks, right_answers_are_held_to_the_limit_of_answers) {
    process *p = daemon_start(NULL);
    EXPECT(((refusal[]){
        {"/check/conv/forward",
         "{'x':[[[[1]]]],'w':[[[[1]]]],'b':[1],'conv_param':{'pad':20000},'claim':{'out':[]}}",
         "result_too_large",
         NULL,
         {"--answer-limit"}},
        {"/check/conv/forward",
         "{'x':[[[[1]]]],'w':[[[[1]]]],'b':[1],'conv_param':{'pad':9007199254740991},"
         "'claim':{'out':[]}}",
         "result_too_large",
         NULL,
         {0}},
    }));
    daemon_stop(p);
}

/* Lengths of tensors that are empty take nothing: 8 GiB, if they did. */
Test(checks, empty_tensors_of_any_length_are_compared) {
    process *p = daemon_start(NULL);
    const answer *a = post(p->caller, "/check/conv/forward",
                           "{'x':{'shape':[1,0,32768,32768],'data':[]},"
                           "'w':{'shape':[1,0,1,1],'data':[]},'b':[0.5],"
                           "'conv_param':{'stride':32768},'claim':{'out':[[[[0.5]]]]}}");
    expect_verdict(a, "right", "");
    daemon_stop(p);
}
