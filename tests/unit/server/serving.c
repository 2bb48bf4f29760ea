#include "serving.h"

#include <stdlib.h>
#include <string.h>

#include "metrics.h"
#include "routes.h"

enum { LIFETIME = 600000, CHALLENGES = 1000 };

bool serving_start(service *s, const options *options, size_t cache_budget) {
    char fault[FILE_FAULT];
    *s = (service){.options = options,
                   .store = store_open_memory(cache_budget, 900000),
                   .workers = workers_start(1, 1, 1000),
                   .challenges = malloc(sizeof *s->challenges),
                   .memory = {.limit = options->memory},
                   .metrics = metrics_make(route_count())};
    return s->store && s->workers && s->metrics && s->challenges &&
           challenges_open(s->challenges, "", LIFETIME, CHALLENGES, fault) == CHALLENGES_OPEN;
}

void serving_stop(service *s) {
    workers_free(s->workers);
    s->store->close(s->store);
    metrics_free(s->metrics);
    challenges_close(s->challenges);
    free(s->challenges);
}

/* In memory of its own, of exactly its size, as a cache may share it. */
static bool take_body(request *request, const sent *sent, problem *problem) {
    layers_error error;
    if (!charge_add(request->charge, sent->length) ||
        layers_tensor_make(&request->body, LAYERS_U8, &sent->length, 1, &error) != LAYERS_OK)
        return problem_set_memory(problem, "the body");
    if (sent->length > 0)
        memcpy(request->body.data, sent->body, sent->length);
    request->body_length = sent->length;
    return true;
}

/* By the connection's thread; what is dear, by a worker. */
static bool handle(service *service, const route *route, request *request, reply *reply,
                   problem *problem) {
    bool good = route->handle(service, route, request, reply, problem);
    if (!reply->later)
        return good;
    request->unfinished = reply->unfinished;
    if (!request->unfinished)
        charge_reduce(request->charge, request->body.size);
    request->at_leisure = true;
    return route->handle(service, route, request, reply, problem);
}

served serve(service *service, const sent *sent) {
    route route;
    reply reply = {0};
    charge charge = {.budget = &service->memory};
    request request = sent->head;
    served result = {0};
    request.charge = &charge;
    result.good = route_find(&request, &route, &result.problem) &&
                  take_body(&request, sent, &result.problem) &&
                  handle(service, &route, &request, &reply, &result.problem);
    layers_tensor_clear(&request.body);
    charge_reduce(&charge, 0);
    if (result.good) {
        result.status = reply.status;
        result.content_type = reply.content_type;
        result.body = reply.body;
        result.length = reply.body_length;
        return result;
    }
    free(reply.body);
    result.status = problem_status(result.problem.kind);
    result.body = problem_body(&result.problem, &result.length);
    return result;
}
