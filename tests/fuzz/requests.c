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
 * where $cache is the handle of a cache that was given last, $kept of a tensor; $kept1 is that of
 * the tensor before it. */
#include <jansson.h>
#include <string.h>

#include "codec/json_recent.h"
#include "codec/safetensors_read.h"
#include "exchange.h"
#include "forms/form.h"
#include "fuzz.h"

enum { BUDGET = 1 << 18, HANDLES_MOST = 1024, REQUESTS_MOST = 64 };

enum { BODY_LIMIT = 1 << 16 };

static const options limits = {.body_limit = BODY_LIMIT,
                               .answer_limit = 1 << 20,
                               .work_limit = 1 << 30,
                               .memory = 1 << 24,
                               .threads = 1};

typedef struct {
    char handle[HANDLES_MOST][HANDLE_TEXT]; /* that this input was given */
    size_t count;
} handles;

static struct {
    service service;
    handles caches, tensors;
} state;

static void start(void) {
    if (state.service.store)
        return;
    HOLDS(serving_start(&state.service, &limits, BUDGET));
}

/* A handle of a cache or of a tensor, as the store tells. */
static void keep_handle(const char *handle) {
    store_info info;
    HOLDS(handle && strlen(handle) == HANDLE_TEXT - 1);
    HOLDS(state.service.store->info(state.service.store, handle, &info));
    handles *kept = info.layer ? &state.caches : &state.tensors;
    HOLDS(kept->count < HANDLES_MOST);
    strcpy(kept->handle[kept->count++], handle);
}

static void keep_handles(json_t *document) {
    static const char kept[] = "kept.";
    const char *key;
    json_t *value;
    json_object_foreach(json_object_get(document, "kept"), key, value)
        keep_handle(json_string_value(value));
    json_object_foreach(document, key, value) if (!strncmp(key, kept, sizeof kept - 1))
        keep_handle(json_string_value(value));
    if (json_object_get(document, "cache"))
        keep_handle(json_string_value(json_object_get(document, "cache")));
}

static void bytes_hold(const served *answer) {
    safetensors_file file;
    problem problem;
    HOLDS(safetensors_read(&file, answer->body, answer->length, answer->length, &problem));
    keep_handles(file.metadata);
    safetensors_free(&file);
}

/* An answer is an object, a safetensors file or, of figures, text; a handle in it is kept in mind.
 */
static void answer_holds(const served *answer) {
    if (!answer->body)
        return;
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
    keep_handles(document);
    json_decref(document);
}

static void serve_one(const sent *sent) {
    served answer = exchange(&state.service, sent);
    if (answer.good)
        answer_holds(&answer);
    free(answer.body);
}

/* The handle that a mark "$cache", "$cache1" (the one before the last), "$kept" means, and where
 * the mark ends. */
static const char *handle_of(const char *mark, const char *end, const char **behind) {
    static const char cache[] = "$cache", kept[] = "$kept";
    bool is_cache =
        (size_t)(end - mark) >= sizeof cache - 1 && !memcmp(mark, cache, sizeof cache - 1);
    bool is_kept = (size_t)(end - mark) >= sizeof kept - 1 && !memcmp(mark, kept, sizeof kept - 1);
    const handles *handles = is_cache ? &state.caches : &state.tensors;
    size_t back = 0;
    *behind = mark + (is_cache ? sizeof cache - 1 : is_kept ? sizeof kept - 1 : 0);
    if (!is_cache && !is_kept)
        return NULL;
    if (*behind < end && **behind >= '0' && **behind <= '9')
        back = (size_t)(*(*behind)++ - '0');
    return back < handles->count ? handles->handle[handles->count - 1 - back] : "none";
}

/* Puts handles in the places of their marks. To be freed. */
static char *with_handles(const char *text, size_t size, size_t *length) {
    const char *stop = text + size, *behind;
    char *out = malloc(size * (HANDLE_TEXT - 1) + 1), *end = out;
    HOLDS(out);
    while (text < stop) {
        const char *handle = *text == '$' ? handle_of(text, stop, &behind) : NULL;
        if (handle)
            end = stpcpy(end, handle);
        else
            *end++ = *text;
        text = handle ? behind : text + 1;
    }
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
    char *whole = with_handles(text, size, &length);
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

static void give_up(handles *handles) {
    store *store = state.service.store;
    for (; handles->count > 0; handles->count--)
        store->remove(store, handles->handle[handles->count - 1]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const char separator[] = "\n===\n";
    const char *text = (const char *)data, *end = text + size;
    start();
    json_recent_forget(); /* or an input would not do the same again */
    for (int i = 0; text < end && i < REQUESTS_MOST; i++) {
        const char *next = memmem(text, (size_t)(end - text), separator, sizeof separator - 1);
        run_request(text, (size_t)((next ? next : end) - text));
        text = next ? next + sizeof separator - 1 : end;
    }
    give_up(&state.caches);
    give_up(&state.tensors);
    store_is_empty(state.service.store);
    return 0;
}
