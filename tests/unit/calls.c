/* Tensors and calls for the tests. */
#include "calls.h"

#include <math.h>
#include <string.h>

double uniform(uint64_t *seed) {
    /* splitmix64 */
    uint64_t z = *seed += 0x9e3779b97f4a7c15U;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9U;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebU;
    return (double)((z ^ (z >> 31)) >> 11) * 0x1p-53;
}

double element(const layers_tensor *tensor, size_t i) {
    switch (tensor->dtype) {
    case LAYERS_F64:
        return ((const double *)tensor->data)[i];
    case LAYERS_F32:
        return (double)((const float *)tensor->data)[i];
    case LAYERS_I64:
        return (double)((const int64_t *)tensor->data)[i];
    case LAYERS_U8:
        return ((const uint8_t *)tensor->data)[i];
    case LAYERS_BIT:
        break;
    }
    return ((const uint8_t *)tensor->data)[i / 8] >> i % 8 & 1;
}

void set_element(layers_tensor *tensor, size_t i, double value) {
    cr_assert(tensor->dtype != LAYERS_BIT);
    if (tensor->dtype == LAYERS_F64)
        ((double *)tensor->data)[i] = value;
    else if (tensor->dtype == LAYERS_F32)
        ((float *)tensor->data)[i] = (float)value;
    else if (tensor->dtype == LAYERS_U8)
        ((uint8_t *)tensor->data)[i] = (uint8_t)value;
    else
        ((int64_t *)tensor->data)[i] = (int64_t)value;
}

layers_tensor tensor_make(layers_dtype dtype, const size_t *shape, int rank) {
    layers_tensor tensor;
    layers_error error = {0};
    layers_code code = layers_tensor_make(&tensor, dtype, shape, rank, &error);
    cr_assert(code == LAYERS_OK, "layers_tensor_make: %s", error.message);
    return tensor;
}

layers_tensor tensor_of(layers_dtype dtype, const size_t *shape, int rank, const double *values) {
    layers_tensor tensor = tensor_make(dtype, shape, rank);
    for (size_t i = 0; i < tensor.size; i++)
        set_element(&tensor, i, values[i]);
    return tensor;
}

layers_tensor tensor_random(layers_dtype dtype, const size_t *shape, int rank, uint64_t *seed,
                            double low, double high) {
    layers_tensor tensor = tensor_make(dtype, shape, rank);
    for (size_t i = 0; i < tensor.size; i++)
        set_element(&tensor, i, low + (high - low) * uniform(seed));
    return tensor;
}

layers_tensor tensor_as(layers_dtype dtype, const layers_tensor *tensor) {
    layers_tensor copy = tensor_make(dtype, tensor->shape, tensor->rank);
    for (size_t i = 0; i < copy.size; i++)
        set_element(&copy, i, element(tensor, i));
    return copy;
}

bool is_close(double got, double want, double rtol, double atol) {
    if (isnan(want) || isnan(got))
        return isnan(want) && isnan(got);
    if (isinf(want) || isinf(got))
        return want == got;
    return fabs(got - want) <= atol + rtol * fabs(want);
}

void assert_values(const layers_tensor *tensor, const double *values, size_t count, double rtol,
                   double atol, const char *what) {
    cr_assert(tensor->size == count, "%s has %zu elements, not %zu", what, tensor->size, count);
    for (size_t i = 0; i < count; i++)
        cr_assert(is_close(element(tensor, i), values[i], rtol, atol),
                  "%s[%zu] is %.17g, not %.17g", what, i, element(tensor, i), values[i]);
}

void assert_shape(const layers_tensor *tensor, const size_t *shape, int rank, const char *what) {
    char have[256], want[256];
    layers_shape_text(tensor->shape, tensor->rank, have, sizeof have);
    layers_shape_text(shape, rank, want, sizeof want);
    cr_assert(strcmp(have, want) == 0, "%s has shape %s, not %s", what, have, want);
    size_t size;
    cr_assert(layers_shape_size(shape, rank, &size));
    cr_assert(tensor->size == size, "%s has size %zu, not %zu", what, tensor->size, size);
}

layers_call call_of(const char *layer, const char *operation, layers_dtype dtype) {
    const layers_operation *found = layers_find(layer, operation);
    cr_assert(found, "there is no %s/%s", layer, operation);
    return (layers_call){.operation = found, .dtype = dtype};
}

layers_call forward_of(const char *layer, layers_dtype dtype, const size_t *shape, int rank,
                       const double *x) {
    layers_call call = call_of(layer, "forward", dtype);
    call.inputs[0] = tensor_of(dtype, shape, rank, x);
    return call;
}

layers_call backward_from(const layers_call *forward, const size_t *shape, int rank,
                          const double *dout) {
    layers_call call = call_of(forward->operation->layer, "backward", forward->dtype);
    call.inputs[0] = tensor_of(forward->dtype, shape, rank, dout);
    call.cache = layers_cache_ref(forward->cache);
    return call;
}

layers_call over_again(const layers_call *call) {
    layers_call again = {.operation = call->operation, .dtype = call->dtype};
    for (int i = 0; i < LAYERS_MAX_TENSORS; i++)
        again.inputs[i] = layers_tensor_share(&call->inputs[i]);
    for (int i = 0; i < LAYERS_MAX_PARAMS; i++) {
        again.params[i] = call->params[i];
        again.params[i].tensor = layers_tensor_share(&call->params[i].tensor);
    }
    return again;
}

void run(layers_call *call) {
    layers_error error = {0};
    layers_code code = layers_prepare(call, &error);
    if (code == LAYERS_OK)
        code = layers_run(call, &error);
    cr_assert(code == LAYERS_OK, "%s/%s: %s: %s", call->operation->layer, call->operation->name,
              layers_code_name(code), error.message);
}

void assert_refused(layers_call *call, layers_code code, const char *field, const char *text1,
                    const char *text2) {
    layers_error error = {0};
    layers_code got = layers_prepare(call, &error);
    cr_assert(got == code, "%s/%s: %s (%s) instead of %s", call->operation->layer,
              call->operation->name, layers_code_name(got), error.message, layers_code_name(code));
    cr_assert(error.code == code, "error.code is %s", layers_code_name(error.code));
    cr_assert(strcmp(error.field, field) == 0, "the field is \"%s\", not \"%s\": %s", error.field,
              field, error.message);
    cr_assert(strstr(error.message, text1), "\"%s\" does not say \"%s\"", error.message, text1);
    cr_assert(strstr(error.message, text2), "\"%s\" does not say \"%s\"", error.message, text2);
}

const layers_operation *giver_of(const layers_operation *operation) {
    for (const layers_operation *const *row = layers_operations; *row; row++)
        if ((*row)->cache == LAYERS_CACHE_GIVEN && !strcmp((*row)->layer, operation->layer))
            return *row;
    cr_assert(false, "%s has no operation that gives a cache", operation->layer);
    return NULL;
}

/* How many values the largest choice has. */
static int largest_choice(const layers_operation *operation) {
    int most = 1;
    for (const layers_param *param = operation->params; param && param->name; param++)
        for (int i = 0; param->kind == LAYERS_CHOICE && param->choices[i]; i++)
            most = i + 1 > most ? i + 1 : most;
    return most;
}

int choices_of(const layers_operation *operation) {
    if (operation->cache == LAYERS_CACHE_TAKEN)
        return choices_of(giver_of(operation));
    int count = largest_choice(operation);
    for (const layers_param *param = operation->params; param && param->name; param++)
        count += param->instead_of != NULL;
    return count;
}

/* The parameter that stands in the place of another in this choice; NULL for none. */
static const layers_param *stand_in(const layers_operation *operation, int choice) {
    int i = choice - largest_choice(operation);
    for (const layers_param *param = operation->params; param && param->name; param++)
        if (param->instead_of && i-- == 0)
            return param;
    return NULL;
}

/* What a call's tensors are made from; `variant` decides on the shapes. */
typedef struct {
    layers_dtype dtype;
    int choice, variant;
    uint64_t seed;
    size_t times;        /* as long as usual, images and rows */
    layers_dims derived; /* of the forward whose cache is taken: lengths that follow from others */
} recipe;

/* Lengths that tell letters apart, each an even number, so that a tail has several dimensions. A
 * kernel, R by S, is no longer than any image, H by W. */
static size_t length_of(char letter, int variant) {
    if (letter == 'R' || letter == 'S')
        return 2 + (size_t)(letter + variant) % 2;
    if (letter == 'H' || letter == 'W')
        return 3 + (size_t)(letter + variant) % 3;
    return 2 * (2 + ((size_t)letter + (size_t)variant) % 5);
}

static size_t length_in(const recipe *r, char letter) {
    for (int i = 0; i < r->derived.count; i++)
        if (r->derived.dim[i].letter == letter)
            return r->derived.dim[i].length;
    bool kernel = letter == 'R' || letter == 'S';
    return length_of(letter, r->variant) * (kernel ? 1 : r->times);
}

static int shape_of(const char *pattern, const recipe *r, size_t shape[LAYERS_MAX_RANK]) {
    int rank = 0, variant = r->variant;
    if (!strcmp(pattern, "...")) {
        while (rank < 1 + variant % 4) {
            shape[rank] = (2 + (size_t)(rank + variant) % 4) * r->times;
            rank++;
        }
        return rank;
    }
    for (const char *p = pattern; *p; p++) {
        if (*p >= 'A' && *p <= 'Z')
            shape[rank++] = length_in(r, *p);
        else if (*p == '.' && p[1] == '.' && p[2] == '.') {
            size_t length = shape[rank - 1];
            shape[rank - 1] = 2;
            if (variant % 2)
                shape[rank++] = 1;
            shape[rank++] = length / 2;
        }
    }
    return rank;
}

/* Labels are 0 or 1: every length is more than that. */
static layers_tensor valid_tensor(const char *pattern, bool labels, recipe *r, double low) {
    size_t shape[LAYERS_MAX_RANK];
    int rank = shape_of(pattern, r, shape);
    if (labels)
        return tensor_random(LAYERS_I64, shape, rank, &r->seed, 0, 2);
    return tensor_random(r->dtype, shape, rank, &r->seed, low, low + 2);
}

static layers_tensor valid_mask(const char *pattern, recipe *r) {
    layers_tensor mask = valid_tensor(pattern, false, r, 0);
    for (size_t i = 0; i < mask.size; i++)
        set_element(&mask, i, element(&mask, i) < 1);
    return mask;
}

static void fill_param(layers_value *value, const layers_param *param, recipe *r) {
    value->given = true;
    if (param->kind == LAYERS_TENSOR)
        value->tensor = valid_tensor(param->shape, false, r, 0.5);
    else if (param->kind == LAYERS_MASK)
        value->tensor = valid_mask(param->shape, r);
    else if (param->kind == LAYERS_CHOICE)
        value->choice = param->choices[r->choice] ? r->choice : 0;
    else if (param->kind == LAYERS_INTEGER)
        value->number = param->minimum + 1;
    else
        value->number = param->minimum + fmin(param->maximum - param->minimum, 1) / 2;
}

static layers_call make_call(const layers_operation *operation, recipe r) {
    layers_call call = {.operation = operation, .dtype = r.dtype};
    if (operation->cache == LAYERS_CACHE_TAKEN) {
        layers_call giver = make_call(giver_of(operation), r);
        run(&giver);
        call.cache = layers_cache_ref(giver.cache);
        r.derived = giver.dims;
        layers_call_clear(&giver);
    }
    for (int i = 0; operation->inputs[i].name; i++)
        call.inputs[i] =
            valid_tensor(operation->inputs[i].shape, operation->inputs[i].labels, &r, -1);
    const layers_param *other = stand_in(operation, r.choice);
    for (int i = 0; operation->params && operation->params[i].name; i++) {
        const layers_param *param = &operation->params[i];
        if (param->instead_of ? param == other : !other || strcmp(param->name, other->instead_of))
            fill_param(&call.params[i], param, &r);
    }
    return call;
}

layers_call valid_call(const layers_operation *operation, layers_dtype dtype, int choice,
                       uint64_t seed) {
    return make_call(operation, (recipe){.times = 1,
                                         .dtype = dtype,
                                         .choice = choice,
                                         .variant = (int)(seed % 20),
                                         .seed = seed});
}

layers_call large_call(const layers_operation *operation, layers_dtype dtype) {
    enum { RANK_2 = 1 }; /* the variant of which "..." has two dimensions */
    bool images = strlen(operation->inputs[0].shape) > strlen("N D...");
    return make_call(operation,
                     (recipe){.dtype = dtype,
                              .variant = RANK_2,
                              .seed = 7,
                              .times = images                                       ? 4
                                       : !strcmp(operation->inputs[0].shape, "...") ? 160
                                                                                    : 60});
}

void with_each_call(const layers_operation *op, void (*test)(layers_call *call)) {
    for (layers_dtype dtype = LAYERS_F64; dtype <= LAYERS_F32; dtype++)
        for (int choice = 0; choice < choices_of(op); choice++) {
            layers_call call = valid_call(op, dtype, choice, 7);
            test(&call);
            layers_call_clear(&call);
        }
}
