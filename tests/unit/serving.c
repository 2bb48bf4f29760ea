#include "serving.h"

#include <stdlib.h>

#include "routes.h"

served serve(service *service, const request *request) {
    route route;
    reply reply = {0};
    served result = {0};
    result.good = route_find(request, &route, &result.problem) &&
                  route.handle(service, &route, request, &reply, &result.problem);
    if (result.good) {
        result.status = reply.status;
        result.body = reply.body;
        result.length = reply.body_length;
        return result;
    }
    free(reply.body);
    result.status = problem_status(result.problem.kind);
    result.body = problem_body(&result.problem, &result.length);
    return result;
}
