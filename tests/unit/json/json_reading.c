/* Reading JSON from memory that ends where the text ends. */
#include "json_reading.h"

#include <stdlib.h>
#include <string.h>

static char *exact_copy(const char *text, size_t length) {
    char *copy = malloc(length ? length : 1);
    cr_assert(copy);
    memcpy(copy, text, length);
    return copy;
}

array_reading read_array(const char *text, size_t length, layers_dtype dtype) {
    return read_array_in_pieces(text, length, dtype, NULL, 0);
}

array_reading read_array_in_pieces(const char *text, size_t length, layers_dtype dtype,
                                   layers_pool *pool, size_t piece) {
    array_reading reading = {0};
    char *copy = exact_copy(text, length);
    json_cursor cursor = {
        .start = copy, .at = copy, .end = copy + length, .pool = pool, .piece = piece};
    reading.read = json_array_read(&cursor, dtype, "/x", &reading.tensor, &reading.problem);
    reading.consumed = (size_t)(cursor.at - copy);
    cr_assert(reading.consumed <= length);
    if (!reading.read)
        cr_assert(reading.tensor.data == NULL && reading.tensor.buffer == NULL, "a tensor is left");
    free(copy);
    return reading;
}

document_reading read_document(const char *text, size_t length, layers_dtype dtype) {
    document_reading reading = {.copy = exact_copy(text, length)};
    reading.read = json_document_read(
        &reading.document, &(json_source){.text = reading.copy, .length = length, .dtype = dtype},
        &reading.problem);
    return reading;
}

void document_close(document_reading *reading) {
    if (reading->read)
        json_document_free(&reading->document);
    free(reading->copy);
}

void assert_problem(const problem *problem, problem_kind kind, const char *pointer,
                    const char *text) {
    cr_assert(problem->kind == kind, "%s: %s instead of %s: %s", text, problem_code(problem->kind),
              problem_code(kind), problem->detail);
    cr_assert(!pointer || !strcmp(problem->pointer, pointer), "%s: at \"%s\", not at \"%s\"", text,
              problem->pointer, pointer);
    cr_assert(*problem->detail, "%s: there is no sentence", text);
    cr_assert(problem->has_place == (kind == PROBLEM_INVALID_JSON), "%s", text);
}

void assert_malformed_at(const problem *problem, size_t offset, const char *text) {
    size_t line = 1, column = 1;
    assert_problem(problem, PROBLEM_INVALID_JSON, NULL, text);
    for (size_t i = 0; i < offset; i++) {
        column = text[i] == '\n' ? 1 : column + 1;
        line += text[i] == '\n';
    }
    cr_assert(problem->offset == offset, "%s: at byte %zu, not %zu: %s", text, problem->offset,
              offset, problem->detail);
    cr_assert(problem->line == line && problem->column == column,
              "%s: line %zu, column %zu, not line %zu, column %zu", text, problem->line,
              problem->column, line, column);
}
