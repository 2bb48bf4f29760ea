/* Requests to a daemon over libcurl; each answer is held to what the contract says of all answers.
 *
 * Bodies and expectations are JSON with ' in the place of ". Answers live as long as their
 * caller. */
#ifndef TESTS_CALLER_H
#define TESTS_CALLER_H

#include <jansson.h>
#include <stdarg.h>

#include "layerd.h"

#include "common/check.h"
#include "common/json.h"

typedef struct answer answer;

struct answer {
    int status;
    const char *body; /* a NUL follows its last byte */
    size_t length;
    json_t *json; /* the body, of safetensors what JSON would be; NULL where it is empty */
    layerd_reply *reply;
    char about[128]; /* method and target of the request */
    answer *next;
};

/* A connection; belongs to one thread at a time. */
typedef struct {
    layerd_client *client;
    answer *answers;
    char fault[FAULT_TEXT]; /* the first thing that was wrong with an answer, or with getting it */
} caller;

caller *caller_open(const char *url);
void caller_close(caller *caller);

/* Forgets the answers so far. */
void caller_forget(caller *caller);

/* For any thread: NULL, and `fault` set, where no answer came or it broke the contract. */
const answer *caller_send(caller *caller, const layerd_message *message);
const answer *caller_post(caller *caller, const char *target, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* For the main thread: an answer that is missing or breaks the contract ends the test. */
const answer *send_message(caller *caller, const layerd_message *message);
const answer *post(caller *caller, const char *target, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* `headers` are "Name: value" lines, a NULL at the end; NULL for none. */
const answer *post_bytes(caller *caller, const char *target, const char *const *headers,
                         const void *body, size_t length);
const answer *fetch(caller *caller, const char *method, const char *target,
                    const char *const *headers);

#define HEADERS(...) ((const char *const[]){__VA_ARGS__, NULL})

/* A header's value, "" where there is none; good until the next call. */
const char *header_of(const answer *answer, const char *name);
const char *cache_of(const answer *answer);
const char *text_at(const answer *answer, const char *path);
double number_at(const answer *answer, const char *path);

/* The status is 200 and the body that JSON, its numbers exact; a cache is not looked at where it
 * is not named. */
void expect_json(const answer *answer, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* The answer is that error, with that pointer; NULL: with any. */
void expect_problem(const answer *answer, const char *code, const char *pointer);

/* The error's sentence has these words. */
void expect_detail(const answer *answer, const char *words);

#endif
