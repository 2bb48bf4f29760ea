#include "caller.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/safetensors.h"
#include "contract.h"

caller *caller_open(const char *url) {
    layerd_error error;
    caller *c = calloc(1, sizeof *c);
    if (!c || !(c->client = layerd_open(url, &error)))
        abort();
    layerd_set_timeout(c->client, 40000);
    return c;
}

void caller_forget(caller *caller) {
    while (caller->answers) {
        answer *answer = caller->answers;
        caller->answers = answer->next;
        json_decref(answer->json);
        layerd_reply_free(answer->reply);
        free(answer);
    }
}

void caller_close(caller *caller) {
    caller_forget(caller);
    layerd_close(caller->client);
    free(caller);
}

static json_t *body_json(const layerd_reply *reply, bool flat) {
    char type[64];
    layerd_reply_header(reply, "Content-Type", type, sizeof type);
    return !strcmp(type, "application/vnd.safetensors")
               ? safetensors_to_json(reply->body, reply->length, flat)
               : json_loadb(reply->body, reply->length, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL,
                            NULL);
}

const answer *caller_send(caller *caller, const layerd_message *message) {
    layerd_error error;
    layerd_reply *reply = layerd_raw(caller->client, message, &error);
    const char *method = message->method ? message->method : message->body ? "POST" : "GET";
    if (!reply) {
        snprintf(caller->fault, sizeof caller->fault, "%s %.60s: %.150s", method, message->path,
                 error.detail);
        return NULL;
    }
    answer *a = calloc(1, sizeof *a);
    if (!a)
        abort();
    a->reply = reply;
    a->status = reply->status;
    a->body = reply->body;
    a->length = reply->length;
    a->json = body_json(reply, strstr(message->path, "tensors=flat"));
    snprintf(a->about, sizeof a->about, "%s %.100s", method, message->path);
    a->next = caller->answers;
    caller->answers = a;
    return contract_kept(a, !strcmp(method, "HEAD"), caller->fault) ? a : NULL;
}

static const answer *post_list(caller *caller, const char *target, const char *format,
                               va_list arguments) __attribute__((format(printf, 3, 0)));

static const answer *post_list(caller *caller, const char *target, const char *format,
                               va_list arguments) {
    char *body = json_text_list(format, arguments);
    const answer *a = caller_send(
        caller, &(layerd_message){.path = target, .body = body, .length = strlen(body)});
    free(body);
    return a;
}

const answer *caller_post(caller *caller, const char *target, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    const answer *a = post_list(caller, target, format, arguments);
    va_end(arguments);
    return a;
}

const answer *send_message(caller *caller, const layerd_message *message) {
    const answer *a = caller_send(caller, message);
    cr_assert(a, "%s", caller->fault);
    return a;
}

const answer *post(caller *caller, const char *target, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    const answer *a = post_list(caller, target, format, arguments);
    va_end(arguments);
    cr_assert(a, "%s", caller->fault);
    return a;
}

const answer *post_bytes(caller *caller, const char *target, const char *const *headers,
                         const void *body, size_t length) {
    return send_message(
        caller,
        &(layerd_message){.path = target, .headers = headers, .body = body, .length = length});
}

const answer *fetch(caller *caller, const char *method, const char *target,
                    const char *const *headers) {
    return send_message(caller,
                        &(layerd_message){.method = method, .path = target, .headers = headers});
}

const char *header_of(const answer *answer, const char *name) {
    static _Thread_local char value[512];
    layerd_reply_header(answer->reply, name, value, sizeof value);
    return value;
}

const char *text_at(const answer *answer, const char *path) {
    const char *text = json_string_value(json_at(answer->json, path));
    return text ? text : "";
}

double number_at(const answer *answer, const char *path) {
    return json_number_value(json_at(answer->json, path));
}

const char *cache_of(const answer *answer) {
    const char *cache = text_at(answer, "cache");
    cr_assert(*cache, "%s: no cache in %d %.300s", answer->about, answer->status, answer->body);
    return cache;
}

void expect_json(const answer *answer, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    char *text = json_text_list(format, arguments), why[256];
    va_end(arguments);
    json_t *want = json_loads(text, 0, NULL);
    cr_assert(want, "the expectation is not JSON: %s", text);
    bool same = json_same(answer->json, want, 0, 0, why);
    CHECK(answer->status == 200 && same, "%s: %d, %s: %.300s", answer->about, answer->status, why,
          answer->body);
    json_decref(want);
    free(text);
}

void expect_problem(const answer *answer, const char *code, const char *pointer) {
    CHECK(!strcmp(text_at(answer, "code"), code) && answer->status == contract_status(code),
          "%s: not %s but %d %.300s", answer->about, code, answer->status, answer->body);
    if (pointer)
        CHECK(!strcmp(text_at(answer, "pointer"), pointer), "%s: pointer is not \"%s\": %.300s",
              answer->about, pointer, answer->body);
}

void expect_detail(const answer *answer, const char *words) {
    CHECK(strstr(text_at(answer, "detail"), words), "%s: \"%s\" is not in the detail: %.300s",
          answer->about, words, answer->body);
}
