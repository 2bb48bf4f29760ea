/* Replies: their headers, and what one of status 400 or above says. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "internal.h"

void layerd_reply_free(layerd_reply *reply) {
    if (reply == NULL)
        return;
    free(reply->head);
    free(reply->body);
    free(reply);
}

bool layerd_reply_header(const layerd_reply *reply, const char *name, char *value, size_t size) {
    size_t length = strlen(name);
    if (size > 0)
        value[0] = '\0';
    const char *line = reply == NULL ? NULL : strchr(reply->head, '\n');
    for (; line != NULL; line = strchr(line, '\n')) {
        line++;
        if (strncasecmp(line, name, length) != 0 || line[length] != ':')
            continue;
        const char *start = line + length + 1;
        start += strspn(start, " \t");
        snprintf(value, size, "%.*s", (int)strcspn(start, "\r\n"), start);
        return true;
    }
    return false;
}

static void copy_member(const json_t *problem, const char *key, char *to, size_t size) {
    const char *text = json_string_value(json_object_get(problem, key));
    if (text != NULL)
        layerd_cut_copy(to, size, text);
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
