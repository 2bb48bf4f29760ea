/* Method and path → handler. The operations come from their table, the rest from a table here. */
#include "routes.h"

#include <stdio.h>
#include <string.h>

#include "accept.h"
#include "handlers.h"

enum { TYPE_NAMES = 128 }; /* room for the media types of all forms, in a sentence */

static const struct {
    const char *path; /* one that ends in '/' is a prefix */
    const char *allow;
    handler *get, *remove;
} documents[] = {
    {"/healthz", "GET, HEAD", handle_health, NULL},
    {"/readyz", "GET, HEAD", handle_ready, NULL},
    {"/version", "GET, HEAD", handle_version, NULL},
    {"/metrics", "GET, HEAD", handle_metrics, NULL},
    {"/cache/", "GET, HEAD, DELETE", handle_cache_info, handle_cache_remove},
};

enum { DOCUMENTS = sizeof documents / sizeof *documents, FIRST_DOCUMENT = 1 };

/* A method that the path has not; a browser's question which it has is answered. */
static bool not_allowed(const request *request, route *route, const char *allow, problem *problem) {
    if (request->is_preflight) {
        route->handle = handle_preflight;
        route->allow = allow;
        return true;
    }
    char method[32], path[128];
    problem_set(problem, PROBLEM_METHOD_NOT_ALLOWED, NULL, "%s does not take %s, but %s",
                text_clip(path, sizeof path, request->path),
                text_clip(method, sizeof method, request->method), allow);
    problem->allow = allow;
    return false;
}

/* The query of an operation: tensors=flat, and cache=none where a cache is given or cache=release
 * where one is taken. `operation` is NULL for paths that take no query. */
static bool check_query(const request *request, const layers_operation *operation,
                        problem *problem) {
    unsigned seen = 0;
    for (size_t i = 0; i < request->query_count; i++) {
        const char *key = request->query[i].key;
        const char *value = request->query[i].value ? request->query[i].value : "";
        bool tensors = operation && !strcmp(key, "tensors") && !strcmp(value, "flat");
        bool cache = operation && !strcmp(key, "cache") &&
                     ((operation->cache == LAYERS_CACHE_GIVEN && !strcmp(value, "none")) ||
                      (operation->cache == LAYERS_CACHE_TAKEN && !strcmp(value, "release")));
        unsigned bit = tensors ? 1 : 2;
        if ((!tensors && !cache) || seen & bit) {
            char key_text[48], value_text[48];
            return problem_set(
                problem, PROBLEM_INVALID_QUERY, NULL, "%s=%s is not understood here%s%s",
                text_clip(key_text, sizeof key_text, key),
                text_clip(value_text, sizeof value_text, value),
                operation ? ", but tensors=flat once" : ", where no query is taken",
                !operation || operation->cache == LAYERS_CACHE_NONE ? ""
                : operation->cache == LAYERS_CACHE_GIVEN            ? " and cache=none once"
                                                                    : " and cache=release once");
        }
        seen |= bit;
    }
    return true;
}

/* "application/json or ..." */
static const char *type_names(char *text, size_t size) {
    size_t used = 0;
    for (const form *const *form = forms; *form && used < size; form++)
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
                       text_clip(text, sizeof text, type), type_names(names, sizeof names));
}

/* The form of the highest q; of several the one that is named more closely, then the first. */
static bool choose_answer_form(const request *request, route *route, problem *problem) {
    const char *accept = request->accept && *request->accept ? request->accept : "*/*";
    preference best = {0, 0};
    for (const form *const *form = forms; *form; form++) {
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
                       text_clip(text, sizeof text, accept), type_names(names, sizeof names));
}

/* NULL where there is none. */
static const layers_operation *const *find_operation(const char *path) {
    for (const layers_operation *const *row = layers_operations; *row; row++) {
        size_t length = strlen((*row)->layer);
        if (path[0] == '/' && !strncmp(path + 1, (*row)->layer, length) &&
            path[1 + length] == '/' && !strcmp(path + length + 2, (*row)->name))
            return row;
    }
    return NULL;
}

static bool find_document(const request *request, route *route, problem *problem) {
    for (size_t i = 0; i < DOCUMENTS; i++) {
        size_t length = strlen(documents[i].path);
        bool prefix = documents[i].path[length - 1] == '/';
        if (strncmp(request->path, documents[i].path, length) != 0 ||
            (request->path[length] != '\0') != prefix)
            continue;
        route->row = FIRST_DOCUMENT + i;
        bool get = !strcmp(request->method, "GET") || !strcmp(request->method, "HEAD");
        route->handle = get                                  ? documents[i].get
                        : !strcmp(request->method, "DELETE") ? documents[i].remove
                                                             : NULL;
        route->rest = request->path + length;
        if (!route->handle)
            return not_allowed(request, route, documents[i].allow, problem);
        return check_query(request, NULL, problem);
    }
    char path[128];
    return problem_set(problem, PROBLEM_NOT_FOUND, NULL,
                       "there is nothing at %s; operations are POST /<layer>/<operation>, e.g. "
                       "/%s/%s",
                       text_clip(path, sizeof path, request->path), layers_operations[0]->layer,
                       layers_operations[0]->name);
}

bool route_find(const request *request, route *route, problem *problem) {
    const layers_operation *const *operation = find_operation(request->path);
    *route = (struct route){0};
    if (!operation)
        return find_document(request, route, problem);
    route->operation = *operation;
    route->row = FIRST_DOCUMENT + DOCUMENTS + (size_t)(operation - layers_operations);
    route->handle = handle_operation;
    if (strcmp(request->method, "POST") != 0)
        return not_allowed(request, route, "POST", problem);
    return check_query(request, route->operation, problem) &&
           choose_request_form(request, route, problem) &&
           choose_answer_form(request, route, problem);
}

size_t route_count(void) {
    size_t operations = 0;
    while (layers_operations[operations])
        operations++;
    return FIRST_DOCUMENT + DOCUMENTS + operations;
}

route_label route_label_of(size_t row) {
    if (row < FIRST_DOCUMENT)
        return (route_label){"", "other", (int)strlen("other")};
    if (row < FIRST_DOCUMENT + DOCUMENTS) {
        const char *name = documents[row - FIRST_DOCUMENT].path + 1;
        return (route_label){"", name, (int)strcspn(name, "/")};
    }
    const layers_operation *operation = layers_operations[row - FIRST_DOCUMENT - DOCUMENTS];
    return (route_label){operation->layer, operation->name, (int)strlen(operation->name)};
}
