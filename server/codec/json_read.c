/* JSON request bodies: numbers and arrays into tensors, the rest by Jansson. */
#include "codec/json_read.h"

#include <assert.h>
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/decimal.h"
#include "codec/json_array.h"
#include "codec/json_recent.h"
#include "codec/json_string.h"
#include "codec/json_value.h"

enum {
    REST_FIRST = 8 << 10,  /* bytes that the rest may have without memory of its own */
    REST_COPIES = 4,       /* of a byte of it, while Jansson reads */
    REST_LIMIT = 64 << 10, /* bytes beside numbers, arrays, white space and what is in strings */
    GRAPH_LIMIT = 1 << 20, /* the same, of a graph */
    STRING_COST = 16,      /* of a string, against that limit */
    DEPTH = 6,             /* objects and lists in each other that an error's pointer names */
    KEY = 96,              /* of a key in one: names of graphs have up to 64 letters */
};

typedef struct {
    const char *at;
    size_t length;
} span;

/* An object or a list of the document that is open. */
typedef struct {
    bool is_list;
    span key;     /* the last key of an object */
    size_t index; /* in a list */
} level;

/* Takes the arrays out of a text. */
typedef struct {
    json_document *document;
    json_cursor cursor;
    char *rest; /* what is left, for Jansson */
    size_t used, capacity;
    const char *run;       /* what has been looked at from here on is still to be copied */
    size_t counted, limit; /* bytes against the limit */
    span last;             /* the last string */
    level level[DEPTH];
    size_t depth;
    problem *problem;
} splitter;

/* Makes room for more of the rest, which is on the stack at first. */
static bool grow_rest(splitter *s, size_t length) {
    size_t capacity = 2 * s->used + length;
    char *larger = NULL;
    if (charge_add(s->document->source.charge, REST_COPIES * (capacity - s->capacity)))
        larger = malloc(capacity);
    if (!larger)
        return problem_set_memory(s->problem, "the body");
    memcpy(larger, s->rest, s->used);
    if (s->capacity > REST_FIRST)
        free(s->rest);
    s->rest = larger;
    s->capacity = capacity;
    return true;
}

/* Counts bytes against the limit. */
static bool count(splitter *s, size_t bytes) {
    s->counted += bytes;
    return s->counted <= s->limit ||
           problem_set(
               s->problem, PROBLEM_BODY_TOO_LARGE, NULL,
               "the body has more than %zu bytes of keys and punctuation beside its numbers "
               "and arrays",
               s->limit);
}

static bool copy(splitter *s, const char *text, size_t length) {
    if (length > s->capacity - s->used && !grow_rest(s, length))
        return false;
    memcpy(s->rest + s->used, text, length);
    s->used += length;
    return true;
}

/* Copies what lies before the cursor. */
static bool copy_run(splitter *s) {
    return copy(s, s->run, (size_t)(s->cursor.at - s->run));
}

/* An index in the place of an array. The space keeps it from growing together with the next. */
static bool copy_index(splitter *s, size_t index) {
    char text[24], *end = decimal_put(text, index);
    *end++ = ' ';
    return count(s, (size_t)(end - text)) && copy(s, text, (size_t)(end - text));
}

static bool pass_string(splitter *s) {
    json_cursor *cursor = &s->cursor;
    const char *start = cursor->at++;
    while (cursor->at < cursor->end && *cursor->at != '"')
        cursor->at += *cursor->at == '\\' && cursor->end - cursor->at > 1 ? 2 : 1;
    if (cursor->at == cursor->end)
        return json_malformed(cursor, start, "a string does not end: it starts", s->problem);
    cursor->at++;
    s->last = (span){start + 1, (size_t)(cursor->at - start) - 2};
    return count(s, STRING_COST);
}

/* The key at hand at some depth, its escapes undone. */
static const char *key_at(const splitter *s, size_t depth, char key[KEY]) {
    char text[KEY + 16]; /* the last character of what fits into the key may be cut */
    const span *span = &s->level[depth].key;
    json_unescape(span->at, span->at + span->length, text, sizeof text);
    return text_clip(key, KEY, text);
}

/* "/bn_param/running_mean": the keys that lead to the value at hand. */
static const char *pointer_here(const splitter *s, char pointer[192]) {
    pointer[0] = '\0';
    for (size_t i = 0; i < s->depth && i < DEPTH; i++) {
        char key[KEY];
        if (s->level[i].is_list)
            snprintf(key, sizeof key, "%zu", s->level[i].index);
        else
            key_at(s, i, key);
        pointer_add(pointer, 192, key);
    }
    return pointer;
}

/* Whether the list at hand is one of a graph's that are no arrays of numbers: all but those of its
 * inputs. */
static bool is_document_list(const splitter *s) {
    char key[KEY];
    return s->document->source.is_graph &&
           (s->depth == 1 ||
            (s->depth == 3 && s->level[1].is_list && !strcmp(key_at(s, 0, key), "nodes")));
}

static bool grow(splitter *s) {
    json_document *document = s->document;
    if (document->count < document->capacity)
        return true;
    size_t capacity = document->capacity ? 4 * document->capacity : 8;
    void *arrays = realloc(document->arrays, capacity * sizeof *document->arrays);
    if (!arrays)
        return problem_set_memory(s->problem, "the body's arrays");
    document->arrays = arrays;
    document->capacity = capacity;
    return true;
}

/* Reads the array or number at hand and leaves its index. */
static bool take_array(splitter *s) {
    char pointer[192];
    if (!copy_run(s) || !grow(s))
        return false;
    json_document *document = s->document;
    json_number_array *array = &document->arrays[document->count];
    assert(document->arrays); /* of grow */
    array->text = s->cursor.at;
    /* Single numbers are mostly parameters, which are doubles in any case. */
    layers_dtype dtype = *array->text == '[' ? document->source.dtype : LAYERS_F64;
    bool read =
        json_array_read(&s->cursor, dtype, pointer_here(s, pointer), &array->tensor, s->problem);
    if (!read && s->problem->kind == PROBLEM_NUMBER_OUT_OF_RANGE && dtype == LAYERS_F32) {
        s->cursor.at = array->text; /* it may be wanted in float64 after all */
        read = json_array_read(&s->cursor, LAYERS_F64, pointer, &array->tensor, s->problem);
    }
    if (!read)
        return false;
    if (!copy_index(s, document->count++))
        return false;
    array->left = s->used;
    array->end = s->run = s->cursor.at;
    return true;
}

/* What a character starts, or is. */
typedef enum { PLAIN, SPACE, OBJECT, LIST, CLOSE, COMMA, COLON, NUMBER, STRING, ZERO } mark;

static const unsigned char marks[256] = {
    ['\0'] = ZERO,  ['\t' ... '\r'] = SPACE, [' '] = SPACE,  ['"'] = STRING, ['{'] = OBJECT,
    ['['] = LIST,   ['}'] = CLOSE,           [']'] = CLOSE,  [','] = COMMA,  [':'] = COLON,
    ['-'] = NUMBER, ['0' ... '9'] = NUMBER,  ['N'] = NUMBER, ['I'] = NUMBER,
};

static mark mark_at(const splitter *s) {
    mark mark = marks[(unsigned char)*s->cursor.at];
    return mark == LIST && !is_document_list(s) ? NUMBER : mark;
}

static bool open_level(splitter *s, bool is_list) {
    if (s->depth == JSON_PARSER_MAX_DEPTH)
        return json_malformed(&s->cursor, s->cursor.at, "objects are nested too deeply",
                              s->problem);
    if (s->depth++ < DEPTH)
        s->level[s->depth - 1] = (level){is_list, {"", 0}, 0};
    return true;
}

/* Follows what opens, closes and parts objects and lists. */
static bool follow(splitter *s, mark mark) {
    level *level = s->depth > 0 && s->depth <= DEPTH ? &s->level[s->depth - 1] : NULL;
    if (mark == OBJECT || mark == LIST)
        return open_level(s, mark == LIST);
    if (mark == CLOSE)
        s->depth -= s->depth > 0;
    else if (mark == COMMA && level)
        level->index++;
    else if (mark == COLON && level)
        level->key = s->last;
    return true;
}

/* Marks, white space and whatever else is for Jansson to judge. */
static bool pass_marks(splitter *s, mark mark) {
    json_cursor *cursor = &s->cursor;
    size_t counted = 0;
    do {
        counted += mark != SPACE;
        if (mark > SPACE && !follow(s, mark))
            return false;
        cursor->at++;
    } while (cursor->at < cursor->end && (mark = mark_at(s)) < NUMBER);
    return count(s, counted);
}

static bool split(splitter *s) {
    json_cursor *cursor = &s->cursor;
    bool good = true;
    while (good && cursor->at < cursor->end) {
        mark mark = mark_at(s);
        if (mark == NUMBER)
            good = take_array(s);
        else if (mark == STRING)
            good = pass_string(s);
        else if (mark == ZERO) /* Jansson 2.14 overlooks it behind a word */
            good = json_malformed(cursor, cursor->at, "a zero byte stands", s->problem);
        else
            good = pass_marks(s, mark);
    }
    return good && copy_run(s);
}

static bool is_word(char c) {
    return isalnum((unsigned char)c) || (unsigned char)c >= 0x80;
}

/* Where the token that ends at `end` starts. */
static size_t token_start(const char *rest, size_t end) {
    size_t at = 0, start = 0;
    while (at < end) {
        start = at++;
        if (rest[start] == '"') {
            while (at < end && rest[at] != '"')
                at += rest[at] == '\\' ? 2 : 1;
            at++;
        } else if (is_word(rest[start])) {
            while (at < end && is_word(rest[at]))
                at++;
        }
    }
    return start;
}

/* invalid_json from Jansson's error, whose position is behind the token at fault, and in the text
 * that was left of the body. */
static bool fail_rest(const splitter *s, const json_error_t *error) {
    const json_document *document = s->document;
    size_t end = error->position > 0 ? (size_t)error->position : 0;
    end = end < s->used ? end : s->used;
    const char *near = strstr(error->text, " near ");
    const char *at = document->source.text + document->source.length;
    if (end < s->used || !strstr(error->text, "near end of file")) {
        size_t left = token_start(s->rest, end);
        at = document->source.text + left;
        for (size_t i = 0; i < document->count && document->arrays[i].left <= left; i++)
            at = document->arrays[i].end + (left - document->arrays[i].left);
    }
    char reason[JSON_ERROR_TEXT_LENGTH];
    text_clip(reason, near ? (size_t)(near - error->text) + 1 : sizeof reason, error->text);
    return json_malformed(&s->cursor, at, reason, s->problem);
}

static bool read_parts(splitter *s) {
    json_document *document = s->document;
    if (s->cursor.at == s->cursor.end)
        return json_malformed(&s->cursor, s->cursor.at, "the body is empty", s->problem);
    if (!split(s))
        return false;
    json_error_t error;
    document->root = json_recent_load(
        s->rest, s->used, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY | JSON_ALLOW_NUL, &error);
    if (!document->root)
        return json_error_code(&error) == json_error_out_of_memory
                   ? problem_set_memory(s->problem, "the body")
                   : fail_rest(s, &error);
    if (!json_is_object(document->root))
        return problem_set(s->problem, PROBLEM_WRONG_TYPE, NULL,
                           "the body is %s, but must be an object",
                           json_kind(document, document->root));
    return true;
}

bool json_document_read(json_document *document, const json_source *source, problem *problem) {
    char rest[REST_FIRST];
    rest[0] = '\0';
    *document = (json_document){.source = *source};
    splitter s = {.document = document,
                  .cursor = json_source_cursor(source, source->text, source->text + source->length),
                  .rest = rest,
                  .run = source->text,
                  .capacity = sizeof rest,
                  .limit = source->is_graph ? GRAPH_LIMIT : REST_LIMIT,
                  .last = {"", 0},
                  .problem = problem};
    bool read = read_parts(&s);
    if (s.rest != rest)
        free(s.rest);
    if (read)
        return true;
    json_document_free(document);
    *document = (json_document){0};
    return false;
}

void json_document_free(json_document *document) {
    for (size_t i = 0; i < document->count; i++)
        layers_tensor_clear(&document->arrays[i].tensor);
    free(document->arrays);
    json_decref(document->root);
}
