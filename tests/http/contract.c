#include "contract.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct {
    const char *code;
    int status;
} codes[] = {
    {"invalid_json", 400},      {"invalid_safetensors", 400}, {"invalid_query", 400},
    {"invalid_request", 400},   {"unauthorized", 401},        {"forbidden", 403},
    {"not_found", 404},         {"unknown_cache", 404},       {"method_not_allowed", 405},
    {"not_acceptable", 406},    {"body_too_large", 413},      {"unsupported_media_type", 415},
    {"missing_field", 422},     {"unknown_field", 422},       {"wrong_type", 422},
    {"ragged_array", 422},      {"invalid_shape", 422},       {"shape_mismatch", 422},
    {"invalid_param", 422},     {"label_out_of_range", 422},  {"number_out_of_range", 422},
    {"wrong_cache", 422},       {"result_too_large", 422},    {"invalid_graph", 422},
    {"rate_limited", 429},      {"headers_too_large", 431},   {"internal", 500},
    {"not_implemented", 501},   {"overloaded", 503},          {"cache_full", 503},
    {"draining", 503},          {"challenge_spent", 409},     {"challenge_expired", 410},
    {"invalid_challenge", 422}, {"challenges_full", 503},     {"store_unavailable", 503},
};

int contract_status(const char *code) {
    for (size_t i = 0; i < sizeof codes / sizeof *codes; i++)
        if (!strcmp(codes[i].code, code))
            return codes[i].status;
    return 0;
}

static bool broken(char fault[FAULT_TEXT], const answer *answer, const char *what) {
    snprintf(fault, FAULT_TEXT, "%s: %d: %s: %.90s", answer->about, answer->status, what,
             answer->body);
    return false;
}

static bool timing_good(const char *timing) {
    static const char *const names[] = {"read;dur=", "compute;dur=", "write;dur="};
    for (int i = 0; i < 3; i++) {
        const char *at = strstr(timing, names[i]);
        char *end;
        if (!at || !isdigit((unsigned char)at[strlen(names[i])]))
            return false;
        strtod(at + strlen(names[i]), &end);
        if (*end != '\0' && *end != ',')
            return false;
    }
    return true;
}

static bool common_headers(const answer *answer, char fault[FAULT_TEXT]) {
    const char *id = header_of(answer, "X-Request-Id");
    size_t length = strlen(id);
    if (length == 0 || length > 128 || strpbrk(id, " \"\\"))
        return broken(fault, answer, "X-Request-Id is missing or not sane");
    if (!timing_good(header_of(answer, "Server-Timing")))
        return broken(fault, answer, "Server-Timing lacks read, compute or write");
    return true;
}

static bool member_is(const json_t *problem, const char *key, const char *want) {
    const char *text = json_string_value(json_object_get(problem, key));
    return text && !strcmp(text, want);
}

static bool place_good(const json_t *problem) {
    const json_t *line = json_object_get(problem, "line");
    return json_is_integer(json_object_get(problem, "offset")) && json_integer_value(line) >= 1 &&
           json_integer_value(json_object_get(problem, "column")) >= 1;
}

/* RFC 6901: starts with '/', and every '~' is of ~0 or ~1. */
static bool pointer_good(const json_t *pointer) {
    const char *text = json_string_value(pointer);
    if (!pointer)
        return true;
    if (!text || *text != '/')
        return false;
    for (const char *c = strchr(text, '~'); c; c = strchr(c + 1, '~'))
        if (c[1] != '0' && c[1] != '1')
            return false;
    return true;
}

static bool members_known(const json_t *problem, const char *code) {
    bool place = !strcmp(code, "invalid_json");
    bool offset = !strcmp(code, "invalid_safetensors") && json_object_get(problem, "offset");
    size_t count =
        5 + (json_object_get(problem, "pointer") != NULL) + (place ? 3 : 0) + (offset ? 1 : 0);
    return json_object_size(problem) == count;
}

static bool problem_good(const answer *answer, char fault[FAULT_TEXT]) {
    const json_t *problem = answer->json;
    const char *code = json_string_value(json_object_get(problem, "code"));
    char type[96];
    if (strcmp(header_of(answer, "Content-Type"), "application/problem+json") != 0)
        return broken(fault, answer, "an error that is not application/problem+json");
    if (!code || contract_status(code) != answer->status)
        return broken(fault, answer, "code and status do not belong together");
    snprintf(type, sizeof type, "urn:layerd:problem:%s", code);
    if (!member_is(problem, "type", type) ||
        json_integer_value(json_object_get(problem, "status")) != answer->status)
        return broken(fault, answer, "type, status and code do not agree");
    if (json_string_length(json_object_get(problem, "title")) == 0 ||
        json_string_length(json_object_get(problem, "detail")) == 0)
        return broken(fault, answer, "title or detail is missing");
    if (!strcmp(code, "invalid_json") && !place_good(problem))
        return broken(fault, answer, "offset, line or column is missing");
    if (!pointer_good(json_object_get(problem, "pointer")))
        return broken(fault, answer, "pointer is not of RFC 6901");
    return members_known(problem, code) || broken(fault, answer, "a member is unknown");
}

static bool error_headers(const answer *answer, char fault[FAULT_TEXT]) {
    bool again = answer->status == 503 || answer->status == 429;
    if (again && atoi(header_of(answer, "Retry-After")) < 1)
        return broken(fault, answer, "Retry-After is missing");
    if (answer->status == 405 && !*header_of(answer, "Allow"))
        return broken(fault, answer, "Allow is missing");
    return true;
}

/* JSON answers are a line: it ends, and once. */
static bool ends_its_line(const answer *answer) {
    const char *end = answer->body + answer->length;
    return !strstr(header_of(answer, "Content-Type"), "json") ||
           (answer->length > 2 && end[-2] == '}' && end[-1] == '\n');
}

bool contract_kept(const answer *answer, bool head, char fault[FAULT_TEXT]) {
    if (!common_headers(answer, fault))
        return false;
    if (answer->status == 204 || head)
        return answer->length == 0 || broken(fault, answer, "a body that must not be");
    if (!ends_its_line(answer))
        return broken(fault, answer, "JSON that does not end with a line feed");
    if (answer->status >= 400 && !answer->json)
        return broken(fault, answer, "an error without a JSON body");
    if (answer->status >= 400)
        return error_headers(answer, fault) && problem_good(answer, fault);
    if (answer->status != 200)
        return broken(fault, answer, "neither 200, 204 nor an error");
    const char *type = header_of(answer, "Content-Type");
    bool data = !strcmp(type, "application/json") || !strcmp(type, "application/vnd.safetensors");
    return (*type && data == (answer->json != NULL)) ||
           broken(fault, answer, "Content-Type and body do not belong together");
}
