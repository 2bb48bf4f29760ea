#include "exchange.h"

#include <ctype.h>
#include <jansson.h>
#include <string.h>

#include "codec/safetensors_read.h"
#include "forms/form.h"
#include "fuzz.h"

/* Keys of so many bytes, and pointers, may have been cut. */
enum { CUT_KEY = 40, CUT_POINTER = 150, TOKEN = 192 };

/* ---- pointers ----------------------------------------------------------------------------------
 */

/* The next token of a pointer, its escapes undone; NULL at the end. Returns what is behind it. */
static const char *next_token(const char *pointer, char token[TOKEN]) {
    if (*pointer != '/')
        return NULL;
    const char *end = pointer + 1 + strcspn(pointer + 1, "/");
    for (const char *at = pointer + 1; at < end; at++)
        *token++ = (char)(*at != '~' ? *at : *++at == '0' ? '~' : '/');
    *token = '\0';
    return end;
}

static json_t *member(json_t *object, const char *token) {
    json_t *found = json_object_get(object, token), *value;
    const char *key;
    if (found || strlen(token) < CUT_KEY)
        return found;
    json_object_foreach(object, key, value) if (!strncmp(key, token, strlen(token))) return value;
    return NULL;
}

static json_t *child(json_t *value, const char *token) {
    char *end;
    size_t i = strtoul(token, &end, 10);
    if (json_is_object(value))
        return member(value, token);
    return json_is_array(value) && *token && !*end ? json_array_get(value, i) : NULL;
}

/* Whether a pointer leads to a place of the document; with `missing`, to one that could be there.
 */
static bool leads(const char *pointer, json_t *document, bool missing) {
    char token[TOKEN];
    while (*pointer) {
        json_t *next;
        pointer = next_token(pointer, token);
        if (!pointer)
            return false;
        if (json_object_get(document, "data") && isdigit((unsigned char)*token))
            return true; /* an element of a flat tensor is told by its place in the shape */
        next = child(document, token);
        if (!next)
            return missing && !*pointer && json_is_object(document);
        document = next;
    }
    return true;
}

/* In a file a step is a dot of a name, in front of which a graph has "inputs"; what is behind it is
 * a place in the tensor. */
static bool leads_in_file(const char *pointer, json_t *header) {
    char name[2 * TOKEN] = "", token[TOKEN];
    json_t *metadata = json_object_get(header, "__metadata__");
    if (!strncmp(pointer, "/inputs/", strlen("/inputs/")))
        pointer += strlen("/inputs");
    while ((pointer = next_token(pointer, token))) {
        if (*name)
            strcat(name, ".");
        strcat(name, token);
        if (member(header, name) || member(metadata, name))
            return true;
    }
    return false;
}

static json_t *read_text(const char *text, size_t length) {
    return json_loadb(
        text, length,
        JSON_DECODE_ANY | JSON_DECODE_INT_AS_REAL | JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, NULL);
}

/* Pointers into what Jansson does not read, such as a bare NaN, are not looked at. */
static void pointer_holds(const sent *sent, const problem *problem) {
    bool is_file = sent->head.content_type && strstr(sent->head.content_type, "safetensors");
    bool missing = problem->kind == PROBLEM_MISSING_FIELD, found = true;
    size_t skip = is_file ? sizeof(uint64_t) : 0, length = sent->length - skip;
    uint64_t header = 0;
    if (!*problem->pointer || strlen(problem->pointer) >= CUT_POINTER || sent->length < skip)
        return;
    if (is_file)
        memcpy(&header, sent->body, sizeof header);
    json_t *document = read_text((const char *)sent->body + skip,
                                 is_file && header < length ? (size_t)header : length);
    if (document && !is_file)
        found = leads(problem->pointer, document, missing);
    if (document && is_file && !missing) {
        const json_t *text = json_object_get(json_object_get(document, "__metadata__"), "graph");
        json_t *graph = text ? read_text(json_string_value(text), json_string_length(text)) : NULL;
        found = leads_in_file(problem->pointer, document) ||
                (text && (!graph || leads(problem->pointer, graph, false)));
        json_decref(graph);
    }
    json_decref(document);
    if (!found)
        fprintf(stderr, "%s: %s\n", problem->pointer, problem->detail);
    HOLDS(found);
}

/* ---- answers ----------------------------------------------------------------------------------
 */

static void stats_hold(const store_stats *before, const store_stats *after) {
    HOLDS(after->entries == before->entries && after->bytes == before->bytes);
    HOLDS(after->given == before->given && after->removed == before->removed);
    HOLDS(after->expired == before->expired);
}

/* For whoever wants to see what an input does. */
static void show(const sent *sent, const served *answer) {
    if (!getenv("FUZZ_SHOW"))
        return;
    fprintf(stderr, "%s %s\n%.*s\n%d %.*s\n", sent->head.method, sent->head.path, (int)sent->length,
            (const char *)sent->body, answer->status, (int)answer->length,
            answer->body ? answer->body : "");
}

served exchange(service *service, const sent *sent) {
    store_stats before, after;
    service->store->stats(service->store, &before);
    served answer = serve(service, sent);
    service->store->stats(service->store, &after);
    show(sent, &answer);
    HOLDS(service->memory.used == 0);
    if (answer.good) {
        HOLDS(answer.status == (answer.body ? 200 : 204));
        return answer;
    }
    HOLDS(answer.status == problem_status(answer.problem.kind));
    HOLDS(answer.problem.kind != PROBLEM_INTERNAL && answer.problem.kind != PROBLEM_OVERLOADED);
    problem_holds(&answer.problem);
    pointer_holds(sent, &answer.problem);
    stats_hold(&before, &after);
    return answer;
}

void store_is_empty(store *store) {
    store_stats stats;
    store->stats(store, &stats);
    HOLDS(stats.entries == 0 && stats.bytes == 0);
}
