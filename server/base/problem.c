/* Errors as callers see them. */
#include "base/problem.h"

#include <jansson.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json_dump.h"

static const struct {
    int status;
    const char *code, *title;
} kinds[] = {
#define PROBLEM_ROW(name, status, code, title) [name] = {status, code, title},
    PROBLEMS(PROBLEM_ROW)
#undef PROBLEM_ROW
};

bool problem_set(problem *problem, problem_kind kind, const char *pointer, const char *format,
                 ...) {
    char detail[sizeof problem->detail];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(detail, sizeof detail, format, arguments);
    va_end(arguments);
    problem->kind = kind;
    text_clip(problem->pointer, sizeof problem->pointer, pointer ? pointer : "");
    text_clip(problem->detail, sizeof problem->detail, detail);
    problem->has_place = false;
    problem->line = problem->column = 0;
    problem->retry_after = 0;
    problem->header = problem->value = NULL;
    return false;
}

bool problem_set_draining(problem *problem) {
    problem_set(problem, PROBLEM_DRAINING, NULL,
                "the server is about to stop and takes no new work");
    problem->retry_after = 1;
    return false;
}

bool problem_set_overloaded(problem *problem, const char *detail) {
    problem_set(problem, PROBLEM_OVERLOADED, NULL, "%s", detail);
    problem->retry_after = 1;
    return false;
}

bool problem_set_memory(problem *problem, const char *what) {
    char detail[128];
    snprintf(detail, sizeof detail, "no memory for %s; try again", what);
    return problem_set_overloaded(problem, detail);
}

bool problem_set_layers(problem *problem, const layers_error *error) {
    if (error->code == LAYERS_NO_MEMORY)
        return problem_set_memory(problem, "the computation");
    char pointer[sizeof error->field + 1];
    snprintf(pointer, sizeof pointer, "%s%s", *error->field ? "/" : "", error->field);
    const char *code = layers_code_name(error->code);
    for (size_t kind = 0; kind < sizeof kinds / sizeof *kinds; kind++)
        if (!strcmp(kinds[kind].code, code))
            return problem_set(problem, (problem_kind)kind, pointer, "%s", error->message);
    return problem_set(problem, PROBLEM_INTERNAL, pointer, "%s", error->message);
}

int problem_status(problem_kind kind) {
    return kinds[kind].status;
}

const char *problem_code(problem_kind kind) {
    return kinds[kind].code;
}

const char *problem_title(problem_kind kind) {
    return kinds[kind].title;
}

static bool add(json_t *document, const char *key, json_t *value) {
    return json_object_set_new(document, key, value) == 0;
}

char *problem_body(const problem *problem, size_t *length) {
    char type[64];
    snprintf(type, sizeof type, "urn:layerd:problem:%s", kinds[problem->kind].code);
    json_t *body = json_pack("{ss ss si ss ss}", "type", type, "title", kinds[problem->kind].title,
                             "status", kinds[problem->kind].status, "detail", problem->detail,
                             "code", kinds[problem->kind].code);
    bool whole = body;
    if (*problem->pointer)
        whole = whole && add(body, "pointer", json_string(problem->pointer));
    if (problem->has_place)
        whole = whole && add(body, "offset", json_integer((json_int_t)problem->offset));
    if (problem->has_place && problem->line > 0)
        whole = whole && add(body, "line", json_integer((json_int_t)problem->line)) &&
                add(body, "column", json_integer((json_int_t)problem->column));
    *length = 0;
    char *text = whole ? json_document_text(body, 0, length) : NULL;
    json_decref(body);
    return text;
}

/* Bytes of the UTF-8 character at `text`, 0 for what is none (RFC 3629). */
static size_t character_length(const unsigned char *text) {
    size_t length = text[0] < 0x80                      ? 1
                    : text[0] >= 0xc2 && text[0] < 0xe0 ? 2
                    : text[0] >= 0xe0 && text[0] < 0xf0 ? 3
                    : text[0] >= 0xf0 && text[0] < 0xf5 ? 4
                                                        : 0;
    for (size_t i = 1; i < length; i++)
        if ((text[i] & 0xc0) != 0x80)
            return 0;
    bool overlong = (text[0] == 0xe0 && text[1] < 0xa0) || (text[0] == 0xf0 && text[1] < 0x90);
    bool beyond = (text[0] == 0xed && text[1] > 0x9f) || (text[0] == 0xf4 && text[1] > 0x8f);
    return overlong || beyond ? 0 : length;
}

char *text_clip(char *out, size_t size, const char *text) {
    size_t used = 0;
    while (*text) {
        size_t length = character_length((const unsigned char *)text), step = length ? length : 1;
        if (used + step >= size)
            break;
        memcpy(out + used, length ? text : "?", step);
        used += step;
        text += step;
    }
    out[used] = '\0';
    return out;
}

char *pointer_add(char *pointer, size_t size, const char *key) {
    size_t used = strlen(pointer);
    if (used + 1 < size)
        pointer[used++] = '/';
    for (; *key && used + 2 < size; key++) {
        bool escaped = *key == '~' || *key == '/';
        if (escaped)
            pointer[used++] = '~';
        pointer[used++] = *key == '~' ? '0' : *key == '/' ? '1' : *key;
    }
    pointer[used] = '\0';
    return pointer;
}
