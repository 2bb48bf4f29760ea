/* Which form a message has, each way on its own: Content-Type and Accept. */
#include <stdlib.h>
#include <string.h>

#include "common/safetensors.h"
#include "http/daemon.h"

DAEMON_SUITE(forms);

#define JSON        "application/json"
#define SAFETENSORS "application/vnd.safetensors"

/* Posts a request, JSON with ' for ", in safetensors. */
static const answer *post_file(caller *caller, const char *target, const char *accept,
                               const char *request) {
    char *text = json_text("%s", request), line[64];
    json_t *json = json_loads(text, 0, NULL);
    size_t length;
    char *file = safetensors_from_json(json, "I64", &length);
    cr_assert(file, "%s", request);
    snprintf(line, sizeof line, "Accept: %s", accept);
    const answer *a =
        post_bytes(caller, target, HEADERS("Content-Type: " SAFETENSORS, line), file, length);
    json_decref(json);
    free(text);
    free(file);
    return a;
}

static const answer *post_text(caller *caller, const char *target, const char *accept,
                               const char *request) {
    char *text = json_text("%s", request), line[256];
    snprintf(line, sizeof line, "Accept: %s", accept);
    const answer *a =
        post_bytes(caller, target, HEADERS("Content-Type: " JSON, line), text, strlen(text));
    free(text);
    return a;
}

Test(forms, accept_chooses_by_quality_then_closeness_then_json) {
    static const struct {
        const char *accept, *type;
    } rows[] = {
        {SAFETENSORS, SAFETENSORS},
        {"APPLICATION/VND.SAFETENSORS", SAFETENSORS},
        {SAFETENSORS ";q=0.001", SAFETENSORS},
        {SAFETENSORS "; v=1 ; Q=0.5", SAFETENSORS},
        {"text/html, " SAFETENSORS, SAFETENSORS},
        {JSON, JSON},
        {"*/*", JSON},
        {"application/*", JSON},
        {"application/*;q=0.1", JSON},
        {JSON ", " SAFETENSORS, JSON},
        {SAFETENSORS ", " JSON, JSON},
        {SAFETENSORS ";q=0.5, " JSON ";q=0.5", JSON},
        {SAFETENSORS ", " JSON ";q=0.9", SAFETENSORS},
        {SAFETENSORS ";q=0.8, " JSON ";q=0.9", JSON},
        {SAFETENSORS ";q=0.8, */*;q=0.9", JSON},
        {SAFETENSORS ", */*", SAFETENSORS},
        {SAFETENSORS ", application/*", SAFETENSORS},
        {SAFETENSORS ";q=0.5, */*;q=0.1", SAFETENSORS},
        {"application/*;q=0.2, */*;q=0.9", JSON},
        {JSON ";q=0.3, application/*;q=0.6", SAFETENSORS},
        {JSON ";q=0, */*", SAFETENSORS},
        {JSON "; q=0, application/*", SAFETENSORS},
        {SAFETENSORS ";q=0, */*", JSON},
        {SAFETENSORS ";q=0," JSON, JSON},
        {SAFETENSORS ";q=9, " JSON, JSON},
        {SAFETENSORS ";q=x, " JSON ";q=0.1", JSON},
        {", ," SAFETENSORS ",", SAFETENSORS},
    };
    process *p = daemon_start(NULL);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const answer *a = post_text(p->caller, "/relu/forward", rows[i].accept, "{'x':[-1,2]}");
        CHECK(a->status == 200 && !strcmp(header_of(a, "Content-Type"), rows[i].type),
              "%s: not %s but %d %s", rows[i].accept, rows[i].type, a->status,
              header_of(a, "Content-Type"));
        expect_json(a, "{'out':[0.0,2.0]}");
    }
    daemon_stop(p);
}

Test(forms, each_way_is_on_its_own) {
    static const char *const accepts[] = {JSON, SAFETENSORS};
    process *p = daemon_start(NULL);
    for (int i = 0; i < 2; i++) {
        const answer *a = post_text(p->caller, "/relu/forward", accepts[i], "{'x':[[-1,2]]}");
        expect_json(a, "{'out':[[0.0,2.0]]}");
        CHECK_TEXT(header_of(a, "Content-Type"), accepts[i]);
        a = post_file(p->caller, "/relu/forward", accepts[i], "{'x':[[-1,2]]}");
        expect_json(a, "{'out':[[0.0,2.0]]}");
        CHECK_TEXT(header_of(a, "Content-Type"), accepts[i]);
    }
    /* an answer in JSON to whoever does not say what he takes */
    CHECK_TEXT(header_of(post_file(p->caller, "/relu/forward", "", "{'x':[1]}"), "Content-Type"),
               JSON);
    daemon_stop(p);
}

Test(forms, a_content_type_may_have_parameters) {
    process *p = daemon_start(NULL);
    static const char file[] = "\70\0\0\0\0\0\0\0{\"x\":{\"dtype\":\"F32\",\"shape\":[],"
                               "\"data_offsets\":[0,4]}}   \0\0\0\100";
    cr_assert(sizeof file - 1 == 8 + 56 + 4);
    static const char *const types[] = {"Content-Type: Application/vnd.SafeTensors",
                                        "Content-Type: " SAFETENSORS "; version=1",
                                        "Content-Type: " SAFETENSORS " ;x"};
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        expect_json(
            post_bytes(p->caller, "/relu/forward", HEADERS(types[i]), file, sizeof file - 1),
            "{'out':2.0}");
    daemon_stop(p);
}

Test(forms, errors_are_problems_in_json_whatever_is_accepted) {
    process *p = daemon_start(NULL);
    expect_problem(post_file(p->caller, "/relu/forward", SAFETENSORS, "{'X':[1]}"), "unknown_field",
                   "/X");
    expect_problem(post_text(p->caller, "/relu/forward", SAFETENSORS, "{'x':[1,]}"), "invalid_json",
                   NULL);
    expect_problem(
        post_file(p->caller, "/affine/forward", SAFETENSORS, "{'x':[[1]],'w':[[1],[2]],'b':[1]}"),
        "shape_mismatch", "/w");
    daemon_stop(p);
}

Test(forms, a_cache_is_of_no_form) {
    process *p = daemon_start(NULL);
    static const char request[] = "{'x':[[1,2],[3,4]],'w':[[0.5],[-1]],'b':[10]}";
    static const char *const forms[] = {JSON, SAFETENSORS};
    for (int i = 0; i < 4; i++) {
        const answer *forward =
            i & 1 ? post_file(p->caller, "/affine/forward", forms[i / 2], request)
                  : post_text(p->caller, "/affine/forward", forms[i / 2], request);
        char backward[128];
        snprintf(backward, sizeof backward, "{'dout':[[1],[1]],'cache':'%s'}", cache_of(forward));
        for (int back = 0; back < 4; back++)
            expect_json(back & 1
                            ? post_file(p->caller, "/affine/backward", forms[back / 2], backward)
                            : post_text(p->caller, "/affine/backward", forms[back / 2], backward),
                        "{'dx':[[0.5,-1.0],[0.5,-1.0]],'dw':[[4.0],[6.0]],'db':[2.0]}");
    }
    daemon_stop(p);
}

Test(forms, parameters_that_come_back_can_be_sent_in_the_other_form) {
    process *p = daemon_start(NULL);
    const answer *a = post_file(p->caller, "/batchnorm/forward", SAFETENSORS,
                                "{'x':[[1],[3]],'gamma':[1],'beta':[0],"
                                "'bn_param':{'mode':'train','momentum':0.5,'eps':1e-3}}");
    expect_json(a, "{'out':[[-0.9995003746877732],[0.9995003746877732]],"
                   "'bn_param':{'mode':'train','eps':0.001,'momentum':0.5,"
                   "'running_mean':[1.0],'running_var':[0.5]}}");
    json_t *next = json_pack("{s[[i][i]] s[i] s[i] sO}", "x", 1, 3, "gamma", 1, "beta", 0,
                             "bn_param", json_at(a->json, "bn_param"));
    char *text = json_dumps(next, 0);
    static const char *const forms[] = {JSON, SAFETENSORS};
    for (int i = 0; i < 4; i++) {
        a = i & 1 ? post_file(p->caller, "/batchnorm/forward", forms[i / 2], text)
                  : post_text(p->caller, "/batchnorm/forward", forms[i / 2], text);
        expect_json(a, "{'out':[[-0.9995003746877732],[0.9995003746877732]],"
                       "'bn_param':{'mode':'train','eps':0.001,'momentum':0.5,"
                       "'running_mean':[1.5],'running_var':[0.75]}}");
    }
    free(text);
    json_decref(next);
    daemon_stop(p);
}

Test(forms, a_seed_that_was_drawn_comes_back_as_an_integer) {
    process *p = daemon_start(NULL);
    const answer *a = post_file(p->caller, "/dropout/forward?cache=none", SAFETENSORS,
                                "{'x':[1,1,1,1],'dropout_param':{'p':0.5,'mode':'train'}}");
    cr_assert(json_is_integer(json_at(a->json, "dropout_param.seed")), "%s", a->about);
    char again[160];
    snprintf(again, sizeof again,
             "{'x':[1,1,1,1],'dropout_param':{'p':0.5,'mode':'train','seed':%lld}}",
             (long long)json_integer_value(json_at(a->json, "dropout_param.seed")));
    const answer *b = post_text(p->caller, "/dropout/forward?cache=none", JSON, again);
    CHECK(json_equal(a->json, b->json), "%s", b->body);
    daemon_stop(p);
}
