/* Documents that were read lately: the same as Jansson would read anew. */
#include <criterion/criterion.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "codec/json_recent.h"

static json_t *load(const char *text, size_t flags) {
    json_error_t error;
    return json_recent_load(text, strlen(text), flags, &error);
}

static void expect(const char *text, size_t flags) {
    json_error_t error;
    json_t *wanted = json_loads(text, flags, &error), *got = load(text, flags);
    cr_assert(wanted ? json_equal(got, wanted) : !got, "%s is read wrongly", text);
    json_decref(wanted);
    json_decref(got);
}

Test(json_recent, a_text_is_read_once) {
    json_t *first = load("{\"x\":0 }", 0), *second = load("{\"x\":0 }", 0);
    cr_assert_not_null(first);
    cr_assert_eq(first, second);
    json_decref(first);
    json_decref(second);
    json_recent_forget();
}

/* Of one length all, and more than there are places. */
Test(json_recent, texts_are_told_apart) {
    char text[32];
    for (int round = 0; round < 3; round++)
        for (int i = 0; i < 100; i++) {
            snprintf(text, sizeof text, "{\"key\":%02d }", i % 10 ? i : 10);
            expect(text, 0);
            expect(text, 0);
        }
    json_recent_forget();
}

Test(json_recent, flags_are_told_apart) {
    for (int i = 0; i < 2; i++) {
        expect("{\"x\":1,\"x\":2}", 0);
        expect("{\"x\":1,\"x\":2}", JSON_REJECT_DUPLICATES);
    }
    json_recent_forget();
}

Test(json_recent, what_is_no_document_is_none_each_time) {
    for (int i = 0; i < 3; i++) {
        expect("{\"x\":1,}", 0);
        expect("{\"x\":1 }", 0);
    }
    json_recent_forget();
}

Test(json_recent, a_document_outlives_its_place) {
    json_t *kept = load("{\"key\":\"value\"}", 0);
    expect("{\"key\":\"other\"}", 0);
    json_recent_forget();
    cr_assert_str_eq(json_string_value(json_object_get(kept, "key")), "value");
    json_decref(kept);
}

/* A sanitizer finds what the thread would leave. */
static void *load_in_thread(void *loaded) {
    json_t *document = load("{\"x\":1}", 0);
    *(bool *)loaded = document != NULL;
    json_decref(document);
    return NULL;
}

Test(json_recent, a_thread_forgets_at_its_end) {
    pthread_t thread;
    bool loaded;
    cr_assert_eq(pthread_create(&thread, NULL, load_in_thread, &loaded), 0);
    pthread_join(thread, NULL);
    cr_assert(loaded);
}
