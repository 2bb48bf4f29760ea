/* The conformance vectors of graphs, over HTTP, in both forms and both ways.
 * tests/vectors/README.md tells their format. */
#include <stdlib.h>
#include <string.h>

#include "common/safetensors.h"
#include "http/daemon.h"

DAEMON_SUITE(graphs_vectors);

/* In what form requests go and answers come. */
typedef struct {
    bool binary_request, binary_answer;
    const char *labels; /* dtype of labels in a binary request */
} mode;

typedef struct {
    caller *caller;
    const mode *mode;
    const char *name; /* of the case */
    json_t *handles;  /* by what stands for them in requests */
    int answers, errors, unsaid;
} runner;

static bool is_graph(const json_t *step) {
    return !strcmp(json_string_value(json_object_get(step, "path")), "/graph");
}

/* A copy with the handles in their places; no key is one. */
static json_t *with_handles(const json_t *value, const json_t *handles) {
    json_t *copy = json_copy((json_t *)value), *member;
    const char *text = json_string_value(value), *key;
    json_t *handle = text ? json_object_get(handles, text) : NULL;
    if (handle) {
        json_decref(copy);
        return json_incref(handle);
    }
    json_object_foreach((json_t *)value, key, member)
        json_object_set_new(copy, key, with_handles(member, handles));
    for (size_t i = 0; i < json_array_size(value); i++)
        json_array_set_new(copy, i, with_handles(json_array_get(value, i), handles));
    return copy;
}

/* NULL where the mode cannot say it. */
static char *request_body(const runner *r, const json_t *step, size_t *length) {
    const char *verbatim = json_string_value(json_object_get(step, "request_text"));
    char *body = NULL;
    if (verbatim) {
        body = r->mode->binary_request ? NULL : strdup(verbatim);
        *length = strlen(verbatim);
        return body;
    }
    json_t *request = with_handles(json_object_get(step, "request"), r->handles);
    if (!r->mode->binary_request) {
        body = json_dumps(request, JSON_COMPACT | JSON_REAL_PRECISION(17));
        *length = body ? strlen(body) : 0;
    } else {
        body = is_graph(step) ? safetensors_from_graph(request, r->mode->labels, length)
                              : safetensors_from_json(request, r->mode->labels, length);
    }
    json_decref(request);
    return body;
}

/* In a file, a single call's handle stands as text in the place of its tensor. */
static bool pointer_same(const runner *r, const json_t *step, const char *got, const char *want) {
    size_t length = strlen(want), inner = strlen("/tensor");
    bool handle = length > inner && !strcmp(want + length - inner, "/tensor");
    if (r->mode->binary_request && !is_graph(step) && handle)
        return strlen(got) == length - inner && !strncmp(got, want, length - inner);
    return !strcmp(got, want);
}

static void check_error(const runner *r, const answer *a, const json_t *step) {
    const json_t *error = json_object_get(step, "error");
    int status = (int)json_integer_value(json_object_get(error, "status"));
    const char *code = json_string_value(json_object_get(error, "code"));
    const char *pointer = json_string_value(json_object_get(error, "pointer"));
    bool good = a->status == status && (!code || !strcmp(text_at(a, "code"), code)) &&
                (!pointer || pointer_same(r, step, text_at(a, "pointer"), pointer));
    CHECK(good, "%s: %s: not %d %s %s but %d %.400s", r->name, a->about, status, code ? code : "",
          pointer ? pointer : "", a->status, a->body);
}

/* A graph's answer as JSON has it: a file's names came apart at their first dot. */
static json_t *graph_answer(const runner *r, const answer *a) {
    json_t *results = json_object(), *kept = json_object(), *value, *field;
    const char *key, *name;
    if (!r->mode->binary_answer) {
        json_decref(results);
        json_decref(kept);
        return json_incref(a->json);
    }
    json_object_foreach(a->json, key, value) {
        bool whole = !json_is_object(value) || json_object_get(value, "data");
        if (whole)
            json_object_set(results, key, value);
        else if (!strcmp(key, "kept"))
            json_object_update(kept, value);
        else
            json_object_foreach(value, name, field) {
                char both[160];
                snprintf(both, sizeof both, "%s.%s", key, name);
                json_object_set(results, both, field);
            }
    }
    return json_pack("{so so}", "results", results, "kept", kept);
}

/* At least 128 bits that may stand in a path. */
static bool is_handle(const char *text) {
    static const char safe[] = "0123456789-_"
                               "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
    return text && strlen(text) >= 22 && strspn(text, safe) == strlen(text);
}

/* Takes the handles that must have come, each a new one. */
static void take_handles(runner *r, const answer *a, const json_t *got, const json_t *want) {
    const char *name;
    json_t *mark, *known;
    CHECK(json_is_object(got) && json_object_size(got) == json_object_size(want),
          "%s: kept is not %zu handles: %.300s", r->name, json_object_size(want), a->body);
    json_object_foreach((json_t *)want, name, mark) {
        json_t *handle = json_object_get(got, name);
        const char *key, *text = json_string_value(handle);
        CHECK(is_handle(text), "%s: no handle of %s: %.300s", r->name, name, a->body);
        json_object_foreach(r->handles, key, known)
            CHECK(!json_equal(known, handle), "%s: %s has the handle of %s", r->name, name, key);
        json_object_set(r->handles, json_string_value(mark), handle);
    }
}

static void check_graph(runner *r, const answer *a, const json_t *step) {
    char why[256];
    const json_t *want = json_object_get(step, "answer");
    double rtol = json_number_value(json_object_get(step, "rtol"));
    double atol = json_number_value(json_object_get(step, "atol"));
    json_t *got = graph_answer(r, a);
    bool same = json_same(json_object_get(got, "results"), json_object_get(want, "results"), rtol,
                          atol, why);
    CHECK(a->status == 200 && same && json_object_size(got) == 2, "%s: %s: %d %s: %.400s", r->name,
          a->about, a->status, why, a->body);
    take_handles(r, a, json_object_get(got, "kept"), json_object_get(want, "kept"));
    json_decref(got);
}

static void check_single(runner *r, const answer *a, const json_t *step) {
    char why[256];
    bool same = json_same(a->json, json_object_get(step, "answer"),
                          json_number_value(json_object_get(step, "rtol")),
                          json_number_value(json_object_get(step, "atol")), why);
    CHECK(a->status == 200 && same, "%s: %s: %d %s: %.300s", r->name, a->about, a->status, why,
          a->body);
    if (*text_at(a, "cache"))
        json_object_set_new(r->handles, "$cache", json_string(text_at(a, "cache")));
}

/* False where the mode cannot say it. */
static bool run_step(runner *r, const json_t *step) {
    const char *query = json_string_value(json_object_get(step, "query"));
    const char *const headers[] = {
        r->mode->binary_request ? "Content-Type: application/vnd.safetensors"
                                : "Content-Type: application/json",
        r->mode->binary_answer ? "Accept: application/vnd.safetensors" : "Accept: application/json",
        NULL};
    char target[256];
    size_t length;
    char *body = request_body(r, step, &length);
    if (!body)
        return false;
    snprintf(target, sizeof target, "%s%s%s", json_string_value(json_object_get(step, "path")),
             *query ? "?" : "", query);
    const answer *a = post_bytes(r->caller, target, headers, body, length);
    free(body);
    bool error = json_object_get(step, "error");
    if (error)
        check_error(r, a, step);
    else if (is_graph(step))
        check_graph(r, a, step);
    else
        check_single(r, a, step);
    r->errors += error;
    r->answers += !error;
    return true;
}

static void run_file(runner *r, const char *path) {
    json_error_t error;
    json_t *file = json_load_file(path, 0, &error), *one, *step;
    cr_assert(file, "%s: %s", path, error.text);
    size_t i, j;
    json_array_foreach(json_object_get(file, "cases"), i, one) {
        r->name = json_string_value(json_object_get(one, "name"));
        r->handles = json_object();
        json_array_foreach(json_object_get(one, "steps"), j, step) {
            bool said = run_step(r, step);
            r->unsaid += !said;
            if (!said)
                break;
        }
        json_decref(r->handles);
        caller_forget(r->caller);
    }
    json_decref(file);
}

static void run_files(const mode *mode) {
    process *p = daemon_start(NULL);
    runner r = {.caller = p->caller, .mode = mode};
    run_file(&r, "tests/vectors/graphs/graph.json");
    run_file(&r, "tests/vectors/graphs/graph_errors.json");
    CHECK(r.answers >= 200 && r.errors >= 300, "%d answers, %d errors", r.answers, r.errors);
    printf("graphs_vectors: %s in, %s out: %d answers, %d errors, %d left to JSON\n",
           mode->binary_request ? mode->labels : "JSON",
           mode->binary_answer ? "safetensors" : "JSON", r.answers, r.errors, r.unsaid);
    daemon_stop(p);
}

Test(graphs_vectors, json_in_and_out) {
    run_files(&(mode){false, false, NULL});
}

Test(graphs_vectors, json_in_and_safetensors_out) {
    run_files(&(mode){false, true, NULL});
}

Test(graphs_vectors, safetensors_in_and_json_out) {
    run_files(&(mode){true, false, "I64"});
}

Test(graphs_vectors, safetensors_in_and_out) {
    static const char *const labels[] = {"I64", "I32", "U8"};
    for (size_t i = 0; i < sizeof labels / sizeof *labels; i++)
        run_files(&(mode){true, true, labels[i]});
}
