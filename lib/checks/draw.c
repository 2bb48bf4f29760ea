/* Challenges: inputs are drawn until every fault that they can show is far from the right answer
 * and from the others. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "checks/judge.h"

enum { TRIES = 200 };

#define FAR  100.0 /* bounds */
#define STEP 16.0  /* numbers are multiples of 1 / STEP */

struct layers_drawing {
    const layers_source *source;
    layers_error *error;
    layers_code code; /* of the first thing that failed */
    layers_dims dims;
    layers_dtype dtype;
};

/* ---- drawing -----------------------------------------------------------------------------------
 */

/* Without bias: numbers behind the last whole multiple of n are drawn again. */
unsigned draw_below(layers_drawing *drawing, unsigned n) {
    uint32_t drawn, most = UINT32_MAX - UINT32_MAX % n;
    do
        drawn = drawing->source->next(drawing->source->state);
    while (drawn >= most);
    return drawn % n;
}

double draw_number(layers_drawing *drawing, double low, double high) {
    return low + draw_below(drawing, (unsigned)((high - low) * STEP) + 1) / STEP;
}

layers_dtype draw_dtype(const layers_drawing *drawing) {
    return drawing->dtype;
}

static double *draw_tensor(layers_drawing *drawing, layers_tensor *tensor, const char *pattern,
                           double low, double high) {
    size_t shape[LAYERS_MAX_RANK];
    int rank = dims_shape(&drawing->dims, pattern, shape);
    if (drawing->code == LAYERS_OK)
        drawing->code = layers_tensor_make(tensor, LAYERS_F64, shape, rank, drawing->error);
    if (drawing->code != LAYERS_OK)
        return NULL;
    double *to = tensor->data;
    for (size_t i = 0; i < tensor->size; i++)
        to[i] = draw_number(drawing, low, high);
    return to;
}

double *draw_param(layers_drawing *drawing, layers_call *asked, int param, double low,
                   double high) {
    layers_value *value = &asked->params[param];
    value->given = true;
    return draw_tensor(drawing, &value->tensor, asked->operation->params[param].shape, low, high);
}

void draw_set_number(layers_call *asked, int param, double number) {
    asked->params[param].given = true;
    asked->params[param].number = number;
}

void draw_set_choice(layers_call *asked, int param, int choice) {
    asked->params[param].given = true;
    asked->params[param].choice = choice;
}

static void draw_labels(layers_drawing *drawing, layers_tensor *tensor, const char *pattern) {
    size_t shape[LAYERS_MAX_RANK];
    int rank = dims_shape(&drawing->dims, pattern, shape);
    unsigned classes = (unsigned)dims_length(&drawing->dims, 'C');
    if (drawing->code == LAYERS_OK)
        drawing->code = layers_tensor_make(tensor, LAYERS_I64, shape, rank, drawing->error);
    for (size_t i = 0; drawing->code == LAYERS_OK && i < tensor->size; i++)
        ((int64_t *)tensor->data)[i] = draw_below(drawing, classes);
}

/* The lengths of a case; D is the product of a tail that the case has. */
static void set_lengths(layers_drawing *drawing, const layers_case *row) {
    layers_dims *dims = &drawing->dims;
    size_t product = 1;
    *dims = (layers_dims){.has_tail = row->tail[0] > 0};
    for (; row->tail[dims->tail_rank]; dims->tail_rank++)
        product *= dims->tail[dims->tail_rank] = row->tail[dims->tail_rank];
    for (int i = 0; i < LETTERS; i++)
        if (row->length[i])
            dims->dim[dims->count++] =
                (layers_dim){.letter = (char)('A' + i), .length = row->length[i]};
    if (dims->has_tail && !row->length[LETTER('D')])
        dims->dim[dims->count++] = (layers_dim){.letter = 'D', .length = product};
}

/* Draws the inputs from place `i` on that an operation has; returns the place behind. */
static int draw_inputs(layers_drawing *drawing, const layers_field *field, int i,
                       layers_call *asked) {
    for (; field->name && drawing->code == LAYERS_OK; field++, i++)
        if (field->labels)
            draw_labels(drawing, &asked->inputs[i], field->shape);
        else
            draw_tensor(drawing, &asked->inputs[i], field->shape, -2, 2);
    return i;
}

/* Gives the letters that follow from the parameters their lengths. */
static void derive(layers_drawing *drawing, const layers_operation *forward,
                   const layers_call *asked) {
    layers_call call = *asked;
    call.operation = forward;
    call.dims = drawing->dims;
    for (const layers_derived *d = forward->derived; d && d->letter; d++) {
        dims_derive(&drawing->dims, d->letter, d->length(&call));
        call.dims = drawing->dims;
    }
}

/* What `asked` holds is drawn anew. A backward's own inputs need lengths that follow from the
 * parameters, so these come before. */
static layers_code draw(layers_drawing *drawing, const layers_question *question,
                        const layers_case *row, layers_call *asked) {
    const layers_operation *operation = question->operation;
    bool backward = operation->cache == LAYERS_CACHE_TAKEN;
    const layers_operation *forward =
        backward ? layers_find(operation->layer, "forward") : operation;
    *asked = (layers_call){.operation = &question->takes, .dtype = LAYERS_F64};
    set_lengths(drawing, row);
    int count = draw_inputs(drawing, forward->inputs, 0, asked);
    if (row->adjust && drawing->code == LAYERS_OK)
        row->adjust(drawing, asked);
    if (backward && drawing->code == LAYERS_OK) {
        derive(drawing, forward, asked);
        draw_inputs(drawing, operation->inputs, count, asked);
    }
    return drawing->code;
}

/* ---- how far faults are apart ------------------------------------------------------------------
 */

/* What each fault gives in one output, one after the other, and the right answer in front. */
typedef struct {
    const layers_check *check;
    int output;
    size_t size, count;
    double *bound;
    double *values; /* (count, size) */
    const layers_fault **fault;
} spread;

/* The distance of two of them, in bounds: of the element in which they are farthest apart. */
static double distance(const spread *s, size_t a, size_t b) {
    double most = 0;
    for (size_t i = 0; i < s->size; i++) {
        double x = s->values[a * s->size + i], y = s->values[b * s->size + i];
        double apart = fabs(x - y) / (s->bound[i] + s->check->tiny);
        if (judged_agree(s->check, x, y, 0))
            apart = 0;
        else if (!isfinite(apart))
            apart = INFINITY;
        most = apart > most ? apart : most;
    }
    return most;
}

static bool is_near(const spread *s, size_t a, size_t b) {
    double apart = distance(s, a, b);
    return apart > 0.25 && apart < FAR;
}

/* Whether faults are either far away or not to be seen, and conventions the latter; two that share
 * a name need not be told apart. */
static bool is_separated(const spread *s) {
    for (size_t a = 1; a < s->count; a++) {
        if (is_near(s, 0, a) || (s->fault[a]->kind == FAULT_CONVENTION && distance(s, 0, a) > 0.25))
            return false;
        for (size_t b = a + 1; b < s->count; b++)
            if (strcmp(s->fault[a]->code, s->fault[b]->code) != 0 && is_near(s, a, b))
                return false;
    }
    return true;
}

static layers_code fill_fault(spread *s, const layers_fault *fault, layers_error *error) {
    fault_view view = {s->check, fault, s->output, NULL};
    size_t memo = s->check->answers->memo ? s->check->answers->memo(&view) : 0;
    if (memo > 0 && !(view.memo = calloc(memo, sizeof *view.memo)))
        return layers_fail(error, LAYERS_NO_MEMORY, NULL, "no memory for a challenge");
    s->fault[s->count] = fault;
    fault->fill(&view, 0, s->size, s->values + s->count++ * s->size);
    free(view.memo);
    return LAYERS_OK;
}

static layers_code fill_faults(spread *s, layers_error *error) {
    const layers_check *check = s->check;
    const layers_fault *fault = check->answers->faults;
    layers_code code = LAYERS_OK;
    memcpy(s->values, check_values(check, s->output), s->size * sizeof *s->values);
    check->answers->bound(check, s->output, 0, s->size, s->bound);
    for (; code == LAYERS_OK && fault->code; fault++)
        if (fault->outputs & CLAIM_BIT(s->output) && (!fault->applies || fault->applies(check)))
            code = fill_fault(s, fault, error);
    return code;
}

static layers_code measure(const layers_check *check, int output, bool *good, layers_error *error) {
    size_t faults = 0, size = check_right(check, output)->size;
    while (check->answers->faults[faults].code)
        faults++;
    spread s = {check, output, size, 1, NULL, NULL, NULL};
    s.values = malloc((faults + 2) * size * sizeof *s.values + 1);
    s.fault = calloc(faults + 1, sizeof *s.fault);
    if (!s.values || !s.fault) {
        free(s.values);
        free(s.fault);
        return layers_fail(error, LAYERS_NO_MEMORY, NULL, "no memory for a challenge");
    }
    s.bound = s.values + (faults + 1) * size;
    layers_code code = fill_faults(&s, error);
    *good = code == LAYERS_OK && is_separated(&s);
    free(s.values);
    free(s.fault);
    return code;
}

/* Of all outputs. */
static layers_code measure_all(const layers_check *check, bool *good, layers_error *error) {
    const layers_operation *operation = check->operation;
    layers_code code = LAYERS_OK;
    *good = true;
    for (int i = 0; operation->outputs[i].name && *good && code == LAYERS_OK; i++)
        code = measure(check, i, good, error);
    for (int i = 0; operation->params_back && operation->params[i].name && *good; i++)
        if (operation->params[i].kind == LAYERS_TENSOR && code == LAYERS_OK)
            code = measure(check, CLAIM_PARAM(i), good, error);
    return code;
}

/* ---- a challenge -------------------------------------------------------------------------------
 */

const char *layers_challenge_case(const layers_operation *operation, size_t i) {
    return operation->answers ? operation->answers->cases[i].name : NULL;
}

/* What was drawn, to be given away: tensors of the dtype that is wanted. */
static layers_code narrow(layers_tensor *tensor, layers_dtype dtype, layers_error *error) {
    layers_tensor own;
    if (tensor->dtype != LAYERS_F64 || dtype == LAYERS_F64)
        return LAYERS_OK;
    layers_code code = layers_tensor_make(&own, dtype, tensor->shape, tensor->rank, error);
    if (code != LAYERS_OK)
        return code;
    for (size_t i = 0; i < tensor->size; i++)
        ((float *)own.data)[i] = (float)((const double *)tensor->data)[i];
    layers_tensor_clear(tensor);
    *tensor = own;
    return LAYERS_OK;
}

static layers_code give_away(const layers_call *drawn, layers_dtype dtype, layers_call *asked,
                             layers_error *error) {
    layers_code code = LAYERS_OK;
    *asked = *drawn;
    asked->dtype = dtype;
    for (int i = 0; i < LAYERS_MAX_TENSORS; i++)
        asked->inputs[i] = layers_tensor_share(&drawn->inputs[i]);
    for (int i = 0; i < LAYERS_MAX_PARAMS; i++)
        asked->params[i].tensor = layers_tensor_share(&drawn->params[i].tensor);
    for (int i = 0; i < LAYERS_MAX_TENSORS && code == LAYERS_OK; i++)
        code = narrow(&asked->inputs[i], dtype, error);
    for (int i = 0; i < LAYERS_MAX_PARAMS && code == LAYERS_OK; i++)
        code = narrow(&asked->params[i].tensor, dtype, error);
    return code;
}

/* One try: *good tells whether it will do. */
static layers_code try(layers_check **check, const layers_question *question,
                       layers_drawing *drawing, const layers_case *row, layers_dtype dtype,
                       layers_call *asked, bool *good) {
    layers_error *error = drawing->error;
    layers_call drawn;
    layers_code code = draw(drawing, question, row, &drawn);
    if (code == LAYERS_OK)
        code = give_away(&drawn, dtype, asked, error);
    if (code == LAYERS_OK)
        code = layers_check_make(check, question, &drawn, dtype, error);
    if (code == LAYERS_OK)
        code = layers_check_run(*check, NULL, error);
    if (code == LAYERS_OK) {
        (*check)->is_challenge = true;
        (*check)->rounded = false; /* multiples of 1/16 need no rounding */
        code = measure_all(*check, good, error);
    }
    layers_call_clear(&drawn);
    return code;
}

layers_code layers_challenge_make(layers_check **check, const layers_question *question,
                                  const char *name, layers_dtype dtype, const layers_source *source,
                                  layers_call *asked, layers_error *error) {
    const layers_operation *operation = question->operation;
    const layers_case *row = operation->answers->cases;
    layers_drawing drawing = {.source = source, .error = error, .dtype = dtype};
    bool good = false;
    *check = NULL;
    *asked = (layers_call){0};
    while (row->name && strcmp(row->name, name) != 0)
        row++;
    if (!row->name)
        return layers_fail(error, LAYERS_INVALID_PARAM, "case", "%s/%s has no case \"%.40s\"",
                           operation->layer, operation->name, name);
    for (int i = 0; i < TRIES; i++) {
        layers_code code = try(check, question, &drawing, row, dtype, asked, &good);
        if (code == LAYERS_OK && good)
            return LAYERS_OK;
        layers_check_free(*check);
        layers_call_clear(asked);
        *check = NULL;
        *asked = (layers_call){0};
        if (code != LAYERS_OK)
            return code;
    }
    return layers_fail(error, LAYERS_TOO_LARGE, NULL,
                       "%s/%s, case %s: no inputs were found that tell all faults apart",
                       operation->layer, operation->name, name);
}
