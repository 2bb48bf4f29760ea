/* What a graph gives has the bytes of the same operations called one by one: in both forms and
 * dtypes, with one thread and several, on an idle daemon and on a busy one. */
#include <stdlib.h>

#include "common/random_bits.h"
#include "common/threads.h"
#include "http/daemon.h"
#include "http/operations/one_by_one.h"

DAEMON_SUITE(graphs_same);

enum { FIRST_BINARY = NETWORKS * 2, WAYS = 2 * FIRST_BINARY };

static way way_of(int number, bool large) {
    return (way){.network = &networks[number % NETWORKS],
                 .large = large,
                 .float32 = number / NETWORKS % 2,
                 .binary = number / NETWORKS / 2};
}

/* A graph whose bytes are known. */
typedef struct {
    way way;
    json_t *bytes;
    char *body;
    size_t length;
} known;

static known learn(caller *caller, int number, bool large) {
    uint64_t state = (uint64_t)number + 1;
    known k = {.way = way_of(number, large)};
    json_t *inputs = random_inputs(&k.way, &state);
    k.bytes = run_one_by_one(caller, &k.way, inputs);
    cr_assert(k.bytes, "%s", caller->fault);
    k.body = graph_body(&k.way, inputs, k.bytes, &k.length);
    cr_assert(k.body);
    json_decref(inputs);
    caller_forget(caller);
    return k;
}

static void forget(known *k) {
    free(k->body);
    json_decref(k->bytes);
}

static void run_known(caller *caller, const known *k, char fault[FAULT_TEXT]) {
    const answer *a = run_graph(caller, &k->way, k->body, k->length);
    if (a)
        answer_has(&k->way, a, k->bytes, fault);
    else
        snprintf(fault, FAULT_TEXT, "%.400s", caller->fault);
    caller_forget(caller);
}

static void run_all(const char *threads, bool large, int from, int to) {
    process *p = daemon_start(OPTIONS("--threads", threads));
    for (int i = from; i < to; i++) {
        char fault[FAULT_TEXT] = "";
        known k = learn(p->caller, i, large);
        run_known(p->caller, &k, fault);
        CHECK(!*fault, "%s, %s: %s", k.way.float32 ? "float32" : "float64",
              k.way.binary ? "safetensors" : "JSON", fault);
        forget(&k);
    }
    daemon_stop(p);
}

Test(graphs_same, with_one_thread) {
    run_all("1", false, 0, WAYS);
}

Test(graphs_same, with_several_threads) {
    run_all("4", false, 0, WAYS);
}

Test(graphs_same, of_large_shapes_in_JSON) {
    run_all("4", true, 0, NETWORKS);
}

Test(graphs_same, of_large_shapes_in_safetensors) {
    run_all("4", true, FIRST_BINARY, WAYS);
}

Test(graphs_same, of_large_shapes_with_one_thread) {
    run_all("1", true, FIRST_BINARY, WAYS);
}

/* What several callers do at once, each another graph after the other. */
typedef struct {
    const char *url;
    known graphs[WAYS];
    int count, rounds;
} crowd;

static void call_graphs(void *context, int number, char fault[FAULT_TEXT]) {
    const crowd *shared = context;
    caller *c = caller_open(shared->url);
    for (int i = 0; i < shared->rounds && !*fault; i++)
        run_known(c, &shared->graphs[(number + i) % shared->count], fault);
    caller_close(c);
}

static void call_at_once(bool large, int from, int rounds, int callers) {
    static crowd shared;
    process *p = daemon_start(OPTIONS("--threads", "4"));
    shared = (crowd){.url = p->url, .count = WAYS - from, .rounds = rounds};
    for (int i = from; i < WAYS; i++)
        shared.graphs[i - from] = learn(p->caller, i, large);
    threads_run(callers, call_graphs, &shared);
    for (int i = 0; i < shared.count; i++)
        forget(&shared.graphs[i]);
    daemon_stop(p);
}

Test(graphs_same, among_many_callers) {
    call_at_once(false, 0, 8, 8);
}

Test(graphs_same, of_large_shapes_among_many_callers) {
    call_at_once(true, FIRST_BINARY, 1, 4);
}
