/* Who may call: tokens, scopes, and what comes of everything that is none. */
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "http/contract.h"
#include "http/guests.h"
#include "http/raw.h"

TestSuite(access, .timeout = 50, .fini = guests_clean_up);

#define BEARER "Bearer realm=\"layerd\""
#define BODY   "{\"x\":[-1,2]}"
#define JSON   "Content-Type: application/json"

/* One for each scope, one for all, one that has expired. */
static guest guests[] = {{"computes", "a compute", "", "", ""},
                         {"checks", "a check", "", "", ""},
                         {"watches", "- admin", "", "", ""},
                         {"all", "b compute,check,admin", "", "", ""},
                         {"late", "a compute", "until=2026-01-01", "", ""},
                         {0}};
enum { COMPUTES, CHECKS, WATCHES, ALL, LATE, GUESTS };

static process *start(const char *more, const char *value) {
    guests_make(guests);
    return daemon_start(OPTIONS("--tokens", guests_write(guests), more, value));
}

static const answer *ask(caller *c, const char *method, const char *path, const char *header) {
    bool posts = !strcmp(method, "POST");
    return send_message(c,
                        &(layerd_message){.method = method,
                                          .path = path,
                                          .headers = header ? HEADERS(JSON, header) : HEADERS(JSON),
                                          .body = posts ? BODY : NULL,
                                          .length = posts ? strlen(BODY) : 0});
}

static void expect_refused(const answer *a, const char *code, const char *challenge) {
    bool said = a->length == 0 /* HEAD */ || !strcmp(text_at(a, "code"), code);
    CHECK(a->status == contract_status(code) && said, "%s: not %s but %d %.300s", a->about, code,
          a->status, a->body);
    CHECK_TEXT(header_of(a, "WWW-Authenticate"), challenge);
}

/* The scope that a path asks for, "" for none. */
static const char *scope_of(const char *path) {
    static const char *const open[] = {"/", "/healthz", "/readyz", "/version", "/openapi.json"};
    for (size_t i = 0; i < sizeof open / sizeof *open; i++)
        if (!strcmp(path, open[i]))
            return "";
    if (!strcmp(path, "/metrics") || !strcmp(path, "/tokens"))
        return "admin";
    return !strncmp(path, "/check/", 7) || !strncmp(path, "/challenge", 10) ? "check" : "compute";
}

static void expect_scope(process *p, const char *method, const char *path) {
    static const char *const scopes[] = {"compute", "check", "admin"};
    const char *scope = scope_of(path);
    for (int who = COMPUTES; who <= ALL; who++) {
        const answer *a = ask(p->caller, method, path, bearer(&guests[who]));
        bool may = !*scope || who == ALL || !strcmp(scopes[who], scope);
        char challenge[96];
        snprintf(challenge, sizeof challenge, BEARER ", error=\"insufficient_scope\", scope=\"%s\"",
                 scope);
        if (may)
            CHECK(a->status != 401 && a->status != 403, "%s for %s: %d", a->about, guests[who].name,
                  a->status);
        else
            expect_refused(a, "forbidden", challenge);
    }
    const answer *none = ask(p->caller, method, path, NULL);
    if (*scope)
        expect_refused(none, "unauthorized", BEARER);
    else
        CHECK_TRUE(none->status == 200);
    caller_forget(p->caller);
}

/* The description and the test say the same of each route. */
static void expect_security(const json_t *item, const char *scope, const char *about) {
    const json_t *security = json_object_get(item, "security");
    const json_t *first = json_array_get(json_object_get(json_array_get(security, 0), "token"), 0);
    const char *said = json_string_value(first);
    CHECK(!strcmp(said ? said : "", scope), "%s: \"%s\", not \"%s\"", about, said ? said : "",
          scope);
}

Test(access, every_route_asks_for_its_scope) {
    process *p = start(NULL, NULL);
    json_t *paths = json_deep_copy(
        json_object_get(fetch(p->caller, "GET", "/openapi.json", NULL)->json, "paths"));
    const char *path, *verb;
    json_t *item, *operation;
    int count = 0;
    json_object_foreach(paths, path, item) {
        json_object_foreach(item, verb, operation) {
            char method[8] = "", concrete[128];
            if (!json_is_object(operation))
                continue;
            for (size_t i = 0; verb[i] && i < sizeof method - 1; i++)
                method[i] = (char)(verb[i] - 'a' + 'A');
            const char *brace = strchr(path, '{');
            snprintf(concrete, sizeof concrete, "%.*s%s",
                     (int)(brace ? brace - path : (long)strlen(path)), path,
                     brace ? "0123456789abcdef0123456789abcdef" : "");
            expect_scope(p, method, concrete);
            if (!strcmp(method, "GET"))
                expect_scope(p, "HEAD", concrete);
            expect_security(operation, scope_of(concrete), path);
            count++;
        }
    }
    CHECK(count > 30, "%d routes", count);
    json_decref(paths);
    daemon_stop(p);
}

Test(access, nothing_else_is_told_to_strangers) {
    process *p = start(NULL, NULL);
    static const char *const paths[] = {"/nothing",  "/affine",   "/cache",    "/relu/forwards",
                                        "/healthz/", "//healthz", "/metrics/", "/%68ealthz/x"};
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
        expect_refused(ask(p->caller, "GET", paths[i], NULL), "unauthorized", BEARER);
        expect_problem(ask(p->caller, "GET", paths[i], bearer(&guests[CHECKS])), "not_found", "");
    }
    expect_refused(ask(p->caller, "PUT", "/relu/forward", NULL), "unauthorized", BEARER);
    expect_problem(ask(p->caller, "PUT", "/relu/forward", bearer(&guests[COMPUTES])),
                   "method_not_allowed", "");
    expect_refused(ask(p->caller, "POST", "/relu/forward?x=1", NULL), "unauthorized", BEARER);
    daemon_stop(p);
}

Test(access, of_credentials_only_a_token_counts) {
    process *p = start(NULL, NULL);
    char header[160];
    static const struct {
        const char *header, *code, *challenge;
    } rows[] = {
        {"Authorization: Basic dXNlcjpwYXNz", "unauthorized", BEARER},
        {"Authorization: Digest username=\"x\", realm=\"y\"", "unauthorized", BEARER},
        {"Authorization: Bearerx", "unauthorized", BEARER},
        {"Authorization: Token x", "unauthorized", BEARER},
        {"Authorization: layerd_x", "unauthorized", BEARER},
        {"Authorization: Bearer", "invalid_request", BEARER ", error=\"invalid_request\""},
        {"Authorization: bearer \t ", "invalid_request", BEARER ", error=\"invalid_request\""},
        {"Authorization: Bearer x", "unauthorized", BEARER ", error=\"invalid_token\""},
        {"Authorization: Bearer x y", "unauthorized", BEARER ", error=\"invalid_token\""},
        {"Authorization: Bearer x,Bearer y", "unauthorized", BEARER ", error=\"invalid_token\""},
        {"Authorization: Bearer \xff\xfe%00%n%s", "unauthorized",
         BEARER ", error=\"invalid_token\""},
        {"Authorization: Bearer ../../etc/passwd", "unauthorized",
         BEARER ", error=\"invalid_token\""},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        expect_refused(ask(p->caller, "POST", "/relu/forward", rows[i].header), rows[i].code,
                       rows[i].challenge);
    static const char *const good[] = {"Bearer", "bearer", "BEARER", "bEaReR  "};
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        snprintf(header, sizeof header, "authorization: %s %s", good[i], guests[COMPUTES].token);
        CHECK_EQUAL(ask(p->caller, "POST", "/relu/forward", header)->status, 200);
    }
    daemon_stop(p);
}

/* Every byte of a token changed, the token cut anywhere, and longer. */
Test(access, of_tokens_only_the_whole_one_counts) {
    process *p = start(NULL, NULL);
    static const char invalid[] = BEARER ", error=\"invalid_token\"";
    const char *token = guests[COMPUTES].token;
    char header[160];
    for (size_t i = 0; i < strlen(token); i++) {
        snprintf(header, sizeof header, "Authorization: Bearer %s", token);
        char *byte = header + strlen("Authorization: Bearer ") + i;
        *byte = *byte == 'a' ? 'b' : 'a';
        expect_refused(ask(p->caller, "POST", "/relu/forward", header), "unauthorized", invalid);
        if (i == 0)
            continue;
        *byte = '\0';
        expect_refused(ask(p->caller, "POST", "/relu/forward", header), "unauthorized", invalid);
    }
    snprintf(header, sizeof header, "Authorization: Bearer %s0", token);
    expect_refused(ask(p->caller, "POST", "/relu/forward", header), "unauthorized", invalid);
    snprintf(header, sizeof header, "Authorization: Bearer %s", guests[COMPUTES].hash);
    expect_refused(ask(p->caller, "POST", "/relu/forward", header), "unauthorized", invalid);
    const answer *late = ask(p->caller, "POST", "/relu/forward", bearer(&guests[LATE]));
    expect_refused(late, "unauthorized", invalid);
    expect_detail(late, "expired");
    CHECK_EQUAL(ask(p->caller, "POST", "/relu/forward", bearer(&guests[COMPUTES]))->status, 200);
    daemon_stop(p);
}

#define HEAD "POST /relu/forward HTTP/1.1\r\nHost: t\r\n" JSON "\r\n"

Test(access, two_headers_are_none) {
    process *p = start(NULL, NULL);
    static const char *const pairs[][2] = {
        {"Authorization: Bearer %s\r\n", "Authorization: Bearer %s\r\n"},
        {"Authorization: Bearer %s\r\n", "authorization: Basic x\r\n%.0s"},
        {"Authorization: Basic x\r\n%.0s", "AUTHORIZATION: Bearer %s\r\n"},
        {"Authorization:\r\n%.0s", "Authorization: Bearer %s\r\n"},
    };
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        raw r = raw_open(p);
        char first[128], second[128];
        snprintf(first, sizeof first, pairs[i][0], guests[COMPUTES].token);
        snprintf(second, sizeof second, pairs[i][1], guests[COMPUTES].token);
        raw_print(&r, HEAD "%s%sContent-Length: %zu\r\n\r\n" BODY, first, second, strlen(BODY));
        raw_answer a = raw_read(&r);
        CHECK(a.status == 400 && strstr(a.body, "\"invalid_request\"") &&
                  strstr(a.head, "WWW-Authenticate: " BEARER ", error=\"invalid_request\""),
              "%s%s: %d %s", first, second, a.status, a.head);
        raw_print(&r, "GET /healthz HTTP/1.1\r\nHost: t\r\n\r\n");
        raw_expect(&r, 200, "ok");
        raw_close(&r);
    }
    daemon_stop(p);
}

Test(access, a_token_in_the_query_is_refused) {
    process *p = start(NULL, NULL);
    static const char *const paths[] = {
        "/relu/forward?access_token=%s", "/relu/forward?cache=none&access_token=%s",
        "/relu/forward?access_token=&x=%s", "/graph?access_token=%s"};
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++)
        for (int with = 0; with < 2; with++) {
            char path[128];
            snprintf(path, sizeof path, paths[i], guests[COMPUTES].token);
            const answer *a = ask(p->caller, "POST", path, with ? bearer(&guests[COMPUTES]) : NULL);
            expect_refused(a, "invalid_request", BEARER ", error=\"invalid_request\"");
            CHECK_TRUE(!strstr(a->body, guests[COMPUTES].token));
        }
    daemon_stop(p);
}

Test(access, a_long_token_is_a_large_header) {
    process *p = start(NULL, NULL);
    enum { MEGABYTE = 1 << 20 };
    char *text = malloc(MEGABYTE);
    memset(text, 'x', MEGABYTE);
    static const size_t lengths[] = {512, 513, 8000, 16000, MEGABYTE};
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        raw r = raw_open(p);
        raw_print(&r, HEAD "Authorization: Bearer ");
        raw_write(&r, text, lengths[i]);
        raw_print(&r, "\r\nContent-Length: %zu\r\n\r\n" BODY, strlen(BODY));
        raw_expect(&r, lengths[i] == MEGABYTE ? 431 : 401, "code");
        raw_close(&r);
    }
    free(text);
    daemon_stop(p);
}

/* What a stranger sends is not taken in: the answer comes before the body does. */
Test(access, is_settled_before_the_body) {
    process *p = start(NULL, NULL);
    static const char *const lengths[] = {
        "Content-Length: 100000000\r\n", "Content-Length: 999999999999\r\n",
        "Content-Length: 12\r\nExpect: 100-continue\r\n", "Transfer-Encoding: chunked\r\n"};
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        raw r = raw_open(p);
        raw_print(&r, HEAD "%s\r\n", lengths[i]);
        raw_expect(&r, 401, "unauthorized");
        CHECK_TRUE(raw_ended(&r));
        raw_close(&r);
    }
    raw r = raw_open(p); /* a short one is read, and the connection goes on */
    raw_print(&r, HEAD "Content-Length: %zu\r\n\r\n" BODY, strlen(BODY));
    raw_expect(&r, 401, "unauthorized");
    raw_print(&r, HEAD "%s\r\nContent-Length: %zu\r\n\r\n" BODY, bearer(&guests[COMPUTES]),
              strlen(BODY));
    raw_expect(&r, 200, "\"out\"");
    raw_close(&r);
    daemon_stop(p);
}

Test(access, options_and_preflights_need_no_token) {
    process *p = start("--cors-origin", "https://example.org");
    static const char *const paths[] = {"/relu/forward", "/metrics", "/graph", "/cache/x"};
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
        CHECK_EQUAL(fetch(p->caller, "OPTIONS", paths[i], NULL)->status, 204);
        const answer *a =
            fetch(p->caller, "OPTIONS", paths[i],
                  HEADERS("Origin: https://example.org", "Access-Control-Request-Method: POST",
                          "Access-Control-Request-Headers: authorization"));
        CHECK_EQUAL(a->status, 204);
        CHECK_TRUE(strstr(header_of(a, "Access-Control-Allow-Headers"), "authorization"));
    }
    const answer *a = ask(p->caller, "GET", "/metrics", "Origin: https://example.org");
    expect_refused(a, "unauthorized", BEARER);
    CHECK_TRUE(strstr(header_of(a, "Access-Control-Expose-Headers"), "WWW-Authenticate"));
    CHECK_TEXT(header_of(a, "Access-Control-Allow-Origin"), "https://example.org");
    daemon_stop(p);
}

Test(access, public_paths_are_those_that_are_named) {
    process *p = start("--public", "/healthz,/metrics");
    CHECK_EQUAL(ask(p->caller, "GET", "/healthz", NULL)->status, 200);
    CHECK_EQUAL(ask(p->caller, "GET", "/metrics", NULL)->status, 200);
    CHECK_EQUAL(ask(p->caller, "GET", "/metrics", "Authorization: Bearer wrong")->status, 200);
    static const char *const closed[] = {"/", "/version", "/openapi.json", "/readyz"};
    for (size_t i = 0; i < sizeof closed / sizeof *closed; i++) {
        expect_refused(ask(p->caller, "GET", closed[i], NULL), "unauthorized", BEARER);
        CHECK_EQUAL(ask(p->caller, "GET", closed[i], bearer(&guests[CHECKS]))->status, 200);
    }
    daemon_stop(p);
    static const char *const wrong[] = {
        "healthz", "/nothing",      "/healthz,",         ",",          "/cache/",
        "/graph",  "/relu/forward", "/healthz,/Metrics", "/challenge", "/challenge/answer",
        "/check/"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        run r = daemon_run(OPTIONS("--public", wrong[i]));
        CHECK(r.status == 2 && strstr(r.error, "--public"), "%s: %d %s", wrong[i], r.status,
              r.error);
    }
}

Test(access, a_new_token_is_printed_beside_its_line) {
    static const char *const wrong[] = {"", " ", "a b", "a/b", "-a", "\xc3\xa4", "a\n"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        run r = daemon_run(OPTIONS("--new-token", wrong[i]));
        CHECK(r.status == 2 && *r.out == '\0', "%s: %d %s", wrong[i], r.status, r.out);
    }
    CHECK_EQUAL(daemon_run(OPTIONS("--new-token")).status, 2);
    guests_make(guests);
    CHECK_TRUE(strcmp(guests[0].token, guests[1].token) != 0);
    CHECK_EQUAL(strlen(guests[0].token), 53);
}

static void expect_no_start(const char *path, const char *words) {
    run r = daemon_run(OPTIONS("--listen", "127.0.0.1:0", "--tokens", path));
    CHECK(r.status == 2 && strstr(r.error, words), "%s: %d %s", path, r.status, r.error);
}

Test(access, a_wrong_file_is_no_start) {
    guests_make(guests);
    const char *path = guests_write(guests);
    chmod(path, 0666);
    expect_no_start(path, "chmod go-w");
    guests[1].rest = "a everything";
    expect_no_start(guests_write(guests), "line 2: the scopes");
    expect_no_start("/nowhere/tokens", "/nowhere/tokens: No such file");
    expect_no_start("/dev/null", "not a regular file");
    expect_no_start("", "must be the path of a file");
}

Test(access, sighup_reads_the_file_again_whole_or_not_at_all) {
    process *p = start(NULL, NULL);
    caller *c = p->caller;
    const char *kept = guests[WATCHES].rest;
    guest revoked = guests[CHECKS];
    guests[WATCHES].rest = "- nothing";
    guests_write(guests);
    CHECK_TRUE(guests_reload(p, "the tokens stay as they were: "));
    CHECK_TRUE(strstr(guests_log(p), "line 3: the scopes"));
    CHECK_EQUAL(ask(c, "GET", "/metrics", bearer(&guests[WATCHES]))->status, 200);

    guests[WATCHES].rest = kept;
    guests_make(guests + CHECKS); /* new tokens for all but the first */
    guests_write(guests);
    CHECK_TRUE(guests_reload(p, "5 tokens of "));
    expect_refused(ask(c, "GET", "/nothing", bearer(&revoked)), "unauthorized",
                   BEARER ", error=\"invalid_token\"");
    expect_problem(ask(c, "GET", "/nothing", bearer(&guests[CHECKS])), "not_found", "");
    CHECK_EQUAL(ask(c, "POST", "/relu/forward", bearer(&guests[COMPUTES]))->status, 200);

    char fresh[64];
    snprintf(fresh, sizeof fresh, "%s", guests_write(guests));
    remove(fresh);
    CHECK_TRUE(guests_reload(p, "No such file"));
    CHECK_EQUAL(ask(c, "POST", "/relu/forward", bearer(&guests[COMPUTES]))->status, 200);
    daemon_stop(p);
}

Test(access, the_log_has_names_and_no_secrets) {
    process *p = start("--log-level", "debug");
    char path[128];
    snprintf(path, sizeof path, "/relu/forward?access_token=%s", guests[COMPUTES].token);
    ask(p->caller, "POST", "/relu/forward", bearer(&guests[COMPUTES]));
    ask(p->caller, "POST", "/metrics", bearer(&guests[COMPUTES]));
    ask(p->caller, "POST", path, bearer(&guests[COMPUTES]));
    ask(p->caller, "POST", path, NULL);
    ask(p->caller, "GET", "/healthz", bearer(&guests[COMPUTES]));
    ask(p->caller, "POST", "/relu/forward", bearer(&guests[LATE]));
    const char *log = guests_log(p);
    CHECK_TRUE(strstr(log, "POST /relu/forward: 200") && strstr(log, ", for computes\n"));
    CHECK(!strstr(log, "layerd_"), "%s", log);
    CHECK(!strstr(log, guests[COMPUTES].hash), "%s", log);
    daemon_stop(p);
}

Test(access, who_is_open_to_others_is_told_once) {
    static const char words[] = "--tokens says who may call";
    process *p = daemon_start(OPTIONS("--listen", "0.0.0.0:0"));
    char *at = strstr(guests_log(p), words);
    CHECK_TRUE(at && !strstr(at + 1, words));
    daemon_stop(p);
    p = daemon_start(OPTIONS("--listen", "127.0.0.1:0"));
    CHECK_TRUE(!strstr(guests_log(p), words));
    daemon_stop(p);
    guests_make(guests);
    p = daemon_start(OPTIONS("--listen", "0.0.0.0:0", "--tokens", guests_write(guests)));
    CHECK_TRUE(!strstr(guests_log(p), words));
    daemon_stop(p);
}

Test(access, tokens_are_listed_with_their_use_and_no_secret) {
    process *p = start(NULL, NULL);
    caller *c = p->caller;
    for (int i = 0; i < 3; i++)
        CHECK_EQUAL(ask(c, "POST", "/relu/forward", bearer(&guests[COMPUTES]))->status, 200);
    ask(c, "GET", "/metrics", bearer(&guests[COMPUTES]));
    const answer *a = ask(c, "GET", "/tokens", bearer(&guests[WATCHES]));
    CHECK_EQUAL(a->status, 200);
    CHECK_EQUAL(json_array_size(json_at(a->json, "tokens")), 5);
    for (guest *g = guests; g->name; g++) {
        CHECK_TRUE(strstr(a->body, g->name) && !strstr(a->body, g->hash) &&
                   !strstr(a->body, g->token));
    }
    json_t *first = json_array_get(json_at(a->json, "tokens"), COMPUTES);
    json_t *late = json_array_get(json_at(a->json, "tokens"), LATE);
    CHECK_TEXT(json_string_value(json_object_get(first, "name")), "computes");
    CHECK_TEXT(json_string_value(json_object_get(first, "tenant")), "a");
    CHECK_TEXT(json_string_value(json_array_get(json_object_get(first, "scopes"), 0)), "compute");
    CHECK_EQUAL(json_integer_value(json_object_get(first, "requests")), 4);
    CHECK_EQUAL(json_integer_value(json_object_get(first, "refused")), 1);
    CHECK_TRUE(json_integer_value(json_object_get(first, "kept")) > 0);
    CHECK_TRUE(json_integer_value(json_object_get(first, "worked")) > 0);
    CHECK_TRUE(json_string_value(json_object_get(first, "last")) != NULL);
    CHECK_TEXT(json_string_value(json_object_get(late, "until")), "2026-01-01");
    CHECK_TRUE(json_is_null(json_object_get(late, "last")));
    daemon_stop(p);
    p = daemon_start(NULL);
    expect_problem(fetch(p->caller, "GET", "/tokens", NULL), "not_found", "");
    const answer *described = fetch(p->caller, "GET", "/openapi.json", NULL);
    CHECK_TRUE(!json_at(described->json, "components.securitySchemes"));
    CHECK_TRUE(!strstr(described->body, "/tokens"));
    daemon_stop(p);
}

/* clients/c: the token of the environment, one that is set, a header that goes before it. */
Test(access, the_client_has_a_token) {
    process *p = start(NULL, NULL);
    layerd_error error;
    double x[] = {1, -2};
    layerd_tensor tensor = layerd_wrap(LAYERD_FLOAT64, 1, (size_t[]){2}, x);
    layerd_request request = {.path = "/relu/forward", .inputs = {{"x", &tensor}}};
    setenv("LAYERD_TOKEN", guests[COMPUTES].token, 1);
    layerd_client *client = layerd_open(p->url, &error);
    unsetenv("LAYERD_TOKEN");
    layerd_answer *answer = layerd_run(client, &request, &error);
    CHECK(answer, "%s", error.detail);
    CHECK_TRUE(layerd_release(client, layerd_answer_cache(answer), &error));
    layerd_answer_free(answer);
    CHECK_TRUE(layerd_set_token(client, guests[CHECKS].token, &error));
    CHECK_TRUE(!layerd_run(client, &request, &error));
    CHECK_EQUAL(error.status, 403);
    CHECK_TRUE(layerd_set_token(client, NULL, &error));
    CHECK_TRUE(!layerd_run(client, &request, &error));
    CHECK_EQUAL(error.status, 401);
    CHECK_TRUE(!layerd_set_token(client, "a\r\nX: b", &error));
    CHECK_TEXT(error.code, "invalid_input");
    CHECK_TRUE(!layerd_set_token(NULL, "a", &error));
    CHECK_TRUE(layerd_set_token(client, guests[CHECKS].token, &error));
    CHECK_TRUE(layerd_add_header(client, bearer(&guests[COMPUTES]), &error));
    answer = layerd_run(client, &request, &error);
    CHECK(answer, "%s", error.detail);
    layerd_answer_free(answer);
    layerd_close(client);
    daemon_stop(p);
}

Test(access, refusals_are_counted_by_their_reasons) {
    guests[COMPUTES].limits = "rate=1 burst=2 work=1";
    process *p = start(NULL, NULL);
    caller *c = p->caller;
    ask(c, "GET", "/metrics", NULL);
    ask(c, "GET", "/metrics", "Authorization: Bearer");
    ask(c, "GET", "/metrics", "Authorization: Bearer x");
    ask(c, "GET", "/metrics", "Authorization: Bearer y");
    ask(c, "GET", "/metrics", bearer(&guests[CHECKS]));
    for (int i = 0; i < 3; i++) /* passes; has no work left; has no request left */
        ask(c, "POST", "/relu/forward", bearer(&guests[COMPUTES]));
    const answer *a = ask(c, "GET", "/metrics", bearer(&guests[WATCHES]));
    static const char *const lines[] = {"layerd_tokens 5\n",
                                        "layerd_access_refused_total{reason=\"no_token\"} 1\n",
                                        "layerd_access_refused_total{reason=\"bad_request\"} 1\n",
                                        "layerd_access_refused_total{reason=\"bad_token\"} 2\n",
                                        "layerd_access_refused_total{reason=\"scope\"} 1\n",
                                        "layerd_access_refused_total{reason=\"work\"} 1\n",
                                        "layerd_access_refused_total{reason=\"rate\"} 1\n"};
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++)
        CHECK(strstr(a->body, lines[i]), "%s", lines[i]);
    daemon_stop(p);
}
