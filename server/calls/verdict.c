/* {"verdict": "wrong", "claim": {"out": {"verdict": "wrong", "fault": ..., "says": ...}}} */
#include "calls/verdict.h"

#include <stdlib.h>
#include <string.h>

#include "codec/json_write.h"
#include "forms/claim.h"

/* The place of layers_check_judge of what a claim's tensors or parameters have at i; -1 behind the
 * last. */
static int next_place(const layers_operation *claims, int place) {
    place++;
    if (place < LAYERS_MAX_TENSORS && claims->inputs[place].name)
        return place;
    if (place < LAYERS_MAX_TENSORS)
        place = LAYERS_MAX_TENSORS;
    return claims->params && claims->params[place - LAYERS_MAX_TENSORS].name ? place : -1;
}

static bool judge(verdict *v, const layers_check *check, const form_claim *claim, int place,
                  problem *problem) {
    layers_error error;
    layers_value value = {0};
    if (place < LAYERS_MAX_TENSORS)
        value.tensor = claim->call.inputs[place];
    else
        value = claim->call.params[place - LAYERS_MAX_TENSORS];
    v->claimed[place] = true;
    if (layers_check_judge(check, place, &value, claim->has_tolerance ? &claim->tolerance : NULL,
                           &v->finding[place], &error) != LAYERS_OK)
        return problem_set_layers(problem, &error);
    if (v->finding[place].verdict > v->verdict)
        v->verdict = v->finding[place].verdict;
    v->rank[place] = (size_t)value.tensor.rank;
    memcpy(v->shape[place], value.tensor.shape, v->rank[place] * sizeof *value.tensor.shape);
    return true;
}

bool verdict_find(verdict *v, const layers_check *check, const form_claim *claim,
                  problem *problem) {
    const layers_operation *claims = claim->call.operation;
    *v = (verdict){.verdict = LAYERS_RIGHT};
    for (int place = next_place(claims, -1); place >= 0; place = next_place(claims, place))
        if (claim_is_given(claim, place) && !judge(v, check, claim, place, problem))
            return false;
    return true;
}

detail verdict_detail(const request *request, detail asked) {
    return request->caller && request->caller->verdict_only ? DETAIL_VERDICT : asked;
}

/* ---- its text ----------------------------------------------------------------------------------
 */

static char *write_text(char *out, const char *name, const char *text) {
    out = json_write_raw(json_write_raw(out, ",\""), name);
    out = json_write_raw(json_write_raw(out, "\":\""), text);
    return json_write_raw(out, "\"");
}

static char *write_number(char *out, const char *name, double number) {
    out = json_write_raw(json_write_raw(out, ",\""), name);
    return json_write_double(json_write_raw(out, "\":"), number);
}

/* The place of the worst element, in the shape of what is claimed. */
static char *write_place(char *out, const verdict *v, int place) {
    size_t rank = v->rank[place], at = v->finding[place].at;
    layers_tensor index = {.dtype = LAYERS_I64, .rank = 1, .shape = {rank}, .size = rank};
    int64_t indices[LAYERS_MAX_RANK];
    for (size_t r = rank; r-- > 0; at /= v->shape[place][r])
        indices[r] = (int64_t)(at % v->shape[place][r]);
    index.data = indices;
    return json_write_tensor(json_write_raw(out, ",\"at\":"), &index, false, NULL);
}

static char *write_worst(char *out, const verdict *v, int place) {
    const layers_finding *finding = &v->finding[place];
    out = write_place(out, v, place);
    out = write_number(out, "claimed", finding->claimed);
    out = write_number(out, "expected", finding->expected);
    out = write_number(out, "error", finding->error);
    return write_number(out, "bound", finding->bound);
}

static char *write_finding(char *out, const verdict *v, int place, detail detail) {
    const layers_finding *finding = &v->finding[place];
    out = json_write_raw(out, "{\"verdict\":\"");
    out = json_write_raw(out, layers_verdict_names[finding->verdict]);
    out = json_write_raw(out, "\"");
    if (detail != DETAIL_VERDICT && finding->fault)
        out = write_text(out, "fault", finding->fault);
    if (detail != DETAIL_VERDICT && *finding->says)
        out = write_text(out, "says", finding->says);
    if (detail == DETAIL_VALUES && finding->has_worst)
        out = write_worst(out, v, place);
    return json_write_raw(out, "}");
}

static char *write_named(char *out, bool *first, const char *name) {
    out = json_write_raw(out, *first ? "\"" : ",\"");
    *first = false;
    return json_write_raw(json_write_raw(out, name), "\":");
}

static char *write_params(char *out, const verdict *v, const layers_operation *claims,
                          detail detail) {
    bool first = true;
    *out++ = '{';
    for (int i = 0; claims->params[i].name; i++)
        if (v->claimed[LAYERS_MAX_TENSORS + i]) {
            out = write_named(out, &first, claims->params[i].name);
            out = write_finding(out, v, LAYERS_MAX_TENSORS + i, detail);
        }
    *out++ = '}';
    return out;
}

static char *write_claims(char *out, const verdict *v, const layers_operation *claims,
                          detail detail) {
    bool first = true, any = false;
    for (int i = 0; claims->inputs[i].name; i++)
        if (v->claimed[i]) {
            out = write_named(out, &first, claims->inputs[i].name);
            out = write_finding(out, v, i, detail);
        }
    for (int i = 0; claims->params && claims->params[i].name; i++)
        any |= v->claimed[LAYERS_MAX_TENSORS + i];
    if (any) {
        out = write_named(out, &first, claims->params_name);
        out = write_params(out, v, claims, detail);
    }
    return out;
}

bool verdict_reply(const verdict *v, const layers_operation *claims, detail detail, reply *reply,
                   problem *problem) {
    /* names, words, numbers, and the place of an element of each claim */
    const size_t each = 512 + 24 * LAYERS_MAX_RANK;
    char *body = malloc(256 + LAYERS_MAX_CLAIMS * each), *out = body;
    if (!body)
        return problem_set_memory(problem, "the answer");
    out = json_write_raw(out, "{\"verdict\":\"");
    out = json_write_raw(out, layers_verdict_names[v->verdict]);
    out = json_write_raw(out, "\",\"claim\":{");
    out = write_claims(out, v, claims, detail);
    out = json_write_raw(out, "}}\n");
    form_reply(&form_json, body, (size_t)(out - body), reply);
    return true;
}
