/* Challenges in JSON: {"challenge": ..., "expires": ..., "operation": ..., "inputs": {...},
 * "claims": [...]}. */
#include <stdio.h>
#include <string.h>

#include "calls/challenge.h"
#include "codec/json_value.h"
#include "codec/json_write.h"

static bool wrong_type(const char *name, const char *kind, problem *problem) {
    char pointer[FORM_POINTER] = "";
    pointer_add(pointer, sizeof pointer, name);
    return problem_set(problem, PROBLEM_WRONG_TYPE, pointer, "%s is %s, but must be a string",
                       pointer, kind);
}

/* What is wrong with numbers where only texts may stand: that they stand there. Always false. */
static bool blame(const json_source *source, problem *problem) {
    const uint64_t of_numbers =
        PROBLEM_BIT(PROBLEM_WRONG_TYPE) | PROBLEM_BIT(PROBLEM_RAGGED_ARRAY) |
        PROBLEM_BIT(PROBLEM_INVALID_SHAPE) | PROBLEM_BIT(PROBLEM_NUMBER_OUT_OF_RANGE);
    char name[FORM_POINTER];
    if (!(of_numbers & PROBLEM_BIT(problem->kind)) || *problem->pointer != '/')
        return false;
    if (source->text[strspn(source->text, " \t\r\n")] == '[')
        return problem_set(problem, PROBLEM_WRONG_TYPE, NULL,
                           "the body is a list, but must be an object");
    size_t length = strcspn(problem->pointer + 1, "/");
    bool inside = problem->pointer[1 + length] != '\0';
    snprintf(name, sizeof name, "%.*s", (int)length, problem->pointer + 1);
    return form_check_name(challenge_taker, "", name, challenge_fields, problem) &&
           wrong_type(name, inside ? "a list" : "a number", problem);
}

static bool read_texts(const json_document *document, const char *texts[ASKED], problem *problem) {
    const char *key;
    json_t *value;
    json_object_foreach(document->root, key, value) {
        if (!form_check_name(challenge_taker, "", key, challenge_fields, problem))
            return false;
    }
    for (int i = 0; i < ASKED; i++) {
        value = json_object_get(document->root, challenge_fields[i]);
        texts[i] = value ? json_plain_text(value) : NULL;
        if (value && !texts[i])
            return wrong_type(challenge_fields[i], json_kind(document, value), problem);
    }
    return true;
}

bool challenge_read_json(const layers_tensor *body, charge *charge, challenge_asked *asked,
                         problem *problem) {
    const json_source source = form_json_source(body->data, body->size, charge, NULL);
    const char *texts[ASKED];
    json_document document;
    if (!json_document_read(&document, &source, problem))
        return blame(&source, problem);
    bool good =
        read_texts(&document, texts, problem) && challenge_asked_read(texts, asked, problem);
    json_document_free(&document);
    return good;
}

size_t challenge_bound_json(const challenge_given *given) {
    size_t names = sizeof "{'challenge':'','expires':'','operation':'','inputs':,'claims':[]}" +
                   strlen(given->text) + strlen(given->expires) + strlen(given->operation) +
                   (size_t)given->claim_count * (CLAIM_NAME + 4);
    return form_add(names, given->form->bound(&given->inputs));
}

static char *write_text(char *out, const char *before, const char *text) {
    out = json_write_raw(out, before);
    *out++ = '"';
    out = json_write_raw(out, text);
    *out++ = '"';
    return out;
}

char *challenge_write_json(char *out, const challenge_given *given) {
    out = write_text(out, "{\"challenge\":", given->text);
    out = write_text(out, ",\"expires\":", given->expires);
    out = write_text(out, ",\"operation\":", given->operation);
    out = json_write_raw(out, ",\"inputs\":");
    out = given->form->write(out, &given->inputs) - 1; /* without its line feed */
    out = json_write_raw(out, ",\"claims\":[");
    for (int i = 0; i < given->claim_count; i++)
        out = write_text(out, i > 0 ? "," : "", given->claims[i]);
    return json_write_raw(out, "]}\n");
}
