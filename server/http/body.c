/* A request's body in memory. */
#include "http/body.h"

static char nothing[1];

layers_tensor body_empty(void) {
    return layers_tensor_wrap(LAYERS_U8, (size_t[]){0}, 1, nothing);
}

bool body_too_large(size_t limit, problem *problem) {
    return problem_set(problem, PROBLEM_BODY_TOO_LARGE, NULL,
                       "the body is larger than the %zu bytes that are allowed (--body-limit)",
                       limit);
}

static bool resize(layers_tensor *body, size_t capacity) {
    layers_error error;
    return (body->buffer ? layers_tensor_resize(body, capacity, &error)
                         : layers_tensor_make(body, LAYERS_U8, &capacity, 1, &error)) == LAYERS_OK;
}

bool body_make_room(request *request, size_t more, size_t limit, problem *problem) {
    size_t length = request->body_length, room = request->body.size;
    if (more > limit - length)
        return body_too_large(limit, problem);
    if (length + more <= room)
        return true;
    size_t capacity = 2 * room > length + more ? 2 * room : length + more;
    capacity = capacity < limit ? capacity : limit;
    return (charge_add(request->charge, capacity - room) && resize(&request->body, capacity)) ||
           problem_set_memory(problem, "the body");
}

bool body_trim(request *request, problem *problem) {
    return request->body.size == request->body_length ||
           resize(&request->body, request->body_length) || problem_set_memory(problem, "the body");
}
