/* What the forms share. */
#include "forms/form.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "codec/json_value.h"
#include "codec/json_write.h"
#include "codec/number.h"
#include "forms/kept.h"

enum { FORM_HINT = 320 };

/* `the nearest that it takes is "x"`, or `it takes "x", "dtype"`. */
static void name_hint(char hint[FORM_HINT], const char *key, const char *const *names) {
    const char *near = layers_nearest(key, names);
    if (near) {
        snprintf(hint, FORM_HINT, "the nearest that it takes is \"%s\"", near);
        return;
    }
    size_t used = (size_t)snprintf(hint, FORM_HINT, "it takes");
    for (const char *const *name = names; *name && used < FORM_HINT; name++)
        used += (size_t)snprintf(hint + used, FORM_HINT - used, "%s \"%s\"",
                                 name == names ? "" : ",", *name);
}

bool form_has_name(const char *const *names, const char *key) {
    while (*names && strcmp(*names, key) != 0)
        names++;
    return *names;
}

bool form_check_name(const char *taker, const char *parent, const char *key,
                     const char *const *names, problem *problem) {
    if (form_has_name(names, key))
        return true;
    char name[64], pointer[FORM_POINTER], hint[FORM_HINT];
    text_clip(name, sizeof name, key);
    pointer_add(strcpy(pointer, parent), sizeof pointer, name);
    name_hint(hint, key, names);
    return problem_set(problem, PROBLEM_UNKNOWN_FIELD, pointer, "%s takes no \"%s\"%s%s; %s", taker,
                       name, *parent ? " in " : "", parent, hint);
}

const char *form_taker(const layers_operation *operation, char taker[FORM_TAKER]) {
    snprintf(taker, FORM_TAKER, "%s/%s", operation->layer, operation->name);
    return taker;
}

const layers_operation *const *form_operation(const char *taker) {
    for (const layers_operation *const *row = layers_operations; *row; row++) {
        const char *at = taker;
        for (const char *layer = (*row)->layer; *at && *at == *layer; layer++)
            at++;
        size_t length = (size_t)(at - taker);
        if (*at == '/' && !(*row)->layer[length] && !strcmp(at + 1, (*row)->name))
            return row;
    }
    return NULL;
}

bool form_dtype(const char *name, layers_dtype *dtype, problem *problem) {
    for (*dtype = LAYERS_F64; *dtype <= LAYERS_F32; (*dtype)++)
        if (!strcmp(name, layers_dtype_name(*dtype)))
            return true;
    char text[48];
    return problem_set(problem, PROBLEM_INVALID_PARAM, "/dtype",
                       "/dtype is \"%s\", but must be \"float64\" or \"float32\"",
                       text_clip(text, sizeof text, name));
}

bool form_cache(form_request *request, const char *handle) {
    snprintf(request->handle, sizeof request->handle, "%s", handle);
    return kept_cache(request->store, handle, "/cache", &request->call->cache, request->problem);
}

bool form_choice(const layers_operation *operation, int i, const char *parent, const char *word,
                 const char *kind, int *choice, problem *problem) {
    const layers_param *param = &operation->params[i];
    char choices[64] = "", text[48], pointer[FORM_POINTER];
    for (int c = 0; param->choices[c]; c++) {
        if (word && !strcmp(word, param->choices[c])) {
            *choice = c;
            return true;
        }
        snprintf(choices + strlen(choices), sizeof choices - strlen(choices), "%s\"%s\"",
                 c ? " or " : "", param->choices[c]);
    }
    form_param_pointer(parent, operation, i, pointer);
    if (!word)
        return problem_set(problem, PROBLEM_WRONG_TYPE, pointer, "%s is %s, but must be %s",
                           pointer, kind, choices);
    return problem_set(problem, PROBLEM_INVALID_PARAM, pointer, "%s is \"%s\", but must be %s",
                       pointer, text_clip(text, sizeof text, word), choices);
}

const char *form_param_pointer(const char *parent, const layers_operation *operation, int i,
                               char pointer[FORM_POINTER]) {
    snprintf(pointer, FORM_POINTER, "%s", parent);
    pointer_add(pointer, FORM_POINTER, operation->params_name);
    pointer_add(pointer, FORM_POINTER, operation->params[i].name);
    return pointer;
}

void form_param_names(const layers_operation *operation, const char *names[FORM_NAMES]) {
    int count = 0;
    for (; operation->params[count].name; count++)
        names[count] = operation->params[count].name;
    names[count] = NULL;
}

bool form_json_scalar(json_document *document, const json_t *json, const char *parent,
                      const layers_operation *operation, int i, layers_value *value,
                      problem *problem) {
    char pointer[FORM_POINTER];
    form_param_pointer(parent, operation, i, pointer);
    value->given = true;
    if (operation->params[i].kind == LAYERS_CHOICE)
        return form_choice(operation, i, parent, json_plain_text(json), json_kind(document, json),
                           &value->choice, problem);
    return json_double(document, json, pointer, &value->number, problem);
}

static layers_dtype guess_dtype(const char *text, size_t length) {
    static const char float32[] = "\"float32\"";
    enum { LOOK = 128 };
    bool is_short = length <= 2 * LOOK;
    bool found = memmem(text, is_short ? length : LOOK, float32, sizeof float32 - 1) ||
                 (!is_short && memmem(text + length - LOOK, LOOK, float32, sizeof float32 - 1));
    return found ? LAYERS_F32 : LAYERS_F64;
}

json_source form_json_source(const char *text, size_t length, charge *charge, layers_pool *pool) {
    return (json_source){.text = text,
                         .length = length,
                         .dtype = guess_dtype(text, length),
                         .charge = charge,
                         .pool = pool,
                         .piece = JSON_PIECE};
}

char *form_json_param(char *out, const layers_param *param, double number, int choice) {
    if (param->kind == LAYERS_CHOICE)
        return out + sprintf(out, "\"%s\"", param->choices[choice]);
    if (param->kind == LAYERS_INTEGER)
        return out + sprintf(out, "%lld", (long long)number);
    return json_write_double(out, number);
}

void form_number_text(char *text, layers_dtype dtype, const void *number) {
    char written[NUMBER_F64_TEXT];
    size_t length = dtype == LAYERS_F32 ? number_write_f32(written, *(const float *)number)
                                        : number_write_f64(written, *(const double *)number);
    size_t quote = *written == '"';
    memcpy(text, written + quote, length - 2 * quote);
    text[length - 2 * quote] = '\0';
}

void form_param_text(char *text, const layers_param *param, double number, int choice) {
    if (param->kind == LAYERS_CHOICE)
        strcpy(text, param->choices[choice]);
    else if (param->kind == LAYERS_INTEGER)
        sprintf(text, "%lld", (long long)number);
    else
        form_number_text(text, LAYERS_F64, &number);
}

/* Cuts what is behind `place`, if it leads there. */
static void cut_pointer(problem *problem, const char *place, const char *handle_at) {
    size_t length = strlen(place);
    if (!strncmp(problem->pointer, place, length) && problem->pointer[length] == '/')
        snprintf(problem->pointer + length, sizeof problem->pointer - length, "%s", handle_at);
}

void form_mend_pointer(form_request *request, const char *handle_at) {
    const layers_operation *operation = request->call->operation;
    char place[FORM_POINTER];
    for (int i = 0; operation->inputs[i].name; i++)
        if (request->kept & FORM_KEPT(i)) {
            *place = '\0';
            cut_pointer(request->problem,
                        pointer_add(place, sizeof place, operation->inputs[i].name), handle_at);
        }
    for (int i = 0; operation->params && operation->params[i].name; i++)
        if (request->kept & FORM_KEPT_PARAM(i))
            cut_pointer(request->problem, form_param_pointer("", operation, i, place), handle_at);
}

bool form_needs_params(const layers_operation *operation) {
    const layers_param *param = operation->params;
    while (param->name && !param->required)
        param++;
    return param->name;
}

bool form_returns_param(const layers_operation *operation, const layers_param *param) {
    return operation->params_back && param->kind != LAYERS_MASK;
}

bool form_gives_param(const layers_call *call, int i) {
    const layers_param *param = &call->operation->params[i];
    return form_returns_param(call->operation, param) &&
           (call->params[i].given || param->kind == LAYERS_TENSOR);
}

bool form_is_dear(double work, size_t bound) {
    /* each takes a tenth of a millisecond */
    const double cheap_work = 3e6;
    const size_t cheap_answer = 64 << 10;
    return work > cheap_work || bound > cheap_answer;
}

void form_reply(const form *form, char *body, size_t length, reply *reply) {
    reply->status = 200;
    reply->content_type = form->media_type;
    reply->body = body;
    char *shorter = realloc(body, length); /* gives back what the bound was too large by */
    if (shorter)
        reply->body = shorter;
    reply->body_length = length;
}

size_t form_add(size_t a, size_t b) {
    return __builtin_add_overflow(a, b, &a) ? SIZE_MAX : a;
}
