/* Method and path → handler. The operations come from their table, the rest from a table here. */
#include "routes.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "handlers.h"

enum { TYPE_NAMES = 128 }; /* room for the media types of all forms, in a sentence */

/* What an Accept says of a media type. */
typedef struct {
    double quality;
    int closeness;
} preference;

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

/* The q of a media range, from 0 to 1: 1 where it has none. */
static double quality(const char *range, size_t length) {
    for (const char *p = range; (p = memchr(p, ';', length - (size_t)(p - range)));) {
        p += 1 + strspn(p + 1, " \t");
        if ((size_t)(p - range) + 2 <= length && (*p | 32) == 'q' && p[1] == '=') {
            double q = strtod(p + 2, NULL);
            return q > 0 ? fmin(q, 1) : 0;
        }
    }
    return 1;
}

/* How closely a media range names a type: 3 for the type itself, 2 for "application/" and a star,
 * 1 for two stars, 0 for another. */
static int closeness(const char *range, const char *type) {
    size_t main_length = strcspn(type, "/") + 1;
    if (is_type(range, type))
        return 3;
    if (type_length(range) == main_length + 1 && !strncasecmp(range, type, main_length) &&
        range[main_length] == '*')
        return 2;
    return is_type(range, "*/*");
}

/* How much an Accept wants a type: the closest range decides (RFC 9110, 12.5.1). */
static preference preference_for(const char *accept, const char *type) {
    preference best = {0, 0};
    for (const char *range = accept; *range; range += strcspn(range, ","), range += *range == ',') {
        range += strspn(range, " \t");
        int closer = closeness(range, type);
        if (closer > best.closeness)
            best = (preference){quality(range, strcspn(range, ",")), closer};
    }
    return best;
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
           choose_request_form(request, route, problem) &&
           choose_answer_form(request, route, problem);
}
