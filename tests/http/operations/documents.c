/* /, /healthz, /readyz, /version, and paths at which there is nothing. */
#include <string.h>

#include "http/daemon.h"

DAEMON_SUITE(documents);

static const char *const documents[] = {"/", "/healthz", "/readyz", "/version"};
enum { DOCUMENTS = sizeof documents / sizeof *documents };

Test(documents, health_and_readiness_are_told) {
    process *p = daemon_start(NULL);
    CHECK_EQUAL(fetch(p->caller, "GET", "/healthz", NULL)->status, 200);
    CHECK_EQUAL(fetch(p->caller, "GET", "/readyz", NULL)->status, 200);
    daemon_stop(p);
}

Test(documents, the_version_names_what_this_is) {
    process *p = daemon_start(NULL);
    const answer *a = fetch(p->caller, "GET", "/version", NULL);
    CHECK_TEXT(text_at(a, "name"), "layerd");
    CHECK_TRUE(strchr(text_at(a, "version"), '.') && *text_at(a, "commit"));
    CHECK_TRUE(strstr(text_at(a, "blas"), "OpenBLAS"));
    CHECK_TRUE(json_is_string(json_object_get(a->json, "cpu")));
    daemon_stop(p);
}

Test(documents, head_has_the_headers_of_get_and_no_body) {
    static const char *const names[] = {"Content-Type", "Content-Length"};
    process *p = daemon_start(NULL);
    for (int i = 0; i < DOCUMENTS; i++) {
        const answer *get = fetch(p->caller, "GET", documents[i], NULL);
        const answer *head = fetch(p->caller, "HEAD", documents[i], NULL);
        CHECK_EQUAL(head->status, get->status);
        CHECK_EQUAL(head->length, 0);
        for (int n = 0; n < 2; n++) {
            char want[128];
            snprintf(want, sizeof want, "%s", header_of(get, names[n]));
            CHECK_TRUE(*want);
            CHECK_TEXT(header_of(head, names[n]), want);
        }
    }
    CHECK_EQUAL(fetch(p->caller, "HEAD", "/nowhere", NULL)->status, 404);
    daemon_stop(p);
}

Test(documents, a_handle_has_a_head_too) {
    process *p = daemon_start(NULL);
    char target[128];
    snprintf(target, sizeof target, "/cache/%s",
             cache_of(post(p->caller, "/relu/forward", "{'x':1}")));
    CHECK_EQUAL(fetch(p->caller, "HEAD", target, NULL)->status, 200);
    CHECK_EQUAL(fetch(p->caller, "HEAD", "/cache/0", NULL)->status, 404);
    daemon_stop(p);
}

Test(documents, there_is_nothing_at_other_paths) {
    static const char *const nothing[] = {
        "/nowhere",
        "/healthz/",
        "//healthz",
        "/HEALTHZ",
        "/cache",
        "/affine",
        "/affine/",
        "/affine/forward/",
        "/affine//forward",
        "/relu/loss",
        "/svm/forward",
        "/affine/forwardx",
        "/xaffine/forward",
        "/../healthz",
        "/./healthz",
        "/relu/forward/backward",
        "/healthz%2F",
        "/caf%C3%A9",
        "/%",
        "/%zz",
        "/;",
        "/*",
        "/%22%27%5c%0a",
        "/%2e%2e/etc/passwd",
    };
    process *p = daemon_start(NULL);
    for (size_t i = 0; i < sizeof nothing / sizeof *nothing; i++) {
        expect_problem(fetch(p->caller, "GET", nothing[i], NULL), "not_found", "");
        expect_problem(post(p->caller, nothing[i], "{'x':[1]}"), "not_found", "");
    }
    expect_detail(fetch(p->caller, "GET", "/nowhere", NULL), "/nowhere");
    static const char *const near[] = {"/softmax/forward", "/softmax/", "/softmax"};
    for (size_t i = 0; i < 3; i++)
        expect_detail(fetch(p->caller, "GET", near[i], NULL), "there is POST /softmax/loss");
    expect_detail(post(p->caller, "/affine/loss", "{'x':[1]}"),
                  "POST /affine/forward, /affine/backward");
    expect_detail(fetch(p->caller, "GET", "/softmaxx", NULL), "POST /<layer>/<operation>");
    daemon_stop(p);
}

Test(documents, a_path_that_is_not_utf8_is_answered) {
    static const char *const paths[] = {"/%ff%fe", "/%c3", "/a%80b", "/%ed%a0%80", "/relu/%ff"};
    process *p = daemon_start(NULL);
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++)
        expect_problem(fetch(p->caller, "GET", paths[i], NULL), "not_found", "");
    daemon_stop(p);
}

Test(documents, a_nul_does_not_end_a_path) {
    static const char *const paths[] = {"/%00", "/healthz%00", "/healthz%00/more",
                                        "/relu/forward%00"};
    process *p = daemon_start(NULL);
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++)
        expect_problem(fetch(p->caller, "GET", paths[i], NULL), "not_found", "");
    daemon_stop(p);
}

Test(documents, a_percent_encoded_path_is_the_path) {
    process *p = daemon_start(NULL);
    CHECK_EQUAL(fetch(p->caller, "GET", "/%68ealthz", NULL)->status, 200);
    expect_json(post(p->caller, "/re%6Cu/forward", "{'x':[1]}"), "{'out':[1.0]}");
    expect_json(post(p->caller, "/relu/forward?cach%65=no%6ee", "{'x':[1]}"), "{'out':[1.0]}");
    daemon_stop(p);
}

Test(documents, a_long_path_is_answered) {
    process *p = daemon_start(NULL);
    char path[8000];
    memset(path, 'a', sizeof path - 1);
    path[0] = '/';
    path[sizeof path - 1] = '\0';
    expect_problem(fetch(p->caller, "GET", path, NULL), "not_found", "");
    daemon_stop(p);
}

Test(documents, a_long_path_of_umlauts_is_answered) {
    process *p = daemon_start(NULL);
    char path[1500] = "/";
    for (int shift = 0; shift < 3; shift++) {
        char *out = path + 1 + shift;
        memset(path + 1, 'a', (size_t)shift);
        for (int i = 0; i < 200; i++)
            out += sprintf(out, "%%C3%%A9");
        expect_problem(fetch(p->caller, "GET", path, NULL), "not_found", "");
    }
    daemon_stop(p);
}
