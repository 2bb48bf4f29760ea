/* Number arrays in JSON text. One pass, no recursion: the stack is one frame a dimension.
 *
 * A long text is read by several threads at once. The first lists tell which shape a regular array
 * has, and then the commas before a place tell where in the array it is. So a reader can start
 * there, and what it reads counts if the one before it arrives at the very same state; from the
 * first place where that is not so, the text is read on as if nobody had looked ahead. */
#include "codec/json_array.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "codec/json_pieces.h"
#include "codec/json_string.h"
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
    size_t count[LAYERS_MAX_RANK]; /* elements read of the open list of each depth, else 0 */
    size_t shape[LAYERS_MAX_RANK]; /* length of the lists of each depth, where `closed`, else 0 */
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
 * first of all in one that does: text that has one elsewhere is refused there.
 *
 * And where the first list of each depth ends, list_end[0] being that of the numbers. Where such an
 * end is not found, nothing is put. */
static const char *array_end(const reader *r, const char *list_end[LAYERS_MAX_RANK]) {
    json_cursor ahead = *r->cursor;
    size_t depth = (size_t)r->depth, most = 0;
    while (depth > 0) {
        ahead.at = memchr(ahead.at, ']', (size_t)(ahead.end - ahead.at));
        if (!ahead.at)
            return ahead.end;
        const char *end = ahead.at;
        size_t closed = skip(&ahead, ']', depth);
        for (; most < closed && most < LAYERS_MAX_RANK; most++)
            list_end[most] = end;
        depth -= closed;
        if (depth > 0 && skip(&ahead, ',', 1))
            depth += skip(&ahead, '[', SIZE_MAX);
    }
    return ahead.at;
}

/* NaN, Infinity, -Infinity as a string. */
static bool read_string(reader *r, double *value) {
    const char *word = r->cursor->at + 1, *end = word, *stop = r->cursor->end;
    while (end < stop && *end != '"' && (unsigned char)*end >= ' ')
        end += *end == '\\' && stop - end > 1 ? 2 : 1;
    if (end == stop || *end != '"') {
        r->cursor->at = end;
        return malformed(r, "a string does not end");
    }
    char text[16]; /* of what is longer, the start */
    size_t length = json_unescape(word, end, text, sizeof text);
    if (!json_word_value(text, length, value))
        return fail_at(r, r->depth, PROBLEM_WRONG_TYPE,
                       "is a string, but must be a number (or \"NaN\", \"Infinity\", "
                       "\"-Infinity\")");
    r->cursor->at = end + 1;
    return true;
}

/* The same as bare words; other words are malformed, or of JSON's own. */
static bool read_word(reader *r, double *value) {
    const char *word = r->cursor->at, *end = word;
    while (end < r->cursor->end && (*end == '-' || (*end | 32) - 'a' + 0U < 26))
        end++;
    size_t length = (size_t)(end - word);
    if (json_word_value(word, length, value)) {
        r->cursor->at = end;
        return true;
    }
    static const char *const literals[] = {"null", "true", "false"};
    for (int i = 0; i < 3; i++)
        if (length == strlen(literals[i]) && !memcmp(word, literals[i], length)) {
            char reason[48];
            snprintf(reason, sizeof reason, "is %s, but must be a number", literals[i]);
            return fail_at(r, r->depth, PROBLEM_WRONG_TYPE, reason);
        }
    return malformed(r, "a number or a list was expected");
}

/* What stands where no number could be read: a word, or what is wrong with it. */
static bool read_other(reader *r, double *value) {
    const char **at = &r->cursor->at, *end = r->cursor->end;
    char first = **at == '-' && end - *at > 1 ? (*at)[1] : **at;
    if (first == '"' && **at != '-')
        return read_string(r, value);
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
    if (++r->depth > r->rank)
        r->rank = r->depth;
    return true;
}

static bool close_list(reader *r) {
    r->cursor->at++;
    int depth = --r->depth;
    size_t length = r->count[depth];
    r->count[depth] = 0;
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

/* On to the next element, past lists that begin or are empty; or to the end of the array. */
static bool open_lists(reader *r) {
    json_cursor *cursor = r->cursor;
    for (skip_space(cursor); cursor->at < cursor->end && *cursor->at == '['; skip_space(cursor)) {
        if (!open_list(r))
            return false;
        skip_space(cursor);
        if (cursor->at == cursor->end || *cursor->at != ']')
            continue;
        if (!close_list(r) || !after_elements(r, 1))
            return false;
        if (r->depth == 0)
            return true;
    }
    if (cursor->at == cursor->end)
        return malformed(r, "a list does not end");
    return *cursor->at != '{' || r->depth == 0 ||
           fail_at(r, r->depth, PROBLEM_WRONG_TYPE, "is an object, but must be a number");
}

/* One word, or as many numbers as follow each other in one list, onto the end of the tensor; and
 * what ends with them. */
static bool read_elements(reader *r) {
    const char **at = &r->cursor->at, *end = r->cursor->end;
    size_t room = r->depth == 0 ? 1 : r->tensor->size - r->used;
    bool f32 = r->dtype == LAYERS_F32;
    float *single = (float *)r->tensor->data + r->used;
    double *place = (double *)r->tensor->data + r->used, word = 0;
    assert(r->tensor->data); /* of begin, for as many as there are commas */
    size_t count = f32 ? number_read_run_f32(at, end, single, room)
                       : number_read_run_f64(at, end, place, room);
    if (count == 0) {
        if (!read_other(r, &word))
            return false;
        if (f32)
            *single = (float)word;
        else
            *place = word;
        count = 1;
    }
    r->used += count;
    return r->depth == 0 || (contains(r, NUMBERS) && after_elements(r, count));
}

/* As far as `stop`, which is behind a comma, or to the end of the array. */
static bool read_on(reader *r, const char *stop) {
    while (r->depth > 0 && r->cursor->at != stop)
        if (!open_lists(r) || (r->depth > 0 && !read_elements(r)))
            return false;
    return true;
}

/* ---- several threads ---------------------------------------------------------------------------
 */

typedef struct {
    const reader *start; /* at the first element */
    const json_pieces *pieces;
    size_t shape[LAYERS_MAX_RANK];      /* that the array has if it is regular */
    const char *read[JSON_PIECES_MOST]; /* the end of each piece that has been; NULL else */
} looking_ahead;

/* The shape, from the ends of the first lists of each depth; false where it would be none. */
static bool guess_shape(looking_ahead *ahead, const char *const *list_end) {
    size_t size = 1;
    for (int depth = ahead->start->depth; depth-- > 0; list_end++) {
        size_t elements = *list_end ? json_pieces_elements(ahead->pieces, *list_end) : 0;
        if (elements == 0 || elements % size > 0)
            return false;
        ahead->shape[depth] = elements / size;
        size = elements;
    }
    return true;
}

/* To where a piece of a regular array starts. The first starts where the reader is. */
static void jump(reader *r, const looking_ahead *ahead, size_t piece) {
    size_t size = 1;
    if (piece == 0)
        return;
    r->used = ahead->pieces->piece[piece].first;
    r->contents[ahead->start->depth - 1] = NUMBERS;
    for (int depth = ahead->start->depth; depth-- > 0;) {
        r->count[depth] = r->used / size % ahead->shape[depth];
        size *= ahead->shape[depth];
        r->closed[depth] = r->used >= size;
        r->shape[depth] = r->closed[depth] ? ahead->shape[depth] : 0;
        if (r->used % size == 0)
            r->depth = depth;
    }
}

static bool is_same_place(const reader *a, const reader *b) {
    return a->used == b->used && a->depth == b->depth &&
           !memcmp(a->count, b->count, sizeof a->count) &&
           !memcmp(a->shape, b->shape, sizeof a->shape) &&
           !memcmp(a->closed, b->closed, sizeof a->closed);
}

/* Writes into its own part of the tensor: each of its elements but the array's last has a comma
 * behind it in the text of the piece. */
static void read_piece(void *argument, size_t i) {
    looking_ahead *ahead = argument;
    const json_piece *piece = &ahead->pieces->piece[i];
    reader r = *ahead->start, next = r;
    problem problem;
    json_cursor cursor = {.start = piece->start, .at = piece->start, .end = piece[1].start};
    jump(&r, ahead, i);
    jump(&next, ahead, i + 1);
    r.cursor = &cursor;
    r.problem = &problem;
    bool read = read_on(&r, cursor.end) && is_same_place(&r, &next);
    ahead->read[i] = read ? cursor.at : NULL;
}

/* Reads the array from its first element on, as far as it turns out to be regular. */
static void read_pieces(reader *r, const json_pieces *pieces, const char *const *list_end) {
    const reader start = *r;
    looking_ahead ahead = {.start = &start, .pieces = pieces};
    if (!guess_shape(&ahead, list_end))
        return;
    layers_pool_run(r->cursor->pool, pieces->count, read_piece, &ahead);
    size_t read = 0;
    while (read < pieces->count && ahead.read[read])
        read++;
    jump(r, &ahead, read);
    if (read > 0)
        r->cursor->at = ahead.read[read - 1];
}

/* Makes memory for all elements, before the first of them, and reads what can be read at once. */
static bool begin(reader *r) {
    const json_cursor *cursor = r->cursor;
    const char *list_end[LAYERS_MAX_RANK] = {NULL};
    json_pieces pieces;
    json_pieces_cut(&pieces, cursor->at, array_end(r, list_end), cursor->piece, cursor->pool);
    size_t capacity = pieces.piece[pieces.count].first, bytes;
    layers_error error;
    if (!layers_dtype_bytes(r->dtype, capacity, &bytes) || !charge_add(cursor->charge, bytes) ||
        layers_tensor_make(r->tensor, r->dtype, &capacity, 1, &error) != LAYERS_OK)
        return problem_set_memory(r->problem, r->pointer);
    if (pieces.count > 1)
        read_pieces(r, &pieces, list_end);
    return true;
}

bool json_array_read(json_cursor *cursor, layers_dtype dtype, const char *pointer,
                     layers_tensor *tensor, problem *problem) {
    reader r = {
        .cursor = cursor, .dtype = dtype, .pointer = pointer, .tensor = tensor, .problem = problem};
    *tensor = (layers_tensor){.dtype = dtype};
    if (!open_lists(&r) || !begin(&r) || !(r.rank == 0 ? read_elements(&r) : read_on(&r, NULL))) {
        layers_tensor_clear(tensor);
        return false;
    }
    tensor->rank = r.rank;
    tensor->size = r.used;
    memcpy(tensor->shape, r.shape, (size_t)r.rank * sizeof *tensor->shape);
    return true;
}
