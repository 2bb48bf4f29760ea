/* Checks: is this the right answer?
 *
 * A check computes an operation once more, in float64, and judges claims of its outputs. A claim is
 * right where each of its elements lies within the bound of what correct arithmetic can give in the
 * claims' precision, in any order of summation (Higham, "Accuracy and Stability of Numerical
 * Algorithms", 2002, chapter 3): never within a tolerance that someone chose. A wrong one is
 * compared with what each known fault would give, and told by its name.
 *
 *     layers_question question;
 *     layers_check *check;
 *     layers_question_make(&question, layers_find("affine", "backward"));
 *     layers_call asked = {.operation = &question.takes};      and x, w, b and dout, by their names
 *     if (layers_check_make(&check, &question, &asked, LAYERS_F64, &error) == LAYERS_OK &&
 *         layers_check_run(check, NULL, &error) == LAYERS_OK)
 *         finding = layers_check_judge(check, 0, &dx, NULL);
 *     layers_check_free(check);
 *
 * A challenge is a check whose inputs are drawn: of a case ("plain", "far", ...), until every fault
 * of the layer that the case can show is far from right and from each other.
 *
 * Everything here may be called from any thread, a layers_check by one at a time; only judging may
 * be done by several at once. What right and wrong answers to each layer look like stands in
 * lib/answers/. */
#ifndef LAYERS_CHECK_H
#define LAYERS_CHECK_H

#include "layers/operation.h"

#ifdef __cplusplus
extern "C" {
#endif

#define LAYERS_MAX_CLAIMS (LAYERS_MAX_TENSORS + LAYERS_MAX_PARAMS)

/* What a check of an operation takes, and what can be claimed, each in the form of an operation
 * that a call can be filled in for, but not prepared or run. It points into itself: not to be
 * copied. */
typedef struct {
    const layers_operation *operation; /* that is asked about */
    /* Its inputs and parameters; of a backward, its forward's inputs and parameters and then its
     * own inputs ("dout"), and no cache. */
    layers_operation takes;
    /* Its outputs, as inputs, and the parameters that come back; none is required. */
    layers_operation claims;
    layers_field take[LAYERS_MAX_CLAIMS + 1], claim[LAYERS_MAX_TENSORS + 1];
    layers_param claim_params[LAYERS_MAX_PARAMS + 1];
} layers_question;

LAYERS_API void layers_question_make(layers_question *question, const layers_operation *operation);

typedef enum {
    LAYERS_RIGHT,
    LAYERS_UNDECIDED, /* these inputs cannot tell right from wrong */
    LAYERS_WRONG,
} layers_verdict;

/* "right", "undecided", "wrong". */
LAYERS_API extern const char *const layers_verdict_names[3];

/* What was found of one claim. The texts hold no value, index or distance of the right answer: only
 * words of a fixed list, and sizes that the caller sent. */
typedef struct {
    layers_verdict verdict;
    const char *fault;        /* static; NULL for none */
    char says[256];           /* a sentence; "" for none */
    bool has_worst;           /* whether the claim has elements, in the shape of the output */
    size_t at;                /* the worst one, counted in C order */
    double claimed, expected; /* there */
    double error, bound;      /* how far they are apart, and may be */
} layers_finding;

typedef struct layers_check layers_check;

/* Makes a check of what was asked: a call whose operation is `question->takes`, from which it takes
 * the inputs and parameters. Everything that can be wrong with a call is checked here, and nothing
 * allocated that is as large as a tensor. `precision`: in which the claims were computed,
 * LAYERS_F64 or LAYERS_F32; never more precise than `asked->dtype`. Errors are those of
 * layers_prepare, and LAYERS_MISSING_FIELD for what a call may draw and a check may not (a seed);
 * then *check is NULL.
 */
LAYERS_API layers_code layers_check_make(layers_check **check, const layers_question *question,
                                         layers_call *asked, layers_dtype precision,
                                         layers_error *error) __attribute__((warn_unused_result));

/* Memory that layers_check_run will take. */
LAYERS_API size_t layers_check_bytes(const layers_check *check);

/* Bytes of the right answer, in the call's dtype (layers_call.output_bytes). */
LAYERS_API size_t layers_check_result_bytes(const layers_check *check);

/* Arithmetic that the operation takes (layers_call.work), its forward included. */
LAYERS_API double layers_check_work(const layers_check *check);

/* Computes the right answer. `pool` may be NULL. LAYERS_TOO_LARGE, LAYERS_NO_MEMORY. */
LAYERS_API layers_code layers_check_run(layers_check *check, layers_pool *pool, layers_error *error)
    __attribute__((warn_unused_result));

/* Loosens a bound to max(bound, rtol · |right| + atol). */
typedef struct {
    double rtol, atol;
} layers_tolerance;

/* Judges a claim, by its place in `question->claims`: an input i, or LAYERS_MAX_TENSORS + i for a
 * parameter. A tensor is claim->tensor, LAYERS_F64 or LAYERS_F32, of whatever shape; another
 * parameter is given as in layers_call.params. `tolerance` may be NULL. All elements are compared
 * before anything is decided, whatever the first of them is like. LAYERS_NO_MEMORY. */
LAYERS_API layers_code layers_check_judge(const layers_check *check, int claim,
                                          const layers_value *value,
                                          const layers_tolerance *tolerance,
                                          layers_finding *finding, layers_error *error)
    __attribute__((warn_unused_result));

/* The i-th fault that claims of an operation are compared with, its own or, for NULL, one that
 * there may be of any: its code, and in `says` what it is, a sentence. Both static; several in a
 * row may share a code. NULL behind the last. */
LAYERS_API const char *layers_fault_at(const layers_operation *operation, size_t i,
                                       const char **says);

/* NULL is fine. */
LAYERS_API void layers_check_free(layers_check *check);

/* ---- challenges --------------------------------------------------------------------------------
 */

/* The name of an operation's i-th case; static. The first is "plain"; NULL behind the last. */
LAYERS_API const char *layers_challenge_case(const layers_operation *operation, size_t i);

/* Where the randomness of a challenge comes from: the next 32 bits. */
typedef struct {
    uint32_t (*next)(void *state);
    void *state;
} layers_source;

/* Draws the inputs of a case and computes the right answer: makes a check that has been run, whose
 * claims are never undecided, and fills `asked`, a call of `question->takes` in `dtype`, with what
 * was drawn. All numbers are multiples of 1/16. The same source gives the same inputs on every
 * machine. LAYERS_INVALID_PARAM for a case that the operation has not; LAYERS_NO_MEMORY. */
LAYERS_API layers_code layers_challenge_make(layers_check **check, const layers_question *question,
                                             const char *name, layers_dtype dtype,
                                             const layers_source *source, layers_call *asked,
                                             layers_error *error)
    __attribute__((warn_unused_result));

#ifdef __cplusplus
}
#endif
#endif
