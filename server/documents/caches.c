/* GET and DELETE /cache/<handle>: what a handle stands for, and giving it up. */
#include "base/clock.h"
#include "documents/reply.h"
#include "forms/kept.h"
#include "handlers.h"

/* The handle is not known, or the store cannot be asked by this thread, or not at all. */
static bool refuse(const store *store, reply *reply, problem *problem) {
    reply->later = reply->asks = store->fault == STORE_LATER;
    return !kept_fault(store, NULL, problem) &&
           problem_set(problem, PROBLEM_UNKNOWN_CACHE, NULL,
                       "the handle is not known: it was never given, has expired, or was deleted");
}

/* NULL where there is no memory. */
static json_t *shape_of(const store_info *info) {
    json_t *shape = json_array();
    for (int axis = 0; axis < info->rank; axis++)
        json_array_append_new(shape, json_integer((json_int_t)info->shape[axis]));
    return shape;
}

bool handle_cache_info(service *service, const route *route, const request *request, reply *reply,
                       problem *problem) {
    store store = request_store(service, request);
    store_info info;
    char created[CLOCK_TEXT], expires[CLOCK_TEXT];
    if (!store.info(&store, route->rest, &info))
        return refuse(&store, reply, problem);
    return reply_document(
        reply,
        json_pack("{ss? ss so* sI ss ss}", "layer", info.layer, "dtype",
                  layers_dtype_name(info.dtype), "shape", info.layer ? NULL : shape_of(&info),
                  "bytes", (json_int_t)info.bytes, "created", clock_text(info.created, created),
                  "expires", clock_text(info.expires, expires)),
        problem);
}

bool handle_cache_remove(service *service, const route *route, const request *request, reply *reply,
                         problem *problem) {
    store store = request_store(service, request);
    if (!store.remove(&store, route->rest))
        return refuse(&store, reply, problem);
    reply->status = 204;
    return true;
}
