/* A check from what is asked to the right answer. */
#include "checks/check.h"

#include <float.h>
#include <stdlib.h>
#include <string.h>

#include "buffer.h"

const char *const layers_verdict_names[] = {"right", "undecided", "wrong"};

/* ---- making one --------------------------------------------------------------------------------
 */

static void move(layers_tensor *to, layers_tensor *from) {
    *to = *from;
    *from = (layers_tensor){0};
}

/* The caller's tensors become the check's: forward's inputs stand first, then backward's. */
static void take_over(layers_check *check, layers_call *asked) {
    int i = 0;
    for (int f = 0; check->forward.operation->inputs[f].name; f++)
        move(&check->forward.inputs[f], &asked->inputs[i++]);
    for (int b = 0; check->backward.operation && check->backward.operation->inputs[b].name; b++)
        move(&check->backward.inputs[b], &asked->inputs[i++]);
    for (int p = 0; p < LAYERS_MAX_PARAMS; p++) {
        check->forward.params[p] = asked->params[p];
        asked->params[p].tensor = (layers_tensor){0};
    }
}

/* Everything that can be wrong with the calls, in their own dtype. */
static layers_code prepare(layers_check *check, layers_error *error) {
    layers_code code = layers_prepare(&check->forward, error);
    if (code != LAYERS_OK || !check->backward.operation)
        return code;
    if ((code = cache_plan(&check->forward, error)) != LAYERS_OK)
        return code;
    layers_cache_unref(check->backward.cache);
    check->backward.cache = layers_cache_ref(check->forward.cache);
    return layers_prepare(&check->backward, error);
}

static void set_precision(layers_check *check, layers_dtype asked, layers_dtype precision) {
    bool wide = precision == LAYERS_F64;
    check->precision = precision;
    check->unit = wide ? 0x1p-53 : 0x1p-24;
    check->tiny = wide ? DBL_MIN : FLT_MIN;
    check->huge = wide ? DBL_MAX : FLT_MAX;
    check->rounded = asked == LAYERS_F64 && !wide;
}

layers_code layers_check_make(layers_check **made, const layers_question *question,
                              layers_call *asked, layers_dtype precision, layers_error *error) {
    const layers_operation *operation = question->operation;
    layers_check *check = calloc(1, sizeof *check);
    *made = NULL;
    if (!check)
        return layers_fail(error, LAYERS_NO_MEMORY, NULL, "no memory for a check");
    bool backward = operation->cache == LAYERS_CACHE_TAKEN;
    check->operation = operation;
    check->answers = operation->answers;
    check->forward.operation = backward ? layers_find(operation->layer, "forward") : operation;
    check->backward.operation = backward ? operation : NULL;
    check->forward.dtype = check->backward.dtype = asked->dtype;
    check->asked = backward ? &check->backward : &check->forward;
    set_precision(check, asked->dtype, asked->dtype == LAYERS_F32 ? LAYERS_F32 : precision);
    take_over(check, asked);
    layers_code code = prepare(check, error);
    if (code == LAYERS_OK && check->answers->needs)
        code = check->answers->needs(&check->forward, error);
    if (code != LAYERS_OK) {
        layers_check_free(check);
        return code;
    }
    *made = check;
    return LAYERS_OK;
}

size_t layers_check_result_bytes(const layers_check *check) {
    return check->asked->output_bytes;
}

double layers_check_work(const layers_check *check) {
    return check->forward.work + check->backward.work;
}

/* ---- running it --------------------------------------------------------------------------------
 */

static size_t add(size_t a, size_t b) {
    return __builtin_add_overflow(a, b, &a) ? SIZE_MAX : a;
}

static size_t double_bytes(size_t count) {
    size_t bytes;
    return __builtin_mul_overflow(count, sizeof(double), &bytes) ? SIZE_MAX : bytes;
}

/* The tensors of a call that are wider as float64, and its results. */
static size_t call_bytes(const layers_call *call) {
    size_t bytes = 0;
    bool widens = call->dtype == LAYERS_F32;
    if (!call->operation)
        return 0;
    for (int i = 0; call->operation->inputs[i].name && widens; i++)
        bytes = add(bytes, double_bytes(call->inputs[i].size));
    for (int i = 0; call->operation->outputs[i].name; i++)
        bytes = add(bytes, double_bytes(call->outputs[i].size));
    for (int i = 0; call->operation->params && call->operation->params[i].name; i++)
        if (call->operation->params[i].kind == LAYERS_TENSOR)
            bytes = add(
                bytes, double_bytes(add(call->params[i].tensor.size, call->params[i].tensor.size)));
    return bytes;
}

/* Whether there is an element that can be claimed. */
static bool has_elements(const layers_check *check) {
    const layers_operation *operation = check->operation;
    bool any = false;
    for (int i = 0; operation->outputs[i].name; i++)
        any |= check->asked->outputs[i].size > 0;
    for (int i = 0; operation->params_back && operation->params[i].name; i++)
        any |= check->asked->params[i].tensor.size > 0;
    return any;
}

/* None where nothing can be claimed: lengths may be as large as they like there. */
static size_t note_count(const layers_check *check) {
    return check->answers->notes && has_elements(check) ? check->answers->notes(check) : 0;
}

/* Faults are looked at one after another: what the largest remembers, of any output. */
static size_t memo_most(const layers_check *check) {
    size_t most = 0;
    if (!check->answers->memo || !has_elements(check))
        return 0;
    for (const layers_fault *fault = check->answers->faults; fault->code; fault++)
        for (int output = 0; output < LAYERS_MAX_CLAIMS; output++) {
            const fault_view view = {check, fault, output, NULL};
            size_t memo = fault->outputs & CLAIM_BIT(output) ? check->answers->memo(&view) : 0;
            most = memo > most ? memo : most;
        }
    return most;
}

size_t layers_check_bytes(const layers_check *check) {
    size_t own = check->forward.operation->saved ? cache_own_bytes(&check->forward) : 0;
    size_t more = double_bytes(add(note_count(check), memo_most(check)));
    return add(add(add(call_bytes(&check->forward), call_bytes(&check->backward)), own), more);
}

/* Makes a tensor of float64 from one of float32. */
static layers_code widen(layers_tensor *tensor, layers_error *error) {
    layers_tensor wide;
    if (tensor->dtype != LAYERS_F32)
        return LAYERS_OK;
    layers_code code = layers_tensor_make(&wide, LAYERS_F64, tensor->shape, tensor->rank, error);
    if (code != LAYERS_OK)
        return code;
    const float *from = tensor->data;
    double *to = wide.data;
    for (size_t i = 0; i < tensor->size; i++)
        to[i] = from[i];
    layers_tensor_clear(tensor);
    *tensor = wide;
    return LAYERS_OK;
}

static layers_code widen_inputs(layers_call *call, layers_error *error) {
    layers_code code = LAYERS_OK;
    for (int i = 0; call->operation && call->operation->inputs[i].name && code == LAYERS_OK; i++)
        code = widen(&call->inputs[i], error);
    call->dtype = LAYERS_F64;
    return code;
}

/* A parameter that is a tensor and was not given becomes one of zeros; what was given is held on
 * to, so that the run leaves it as it is. */
static layers_code keep_param(layers_check *check, int i, layers_error *error) {
    layers_tensor *tensor = &check->forward.params[i].tensor;
    layers_code code = LAYERS_OK;
    if (!tensor->data) {
        code = layers_tensor_make(tensor, LAYERS_F64, tensor->shape, tensor->rank, error);
        if (code == LAYERS_OK && tensor->data && tensor->size > 0)
            memset(tensor->data, 0, double_bytes(tensor->size));
    } else {
        code = widen(tensor, error);
    }
    if (code == LAYERS_OK)
        check->before[i] = layers_tensor_share(tensor);
    return code;
}

static layers_code keep_params(layers_check *check, layers_error *error) {
    const layers_param *param = check->forward.operation->params;
    layers_code code = LAYERS_OK;
    for (int i = 0; param && param[i].name && code == LAYERS_OK; i++)
        if (param[i].kind == LAYERS_TENSOR)
            code = keep_param(check, i, error);
    return code;
}

static layers_code compute(layers_check *check, layers_error *error) {
    layers_code code = layers_run(&check->forward, error);
    if (code != LAYERS_OK || !check->backward.operation)
        return code;
    layers_cache_unref(check->backward.cache);
    check->backward.cache = layers_cache_ref(check->forward.cache);
    if ((code = layers_prepare(&check->backward, error)) == LAYERS_OK)
        code = layers_run(&check->backward, error);
    return code;
}

static layers_code take_notes(layers_check *check, layers_error *error) {
    size_t count = note_count(check);
    if (count == 0)
        return LAYERS_OK;
    check->notes = calloc(count, sizeof *check->notes);
    if (!check->notes)
        return layers_fail(error, LAYERS_NO_MEMORY, NULL, "no memory for a check");
    check->answers->note(check, check->notes);
    return LAYERS_OK;
}

layers_code layers_check_run(layers_check *check, layers_pool *pool, layers_error *error) {
    layers_code code = widen_inputs(&check->forward, error);
    check->forward.pool = check->backward.pool = pool;
    if (code == LAYERS_OK)
        code = widen_inputs(&check->backward, error);
    if (code == LAYERS_OK)
        code = keep_params(check, error);
    if (code == LAYERS_OK)
        code = prepare(check, error);
    if (code == LAYERS_OK)
        code = compute(check, error);
    return code == LAYERS_OK ? take_notes(check, error) : code;
}

void layers_check_free(layers_check *check) {
    if (!check)
        return;
    for (int i = 0; i < LAYERS_MAX_PARAMS; i++)
        layers_tensor_clear(&check->before[i]);
    layers_call_clear(&check->forward);
    layers_call_clear(&check->backward);
    free(check->notes);
    free(check);
}
