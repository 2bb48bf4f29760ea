/* What is drawn for a challenge, and what an answer to it has to claim. */
#include <stdio.h>

#include "calls/challenge.h"

/* Whether a parameter that is no tensor is another after the call, as a count of steps is: then the
 * right answer is not what it was. */
static layers_code is_changed(const challenge_drawn *drawn, int i, bool *changed,
                              layers_error *error) {
    const layers_param *param = &drawn->question.takes.params[i];
    layers_value before = drawn->inputs.params[i];
    layers_finding finding = {.verdict = LAYERS_RIGHT};
    layers_code code = LAYERS_OK;
    if (!before.given && param->has_fallback)
        before.number = param->fallback;
    if (before.given || param->has_fallback)
        code = layers_check_judge(drawn->check, LAYERS_MAX_TENSORS + i, &before, NULL, &finding,
                                  error);
    *changed = finding.verdict != LAYERS_RIGHT;
    return code;
}

static layers_code find_claims(challenge_drawn *drawn, layers_error *error) {
    const layers_operation *all = &drawn->question.claims;
    layers_code code = LAYERS_OK;
    for (int i = 0; all->inputs[i].name; i++)
        drawn->claims |= 1U << i;
    for (int i = 0; all->params_name && all->params[i].name && code == LAYERS_OK; i++) {
        bool claimed = layers_is_tensor(&all->params[i]);
        if (!claimed)
            code = is_changed(drawn, i, &claimed, error);
        drawn->claims |= (unsigned)claimed << (LAYERS_MAX_TENSORS + i);
    }
    return code;
}

layers_code challenge_draw(challenge_drawn *drawn, const challenge_asked *asked,
                           challenge_stream *stream, layers_error *error) {
    const layers_source source = {challenge_stream_next, stream};
    layers_code code = layers_challenge_make(&drawn->check, &drawn->question, asked->challenge.name,
                                             asked->dtype, &source, &drawn->inputs, error);
    return code == LAYERS_OK ? find_claims(drawn, error) : code;
}

const char *challenge_claim_name(const layers_operation *claims, int place, char separator,
                                 char name[CLAIM_NAME]) {
    if (place < LAYERS_MAX_TENSORS)
        snprintf(name, CLAIM_NAME, "%s", claims->inputs[place].name);
    else
        snprintf(name, CLAIM_NAME, "%s%c%s", claims->params_name, separator,
                 claims->params[place - LAYERS_MAX_TENSORS].name);
    return name;
}

void challenge_drawn_clear(challenge_drawn *drawn) {
    layers_check_free(drawn->check);
    layers_call_clear(&drawn->inputs);
}
