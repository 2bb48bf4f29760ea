/* Errors of liblayers: a code for programs and a sentence for people.
 *
 * Every function that can fail returns a layers_code and, when it is not LAYERS_OK, fills the
 * layers_error that it was given. Nothing aborts, prints or sets errno. */
#ifndef LAYERS_ERROR_H
#define LAYERS_ERROR_H

#ifdef __cplusplus
extern "C" {
#endif

#define LAYERS_API __attribute__((visibility("default")))

/* The one list of error kinds: enumerator, name for programs. */
#define LAYERS_CODES(X)                                                                            \
    X(LAYERS_OK, "ok")                                                                             \
    X(LAYERS_MISSING_FIELD, "missing_field")   /* a required tensor or parameter is absent */      \
    X(LAYERS_UNKNOWN_FIELD, "unknown_field")   /* the operation takes nothing of that name */      \
    X(LAYERS_WRONG_TYPE, "wrong_type")         /* a tensor of the wrong dtype, a label of 2.5 */   \
    X(LAYERS_INVALID_SHAPE, "invalid_shape")   /* a shape the operation can never take */          \
    X(LAYERS_SHAPE_MISMATCH, "shape_mismatch") /* two shapes that do not fit each other */         \
    X(LAYERS_INVALID_PARAM, "invalid_param")   /* a parameter outside its range */                 \
    X(LAYERS_LABEL_OUT_OF_RANGE, "label_out_of_range") /* a label that names no class */           \
    X(LAYERS_WRONG_CACHE, "wrong_cache")               /* a cache that another layer gave */       \
    X(LAYERS_INVALID_GRAPH, "invalid_graph") /* a name that is not there, or no way backward */    \
    X(LAYERS_TOO_LARGE, "result_too_large")  /* a result that cannot be addressed */               \
    X(LAYERS_NO_MEMORY, "no_memory")         /* an allocation failed */                            \
    X(LAYERS_BAD_BLAS, "bad_blas")           /* the BLAS computes wrongly on this processor */

#define LAYERS_ENUMERATOR(code, name) code,
typedef enum { LAYERS_CODES(LAYERS_ENUMERATOR) } layers_code;
#undef LAYERS_ENUMERATOR

typedef struct {
    layers_code code;
    char field[128];   /* what is at fault, e.g. "w", "y/3", "bn_param/eps"; "" if nothing single */
    char message[512]; /* one sentence with the values at fault, NUL-terminated */
} layers_error;

/* The name for programs of a code, e.g. "shape_mismatch". Never NULL; static; thread-safe. */
LAYERS_API const char *layers_code_name(layers_code code);

/* Fills *error (field may be NULL for none) and returns `code`, so that a function can end with
 * `return layers_fail(...)`. Thread-safe. */
LAYERS_API layers_code layers_fail(layers_error *error, layers_code code, const char *field,
                                   const char *format, ...) __attribute__((format(printf, 4, 5)));

/* The nearest word, for sentences such as "the nearest that it takes is ...": of `names` (ended by
 * NULL), the one with the fewest insertions, deletions and replacements (Levenshtein, 1966) to
 * `word`, whatever the case of either; the first of several. Of a dotted name what stands behind
 * the dot may do for all of it. NULL where more than a third of the letters are others in all of
 * them. Thread-safe. */
LAYERS_API const char *layers_nearest(const char *word, const char *const *names);

#ifdef __cplusplus
}
#endif
#endif
