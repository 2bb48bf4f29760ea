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

enum { POINTER_ROOM = 128 };

static void make_pointer(char pointer[POINTER_ROOM], const char *place, const char *name) {
    snprintf(pointer, POINTER_ROOM, "%s%s", place, name);
    for (char *dot = pointer; (dot = strchr(dot, '.')) != NULL;)
        *dot = '/';
}

bool layerd_check_handle(const char *place, const layerd_handle *handle, layerd_error *error) {
    char pointer[POINTER_ROOM];
    make_pointer(pointer, place, handle->name);
    return handle->handle != NULL ||
           layerd_fail(error, "invalid_input", pointer, "The handle of %s is NULL.", handle->name);
}

static bool check_input(const char *place, const layerd_input *input, layerd_error *error) {
    const layerd_tensor *tensor = input->tensor;
    char pointer[POINTER_ROOM];
    size_t size;
    make_pointer(pointer, place, input->name);
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
static bool check_form(const layerd_form *form, layerd_dtype *dtype, layerd_error *error) {
    const char *first = NULL;
    for (size_t i = 0; i < form->inputs_count; i++) {
        const layerd_input *input = &form->inputs[i];
        if (!check_input(form->place, input, error))
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
    for (size_t i = 0; i < form->kept_count; i++)
        if (!layerd_check_handle(form->place, &form->kept[i], error))
            return false;
    return true;
}

/* Sends a request and gives what is answered, of status 200. */
static layerd_reply *exchange(layerd_client *client, const layerd_form *form, const char *accept,
                              const layerd_buffer *body, layerd_error *error) {
    layerd_message message = {
        .path = form->path,
        .query = form->query,
        .headers = (const char *[]){"Content-Type: application/vnd.safetensors", accept, NULL},
        .body = body->data,
        .length = body->length,
    };
    layerd_reply *reply = layerd_raw(client, &message, error);
    if (reply == NULL || reply->status == 200)
        return reply;
    layerd_fail_reply(error, reply);
    if (error != NULL)
        error->status = reply->status;
    layerd_reply_free(reply);
    return NULL;
}

/* The same of a form, in the C locale. */
static layerd_reply *send_form(layerd_client *client, const layerd_form *form, const char *accept,
                               layerd_error *error) {
    layerd_dtype dtype = LAYERD_FLOAT64;
    layerd_buffer body = {0};
    layerd_reply *reply = NULL;
    if (check_form(form, &dtype, error) && layerd_safetensors_encode(form, dtype, &body, error))
        reply = exchange(client, form, accept, &body, error);
    layerd_buffer_free(&body);
    return reply;
}

layerd_answer *layerd_send(layerd_client *client, const layerd_form *form, layerd_error *error) {
    locale_t previous, c = enter_c_locale(&previous);
    if (c == (locale_t)0) {
        layerd_fail_memory(error);
        return NULL;
    }
    layerd_answer *answer = NULL;
    layerd_reply *reply = send_form(client, form, "Accept: application/vnd.safetensors", error);
    if (reply != NULL)
        answer = layerd_safetensors_decode(reply->body, reply->length, form->graph != NULL, error);
    if (reply != NULL && answer == NULL && error != NULL)
        error->status = reply->status;
    layerd_reply_free(reply);
    leave_c_locale(c, previous);
    return answer;
}

static bool make_form(const layerd_request *request, layerd_form *form, layerd_error *error) {
    if (request == NULL || request->path == NULL)
        return layerd_fail(error, "invalid_input", NULL, "The request or its path is NULL.");
    if (request->params != NULL && !json_is_object(request->params))
        return layerd_fail(error, "invalid_input", NULL, "The params are not a JSON object.");
    *form = (layerd_form){.path = request->path,
                          .query = request->query,
                          .place = "/",
                          .inputs = request->inputs,
                          .kept = request->kept,
                          .cache = request->cache,
                          .params = request->params};
    while (form->inputs_count < LAYERD_MAX_INPUTS && form->inputs[form->inputs_count].name != NULL)
        form->inputs_count++;
    while (form->kept_count < LAYERD_MAX_INPUTS && form->kept[form->kept_count].name != NULL)
        form->kept_count++;
    return true;
}

layerd_answer *layerd_run(layerd_client *client, const layerd_request *request,
                          layerd_error *error) {
    layerd_form form = {0};
    return make_form(request, &form, error) ? layerd_send(client, &form, error) : NULL;
}

json_t *layerd_check(layerd_client *client, const layerd_request *request, layerd_error *error) {
    layerd_form form = {0};
    if (!make_form(request, &form, error))
        return NULL;
    locale_t previous, c = enter_c_locale(&previous);
    if (c == (locale_t)0) {
        layerd_fail_memory(error);
        return NULL;
    }
    json_t *verdict = NULL;
    layerd_reply *reply = send_form(client, &form, "Accept: application/json", error);
    if (reply != NULL && (verdict = json_loadb(reply->body, reply->length, 0, NULL)) == NULL)
        layerd_fail(error, "bad_answer", NULL, "The answer is no JSON.");
    layerd_reply_free(reply);
    leave_c_locale(c, previous);
    return verdict;
}

bool layerd_release(layerd_client *client, const char *handle, layerd_error *error) {
    if (handle == NULL)
        return layerd_fail(error, "invalid_input", NULL, "The handle is NULL.");
    char *escaped = curl_easy_escape(NULL, handle, 0);
    layerd_buffer path = {0};
    layerd_buffer_text(&path, "/cache/");
    layerd_buffer_text(&path, escaped == NULL ? "" : escaped);
    layerd_buffer_add(&path, "", 1);
    bool enough = escaped != NULL && !path.failed;
    curl_free(escaped);

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
