/* --cors-origin: pages of the origins that are named may call, and no others. */
#include <string.h>

#include "http/daemon.h"

DAEMON_SUITE(cors);

#define ORIGIN "https://a.example"
#define EXPOSED                                                                                    \
    "X-Request-Id, Server-Timing, Retry-After, WWW-Authenticate, RateLimit, RateLimit-Policy"

static const char *const all[] = {"Access-Control-Allow-Origin", "Access-Control-Allow-Methods",
                                  "Access-Control-Allow-Headers", "Access-Control-Max-Age",
                                  "Access-Control-Expose-Headers"};

static void expect_none(const answer *a) {
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        CHECK_TEXT(header_of(a, all[i]), "");
}

static const answer *get(process *p, const char *path, const char *origin) {
    char header[128];
    snprintf(header, sizeof header, "Origin: %s", origin);
    return fetch(p->caller, "GET", path, HEADERS(header));
}

static const answer *preflight(process *p, const char *path, const char *origin) {
    char header[128];
    snprintf(header, sizeof header, "Origin: %s", origin);
    return fetch(p->caller, "OPTIONS", path,
                 HEADERS(header, "Access-Control-Request-Method: POST",
                         "Access-Control-Request-Headers: content-type"));
}

Test(cors, without_the_option_there_is_none) {
    process *p = daemon_start(NULL);
    const answer *a = get(p, "/healthz", ORIGIN);
    expect_problem(a, "forbidden", "");
    expect_none(a);
    CHECK_TEXT(header_of(a, "Vary"), "");
    a = preflight(p, "/relu/forward", ORIGIN);
    expect_problem(a, "forbidden", "");
    expect_none(a);
    daemon_stop(p);
}

Test(cors, an_origin_that_is_named_may_call) {
    process *p = daemon_start(OPTIONS("--cors-origin", "http://localhost:3000," ORIGIN));
    static const char *const origins[] = {"http://localhost:3000", ORIGIN};
    for (int i = 0; i < 2; i++) {
        const answer *a = get(p, "/healthz", origins[i]);
        CHECK_EQUAL(a->status, 200);
        CHECK_TEXT(header_of(a, "Access-Control-Allow-Origin"), origins[i]);
        CHECK_TEXT(header_of(a, "Access-Control-Expose-Headers"), EXPOSED);
        CHECK_TEXT(header_of(a, "Access-Control-Allow-Methods"), "");
        CHECK_TEXT(header_of(a, "Vary"), "Origin");
    }
    daemon_stop(p);
}

Test(cors, errors_carry_the_headers_too) {
    process *p = daemon_start(OPTIONS("--cors-origin", ORIGIN, "--body-limit", "1KiB"));
    static char large[2000];
    const answer *answers[] = {
        get(p, "/nowhere", ORIGIN),
        get(p, "/relu/forward", ORIGIN),
        get(p, "/healthz?a=b", ORIGIN),
        post_bytes(p->caller, "/relu/forward", HEADERS("Origin: " ORIGIN), "{", 1),
        post_bytes(p->caller, "/relu/forward", HEADERS("Origin: " ORIGIN), large, sizeof large),
    };
    static const int statuses[] = {404, 405, 400, 400, 413};
    for (int i = 0; i < 5; i++) {
        CHECK_EQUAL(answers[i]->status, statuses[i]);
        CHECK_TEXT(header_of(answers[i], "Access-Control-Allow-Origin"), ORIGIN);
        CHECK_TEXT(header_of(answers[i], "Access-Control-Expose-Headers"), EXPOSED);
    }
    daemon_stop(p);
}

Test(cors, a_preflight_is_answered_at_every_path) {
    static const char *const cases[][2] = {{"/relu/forward", "POST"},
                                           {"/svm/loss?tensors=flat", "POST"},
                                           {"/graph?tensors=flat", "POST"},
                                           {"/cache/0", "GET, HEAD, DELETE"},
                                           {"/version", "GET, HEAD"}};
    process *p = daemon_start(OPTIONS("--cors-origin", ORIGIN));
    for (int i = 0; i < 5; i++) {
        const answer *a = preflight(p, cases[i][0], ORIGIN);
        CHECK_EQUAL(a->status, 204);
        CHECK_TEXT(header_of(a, "Access-Control-Allow-Origin"), ORIGIN);
        CHECK_TEXT(header_of(a, "Access-Control-Allow-Methods"), cases[i][1]);
        CHECK_TEXT(header_of(a, "Access-Control-Allow-Headers"),
                   "content-type, accept, authorization, traceparent, tracestate, x-request-id");
        CHECK_TEXT(header_of(a, "Access-Control-Max-Age"), "7200");
        CHECK_TEXT(header_of(a, "Access-Control-Expose-Headers"), "");
        CHECK_TEXT(header_of(a, "Vary"), "Origin");
    }
    const answer *a = preflight(p, "/nowhere", ORIGIN);
    expect_problem(a, "not_found", "");
    CHECK_TEXT(header_of(a, "Access-Control-Allow-Origin"), ORIGIN);
    daemon_stop(p);
}

Test(cors, other_origins_get_nothing) {
    static const char *const others[] = {
        "https://b.example",          "http://a.example",
        "https://a.example:8443",     "https://a.example.org",
        "https://a.exampl",           "null",
        "https://A.example",          "https://a.example,http://b.c",
        "https://x.https://a.example"};
    process *p = daemon_start(OPTIONS("--cors-origin", ORIGIN ",http://b.c"));
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        const answer *a = get(p, "/healthz", others[i]);
        expect_problem(a, "forbidden", "");
        expect_none(a);
        CHECK_TEXT(header_of(a, "Vary"), "Origin");
        a = preflight(p, "/relu/forward", others[i]);
        expect_problem(a, "forbidden", "");
        expect_none(a);
    }
    const answer *a = fetch(p->caller, "GET", "/healthz", NULL);
    expect_none(a);
    CHECK_TEXT(header_of(a, "Vary"), "Origin");
    daemon_stop(p);
}

Test(cors, options_that_is_no_preflight_tells_the_methods) {
    static const char *const cases[][2] = {
        {"/relu/forward", "POST"}, {"/healthz", "GET, HEAD"}, {"/cache/0", "GET, HEAD, DELETE"}};
    process *p = daemon_start(OPTIONS("--cors-origin", ORIGIN));
    for (int i = 0; i < 3; i++) {
        const answer *a = fetch(p->caller, "OPTIONS", cases[i][0], HEADERS("Origin: " ORIGIN));
        CHECK_EQUAL(a->status, 204);
        CHECK_TEXT(header_of(a, "Allow"), cases[i][1]);
        CHECK_TEXT(header_of(a, "Access-Control-Allow-Origin"), ORIGIN);
        CHECK_TEXT(header_of(a, "Access-Control-Allow-Methods"), "");
        a = fetch(p->caller, "OPTIONS", cases[i][0], NULL);
        CHECK_EQUAL(a->status, 204);
        CHECK_TEXT(header_of(a, "Allow"), cases[i][1]);
    }
    expect_problem(fetch(p->caller, "OPTIONS", "/nowhere", NULL), "not_found", "");
    daemon_stop(p);
}

/* A page's POST of a plain body is sent without a question: what it would leave must not be. */
Test(cors, a_page_of_another_origin_keeps_nothing) {
    static const char body[] = "{\"x\":[1]}";
    process *p = daemon_start(NULL);
    char own[64], own_https[64];
    snprintf(own, sizeof own, "Origin: http://127.0.0.1:%d", p->port);
    snprintf(own_https, sizeof own_https, "Origin: https://127.0.0.1:%d", p->port);
    const char *const foreign[][3] = {
        {"Origin: https://b.example", NULL, NULL},
        {"Origin: null", NULL, NULL},
        {"Origin: http://127.0.0.1", NULL, NULL},
        {"Origin: http://127.0.0.1:1", "Sec-Fetch-Site: same-site", NULL},
        {"Sec-Fetch-Site: cross-site", NULL, NULL},
    };
    const char *const good[][3] = {
        {own, "Sec-Fetch-Site: same-origin", NULL},
        {own_https, NULL, NULL}, /* a proxy has the TLS */
        {"Origin: http://a.example", "Host: A.example", NULL},
        {"Origin: http://a.example", "Host: a.example:80", NULL},
        {"Origin: https://a.example", "Host: a.example:443", NULL},
        {"Sec-Fetch-Site: none", NULL, NULL},
    };
    for (size_t i = 0; i < sizeof foreign / sizeof *foreign; i++)
        expect_problem(post_bytes(p->caller, "/relu/forward", foreign[i], body, sizeof body - 1),
                       "forbidden", "");
    CHECK_TRUE(
        strstr(fetch(p->caller, "GET", "/metrics", NULL)->body, "\nlayerd_cache_entries 0\n"));
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        expect_json(post_bytes(p->caller, "/relu/forward", good[i], body, sizeof body - 1),
                    "{'out':[1.0]}");
    daemon_stop(p);
}

Test(cors, an_origin_that_is_allowed_may_be_of_another_site) {
    process *p = daemon_start(OPTIONS("--cors-origin", ORIGIN));
    CHECK_EQUAL(fetch(p->caller, "GET", "/healthz",
                      HEADERS("Origin: " ORIGIN, "Sec-Fetch-Site: cross-site"))
                    ->status,
                200);
    expect_problem(fetch(p->caller, "GET", "/healthz", HEADERS("Sec-Fetch-Site: cross-site")),
                   "forbidden", "");
    daemon_stop(p);
    p = daemon_start(OPTIONS("--cors-origin", "*"));
    CHECK_EQUAL(fetch(p->caller, "GET", "/healthz", HEADERS("Sec-Fetch-Site: cross-site"))->status,
                200);
    daemon_stop(p);
}

Test(cors, a_star_is_any_origin) {
    process *p = daemon_start(OPTIONS("--cors-origin=*"));
    const answer *a = get(p, "/healthz", "null");
    CHECK_TEXT(header_of(a, "Access-Control-Allow-Origin"), "*");
    CHECK_TEXT(header_of(a, "Vary"), "");
    a = preflight(p, "/relu/forward", "https://anyone.example");
    CHECK_EQUAL(a->status, 204);
    CHECK_TEXT(header_of(a, "Access-Control-Allow-Origin"), "*");
    daemon_stop(p);
}

Test(cors, the_option_takes_only_what_browsers_send) {
    static const char *const wrong[] = {
        "a.example",
        "https://",
        "https://a.example/",
        "https://a.example,",
        ",https://a.example",
        "https://a.example, http://b.example",
        "https://A.example",
        "https://a.example:",
        "https://a.example:99999",
        "https://a.example:080",
        "https://a.example:443",
        "http://a.example:80",
        "https://user@a.example",
        "https://*.example",
        "*,https://a.example",
        "null",
        "http://[::1",
        "://a",
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        run r = daemon_run(OPTIONS("--cors-origin", wrong[i]));
        CHECK(r.status == 2 && strstr(r.error, "https://example.org"), "%s: %d %s", wrong[i],
              r.status, r.error);
    }
    static const char *const right[] = {"http://[::1]:8000", "https://a-b.c:8443,http://b",
                                        "moz-extension://a0", ""};
    for (size_t i = 0; i < sizeof right / sizeof *right; i++)
        daemon_stop(daemon_start(OPTIONS("--cors-origin", right[i])));
}
