/* The connection: one libcurl handle, messages out, replies in. Knows nothing of tensors. */
#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "internal.h"

struct layerd_client {
    CURL *curl;
    char *base;                 /* without a slash at its end */
    struct curl_slist *headers; /* of layerd_add_header */
    char *token;                /* the line that has it; NULL for none */
    long timeout;               /* milliseconds, 0 for none */
    char reason[CURL_ERROR_SIZE];
};

static void forget_token(layerd_client *client) {
    if (client->token != NULL)
        explicit_bzero(client->token, strlen(client->token));
    free(client->token);
    client->token = NULL;
}

bool layerd_set_token(layerd_client *client, const char *token, layerd_error *error) {
    static const char start[] = "Authorization: Bearer ";
    if (client == NULL)
        return layerd_fail(error, "invalid_input", NULL, "The client is NULL.");
    forget_token(client);
    if (token == NULL || *token == '\0')
        return true;
    for (const char *c = token; *c != '\0'; c++)
        if (*c <= ' ' || *c > '~')
            return layerd_fail(error, "invalid_input", NULL,
                               "The token has a space, or a character that no header can have.");
    client->token = malloc(strlen(start) + strlen(token) + 1);
    if (client->token == NULL)
        return layerd_fail_memory(error);
    strcpy(stpcpy(client->token, start), token);
    return true;
}

/* libcurl starts itself with the first handle, under its own lock since 7.84. */
layerd_client *layerd_open(const char *url, layerd_error *error) {
    if (url == NULL)
        url = getenv("LAYERD_URL");
    if (url == NULL || *url == '\0')
        url = "http://127.0.0.1:8080";

    layerd_client *client = calloc(1, sizeof *client);
    if (client == NULL) {
        layerd_fail_memory(error);
        return NULL;
    }
    client->timeout = 120000;
    client->curl = curl_easy_init();
    client->base = strdup(url);
    if (client->curl == NULL || client->base == NULL) {
        layerd_close(client);
        layerd_fail_memory(error);
        return NULL;
    }
    for (size_t end = strlen(url); end > 0 && url[end - 1] == '/'; end--)
        client->base[end - 1] = '\0';
    if (!layerd_set_token(client, getenv("LAYERD_TOKEN"), error)) {
        layerd_close(client);
        return NULL;
    }
    return client;
}

void layerd_close(layerd_client *client) {
    if (client == NULL)
        return;
    curl_easy_cleanup(client->curl);
    curl_slist_free_all(client->headers);
    free(client->base);
    forget_token(client);
    free(client);
}

void layerd_set_timeout(layerd_client *client, long milliseconds) {
    if (client != NULL)
        client->timeout = milliseconds > 0 ? milliseconds : 0;
}

static bool add_line(struct curl_slist **list, const char *line) {
    struct curl_slist *longer = curl_slist_append(*list, line);
    if (longer != NULL)
        *list = longer;
    return longer != NULL;
}

bool layerd_add_header(layerd_client *client, const char *line, layerd_error *error) {
    if (client == NULL || line == NULL)
        return layerd_fail(error, "invalid_input", NULL, "The client or the header is NULL.");
    return add_line(&client->headers, line) || layerd_fail_memory(error);
}

static bool has_header(const struct curl_slist *list, const char *name) {
    size_t length = strlen(name);
    for (; list != NULL; list = list->next)
        if (strncasecmp(list->data, name, length) == 0 && strchr(":;", list->data[length]) != NULL)
            return true;
    return false;
}

/* Every header of a message; *list is the caller's to free, on failure too. libcurl adds two of its
 * own that nobody asked for, a form's Content-Type and on large bodies an Expect that costs a round
 * trip; a line with nothing after the colon keeps them away. */
static bool build_headers(const layerd_client *client, const layerd_message *message,
                          struct curl_slist **list) {
    for (const struct curl_slist *line = client->headers; line != NULL; line = line->next)
        if (!add_line(list, line->data))
            return false;
    for (const char *const *line = message->headers; line != NULL && *line != NULL; line++)
        if (!add_line(list, *line))
            return false;
    if (client->token != NULL && !has_header(*list, "Authorization") &&
        !add_line(list, client->token))
        return false;
    return (has_header(*list, "Content-Type") || add_line(list, "Content-Type:")) &&
           (has_header(*list, "Expect") || add_line(list, "Expect:"));
}

static size_t take_body(char *bytes, size_t unit, size_t count, void *context) {
    layerd_buffer *body = context;
    layerd_buffer_add(body, bytes, unit * count);
    return body->failed ? 0 : unit * count;
}

static size_t take_head(char *bytes, size_t unit, size_t count, void *context) {
    layerd_buffer *head = context;
    size_t length = unit * count;
    if (length >= 5 && memcmp(bytes, "HTTP/", 5) == 0)
        head->length = 0; /* what came before was a 100 Continue */
    layerd_buffer_add(head, bytes, length);
    return head->failed ? 0 : length;
}

/* Sets the method last: CURLOPT_POSTFIELDS and CURLOPT_NOBODY each imply one of their own. */
static CURLcode set_method(CURL *curl, const layerd_message *message) {
    const char *method = message->method;
    if (method == NULL)
        method = message->body == NULL ? "GET" : "POST";
    CURLcode code = CURLE_OK;
    if (message->body != NULL || strcmp(method, "POST") == 0) {
        code = curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)message->length);
        if (code == CURLE_OK)
            code = curl_easy_setopt(curl, CURLOPT_POSTFIELDS, message->body ? message->body : "");
    }
    if (code == CURLE_OK && strcmp(method, "HEAD") == 0)
        code = curl_easy_setopt(curl, CURLOPT_NOBODY, 1L);
    if (code == CURLE_OK)
        code = curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, method);
    return code;
}

/* curl_easy_reset forgets the options of the message before and keeps the connection. */
static CURLcode set_options(layerd_client *client, const layerd_message *message, const char *url,
                            const struct curl_slist *headers) {
    CURL *curl = client->curl;
    curl_easy_reset(curl);
    client->reason[0] = '\0';
    CURLcode code = curl_easy_setopt(curl, CURLOPT_URL, url);
    if (code == CURLE_OK)
        code = curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
    if (code == CURLE_OK)
        code = set_method(curl, message);
    if (code != CURLE_OK)
        return code;
    curl_easy_setopt(curl, CURLOPT_PATH_AS_IS, 1L);
    curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(curl, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L); /* signals and threads do not mix */
    curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, 10000L);
    curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, client->timeout);
    curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, client->reason);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take_body);
    curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, take_head);
    return CURLE_OK;
}

static bool transfer(layerd_client *client, const layerd_message *message, const char *url,
                     layerd_buffer *head, layerd_buffer *body, layerd_error *error) {
    struct curl_slist *headers = NULL;
    CURLcode code = CURLE_OUT_OF_MEMORY;
    if (build_headers(client, message, &headers))
        code = set_options(client, message, url, headers);
    if (code == CURLE_OK) {
        curl_easy_setopt(client->curl, CURLOPT_WRITEDATA, body);
        curl_easy_setopt(client->curl, CURLOPT_HEADERDATA, head);
        code = curl_easy_perform(client->curl);
    }
    curl_slist_free_all(headers);
    if (code == CURLE_OUT_OF_MEMORY || head->failed || body->failed)
        return layerd_fail_memory(error);
    if (code != CURLE_OK)
        return layerd_fail(error, "transport", NULL, "No answer from %s: %s.", client->base,
                           client->reason[0] ? client->reason : curl_easy_strerror(code));
    return true;
}

static char *build_url(const layerd_client *client, const layerd_message *message) {
    layerd_buffer url = {0};
    layerd_buffer_text(&url, client->base);
    if (message->path[0] != '/')
        layerd_buffer_text(&url, "/");
    layerd_buffer_text(&url, message->path);
    if (message->query != NULL && message->query[0] != '\0') {
        layerd_buffer_text(&url, "?");
        layerd_buffer_text(&url, message->query);
    }
    layerd_buffer_add(&url, "", 1);
    if (url.failed)
        layerd_buffer_free(&url);
    return url.data;
}

layerd_reply *layerd_raw(layerd_client *client, const layerd_message *message,
                         layerd_error *error) {
    if (client == NULL || message == NULL || message->path == NULL) {
        layerd_fail(error, "invalid_input", NULL, "The client, the message or its path is NULL.");
        return NULL;
    }
    layerd_buffer head = {0}, body = {0};
    layerd_reply *reply = calloc(1, sizeof *reply);
    char *url = build_url(client, message);
    if (reply == NULL || url == NULL) {
        layerd_fail_memory(error);
        goto fail;
    }
    if (!transfer(client, message, url, &head, &body, error))
        goto fail;

    layerd_buffer_add(&head, "", 1);
    layerd_buffer_add(&body, "", 1);
    if (head.failed || body.failed) {
        layerd_fail_memory(error);
        goto fail;
    }
    long status = 0;
    curl_easy_getinfo(client->curl, CURLINFO_RESPONSE_CODE, &status);
    *reply = (layerd_reply){(int)status, head.data, body.data, body.length - 1};
    free(url);
    return reply;
fail:
    layerd_buffer_free(&head);
    layerd_buffer_free(&body);
    free(reply);
    free(url);
    return NULL;
}
