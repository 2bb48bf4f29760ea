/* Graphs, one after another, that the bytes of the input choose (graph_make.h): what each gives and
 * keeps has the bytes of the same operations called one by one, and one that is refused has changed
 * nothing. Some are damaged before they are sent, and then only what is true of every answer has to
 * hold. */
#include <jansson.h>
#include <string.h>

#include "codec/json_recent.h"
#include "codec/json_write.h"
#include "codec/safetensors_read.h"
#include "forms/form.h"
#include "fuzz.h"
#include "graph_make.h"

enum { BUDGET = 1 << 16, BUDGET_ALONE = 1 << 26, GRAPHS_MOST = 6 };

enum { KEPT_BESIDE = 512 }; /* bytes of memory beside twice a tensor's own */

static const options limits = {.body_limit = 1 << 20,
                               .answer_limit = 1 << 20,
                               .work_limit = 1 << 30,
                               .memory = 1 << 26,
                               .threads = 1};

static struct {
    service service, alone;
    model model;
    kept_value kept[KEPT_MOST];
    int kept_count;
} state;

static void start(void) {
    if (state.service.store)
        return;
    HOLDS(serving_start(&state.service, &limits, BUDGET));
    HOLDS(serving_start(&state.alone, &limits, BUDGET_ALONE));
    state.model.alone = &state.alone;
}

/* How one graph is sent, and answered. */
typedef struct {
    made_graph made;
    bool as_file, is_flat; /* the answer */
    bool is_damaged;
    json_t *handles; /* that the answer has, by the names of what is kept */
} turn;

/* ---- what is kept ------------------------------------------------------------------------------
 */

static void note_kept(turn *t) {
    store *store = state.service.store;
    const char *name;
    json_t *handle;
    json_object_foreach(t->handles, name, handle) {
        store_info info;
        HOLDS(state.kept_count < KEPT_MOST && json_string_length(handle) == HANDLE_TEXT - 1);
        kept_value *kept = &state.kept[state.kept_count++];
        *kept = (kept_value){.is_live = true};
        strcpy(kept->value.handle, json_string_value(handle));
        HOLDS(store->info(store, kept->value.handle, &info));
        for (int i = 0; i < t->made.keep_count && !t->is_damaged; i++) {
            const model_value *v = &state.model.values[t->made.keep[i]];
            if (strcmp(v->name, name) != 0)
                continue;
            kept->is_known = true;
            kept->value.kind = v->kind;
            layers_tensor_clear(&kept->value.tensor);
            kept->value.tensor = layers_tensor_share(&v->tensor);
            kept->value.layer = v->layer;
            strcpy(kept->value.text, v->text);
        }
    }
}

/* Under a handle is what was computed, and no memory that it does not need. */
static void kept_hold(const kept_value *kept) {
    store_value stored;
    size_t bytes;
    HOLDS(state.service.store->get(state.service.store, kept->value.handle, &stored));
    HOLDS(!stored.cache == (kept->value.kind == LAYERS_RESULT_TENSOR));
    if (stored.cache) {
        HOLDS(!strcmp(layers_cache_layer(stored.cache), kept->value.layer));
        HOLDS(layers_cache_dtype(stored.cache) == kept->value.tensor.dtype);
    } else {
        HOLDS(tensors_are_alike(&stored.tensor, &kept->value.tensor));
        HOLDS(layers_dtype_bytes(stored.tensor.dtype, stored.tensor.size, &bytes));
        HOLDS(layers_tensor_memory(&stored.tensor) <= 2 * bytes + KEPT_BESIDE);
    }
    store_value_clear(&stored);
}

/* Whether a handle stands in a body as the whole of a string. */
static bool names_handle(const sent *sent, const char *handle) {
    char text[HANDLE_TEXT + 2];
    snprintf(text, sizeof text, "%s%s", handle, sent->head.content_type ? "\\\"" : "\"");
    return memmem(sent->body, sent->length, text, strlen(text));
}

/* What was released is gone, and everything else as it was. Of damaged graphs is known that what
 * they released stood in them. The budget is used for what there is, and nothing else. */
static void handles_hold(const turn *t, const sent *sent, bool good) {
    store *store = state.service.store;
    store_info info;
    store_stats stats;
    size_t bytes = 0, live = 0;
    for (int i = 0; i < state.kept_count; i++) {
        kept_value *kept = &state.kept[i];
        bool is_live = store->info(store, kept->value.handle, &info);
        bool is_released = i < 64 && t->made.released >> i & 1;
        if (t->is_damaged)
            HOLDS(is_live || !kept->is_live || (good && names_handle(sent, kept->value.handle)));
        else
            HOLDS(is_live == (kept->is_live && !(good && is_released)));
        kept->is_live = is_live;
        bytes += is_live ? info.bytes : 0;
        live += is_live;
        if (is_live && kept->is_known)
            kept_hold(kept);
    }
    store->stats(store, &stats);
    HOLDS(stats.entries == live && stats.bytes == bytes);
}

static void give_up_all(void) {
    for (; state.kept_count > 0; state.kept_count--) {
        kept_value *kept = &state.kept[state.kept_count - 1];
        HOLDS(state.service.store->remove(state.service.store, kept->value.handle) ==
              kept->is_live);
        layers_tensor_clear(&kept->value.tensor);
    }
    store_is_empty(state.service.store);
    model_forget(&state.model);
}

/* ---- answers -----------------------------------------------------------------------------------
 */

static bool is_among(const int *values, int count, int value) {
    for (int i = 0; i < count; i++)
        if (!strcmp(state.model.values[values[i]].name, state.model.values[value].name))
            return true;
    return false;
}

/* Parameters without a value are not given. */
static bool is_given(const model_value *v) {
    return v->kind == LAYERS_RESULT_TENSOR || *v->text;
}

static void write_value(FILE *out, const model_value *v, bool flat) {
    if (v->kind == LAYERS_RESULT_PARAM) {
        bool is_word = !strchr("-0123456789", *v->text);
        fprintf(out, is_word ? "\"%s\"" : "%s", v->text);
        return;
    }
    char *text = malloc(json_tensor_bound(&v->tensor, flat));
    HOLDS(text);
    char *end = json_write_tensor(text, &v->tensor, flat && !v->is_scalar, NULL);
    fwrite(text, 1, (size_t)(end - text), out);
    free(text);
}

/* The whole answer but for the handles, which are taken as they are. */
static void json_answer_holds(turn *t, const served *answer) {
    char *text;
    size_t length;
    FILE *out = open_memstream(&text, &length);
    HOLDS(out);
    const char *comma = "";
    fputs("{\"results\":{", out);
    for (int i = 0; i < t->made.give_count; i++) {
        const model_value *v = &state.model.values[t->made.give[i]];
        if (!is_given(v) || is_among(t->made.give, i, t->made.give[i]))
            continue;
        fprintf(out, "%s\"%s\":", comma, v->name);
        write_value(out, v, t->is_flat);
        comma = ",";
    }
    fputs("},\"kept\":{", out);
    comma = "";
    for (int i = 0; i < t->made.keep_count; i++) {
        const char *name = state.model.values[t->made.keep[i]].name;
        const char *handle = json_string_value(json_object_get(t->handles, name));
        if (is_among(t->made.keep, i, t->made.keep[i]))
            continue;
        HOLDS(handle);
        fprintf(out, "%s\"%s\":\"%s\"", comma, name, handle);
        comma = ",";
    }
    fputs("}}\n", out);
    HOLDS(fclose(out) == 0);
    if (length != answer->length || memcmp(text, answer->body, length) != 0)
        fprintf(stderr, "%.*s, but should be\n%s", (int)answer->length, answer->body, text);
    HOLDS(length == answer->length && !memcmp(text, answer->body, length));
    free(text);
}

static const safetensors_entry *find_entry(const safetensors_file *file, const char *name) {
    for (size_t i = 0; i < file->count; i++)
        if (!strcmp(file->entries[i].name, name))
            return &file->entries[i];
    return NULL;
}

static void entry_holds(const safetensors_file *file, const char *body, const model_value *v) {
    const safetensors_entry *entry = find_entry(file, v->name);
    HOLDS(entry);
    layers_dtype dtype = strcmp(entry->dtype->name, "U8") ? entry->dtype->as : LAYERS_U8;
    layers_tensor got = tensor_of(dtype, entry->shape, entry->rank);
    if (got.size > 0)
        memcpy(got.data, body + entry->begin, entry->end - entry->begin);
    HOLDS(tensors_are_alike(&got, &v->tensor));
    layers_tensor_clear(&got);
}

static void text_holds(const safetensors_file *file, const model_value *v) {
    const char *got = json_string_value(json_object_get(file->metadata, v->name));
    char text[SAFETENSORS_TEXT];
    HOLDS(got);
    if (v->kind == LAYERS_RESULT_TENSOR)
        form_number_text(text, v->tensor.dtype, v->tensor.data);
    else
        strcpy(text, v->text);
    HOLDS(!strcmp(got, text));
}

/* Every result is there, and nothing else. */
static void file_answer_holds(turn *t, const served *answer) {
    safetensors_file file;
    problem problem;
    size_t tensors = 0, texts = json_object_size(t->handles), kept = 0;
    HOLDS(safetensors_read(&file, answer->body, answer->length, answer->length, &problem));
    for (int i = 0; i < t->made.give_count; i++) {
        const model_value *v = &state.model.values[t->made.give[i]];
        if (!is_given(v) || is_among(t->made.give, i, t->made.give[i]))
            continue;
        bool is_tensor = v->kind == LAYERS_RESULT_TENSOR && !v->is_scalar;
        tensors += is_tensor;
        texts += !is_tensor;
        if (is_tensor)
            entry_holds(&file, answer->body, v);
        else
            text_holds(&file, v);
    }
    for (int i = 0; i < t->made.keep_count; i++)
        if (!is_among(t->made.keep, i, t->made.keep[i])) {
            HOLDS(json_object_get(t->handles, state.model.values[t->made.keep[i]].name));
            kept++;
        }
    HOLDS(file.count == tensors && json_object_size(file.metadata) == texts);
    HOLDS(json_object_size(t->handles) == kept);
    safetensors_free(&file);
}

/* The handles of an answer, by names. */
static void take_handles(turn *t, const served *answer) {
    static const char prefix[] = "kept.";
    safetensors_file file;
    problem problem;
    const char *key;
    json_t *value;
    if (!t->as_file) {
        json_t *document = json_loadb(answer->body, answer->length, JSON_REJECT_DUPLICATES, NULL);
        HOLDS(json_is_object(document) && json_object_size(document) == 2);
        HOLDS(json_is_object(json_object_get(document, "results")));
        t->handles = json_incref(json_object_get(document, "kept"));
        HOLDS(json_is_object(t->handles));
        json_decref(document);
        return;
    }
    t->handles = json_object();
    HOLDS(safetensors_read(&file, answer->body, answer->length, answer->length, &problem));
    json_object_foreach(file.metadata, key, value) if (!strncmp(key, prefix, sizeof prefix - 1))
        json_object_set(t->handles, key + sizeof prefix - 1, value);
    safetensors_free(&file);
}

static void good_answer_holds(turn *t, const served *answer) {
    HOLDS(answer->status == 200);
    HOLDS(t->as_file == !strcmp(answer->content_type, form_safetensors.media_type));
    take_handles(t, answer);
    HOLDS(t->is_damaged || !t->made.wrong);
    if (!t->is_damaged && t->as_file)
        file_answer_holds(t, answer);
    else if (!t->is_damaged)
        json_answer_holds(t, answer);
    note_kept(t);
}

/* What is to be kept may be more than there is room for. */
static void bad_answer_holds(const turn *t, const served *answer) {
    uint64_t may = t->made.wrong;
    if (t->made.keep_count > 0)
        may |= PROBLEM_BIT(PROBLEM_CACHE_FULL);
    if (!t->is_damaged && !(may & PROBLEM_BIT(answer->problem.kind)))
        fprintf(stderr, "%s: %s\n", answer->problem.pointer, answer->problem.detail);
    HOLDS(t->is_damaged || may & PROBLEM_BIT(answer->problem.kind));
}

/* ---- requests ----------------------------------------------------------------------------------
 */

/* The body, to be freed. */
static char *body_of(turn *t, choices *c, size_t *length) {
    made_graph *made = &t->made;
    unsigned damages = choose(c, 4) == 3 ? 1 + choose(c, 3) : 0;
    t->is_damaged = damages > 0;
    for (unsigned n = damages; n > 0; n--)
        graph_damage(c, made->as_file && choose(c, 4) == 3 ? made->file.header : made->document);
    char *text = json_dumps(made->document, JSON_COMPACT);
    HOLDS(text);
    *length = strlen(text);
    if (!made->as_file)
        return text;
    if (json_is_object(json_object_get(made->file.header, "__metadata__")))
        file_add_text(&made->file, "graph", text);
    free(text);
    return file_end(&made->file, length);
}

static void send(turn *t, const char *body, size_t length) {
    sent sent = {.head = {.method = "POST", .path = "/graph"}, .body = body, .length = length};
    sent.head.content_type = t->made.as_file ? form_safetensors.media_type : NULL;
    sent.head.accept = t->as_file ? form_safetensors.media_type : NULL;
    if (t->is_flat)
        sent.head.query[sent.head.query_count++] = (query_pair){"tensors", "flat"};
    served answer = exchange(&state.service, &sent);
    if (answer.good)
        good_answer_holds(t, &answer);
    else
        bad_answer_holds(t, &answer);
    handles_hold(t, &sent, answer.good);
    free(answer.body);
    json_decref(t->handles);
    t->handles = NULL;
}

/* A graph may be sent twice: the second time its text has been read before. */
static void run_graph(choices *c) {
    turn t = {.made = {.choices = c,
                       .model = &state.model,
                       .kept = state.kept,
                       .kept_count = state.kept_count}};
    size_t length;
    t.as_file = choose(c, 2) == 1;
    t.is_flat = choose(c, 2) == 1;
    graph_make(&t.made);
    char *body = body_of(&t, c, &length);
    send(&t, body, length);
    if (t.made.released == 0 && choose(c, 4) == 3)
        send(&t, body, length);
    free(body);
    json_decref(t.made.document);
    model_clear(&state.model);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    choices c = {data, data + size};
    start();
    json_recent_forget(); /* or an input would not do the same again */
    for (int n = 0; n < GRAPHS_MOST && (n == 0 || c.at < c.end); n++)
        run_graph(&c);
    give_up_all();
    return 0;
}
