/* Requests of which each allocation fails in turn. */
#include "unit/server/starving.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "codec/json_recent.h"
#include "unit/failing_malloc.h"

enum { ALLOCATIONS_MOST = 50000 };

const char no_handle[HANDLE_TEXT] = "00000000000000000000000000000000";

static options limits = {.body_limit = 1 << 20,
                         .answer_limit = 1 << 16,
                         .work_limit = 1 << 30,
                         .memory = 1 << 20,
                         .threads = 1};

void starving_start(service *service, size_t budget) {
    limits.cache_budget = budget;
    cr_assert(serving_start(service, &limits, budget));
}

void starving_style(sent *sent, style style) {
    sent->head.content_type = style == FROM_BYTES ? BYTES_TYPE : NULL;
    sent->head.accept = style == TO_BYTES ? BYTES_TYPE : NULL;
    if (style == FLAT)
        sent->head.query[sent->head.query_count++] = (query_pair){"tensors", "flat"};
}

/* A page of figures without them, as they differ from run to run, and without what /proc tells,
 * which may be left out. */
static void drop_figures(served *answer) {
    static const char of_proc[] = "process_";
    size_t kept = 0;
    bool starts = true, left_out = false;
    for (size_t i = 0; i < answer->length; i++) {
        char c = answer->body[i];
        if (starts)
            left_out = answer->length - i > sizeof of_proc &&
                       !memcmp(answer->body + i, of_proc, sizeof of_proc - 1);
        starts = c == '\n';
        if (!left_out && !strchr("0123456789.e+-", c))
            answer->body[kept++] = c;
    }
    answer->length = kept;
}

typedef struct {
    int count;
    char text[8][HANDLE_TEXT];
} handles;

/* Gathers the handles of an answer, and overwrites them. */
static void mask_handles(served *answer, handles *handles) {
    const size_t length = HANDLE_TEXT - 1;
    for (size_t i = 0; i + length + 2 <= answer->length; i++) {
        char *text = answer->body + i + 1;
        if (text[-1] != '"' || text[length] != '"' || strspn(text, "0123456789abcdef") != length ||
            handles->count == 8)
            continue;
        memcpy(handles->text[handles->count], text, length);
        handles->text[handles->count++][length] = '\0';
        memset(text, '0', length);
        i += length;
    }
}

/* Overwrites a challenge and the time behind it, which begin an answer or a file's texts. */
static void mask_challenge(served *answer) {
    static const char challenge[] = "\"challenge\":\"lc1.", operation[] = "\"operation\":";
    char *at = memmem(answer->body, answer->length, challenge, sizeof challenge - 1);
    char *end = memmem(answer->body, answer->length, operation, sizeof operation - 1);
    if (at && end > at)
        memset(at, '0', (size_t)(end - at));
}

/* What differs from run to run: handles that are given, challenges, and the times that end a
 * handle's document. Overwrites them. */
static void mask(const sent *sent, served *answer, handles *handles) {
    static const char created[] = "\"created\":\"";
    char *end = answer->body + answer->length, *at;
    handles->count = 0;
    if (!answer->good || !answer->body)
        return;
    if (!strncmp(answer->content_type, "text/", 5)) {
        drop_figures(answer);
        return;
    }
    bool calls = !strcmp(sent->head.method, "POST");
    if (calls) {
        mask_handles(answer, handles);
        mask_challenge(answer);
    }
    if (!calls && (at = memmem(answer->body, answer->length, created, sizeof created - 1)))
        memset(at, '0', (size_t)(end - at));
}

static bool same(const served *got, const served *want) {
    return got->good == want->good && got->status == want->status && got->length == want->length &&
           (got->length == 0 || !memcmp(got->body, want->body, got->length));
}

/* Overloaded, by its document; or a problem of which there is none, for want of memory. */
static bool refused_for_memory(const served *got) {
    return !got->good &&
           (!got->body || (got->status == 503 && got->problem.kind == PROBLEM_OVERLOADED &&
                           strstr(got->body, "\"code\":\"overloaded\"")));
}

/* The handle that the request is to have, as text without a terminator in the right place. */
static void prepare(starving *s) {
    if (!s->giver)
        return;
    handles handles;
    served given = serve(s->service, s->giver);
    mask(s->giver, &given, &handles);
    cr_assert(handles.count == 1, "%s: no handle: %.200s", s->about, given.body);
    memcpy(s->handle, handles.text[0], HANDLE_TEXT - 1);
    if (s->second)
        memcpy(s->second, handles.text[0], HANDLE_TEXT - 1);
    free(given.body);
}

/* Gives up whatever the run left in the store: then its whole budget must be free. What the request
 * was given is still there unless it was `done`. */
static void clean_up(starving *s, const handles *given, bool done) {
    char handle[HANDLE_TEXT];
    int retry_after;
    store *store = s->service->store;
    for (int i = 0; i < given->count; i++)
        cr_assert(store->remove(store, given->text[i]), "%s: a value is not in the store",
                  s->about);
    if (s->giver) {
        memcpy(handle, s->handle, HANDLE_TEXT - 1);
        handle[HANDLE_TEXT - 1] = '\0';
        cr_assert(store->remove(store, handle) || done, "%s: a refused request took the handle",
                  s->about);
    }
    size_t budget = s->service->options->cache_budget;
    cr_assert(store->reserve(store, budget, &retry_after), "%s: the budget leaks", s->about);
    store->release(store, budget);
    cr_assert(s->service->memory.used == 0, "%s: the memory's budget leaks", s->about);
}

/* One run with one failure; false where the request has no such allocation. */
static bool run_failing(starving *s, size_t index) {
    json_recent_forget();
    malloc_watch();
    prepare(s);
    malloc_fail_at(index);
    served got = serve(s->service, &s->sent);
    bool failed = malloc_failed();
    handles given;
    mask(&s->sent, &got, &given);
    bool expected = same(&got, &s->wanted);
    cr_assert(expected || (failed && refused_for_memory(&got)),
              "%s, allocation %zu: %d %.300s, where %d %.300s was wanted", s->about, index,
              got.status, got.body, s->wanted.status, s->wanted.body);
    clean_up(s, &given, expected);
    free(got.body);
    json_recent_forget();
    long live = malloc_live();
    cr_assert(live == 0, "%s, allocation %zu: %ld blocks are left", s->about, index, live);
    return failed;
}

void starve(starving *s, int status) {
    prepare(s);
    s->wanted = serve(s->service, &s->sent);
    cr_assert(s->wanted.status == status, "%s: %d, not %d: %.300s", s->about, s->wanted.status,
              status, s->wanted.body);
    handles given;
    mask(&s->sent, &s->wanted, &given);
    clean_up(s, &given, true);
    size_t index = 0;
    while (run_failing(s, index))
        cr_assert(index++ < ALLOCATIONS_MOST);
    free(s->wanted.body);
}
