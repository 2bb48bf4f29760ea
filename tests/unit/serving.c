#include "serving.h"

#include <stdlib.h>

#include "routes.h"

served serve(service *service, const request *request) {
    route route;
    reply reply = {0};
    problem problem;
    served result = {.good = route_find(request, &route, &problem) &&
                             route.handle(service, &route, request, &reply, &problem)};
    if (result.good) {
        result.status = reply.status;
        result.body = reply.body;
        result.length = reply.body_length;
        return result;
    }
    free(reply.body);
    result.kind = problem.kind;
    result.status = problem_status(problem.kind);
    result.body = problem_body(&problem, &result.length);
    return result;
}
