#include "fuzz.h"

#include <jansson.h>
#include <string.h>

static const char *text_at(const json_t *document, const char *key) {
    const char *text = json_string_value(json_object_get(document, key));
    HOLDS(text);
    return text;
}

void problem_holds(const problem *problem) {
    size_t length;
    char *body = problem_body(problem, &length), type[64];
    HOLDS(body);
    json_t *document = json_loadb(body, length, JSON_REJECT_DUPLICATES, NULL);
    HOLDS(json_is_object(document));
    const char *code = problem_code(problem->kind);
    snprintf(type, sizeof type, "urn:layerd:problem:%s", code);
    HOLDS(!strcmp(text_at(document, "code"), code) && !strcmp(text_at(document, "type"), type));
    HOLDS(json_integer_value(json_object_get(document, "status")) == problem_status(problem->kind));
    HOLDS(*text_at(document, "detail") && *text_at(document, "title"));
    if (*problem->pointer)
        HOLDS(*text_at(document, "pointer") == '/');
    HOLDS(problem->has_place || problem->kind != PROBLEM_INVALID_JSON);
    HOLDS(!problem->has_place || problem->kind == PROBLEM_INVALID_JSON ||
          problem->kind == PROBLEM_INVALID_SAFETENSORS);
    HOLDS(problem->has_place == !!json_object_get(document, "offset"));
    json_decref(document);
    free(body);
}

char *cut_text(char *text, const char *separator) {
    char *at = text ? strstr(text, separator) : NULL;
    if (!at)
        return NULL;
    *at = '\0';
    return at + strlen(separator);
}

void take_query(char *target, request *request) {
    for (char *next = cut_text(target, "?"); next && request->query_count < QUERY_MOST;) {
        char *key = next;
        next = cut_text(key, "&");
        request->query[request->query_count++] = (query_pair){key, cut_text(key, "=")};
    }
}

char *exact_copy(const void *data, size_t size) {
    char *copy = malloc(size ? size : 1);
    HOLDS(copy);
    if (size)
        memcpy(copy, data, size);
    return copy;
}
