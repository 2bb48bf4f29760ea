/* POST /<layer>/<operation>: the way of a call, from its query to its answer. */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "forms/form.h"
#include "forms/kept.h"
#include "handlers.h"

/* One request on its way. */
typedef struct {
    service *service;
    const route *route;
    store store;            /* as the caller sees it */
    bool no_cache;          /* ?cache=none */
    bool release;           /* ?cache=release */
    bool at_leisure, later; /* as in the request, and in the reply */
    layers_call call;
    form_request request;
    form_answer answer;
    size_t reserved; /* bytes of the store's budget set aside */
    size_t bound;    /* the most bytes that the answer can have */
} work;

/* Whether the call cannot be done without asking a store that may be long in answering. */
static bool needs_leisure(const work *w) {
    layers_cache_use use = w->route->operation->cache;
    return w->store.waits && w->store.hurried && use != LAYERS_CACHE_NONE && !w->no_cache;
}

static void read_query(work *w, const request *request) {
    for (size_t i = 0; i < request->query_count; i++) {
        bool cache = !strcmp(request->query[i].key, "cache");
        w->answer.flat |= !cache;
        w->no_cache |= cache && w->route->operation->cache == LAYERS_CACHE_GIVEN;
        w->release |= cache && w->route->operation->cache == LAYERS_CACHE_TAKEN;
    }
}

/* Holds what the call would give, and what that takes, to the limits. */
static bool check_limits(work *w) {
    const options *options = w->service->options;
    size_t limit = options->answer_limit;
    if (w->bound > limit || w->call.output_bytes > limit)
        return problem_set(w->request.problem, PROBLEM_RESULT_TOO_LARGE, NULL,
                           "the answer could take %zu bytes, and %zu are allowed (--answer-limit): "
                           "send fewer rows at once",
                           w->bound > limit ? w->bound : w->call.output_bytes, limit);
    if (w->call.work > (double)options->work_limit)
        return problem_set(w->request.problem, PROBLEM_RESULT_TOO_LARGE, NULL,
                           "the result would take %.3g operations, and %.3g are allowed "
                           "(--work-limit): send fewer rows at once",
                           w->call.work, (double)options->work_limit);
    return true;
}

/* Checks the call, and sets aside what it will take, before anything is computed. */
static bool prepare(work *w) {
    layers_error error;
    if (layers_prepare(&w->call, &error) != LAYERS_OK) {
        problem_set_layers(w->request.problem, &error);
        form_mend_pointer(&w->request, w->route->request_form->handle_at);
        return false;
    }
    w->bound = w->route->answer_form->bound(&w->answer);
    if (!w->at_leisure && form_is_dear(w->call.work, w->bound))
        return !(w->later = true);
    if (!check_limits(w))
        return false;
    /* what is kept has a budget of its own, the store's */
    if (!charge_add(w->request.charge, w->bound) ||
        !charge_add(w->request.charge, w->call.output_bytes))
        return problem_set_memory(w->request.problem, "the result");
    if (w->route->operation->cache != LAYERS_CACHE_GIVEN || w->no_cache)
        return true;
    int retry_after;
    size_t bytes = w->call.cache_bytes + store_overhead;
    store *store = &w->store;
    if (!store->reserve(store, bytes, &retry_after)) {
        if (kept_fault(store, NULL, w->request.problem))
            return false;
        problem_set(w->request.problem, PROBLEM_CACHE_FULL, NULL,
                    "the cache has no room for %zu bytes; release handles (?cache=release, or "
                    "DELETE /cache/<handle>), ask for none (?cache=none), or try again later",
                    bytes);
        w->request.problem->retry_after = retry_after;
        return false;
    }
    w->reserved = bytes;
    return true;
}

static bool run(work *w) {
    layers_error error;
    if (w->reserved > 0 && w->store.begin)
        w->store.begin(&w->store, &w->call);
    if (layers_run(&w->call, &error) != LAYERS_OK)
        return problem_set_layers(w->request.problem, &error);
    return true;
}

static bool refuse_cache(work *w) {
    problem *problem = w->request.problem;
    if (kept_fault(&w->store, NULL, problem))
        return false;
    if (w->store.fault != STORE_FULL)
        return problem_set_memory(problem, "the cache");
    problem_set(problem, PROBLEM_CACHE_FULL, NULL,
                "the store of caches has no room for %zu bytes; release handles, ask for none "
                "(?cache=none), or try again later",
                w->reserved);
    problem->retry_after = 1;
    return false;
}

/* Puts the cache into the store, once the answer's memory is there: nothing can fail after it. */
static bool keep_cache(work *w, char handle[HANDLE_TEXT]) {
    store *store = &w->store;
    const store_value value = {.cache = w->call.cache};
    if (!store->put(store, &value, 1, w->reserved, (char(*)[HANDLE_TEXT])handle))
        return refuse_cache(w);
    w->call.cache = NULL; /* the store's now */
    w->reserved = 0;
    return true;
}

static bool answer(work *w, reply *reply) {
    char handle[HANDLE_TEXT];
    bool keep = w->reserved > 0;
    char *body = malloc(w->bound);
    if (!body)
        return problem_set_memory(w->request.problem, "the answer");
    if (keep && !keep_cache(w, handle)) {
        free(body);
        return false;
    }
    w->answer.handle = keep ? handle : NULL;
    size_t length = (size_t)(w->route->answer_form->write(body, &w->answer) - body);
    if (w->release)
        w->store.let_go(&w->store, w->request.handle);
    form_reply(w->route->answer_form, body, length, reply);
    return true;
}

bool handle_operation(service *service, const route *route, const request *request, reply *reply,
                      problem *problem) {
    /* helpers have the workers' priority: a thread that answers must not wait for them */
    layers_pool *pool = request->at_leisure ? workers_pool(service->workers) : NULL;
    work w = {.service = service,
              .route = route,
              .store = request_store(service, request),
              .call = {.operation = route->operation, .pool = pool},
              .request = {.body = &request->body,
                          .store = &w.store,
                          .charge = request->charge,
                          .call = &w.call,
                          .problem = problem},
              .answer = {.call = &w.call},
              .at_leisure = request->at_leisure};
    double start = clock_ms();
    read_query(&w, request);
    if (needs_leisure(&w))
        return !(reply->later = reply->asks = true);
    bool good = route->request_form->read(&w.request);
    double read = clock_ms();
    good = good && prepare(&w) && caller_work(request->caller, w.call.work, problem) && run(&w);
    double computed = clock_ms();
    good = good && answer(&w, reply);
    double written = clock_ms();
    reply->asks = !good && w.store.fault == STORE_LATER;
    reply->later = w.later || reply->asks;
    reply->read_ms = read - start;
    reply->compute_ms = computed - read;
    reply->write_ms = written - computed;
    if (w.reserved > 0)
        w.store.release(&w.store, w.reserved);
    layers_call_clear(&w.call);
    return good;
}
