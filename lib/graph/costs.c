/* When each value goes, and what a run takes. */
#include <string.h>

#include "graph/graph.h"

/* ---- what runs, and for how long its values are wanted ------------------------------------------
 */

static void use(layers_graph *graph, int index, int step) {
    value *v = &graph->values[index];
    if (!v->is_used && v->last != FOR_EVER)
        v->last = step; /* the first that is met going back */
    v->is_used = true;
}

static bool is_needed(const value *v) {
    return v->is_used || v->last == FOR_EVER;
}

/* A step runs if something that it gives is needed. */
static void settle(layers_graph *graph, int index) {
    step *s = &graph->steps[index];
    for (int i = 0; i < s->values; i++)
        s->runs |= is_needed(&graph->values[s->first + i]);
    if (!s->runs)
        return;
    for (int i = 0; i < s->values; i++)
        if (!is_needed(&graph->values[s->first + i]))
            graph->values[s->first + i].last = index;
    for (int i = 0; s->kind == STEP_CALL && s->operation->outputs[i].name; i++)
        s->unwanted[i] = !is_needed(&graph->values[graph_output(s, i)]);
    int touched[GRAPH_TOUCHED], count = graph_touched(s, touched);
    for (int i = s->values; i < count; i++) /* behind what it gives */
        use(graph, touched[i], index);
}

/* ---- memory -------------------------------------------------------------------------------------
 */

/* The next of the values that the cache of a step shares: an input of it. *at starts at 0. */
static int next_shared(const step *s, int *at) {
    const layers_saved *saved = s->operation ? s->operation->saved : NULL;
    while (saved && saved[*at].name) {
        const layers_saved *one = &saved[(*at)++];
        for (int i = 0; !one->shape && s->operation->inputs[i].name; i++)
            if (!strcmp(s->operation->inputs[i].name, one->name))
                return s->inputs[i];
    }
    return NONE;
}

/* One holder less of what a step has made; the last gives the memory back. */
static void drop(layers_graph *graph, int index, size_t *live) {
    value *v = &graph->values[index];
    if (v->step == NONE || --v->holders > 0)
        return;
    *live -= v->bytes;
    const step *maker = &graph->steps[v->step];
    if (v->kind == LAYERS_RESULT_CACHE)
        for (int at = 0, shared; (shared = next_shared(maker, &at)) != NONE;)
            drop(graph, shared, live);
}

int graph_touched(const step *s, int touched[GRAPH_TOUCHED]) {
    const layers_param *params = s->operation ? s->operation->params : NULL;
    int count = 0;
    for (int i = 0; i < s->values; i++)
        touched[count++] = s->first + i;
    for (int i = 0; i < LAYERS_MAX_TENSORS && s->inputs[i] != NONE; i++)
        touched[count++] = s->inputs[i];
    for (int i = 0; params && params[i].name; i++)
        if (s->params[i].tensor != NONE)
            touched[count++] = s->params[i].tensor;
    if (s->cache != NONE)
        touched[count++] = s->cache;
    return count;
}

/* An output that is not computed takes nothing. */
static bool is_spared(const step *s, int i) {
    return s->kind == STEP_CALL && i < LAYERS_MAX_TENSORS && s->unwanted[i] &&
           s->operation->outputs[i].apart;
}

/* What is made, and what goes when it is. */
static void count_step(layers_graph *graph, int index, size_t *live) {
    step *s = &graph->steps[index];
    int touched[GRAPH_TOUCHED], count = graph_touched(s, touched);
    graph->cost.work += s->work;
    graph->cost.steps++;
    for (int i = 0; i < s->values; i++) {
        value *v = &graph->values[s->first + i];
        v->bytes = is_spared(s, i) ? 0 : v->bytes;
        v->holders = 1;
        *live += v->bytes;
        graph->cost.all += v->bytes;
        if (v->kind == LAYERS_RESULT_CACHE)
            for (int at = 0, shared; (shared = next_shared(s, &at)) != NONE;)
                graph->values[shared].holders++;
    }
    graph->cost.peak = graph->cost.peak > *live ? graph->cost.peak : *live;
    for (int i = 0; i < count; i++) {
        value *v = &graph->values[touched[i]];
        if (v->last != index || v->is_gone)
            continue;
        v->is_gone = true;
        drop(graph, touched[i], live);
    }
}

layers_code layers_graph_prepare(layers_graph *graph, layers_error *error) {
    size_t live = 0, sum = 0;
    for (size_t i = 0; i < graph->value_count; i++)
        if (__builtin_add_overflow(sum, graph->values[i].bytes, &sum))
            return layers_fail(error, LAYERS_TOO_LARGE, NULL,
                               "the values of the graph are more than can be addressed");
    for (size_t i = graph->step_count; i-- > 0;)
        settle(graph, (int)i);
    for (size_t i = 0; i < graph->step_count; i++)
        if (graph->steps[i].runs)
            count_step(graph, (int)i, &live);
    return LAYERS_OK;
}
