/* POST /challenge: draws inputs, and gives them with what is to be claimed of them. */
#include "calls/challenge.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "handlers.h"

/* Whether a parameter that is no tensor is another after the call, as a count of steps is: then the
 * right answer is not what it was. */
static layers_code is_changed(const layers_question *question, const layers_check *check,
                              const layers_call *asked, int i, bool *changed, layers_error *error) {
    const layers_param *param = &question->takes.params[i];
    layers_value before = asked->params[i];
    layers_finding finding = {.verdict = LAYERS_RIGHT};
    layers_code code = LAYERS_OK;
    if (!before.given && param->has_fallback)
        before.number = param->fallback;
    if (before.given || param->has_fallback)
        code = layers_check_judge(check, LAYERS_MAX_TENSORS + i, &before, NULL, &finding, error);
    *changed = finding.verdict != LAYERS_RIGHT;
    return code;
}

layers_code challenge_claims(const layers_question *question, const layers_check *check,
                             const layers_call *asked, unsigned *claims, layers_error *error) {
    const layers_operation *all = &question->claims;
    layers_code code = LAYERS_OK;
    *claims = 0;
    for (int i = 0; all->inputs[i].name; i++)
        *claims |= 1U << i;
    for (int i = 0; all->params_name && all->params[i].name && code == LAYERS_OK; i++) {
        bool claimed = layers_is_tensor(&all->params[i]);
        if (!claimed)
            code = is_changed(question, check, asked, i, &claimed, error);
        *claims |= (unsigned)claimed << (LAYERS_MAX_TENSORS + i);
    }
    return code;
}

/* ---- giving one --------------------------------------------------------------------------------
 */

/* One request on its way. */
typedef struct {
    challenge_asked asked;
    challenge_stream stream;
    char text[CHALLENGE_TEXT];
    layers_question question;
    layers_call drawn;
    layers_check *check;
    /* The inputs as what an operation gives, with the parameters that were drawn. */
    layers_operation shows;
    layers_param params[LAYERS_MAX_PARAMS + 1];
    layers_call shown;
    challenge_given given;
} giving;

static void show_inputs(giving *g) {
    const layers_operation *takes = &g->question.takes;
    int count = 0;
    for (int i = 0; i < LAYERS_MAX_TENSORS; i++)
        g->shown.outputs[i] = g->drawn.inputs[i];
    for (int i = 0; takes->params_name && takes->params[i].name; i++) {
        if (!g->drawn.params[i].given)
            continue;
        g->params[count] = takes->params[i];
        if (layers_is_tensor(&g->params[count]))
            g->params[count].kind = LAYERS_TENSOR; /* a mask goes as it came */
        g->shown.params[count++] = g->drawn.params[i];
    }
    g->shows = (layers_operation){.layer = takes->layer,
                                  .name = takes->name,
                                  .outputs = takes->inputs,
                                  .params_name = count > 0 ? takes->params_name : NULL,
                                  .params = g->params,
                                  .params_back = count > 0};
    g->shown.operation = &g->shows;
    g->shown.dtype = g->drawn.dtype;
}

static void name_claims(challenge_given *given, const layers_operation *claims, unsigned bits) {
    for (int i = 0; i < LAYERS_MAX_CLAIMS; i++) {
        bool output = i < LAYERS_MAX_TENSORS;
        if (!(bits & 1U << i))
            continue;
        snprintf(given->claims[given->claim_count++], CLAIM_NAME, "%s%s%s",
                 output ? "" : claims->params_name, output ? "" : ".",
                 output ? claims->inputs[i].name : claims->params[i - LAYERS_MAX_TENSORS].name);
    }
}

static bool draw(giving *g, caller *caller, problem *problem) {
    const layers_source source = {challenge_stream_next, &g->stream};
    layers_error error;
    unsigned claims;
    layers_question_make(&g->question, g->asked.operation);
    if (layers_challenge_make(&g->check, &g->question, g->asked.challenge.name, g->asked.dtype,
                              &source, &g->drawn, &error) != LAYERS_OK ||
        challenge_claims(&g->question, g->check, &g->drawn, &claims, &error) != LAYERS_OK)
        return problem_set_layers(problem, &error);
    name_claims(&g->given, &g->question.claims, claims);
    show_inputs(g);
    return caller_work(caller, 2 * layers_check_work(g->check), problem);
}

static bool answer(giving *g, const form *form, charge *charge, reply *reply, problem *problem) {
    size_t bound = form->bound_challenge(&g->given);
    char *body = charge_add(charge, bound) ? malloc(bound) : NULL;
    if (!body)
        return problem_set_memory(problem, "the answer");
    size_t length = (size_t)(form->write_challenge(body, &g->given) - body);
    form_reply(form, body, length, reply);
    return true;
}

bool handle_challenge(service *service, const route *route, const request *request, reply *reply,
                      problem *problem) {
    giving g = {.given = {.text = g.text,
                          .operation = g.asked.challenge.operation,
                          .inputs = {.call = &g.shown, .flat = request->query_count > 0}}};
    const owner *tenant = request_owner(request);
    double start = clock_ms();
    bool good =
        route->request_form->read_challenge(&request->body, request->charge, &g.asked, problem);
    double read = clock_ms();
    challenge *challenge = &g.asked.challenge;
    if (good) {
        snprintf(challenge->tenant, sizeof challenge->tenant, "%s", tenant ? tenant->name : "");
        good = challenge_give(service->challenges, challenge, &g.stream, g.text, problem);
        clock_text(challenge->expires, g.given.expires);
    }
    good = good && draw(&g, request->caller, problem);
    double computed = clock_ms();
    good = good && answer(&g, route->answer_form, request->charge, reply, problem);
    reply->read_ms = read - start;
    reply->compute_ms = computed - read;
    reply->write_ms = clock_ms() - computed;
    layers_check_free(g.check);
    layers_call_clear(&g.drawn);
    secret_wipe(&g.stream, sizeof g.stream);
    return good;
}
