/* One call of an operation, from its description: checks, sizes, then the layer's own function. */
#include "call.h"

#include "buffer.h"
#include "mask.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* Nanoseconds of work from which helpers are asked. Measured on two cores of Zen 3, in a virtual
 * machine: to ask costs 0.3 µs where a helper is awake (one is for 60 µs after its last job) and
 * 5 µs where it sleeps and comes too late. A relu of 50,000 float64s takes 15 µs alone and 12 with
 * an awake helper; one of 16,000 takes 4 µs alone, and no less with any. */
enum { PARALLEL_FROM = 10000 };

/* A scalar has a size, if no dimensions. */
static bool is_given(const layers_tensor *tensor) {
    return tensor->rank > 0 || tensor->size > 0;
}

/* "bn_param/eps" */
static const char *param_field(const layers_call *call, const layers_param *param, char text[64]) {
    snprintf(text, 64, "%s/%s", call->operation->params_name, param->name);
    return text;
}

static layers_code check_tensor(const layers_call *call, const char *field,
                                const layers_tensor *tensor, layers_dtype dtype,
                                layers_error *error) {
    if (!is_given(tensor))
        return layers_fail(error, LAYERS_MISSING_FIELD, field, "%s/%s needs /%s",
                           call->operation->layer, call->operation->name, field);
    if (tensor->dtype != dtype)
        return layers_fail(error, LAYERS_WRONG_TYPE, field, "/%s is %s, but this call needs %s",
                           field, layers_dtype_name(tensor->dtype), layers_dtype_name(dtype));
    return LAYERS_OK;
}

static layers_code check_number(const layers_call *call, const layers_param *param, double number,
                                layers_error *error) {
    bool low = param->open_minimum ? !(number > param->minimum) : !(number >= param->minimum);
    bool high = param->open_maximum ? !(number < param->maximum) : !(number <= param->maximum);
    bool integral = param->kind != LAYERS_INTEGER || number == floor(number);
    if (!low && !high && integral)
        return LAYERS_OK;
    char field[64], upper[48] = "";
    if (param->maximum < 1e300)
        snprintf(upper, sizeof upper, " and %s %.16g", param->open_maximum ? "below" : "at most",
                 param->maximum);
    param_field(call, param, field);
    return layers_fail(
        error, LAYERS_INVALID_PARAM, field, "/%s is %.17g, but must be %s %s %.17g%s: %s", field,
        number, param->kind == LAYERS_INTEGER ? "an integer" : "a finite number",
        param->open_minimum ? "above" : "of at least", param->minimum, upper, param->summary);
}

static layers_code check_tensor_param(layers_call *call, int i, const char *field,
                                      layers_error *error) {
    const layers_param *param = &call->operation->params[i];
    layers_value *value = &call->params[i];
    const layers_tensor *tensor = &value->tensor;
    bool mask = param->kind == LAYERS_MASK;
    value->given = is_given(tensor);
    if (!value->given)
        return LAYERS_OK;
    layers_code code = mask ? mask_check_dtype(tensor, field, error)
                            : check_tensor(call, field, tensor, call->dtype, error);
    if (code == LAYERS_OK)
        code = dims_match(&call->dims, &(dims_subject){param->shape, param->name, field, tensor},
                          error);
    return code == LAYERS_OK && mask ? mask_check_values(tensor, field, error) : code;
}

static layers_code check_scalar_param(layers_call *call, int i, const char *field,
                                      layers_error *error) {
    const layers_param *param = &call->operation->params[i];
    layers_value *value = &call->params[i];
    if (!value->given && param->required)
        return layers_fail(error, LAYERS_MISSING_FIELD, field, "%s/%s needs /%s: %s",
                           call->operation->layer, call->operation->name, field, param->summary);
    if (!value->given && param->has_fallback) {
        value->given = true;
        value->number = param->fallback;
    }
    if (value->given && param->kind != LAYERS_CHOICE)
        return check_number(call, param, value->number, error);
    return LAYERS_OK;
}

static bool gives(const layers_call *call, const char *name) {
    int i = 0;
    while (strcmp(call->operation->params[i].name, name) != 0)
        i++;
    return call->params[i].given;
}

static layers_code check_param(layers_call *call, int i, layers_error *error) {
    const layers_param *param = &call->operation->params[i];
    char field[64];
    param_field(call, param, field);
    layers_code code = layers_is_tensor(param) ? check_tensor_param(call, i, field, error)
                                               : check_scalar_param(call, i, field, error);
    if (code == LAYERS_OK && param->instead_of && call->params[i].given &&
        gives(call, param->instead_of))
        return layers_fail(
            error, LAYERS_INVALID_PARAM, field,
            "/%s stands in the place of /%s/%s: one of the two may be given, not both", field,
            call->operation->params_name, param->instead_of);
    return code;
}

static layers_code check_cache(layers_call *call, layers_error *error) {
    const layers_operation *operation = call->operation;
    const layers_cache *cache = call->cache;
    if (!cache)
        return layers_fail(error, LAYERS_MISSING_FIELD, "cache",
                           "%s/%s needs the cache that %s/forward gave", operation->layer,
                           operation->name, operation->layer);
    if (strcmp(cache->operation->layer, operation->layer) != 0)
        return layers_fail(error, LAYERS_WRONG_CACHE, "cache",
                           "the cache was given by %s/%s and is of no use to %s/%s",
                           cache->operation->layer, cache->operation->name, operation->layer,
                           operation->name);
    if (cache->dtype != call->dtype)
        return layers_fail(error, LAYERS_INVALID_PARAM, "dtype",
                           "/dtype is %s, but the cache was given in %s",
                           layers_dtype_name(call->dtype), layers_dtype_name(cache->dtype));
    layers_dims *dims = &call->dims;
    dims->count = cache->dim_count;
    memcpy(dims->dim, cache->dim, sizeof dims->dim);
    dims->has_tail = cache->has_tail;
    dims->tail_rank = cache->tail_rank;
    memcpy(dims->tail, cache->tail, (size_t)cache->tail_rank * sizeof *dims->tail);
    return LAYERS_OK;
}

/* Gives a tensor the shape of its pattern, without memory, and adds its bytes to *total. */
static layers_code plan(const layers_call *call, const char *pattern, layers_dtype dtype,
                        layers_tensor *tensor, size_t *total) {
    size_t bytes;
    tensor->dtype = dtype;
    tensor->rank = dims_shape(&call->dims, pattern, tensor->shape);
    if (!layers_shape_size(tensor->shape, tensor->rank, &tensor->size) ||
        !layers_dtype_bytes(dtype, tensor->size, &bytes) ||
        __builtin_add_overflow(*total, bytes, total))
        return LAYERS_TOO_LARGE;
    return LAYERS_OK;
}

/* Appends ": P = ..." for what a pattern has of derived lengths. */
static void add_formulas(const layers_operation *operation, const char *pattern, char *text,
                         size_t size) {
    const layers_derived *derived = operation->derived;
    for (int n = 0; derived && derived->letter; derived++) {
        size_t used = strlen(text);
        if (strchr(pattern, derived->letter))
            snprintf(text + used, size - used, "%s %c = %s", n++ ? "," : ":", derived->letter,
                     derived->formula);
    }
}

static layers_code too_large(const layers_call *call, int i, layers_error *error) {
    const layers_field *field = &call->operation->outputs[i];
    const layers_tensor *tensor = &call->outputs[i];
    char shape[128], formulas[160] = "";
    add_formulas(call->operation, field->shape, formulas, sizeof formulas);
    return layers_fail(
        error, LAYERS_TOO_LARGE, NULL, "%s would have shape %s, which is too large%s", field->name,
        layers_shape_text(tensor->shape, tensor->rank, shape, sizeof shape), formulas);
}

/* The outputs, and the parameters that are tensors: given or not, they come back. */
static layers_code plan_outputs(layers_call *call, layers_error *error) {
    call->output_bytes = 0;
    for (int i = 0; call->operation->outputs[i].name; i++) {
        const layers_field *field = &call->operation->outputs[i];
        layers_tensor *tensor = &call->outputs[i];
        size_t spared = 0, *total = call_wants(call, i) ? &call->output_bytes : &spared;
        if (plan(call, field->shape, call->dtype, tensor, total) != LAYERS_OK)
            return too_large(call, i, error);
    }
    for (int i = 0; call->operation->params && call->operation->params[i].name; i++) {
        const layers_param *param = &call->operation->params[i];
        if (param->kind == LAYERS_TENSOR &&
            plan(call, param->shape, call->dtype, &call->params[i].tensor, &call->output_bytes) !=
                LAYERS_OK)
            return layers_fail(error, LAYERS_TOO_LARGE, NULL, "%s would be too large", param->name);
    }
    return LAYERS_OK;
}

/* The buffer that a saved tensor shares; NULL for one of its own. */
static const layers_buffer *shared_buffer(const layers_call *call, int i) {
    const layers_saved *saved = &call->operation->saved[i];
    return saved->shape ? NULL : call_input(call, saved->name)->buffer;
}

static bool is_counted(const layers_call *call, int i) {
    for (int j = 0; j < i; j++)
        if (shared_buffer(call, j) == shared_buffer(call, i))
            return true;
    return false;
}

/* Memory of an input that the cache shares, once: also of one whose memory is still to come. */
static size_t shared_bytes(const layers_call *call, int i) {
    const layers_tensor *input = call_input(call, call->operation->saved[i].name);
    size_t bytes = 0;
    if (input->buffer)
        return is_counted(call, i) ? 0 : layers_buffer_bytes(input->buffer);
    if (!input->data)
        layers_dtype_bytes(input->dtype, input->size, &bytes);
    return bytes;
}

static layers_code plan_cache(layers_call *call, layers_error *error) {
    call->cache_bytes = sizeof *call->cache + sizeof(size_t) * (size_t)call->dims.tail_rank;
    for (int i = 0; call->operation->saved[i].name; i++) {
        const layers_saved *saved = &call->operation->saved[i];
        layers_tensor own = {0};
        if (!saved->shape)
            call->cache_bytes += shared_bytes(call, i);
        else if (plan(call, saved->shape, saved->dtype, &own, &call->cache_bytes) != LAYERS_OK)
            return layers_fail(error, LAYERS_TOO_LARGE, NULL, "the cache would be too large");
    }
    return LAYERS_OK;
}

static double work_of(const layers_call *call) {
    const layers_operation *operation = call->operation;
    double work = 0;
    if (operation->work.lengths) {
        work = operation->work.times;
        for (const char *letter = operation->work.lengths; *letter; letter++)
            work *= *letter == ' ' ? 1 : (double)dims_length(&call->dims, *letter);
        return work;
    }
    for (int i = 0; operation->inputs[i].name; i++)
        work += (double)call->inputs[i].size;
    for (int i = 0; operation->outputs[i].name; i++)
        work += (double)call->outputs[i].size;
    return work;
}

layers_code layers_prepare(layers_call *call, layers_error *error) {
    const layers_operation *operation = call->operation;
    layers_code code;
    call->dims.count = 0;
    call->dims.has_tail = false;
    call->dims.tail_rank = 0;
    if (operation->cache == LAYERS_CACHE_TAKEN && (code = check_cache(call, error)) != LAYERS_OK)
        return code;
    for (int i = 0; operation->inputs[i].name; i++) {
        const layers_field *field = &operation->inputs[i];
        code = check_tensor(call, field->name, &call->inputs[i],
                            field->labels ? LAYERS_I64 : call->dtype, error);
        if (code == LAYERS_OK)
            code = dims_match(
                &call->dims,
                &(dims_subject){field->shape, field->name, field->name, &call->inputs[i]}, error);
        if (code != LAYERS_OK)
            return code;
    }
    for (int i = 0; operation->params && operation->params[i].name; i++)
        if ((code = check_param(call, i, error)) != LAYERS_OK)
            return code;
    if (operation->check && (code = operation->check(call, error)) != LAYERS_OK)
        return code;
    for (const layers_derived *derived = operation->derived; derived && derived->letter; derived++)
        dims_derive(&call->dims, derived->letter, derived->length(call));
    if ((code = plan_outputs(call, error)) != LAYERS_OK)
        return code;
    call->work = work_of(call);
    call->cache_bytes = 0;
    return operation->saved ? plan_cache(call, error) : LAYERS_OK;
}

bool call_wants(const layers_call *call, int i) {
    return !call->unwanted[i] || !call->operation->outputs[i].apart;
}

layers_pool *call_pool(const layers_call *call, size_t elements, double nanoseconds) {
    return (double)elements * nanoseconds >= PARALLEL_FROM ? call->pool : NULL;
}

layers_code call_needs_rows(const layers_call *call, layers_error *error) {
    if (dims_length(&call->dims, 'N') > 0)
        return LAYERS_OK;
    const char *name = call->operation->inputs[0].name;
    return layers_fail(error, LAYERS_INVALID_SHAPE, name,
                       "%s has no rows (N = 0), and %s/%s divides by their number", name,
                       call->operation->layer, call->operation->name);
}

/* Gives a parameter that goes back memory of the call's own to do so in: the one it came in, where
 * nobody else holds that. */
static layers_code renew_param(layers_value *value, layers_error *error) {
    layers_tensor *tensor = &value->tensor, own;
    if (value->given && layers_tensor_is_sole(tensor)) {
        value->before = layers_tensor_share(tensor);
        return LAYERS_OK;
    }
    layers_code code = layers_tensor_make(&own, tensor->dtype, tensor->shape, tensor->rank, error);
    if (code != LAYERS_OK)
        return code;
    size_t bytes = 0;
    layers_dtype_bytes(own.dtype, own.size, &bytes);
    if (!value->given)
        memset(own.data, 0, bytes);
    value->before = value->given ? *tensor : layers_tensor_share(&own);
    *tensor = own;
    value->given = true;
    return LAYERS_OK;
}

static layers_code renew_params(layers_call *call, layers_error *error) {
    const layers_param *param = call->operation->params;
    layers_code code = LAYERS_OK;
    for (int i = 0; param && param[i].name && code == LAYERS_OK; i++)
        if (param[i].kind == LAYERS_TENSOR)
            code = renew_param(&call->params[i], error);
    return code;
}

/* Gives up what a parameter was; after a failure it is that again, so that the call can be run
 * again. */
static void settle_param(layers_value *value, bool done) {
    if (!done && value->before.data) {
        layers_tensor_clear(&value->tensor);
        value->tensor = value->before;
        value->before = (layers_tensor){0};
    }
    layers_tensor_clear(&value->before);
}

layers_code layers_run(layers_call *call, layers_error *error) {
    const layers_operation *operation = call->operation;
    layers_code code = renew_params(call, error);
    for (int i = 0; operation->outputs[i].name && code == LAYERS_OK; i++) {
        layers_tensor *out = &call->outputs[i];
        if (call_wants(call, i)) {
            code = layers_tensor_renew(out, out->dtype, out->shape, out->rank, error);
        } else {
            layers_buffer_unref(out->buffer);
            out->buffer = NULL;
            out->data = NULL;
        }
    }
    if (code == LAYERS_OK && operation->saved)
        code = cache_make(call, error);
    if (code == LAYERS_OK)
        code = operation->run[call->dtype](call, error);
    for (int i = 0; i < LAYERS_MAX_PARAMS; i++)
        settle_param(&call->params[i], code == LAYERS_OK);
    return code;
}

void layers_call_clear(layers_call *call) {
    for (int i = 0; i < LAYERS_MAX_TENSORS; i++) {
        layers_tensor_clear(&call->inputs[i]);
        layers_tensor_clear(&call->outputs[i]);
    }
    for (int i = 0; i < LAYERS_MAX_PARAMS; i++)
        layers_tensor_clear(&call->params[i].tensor);
    layers_cache_unref(call->cache);
    call->cache = NULL;
}
