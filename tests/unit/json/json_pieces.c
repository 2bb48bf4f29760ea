/* Arrays that several threads read at once: always what one thread reads alone, or finds wrong. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "codec/json_pieces.h"
#include "json_reading.h"
#include "json_sample.h"

TestSuite(json_pieces, .timeout = 120);

enum { POOLS = 3, SAMPLES = 3000 };

static const unsigned helpers[POOLS] = {1, 2, 7};

static void make_pools(layers_pool *pools[POOLS]) {
    for (int i = 0; i < POOLS; i++)
        cr_assert(pools[i] = layers_pool_make(helpers[i], NULL));
}

static void free_pools(layers_pool *pools[POOLS]) {
    for (int i = 0; i < POOLS; i++)
        layers_pool_free(pools[i]);
}

static void assert_same_tensor(const layers_tensor *a, const layers_tensor *b, const char *text) {
    size_t bytes;
    assert_shape(a, b->shape, b->rank, text);
    cr_assert(layers_dtype_bytes(b->dtype, b->size, &bytes));
    cr_assert(!memcmp(a->data, b->data, bytes), "%.300s", text);
    cr_assert(layers_tensor_memory(a) == layers_tensor_memory(b), "%.300s", text);
}

static void assert_same_problem(const problem *a, const problem *b, const char *text) {
    cr_assert(a->kind == b->kind && !strcmp(a->detail, b->detail), "%.300s: %s instead of %s", text,
              a->detail, b->detail);
    cr_assert(!strcmp(a->pointer, b->pointer), "%.300s: %s instead of %s", text, a->pointer,
              b->pointer);
    cr_assert(a->has_place == b->has_place && a->retry_after == b->retry_after, "%.300s", text);
    cr_assert(!a->has_place ||
                  (a->offset == b->offset && a->line == b->line && a->column == b->column),
              "%.300s: byte %zu instead of %zu", text, a->offset, b->offset);
}

/* Whether it is an array. */
static bool assert_same(const char *text, size_t length, layers_pool *pool, size_t piece) {
    bool read = false;
    for (layers_dtype dtype = LAYERS_F64; dtype <= LAYERS_F32; dtype++) {
        array_reading alone = read_array(text, length, dtype);
        array_reading together = read_array_in_pieces(text, length, dtype, pool, piece);
        read = alone.read;
        cr_assert(together.read == read, "%.300s: %s%s", text, together.problem.detail,
                  alone.problem.detail);
        if (read) {
            cr_assert(together.consumed == alone.consumed, "%.300s", text);
            assert_same_tensor(&together.tensor, &alone.tensor, text);
        } else {
            assert_same_problem(&together.problem, &alone.problem, text);
        }
        layers_tensor_clear(&alone.tensor);
        layers_tensor_clear(&together.tensor);
    }
    return read;
}

/* Up to three bytes, and now and then a NUL in one's place. */
static void change(json_sample *s) {
    for (uint64_t changes = 1 + random_below(&s->random, 3); changes > 0; changes--)
        sample_change(s);
    if (s->text[random_below(&s->random, 8)] == ' ')
        s->text[random_below(&s->random, s->length)] = '\0';
}

/* Samples by all pools, in pieces of all sizes. */
static void assert_same_samples(uint64_t seed, bool odd, bool changed) {
    static json_sample s;
    layers_pool *pools[POOLS];
    make_pools(pools);
    s.random = seed;
    s.odd = odd;
    for (int i = 0; i < SAMPLES; i++) {
        sample_make(&s);
        if (changed)
            change(&s);
        for (int pool = 0; pool < POOLS; pool++)
            assert_same(s.text, s.length, pools[pool], 1 + random_below(&s.random, 60));
    }
    free_pools(pools);
}

Test(json_pieces, regular_arrays) {
    assert_same_samples(1, false, false);
}

Test(json_pieces, words_ragged_and_empty_lists) {
    assert_same_samples(2, true, false);
}

Test(json_pieces, changed_bytes) {
    assert_same_samples(3, false, true);
    assert_same_samples(4, true, true);
}

Test(json_pieces, whatever_stands_where_a_piece_ends) {
    static const char *const texts[] = {
        "[1,2,3,4,5,6,7,8]",
        "[[1,2],[3,4],[5,6]]",
        "[[1,2,3],[4,5,6]",
        "[[1,2,3],[4,5,6]]]",
        "[[1,2,3],[4,5,6]], [7, 8], \"x\"",
        "[[1,2,3],[4,5],[6,7,8]]",
        "[[1,2],[3,4,5],[6]]",
        "[[1,2],3,4,[5,6]]",
        "[[],1,2,3,4,5,6,7]",
        "[[],[1,2],[3,4]]",
        "[[1,2],[],[3,4]]",
        "[[[]],[[1,2]],[[3,4]]]",
        "[[],[[1,2],[3,4]]]",
        "[[1,2],[[3,4],[5,6]]]",
        "[[[1,2],[3,4]],[[5,6]]]",
        "[1,2,3,,4,5,6]",
        "[1,2,3,4,5,6,]",
        "[,1,2,3,4,5,6]",
        "[1,\"2,3,4\",5,6,7,8]",
        "[1,\"2],[3\",5,6,7,8]",
        "[1,2,3,4 5,6,7,8]",
        "[[1,2][3,4],[5,6]]",
        "[[1,2],[3,4],[5,6] 7]",
        "[1,2,3,4,5,6,[7],8]",
        "[1,2,3,4],[[[[[[[[[[[[",
        "[[1,2],[3,4],[5,6",
        "[1,2,3,4,5,1e400]",
        "[1e400,2,3,4,5,6]",
        "[1,2,3,1e39,5,6]",
        "[1,2,3,{\"a\":1},5,6]",
        "[              1,2             ,           3]          ",
        "[,,,,,,,,,,,,,]",
        "[[,],[,],[,]]",
        "[[1],[2],[3],[4]]",
        "[[[[1,2,3,4,5,6]]]]",
        "[1,2,3,4,5,6]  ,",
        "{}",
        "x",
        "",
    };
    layers_pool *pool = layers_pool_make(1, NULL);
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        for (size_t piece = 1; piece <= strlen(texts[i]) + 1; piece++)
            assert_same(texts[i], strlen(texts[i]), pool, piece);
    layers_pool_free(pool);
}

/* As the daemon reads them: many numbers of 17 digits, in pieces of the size that it takes. */
Test(json_pieces, a_long_array) {
    enum { ROWS = 300, COLUMNS = 100, TEXT = ROWS * COLUMNS * 26 };
    char *text = malloc(TEXT), *at = text;
    uint64_t random = 4;
    for (size_t i = 0; i < (size_t)ROWS * COLUMNS; i++)
        at += sprintf(at, "%s%.17g%s", i % COLUMNS ? "" : (i ? "[" : "[["),
                      (double)random_bits(&random) * 0x1p-64 - 0.5,
                      (i + 1) % COLUMNS        ? ", "
                      : i + 1 < ROWS * COLUMNS ? "], "
                                               : "]]");
    size_t length = (size_t)(at - text);
    cr_assert(length > 5 * JSON_PIECE);
    layers_pool *pool = layers_pool_make(2, NULL);
    cr_assert(assert_same(text, length, pool, JSON_PIECE));
    text[length / 2] = '[';
    cr_assert(!assert_same(text, length, pool, JSON_PIECE));
    layers_pool_free(pool);
    free(text);
}

Test(json_pieces, cuts_and_counts) {
    static const char text[] = "1,2],[3,4],[5,6]]";
    json_pieces pieces;
    json_pieces_cut(&pieces, text, text + sizeof text - 1, 4, NULL);
    cr_assert_eq(pieces.count, 4);
    static const size_t starts[] = {0, 5, 11, 14}, firsts[] = {0, 2, 4, 5};
    for (size_t i = 0; i < 4; i++) {
        cr_assert_eq(pieces.piece[i].start - text, (long)starts[i], "%zu", i);
        cr_assert_eq(pieces.piece[i].first, firsts[i], "%zu", i);
    }
    cr_assert_eq(pieces.piece[4].start, text + sizeof text - 1);
    cr_assert_eq(pieces.piece[4].first, 6);
    cr_assert_eq(json_pieces_elements(&pieces, strchr(text, ']')), 2);
    cr_assert_eq(json_pieces_elements(&pieces, strchr(text, '6')), 6);
    json_pieces_cut(&pieces, text, text + sizeof text - 1, 0, NULL);
    cr_assert_eq(pieces.count, 1);
    json_pieces_cut(&pieces, text, text, 3, NULL);
    cr_assert_eq(pieces.count, 1);
    cr_assert_eq(pieces.piece[1].first, 1);
}
