/* POST /graph as HTTP has it: methods, queries, forms, headers; and what small parts of a large
 * request keep. */
#include <stdlib.h>
#include <string.h>

#include "common/safetensors.h"
#include "http/figures.h"
#include "http/kept.h"

DAEMON_SUITE(graphs);

#define JSON        "application/json"
#define SAFETENSORS "application/vnd.safetensors"
#define RELU                                                                                       \
    "{'inputs':{'x':[-1,2]},'nodes':[{'name':'r','op':'relu/forward','x':'x'}],'give':['r.out']}"

/* ---- methods and queries ---------------------------------------------------------------------
 */

Test(graphs, are_posted_and_nothing_else) {
    static const char *const methods[] = {"GET", "HEAD", "PUT", "DELETE", "PATCH"};
    process *p = daemon_start(NULL);
    for (size_t i = 0; i < sizeof methods / sizeof *methods; i++) {
        const answer *a = fetch(p->caller, methods[i], "/graph", NULL);
        CHECK_EQUAL(a->status, 405);
        CHECK_TEXT(header_of(a, "Allow"), "POST");
    }
    const answer *a = fetch(p->caller, "OPTIONS", "/graph", NULL);
    CHECK_EQUAL(a->status, 204);
    CHECK_TEXT(header_of(a, "Allow"), "POST");
    expect_problem(post(p->caller, "/graph/", RELU), "not_found", "");
    expect_problem(post(p->caller, "/graph/forward", RELU), "not_found", "");
    expect_problem(post(p->caller, "/Graph", RELU), "not_found", "");
    daemon_stop(p);
}

Test(graphs, take_one_query) {
    static const char *const wrong[] = {"cache=none",
                                        "cache=release",
                                        "tensors=wide",
                                        "tensors",
                                        "tensors=flat&cache=none",
                                        "give=r.out",
                                        "tensors=flat&tensors=flat"};
    process *p = daemon_start(NULL);
    expect_json(post(p->caller, "/graph?tensors=flat", RELU),
                "{'results':{'r.out':{'shape':[2],'data':[0.0,2.0]}},'kept':{}}");
    expect_json(post(p->caller, "/graph?", RELU), "{'results':{'r.out':[0.0,2.0]},'kept':{}}");
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        char target[64];
        snprintf(target, sizeof target, "/graph?%s", wrong[i]);
        expect_problem(post(p->caller, target, RELU), "invalid_query", "");
    }
    daemon_stop(p);
}

/* ---- forms -----------------------------------------------------------------------------------
 */

static const answer *post_as(caller *caller, const char *type, const char *accept,
                             const char *document) {
    char *text = json_text("%s", document), lines[2][128];
    json_t *json = json_loads(text, 0, NULL);
    size_t length = strlen(text);
    char *file = strstr(type, "safetensors") ? safetensors_from_graph(json, "I64", &length) : NULL;
    snprintf(lines[0], sizeof lines[0], "Content-Type: %s", type);
    snprintf(lines[1], sizeof lines[1], "Accept: %s", accept);
    const answer *a =
        post_bytes(caller, "/graph", HEADERS(lines[0], lines[1]), file ? file : text, length);
    json_decref(json);
    free(file);
    free(text);
    return a;
}

Test(graphs, have_a_form_each_way) {
    static const struct {
        const char *accept, *type;
    } rows[] = {
        {SAFETENSORS, SAFETENSORS},
        {JSON, JSON},
        {"*/*", JSON},
        {"", JSON},
        {SAFETENSORS ", */*", SAFETENSORS},
        {SAFETENSORS ";q=0.5, " JSON, JSON},
    };
    process *p = daemon_start(NULL);
    for (size_t i = 0; i < 2 * sizeof rows / sizeof *rows; i++) {
        const answer *a = post_as(p->caller, i % 2 ? SAFETENSORS : JSON, rows[i / 2].accept, RELU);
        CHECK_EQUAL(a->status, 200);
        CHECK_TEXT(header_of(a, "Content-Type"), rows[i / 2].type);
        CHECK_TEXT(header_of(a, "Vary"), "Accept");
        if (!strcmp(rows[i / 2].type, JSON))
            expect_json(a, "{'results':{'r.out':[0.0,2.0]},'kept':{}}");
        else
            expect_json(a, "{'r':{'out':[0.0,2.0]}}");
    }
    expect_problem(post_as(p->caller, JSON, "text/html", RELU), "not_acceptable", "");
    expect_problem(post_as(p->caller, "text/plain", JSON, RELU), "unsupported_media_type", "");
    expect_problem(post_as(p->caller, SAFETENSORS, SAFETENSORS, "{'nodes':[],'give':['x']}"),
                   "invalid_graph", "/give/0");
    expect_problem(post_bytes(p->caller, "/graph", HEADERS("Content-Encoding: gzip"), "{}", 2),
                   "unsupported_media_type", "");
    daemon_stop(p);
}

Test(graphs, are_counted_and_timed) {
    process *p = daemon_start(NULL);
    expect_json(post(p->caller, "/graph", RELU), "{'results':{'r.out':[0.0,2.0]},'kept':{}}");
    expect_problem(post(p->caller, "/graph", "{}"), "missing_field", "/nodes");
    const char *page = scrape(p);
    CHECK_EQUAL(
        value_in(page, "layerd_requests_total{%s,status='200'}", "layer='',operation='graph'"), 1);
    CHECK_EQUAL(
        value_in(page, "layerd_requests_total{%s,status='422'}", "layer='',operation='graph'"), 1);
    CHECK_EQUAL(value_in(page, "layerd_request_seconds_count{phase='compute',%s}",
                         "layer='',operation='graph'"),
                2);
    daemon_stop(p);
}

/* ---- small parts of a large request ----------------------------------------------------------
 */

enum { LARGE = 200000, TIMES = 20 };

/* A request with a tensor of 1.6 MB, and small ones beside it. */
static char *large_request(const char *document, bool binary, size_t *length) {
    char *text = json_text("%s", document);
    json_t *json = json_loads(text, 0, NULL), *data = json_array();
    free(text);
    for (int i = 0; i < LARGE; i++)
        json_array_append_new(data, json_real(0.5));
    json_object_set_new(json_object_get(json, "inputs"), "large", data);
    char *request =
        binary ? safetensors_from_graph(json, "I64", length) : json_dumps(json, JSON_COMPACT);
    cr_assert(request);
    if (!binary)
        *length = strlen(request);
    json_decref(json);
    return request;
}

/* Keeps what the document names again and again: a few hundred bytes each are told, and taken. */
static void keep_of(const char *document, bool binary) {
    process *p = daemon_start(NULL);
    const char *type = binary ? "Content-Type: " SAFETENSORS : "Content-Type: " JSON;
    size_t length;
    char *request = large_request(document, binary, &length);
    const answer *a = post_bytes(p->caller, "/graph", HEADERS(type), request, length);
    const char *name;
    json_t *handle;
    json_object_foreach(json_object_get(a->json, "kept"), name, handle) {
        const answer *told = about_handle(p->caller, "GET", json_string_value(handle));
        CHECK(number_at(told, "bytes") < 2000, "%s: %s", name, told->body);
    }
    double bytes = value_of(p, "layerd_cache_bytes");
    long before = daemon_memory(p, "VmRSS");
    for (int i = 0; i < TIMES; i++) {
        a = post_bytes(p->caller, "/graph", HEADERS(type), request, length);
        CHECK_EQUAL(a->status, 200);
        caller_forget(p->caller);
    }
    long growth = daemon_memory(p, "VmRSS") - before;
    CHECK(growth < TIMES * LARGE * 8 / 1024 / 2, "memory grew by %ld KiB", growth);
    CHECK_EQUAL(value_of(p, "layerd_cache_bytes"), (long long)((TIMES + 1) * bytes));
    CHECK(bytes > 0 && bytes < 2000, "%g bytes", bytes);
    free(request);
    daemon_stop(p);
}

static void keep_of_large(const char *document) {
    keep_of(document, true);
    keep_of(document, false);
}

Test(graphs, small_tensors_do_not_keep_a_large_body) {
    keep_of_large("{'inputs':{'s':[1,2,3],'y':{'shape':[1],'data':[0],'dtype':'int64'}},"
                  "'nodes':[],'keep':['s','y']}");
}

/* An update that leaves all as it is, and dropout in test mode, may hand on what they were given.
 */
Test(graphs, small_results_do_not_keep_a_large_body) {
    keep_of_large(
        "{'inputs':{'s':[1,2,3]},'nodes':["
        "{'name':'o','op':'dropout/forward','x':'s','dropout_param':{'p':1,'mode':'test'}},"
        "{'name':'u','op':'sgd/update','w':'s','dw':'s','config':{'learning_rate':0}}],"
        "'keep':['o.out','u.next_w']}");
}
