/* Challenges in safetensors: what is asked for stands in __metadata__; inputs are tensors by their
 * names, parameters and the rest texts of __metadata__, the claims by commas. */
#include <stdio.h>
#include <string.h>

#include "calls/challenge.h"
#include "codec/safetensors_read.h"
#include "codec/safetensors_write.h"

static bool read_texts(const safetensors_file *file, const char *texts[ASKED], problem *problem) {
    const char *key;
    json_t *value;
    char pointer[FORM_POINTER];
    if (file->count > 0) {
        const char *name = file->entries[0].name;
        return form_check_name(challenge_taker, "", name, challenge_fields, problem) &&
               problem_set(problem, PROBLEM_WRONG_TYPE,
                           safetensors_pointer(name, pointer, sizeof pointer),
                           "%s is a tensor, but must be a string in __metadata__", name);
    }
    json_object_foreach(file->metadata, key, value) {
        if (strcmp(key, "format") != 0 &&
            !form_check_name(challenge_taker, "", key, challenge_fields, problem))
            return false;
    }
    for (int i = 0; i < ASKED; i++)
        texts[i] = json_string_value(json_object_get(file->metadata, challenge_fields[i]));
    return true;
}

bool challenge_read_safetensors(const layers_tensor *body, charge *charge, challenge_asked *asked,
                                problem *problem) {
    const char *texts[ASKED];
    safetensors_file file;
    (void)charge;
    if (!safetensors_read(&file, body->data, body->size, SAFETENSORS_HEADER, problem))
        return false;
    bool good = read_texts(&file, texts, problem) && challenge_asked_read(texts, asked, problem);
    safetensors_free(&file);
    return good;
}

enum { TEXTS = 4, MOST = LAYERS_MAX_CLAIMS + TEXTS };

/* The contents, and room for them. */
typedef struct {
    safetensors_contents contents;
    safetensors_tensor_named tensors[MOST];
    safetensors_text_named texts[MOST];
    char claims[LAYERS_MAX_CLAIMS * CLAIM_NAME];
} message;

static void add_text(message *m, const char *name, const char *text) {
    m->texts[m->contents.text_count++] = (safetensors_text_named){.name = name, .longer = text};
}

static void add_tensor(message *m, const char *owner, const char *name,
                       const layers_tensor *tensor) {
    m->tensors[m->contents.tensor_count++] = (safetensors_tensor_named){owner, name, tensor};
}

static void add_inputs(message *m, const layers_call *call) {
    const layers_operation *operation = call->operation;
    for (int i = 0; operation->outputs[i].name; i++)
        add_tensor(m, NULL, operation->outputs[i].name, &call->outputs[i]);
    for (int i = 0; operation->params_name && operation->params[i].name; i++) {
        const layers_param *param = &operation->params[i];
        const layers_value *value = &call->params[i];
        if (layers_is_tensor(param)) {
            add_tensor(m, operation->params_name, param->name, &value->tensor);
            continue;
        }
        safetensors_text_named *text = &m->texts[m->contents.text_count++];
        *text = (safetensors_text_named){.owner = operation->params_name, .name = param->name};
        form_param_text(text->text, param, value->number, value->choice);
    }
}

static void fill(message *m, const challenge_given *given) {
    char *claims = m->claims;
    m->contents = (safetensors_contents){.tensors = m->tensors, .texts = m->texts};
    for (int i = 0; i < given->claim_count; i++)
        claims = stpcpy(stpcpy(claims, i > 0 ? "," : ""), given->claims[i]);
    add_text(m, "challenge", given->text);
    add_text(m, "expires", given->expires);
    add_text(m, "operation", given->operation);
    add_text(m, "claims", m->claims);
    add_inputs(m, given->inputs.call);
}

size_t challenge_bound_safetensors(const challenge_given *given) {
    message m = {.claims = ""};
    fill(&m, given);
    return safetensors_bound(&m.contents);
}

char *challenge_write_safetensors(char *out, const challenge_given *given) {
    message m = {.claims = ""};
    fill(&m, given);
    return safetensors_write(out, &m.contents);
}
