/* Errors in the document: a schema for each problem, a response for each status. */
#include <stdio.h>
#include <string.h>

#include "documents/openapi/problems.h"

static const char *schema_name(problem_kind kind, char name[OPENAPI_NAME]) {
    return openapi_name(name, "problem", problem_code(kind), "");
}

/* The same members in all; what has one value only is added for each kind. Not the title: some
 * generators write texts with an apostrophe as code that does not compile. */
static json_t *common_schema(json_t *codes) {
    json_t *properties =
        json_pack("{s:{s:s, s:s}, s:{s:s}, s:{s:s}, s:{s:s, s:s}, s:{s:s, s:o}, s:{s:s, s:s, s:s}, "
                  "s:{s:s, s:i, s:s}, s:{s:s, s:i, s:s}, s:{s:s, s:i, s:s}}",
                  "type", "type", "string", "format", "uri", "title", "type", "string", "status",
                  "type", "integer", "detail", "type", "string", "description",
                  "one sentence that a person can act on", "code", "type", "string", "enum", codes,
                  "pointer", "type", "string", "format", "json-pointer", "description",
                  "the input at fault", "offset", "type", "integer", "minimum", 0, "description",
                  "of a body that is not valid: bytes from its start", "line", "type", "integer",
                  "minimum", 1, "description", "of such a body", "column", "type", "integer",
                  "minimum", 1, "description", "of such a body, in bytes");
    return json_pack("{s:s, s:s, s:o, s:[s, s, s, s, s]}", "description",
                     "An error, by RFC 9457 (problem details).", "type", "object", "properties",
                     properties, "required", "type", "title", "status", "detail", "code");
}

void problems_begin(openapi *o) {
    json_t *codes = json_array();
    for (problem_kind kind = 0; kind < PROBLEM_KINDS; kind++)
        openapi_add(o, codes, json_string(problem_code(kind)));
    openapi_put(o, o->schemas, "Problem", common_schema(codes));
    for (problem_kind kind = 0; kind < PROBLEM_KINDS; kind++) {
        char name[OPENAPI_NAME];
        json_t *values = json_pack("{s:{s:s+}, s:{s:i}, s:{s:s}}", "type", "const",
                                   "urn:layerd:problem:", problem_code(kind), "status", "const",
                                   problem_status(kind), "code", "const", problem_code(kind));
        openapi_put(o, o->schemas, schema_name(kind, name),
                    json_pack("{s:s, s:[o, {s:s, s:o}]}", "description", problem_title(kind),
                              "allOf", openapi_ref("schemas", "Problem"), "type", "object",
                              "properties", values));
    }
}

static bool takes_labels(const layers_operation *operation) {
    for (const layers_field *field = operation->inputs; field->name; field++)
        if (field->labels)
            return true;
    return false;
}

static uint64_t set_of(const problem_kind *kinds, size_t count) {
    uint64_t problems = 0;
    for (size_t i = 0; i < count; i++)
        problems |= PROBLEM_BIT(kinds[i]);
    return problems;
}

static uint64_t problems_of_all(void) {
    static const problem_kind kinds[] = {PROBLEM_INVALID_QUERY,   PROBLEM_INVALID_REQUEST,
                                         PROBLEM_UNAUTHORIZED,    PROBLEM_FORBIDDEN,
                                         PROBLEM_NOT_FOUND,       PROBLEM_METHOD_NOT_ALLOWED,
                                         PROBLEM_BODY_TOO_LARGE,  PROBLEM_UNSUPPORTED_MEDIA_TYPE,
                                         PROBLEM_RATE_LIMITED,    PROBLEM_HEADERS_TOO_LARGE,
                                         PROBLEM_NOT_IMPLEMENTED, PROBLEM_OVERLOADED};
    return set_of(kinds, sizeof kinds / sizeof *kinds);
}

uint64_t problems_of_document(const document *document) {
    return problems_of_all() | document->problems;
}

uint64_t problems_of_post(uint64_t own) {
    static const problem_kind kinds[] = {PROBLEM_INVALID_JSON,   PROBLEM_INVALID_SAFETENSORS,
                                         PROBLEM_NOT_ACCEPTABLE, PROBLEM_MISSING_FIELD,
                                         PROBLEM_UNKNOWN_FIELD,  PROBLEM_WRONG_TYPE,
                                         PROBLEM_INVALID_PARAM,  PROBLEM_INTERNAL,
                                         PROBLEM_DRAINING};
    return problems_of_all() | set_of(kinds, sizeof kinds / sizeof *kinds) | own;
}

/* Handles of kept tensors may stand everywhere. */
uint64_t problems_of_tensors(const layers_operation *operation) {
    static const problem_kind kinds[] = {
        PROBLEM_RAGGED_ARRAY,       PROBLEM_INVALID_SHAPE,       PROBLEM_SHAPE_MISMATCH,
        PROBLEM_LABEL_OUT_OF_RANGE, PROBLEM_NUMBER_OUT_OF_RANGE, PROBLEM_UNKNOWN_CACHE,
        PROBLEM_WRONG_CACHE,        PROBLEM_RESULT_TOO_LARGE,    PROBLEM_STORE_UNAVAILABLE};
    uint64_t problems = set_of(kinds, sizeof kinds / sizeof *kinds);
    if (operation && operation->cache == LAYERS_CACHE_GIVEN)
        problems |= PROBLEM_BIT(PROBLEM_CACHE_FULL);
    if (operation && !takes_labels(operation))
        problems &= ~PROBLEM_BIT(PROBLEM_LABEL_OUT_OF_RANGE);
    return problems;
}

json_t *response_headers(int status) {
    json_t *headers =
        json_pack("{s:o, s:o}", "X-Request-Id", openapi_ref("headers", "X-Request-Id"),
                  "Server-Timing", openapi_ref("headers", "Server-Timing"));
    const char *more = status == 401                    ? "WWW-Authenticate"
                       : status == 405                  ? "Allow"
                       : status == 429 || status == 503 ? "Retry-After"
                                                        : NULL;
    if (more && json_object_set_new(headers, more, openapi_ref("headers", more)) != 0)
        headers = (json_decref(headers), NULL);
    return headers;
}

/* Where there are several, the code tells which it is. */
static json_t *schema_of_several(openapi *o, uint64_t problems) {
    json_t *schemas = json_array(), *mapping = json_object();
    for (problem_kind kind = 0; kind < PROBLEM_KINDS; kind++) {
        char name[OPENAPI_NAME];
        if (!(problems & PROBLEM_BIT(kind)))
            continue;
        openapi_add(o, schemas, openapi_ref("schemas", schema_name(kind, name)));
        openapi_put(o, mapping, problem_code(kind), json_pack("s+", "#/components/schemas/", name));
    }
    return json_pack("{s:o, s:{s:s, s:o}}", "oneOf", schemas, "discriminator", "propertyName",
                     "code", "mapping", mapping);
}

/* The response of some problems of one status. */
static json_t *response(int status, const char *description, json_t *schema) {
    return json_pack("{s:s, s:o, s:{s:{s:o}}}", "description", description, "headers",
                     response_headers(status), "content", "application/problem+json", "schema",
                     schema);
}

/* That of one problem is shared by all that can get it. */
static json_t *response_of_one(openapi *o, problem_kind kind) {
    char name[OPENAPI_NAME];
    schema_name(kind, name);
    if (!json_object_get(o->responses, name))
        openapi_put(
            o, o->responses, name,
            response(problem_status(kind), problem_title(kind), openapi_ref("schemas", name)));
    return openapi_ref("responses", name);
}

/* That of several is shared by all that can get the same: "Problems422", "Problems422b", ... */
static json_t *response_of_several(openapi *o, int status, uint64_t problems) {
    char description[1024], name[OPENAPI_NAME];
    size_t used = 0;
    for (problem_kind kind = 0; kind < PROBLEM_KINDS; kind++)
        if (problems & PROBLEM_BIT(kind) && used < sizeof description)
            used += (size_t)snprintf(description + used, sizeof description - used, "%s%s: %s",
                                     used ? "; " : "", problem_code(kind), problem_title(kind));
    json_t *made = response(status, description, schema_of_several(o, problems)), *there;
    snprintf(name, sizeof name, "Problems%d", status);
    for (char letter = 'b'; (there = json_object_get(o->responses, name)); letter++) {
        if (json_equal(there, made))
            break;
        snprintf(name, sizeof name, "Problems%d%c", status, letter);
    }
    openapi_put(o, o->responses, name, made);
    return openapi_ref("responses", name);
}

void problems_put(openapi *o, json_t *responses, uint64_t problems) {
    while (problems) {
        problem_kind first = (problem_kind)__builtin_ctzll(problems);
        uint64_t same = 0;
        char key[16];
        for (problem_kind kind = first; kind < PROBLEM_KINDS; kind++)
            if (problems & PROBLEM_BIT(kind) && problem_status(kind) == problem_status(first))
                same |= PROBLEM_BIT(kind);
        snprintf(key, sizeof key, "%d", problem_status(first));
        openapi_put(o, responses, key,
                    same == PROBLEM_BIT(first)
                        ? response_of_one(o, first)
                        : response_of_several(o, problem_status(first), same));
        problems &= ~same;
    }
}
