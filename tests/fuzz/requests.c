/* Whole requests, one after another, as handlers get them. The input is text:
 *
 *     POST /relu/forward?tensors=flat
 *     Content-Type: application/json
 *
 *     {"x": [1]}
 *     ===
 *     POST /relu/backward
 *
 *     {"dout": [1], "cache": "$cache"}
 *
 * where $cache is the handle that was given last. */
#include <jansson.h>
#include <string.h>

#include "../unit/serving.h"
#include "calls/form.h"
#include "codec/safetensors_read.h"
#include "fuzz.h"

enum { BUDGET = 1 << 18, HANDLES_MOST = 64 };

enum { BODY_LIMIT = 1 << 16 };

static const options limits = {.body_limit = BODY_LIMIT,
                               .answer_limit = 1 << 20,
                               .work_limit = 1 << 30,
                               .memory = 1 << 24,
                               .threads = 1};

static struct {
    service service;
    char handle[HANDLES_MOST][HANDLE_TEXT]; /* that this input was given */
    size_t handles;
} state;

static void start(void) {
    if (state.service.store)
        return;
    HOLDS(serving_start(&state.service, &limits, BUDGET));
}

static void keep_handle(const json_t *document) {
    const char *handle = json_string_value(json_object_get(document, "cache"));
    if (!handle)
        return;
    HOLDS(strlen(handle) == HANDLE_TEXT - 1 && state.handles < HANDLES_MOST);
    strcpy(state.handle[state.handles++], handle);
}

static void bytes_hold(const served *answer) {
    safetensors_file file;
    problem problem;
    HOLDS(safetensors_read(&file, answer->body, answer->length, SAFETENSORS_HEADER, &problem));
    keep_handle(file.metadata);
    safetensors_free(&file);
}

/* An answer is an object, a safetensors file or, of figures, text; a handle in it is kept in mind.
 */
static void answer_holds(const served *answer) {
    if (answer->status == 204) {
        HOLDS(!answer->body);
        return;
    }
    HOLDS(answer->status == 200 && answer->body);
    if (!strcmp(answer->content_type, form_safetensors.media_type)) {
        bytes_hold(answer);
        return;
    }
    if (strcmp(answer->content_type, "application/json") != 0) {
        HOLDS(answer->length > 0 && answer->body[answer->length - 1] == '\n');
        return;
    }
    json_t *document = json_loadb(answer->body, answer->length, JSON_REJECT_DUPLICATES, NULL);
    HOLDS(json_is_object(document));
    keep_handle(document);
    json_decref(document);
}

static void problem_answer_holds(const served *answer) {
    HOLDS(answer->status == problem_status(answer->problem.kind));
    HOLDS(answer->problem.kind != PROBLEM_INTERNAL && answer->problem.kind != PROBLEM_OVERLOADED);
    problem_holds(&answer->problem);
}

static void serve_one(const sent *sent) {
    served answer = serve(&state.service, sent);
    if (answer.good)
        answer_holds(&answer);
    else
        problem_answer_holds(&answer);
    free(answer.body);
}

/* Puts the last handle in the place of each $cache. To be freed. */
static char *with_handle(const char *text, size_t size, size_t *length) {
    static const char mark[] = "$cache";
    const char *handle = state.handles ? state.handle[state.handles - 1] : "none", *next;
    char *out = malloc(size * (HANDLE_TEXT - 1) / (sizeof mark - 1) + 1), *end = out;
    HOLDS(out);
    for (const char *stop = text + size; (next = memmem(text, size, mark, sizeof mark - 1));
         text = next + sizeof mark - 1, size = (size_t)(stop - text)) {
        end = mempcpy(end, text, (size_t)(next - text));
        end = stpcpy(end, handle);
    }
    end = mempcpy(end, text, size);
    *end = '\0';
    *length = (size_t)(end - out);
    return out;
}

static const char *header(char *head, const char *name) {
    char *line = head ? strstr(head, name) : NULL;
    return line ? strtok(line + strlen(name), "\n") : NULL;
}

/* Head, an empty line, body. Head and body have a NUL behind them. */
static void run_request(const char *text, size_t size) {
    size_t length;
    char *whole = with_handle(text, size, &length);
    char *body = cut_text(whole, "\n\n"), *lines = cut_text(whole, "\n"),
         *path = cut_text(whole, " ");
    char accepts[128] = "";
    if (path && length <= BODY_LIMIT) {
        sent sent = {.head = {.method = whole, .path = path}, .body = body};
        const char *accept = header(lines, "Accept: ");
        if (accept)
            snprintf(accepts, sizeof accepts, "%s", accept);
        sent.head.accept = accept ? accepts : NULL;
        sent.head.content_type = header(lines, "Content-Type: ");
        sent.length = body ? length - (size_t)(body - whole) : 0;
        take_query(path, &sent.head);
        serve_one(&sent);
    }
    free(whole);
}

/* Once the handles are given up, nothing of the budget is left in use. */
static void give_up_handles(void) {
    store *store = state.service.store;
    int retry_after;
    for (; state.handles > 0; state.handles--)
        store->remove(store, state.handle[state.handles - 1]);
    HOLDS(store->reserve(store, BUDGET, &retry_after));
    store->release(store, BUDGET);
    HOLDS(state.service.memory.used == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const char separator[] = "\n===\n";
    const char *text = (const char *)data, *end = text + size;
    start();
    for (int i = 0; text < end && i < HANDLES_MOST; i++) {
        const char *next = memmem(text, (size_t)(end - text), separator, sizeof separator - 1);
        run_request(text, (size_t)((next ? next : end) - text));
        text = next ? next + sizeof separator - 1 : end;
    }
    give_up_handles();
    return 0;
}
