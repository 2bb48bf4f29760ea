/* Names in a graph: which are free, and what value one stands for. */
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "graph/graph.h"

enum { CANDIDATES = 2048, TEXT = 2 * LAYERS_GRAPH_NAME + 2 };

static bool is_name(const char *text) {
    size_t length = 0;
    while (text[length] == '_' || (isascii(text[length]) && isalpha((unsigned char)text[length])) ||
           (length > 0 && isascii(text[length]) && isdigit((unsigned char)text[length])))
        length++;
    return length > 0 && length <= LAYERS_GRAPH_NAME && !text[length];
}

bool graph_is_free(const layers_graph *graph, const char *name) {
    return is_name(name) && names_find(&graph->names, name, strlen(name)) < 0;
}

layers_code graph_no_name(const layers_graph *graph, const char *name, const char *field,
                          layers_error *error) {
    if (!is_name(name))
        return layers_fail(error, LAYERS_INVALID_GRAPH, field,
                           "\"%.64s\" is no name: one has 1 to %d letters, digits and _, and "
                           "starts with no digit",
                           name, LAYERS_GRAPH_NAME);
    int taken = names_find(&graph->names, name, strlen(name));
    return layers_fail(error, LAYERS_INVALID_GRAPH, field,
                       "the name \"%s\" is taken by %s: inputs and nodes share one space", name,
                       graph->names.names[taken].is_node ? "another node" : "an input");
}

/* Calls `tell` with each name behind the dot that a step's values have, until it returns true. */
static bool each_member(const layers_operation *operation, bool (*tell)(void *, const char *, int),
                        void *argument) {
    char text[TEXT];
    int at = 0;
    for (int i = 0; operation->outputs[i].name; i++)
        if (tell(argument, operation->outputs[i].name, at++))
            return true;
    for (int i = 0; operation->params_back && operation->params[i].name; i++, at++) {
        snprintf(text, sizeof text, "%s.%s", operation->params_name, operation->params[i].name);
        if (operation->params[i].kind != LAYERS_MASK && tell(argument, text, at))
            return true;
    }
    return operation->cache == LAYERS_CACHE_GIVEN && tell(argument, "cache", at);
}

typedef struct {
    const char *member;
    int found;
} seeking;

static bool is_member(void *argument, const char *name, int at) {
    seeking *s = argument;
    s->found = at;
    return !strcmp(name, s->member);
}

/* The step of a name that is a node's and an operation's; NULL for others, and for the node that is
 * being added. */
static const step *step_of(const layers_graph *graph, const name *owner) {
    int index = owner->is_node ? graph->nodes[owner->index].step : NONE;
    return index == NONE || (size_t)index >= graph->step_count ? NULL : &graph->steps[index];
}

/* The value "node.member"; NONE where there is none. */
static int find_member(const layers_graph *graph, const name *owner, const char *member) {
    const step *step = step_of(graph, owner);
    seeking s = {member, NONE};
    return step && each_member(step->operation, is_member, &s) ? step->first + s.found : NONE;
}

/* Gathers "a.out", "a.cache", ... */
typedef struct {
    const char *owner;
    int count;
    char text[LAYERS_MAX_TENSORS + LAYERS_MAX_PARAMS + 1][TEXT];
    const char *names[LAYERS_MAX_TENSORS + LAYERS_MAX_PARAMS + 2];
} members;

static bool gather(void *argument, const char *name, int at) {
    members *m = argument;
    (void)at;
    snprintf(m->text[m->count], TEXT, "%.64s.%.64s", m->owner, name);
    m->names[m->count] = m->text[m->count];
    m->count++;
    return false;
}

/* Of the names in the table, the nearest to a word; NULL for none. Looks at the last ones only
 * where there are very many. */
static const name *nearest_entry(const layers_graph *graph, const char *word) {
    const char *texts[CANDIDATES + 1];
    size_t count = graph->names.count < CANDIDATES ? graph->names.count : CANDIDATES;
    for (size_t i = 0; i < count; i++)
        texts[i] = graph->names.names[graph->names.count - 1 - i].text;
    texts[count] = NULL;
    const char *near = layers_nearest(word, texts);
    return near ? &graph->names.names[names_find(&graph->names, near, strlen(near))] : NULL;
}

/* Writes what could have been meant: "the nearest is ...". */
static const char *hint(const layers_graph *graph, const char *text, char out[4 * TEXT]) {
    char head[LAYERS_GRAPH_NAME + 1];
    size_t length = strcspn(text, ".");
    int exact = names_find(&graph->names, text, length);
    snprintf(head, sizeof head, "%.*s", (int)(length < sizeof head ? length : sizeof head - 1),
             text);
    const name *owner = exact >= 0 ? &graph->names.names[exact] : nearest_entry(graph, head);
    const name *whole = nearest_entry(graph, text);
    *out = '\0';
    const step *step = owner ? step_of(graph, owner) : NULL;
    if (step) {
        members m = {.owner = owner->text};
        each_member(step->operation, gather, &m);
        const char *near = text[length] ? layers_nearest(text, m.names) : NULL;
        if (near)
            snprintf(out, 4 * TEXT, "; the nearest is \"%s\"", near);
        else
            snprintf(out, 4 * TEXT, "; node \"%s\" gives \"%s\"%s%s%s%s", owner->text, m.names[0],
                     m.count > 1 ? ", \"" : "", m.count > 1 ? m.names[m.count - 1] : "",
                     m.count > 1 ? "\"" : "", m.count > 2 ? " and more" : "");
    } else if (whole && !whole->is_node) {
        snprintf(out, 4 * TEXT, "; the nearest is \"%.129s\"", whole->text);
    } else if (owner && !owner->is_node) {
        snprintf(out, 4 * TEXT, "; the nearest is \"%s\"", owner->text);
    }
    return out;
}

int graph_find(const layers_graph *graph, const char *text) {
    const name *entries = graph->names.names;
    size_t head = strcspn(text, ".");
    int whole = names_find(&graph->names, text, strlen(text));
    if (whole >= 0 && !entries[whole].is_node)
        return entries[whole].index;
    int owner = text[head] ? names_find(&graph->names, text, head) : -1;
    return owner < 0 ? NONE : find_member(graph, &entries[owner], text + head + 1);
}

layers_code graph_not_there(const layers_graph *graph, const char *text, const char *field,
                            layers_error *error) {
    char near[4 * TEXT];
    hint(graph, text, near);
    return *field ? layers_fail(error, LAYERS_INVALID_GRAPH, field,
                                "/%s is \"%.129s\", but there is no such value before it%s", field,
                                text, near)
                  : layers_fail(error, LAYERS_INVALID_GRAPH, field,
                                "there is no value \"%.129s\"%s", text, near);
}
