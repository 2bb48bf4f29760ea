/* The conformance vectors, over HTTP, in both forms and both ways. tests/vectors/README.md tells
 * their format. */
#include <glob.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/safetensors.h"
#include "http/contract.h"
#include "http/daemon.h"

DAEMON_SUITE(vectors);

/* In what form requests go and answers come. */
typedef struct {
    bool binary_request, binary_answer;
    const char *labels; /* dtype of labels in a binary request, and U8 that of masks, too */
} mode;

static struct {
    const char *path;
    int answers, errors;
} operations[] = {
    {"/affine/forward", 0, 0},
    {"/affine/backward", 0, 0},
    {"/relu/forward", 0, 0},
    {"/relu/backward", 0, 0},
    {"/batchnorm/forward", 0, 0},
    {"/batchnorm/backward", 0, 0},
    {"/dropout/forward", 0, 0},
    {"/dropout/backward", 0, 0},
    {"/svm/loss", 0, 0},
    {"/softmax/loss", 0, 0},
    {"/layernorm/forward", 0, 0},
    {"/layernorm/backward", 0, 0},
    {"/conv/forward", 0, 0},
    {"/conv/backward", 0, 0},
    {"/max_pool/forward", 0, 0},
    {"/max_pool/backward", 0, 0},
    {"/spatial_batchnorm/forward", 0, 0},
    {"/spatial_batchnorm/backward", 0, 0},
    {"/spatial_groupnorm/forward", 0, 0},
    {"/spatial_groupnorm/backward", 0, 0},
    {"/sgd/update", 0, 0},
    {"/sgd_momentum/update", 0, 0},
    {"/rmsprop/update", 0, 0},
    {"/adam/update", 0, 0},
};
enum { OPERATIONS = sizeof operations / sizeof *operations };

static void count(const char *path, bool error) {
    for (int i = 0; i < OPERATIONS; i++)
        if (!strcmp(operations[i].path, path)) {
            operations[i].answers += !error;
            operations[i].errors += error;
        }
}

/* The text of a request, with the handle in the place of "$cache". */
static char *request_text(const json_t *step, const char *cache) {
    static const char mark[] = "\"$cache\"";
    const char *verbatim = json_string_value(json_object_get(step, "request_text"));
    char *text = verbatim ? strdup(verbatim)
                          : json_dumps(json_object_get(step, "request"),
                                       JSON_COMPACT | JSON_REAL_PRECISION(17));
    char *at = text ? strstr(text, mark) : NULL, *replaced;
    if (!at)
        return text;
    if (asprintf(&replaced, "%.*s\"%s\"%s", (int)(at - text), text, cache, at + strlen(mark)) < 0)
        abort();
    free(text);
    return replaced;
}

/* In safetensors an object of parameters is not there to be missed: its first member is. */
static bool pointer_same(const char *got, const char *want, const mode *mode) {
    size_t length = strlen(want);
    return !strcmp(got, want) ||
           (mode->binary_request && !strncmp(got, want, length) && got[length] == '/');
}

static void check_error(const answer *a, const json_t *error, const char *name, const mode *mode) {
    int status = (int)json_integer_value(json_object_get(error, "status"));
    const char *code = json_string_value(json_object_get(error, "code"));
    const char *pointer = json_string_value(json_object_get(error, "pointer"));
    bool good = a->status == status && !strcmp(text_at(a, "code"), code) &&
                (!pointer || pointer_same(text_at(a, "pointer"), pointer, mode));
    CHECK(good, "%s: %s: not %d %s %s but %d %.300s", name, a->about, status, code,
          pointer ? pointer : "", a->status, a->body);
}

static void check_answer(const answer *a, const json_t *step, const char *name) {
    char why[256];
    double rtol = json_number_value(json_object_get(step, "rtol"));
    double atol = json_number_value(json_object_get(step, "atol"));
    const char *query = json_string_value(json_object_get(step, "query"));
    bool same = json_same(a->json, json_object_get(step, "answer"), rtol, atol, why);
    CHECK(a->status == 200 && same, "%s: %s: %d %s: %.200s", name, a->about, a->status, why,
          a->body);
    bool forward = strstr(a->about, "/forward"), none = query && strstr(query, "cache=none");
    CHECK(a->status != 200 || (*text_at(a, "cache") != '\0') == (forward && !none),
          "%s: %s: a cache too many or too few: %.200s", name, a->about, a->body);
}

/* The body of a request in the mode's form; NULL where safetensors cannot say it, or where the text
 * itself is what matters. */
static char *request_body(const json_t *step, const char *cache, const mode *mode, size_t *length) {
    char *text = request_text(step, cache);
    cr_assert(text, "a step without request");
    *length = strlen(text);
    if (!mode->binary_request)
        return text;
    json_t *request = json_object_get(step, "request_text") ? NULL : json_loads(text, 0, NULL);
    char *body = safetensors_from_json(request, mode->labels, length);
    json_decref(request);
    free(text);
    return body;
}

/* Runs one step; the handle that it gave goes to `cache`. False where the mode cannot say it. */
static bool run_step(caller *caller, const json_t *step, const char *name, char cache[128],
                     const mode *mode) {
    const char *path = json_string_value(json_object_get(step, "path"));
    const char *query = json_string_value(json_object_get(step, "query"));
    const json_t *error = json_object_get(step, "error");
    const char *const headers[] = {
        mode->binary_request ? "Content-Type: application/vnd.safetensors"
                             : "Content-Type: application/json",
        mode->binary_answer ? "Accept: application/vnd.safetensors" : "Accept: application/json",
        NULL};
    char target[256];
    size_t length;
    char *body = request_body(step, cache, mode, &length);
    if (!body)
        return false;
    snprintf(target, sizeof target, "%s%s%s", path, query && *query ? "?" : "", query ? query : "");
    const answer *a = post_bytes(caller, target, headers, body, length);
    free(body);
    count(path, error);
    if (error)
        check_error(a, error, name, mode);
    else
        check_answer(a, step, name);
    if (*text_at(a, "cache"))
        snprintf(cache, 128, "%s", text_at(a, "cache"));
    return true;
}

static int run_file(caller *caller, const char *path, const mode *mode) {
    json_error_t error;
    json_t *file = json_load_file(path, 0, &error);
    cr_assert(file, "%s: %s", path, error.text);
    const json_t *cases = json_object_get(file, "cases");
    int count = (int)json_array_size(cases);
    for (int i = 0; i < count; i++) {
        const json_t *one = json_array_get(cases, (size_t)i);
        const json_t *steps = json_object_get(one, "steps");
        char cache[128] = "";
        cr_assert(json_array_size(steps) > 0);
        for (size_t s = 0; s < json_array_size(steps); s++)
            if (!run_step(caller, json_array_get(steps, s),
                          json_string_value(json_object_get(one, "name")), cache, mode))
                break;
        caller_forget(caller);
    }
    json_decref(file);
    return count;
}

static void run_files(const mode *mode) {
    process *p = daemon_start(NULL);
    glob_t files;
    int cases = 0, answers = 0, errors = 0;
    cr_assert(glob("tests/vectors/*.json", 0, NULL, &files) == 0,
              "no tests/vectors/*.json: run from the project's root");
    for (size_t i = 0; i < files.gl_pathc; i++)
        cases += run_file(p->caller, files.gl_pathv[i], mode);
    for (int i = 0; i < OPERATIONS; i++) {
        CHECK(operations[i].answers > 0 && operations[i].errors > 0,
              "%s was never called, or never refused", operations[i].path);
        answers += operations[i].answers;
        errors += operations[i].errors;
        operations[i].answers = operations[i].errors = 0;
    }
    CHECK(answers > 1000 && errors > 300, "%d answers, %d errors", answers, errors);
    printf("vectors: %s in, %s out: %zu files, %d cases, %d answers and %d errors\n",
           mode->binary_request ? mode->labels : "JSON",
           mode->binary_answer ? "safetensors" : "JSON", files.gl_pathc, cases, answers, errors);
    globfree(&files);
    daemon_stop(p);
}

Test(vectors, json_in_and_out) {
    run_files(&(mode){false, false, NULL});
}

Test(vectors, json_in_and_safetensors_out) {
    run_files(&(mode){false, true, NULL});
}

Test(vectors, safetensors_in_and_json_out) {
    run_files(&(mode){true, false, "I64"});
}

Test(vectors, safetensors_in_and_out) {
    static const char *const labels[] = {"I64", "I32", "U8"};
    for (size_t i = 0; i < sizeof labels / sizeof *labels; i++)
        run_files(&(mode){true, true, labels[i]});
}
