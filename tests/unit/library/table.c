/* What holds for every operation of the table, those to come as well: no layer is named here. */
#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "unit/calls.h"

TestSuite(table);

static bool is_name(const char *text) {
    return *text && strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789_") == strlen(text) &&
           isalpha((unsigned char)*text);
}

/* "", "...", or capital letters with a space between, the last perhaps with dots. */
static bool is_pattern(const char *pattern) {
    if (!*pattern || !strcmp(pattern, "..."))
        return true;
    const char *p = pattern;
    while (*p >= 'A' && *p <= 'Z') {
        if (!p[1] || !strcmp(p + 1, "..."))
            return true;
        if (p[1] != ' ')
            return false;
        p += 2;
    }
    return false;
}

static int count_fields(const layers_field *fields) {
    int count = 0;
    while (fields[count].name)
        count++;
    return count;
}

static void check_fields(const layers_operation *op, const layers_field *fields) {
    int count = count_fields(fields);
    cr_assert(count >= 1 && count <= LAYERS_MAX_TENSORS, "%s/%s: %d tensors", op->layer, op->name,
              count);
    for (int i = 0; i < count; i++) {
        cr_assert(is_name(fields[i].name), "%s/%s: %s", op->layer, op->name, fields[i].name);
        cr_assert(is_pattern(fields[i].shape), "%s/%s: %s", op->layer, op->name, fields[i].shape);
        cr_assert(fields[i].summary && *fields[i].summary, "%s has no summary", fields[i].name);
        for (int j = 0; j < i; j++)
            cr_assert(strcmp(fields[i].name, fields[j].name) != 0, "%s twice", fields[i].name);
    }
}

Test(table, names_and_summaries_are_there) {
    int count = 0;
    EACH_OPERATION(op) {
        cr_assert(is_name(op->layer) && is_name(op->name));
        size_t length = strlen(op->summary);
        cr_assert(length > 1 && op->summary[length - 1] == '.', "%s", op->summary);
        check_fields(op, op->inputs);
        check_fields(op, op->outputs);
        cr_assert(op->run[LAYERS_F64] && op->run[LAYERS_F32]);
        count++;
    }
    cr_assert(count > 0);
}

Test(table, an_operation_is_found_by_its_name_and_no_other) {
    EACH_OPERATION(op) {
        cr_assert(layers_find(op->layer, op->name) == op, "%s/%s", op->layer, op->name);
        cr_assert(layers_find(op->layer, "") == NULL);
        cr_assert(layers_find("", op->name) == NULL);
        cr_assert(layers_find(op->name, op->layer) == NULL);
    }
}

static void check_number_param(const layers_param *param) {
    cr_assert(param->minimum < param->maximum, "%s has an empty range", param->name);
    if (!param->has_fallback)
        return;
    cr_assert(!param->required, "%s is required and has a fallback", param->name);
    cr_assert(param->fallback <= param->maximum && param->fallback >= param->minimum, "%s",
              param->name);
    cr_assert(!param->open_minimum || param->fallback > param->minimum, "%s", param->name);
    cr_assert(!param->open_maximum || param->fallback < param->maximum, "%s", param->name);
    cr_assert(param->kind != LAYERS_INTEGER || param->fallback == floor(param->fallback));
}

static void check_param(const layers_param *param) {
    cr_assert(is_name(param->name) && param->summary && *param->summary, "%s", param->name);
    switch (param->kind) {
    case LAYERS_NUMBER:
    case LAYERS_INTEGER:
        check_number_param(param);
        break;
    case LAYERS_CHOICE:
        cr_assert(param->choices[0] && param->choices[1], "%s has no choice", param->name);
        cr_assert(!param->choices[3], "%s: the list does not end", param->name);
        break;
    case LAYERS_TENSOR:
    case LAYERS_MASK:
        cr_assert(is_pattern(param->shape) && !param->required && !param->has_fallback, "%s",
                  param->name);
    }
}

/* What another parameter may stand in the place of is above it, and may be left out. */
static void check_stand_in(const layers_operation *op, const layers_param *param) {
    const layers_param *other = op->params;
    while (other < param && strcmp(other->name, param->instead_of) != 0)
        other++;
    cr_assert(other < param, "%s: there is no %s above it", param->name, param->instead_of);
    cr_assert(!param->required && !param->has_fallback, "%s", param->name);
    cr_assert(!other->required && !other->has_fallback, "%s", other->name);
}

Test(table, parameters_are_well_formed) {
    EACH_OPERATION(op) {
        cr_assert((op->params == NULL) == (op->params_name == NULL));
        int count = 0;
        for (const layers_param *param = op->params; param && param->name; param++) {
            check_param(param);
            if (param->instead_of)
                check_stand_in(op, param);
            count++;
        }
        cr_assert(count <= LAYERS_MAX_PARAMS);
    }
}

static bool is_tensor(const layers_param *param) {
    return param->kind == LAYERS_TENSOR || param->kind == LAYERS_MASK;
}

static bool has_letter(const layers_operation *op, char letter) {
    for (const layers_field *field = op->inputs; field->name; field++)
        if (strchr(field->shape, letter))
            return true;
    for (const layers_derived *derived = op->derived; derived && derived->letter; derived++)
        if (derived->letter == letter)
            return true;
    return op->cache == LAYERS_CACHE_TAKEN && has_letter(giver_of(op), letter);
}

static void check_letters(const layers_operation *op, const char *pattern) {
    for (const char *p = pattern; *p; p++)
        cr_assert(*p == ' ' || has_letter(op, *p), "%s/%s: nothing gives %c", op->layer, op->name,
                  *p);
}

Test(table, derived_lengths_have_letters_and_formulas_of_their_own) {
    EACH_OPERATION(op)
    for (const layers_derived *derived = op->derived; derived && derived->letter; derived++) {
        cr_assert(derived->letter >= 'A' && derived->letter <= 'Z' && derived->length);
        cr_assert(derived->formula && *derived->formula, "%c has no formula", derived->letter);
        for (const layers_field *field = op->inputs; field->name; field++)
            cr_assert(!strchr(field->shape, derived->letter), "%s has %c", field->name,
                      derived->letter);
        for (const layers_derived *other = op->derived; other < derived; other++)
            cr_assert(other->letter != derived->letter, "%c twice", derived->letter);
    }
}

Test(table, what_an_operation_makes_has_lengths_that_it_was_given) {
    EACH_OPERATION(op) {
        for (const layers_field *field = op->outputs; field->name; field++)
            check_letters(op, field->shape);
        for (const layers_param *param = op->params; param && param->name; param++)
            if (is_tensor(param))
                check_letters(op, param->shape);
        check_letters(op, op->work.lengths ? op->work.lengths : "");
        int letters = 0;
        for (char letter = 'A'; letter <= 'Z'; letter++)
            letters += has_letter(op, letter);
        cr_assert(letters <= LAYERS_MAX_DIMS, "%s/%s: %d letters", op->layer, op->name, letters);
    }
}

static bool is_input(const layers_operation *op, const char *name) {
    for (const layers_field *field = op->inputs; field->name; field++)
        if (!strcmp(field->name, name))
            return true;
    return false;
}

Test(table, a_cache_keeps_inputs_or_tensors_of_its_own) {
    EACH_OPERATION(op) {
        cr_assert((op->saved != NULL) == (op->cache == LAYERS_CACHE_GIVEN));
        int count = 0;
        for (const layers_saved *saved = op->saved; saved && saved->name; saved++) {
            cr_assert(saved->shape || is_input(op, saved->name), "%s", saved->name);
            cr_assert(!saved->shape || is_pattern(saved->shape), "%s", saved->name);
            if (saved->shape)
                check_letters(op, saved->shape);
            count++;
        }
        cr_assert(count <= LAYERS_MAX_TENSORS);
    }
}

static size_t output_memory(const layers_call *call) {
    size_t bytes = 0;
    for (int i = 0; call->operation->outputs[i].name; i++)
        bytes += layers_tensor_memory(&call->outputs[i]);
    for (int i = 0; call->operation->params && call->operation->params[i].name; i++)
        if (call->operation->params[i].kind == LAYERS_TENSOR)
            bytes += layers_tensor_memory(&call->params[i].tensor);
    return bytes;
}

static void takes_what_was_planned(layers_call *call) {
    const layers_operation *op = call->operation;
    layers_error error = {0};
    cr_assert(layers_prepare(call, &error) == LAYERS_OK, "%s", error.message);
    size_t output_bytes = call->output_bytes, cache_bytes = call->cache_bytes;
    for (int i = 0; op->outputs[i].name; i++)
        cr_assert(call->outputs[i].data == NULL, "preparing allocated %s", op->outputs[i].name);
    cr_assert(layers_run(call, &error) == LAYERS_OK, "%s", error.message);
    cr_assert(output_bytes == output_memory(call), "%s/%s planned %zu bytes and took %zu",
              op->layer, op->name, output_bytes, output_memory(call));
    if (op->cache == LAYERS_CACHE_GIVEN) {
        cr_assert(call->cache);
        cr_assert(cache_bytes == layers_cache_bytes(call->cache),
                  "%s/%s planned %zu bytes of cache and took %zu", op->layer, op->name, cache_bytes,
                  layers_cache_bytes(call->cache));
        cr_assert_str_eq(layers_cache_layer(call->cache), op->layer);
        cr_assert(layers_cache_dtype(call->cache) == call->dtype);
    } else {
        cr_assert(cache_bytes == 0);
        cr_assert((call->cache != NULL) == (op->cache == LAYERS_CACHE_TAKEN));
    }
}

Test(table, memory_is_what_was_planned) {
    EACH_OPERATION(op)
    with_each_call(op, takes_what_was_planned);
}

static void outputs_are_of_their_kind(layers_call *call) {
    run(call);
    for (int i = 0; call->operation->outputs[i].name; i++) {
        const layers_tensor *out = &call->outputs[i];
        cr_assert(out->dtype == call->dtype && out->data, "%s", call->operation->outputs[i].name);
        for (size_t e = 0; e < out->size; e++)
            cr_assert(isfinite(element(out, e)), "%s/%s: %s[%zu] is %g", call->operation->layer,
                      call->operation->name, call->operation->outputs[i].name, e, element(out, e));
    }
}

Test(table, a_valid_call_gives_finite_outputs_of_its_dtype) {
    EACH_OPERATION(op)
    with_each_call(op, outputs_are_of_their_kind);
}

static bool same(const layers_tensor *a, const layers_tensor *b) {
    size_t bytes;
    cr_assert(layers_dtype_bytes(a->dtype, a->size, &bytes));
    return a->size == b->size && a->dtype == b->dtype && memcmp(a->data, b->data, bytes) == 0;
}

static void gives_the_same_again(layers_call *call) {
    const layers_operation *op = call->operation;
    layers_call again = over_again(call);
    if (op->cache == LAYERS_CACHE_TAKEN)
        again.cache = layers_cache_ref(call->cache);
    run(call);
    run(&again);
    for (int i = 0; op->outputs[i].name; i++)
        cr_assert(same(&call->outputs[i], &again.outputs[i]), "%s/%s: %s", op->layer, op->name,
                  op->outputs[i].name);
    for (int i = 0; op->params && op->params[i].name; i++)
        if (op->params[i].kind == LAYERS_TENSOR)
            cr_assert(same(&call->params[i].tensor, &again.params[i].tensor), "%s",
                      op->params[i].name);
    layers_call_clear(&again);
}

Test(table, the_same_call_gives_the_same_bytes) {
    EACH_OPERATION(op)
    with_each_call(op, gives_the_same_again);
}

static void leaves_inputs_alone(layers_call *call) {
    layers_tensor before[LAYERS_MAX_TENSORS] = {0};
    for (int i = 0; call->operation->inputs[i].name; i++)
        before[i] = tensor_as(call->inputs[i].dtype, &call->inputs[i]);
    run(call);
    for (int i = 0; call->operation->inputs[i].name; i++) {
        cr_assert(same(&before[i], &call->inputs[i]), "%s has changed",
                  call->operation->inputs[i].name);
        layers_tensor_clear(&before[i]);
    }
}

Test(table, inputs_are_only_read) {
    EACH_OPERATION(op)
    with_each_call(op, leaves_inputs_alone);
}

static void uses_the_fallback(layers_call *call) {
    const layers_operation *op = call->operation;
    for (int i = 0; op->params && op->params[i].name; i++)
        if (op->params[i].has_fallback)
            call->params[i] = (layers_value){0};
    layers_error error = {0};
    cr_assert(layers_prepare(call, &error) == LAYERS_OK, "%s", error.message);
    for (int i = 0; op->params && op->params[i].name; i++)
        if (op->params[i].has_fallback) {
            cr_assert(call->params[i].given, "%s", op->params[i].name);
            cr_assert(call->params[i].number == op->params[i].fallback, "%s", op->params[i].name);
        }
    cr_assert(layers_run(call, &error) == LAYERS_OK, "%s", error.message);
}

Test(table, an_absent_parameter_has_its_fallback) {
    EACH_OPERATION(op)
    with_each_call(op, uses_the_fallback);
}

static void may_be_prepared_again(layers_call *call) {
    layers_error error = {0};
    cr_assert(layers_prepare(call, &error) == LAYERS_OK);
    size_t bytes = call->output_bytes, cache_bytes = call->cache_bytes;
    cr_assert(layers_prepare(call, &error) == LAYERS_OK, "%s", error.message);
    cr_assert(call->output_bytes == bytes && call->cache_bytes == cache_bytes);
}

Test(table, preparing_twice_is_preparing_once) {
    EACH_OPERATION(op)
    with_each_call(op, may_be_prepared_again);
}
