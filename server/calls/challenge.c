/* POST /challenge: draws inputs, and gives them with what is to be claimed of them. */
#include "calls/challenge.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "handlers.h"

/* What challenges need of a form (challenge.h). */
typedef struct {
    const form *form;
    bool (*read)(const layers_tensor *body, charge *charge, challenge_asked *asked,
                 problem *problem);
    size_t (*bound)(const challenge_given *given);
    char *(*write)(char *out, const challenge_given *given);
} challenge_form;

static const challenge_form challenge_forms[] = {
    {&form_json, challenge_read_json, challenge_bound_json, challenge_write_json},
    {&form_safetensors, challenge_read_safetensors, challenge_bound_safetensors,
     challenge_write_safetensors},
};

static const challenge_form *challenge_form_of(const form *form) {
    const challenge_form *row = challenge_forms;
    while (row->form != form)
        row++;
    return row;
}

/* One request on its way. */
typedef struct {
    challenge_asked asked;
    challenge_stream stream;
    char text[CHALLENGE_TEXT];
    challenge_drawn drawn;
    /* The inputs as what an operation gives, with the parameters that were drawn. */
    layers_operation shows;
    layers_param params[LAYERS_MAX_PARAMS + 1];
    layers_call shown;
    challenge_given given;
} giving;

static void show_inputs(giving *g) {
    const layers_operation *takes = &g->drawn.question.takes;
    const layers_call *inputs = &g->drawn.inputs;
    int count = 0;
    for (int i = 0; i < LAYERS_MAX_TENSORS; i++)
        g->shown.outputs[i] = inputs->inputs[i];
    for (int i = 0; takes->params_name && takes->params[i].name; i++) {
        if (!inputs->params[i].given)
            continue;
        g->params[count] = takes->params[i];
        if (layers_is_tensor(&g->params[count]))
            g->params[count].kind = LAYERS_TENSOR; /* a mask goes as it came */
        g->shown.params[count++] = inputs->params[i];
    }
    g->shows = (layers_operation){.layer = takes->layer,
                                  .name = takes->name,
                                  .outputs = takes->inputs,
                                  .params_name = count > 0 ? takes->params_name : NULL,
                                  .params = g->params,
                                  .params_back = count > 0};
    g->shown.operation = &g->shows;
    g->shown.dtype = inputs->dtype;
}

static void name_claims(giving *g) {
    for (int place = 0; place < LAYERS_MAX_CLAIMS; place++)
        if (g->drawn.claims & 1U << place)
            challenge_claim_name(&g->drawn.question.claims, place, '.',
                                 g->given.claims[g->given.claim_count++]);
}

static bool draw(giving *g, caller *caller, problem *problem) {
    layers_error error;
    layers_question_make(&g->drawn.question, g->asked.operation);
    if (!caller_work(caller, 0, problem)) /* before any is done */
        return false;
    if (challenge_draw(&g->drawn, &g->asked, &g->stream, &error) != LAYERS_OK)
        return problem_set_layers(problem, &error);
    name_claims(g);
    show_inputs(g);
    return caller_work(caller, 2 * layers_check_work(g->drawn.check), problem);
}

static bool answer(giving *g, const form *form, charge *charge, reply *reply, problem *problem) {
    g->given.form = form;
    size_t bound = challenge_form_of(form)->bound(&g->given);
    char *body = charge_add(charge, bound) ? malloc(bound) : NULL;
    if (!body)
        return problem_set_memory(problem, "the answer");
    size_t length = (size_t)(challenge_form_of(form)->write(body, &g->given) - body);
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
    bool good = challenge_form_of(route->request_form)
                    ->read(&request->body, request->charge, &g.asked, problem);
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
    challenge_drawn_clear(&g.drawn);
    secret_wipe(&g.stream, sizeof g.stream);
    return good;
}
