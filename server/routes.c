/* Method and path → handler. The operations come from their table, the rest from a table here. */
#include "routes.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "handlers.h"

static const struct {
    const char *path; /* one that ends in '/' is a prefix */
    const char *allow;
    handler *get, *remove;
} documents[] = {
    {"/healthz", "GET, HEAD", handle_health, NULL},
    {"/readyz", "GET, HEAD", handle_ready, NULL},
    {"/version", "GET, HEAD", handle_version, NULL},
    {"/cache/", "GET, HEAD, DELETE", handle_cache_info, handle_cache_remove},
};

static bool not_allowed(const request *request, const char *allow, problem *problem) {
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

/* Length of a media type without its parameters. */
static size_t type_length(const char *type) {
    size_t length = strcspn(type, ";,");
    while (length > 0 && (type[length - 1] == ' ' || type[length - 1] == '\t'))
        length--;
    return length;
}

static bool is_type(const char *type, const char *name) {
    return type_length(type) == strlen(name) && !strncasecmp(type, name, strlen(name));
}

static bool check_content_type(const request *request, problem *problem) {
    const char *type = request->content_type;
    char text[96];
    if (!type || is_type(type, "application/json"))
        return true;
    return problem_set(problem, PROBLEM_UNSUPPORTED_MEDIA_TYPE, NULL,
                       "the body is %s, but must be JSON: send \"Content-Type: application/json\"",
                       text_clip(text, sizeof text, type));
}

/* The q of a media range: 1 where it has none. */
static double quality(const char *range, size_t length) {
    for (const char *p = range; (p = memchr(p, ';', length - (size_t)(p - range)));) {
        p += 1 + strspn(p + 1, " \t");
        if ((size_t)(p - range) + 2 <= length && (*p | 32) == 'q' && p[1] == '=')
            return strtod(p + 2, NULL);
    }
    return 1;
}

/* Whether Accept lets JSON through: the most specific range that fits decides (RFC 9110, 12.5.1).
 */
static bool check_accept(const request *request, problem *problem) {
    static const char *const ranges[] = {"*/*", "application/*", "application/json"};
    const char *accept = request->accept;
    double q = 0;
    int best = -1;
    if (!accept || !*accept)
        return true;
    for (const char *range = accept; *range; range += strcspn(range, ","), range += *range == ',') {
        range += strspn(range, " \t");
        for (int i = 0; i < 3; i++)
            if (is_type(range, ranges[i]) && i > best) {
                best = i;
                q = quality(range, strcspn(range, ","));
            }
    }
    char text[96];
    return q > 0 || problem_set(problem, PROBLEM_NOT_ACCEPTABLE, NULL,
                                "Accept is %s, but answers are application/json",
                                text_clip(text, sizeof text, accept));
}

static const layers_operation *find_operation(const char *path) {
    for (const layers_operation *const *row = layers_operations; *row; row++) {
        size_t length = strlen((*row)->layer);
        if (path[0] == '/' && !strncmp(path + 1, (*row)->layer, length) &&
            path[1 + length] == '/' && !strcmp(path + length + 2, (*row)->name))
            return *row;
    }
    return NULL;
}

static bool find_document(const request *request, route *route, problem *problem) {
    for (size_t i = 0; i < sizeof documents / sizeof *documents; i++) {
        size_t length = strlen(documents[i].path);
        bool prefix = documents[i].path[length - 1] == '/';
        if (strncmp(request->path, documents[i].path, length) != 0 ||
            (request->path[length] != '\0') != prefix)
            continue;
        bool get = !strcmp(request->method, "GET") || !strcmp(request->method, "HEAD");
        route->handle = get                                  ? documents[i].get
                        : !strcmp(request->method, "DELETE") ? documents[i].remove
                                                             : NULL;
        route->rest = request->path + length;
        if (!route->handle)
            return not_allowed(request, documents[i].allow, problem);
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
    *route = (struct route){.operation = find_operation(request->path)};
    if (!route->operation)
        return find_document(request, route, problem);
    route->handle = handle_operation;
    if (strcmp(request->method, "POST") != 0)
        return not_allowed(request, "POST", problem);
    return check_query(request, route->operation, problem) &&
           check_content_type(request, problem) && check_accept(request, problem);
}
