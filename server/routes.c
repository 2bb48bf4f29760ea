/* Method and path → handler. The operations come from their table, the rest from a table here. */
#include "routes.h"

#include <stdio.h>
#include <string.h>

#include "base/accept.h"
#include "forms/form.h"
#include "handlers.h"

enum { TYPE_NAMES = 128 }; /* room for the media types of all forms, in a sentence */

const document documents[] = {
    {
        .path = "/",
        .allow = "GET, HEAD",
        .get = handle_page,
        .name = "page",
        .summary = "A page for people: forms that run the operations, and live figures.",
        .content_type = "text/html",
    },
    {
        .path = "/healthz",
        .allow = "GET, HEAD",
        .get = handle_health,
        .name = "health",
        .summary = "Whether the process serves.",
        .content_type = "application/json",
        .members = (const document_member[]){{"status", .type = "string"}, {0}},
    },
    {
        .path = "/readyz",
        .allow = "GET, HEAD",
        .get = handle_ready,
        .name = "readiness",
        .summary = "Whether the process takes work.",
        .content_type = "application/json",
        .members = (const document_member[]){{"status", .type = "string"}, {0}},
        .problems = PROBLEM_BIT(PROBLEM_DRAINING) | PROBLEM_BIT(PROBLEM_STORE_UNAVAILABLE),
    },
    {
        .path = "/version",
        .allow = "GET, HEAD",
        .get = handle_version,
        .name = "version",
        .summary = "What this build is, and what it runs on.",
        .content_type = "application/json",
        .members = (const document_member[]){{"name", .type = "string"},
                                             {"version", .type = "string"},
                                             {"commit", .type = "string"},
                                             {"blas", .type = "string"},
                                             {"cpu", .type = "string"},
                                             {0}},
    },
    {
        .path = "/metrics",
        .allow = "GET, HEAD",
        .get = handle_metrics,
        .name = "metrics",
        .summary = "Figures of the process, in Prometheus's text form.",
        .scope = SCOPE_ADMIN,
        .content_type = "text/plain",
        .other_type = "application/openmetrics-text",
    },
    {
        .path = "/tokens",
        .allow = "GET, HEAD",
        .get = handle_tokens,
        .name = "tokens",
        .summary = "Who may call, and what each has used.",
        .content_type = "application/json",
        .members = (const document_member[]){{"tokens", .type = "array", .items = "object"}, {0}},
        .scope = SCOPE_ADMIN,
        .with_tokens = true,
    },
    {
        .path = "/openapi.json",
        .allow = "GET, HEAD",
        .get = handle_openapi,
        .name = "openapi",
        .summary = "This description.",
        .content_type = "application/json",
    },
    {
        .path = "/graph",
        .allow = "POST",
        .post = handle_graph,
        .name = "graph",
        .post_summary = "Runs several operations in one call, all or nothing; values may stay.",
        .post_problems = PROBLEM_BIT(PROBLEM_INVALID_GRAPH) | PROBLEM_BIT(PROBLEM_CACHE_FULL),
        .scope = SCOPE_COMPUTE,
        .queries = QUERY_TENSORS,
    },
    {
        .path = "/check/",
        .allow = "POST",
        .post = handle_check,
        .name = "check",
        .post_summary = "Tells whether outputs of an operation are right, not what is right.",
        .scope = SCOPE_CHECK,
        .of_operation = true,
        .queries = QUERY_DETAIL,
    },
    {
        .path = "/challenge",
        .allow = "GET, HEAD, POST",
        .get = handle_challenges,
        .post = handle_challenge,
        .name = "challenges",
        .summary = "Of what there are challenges.",
        .post_summary = "Draws inputs of an operation, whose right outputs are then to be claimed.",
        .content_type = "application/json",
        .members = (const document_member[]){{"operations", .type = "object"}, {0}},
        .scope = SCOPE_CHECK,
        .queries = QUERY_TENSORS,
    },
    {
        .path = "/challenge/answer",
        .allow = "POST",
        .post = handle_answer,
        .name = "challenge_answer",
        .post_summary = "Tells whether the answer to a challenge is right, not what is right.",
        .post_problems =
            PROBLEM_BIT(PROBLEM_RAGGED_ARRAY) | PROBLEM_BIT(PROBLEM_INVALID_SHAPE) |
            PROBLEM_BIT(PROBLEM_NUMBER_OUT_OF_RANGE) | PROBLEM_BIT(PROBLEM_CHALLENGE_SPENT) |
            PROBLEM_BIT(PROBLEM_CHALLENGE_EXPIRED) | PROBLEM_BIT(PROBLEM_INVALID_CHALLENGE) |
            PROBLEM_BIT(PROBLEM_CHALLENGES_FULL) | PROBLEM_BIT(PROBLEM_STORE_UNAVAILABLE),
        .scope = SCOPE_CHECK,
        .queries = QUERY_DETAIL,
    },
    {
        .path = "/cache/",
        .allow = "GET, HEAD, DELETE",
        .get = handle_cache_info,
        .remove = handle_cache_remove,
        .name = "cache",
        .summary = "What a handle stands for.",
        .remove_summary = "Gives a handle up.",
        .content_type = "application/json",
        .members = (const document_member[]){{"layer", .type = "string", .nullable = true},
                                             {"dtype", .type = "string"},
                                             {"shape", .type = "array", .items = "integer",
                                              .optional = true},
                                             {"bytes", .type = "integer", .format = "int64"},
                                             {"created", .type = "string", .format = "date-time"},
                                             {"expires", .type = "string", .format = "date-time"},
                                             {0}},
        .problems = PROBLEM_BIT(PROBLEM_UNKNOWN_CACHE) | PROBLEM_BIT(PROBLEM_STORE_UNAVAILABLE),
        .scope = SCOPE_COMPUTE,
    },
    {0},
};

enum { DOCUMENTS = sizeof documents / sizeof *documents - 1, FIRST_DOCUMENT = 1 };

const query_option query_options[] = {
    {.key = "tensors",
     .value = "flat",
     .query = QUERY_TENSORS,
     .summary = "Answer with tensors as a shape and a list instead of nested lists."},
    {.key = "cache",
     .value = "none",
     .query = QUERY_CACHE,
     .cache = LAYERS_CACHE_GIVEN,
     .summary = "Keep nothing: the answer has no cache."},
    {.key = "cache",
     .value = "release",
     .query = QUERY_CACHE,
     .cache = LAYERS_CACHE_TAKEN,
     .summary = "Give the handle up once the answer is computed."},
    {.key = "detail",
     .value = "verdict",
     .query = QUERY_DETAIL,
     .number = DETAIL_VERDICT,
     .summary = "Tell right from wrong and no more."},
    {.key = "detail",
     .value = "words",
     .query = QUERY_DETAIL,
     .number = DETAIL_WORDS,
     .summary = "Name the fault too, in words: what is told unless another is asked for."},
    {.key = "detail",
     .value = "values",
     .query = QUERY_DETAIL,
     .number = DETAIL_VALUES,
     .summary = "Show the worst element too, and what it is to be; asks for the scope compute."},
    {0},
};

bool query_applies(const query_option *option, unsigned queries,
                   const layers_operation *operation) {
    return option->query & queries &&
           (option->cache == LAYERS_CACHE_NONE || (operation && option->cache == operation->cache));
}

bool document_is_public(const document *document, const char *paths) {
    for (size_t length; *paths; paths += length + (paths[length] == ',')) {
        length = strcspn(paths, ",");
        if (strlen(document->path) == length && !memcmp(document->path, paths, length))
            return true;
    }
    return false;
}

/* Caches and challenges are their tenants'. */
bool documents_are_public(const char *paths) {
    for (size_t length; *paths; paths += length) {
        const document *row = documents;
        length = strcspn(paths, ",");
        while (row->path && (strlen(row->path) != length || memcmp(row->path, paths, length) != 0))
            row++;
        if (!row->path || row->scope & (SCOPE_COMPUTE | SCOPE_CHECK))
            return false;
        length += paths[length] == ',' && paths[length + 1];
    }
    return true;
}

bool document_is_prefix(const document *document) {
    size_t length = strlen(document->path);
    return length > 1 && document->path[length - 1] == '/';
}

static bool answer_options(service *service, const route *route, const request *request,
                           reply *reply, problem *problem) {
    (void)service, (void)route, (void)request, (void)problem;
    reply->status = 204;
    return true;
}

/* A method that the path has not; OPTIONS asks which it has. */
static bool not_allowed(const request *request, route *route, const char *allow, problem *problem) {
    if (!strcmp(request->method, "OPTIONS")) {
        route->handle = answer_options;
        route->allow = allow;
        return true;
    }
    char method[32], path[128];
    problem_set(problem, PROBLEM_METHOD_NOT_ALLOWED, NULL, "%s does not take %s, but %s",
                text_clip(path, sizeof path, request->path),
                text_clip(method, sizeof method, request->method), allow);
    problem->header = "Allow";
    problem->value = allow;
    return false;
}

/* A query that may be there: the keys, and whose it is. */
typedef struct {
    unsigned keys;                     /* 0: none is taken */
    const layers_operation *operation; /* NULL: of something else */
} query_taken;

/* The first option that is taken and that the pair is; -1 for none. */
static int find_option(const query_taken *taken, const char *key, const char *value) {
    for (int i = 0; query_options[i].key; i++)
        if (query_applies(&query_options[i], taken->keys, taken->operation) &&
            !strcmp(key, query_options[i].key) && !strcmp(value, query_options[i].value))
            return i;
    return -1;
}

static bool refuse_query(const query_taken *taken, const char *key, const char *value,
                         problem *problem) {
    char key_text[48], value_text[48], list[160] = "";
    size_t used = 0;
    for (const query_option *option = query_options; option->key; option++)
        if (query_applies(option, taken->keys, taken->operation) && used < sizeof list)
            used += (size_t)snprintf(list + used, sizeof list - used, "%s%s=%s",
                                     used ? ", " : ", but ", option->key, option->value);
    return problem_set(
        problem, PROBLEM_INVALID_QUERY, NULL, "%s=%s is not understood here%s%s",
        text_clip(key_text, sizeof key_text, key), text_clip(value_text, sizeof value_text, value),
        taken->keys ? list : ", where no query is taken", taken->keys ? ", each key once" : "");
}

static bool check_query(const request *request, const query_taken *taken, route *route,
                        problem *problem) {
    unsigned seen = 0;
    for (size_t i = 0; i < request->query_count; i++) {
        const char *key = request->query[i].key;
        const char *value = request->query[i].value ? request->query[i].value : "";
        int option = taken->keys ? find_option(taken, key, value) : -1;
        if (option < 0 || seen & query_options[option].query)
            return refuse_query(taken, key, value, problem);
        seen |= query_options[option].query;
        if (query_options[option].query == QUERY_DETAIL)
            route->detail = (detail)query_options[option].number;
    }
    return true;
}

/* "application/json or ..."; `alone`: of the first form alone */
static const char *type_names(bool alone, char *text, size_t size) {
    size_t used = 0;
    for (const form *const *form = forms; *form && used < size && !(alone && used); form++)
        used += (size_t)snprintf(text + used, size - used, "%s%s", used ? " or " : "",
                                 (*form)->media_type);
    return text;
}

static bool choose_request_form(const request *request, route *route, problem *problem) {
    const char *type = request->content_type;
    for (const form *const *form = forms; *form; form++)
        if (!type || is_type(type, (*form)->media_type)) {
            route->request_form = *form;
            return true;
        }
    char text[96], names[TYPE_NAMES];
    return problem_set(problem, PROBLEM_UNSUPPORTED_MEDIA_TYPE, NULL,
                       "the body is %s, but must be %s: say which in Content-Type",
                       text_clip(text, sizeof text, type), type_names(false, names, sizeof names));
}

/* The form of the highest q; of several the one that is named more closely, then the first, which
 * is the only one (`alone`) where an answer holds no tensor. */
static bool choose_answer_form(const request *request, bool alone, route *route, problem *problem) {
    const char *accept = request->accept && *request->accept ? request->accept : "*/*";
    preference best = {0, 0};
    for (const form *const *form = forms; *form && !(alone && form > forms); form++) {
        preference this = preference_for(accept, (*form)->media_type);
        if (this.quality > best.quality ||
            (this.quality == best.quality && this.quality > 0 && this.closeness > best.closeness)) {
            best = this;
            route->answer_form = *form;
        }
    }
    char text[96], names[TYPE_NAMES];
    return route->answer_form ||
           problem_set(problem, PROBLEM_NOT_ACCEPTABLE, NULL, "Accept is %s, but answers are %s",
                       text_clip(text, sizeof text, accept),
                       type_names(alone, names, sizeof names));
}

/* Names the operations of the layer that the path starts with, or one of any. Always false. */
static bool not_found(const char *text, problem *problem) {
    const char *layer = layers_operations[0]->layer, *name = layers_operations[0]->name;
    char path[128], named[128] = "";
    for (size_t i = 0, used = 0; layers_operations[i]; i++) {
        const layers_operation *operation = layers_operations[i];
        size_t length = strlen(operation->layer);
        if (*text == '/' && !strncmp(text + 1, operation->layer, length) &&
            strchr("/", text[1 + length]) && used < sizeof named)
            used += (size_t)snprintf(named + used, sizeof named - used, "%s/%s/%s",
                                     used ? ", " : "", operation->layer, operation->name);
    }
    text_clip(path, sizeof path, text);
    return *named ? problem_set(problem, PROBLEM_NOT_FOUND, NULL,
                                "there is nothing at %s; there is POST %s", path, named)
                  : problem_set(
                        problem, PROBLEM_NOT_FOUND, NULL,
                        "there is nothing at %s; operations are POST /<layer>/<operation>, e.g. "
                        "/%s/%s",
                        path, layer, name);
}

/* The forms of a request and its answer, and the query. */
static bool choose_forms(const request *request, const query_taken *taken, route *route,
                         problem *problem) {
    route->negotiated = true;
    return check_query(request, taken, route, problem) &&
           choose_request_form(request, route, problem) &&
           choose_answer_form(request, taken->keys & QUERY_DETAIL, route, problem);
}

/* What has a body in one of the forms, and is no operation. */
static bool find_post(const request *request, const document *row, route *route, problem *problem) {
    const query_taken taken = {row->queries, NULL};
    if (row->of_operation) {
        const layers_operation *const *operation = form_operation(route->rest);
        if (!operation)
            return not_found(request->path, problem);
        route->operation = *operation;
        route->chooses = true;
    }
    if (!choose_forms(request, &taken, route, problem))
        return false;
    route->also = route->detail == DETAIL_VALUES ? SCOPE_COMPUTE : SCOPE_NONE;
    return true;
}

static bool find_document(const request *request, route *route, problem *problem) {
    for (size_t i = 0; i < DOCUMENTS; i++) {
        const document *row = &documents[i];
        size_t length = strlen(row->path);
        if (strncmp(request->path, row->path, length) != 0 ||
            (request->path[length] != '\0') != document_is_prefix(row))
            continue;
        route->row = FIRST_DOCUMENT + i;
        route->scope = row->scope;
        route->negotiated = row->other_type;
        bool get = !strcmp(request->method, "GET") || !strcmp(request->method, "HEAD");
        bool post = !strcmp(request->method, "POST");
        route->handle = get                                  ? row->get
                        : post                               ? row->post
                        : !strcmp(request->method, "DELETE") ? row->remove
                                                             : NULL;
        route->rest = request->path + length;
        if (!route->handle)
            return not_allowed(request, route, row->allow, problem);
        return post ? find_post(request, row, route, problem)
                    : check_query(request, &(query_taken){0}, route, problem);
    }
    if (!strcmp(request->path, "*") && !strcmp(request->method, "OPTIONS"))
        return not_allowed(request, route, "GET, HEAD, POST, DELETE", problem);
    return not_found(request->path, problem);
}

bool route_find(const request *request, route *route, problem *problem) {
    const layers_operation *const *operation =
        *request->path == '/' ? form_operation(request->path + 1) : NULL;
    *route = (struct route){0};
    if (!operation)
        return find_document(request, route, problem);
    route->operation = *operation;
    route->scope = SCOPE_COMPUTE;
    route->row = FIRST_DOCUMENT + DOCUMENTS + (size_t)(operation - layers_operations);
    route->handle = handle_operation;
    if (strcmp(request->method, "POST") != 0)
        return not_allowed(request, route, "POST", problem);
    return choose_forms(request, &(query_taken){QUERY_OPERATION, route->operation}, route, problem);
}

bool route_is_public(const route *route, const char *paths) {
    return route->row >= FIRST_DOCUMENT && route->row < FIRST_DOCUMENT + DOCUMENTS &&
           document_is_public(&documents[route->row - FIRST_DOCUMENT], paths);
}

size_t route_count(void) {
    size_t operations = 0;
    while (layers_operations[operations])
        operations++;
    return FIRST_DOCUMENT + DOCUMENTS + operations;
}

route_label route_label_of(size_t row) {
    if (row < FIRST_DOCUMENT)
        return (route_label){"", "other", (int)strlen("other"), false};
    if (row < FIRST_DOCUMENT + DOCUMENTS) {
        const document *document = &documents[row - FIRST_DOCUMENT];
        const char *name = document->path + 1;
        size_t length = strcspn(name, "/");
        if (length == 0 || (name[length] && name[length + 1])) /* "/", or one of several words */
            length = strlen(name = document->name);
        return (route_label){"", name, (int)length, document->post};
    }
    const layers_operation *operation = layers_operations[row - FIRST_DOCUMENT - DOCUMENTS];
    return (route_label){operation->layer, operation->name, (int)strlen(operation->name), true};
}
