/* Errors: the client's own, and the daemon's problem documents (RFC 9457) turned into values. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "internal.h"

static void cut_copy(char *to, size_t size, const char *from) {
    size_t length = strlen(from);
    if (length >= size) {
        length = size - 1;
        /* Never through the middle of a UTF-8 character. */
        while (length > 0 && ((unsigned char)from[length] & 0xC0) == 0x80)
            length--;
    }
    memcpy(to, from, length);
    to[length] = '\0';
}

bool layerd_fail(layerd_error *error, const char *code, const char *pointer, const char *format,
                 ...) {
    if (error == NULL)
        return false;
    /* Twice the room, so that what is cut off is cut by the one function that knows how. */
    char detail[2 * sizeof error->detail];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(detail, sizeof detail, format, arguments);
    va_end(arguments);

    memset(error, 0, sizeof *error);
    cut_copy(error->code, sizeof error->code, code);
    cut_copy(error->pointer, sizeof error->pointer, pointer == NULL ? "" : pointer);
    cut_copy(error->detail, sizeof error->detail, detail);
    return false;
}

bool layerd_fail_memory(layerd_error *error) {
    return layerd_fail(error, "no_memory", NULL, "The client is out of memory.");
}

static void copy_member(const json_t *problem, const char *key, char *to, size_t size) {
    const char *text = json_string_value(json_object_get(problem, key));
    if (text != NULL)
        cut_copy(to, size, text);
}

void layerd_fail_reply(layerd_error *error, const layerd_reply *reply) {
    if (error == NULL)
        return;
    /* Stands where the answer is no problem document: a proxy's page, say. */
    layerd_fail(error, "bad_answer", NULL, "The daemon answered with HTTP status %d only.",
                reply->status);
    error->status = reply->status;

    char seconds[32];
    if (layerd_reply_header(reply, "Retry-After", seconds, sizeof seconds))
        error->retry_after = atoi(seconds);

    json_t *problem = json_loadb(reply->body, reply->length, 0, NULL);
    copy_member(problem, "code", error->code, sizeof error->code);
    copy_member(problem, "pointer", error->pointer, sizeof error->pointer);
    copy_member(problem, "detail", error->detail, sizeof error->detail);
    json_decref(problem);
}
