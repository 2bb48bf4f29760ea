/* Checks, and answers to challenges. The first line says which, the rest is a body:
 *
 *     check affine/forward
 *     {"x": [[1]], "w": [[2]], "b": [3], "claim": {"out": [[5]]}}
 *
 *     answer affine/forward plain float32
 *     {"challenge": "$", "claim": {"out": [[1, 2, 3]]}}
 *
 * where $ is the challenge of that operation, case and dtype. A body that does not start with "{"
 * is a file. */
#include <jansson.h>
#include <string.h>

#include "exchange.h"
#include "forms/form.h"
#include "fuzz.h"
#include "route.h"

enum { BODY_LIMIT = 1 << 16, WORDS = 4, CHALLENGE_MOST = 1024 };

static const options limits = {.body_limit = BODY_LIMIT,
                               .answer_limit = 1 << 20,
                               .work_limit = 1 << 24,
                               .memory = 1 << 26,
                               .threads = 1};

static service *started(void) {
    static service service;
    HOLDS(service.store || serving_start(&service, &limits, 1 << 16));
    return &service;
}

/* ---- what is sent ------------------------------------------------------------------------------
 */

typedef struct {
    const layers_operation *operation;
    bool is_answer;
    char path[96];
    char challenge[CHALLENGE_MOST];
    char *body;
    size_t length;
} asked;

/* Posts a body; the query may be "". */
static served post(const char *path, const char *query, const void *body, size_t length) {
    char target[128];
    bool is_file = length > 0 && *(const char *)body != '{';
    snprintf(target, sizeof target, "%s%s", path, query);
    sent sent = {.head = {.method = "POST",
                          .path = target,
                          .content_type = is_file ? form_safetensors.media_type : NULL},
                 .body = body,
                 .length = length};
    take_query(target, &sent.head);
    return exchange(started(), &sent);
}

static const layers_operation *operation_of(const char *name) {
    const layers_operation *const *row = name ? form_operation(name) : NULL;
    return row ? *row : NULL;
}

/* Asks for the challenge, always the same. False where there is none. */
static bool ask_challenge(asked *a, char *const word[WORDS]) {
    char body[256];
    snprintf(body, sizeof body,
             "{\"operation\":\"%.40s\",\"case\":\"%.40s\",\"dtype\":\"%.40s\",\"submission\":"
             "\"%064d\"}",
             word[1], word[2] ? word[2] : "plain", word[3] ? word[3] : "float64", 0);
    served given = post("/challenge", "", body, strlen(body));
    json_t *document = given.good ? json_loadb(given.body, given.length, 0, NULL) : NULL;
    HOLDS(!given.good || json_is_object(document));
    const char *text = json_string_value(json_object_get(document, "challenge"));
    if (text)
        snprintf(a->challenge, sizeof a->challenge, "%s", text);
    json_decref(document);
    free(given.body);
    return given.good;
}

/* The body, the challenge in the place of each "$". */
static void fill_body(asked *a, const char *text, size_t length) {
    size_t long_one = strlen(a->challenge), marks = 0;
    for (size_t i = 0; i < length; i++)
        marks += a->is_answer && text[i] == '$';
    a->length = length + marks * long_one;
    char *end = a->body = malloc(a->length + 1);
    HOLDS(end);
    for (size_t i = 0; i < length; i++)
        if (a->is_answer && text[i] == '$')
            end = mempcpy(end, a->challenge, long_one);
        else
            *end++ = text[i];
    a->length = (size_t)(end - a->body);
}

/* ---- what is found -----------------------------------------------------------------------------
 */

/* Its place in layers_verdict_names. */
static int verdict_of(const json_t *finding) {
    const char *text = json_string_value(json_object_get(finding, "verdict"));
    int verdict = 0;
    HOLDS(text);
    while (verdict < 3 && strcmp(text, layers_verdict_names[verdict]) != 0)
        verdict++;
    HOLDS(verdict < 3);
    return verdict;
}

static bool is_fault_of(const layers_operation *operation, const char *code) {
    const char *says, *known;
    for (size_t i = 0; (known = layers_fault_at(operation, i, &says)); i++)
        if (!strcmp(known, code))
            return true;
    return false;
}

/* One claim, told with or without words, and with no value where none was asked for. */
static void finding_holds(const asked *a, json_t *finding, detail detail) {
    static const char *const values[] = {"at", "claimed", "expected", "error", "bound"};
    const json_t *fault = json_object_get(finding, "fault"),
                 *says = json_object_get(finding, "says");
    for (size_t i = 0; i < sizeof values / sizeof *values; i++)
        HOLDS(detail == DETAIL_VALUES || !json_object_get(finding, values[i]));
    HOLDS(detail != DETAIL_VERDICT || json_object_size(finding) == 1);
    HOLDS(!fault || is_fault_of(a->operation, json_string_value(fault)) ||
          is_fault_of(NULL, json_string_value(fault)));
    HOLDS(!fault || *json_string_value(says));
    HOLDS(verdict_of(finding) != LAYERS_RIGHT || (!fault && !says));
}

/* The worst verdict of all claims; those of parameters stand in an object of their own. */
static int claims_hold(const asked *a, json_t *claims, detail detail) {
    const char *name;
    json_t *member;
    int worst = LAYERS_RIGHT;
    HOLDS(json_is_object(claims) && json_object_size(claims) > 0);
    json_object_foreach(claims, name, member) {
        int verdict;
        if (json_is_string(json_object_get(member, "verdict"))) {
            finding_holds(a, member, detail);
            verdict = verdict_of(member);
        } else {
            verdict = claims_hold(a, member, detail);
        }
        worst = verdict > worst ? verdict : worst;
    }
    return worst;
}

/* Returns the verdict; -1 for a problem. */
static int answer_holds(const asked *a, const char *query, detail detail) {
    served answer = post(a->path, query, a->body, a->length);
    int verdict = -1;
    if (answer.good) {
        json_t *document = json_loadb(answer.body, answer.length, JSON_REJECT_DUPLICATES, NULL);
        HOLDS(json_is_object(document) && json_object_size(document) == 2);
        verdict = verdict_of(document);
        HOLDS(claims_hold(a, json_object_get(document, "claim"), detail) == verdict);
        HOLDS(!a->is_answer || verdict != LAYERS_UNDECIDED);
        json_decref(document);
    }
    free(answer.body);
    return verdict;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    char line[128], *word[WORDS] = {NULL};
    const uint8_t *feed = memchr(data, '\n', size);
    size_t first = feed ? (size_t)(feed - data) : 0;
    asked a = {0};
    if (!feed || first >= sizeof line)
        return 0;
    memcpy(line, data, first);
    line[first] = '\0';
    word[0] = line;
    for (int i = 1; i < WORDS; i++)
        word[i] = cut_text(word[i - 1], " ");
    a.operation = operation_of(word[1]);
    a.is_answer = !strcmp(word[0], "answer");
    if (!a.operation || (a.is_answer && !ask_challenge(&a, word)))
        return 0;
    snprintf(a.path, sizeof a.path, "%s%s", a.is_answer ? "/challenge/answer" : "/check/",
             a.is_answer ? "" : word[1]);
    fill_body(&a, (const char *)feed + 1, size - first - 1);
    if (a.length <= BODY_LIMIT) {
        int verdict = answer_holds(&a, "", DETAIL_WORDS);
        HOLDS(answer_holds(&a, "?detail=verdict", DETAIL_VERDICT) == verdict);
        HOLDS(answer_holds(&a, "?detail=values", DETAIL_VALUES) == verdict);
    }
    free(a.body);
    return 0;
}
