/* Claims in JSON. */
#include <stdio.h>
#include <string.h>

#include "codec/json_value.h"
#include "forms/claim.h"
#include "forms/fields_json.h"

static bool wrong_claim(form_request *request, const char *kind) {
    return problem_set(request->problem, PROBLEM_WRONG_TYPE, "/claim",
                       "/claim is %s, but must be an object with the outputs that are claimed",
                       kind);
}

static bool wrong_precision(form_request *request, const char *kind) {
    return problem_set(request->problem, PROBLEM_WRONG_TYPE, "/precision",
                       "/precision is %s, but must be \"float64\" or \"float32\"", kind);
}

static bool wrong_tolerance(form_request *request, const char *kind) {
    return problem_set(request->problem, PROBLEM_WRONG_TYPE, "/tolerance",
                       "/tolerance is %s, but must be an object with \"rtol\" or \"atol\"", kind);
}

static bool wrong_challenge(form_request *request, const char *kind) {
    return problem_set(request->problem, PROBLEM_WRONG_TYPE, "/challenge",
                       "/challenge is %s, but must be the string that POST /challenge gave", kind);
}

bool json_claim_blame(form_request *request, const char *name, const char *kind) {
    const struct {
        const char *name;
        bool (*wrong)(form_request *request, const char *kind);
        bool holds_objects;
    } rows[] = {
        {"claim", wrong_claim, true},
        {"precision", wrong_precision, false},
        {"tolerance", wrong_tolerance, true},
        {"challenge", wrong_challenge, false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (!strcmp(name, rows[i].name))
            return (!rows[i].holds_objects || strcmp(kind, "an object") != 0) &&
                   !rows[i].wrong(request, kind);
    return false;
}

static bool read_precision(form_request *request, json_document *document) {
    const json_t *value = json_object_get(document->root, "precision");
    request->claim->precision = request->call->dtype;
    if (!value)
        return true;
    const char *word = json_plain_text(value);
    return word ? claim_precision(request->claim, word, request->problem)
                : wrong_precision(request, json_kind(document, value));
}

static bool read_tolerance(form_request *request, json_document *document) {
    static const char *const names[] = {"rtol", "atol", NULL};
    json_t *object = json_object_get(document->root, "tolerance"), *value;
    const char *key;
    double number;
    char taker[FORM_TAKER], pointer[FORM_POINTER];
    if (!object)
        return true;
    if (!json_is_object(object))
        return wrong_tolerance(request, json_kind(document, object));
    json_object_foreach(object, key, value) {
        snprintf(pointer, sizeof pointer, "/tolerance");
        if (!form_check_name(form_taker(request->call->operation, taker), "/tolerance", key, names,
                             request->problem))
            return false;
        pointer_add(pointer, sizeof pointer, key);
        if (!json_double(document, value, pointer, &number, request->problem) ||
            !claim_tolerance(request->claim, key, number, request->problem))
            return false;
    }
    return true;
}

/* Of an answer. */
static bool read_challenge(form_request *request, json_document *document) {
    const json_t *value = json_object_get(document->root, "challenge");
    if (!value)
        return problem_set(request->problem, PROBLEM_MISSING_FIELD, "/challenge",
                           "an answer needs /challenge, the string that POST /challenge gave");
    const char *challenge = json_plain_text(value);
    return challenge ? request->claim->open(request->claim, challenge, request->problem)
                     : wrong_challenge(request, json_kind(document, value));
}

bool json_claim_read(form_request *request, json_document *document) {
    static const char *const no_more[] = {NULL};
    form_claim *claim = request->claim;
    json_t *object = json_object_get(document->root, "claim");
    char taker[FORM_TAKER];
    if (object && !json_is_object(object))
        return wrong_claim(request, json_kind(document, object));
    if (claim->open ? !read_challenge(request, document)
                    : !read_precision(request, document) || !read_tolerance(request, document))
        return false;
    if (object) {
        claim_taker(claim->call.operation, taker);
        const json_fields fields = {request,  document, object,  &claim->call,
                                    "/claim", taker,    no_more, true};
        if (!json_fields_check(&fields) || !json_fields_read_inputs(&fields) ||
            !json_fields_read_params(&fields))
            return false;
    }
    return claim_is_there(claim, request->problem);
}
