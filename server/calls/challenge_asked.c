/* What a request for a challenge says. */
#include <stdio.h>
#include <string.h>

#include "calls/challenge.h"

enum { OPERATIONS = 64, WORD = 64, CASES = 160 };

const char *const challenge_fields[ASKED + 1] = {"operation",  "case",       "dtype",
                                                 "assignment", "submission", NULL};

const char challenge_taker[] = "a challenge";

bool challenge_has_cases(const layers_operation *operation) {
    return layers_challenge_case(operation, 0);
}

static bool no_operation(const char *word, problem *problem) {
    char texts[OPERATIONS][FORM_TAKER], text[WORD];
    const char *names[OPERATIONS + 1];
    int count = 0;
    for (int i = 0; layers_operations[i] && count < OPERATIONS; i++)
        if (challenge_has_cases(layers_operations[i])) {
            names[count] = form_taker(layers_operations[i], texts[count]);
            count++;
        }
    names[count] = NULL;
    const char *near = layers_nearest(word, names);
    return problem_set(problem, PROBLEM_INVALID_PARAM, "/operation",
                       "/operation is \"%s\", of which there are no challenges; %s%s%s",
                       text_clip(text, sizeof text, word), near ? "the nearest is \"" : "",
                       near ? near : "GET /challenge lists those of which there are",
                       near ? "\"" : "");
}

static bool no_case(const char *operation, const layers_operation *of, const char *word,
                    problem *problem) {
    char cases[CASES] = "", text[WORD];
    const char *name;
    size_t used = 0;
    for (size_t i = 0; (name = layers_challenge_case(of, i)) && used < sizeof cases; i++)
        used +=
            (size_t)snprintf(cases + used, sizeof cases - used, "%s\"%s\"", i ? ", " : "", name);
    return problem_set(problem, PROBLEM_INVALID_PARAM, "/case", "/case is \"%s\", but %s has %s",
                       text_clip(text, sizeof text, word), operation, cases);
}

static bool read_operation(const char *text, challenge_asked *asked, problem *problem) {
    if (!text)
        return problem_set(problem, PROBLEM_MISSING_FIELD, "/operation",
                           "/operation is missing: what is to be computed, such as "
                           "\"affine/forward\"");
    const layers_operation *const *row = form_operation(text);
    if (!row || !challenge_has_cases(*row))
        return no_operation(text, problem);
    asked->operation = *row;
    snprintf(asked->challenge.operation, sizeof asked->challenge.operation, "%s", text);
    return true;
}

static bool read_case(const char *text, challenge_asked *asked, problem *problem) {
    const char *name;
    size_t i = 0;
    while (text && (name = layers_challenge_case(asked->operation, i)) && strcmp(name, text) != 0)
        i++;
    name = layers_challenge_case(asked->operation, i);
    if (!name)
        return no_case(asked->challenge.operation, asked->operation, text, problem);
    snprintf(asked->challenge.name, sizeof asked->challenge.name, "%s", name);
    return true;
}

static bool read_dtype(const char *text, challenge_asked *asked, problem *problem) {
    asked->dtype = LAYERS_F64;
    if (text && !form_dtype(text, &asked->dtype, problem))
        return false;
    snprintf(asked->challenge.dtype, sizeof asked->challenge.dtype, "%s",
             layers_dtype_name(asked->dtype));
    return true;
}

static bool read_assignment(const char *text, challenge_asked *asked, problem *problem) {
    size_t length = text ? strlen(text) : 0, most = sizeof asked->challenge.assignment - 1;
    if (length > most)
        return problem_set(problem, PROBLEM_INVALID_PARAM, "/assignment",
                           "/assignment has %zu bytes, and at most %zu are taken", length, most);
    memcpy(asked->challenge.assignment, text ? text : "", length + 1);
    return true;
}

static bool read_submission(const char *text, challenge_asked *asked, problem *problem) {
    char clipped[WORD];
    asked->challenge.has_submission = text;
    return !text || hex_read(text, strlen(text), asked->challenge.subject) ||
           problem_set(problem, PROBLEM_INVALID_PARAM, "/submission",
                       "/submission is \"%s\", but must be the SHA-256 of what is submitted, 64 "
                       "hexadecimal digits",
                       text_clip(clipped, sizeof clipped, text));
}

bool challenge_asked_read(const char *const texts[ASKED], challenge_asked *asked,
                          problem *problem) {
    memset(asked, 0, sizeof *asked);
    return read_operation(texts[ASKED_OPERATION], asked, problem) &&
           read_case(texts[ASKED_CASE], asked, problem) &&
           read_dtype(texts[ASKED_DTYPE], asked, problem) &&
           read_assignment(texts[ASKED_ASSIGNMENT], asked, problem) &&
           read_submission(texts[ASKED_SUBMISSION], asked, problem);
}
