/* Running operations: a request checked, encoded, sent, and its answer decoded. */
#include <curl/curl.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "internal.h"

/* Jansson, strtod and printf all follow LC_NUMERIC; a comma in a number is no
 * number to the daemon. */
static locale_t enter_c_locale(locale_t *previous) {
    locale_t c = newlocale(LC_NUMERIC_MASK, "C", (locale_t)0);
    if (c != (locale_t)0)
        *previous = uselocale(c);
    return c;
}

static void leave_c_locale(locale_t c, locale_t previous) {
    uselocale(previous);
    freelocale(c);
}

static bool check_input(const layerd_input *input, layerd_error *error) {
    const layerd_tensor *tensor = input->tensor;
    char pointer[128];
    snprintf(pointer, sizeof pointer, "/%s", input->name);
    for (char *dot = pointer; (dot = strchr(dot, '.')) != NULL;)
        *dot = '/';

    size_t size;
    if (tensor == NULL)
        return layerd_fail(error, "invalid_input", pointer, "The tensor %s is NULL.", input->name);
    if (!layerd_shape_size(tensor->dtype, tensor->rank, tensor->shape, &size) ||
        size != tensor->size || (size > 0 && tensor->data == NULL))
        return layerd_fail(error, "invalid_input", pointer,
                           "The tensor %s has a dtype, a rank or a shape that is none, or no data.",
                           input->name);
    return true;
}

/* Checks every input; *dtype becomes that of the floating ones, if there are any. */
static bool check_request(const layerd_request *request, layerd_dtype *dtype, layerd_error *error) {
    if (request == NULL || request->path == NULL)
        return layerd_fail(error, "invalid_input", NULL, "The request or its path is NULL.");
    if (request->params != NULL && !json_is_object(request->params))
        return layerd_fail(error, "invalid_input", NULL, "The params are not a JSON object.");

    const char *first = NULL;
    for (size_t i = 0; i < LAYERD_MAX_INPUTS && request->inputs[i].name != NULL; i++) {
        const layerd_input *input = &request->inputs[i];
        if (!check_input(input, error))
            return false;
        if (!layerd_is_float(input->tensor->dtype))
            continue;
        if (first != NULL && input->tensor->dtype != *dtype)
            return layerd_fail(error, "invalid_input", NULL,
                               "The tensors %s and %s are of different dtypes.", first,
                               input->name);
        first = input->name;
        *dtype = input->tensor->dtype;
    }
    return true;
}

static layerd_answer *exchange(layerd_client *client, const layerd_request *request,
                               const layerd_buffer *body, layerd_error *error) {
    layerd_answer *answer = NULL;
    layerd_message message = {
        .path = request->path,
        .query = request->query,
        .headers = (const char *[]){"Content-Type: application/vnd.safetensors",
                                    "Accept: application/vnd.safetensors", NULL},
        .body = body->data,
        .length = body->length,
    };
    layerd_reply *reply = layerd_raw(client, &message, error);
    if (reply == NULL)
        return NULL;
    if (reply->status == 200)
        answer = layerd_safetensors_decode(reply->body, reply->length, error);
    else
        layerd_fail_reply(error, reply);
    if (answer == NULL && error != NULL)
        error->status = reply->status;
    layerd_reply_free(reply);
    return answer;
}

layerd_answer *layerd_run(layerd_client *client, const layerd_request *request,
                          layerd_error *error) {
    layerd_dtype dtype = LAYERD_FLOAT64;
    if (!check_request(request, &dtype, error))
        return NULL;
    locale_t previous, c = enter_c_locale(&previous);
    if (c == (locale_t)0) {
        layerd_fail_memory(error);
        return NULL;
    }
    layerd_buffer body = {0};
    layerd_answer *answer = NULL;
    if (layerd_safetensors_encode(request, dtype, &body, error))
        answer = exchange(client, request, &body, error);
    layerd_buffer_free(&body);
    leave_c_locale(c, previous);
    return answer;
}

bool layerd_release(layerd_client *client, const char *cache, layerd_error *error) {
    if (cache == NULL)
        return layerd_fail(error, "invalid_input", NULL, "The cache handle is NULL.");
    char *handle = curl_easy_escape(NULL, cache, 0);
    layerd_buffer path = {0};
    layerd_buffer_text(&path, "/cache/");
    layerd_buffer_text(&path, handle == NULL ? "" : handle);
    layerd_buffer_add(&path, "", 1);
    bool enough = handle != NULL && !path.failed;
    curl_free(handle);

    bool released = false;
    layerd_reply *reply = NULL;
    if (!enough)
        layerd_fail_memory(error);
    else
        reply = layerd_raw(client, &(layerd_message){.method = "DELETE", .path = path.data}, error);
    if (reply != NULL) {
        released = reply->status >= 200 && reply->status < 300;
        if (!released)
            layerd_fail_reply(error, reply);
    }
    layerd_reply_free(reply);
    layerd_buffer_free(&path);
    return released;
}
