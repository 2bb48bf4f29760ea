/* What every operation of the table refuses, those to come as well: no layer is named here. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "unit/calls.h"

static void refuses_what_is_missing(layers_call *call) {
    for (int i = 0; call->operation->inputs[i].name; i++) {
        const char *name = call->operation->inputs[i].name;
        layers_tensor kept = call->inputs[i];
        call->inputs[i] = (layers_tensor){0};
        assert_refused(call, LAYERS_MISSING_FIELD, name, name, call->operation->layer);
        call->inputs[i] = kept;
    }
    if (call->operation->cache == LAYERS_CACHE_TAKEN) {
        layers_cache *kept = call->cache;
        call->cache = NULL;
        assert_refused(call, LAYERS_MISSING_FIELD, "cache", "cache", call->operation->layer);
        call->cache = kept;
    }
}

Test(table, a_missing_input_is_refused) {
    EACH_OPERATION(op)
    with_each_call(op, refuses_what_is_missing);
}

static void refuses_a_missing_param(layers_call *call) {
    const layers_operation *op = call->operation;
    for (int i = 0; op->params && op->params[i].name; i++) {
        if (!op->params[i].required)
            continue;
        char field[64];
        snprintf(field, sizeof field, "%s/%s", op->params_name, op->params[i].name);
        call->params[i].given = false;
        assert_refused(call, LAYERS_MISSING_FIELD, field, op->params[i].name, op->params_name);
        call->params[i].given = true;
    }
}

Test(table, a_missing_parameter_is_refused) {
    EACH_OPERATION(op)
    with_each_call(op, refuses_a_missing_param);
}

static void refuses_number(layers_call *call, int i, double number) {
    const layers_operation *op = call->operation;
    char field[64];
    snprintf(field, sizeof field, "%s/%s", op->params_name, op->params[i].name);
    double kept = call->params[i].number;
    call->params[i].number = number;
    assert_refused(call, LAYERS_INVALID_PARAM, field, op->params[i].name, "must be");
    call->params[i].number = kept;
}

/* As far as its range goes: a length that follows from it may still not fit. */
static void accepts_number(layers_call *call, int i, double number) {
    layers_error error = {0};
    double kept = call->params[i].number;
    call->params[i].number = number;
    layers_code code = layers_prepare(call, &error);
    cr_assert(code == LAYERS_OK ||
                  (call->operation->derived && !strstr(error.message, "of at least")),
              "%s", error.message);
    call->params[i].number = kept;
}

static void keeps_its_ranges(layers_call *call) {
    const layers_operation *op = call->operation;
    for (int i = 0; op->params && op->params[i].name; i++) {
        const layers_param *param = &op->params[i];
        if ((param->kind != LAYERS_NUMBER && param->kind != LAYERS_INTEGER) ||
            !call->params[i].given)
            continue;
        refuses_number(call, i, NAN);
        refuses_number(call, i, INFINITY);
        refuses_number(call, i, -INFINITY);
        refuses_number(call, i, nextafter(param->minimum, -INFINITY));
        refuses_number(call, i, nextafter(param->maximum, INFINITY));
        if (param->open_maximum)
            refuses_number(call, i, param->maximum);
        else
            accepts_number(call, i, param->maximum);
        if (param->open_minimum)
            refuses_number(call, i, param->minimum);
        else
            accepts_number(call, i, param->minimum);
        if (param->kind == LAYERS_INTEGER)
            refuses_number(call, i, param->minimum + 0.5);
    }
}

Test(table, parameters_outside_their_range_are_refused) {
    EACH_OPERATION(op)
    with_each_call(op, keeps_its_ranges);
}

static bool may_have_any_rank(const layers_operation *op, int i) {
    return !strcmp(op->inputs[i].shape, "...") && op->cache != LAYERS_CACHE_TAKEN && i == 0;
}

static void refuses_ranks(layers_call *call) {
    const layers_operation *op = call->operation;
    for (int i = 0; op->inputs[i].name; i++) {
        if (may_have_any_rank(op, i))
            continue;
        layers_tensor kept = call->inputs[i];
        for (int rank = 0; rank <= LAYERS_MAX_RANK; rank++) {
            layers_tensor *wrong = &call->inputs[i];
            wrong->rank = rank;
            for (int axis = 0; axis < rank; axis++)
                wrong->shape[axis] = axis < kept.rank ? kept.shape[axis] : 1;
            if (rank >= kept.rank && strchr(op->inputs[i].shape, '.') &&
                strcmp(op->inputs[i].shape, "...") != 0)
                continue; /* a tail of any rank whose product is the same */
            layers_error error = {0};
            layers_code code = layers_prepare(call, &error);
            cr_assert(rank == kept.rank
                          ? code == LAYERS_OK
                          : code == LAYERS_INVALID_SHAPE || code == LAYERS_SHAPE_MISMATCH,
                      "%s/%s: %s of rank %d: %s", op->layer, op->name, op->inputs[i].name, rank,
                      layers_code_name(code));
        }
        call->inputs[i] = kept;
    }
}

Test(table, a_wrong_rank_is_refused) {
    EACH_OPERATION(op)
    with_each_call(op, refuses_ranks);
}

/* The letter of an axis; the last one for all of a tail. */
static char letter_of(const char *pattern, int axis) {
    size_t letters = (strcspn(pattern, ".") + 1) / 2, at = (size_t)axis;
    return letters ? pattern[2 * (at < letters ? at : letters - 1)] : '.';
}

/* Whether nothing but input i says how long a letter is. */
static bool only_here(const layers_call *call, int i, char letter) {
    const layers_operation *op = call->operation;
    for (int j = 0; op->inputs[j].name; j++)
        if (j != i && strchr(op->inputs[j].shape, letter))
            return false;
    for (int j = 0; op->params && op->params[j].name; j++)
        if (call->params[j].tensor.data && strchr(op->params[j].shape, letter))
            return false;
    return op->cache != LAYERS_CACHE_TAKEN;
}

static void refuses_lengths(layers_call *call) {
    const layers_operation *op = call->operation;
    for (int i = 0; op->inputs[i].name; i++)
        for (int axis = 0; axis < call->inputs[i].rank; axis++) {
            bool free = only_here(call, i, letter_of(op->inputs[i].shape, axis));
            call->inputs[i].shape[axis]++;
            layers_error error = {0};
            layers_code code = layers_prepare(call, &error);
            cr_assert(code == (free ? LAYERS_OK : LAYERS_SHAPE_MISMATCH), "%s/%s: %s, axis %d: %s",
                      op->layer, op->name, op->inputs[i].name, axis, layers_code_name(code));
            call->inputs[i].shape[axis]--;
        }
}

Test(table, a_wrong_length_is_a_mismatch) {
    EACH_OPERATION(op)
    with_each_call(op, refuses_lengths);
}

static void refuses_dtypes(layers_call *call) {
    const layers_operation *op = call->operation;
    for (int i = 0; op->inputs[i].name; i++) {
        layers_dtype right = call->inputs[i].dtype;
        for (layers_dtype wrong = LAYERS_F64; wrong <= LAYERS_U8; wrong++) {
            if (wrong == right)
                continue;
            call->inputs[i].dtype = wrong;
            assert_refused(call, LAYERS_WRONG_TYPE, op->inputs[i].name, layers_dtype_name(wrong),
                           layers_dtype_name(right));
        }
        call->inputs[i].dtype = right;
    }
    for (int i = 0; op->params && op->params[i].name; i++) {
        if (!call->params[i].tensor.data)
            continue;
        char field[64];
        snprintf(field, sizeof field, "%s/%s", op->params_name, op->params[i].name);
        layers_dtype wrong = op->params[i].kind == LAYERS_MASK ? LAYERS_BIT : LAYERS_I64;
        call->params[i].tensor.dtype = wrong;
        assert_refused(call, LAYERS_WRONG_TYPE, field, layers_dtype_name(wrong),
                       layers_dtype_name(call->dtype));
        call->params[i].tensor.dtype = call->dtype;
    }
}

Test(table, a_wrong_dtype_is_refused) {
    EACH_OPERATION(op)
    with_each_call(op, refuses_dtypes);
}

static void refuses_both(layers_call *call) {
    const layers_operation *op = call->operation;
    for (int i = 0; op->params && op->params[i].name; i++) {
        if (!op->params[i].instead_of || !call->params[i].given)
            continue;
        char field[64];
        int other = 0;
        while (strcmp(op->params[other].name, op->params[i].instead_of) != 0)
            other++;
        snprintf(field, sizeof field, "%s/%s", op->params_name, op->params[i].name);
        call->params[other].given = true;
        assert_refused(call, LAYERS_INVALID_PARAM, field, op->params[i].name,
                       op->params[i].instead_of);
        call->params[other].given = false;
    }
}

Test(table, a_parameter_and_its_stand_in_are_not_given_together) {
    EACH_OPERATION(op)
    with_each_call(op, refuses_both);
}

static void refuses_other_caches(layers_call *call) {
    const layers_operation *op = call->operation;
    layers_cache *kept = call->cache;
    EACH_OPERATION(other) {
        if (op->cache != LAYERS_CACHE_TAKEN || other->cache != LAYERS_CACHE_GIVEN ||
            !strcmp(other->layer, op->layer))
            continue;
        layers_call giver = valid_call(other, call->dtype, 0, 3);
        run(&giver);
        call->cache = giver.cache;
        assert_refused(call, LAYERS_WRONG_CACHE, "cache", other->layer, op->layer);
        call->cache = kept;
        layers_call_clear(&giver);
    }
}

Test(table, the_cache_of_another_layer_is_refused) {
    EACH_OPERATION(op)
    with_each_call(op, refuses_other_caches);
}

static void refuses_the_other_dtype(layers_call *call) {
    if (call->operation->cache != LAYERS_CACHE_TAKEN)
        return;
    layers_dtype given = call->dtype, other = given == LAYERS_F64 ? LAYERS_F32 : LAYERS_F64;
    call->dtype = other;
    assert_refused(call, LAYERS_INVALID_PARAM, "dtype", layers_dtype_name(given),
                   layers_dtype_name(other));
    call->dtype = given;
}

Test(table, a_dtype_other_than_the_caches_is_refused) {
    EACH_OPERATION(op)
    with_each_call(op, refuses_the_other_dtype);
}
