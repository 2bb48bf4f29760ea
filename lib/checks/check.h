/* What the files of lib/answers/ see of a check, and what they say of a layer: of each operation
 * its bound, its faults, and the cases of its challenges. */
#ifndef CHECKS_CHECK_H
#define CHECKS_CHECK_H

#include "call.h"
#include "layers/check.h"

struct layers_check {
    const layers_operation *operation; /* that is asked about */
    const layers_answers *answers;
    /* Both in LAYERS_F64, and run: their outputs are the right answers. */
    layers_call forward;  /* or the only one, of a loss or an update */
    layers_call backward; /* its operation is NULL where there is none */
    layers_call *asked;   /* the one of the two that is asked about */
    /* The tensors that are parameters of forward as they were before it, zeros where absent. */
    layers_tensor before[LAYERS_MAX_PARAMS];
    layers_dtype precision; /* of the claims */
    double unit;            /* roundoff of it: half of what NumPy calls eps */
    double tiny, huge;      /* its least normal number, its largest */
    bool rounded;           /* the claims' inputs may have been rounded to it first */
    bool is_challenge;
    double *notes; /* the layer's own: see layers_answers.note */
};

/* Outputs are counted as claims are: outputs of the operation from 0 on, parameters that come back
 * from CLAIM_PARAM(0) on. */
#define CLAIM_PARAM(i) (LAYERS_MAX_TENSORS + (i))
#define CLAIM_BIT(i)   (1U << (i))

/* ---- what there is to look at ------------------------------------------------------------------
 */

/* A length by its letter. */
static inline size_t check_length(const layers_check *check, char letter) {
    return dims_length(&check->forward.dims, letter);
}

/* An input of forward, or of what is asked where there is but one. */
static inline const double *check_input(const layers_check *check, int i) {
    return check->forward.inputs[i].data;
}

/* The gradient that backward takes. */
static inline const double *check_dout(const layers_check *check) {
    return check->backward.inputs[0].data;
}

/* A parameter that is a number, and one that is a choice. */
static inline double check_number(const layers_check *check, int i) {
    return check->forward.params[i].number;
}
static inline int check_choice(const layers_check *check, int i) {
    return check->forward.params[i].choice;
}

/* A parameter that is a tensor, as it was given; zeros where it was not. */
static inline const double *check_before(const layers_check *check, int i) {
    return check->before[i].data;
}

/* The right answer: an output of what is asked, or a tensor that comes back. */
static inline const layers_tensor *check_right(const layers_check *check, int output) {
    return output < LAYERS_MAX_TENSORS ? &check->asked->outputs[output]
                                       : &check->asked->params[output - LAYERS_MAX_TENSORS].tensor;
}
static inline const double *check_values(const layers_check *check, int output) {
    return check_right(check, output)->data;
}

/* ---- what a file of lib/answers/ says ----------------------------------------------------------
 */

typedef enum {
    FAULT_PLAIN,
    /* Shown by inputs that are made for it alone (a NaN, windows that overlap, H ≠ W): where it
     * does not show, a right claim is right and not undecided. */
    FAULT_SPECIAL,
    /* What implementations that people call right do too, with inputs such as ties: a claim that
     * agrees with it is undecided. Challenges avoid such inputs. */
    FAULT_CONVENTION,
} fault_kind;

typedef struct layers_fault layers_fault;

/* A fault that is looked at in one output. */
typedef struct {
    const layers_check *check;
    const layers_fault *fault;
    int output;
    double *memo; /* as many numbers as layers_answers.memo says, zeros at first */
} fault_view;

/* Sets to[0 .. count) to what the fault gives for the elements from `first` on of the view's
 * output, in C order. Accurate to the claims' precision; called for pieces in any order. */
typedef void fault_fill(const fault_view *view, size_t first, size_t count, double *to);

struct layers_fault {
    const char *code; /* NULL ends a list; several in a row may share one */
    const char *says; /* a sentence for the student, without a value */
    unsigned outputs; /* CLAIM_BIT of each output in which it shows */
    fault_kind kind;
    int variant;     /* for `fill` */
    const void *how; /* the same */
    /* Whether the call is such that it can be made; NULL: always. */
    bool (*applies)(const layers_check *check);
    fault_fill *fill;
};

typedef struct layers_drawing layers_drawing;

enum { LETTERS = 26 };
#define LETTER(letter) ((letter) - 'A')

/* A case of challenges. Every input is drawn from [−2, 2] in multiples of 1/16, labels from their
 * classes, gradients as inputs; then `adjust` may do what it likes. */
typedef struct {
    const char *name;                    /* NULL ends a list */
    unsigned char length[LETTERS];       /* of each letter: [LETTER('N')] = 5 */
    unsigned char tail[LAYERS_MAX_RANK]; /* of "D..." and "...": what is not 0 */
    void (*adjust)(layers_drawing *drawing, layers_call *asked); /* NULL: nothing to do */
} layers_case;

struct layers_answers {
    /* Sets bound[0 .. count) to how far a right claim's elements may be from the right ones, from
     * `first` on, of an output; infinity where these inputs cannot tell. 4 times what arithmetic in
     * any order can lose, and check->tiny times 4. */
    void (*bound)(const layers_check *check, int output, size_t first, size_t count, double *bound);
    /* What bounds and faults need of the inputs, worked out once after the right answer: how many
     * numbers, and setting them (they are zeros before). Both may be NULL. */
    size_t (*notes)(const layers_check *check);
    void (*note)(const layers_check *check, double *notes);
    /* Numbers that a fault may remember from one piece to the next. May be NULL. */
    size_t (*memo)(const fault_view *view);
    /* Whether faults can be looked for in a time that a check may take; NULL: always. */
    bool (*in_reach)(const layers_check *check);
    const layers_fault *faults; /* ended by a NULL code */
    const layers_case *cases;   /* ended by a NULL name */
    /* Why an infinite bound cannot tell, as a sentence; NULL where only numbers too large make one.
     */
    const char *unclear;
    /* More about a claim of another shape, as a sentence; NULL, or NULL for nothing to say. */
    const char *(*shape_says)(const layers_check *check, int output, const layers_tensor *claim);
    /* What a check needs beyond layers_prepare; may be NULL. */
    layers_code (*needs)(const layers_call *forward, layers_error *error);
};

/* ---- for `adjust` ------------------------------------------------------------------------------
 */

/* A number from 0 to below n. */
unsigned draw_below(layers_drawing *drawing, unsigned n);

/* A multiple of 1/16 from `low` to `high`, both multiples themselves. */
double draw_number(layers_drawing *drawing, double low, double high);

/* That of the challenge. What is drawn is float64 until it is given away: in float32 it has to be
 * a number there too. */
layers_dtype draw_dtype(const layers_drawing *drawing);

/* Makes a parameter that is a tensor, drawn from `low` to `high`; returns its elements, NULL where
 * there is no memory (the engine sees it too). */
double *draw_param(layers_drawing *drawing, layers_call *asked, int param, double low, double high);

/* Sets a parameter that is a number, or a choice. */
void draw_set_number(layers_call *asked, int param, double number);
void draw_set_choice(layers_call *asked, int param, int choice);

#endif
