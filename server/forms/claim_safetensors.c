/* Claims in safetensors: "claim.out", "claim.bn_param.running_mean"; a scalar, such as
 * "claim.loss", is text. */
#include <stdio.h>
#include <string.h>

#include "forms/claim.h"

static const char claim_prefix[] = "claim.";
static const char *const tolerances[] = {"rtol", "atol"};

static const char *behind_claim(const form_request *request, const char *name) {
    size_t length = sizeof claim_prefix - 1;
    return request->claim && !strncmp(name, claim_prefix, length) ? name + length : NULL;
}

static const layers_field *find_output(const layers_operation *claims, const char *name) {
    const layers_field *field = claims->inputs;
    while (field->name && strcmp(field->name, name) != 0)
        field++;
    return field->name ? field : NULL;
}

/* Whether a name is that of a claim which is a tensor; or, `as_text`, of one which is none. */
static bool is_claim(const form_request *request, const char *name, bool as_text) {
    const char *claimed = behind_claim(request, name);
    if (!claimed)
        return false;
    const layers_operation *claims = request->claim->call.operation;
    const layers_field *output = find_output(claims, claimed);
    const layers_param *param = safetensors_find_param(claims, claimed);
    return output ? !*output->shape == as_text : param && layers_is_tensor(param) != as_text;
}

bool safetensors_claims_tensor(const form_request *request, const char *name) {
    return is_claim(request, name, false);
}

bool safetensors_claims_text(const form_request *request, const char *name) {
    if (!request->claim || behind_claim(request, name))
        return is_claim(request, name, true);
    if (request->claim->open)
        return !strcmp(name, "challenge");
    return !strcmp(name, "precision") || !strcmp(name, "tolerance.rtol") ||
           !strcmp(name, "tolerance.atol");
}

/* A tensor that is claimed, in whichever dtype of numbers it is. */
static bool read_claimed(safetensors_request *r, const char *name, layers_tensor *tensor) {
    const safetensors_entry *entry = safetensors_find(r, name);
    char pointer[FORM_POINTER];
    if (!entry)
        return true;
    if (!safetensors_has_values(entry))
        return problem_set(r->request->problem, PROBLEM_WRONG_TYPE,
                           safetensors_pointer(name, pointer, sizeof pointer),
                           "%s is %s, but must be F64 or F32", name, entry->dtype->name);
    return safetensors_tensor(entry, r->request->body, r->request->charge, tensor,
                              r->request->problem);
}

static bool read_claimed_scalar(safetensors_request *r, const char *name, layers_tensor *tensor) {
    const char *text = safetensors_find_text(r, name);
    char pointer[FORM_POINTER];
    layers_error error;
    if (!text)
        return true;
    if (layers_tensor_make(tensor, LAYERS_F64, NULL, 0, &error) != LAYERS_OK)
        return problem_set_layers(r->request->problem, &error);
    return safetensors_number(r, safetensors_pointer(name, pointer, sizeof pointer), text,
                              tensor->data);
}

static bool read_claims(safetensors_request *r) {
    layers_call *call = &r->request->claim->call;
    const layers_operation *claims = call->operation;
    char name[SAFETENSORS_NAME + sizeof claim_prefix];
    for (int i = 0; claims->inputs[i].name; i++) {
        snprintf(name, sizeof name, "%s%s", claim_prefix, claims->inputs[i].name);
        if (!(*claims->inputs[i].shape ? read_claimed : read_claimed_scalar)(r, name,
                                                                             &call->inputs[i]))
            return false;
    }
    for (int i = 0; claims->params && claims->params[i].name; i++) {
        snprintf(name, sizeof name, "%s%s.%s", claim_prefix, claims->params_name,
                 claims->params[i].name);
        const char *text = safetensors_find_text(r, name);
        if (layers_is_tensor(&claims->params[i])
                ? !read_claimed(r, name, &call->params[i].tensor)
                : text && !safetensors_scalar(r, call, "/claim", i, text))
            return false;
    }
    return claim_is_there(r->request->claim, r->request->problem);
}

/* What a check is told beside its call and what is claimed. */
static bool read_terms(safetensors_request *r) {
    form_claim *claim = r->request->claim;
    const char *precision = safetensors_find_text(r, "precision");
    claim->precision = r->request->call->dtype;
    if (precision && !claim_precision(claim, precision, r->request->problem))
        return false;
    for (size_t i = 0; i < sizeof tolerances / sizeof *tolerances; i++) {
        char name[SAFETENSORS_NAME], pointer[FORM_POINTER] = "/tolerance";
        double number;
        snprintf(name, sizeof name, "tolerance.%s", tolerances[i]);
        const char *text = safetensors_find_text(r, name);
        pointer_add(pointer, sizeof pointer, tolerances[i]);
        if (text && !(safetensors_number(r, pointer, text, &number) &&
                      claim_tolerance(claim, tolerances[i], number, r->request->problem)))
            return false;
    }
    return true;
}

bool safetensors_claim_open(safetensors_request *r) {
    form_claim *claim = r->request->claim;
    if (!claim->open)
        return true;
    const char *challenge = safetensors_find_text(r, "challenge");
    return challenge ? claim->open(claim, challenge, r->request->problem)
                     : problem_set(r->request->problem, PROBLEM_MISSING_FIELD, "/challenge",
                                   "an answer needs \"challenge\" in __metadata__, as POST "
                                   "/challenge gave it");
}

bool safetensors_claim_read(safetensors_request *r) {
    return (r->request->claim->open || read_terms(r)) && read_claims(r);
}
