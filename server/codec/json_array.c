/* Number arrays in JSON text. One pass, no recursion: the stack is one frame a dimension. */
#include "codec/json_array.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "codec/number.h"

/* What stands in a list, known from its first element on, the same for all lists of a depth. */
typedef enum { EMPTY, NUMBERS, LISTS } contents;

typedef struct {
    json_cursor *cursor;
    layers_dtype dtype;
    const char *pointer;
    layers_tensor *tensor;         /* of rank 1, and with room for all, while it is read */
    size_t used;                   /* elements read */
    int depth;                     /* open lists */
    int rank;                      /* the deepest that there has been */
    size_t count[LAYERS_MAX_RANK]; /* elements read of the open list of each depth */
    size_t shape[LAYERS_MAX_RANK]; /* length of the lists of each depth, where `closed` */
    bool closed[LAYERS_MAX_RANK];  /* whether one of this depth has been closed */
    contents contents[LAYERS_MAX_RANK];
    problem *problem;
} reader;

bool json_malformed(const json_cursor *cursor, const char *at, const char *reason,
                    problem *problem) {
    size_t line = 1;
    const char *line_start = cursor->start, *newline;
    while ((newline = memchr(line_start, '\n', (size_t)(at - line_start)))) {
        line++;
        line_start = newline + 1;
    }
    size_t offset = (size_t)(at - cursor->start), column = (size_t)(at - line_start) + 1;
    problem_set(problem, PROBLEM_INVALID_JSON, NULL, "%s at line %zu, column %zu (byte %zu)",
                reason, line, column, offset);
    problem->has_place = true;
    problem->offset = offset;
    problem->line = line;
    problem->column = column;
    return false;
}

bool json_word_value(const char *word, size_t length, double *value) {
    static const struct {
        const char *word;
        size_t length;
        double value;
    } words[] = {{"NaN", 3, NAN}, {"Infinity", 8, INFINITY}, {"-Infinity", 9, -INFINITY}};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (length == words[i].length && !memcmp(word, words[i].word, length)) {
            *value = words[i].value;
            return true;
        }
    return false;
}

/* A problem at the element that is being read, or at the list of `depth` dimensions around it. */
static bool fail_at(reader *r, int depth, problem_kind kind, const char *reason) {
    char pointer[192];
    size_t used = (size_t)snprintf(pointer, sizeof pointer, "%s", r->pointer);
    for (int i = 0; i < depth && used < sizeof pointer; i++)
        used += (size_t)snprintf(pointer + used, sizeof pointer - used, "/%zu", r->count[i]);
    return problem_set(r->problem, kind, pointer, "%s %s", pointer, reason);
}

static bool malformed(reader *r, const char *reason) {
    return json_malformed(r->cursor, r->cursor->at, reason, r->problem);
}

static void skip_space(json_cursor *cursor) {
    while (cursor->at < cursor->end && (*cursor->at == ' ' || *cursor->at == '\n' ||
                                        *cursor->at == '\r' || *cursor->at == '\t'))
        cursor->at++;
}

/* Passes the bytes `what` at hand, `most` at most, and the white space behind each. */
static size_t skip(json_cursor *cursor, char what, size_t most) {
    size_t count = 0;
    for (; count < most && cursor->at < cursor->end && *cursor->at == what; count++) {
        cursor->at++;
        skip_space(cursor);
    }
    return count;
}

/* Where the array ends whose first element is at hand. A list opens behind another and a comma, or
 * first of all in one that does: text that has one elsewhere is refused there. */
static const char *array_end(const reader *r) {
    json_cursor ahead = *r->cursor;
    size_t depth = (size_t)r->depth;
    while (depth > 0) {
        ahead.at = memchr(ahead.at, ']', (size_t)(ahead.end - ahead.at));
        if (!ahead.at)
            return ahead.end;
        depth -= skip(&ahead, ']', depth);
        if (depth > 0 && skip(&ahead, ',', 1))
            depth += skip(&ahead, '[', SIZE_MAX);
    }
    return ahead.at;
}

/* At least as many as the array has: a comma stands between each two. A look at all of its text
 * takes a few percent of the time of reading it, and then no memory is moved, and none taken that
 * is not needed. */
static size_t most_elements(const reader *r) {
    enum { BLOCK = 128 };
    const char *at = r->cursor->at, *end = array_end(r);
    size_t commas = 0;
    for (; end - at >= BLOCK; at += BLOCK) {
        unsigned char found = 0; /* a byte, so that many are counted at a time */
        for (int i = 0; i < BLOCK; i++)
            found += at[i] == ',';
        commas += found;
    }
    for (; at < end; at++)
        commas += *at == ',';
    return commas + 1;
}

/* Memory for all elements, before the first of them. */
static bool make_room(reader *r) {
    const json_cursor *cursor = r->cursor;
    size_t capacity = most_elements(r), bytes;
    layers_error error;
    bool made = layers_dtype_bytes(r->dtype, capacity, &bytes) &&
                charge_add(cursor->charge, bytes) &&
                layers_tensor_make(r->tensor, r->dtype, &capacity, 1, &error) == LAYERS_OK;
    return made || problem_set_memory(r->problem, r->pointer);
}

/* NaN, Infinity, -Infinity: bare, or a string. */
static bool read_word(reader *r, double *value) {
    json_cursor *cursor = r->cursor;
    bool quoted = *cursor->at == '"';
    const char *word = cursor->at + quoted, *end = word;
    if (quoted) {
        while (end < cursor->end && *end != '"' && *end != '\\' && (unsigned char)*end >= ' ')
            end++;
        if (end == cursor->end || (unsigned char)*end < ' ') {
            cursor->at = end;
            return malformed(r, "a string does not end");
        }
    } else {
        while (end < cursor->end && (*end == '-' || (*end | 32) - 'a' + 0U < 26))
            end++;
    }
    size_t length = (size_t)(end - word);
    if (json_word_value(word, length, value) && (!quoted || *end == '"')) {
        cursor->at = end + quoted;
        return true;
    }
    bool literal = (length == 4 && (!memcmp(word, "true", 4) || !memcmp(word, "null", 4))) ||
                   (length == 5 && !memcmp(word, "false", 5));
    if (quoted || literal)
        return fail_at(r, r->depth, PROBLEM_WRONG_TYPE,
                       quoted ? "is a string, but must be a number (or \"NaN\", \"Infinity\", "
                                "\"-Infinity\")"
                              : "is a JSON literal, but must be a number");
    return malformed(r, "a number or a list was expected");
}

/* What stands where no number could be read: a word, or what is wrong with it. */
static bool read_other(reader *r, double *value) {
    const char **at = &r->cursor->at, *end = r->cursor->end;
    char first = **at == '-' && end - *at > 1 ? (*at)[1] : **at;
    if (first == 'I' || (**at != '-' && !(first >= '0' && first <= '9')))
        return read_word(r, value);
    float single;
    number_status status = r->dtype == LAYERS_F32 ? number_read_f32(at, end, &single)
                                                  : number_read_f64(at, end, value);
    if (status == NUMBER_OUT_OF_RANGE)
        return fail_at(r, r->depth, PROBLEM_NUMBER_OUT_OF_RANGE,
                       r->dtype == LAYERS_F32 ? "is too large for a float32"
                                              : "is too large for a float64");
    return malformed(r, "a number is malformed");
}

/* One word, or as many numbers as follow each other in one list, onto the end of the tensor. */
static bool read_elements(reader *r, size_t *count) {
    if (!r->tensor->buffer && !make_room(r))
        return false;
    const char **at = &r->cursor->at, *end = r->cursor->end;
    size_t room = r->depth == 0 ? 1 : r->tensor->size - r->used;
    bool f32 = r->dtype == LAYERS_F32;
    float *single = (float *)r->tensor->data + r->used;
    double *place = (double *)r->tensor->data + r->used, word = 0;
    *count = f32 ? number_read_run_f32(at, end, single, room)
                 : number_read_run_f64(at, end, place, room);
    if (*count == 0) {
        if (!read_other(r, &word))
            return false;
        if (f32)
            *single = (float)word;
        else
            *place = word;
        *count = 1;
    }
    r->used += *count;
    return true;
}

/* Holds the lists of a depth to one kind of contents. */
static bool contains(reader *r, contents what) {
    contents *known = &r->contents[r->depth - 1];
    if (*known == EMPTY)
        *known = what;
    return *known == what ||
           fail_at(r, r->depth, PROBLEM_RAGGED_ARRAY,
                   what == LISTS ? "is a list among numbers" : "is a number among lists");
}

static bool open_list(reader *r) {
    if (r->depth > 0 && !contains(r, LISTS))
        return false;
    if (r->depth == LAYERS_MAX_RANK)
        return problem_set(r->problem, PROBLEM_INVALID_SHAPE, r->pointer,
                           "%s has more than %d dimensions", r->pointer, LAYERS_MAX_RANK);
    r->cursor->at++;
    r->count[r->depth++] = 0;
    if (r->depth > r->rank)
        r->rank = r->depth;
    return true;
}

static bool close_list(reader *r) {
    r->cursor->at++;
    int depth = --r->depth;
    size_t length = r->count[depth];
    if (!r->closed[depth]) {
        r->closed[depth] = true;
        r->shape[depth] = length;
    } else if (r->shape[depth] != length) {
        char reason[96];
        snprintf(reason, sizeof reason, "has %zu elements, where the lists before it have %zu",
                 length, r->shape[depth]);
        return fail_at(r, depth, PROBLEM_RAGGED_ARRAY, reason);
    }
    return true;
}

/* So many elements have been read: counts them in their list, and goes on to the next or ends the
 * list, which is an element itself. */
static bool after_elements(reader *r, size_t count) {
    for (; r->depth > 0; count = 1) {
        r->count[r->depth - 1] += count;
        skip_space(r->cursor);
        if (r->cursor->at == r->cursor->end)
            return malformed(r, "a list does not end");
        if (*r->cursor->at == ',') {
            r->cursor->at++;
            return true;
        }
        if (*r->cursor->at != ']')
            return malformed(r, "a comma or ] was expected");
        if (!close_list(r))
            return false;
    }
    return true;
}

static bool read_value(reader *r) {
    do {
        size_t count = 1;
        skip_space(r->cursor);
        if (r->cursor->at == r->cursor->end)
            return malformed(r, "a list does not end");
        char first = *r->cursor->at;
        if (first == '[') {
            if (!open_list(r))
                return false;
            skip_space(r->cursor);
            if (r->cursor->at == r->cursor->end || *r->cursor->at != ']')
                continue;
            if (!close_list(r))
                return false;
        } else if (first == '{' && r->depth > 0) {
            return fail_at(r, r->depth, PROBLEM_WRONG_TYPE, "is an object, but must be a number");
        } else if (!read_elements(r, &count) || (r->depth > 0 && !contains(r, NUMBERS))) {
            return false;
        }
        if (!after_elements(r, count))
            return false;
    } while (r->depth > 0);
    return true;
}

static bool finish(reader *r) {
    layers_tensor *tensor = r->tensor;
    if (!tensor->buffer && !make_room(r))
        return false;
    tensor->rank = r->rank;
    tensor->size = r->used;
    memcpy(tensor->shape, r->shape, (size_t)r->rank * sizeof *tensor->shape);
    return true;
}

bool json_array_read(json_cursor *cursor, layers_dtype dtype, const char *pointer,
                     layers_tensor *tensor, problem *problem) {
    reader r = {
        .cursor = cursor, .dtype = dtype, .pointer = pointer, .tensor = tensor, .problem = problem};
    *tensor = (layers_tensor){.dtype = dtype};
    if (read_value(&r) && finish(&r))
        return true;
    layers_tensor_clear(tensor);
    return false;
}
