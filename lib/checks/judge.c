/* What is found of a claim: right, wrong and in which way, or not to be told. */
#include "checks/judge.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static void say(layers_finding *finding, layers_verdict verdict, const char *fault,
                const char *says) {
    finding->verdict = verdict;
    finding->fault = fault;
    snprintf(finding->says, sizeof finding->says, "%s", says);
}

static bool concerns(const judged *j, const layers_fault *fault) {
    bool (*in_reach)(const layers_check *check) = j->check->answers->in_reach;
    return (!in_reach || in_reach(j->check)) && fault->outputs & CLAIM_BIT(j->output) &&
           (!fault->applies || fault->applies(j->check));
}

/* What people who call it right do too goes before what nobody does; a challenge has no such. */
static bool is_excused(const judged *j, const layers_fault *fault) {
    return fault && fault->kind == FAULT_CONVENTION && !j->check->is_challenge;
}

/* The layer's own fault that gives what is claimed, the nearest of several, and of those the first.
 * All are looked at, one as long as the other. */
static layers_code own_fault(judged_sample *sample, const layers_fault **found,
                             layers_error *error) {
    const judged *j = sample->j;
    layers_code code = LAYERS_OK;
    double nearest = INFINITY;
    *found = NULL;
    for (const layers_fault *fault = j->check->answers->faults; fault->code; fault++) {
        fault_match match;
        if (!concerns(j, fault))
            continue;
        if ((code = fault_compare(sample, fault, false, &match, error)) != LAYERS_OK)
            return code;
        int excused = is_excused(j, fault) - is_excused(j, *found);
        if (match.claim && !match.right &&
            (excused > 0 || (excused == 0 && match.apart < nearest))) {
            nearest = match.apart;
            *found = fault;
        }
    }
    return code;
}

static layers_code name_fault(judged_sample *sample, const comparison *seen,
                              layers_finding *finding, layers_error *error) {
    const layers_fault *own;
    layers_finding general = {.verdict = LAYERS_WRONG};
    layers_code code = own_fault(sample, &own, error);
    bool differs = judged_sample_differs(sample);
    if (code == LAYERS_OK)
        code = general_fault(sample, seen, differs, &general, error);
    if (code != LAYERS_OK)
        return code;
    if (!own || !differs) {
        say(finding, LAYERS_WRONG, general.fault, general.says);
        return LAYERS_OK;
    }
    say(finding, is_excused(sample->j, own) ? LAYERS_UNDECIDED : LAYERS_WRONG, own->code,
        own->says);
    return LAYERS_OK;
}

static layers_code judge_wrong(const judged *j, const comparison *seen, layers_finding *finding,
                               layers_error *error) {
    judged_sample sample;
    layers_code code = judged_sample_make(j, &sample, error);
    if (code != LAYERS_OK)
        return code;
    code = name_fault(&sample, seen, finding, error);
    judged_sample_free(&sample);
    return code;
}

/* Whether what was sent tells right from wrong: a fault that gives the same as the right answer
 * makes it undecided. */
static layers_code seek_twin(judged_sample *sample, bool tolerant, layers_finding *finding,
                             layers_error *error) {
    const judged *j = sample->j;
    for (const layers_fault *fault = j->check->answers->faults; fault->code; fault++) {
        fault_match match;
        if (!concerns(j, fault) || fault->kind != FAULT_PLAIN)
            continue;
        layers_code code = fault_compare(sample, fault, true, &match, error);
        if (code != LAYERS_OK)
            return code;
        if (match.right && (match.claim || tolerant)) {
            finding->verdict = LAYERS_UNDECIDED;
            snprintf(finding->says, sizeof finding->says,
                     "a fault would give the same here, so choose other inputs: %s", fault->says);
            return LAYERS_OK;
        }
    }
    return LAYERS_OK;
}

/* A claim that is right, where a fault would be so too. */
static layers_code judge_right(const judged *j, const comparison *seen, layers_finding *finding,
                               layers_error *error) {
    say(finding, LAYERS_RIGHT, NULL, "");
    if (j->check->is_challenge)
        return LAYERS_OK;
    if (seen->unclear > 0) {
        const char *unclear = j->check->answers->unclear;
        say(finding, LAYERS_UNDECIDED, NULL,
            unclear ? unclear
                    : "some of these numbers are too large to tell what rounding may take of them: "
                      "send smaller ones");
        return LAYERS_OK;
    }
    if (!j->tolerance && sqrt(seen->bounds) > 0x1p-10 * sqrt(seen->rights) + 8 * j->check->tiny) {
        say(finding, LAYERS_UNDECIDED, NULL,
            "rounding alone may take too much of these results: send fewer terms, numbers of more "
            "even size, or float64");
        return LAYERS_OK;
    }
    /* What a tolerance lets pass is right; what is hidden by the inputs is not. */
    judged strict = *j;
    judged_sample sample;
    strict.tolerance = NULL;
    if (j->size == 0)
        return LAYERS_OK;
    layers_code code = judged_sample_make(&strict, &sample, error);
    if (code != LAYERS_OK)
        return code;
    code = seek_twin(&sample, j->tolerance != NULL, finding, error);
    judged_sample_free(&sample);
    return code;
}

static bool same_shape(const layers_tensor *a, const layers_tensor *b) {
    return a->rank == b->rank && !memcmp(a->shape, b->shape, (size_t)a->rank * sizeof *a->shape);
}

static layers_code judge_tensor(judged *j, layers_finding *finding, layers_error *error) {
    const layers_tensor *right = check_right(j->check, j->output);
    j->right = right->data;
    j->size = right->size;
    if (!same_shape(&j->claim, right)) {
        finding->verdict = LAYERS_WRONG;
        return shape_fault(j, finding, error);
    }
    comparison seen = judged_compare(j);
    layers_code code = seen.wrong > 0 ? judge_wrong(j, &seen, finding, error)
                                      : judge_right(j, &seen, finding, error);
    finding->has_worst = j->size > 0;
    finding->at = seen.worst;
    finding->claimed = seen.worst_claim;
    finding->expected = j->size > 0 ? j->right[seen.worst] : 0;
    finding->error = seen.worst_error;
    finding->bound = seen.worst_bound;
    return code;
}

/* A number or a choice that comes back: the same, but for the rounding of a number that is none of
 * the integers. */
static void judge_scalar(const judged *j, const layers_value *claim, layers_finding *finding) {
    int i = j->output - LAYERS_MAX_TENSORS;
    const layers_value *right = &j->check->asked->params[i];
    layers_param_kind kind = j->check->operation->params[i].kind;
    bool choice = kind == LAYERS_CHOICE;
    double claimed = choice ? claim->choice : claim->number;
    double expected = choice ? right->choice : right->number;
    double bound = kind == LAYERS_NUMBER ? 4 * j->check->unit * fabs(expected) : 0;
    bool good = judged_agree(j->check, claimed, expected, bound);
    say(finding, good ? LAYERS_RIGHT : LAYERS_WRONG, NULL, "");
    finding->has_worst = true;
    finding->claimed = claimed;
    finding->expected = expected;
    finding->error = fabs(claimed - expected);
    finding->bound = bound;
}

layers_code layers_check_judge(const layers_check *check, int claim, const layers_value *value,
                               const layers_tolerance *tolerance, layers_finding *finding,
                               layers_error *error) {
    judged j = {.check = check, .output = claim, .claim = value->tensor, .tolerance = tolerance};
    *finding = (layers_finding){0};
    if (claim < LAYERS_MAX_TENSORS ||
        check->operation->params[claim - LAYERS_MAX_TENSORS].kind == LAYERS_TENSOR)
        return judge_tensor(&j, finding, error);
    judge_scalar(&j, value, finding);
    return LAYERS_OK;
}
