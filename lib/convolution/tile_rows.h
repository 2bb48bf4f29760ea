/* For tile_kernel.h: in one dtype, REAL. */
#define vec JOIN(KIND, REAL, vec)
#define sum JOIN(KIND, REAL, sum)

typedef REAL vec __attribute__((vector_size(BYTES), aligned(sizeof(REAL)), may_alias));

#define EACH_ROW(what) what(0) what(1) what(2) what(3) what(4) what(5) what(6) what(7)

#define CLEAR(row)     vec s##row##_0 = {0}, s##row##_1 = {0}, s##row##_2 = {0};

#define ADD(row)                                                                                   \
    if (row < rows) {                                                                              \
        const REAL factor = a##row[k];                                                             \
        s##row##_0 += factor * x_0;                                                                \
        if (vectors > 1)                                                                           \
            s##row##_1 += factor * x_1;                                                            \
        if (vectors > 2)                                                                           \
            s##row##_2 += factor * x_2;                                                            \
    }

/* A row that is not there is computed as the last one again, and not stored. */
#define FACTORS(row) const REAL *a##row = a + (row < last ? row : last) * t->a_apart;

/* The lines that sums go to come while these are computed. */
#define FETCH(row)                                                                                 \
    if (row < rows)                                                                                \
        for (int v = 0; v < vectors; v++) {                                                        \
            const REAL *to =                                                                       \
                (const REAL *)t->sums + (row < last ? row : last) * t->apart + t->to[v];           \
            __builtin_prefetch(to, 1);                                                             \
            __builtin_prefetch(to + BYTES / sizeof(REAL) - 1, 1);                                  \
        }

/* All are loaded before any is stored: vectors may overlap. */
#define SUM_UP(row, v)                                                                             \
    if (v < vectors) {                                                                             \
        if (add)                                                                                   \
            s##row##_##v += *(const vec *)((REAL *)t->sums + row * t->apart + t->to[v]);           \
        if (bias)                                                                                  \
            s##row##_##v += bias[row];                                                             \
    }
#define STORE(row, v)                                                                              \
    if (v < vectors)                                                                               \
        *(vec *)((REAL *)t->sums + row * t->apart + t->to[v]) = s##row##_##v;
#define PUT(row)                                                                                   \
    if (row < rows && (size_t)row < t->rows) {                                                     \
        SUM_UP(row, 0) SUM_UP(row, 1) SUM_UP(row, 2) STORE(row, 0) STORE(row, 1) STORE(row, 2)     \
    }

/* `rows` and `vectors` are known when this is compiled: what is not there leaves no code. */
TARGET static inline __attribute__((always_inline)) void sum(const tile *t, const int rows,
                                                             const int vectors) {
    const REAL *a = t->a, *x = t->x;
    size_t last = t->rows - 1;
    EACH_ROW(FACTORS)
    EACH_ROW(FETCH)
    const REAL *from_0 = x + t->at[0], *from_1 = vectors > 1 ? x + t->at[1] : from_0,
               *from_2 = vectors > 2 ? x + t->at[2] : from_0;
    bool add = t->add;
    size_t k = 0;
    do {
        EACH_ROW(CLEAR)
        size_t end = t->terms - k > TILE_BLOCK ? k + TILE_BLOCK : t->terms;
        for (; k < end; k++) {
            size_t offset = t->offset[k];
            const vec x_0 = *(const vec *)(from_0 + offset);
            const vec x_1 = vectors > 1 ? *(const vec *)(from_1 + offset) : x_0;
            const vec x_2 = vectors > 2 ? *(const vec *)(from_2 + offset) : x_0;
            EACH_ROW(ADD)
        }
        const REAL *bias = k == t->terms ? t->bias : NULL;
        EACH_ROW(PUT)
        add = true;
    } while (k < t->terms);
}

#define FUNCTION(rows, vectors)                                                                    \
    TARGET static void JOIN(KIND, REAL, rows##_##vectors)(const tile *t) {                         \
        sum(t, rows, vectors);                                                                     \
    }
#if ROWS == 8
FUNCTION(8, 1)
FUNCTION(8, 2)
FUNCTION(8, 3)
FUNCTION(4, 1)
FUNCTION(4, 2)
FUNCTION(4, 3)
#else
FUNCTION(4, 1)
FUNCTION(4, 2)
FUNCTION(4, 3)
FUNCTION(2, 1)
FUNCTION(2, 2)
FUNCTION(2, 3)
#endif

#undef FUNCTION
#undef PUT
#undef SUM_UP
#undef STORE
#undef FETCH
#undef FACTORS
#undef ADD
#undef CLEAR
#undef EACH_ROW
#undef sum
#undef vec
