/* GET /healthz, /readyz, /version: how the process is, and what it is. */
#include "base/version.h"
#include "documents/reply.h"
#include "handlers.h"

bool handle_health(service *service, const route *route, const request *request, reply *reply,
                   problem *problem) {
    (void)service, (void)route, (void)request;
    return reply_document(reply, json_pack("{ss}", "status", "ok"), problem);
}

bool handle_ready(service *service, const route *route, const request *request, reply *reply,
                  problem *problem) {
    (void)route, (void)request;
    if (atomic_load(&service->stopping))
        return problem_set_draining(problem);
    if (!service->store->ready(service->store)) {
        problem_set(problem, PROBLEM_STORE_UNAVAILABLE, NULL, "the store of handles is away");
        problem->retry_after = 1;
        return false;
    }
    return reply_document(reply, json_pack("{ss}", "status", "ready"), problem);
}

bool handle_version(service *service, const route *route, const request *request, reply *reply,
                    problem *problem) {
    (void)service, (void)route, (void)request;
    return reply_document(reply,
                          json_pack("{ss ss ss ss ss}", "name", "layerd", "version",
                                    layers_version(), "commit", version_commit, "blas",
                                    layers_blas(), "cpu", version_cpu()),
                          problem);
}
