/* POST /check/<layer>/<operation>: whether what a caller computed is right. */
#include "calls/verdict.h"

#include "base/clock.h"
#include "handlers.h"

/* One request on its way. */
typedef struct {
    service *service;
    const route *route;
    store store; /* as the caller sees it */
    bool at_leisure, later;
    layers_question question;
    layers_call asked;
    form_claim claim;
    form_request request;
    layers_check *check;
    verdict verdict;
} work;

/* A check computes the operation, and bounds beside it. */
static double work_of(const work *w) {
    return 2 * layers_check_work(w->check);
}

static bool check_limits(work *w) {
    size_t limit = w->service->options->work_limit, most = w->service->options->answer_limit;
    size_t bytes = layers_check_result_bytes(w->check);
    double takes = layers_check_work(w->check);
    if (bytes > most)
        return problem_set(w->request.problem, PROBLEM_RESULT_TOO_LARGE, NULL,
                           "the right answer would take %zu bytes, and %zu are allowed "
                           "(--answer-limit): send fewer rows at once",
                           bytes, most);
    return takes <= (double)limit ||
           problem_set(w->request.problem, PROBLEM_RESULT_TOO_LARGE, NULL,
                       "the check would take %.3g operations, and %.3g are allowed "
                       "(--work-limit): send fewer rows at once",
                       takes, (double)limit);
}

/* Makes the check, and sets aside what it takes, before anything is computed. */
static bool prepare(work *w) {
    const double faults = 16; /* a wrong claim is compared with each */
    layers_error error;
    if (layers_check_make(&w->check, &w->question, &w->asked, w->claim.precision, &error) !=
        LAYERS_OK) {
        problem_set_layers(w->request.problem, &error);
        form_mend_pointer(&w->request, w->route->request_form->handle_at);
        return false;
    }
    size_t bytes = layers_check_bytes(w->check);
    if (!w->at_leisure && form_is_dear(faults * work_of(w), bytes))
        return !(w->later = true);
    return check_limits(w) && (charge_add(w->request.charge, bytes) ||
                               problem_set_memory(w->request.problem, "the check"));
}

static bool run(work *w, layers_pool *pool) {
    layers_error error;
    if (layers_check_run(w->check, pool, &error) != LAYERS_OK)
        return problem_set_layers(w->request.problem, &error);
    return verdict_find(&w->verdict, w->check, &w->claim, w->request.problem);
}

bool handle_check(service *service, const route *route, const request *request, reply *reply,
                  problem *problem) {
    layers_pool *pool = request->at_leisure ? workers_pool(service->workers) : NULL;
    work w = {.service = service,
              .route = route,
              .store = request_store(service, request),
              .request = {.body = &request->body,
                          .store = &w.store,
                          .charge = request->charge,
                          .call = &w.asked,
                          .claim = &w.claim,
                          .problem = problem},
              .at_leisure = request->at_leisure};
    layers_question_make(&w.question, route->operation);
    w.asked = (layers_call){.operation = &w.question.takes, .pool = pool};
    w.claim.call = (layers_call){.operation = &w.question.claims, .dtype = LAYERS_F64};
    double start = clock_ms();
    bool good = route->request_form->read(&w.request);
    double read = clock_ms();
    good =
        good && prepare(&w) && caller_work(request->caller, work_of(&w), problem) && run(&w, pool);
    double computed = clock_ms();
    good = good && verdict_reply(&w.verdict, &w.question.claims,
                                 verdict_detail(request, route->detail), reply, problem);
    reply->asks = !good && w.store.fault == STORE_LATER;
    reply->later = w.later || reply->asks;
    reply->read_ms = read - start;
    reply->compute_ms = computed - read;
    reply->write_ms = clock_ms() - computed;
    layers_check_free(w.check);
    layers_call_clear(&w.asked);
    layers_call_clear(&w.claim.call);
    return good;
}
