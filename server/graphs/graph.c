/* POST /graph: several operations in one call, all or nothing. */
#include "graphs/graph.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "forms/kept.h"
#include "handlers.h"

/* What graphs need of a form (graph.h). */
typedef struct {
    const form *form;
    bool (*open)(graph_call *call);
    size_t (*bound)(graph_call *call);
    char *(*write)(char *out, graph_call *call);
} graph_form;

static const graph_form graph_forms[] = {
    {&form_json, graph_open_json, graph_bound_json, graph_write_json},
    {&form_safetensors, graph_open_safetensors, graph_bound_safetensors, graph_write_safetensors},
};

static const graph_form *graph_form_of(const form *form) {
    const graph_form *row = graph_forms;
    while (row->form != form)
        row++;
    return row;
}

/* One request on its way: from a connection's thread to a worker's, where it is dear. */
typedef struct {
    service *service;
    const form *answer_form;
    store store; /* as the caller sees it */
    graph_call call;
    bool at_leisure, later, asks; /* as in the request, and in the reply */
    size_t bound;                 /* the most bytes that the answer can have */
    size_t reserved;              /* bytes of the store's budget set aside */
    double read_ms;
} work;

/* ---- before anything is computed ---------------------------------------------------------------
 */

static bool too_large(work *w, double takes, const char *of, size_t limit, const char *option) {
    return problem_set(
        w->call.problem, PROBLEM_RESULT_TOO_LARGE, NULL,
        "the graph could take %.6g %s, and %.6g are allowed (%s): send fewer rows at "
        "once, or a smaller graph",
        takes, of, (double)limit, option);
}

static bool check_limits(work *w, const layers_graph_cost *cost) {
    const options *options = w->service->options;
    if (w->bound > options->answer_limit)
        return too_large(w, (double)w->bound, "bytes of answer", options->answer_limit,
                         "--answer-limit");
    if (cost->work > (double)options->work_limit)
        return too_large(w, cost->work, "operations", options->work_limit, "--work-limit");
    if (cost->peak > options->memory)
        return too_large(w, (double)cost->peak, "bytes for its values at once", options->memory,
                         "--memory");
    return true;
}

/* A tensor that is a small part of its memory, such as a body, is kept as a copy. */
static bool is_part(const layers_tensor *tensor, size_t *bytes) {
    size_t memory = layers_tensor_memory(tensor);
    layers_dtype_bytes(tensor->dtype, tensor->size, bytes);
    return memory > *bytes + *bytes / 8 + 256;
}

static size_t cost_of(const work *w, const graph_wanted *wanted) {
    layers_result result = layers_graph_result(w->call.graph, wanted->value);
    size_t bytes;
    bool part = result.kind == LAYERS_RESULT_TENSOR && is_part(result.tensor, &bytes);
    return form_add(part ? bytes : result.bytes, store_overhead);
}

/* Sets room for all that is kept aside. */
static bool reserve(work *w) {
    store *store = &w->store;
    size_t bytes = 0;
    int retry_after;
    for (size_t i = 0; i < w->call.keep.count; i++)
        bytes = form_add(bytes, cost_of(w, &w->call.keep.list[i]));
    if (bytes == 0)
        return true;
    if (!store->reserve(store, bytes, &retry_after)) {
        if (kept_fault(store, NULL, w->call.problem))
            return false;
        problem_set(w->call.problem, PROBLEM_CACHE_FULL, NULL,
                    "the cache has no room for %zu bytes that are to be kept; release handles "
                    "(\"release\", or DELETE /cache/<handle>), or try again later",
                    bytes);
        w->call.problem->retry_after = retry_after;
        return false;
    }
    w->reserved = bytes;
    return true;
}

/* Leaves the request to a worker, with the handles that it holds. What was read of the document is
 * of this thread. */
static bool leave(work *w) {
    if (!graph_close(&w->call))
        return problem_set_memory(w->call.problem, "the graph");
    w->later = true;
    return false;
}

/* Whether a store has to be asked that may be long in answering. */
static bool needs_leisure(const work *w) {
    return w->store.waits && w->store.hurried && w->call.keep.count + w->call.release_count > 0;
}

static bool prepare(work *w) {
    layers_graph_cost cost = layers_graph_costs(w->call.graph);
    if (w->bound == 0)
        w->bound = graph_form_of(w->answer_form)->bound(&w->call);
    if (w->bound == 0)
        return problem_set_memory(w->call.problem, "the answer");
    bool dear = form_is_dear(cost.work, w->bound);
    w->asks = !dear && needs_leisure(w);
    if (w->asks || (dear && !w->at_leisure))
        return leave(w);
    if (!check_limits(w, &cost))
        return false;
    if (!charge_add(w->call.charge, w->bound) || !charge_add(w->call.charge, cost.peak))
        return problem_set_memory(w->call.problem, "the graph's values");
    return reserve(w);
}

/* ---- computing, and what becomes of it ---------------------------------------------------------
 */

static bool charge_work(const work *w, caller *caller) {
    return !caller || caller_work(caller, layers_graph_costs(w->call.graph).work, w->call.problem);
}

static bool run(work *w) {
    layers_error error;
    return layers_graph_run(w->call.graph, w->call.pool, &error) == LAYERS_OK ||
           graph_fail(&w->call, &error);
}

/* A reference of the store's own. */
static bool share(const work *w, const graph_wanted *wanted, store_value *value) {
    layers_result result = layers_graph_result(w->call.graph, wanted->value);
    layers_error error;
    size_t bytes;
    if (result.kind == LAYERS_RESULT_CACHE) {
        value->cache = layers_cache_ref(result.cache);
        return true;
    }
    const layers_tensor *tensor = result.tensor;
    if (!is_part(tensor, &bytes)) {
        value->tensor = layers_tensor_share(tensor);
        return true;
    }
    if (layers_tensor_make(&value->tensor, tensor->dtype, tensor->shape, tensor->rank, &error) !=
        LAYERS_OK)
        return false;
    if (bytes > 0)
        memcpy(value->tensor.data, tensor->data, bytes);
    return true;
}

static bool refuse_to_keep(work *w) {
    problem *problem = w->call.problem;
    if (kept_fault(&w->store, NULL, problem))
        return false;
    if (w->store.fault != STORE_FULL)
        return problem_set_memory(problem, "what is kept");
    problem_set(problem, PROBLEM_CACHE_FULL, NULL,
                "the store has no room for %zu bytes that are to be kept; release handles, or try "
                "again later",
                w->reserved);
    problem->retry_after = 1;
    return false;
}

/* Keeps what is to be kept: all of it, or nothing. */
static bool keep(work *w) {
    store *store = &w->store;
    size_t count = w->call.keep.count;
    if (count == 0)
        return true;
    store_value *values = calloc(count, sizeof *values);
    w->call.handles = malloc(count * sizeof *w->call.handles);
    bool good = values && w->call.handles;
    for (size_t i = 0; i < count && good; i++)
        good = share(w, &w->call.keep.list[i], &values[i]);
    good = good && store->put(store, values, count, w->reserved, w->call.handles);
    if (good)
        w->reserved = 0;
    for (size_t i = 0; values && i < count && !good; i++)
        store_value_clear(&values[i]);
    free(values);
    return good || refuse_to_keep(w);
}

static void release(work *w) {
    store *store = &w->store;
    for (size_t i = 0; i < w->call.release_count; i++)
        store->let_go(store, w->call.release[i]);
}

/* Nothing can fail once something is kept. */
static bool answer(work *w, reply *reply) {
    char *body = malloc(w->bound);
    if (!body)
        return problem_set_memory(w->call.problem, "the answer");
    if (!keep(w)) {
        free(body);
        return false;
    }
    size_t length = (size_t)(graph_form_of(w->answer_form)->write(body, &w->call) - body);
    release(w);
    form_reply(w->answer_form, body, length, reply);
    return true;
}

static void give_up(void *unfinished) {
    work *w = unfinished;
    graph_call *call = &w->call;
    if (w->reserved > 0)
        w->store.release(&w->store, w->reserved);
    layers_graph_free(call->graph);
    json_document_free(&call->document);
    safetensors_free(&call->file);
    free(call->give.list);
    free(call->keep.list);
    free(call->release);
    free(call->handled);
    free(call->taken.list);
    free(call->texts);
    free(call->handles);
    free(call->contents.tensors);
    free(call->contents.texts);
    free(w);
}

/* Reads and builds the graph of a request that comes for the first time. */
static bool begin(work *w, const form *form) {
    double start = clock_ms();
    bool good = graph_form_of(form)->open(&w->call) && graph_build(&w->call);
    w->read_ms = clock_ms() - start;
    return good;
}

bool handle_graph(service *service, const route *route, const request *request, reply *reply,
                  problem *problem) {
    const size_t cheap = 16 << 10; /* bytes of a document that is read and built at once */
    work *w = request->unfinished;
    bool good = true;
    if (!request->at_leisure && request->body_length > cheap)
        return !(reply->later = true);
    if (!w) {
        w = calloc(1, sizeof *w);
        if (!w)
            return problem_set_memory(problem, "the graph");
        *w = (work){.service = service,
                    .answer_form = route->answer_form,
                    .store = request_store(service, request)};
        w->call = (graph_call){.body = &request->body,
                               .store = &w->store,
                               .charge = request->charge,
                               .problem = problem,
                               .flat = request->query_count > 0};
        good = begin(w, route->request_form);
    }
    bool from_the_start = !good && w->store.fault == STORE_LATER;
    w->store.hurried = !request->may_wait;
    w->at_leisure = request->at_leisure;
    w->later = false;
    w->call.pool = request->at_leisure ? workers_pool(service->workers) : NULL;
    double read = clock_ms();
    good = good && prepare(w) && charge_work(w, request->caller) && run(w);
    double computed = clock_ms();
    good = good && answer(w, reply);
    if (!good && !w->later) {
        handles_restore(&w->call.taken, problem->detail);
        handles_restore(&w->call.taken, problem->pointer);
    }
    reply->later = w->later;
    reply->asks = w->asks;
    reply->read_ms = w->read_ms;
    reply->compute_ms = computed - read;
    reply->write_ms = clock_ms() - computed;
    if (w->later) {
        reply->unfinished = w;
        reply->drop = give_up;
    } else {
        if (from_the_start)
            handles_put_back(&w->call.taken, request->body.data, request->body.size);
        give_up(w);
        reply->later = reply->asks = from_the_start;
    }
    return good;
}
