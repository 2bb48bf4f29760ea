/* Errors that are seen before the body: query, path, method, Accept, Content-Type, length. */
#include <stdlib.h>
#include <string.h>

#include "http/contract.h"
#include "http/raw.h"

DAEMON_SUITE(errors_http);

Test(errors_http, invalid_query_on_operations) {
    static const char *const wrong[] = {
        "/relu/forward?foo=1",
        "/relu/forward?tensors=wide",
        "/relu/forward?tensors=",
        "/relu/forward?tensors",
        "/relu/forward?Tensors=flat",
        "/relu/forward?tensors=flat&tensors=flat",
        "/relu/forward?tensors=flat&tensors=wide",
        "/relu/forward?cache=none&cache=none",
        "/relu/forward?cache=release",
        "/relu/forward?cache=nonex",
        "/relu/forward?=none",
        "/relu/backward?cache=none",
        "/svm/loss?cache=none",
        "/svm/loss?cache=release",
        "/relu/forward?a=1&b=2&c=3&d=4&e=5&f=6&g=7&h=8&i=9&j=10",
    };
    process *p = daemon_start(NULL);
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        expect_problem(post(p->caller, wrong[i], "{'x':[1]}"), "invalid_query", "");
    expect_detail(post(p->caller, "/relu/forward?tensors=wide", "{'x':[1]}"), "tensors=wide");
    daemon_stop(p);
}

Test(errors_http, a_query_of_strange_bytes_is_answered) {
    static const char *const wrong[] = {"/relu/forward?cache=%ff", "/relu/forward?%ff=1",
                                        "/relu/forward?cache=none%00", "/relu/forward?%00=1",
                                        "/relu/forward?tensors=flat%00x"};
    process *p = daemon_start(NULL);
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        expect_problem(post(p->caller, wrong[i], "{'x':[1]}"), "invalid_query", "");
    daemon_stop(p);
}

Test(errors_http, invalid_query_on_documents) {
    static const char *const wrong[] = {"/healthz?x=1", "/readyz?tensors=flat",
                                        "/version?cache=none", "/cache/0?x",
                                        "/healthz?cache=release&a=b"};
    process *p = daemon_start(NULL);
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        expect_problem(fetch(p->caller, "GET", wrong[i], NULL), "invalid_query", "");
    daemon_stop(p);
}

Test(errors_http, a_wrong_query_keeps_nothing) {
    process *p = daemon_start(OPTIONS("--cache-budget", "4KiB"));
    for (int i = 0; i < 100; i++)
        expect_problem(post(p->caller, "/relu/forward?x=1", "{'x':[1]}"), "invalid_query", "");
    CHECK_EQUAL(post(p->caller, "/relu/forward", "{'x':[1]}")->status, 200);
    daemon_stop(p);
}

Test(errors_http, method_not_allowed_names_those_that_are) {
    static const char *const cases[][3] = {
        {"GET", "/relu/forward", "POST"},
        {"HEAD", "/relu/forward", "POST"},
        {"PUT", "/relu/forward", "POST"},
        {"DELETE", "/relu/forward", "POST"},
        {"PATCH", "/svm/loss", "POST"},
        {"BREW", "/svm/loss", "POST"},
        {"POST", "/healthz", "GET, HEAD"},
        {"DELETE", "/readyz", "GET, HEAD"},
        {"POST", "/cache/0", "GET, HEAD, DELETE"},
        {"PUT", "/cache/0", "GET, HEAD, DELETE"},
        {"post", "/relu/forward", "POST"},
    };
    process *p = daemon_start(NULL);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const answer *a = fetch(p->caller, cases[i][0], cases[i][1], NULL);
        CHECK_EQUAL(a->status, 405);
        CHECK_TEXT(header_of(a, "Allow"), cases[i][2]);
        if (strcmp(cases[i][0], "HEAD") != 0)
            expect_problem(a, "method_not_allowed", "");
    }
    daemon_stop(p);
}

Test(errors_http, a_coded_body_is_refused) {
    static const char *const coded[] = {"gzip", "br", "identity, gzip", "x"};
    process *p = daemon_start(NULL);
    for (size_t i = 0; i < sizeof coded / sizeof *coded; i++) {
        char line[64];
        snprintf(line, sizeof line, "Content-Encoding: %s", coded[i]);
        const answer *a = post_bytes(p->caller, "/relu/forward", HEADERS(line), "\x1f\x8b", 2);
        expect_problem(a, "unsupported_media_type", "");
        CHECK_TEXT(header_of(a, "Accept-Encoding"), "identity");
        expect_detail(a, coded[i]);
    }
    expect_json(post_bytes(p->caller, "/relu/forward", HEADERS("Content-Encoding: Identity"),
                           "{\"x\":1}", 7),
                "{'out':1.0}");
    daemon_stop(p);
}

Test(errors_http, answers_that_were_negotiated_say_so) {
    process *p = daemon_start(NULL);
    CHECK_TEXT(header_of(post(p->caller, "/relu/forward", "{'x':1}"), "Vary"), "Accept");
    CHECK_TEXT(header_of(post(p->caller, "/relu/forward", "{'x':"), "Vary"), "Accept");
    CHECK_TEXT(header_of(fetch(p->caller, "GET", "/metrics", NULL), "Vary"), "Accept");
    CHECK_TEXT(header_of(fetch(p->caller, "GET", "/version", NULL), "Vary"), "");
    daemon_stop(p);
}

Test(errors_http, lines_of_one_header_are_one_list) {
    process *p = daemon_start(NULL);
    const answer *a =
        post_bytes(p->caller, "/relu/forward",
                   HEADERS("Accept: application/json;q=0.5", "Accept: application/vnd.safetensors"),
                   "{\"x\":1}", 7);
    CHECK_TEXT(header_of(a, "Content-Type"), "application/vnd.safetensors");
    daemon_stop(p);
}

Test(errors_http, accept_must_let_a_form_through) {
    static const char *const refused[] = {
        "text/html",
        "text/*",
        "application/xml, text/html;q=0.9",
        "application/json;q=0",
        "application/json;q=0.0",
        "application/*;q=0, */*;q=1",
        "application/json;q=0, application/vnd.safetensors;q=0, */*",
        "*/*;q=0",
        "application/jsonx",
        "application/json-seq",
    };
    process *p = daemon_start(NULL);
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        char line[128];
        snprintf(line, sizeof line, "Accept: %s", refused[i]);
        const answer *a = post_bytes(p->caller, "/relu/forward", HEADERS(line), "{\"x\":[1]}", 9);
        expect_problem(a, "not_acceptable", "");
        expect_detail(a, refused[i]);
        expect_detail(a, "application/json or application/vnd.safetensors");
    }
    daemon_stop(p);
}

Test(errors_http, accept_may_say_it_in_many_ways) {
    static const char *const taken[] = {
        "Accept:",
        "Accept: */*",
        "Accept: application/*",
        "Accept: application/json",
        "Accept: APPLICATION/JSON",
        "Accept: application/json;q=0.5",
        "Accept: application/json; charset=utf-8",
        "Accept: text/html, application/xhtml+xml, application/xml;q=0.9, */*;q=0.8",
        "Accept: text/html,application/json",
        "Accept: */*;q=0, application/json",
        "Accept: application/json;q=0.001",
        "Accept: text/html ; q=1 , application/json ; q=0.1",
    };
    process *p = daemon_start(NULL);
    for (size_t i = 0; i < sizeof taken / sizeof *taken; i++) {
        const answer *a =
            post_bytes(p->caller, "/relu/forward", HEADERS(taken[i]), "{\"x\":[1]}", 9);
        CHECK(a->status == 200, "%s: %s", taken[i], a->body);
    }
    raw r = raw_open(p); /* libcurl sends an Accept of its own */
    raw_post(&r, "/relu/forward", "{'x':[1]}");
    raw_expect(&r, 200, "[1.0]");
    raw_close(&r);
    daemon_stop(p);
}

Test(errors_http, the_type_of_a_body_must_be_known) {
    static const char *const refused[] = {"application/x-www-form-urlencoded",
                                          "text/plain",
                                          "application/jsonx",
                                          "multipart/form-data; boundary=x",
                                          "text/json",
                                          "json",
                                          "application/safetensors",
                                          "application/octet-stream"};
    static const char *const taken[] = {"application/json", "application/json; charset=utf-8",
                                        "Application/JSON", "application/json;charset=UTF-8"};
    process *p = daemon_start(NULL);
    char line[128];
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        snprintf(line, sizeof line, "Content-Type: %s", refused[i]);
        const answer *a = post_bytes(p->caller, "/relu/forward", HEADERS(line), "{\"x\":[1]}", 9);
        expect_problem(a, "unsupported_media_type", "");
        expect_detail(a, refused[i]);
        expect_detail(a, "application/json or application/vnd.safetensors");
    }
    for (size_t i = 0; i < sizeof taken / sizeof *taken; i++) {
        snprintf(line, sizeof line, "Content-Type: %s", taken[i]);
        expect_json(post_bytes(p->caller, "/relu/forward", HEADERS(line), "{\"x\":[1]}", 9),
                    "{'out':[1.0]}");
    }
    expect_json(post(p->caller, "/relu/forward", "{'x':[1]}"), "{'out':[1.0]}");
    daemon_stop(p);
}

Test(errors_http, headers_that_are_not_utf8_are_answered) {
    process *p = daemon_start(NULL);
    expect_problem(
        post_bytes(p->caller, "/relu/forward", HEADERS("Content-Type: \xff\xfe"), "{}", 2),
        "unsupported_media_type", "");
    expect_problem(post_bytes(p->caller, "/relu/forward", HEADERS("Accept: text/\xe9"), "{}", 2),
                   "not_acceptable", "");
    daemon_stop(p);
}

Test(errors_http, a_body_at_the_limit_is_taken_and_one_above_is_not) {
    process *p = daemon_start(OPTIONS("--body-limit", "1KiB"));
    char body[1100];
    memset(body, ' ', sizeof body);
    memcpy(body, "{\"x\":[1]}", 9);
    expect_json(post_bytes(p->caller, "/relu/forward", NULL, body, 1024), "{'out':[1.0]}");
    const answer *a = post_bytes(p->caller, "/relu/forward", NULL, body, 1025);
    expect_problem(a, "body_too_large", "");
    expect_detail(a, "1024");
    expect_json(
        post_bytes(p->caller, "/relu/forward", HEADERS("Transfer-Encoding: chunked"), body, 1024),
        "{'out':[1.0]}");
    expect_problem(
        post_bytes(p->caller, "/relu/forward", HEADERS("Transfer-Encoding: chunked"), body, 1025),
        "body_too_large", "");
    daemon_stop(p);
}

Test(errors_http, a_body_too_large_is_refused_before_it_is_sent) {
    process *p = daemon_start(OPTIONS("--body-limit", "1KiB"));
    static const char *const lengths[] = {"1025", "1000000", "4294967296", "18446744073709551615"};
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        raw r = raw_open(p);
        raw_print(&r,
                  "POST /relu/forward HTTP/1.1\r\nHost: t\r\nExpect: 100-continue\r\n"
                  "Content-Length: %s\r\n\r\n",
                  lengths[i]);
        raw_expect(&r, 413, "body_too_large");
        raw_close(&r);
    }
    daemon_stop(p);
}

Test(errors_http, other_refusals_come_before_the_body_too) {
    process *p = daemon_start(NULL);
    static const char *const cases[][3] = {
        {"/nowhere", "", "not_found"},
        {"/healthz", "", "method_not_allowed"},
        {"/relu/forward?x=1", "", "invalid_query"},
        {"/relu/forward", "Content-Type: text/plain\r\n", "unsupported_media_type"},
        {"/relu/forward", "Accept: text/html\r\n", "not_acceptable"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        raw r = raw_open(p);
        raw_print(&r,
                  "POST %s HTTP/1.1\r\nHost: t\r\nExpect: 100-continue\r\n%s"
                  "Content-Length: 1000\r\n\r\n",
                  cases[i][0], cases[i][1]);
        raw_expect(&r, contract_status(cases[i][2]), cases[i][2]);
        raw_close(&r);
    }
    daemon_stop(p);
}

Test(errors_http, a_chunked_body_without_end_is_cut_off) {
    process *p = daemon_start(OPTIONS("--body-limit", "1KiB"));
    char chunk[1024];
    memset(chunk, '1', sizeof chunk);
    raw r = raw_open(p);
    raw_print(&r, "POST /relu/forward HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n\r\n");
    bool open = true;
    for (int i = 0; i < 100000 && open; i++)
        open =
            raw_print(&r, "400\r\n") && raw_write(&r, chunk, sizeof chunk) && raw_print(&r, "\r\n");
    CHECK(!open, "100 MB were taken where 1 KiB is the limit");
    raw_close(&r);
    CHECK_EQUAL(fetch(p->caller, "GET", "/healthz", NULL)->status, 200);
    daemon_stop(p);
}
