/* Checks for the tests. */
#include "checks.h"

#include <math.h>
#include <string.h>

const precisions precisions_of[PRECISIONS] = {
    {LAYERS_F64, LAYERS_F64}, {LAYERS_F32, LAYERS_F32}, {LAYERS_F64, LAYERS_F32}};

void ask(asking *a, const char *layer, const char *operation, layers_dtype dtype) {
    const layers_operation *found = layers_find(layer, operation);
    cr_assert(found && found->answers, "%s/%s cannot be checked", layer, operation);
    layers_question_make(&a->question, found);
    a->asked = (layers_call){.operation = &a->question.takes, .dtype = dtype};
    a->check = NULL;
}

void drop_asked(asking *a) {
    layers_check_free(a->check);
    layers_call_clear(&a->asked);
}

void give_values(asking *a, const char *name, const size_t *shape, int rank, const double *values) {
    layers_error error;
    layers_tensor tensor = tensor_of(a->asked.dtype, shape, rank, values);
    cr_assert(layers_set_tensor(&a->asked, name, tensor, &error) == LAYERS_OK, "%s", error.message);
}

void give_labels(asking *a, const char *name, size_t count, const int64_t *labels) {
    layers_error error;
    layers_tensor tensor = tensor_make(LAYERS_I64, &count, 1);
    memcpy(tensor.data, labels, count * sizeof *labels);
    cr_assert(layers_set_tensor(&a->asked, name, tensor, &error) == LAYERS_OK, "%s", error.message);
}

void give_number(asking *a, const char *name, double number) {
    layers_error error;
    cr_assert(layers_set_number(&a->asked, name, number, &error) == LAYERS_OK, "%s", error.message);
}

void give_choice(asking *a, const char *name, const char *choice) {
    layers_error error;
    cr_assert(layers_set_choice(&a->asked, name, choice, &error) == LAYERS_OK, "%s", error.message);
}

void answer(asking *a, layers_dtype precision) {
    layers_error error = {0};
    layers_code code = layers_check_make(&a->check, &a->question, &a->asked, precision, &error);
    if (code == LAYERS_OK)
        code = layers_check_run(a->check, NULL, &error);
    cr_assert(code == LAYERS_OK, "%s: %s", error.field, error.message);
}

int output_of(const asking *a, const char *name) {
    const layers_operation *claims = &a->question.claims;
    for (int i = 0; claims->inputs[i].name; i++)
        if (!strcmp(claims->inputs[i].name, name))
            return i;
    for (int i = 0; claims->params && claims->params[i].name; i++)
        if (!strcmp(claims->params[i].name, name))
            return CLAIM_PARAM(i);
    cr_assert_fail("nothing called %s can be claimed", name);
    return -1;
}

layers_finding finding_of_tensor(const asking *a, const char *name, const layers_tensor *claim) {
    const layers_value value = {.tensor = *claim};
    layers_finding finding;
    layers_error error;
    cr_assert(layers_check_judge(a->check, output_of(a, name), &value, NULL, &finding, &error) ==
              LAYERS_OK);
    return finding;
}

layers_finding finding_of(const asking *a, const char *name, const double *values) {
    const layers_tensor *right = check_right(a->check, output_of(a, name));
    layers_tensor claim = tensor_of(a->check->precision, right->shape, right->rank, values);
    layers_finding finding = finding_of_tensor(a, name, &claim);
    layers_tensor_clear(&claim);
    return finding;
}

void assert_found(const asking *a, const char *name, const double *values, layers_verdict verdict,
                  const char *fault) {
    layers_finding found = finding_of(a, name, values);
    const layers_operation *op = a->question.operation;
    CHECK(found.verdict == verdict, "%s/%s: %s is %s, not %s (%s)", op->layer, op->name, name,
          layers_verdict_names[found.verdict], layers_verdict_names[verdict], found.says);
    CHECK((!fault && !found.fault) || (fault && found.fault && !strcmp(fault, found.fault)),
          "%s/%s: %s has the fault %s, not %s", op->layer, op->name, name,
          found.fault ? found.fault : "(none)", fault ? fault : "(none)");
}

const double *right_of(const asking *a, const char *name) {
    return check_values(a->check, output_of(a, name));
}

double worst_of(const asking *a, const char *name, const double *values) {
    int output = output_of(a, name);
    const layers_answers *answers = a->check->answers;
    const double *right = check_values(a->check, output);
    double worst = 0;
    for (size_t i = 0; i < check_right(a->check, output)->size; i++) {
        double bound, error = fabs(values[i] - right[i]);
        answers->bound(a->check, output, i, 1, &bound);
        double ratio = error == 0 || (isnan(values[i]) && isnan(right[i])) ? 0 : error / bound;
        worst = ratio > worst || isnan(ratio) ? ratio : worst;
    }
    return worst;
}
