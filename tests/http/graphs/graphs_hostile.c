/* Graphs that nobody well-meaning sends: answers of the contract, soon, and no memory lost. */
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/random_bits.h"
#include "http/figures.h"
#include "http/kept.h"

DAEMON_SUITE(graphs_hostile);

enum { SOON_MS = 10000, LONG = 64 << 10 };

/* ---- documents of one thing, many times ------------------------------------------------------
 */

/* `start`, many times `each` with its number in the place of %d, by commas, and `end`. */
typedef struct {
    const char *name, *start, *each, *end;
    const char *code, *pointer;
} repeated;

static char *document_of(const repeated *r, int count, size_t *length) {
    size_t room = strlen(r->start) + strlen(r->end) + (size_t)count * (strlen(r->each) + 24);
    char *text = malloc(room + 1), *at = text;
    cr_assert(text);
    at = stpcpy(at, r->start);
    for (int i = 0; i < count; i++) {
        const char *mark = strstr(r->each, "%d");
        if (i > 0)
            *at++ = ',';
        for (const char *from = r->each; *from; from++)
            if (from == mark)
                at += sprintf(at, "%d", i), from++;
            else
                *at++ = *from;
    }
    at = stpcpy(at, r->end);
    for (char *c = text; c < at; c++)
        *c = *c == '\'' ? '"' : *c;
    *length = (size_t)(at - text);
    return text;
}

static const repeated many[] = {
    {"inputs", "{'nodes':[],'inputs':{", "'i%d':1", "}}", "invalid_graph", "/inputs"},
    {"inputs that are handles", "{'nodes':[],'inputs':{", "'i%d':{'tensor':'0'}", "}}",
     "invalid_graph", "/inputs"},
    {"nodes", "{'inputs':{'x':1},'nodes':[", "{'name':'n%d','op':'relu/forward','x':'x'}", "]}",
     "invalid_graph", "/nodes"},
    {"nodes that are texts", "{'nodes':[", "'n%d'", "]}", "invalid_graph", "/nodes"},
    {"names to give", "{'inputs':{'x':1},'nodes':[],'give':[", "'x'", "]}", NULL, NULL},
    {"names to give that are not there", "{'inputs':{'x':1},'nodes':[],'give':[", "'x%d'", "]}",
     "invalid_graph", "/give/0"},
    {"names to keep that are not there", "{'inputs':{'x':1},'nodes':[],'keep':[", "'x%d'", "]}",
     "invalid_graph", "/keep/0"},
    {"handles to release", "{'nodes':[],'release':[", "'0'", "]}", "unknown_cache", "/release/0"},
    {"losses", "{'inputs':{'x':1},'nodes':[{'name':'d','op':'gradients','for':['x'],'of':[", "'x'",
     "]}]}", "invalid_graph", "/nodes/0/of/0"},
    {"values that have no gradient",
     "{'inputs':{'x':[[1]],'y':[0]},'nodes':[{'name':'l','op':'softmax/loss','x':'x','y':'y'},"
     "{'name':'d','op':'gradients','of':['l.loss'],'for':[",
     "'y'", "]}]}", "invalid_graph", "/nodes/1/for/0"},
    {"keys of a node", "{'nodes':[{'name':'a','op':'relu/forward',", "'k%d':1", "}]}",
     "unknown_field", "/nodes/0/k0"},
    {"keys of the document", "{'nodes':[],", "'k%d':1", "}", "unknown_field", "/k0"},
    {"lengths of a shape", "{'nodes':[],'inputs':{'x':{'shape':[", "1", "],'data':[1]}}}",
     "invalid_shape", "/inputs/x/shape"},
};

/* Sends each, and sees that the answer is short and comes soon. */
static void send_repeated(int count, void (*check)(const repeated *, const answer *)) {
    process *p = daemon_start(NULL);
    holdings before = holdings_of(p);
    for (size_t i = 0; i < sizeof many / sizeof *many; i++) {
        size_t length;
        char *document = document_of(&many[i], count, &length);
        double start = clock_now();
        const answer *a = post_bytes(p->caller, "/graph", NULL, document, length);
        double took = clock_now() - start;
        CHECK(took < SOON_MS, "%s: %g ms", many[i].name, took);
        CHECK(a->length < LONG, "%s: an answer of %zu bytes", many[i].name, a->length);
        check(&many[i], a);
        free(document);
        caller_forget(p->caller);
    }
    expect_holdings(p, &before, "all of these");
    becomes(p, "layerd_memory_bytes", 0);
    daemon_stop(p);
}

static void expect_named(const repeated *r, const answer *a) {
    if (r->code)
        expect_problem(a, r->code, r->pointer);
    else
        expect_json(a, "{'results':{'x':1.0},'kept':{}}");
}

Test(graphs_hostile, documents_of_one_thing_many_times) {
    send_repeated(9000, expect_named);
}

static void expect_refused(const repeated *r, const answer *a) {
    CHECK(a->status == 413 || a->status == 422, "%s: %d %.300s", r->name, a->status, a->body);
}

Test(graphs_hostile, documents_of_one_thing_a_million_times) {
    send_repeated(1000000, expect_refused);
}

/* `depth` times `open` between two texts. */
static const answer *post_deep(caller *caller, const char *start, const char *open, int depth) {
    char *text = malloc(strlen(start) + strlen(open) * (size_t)depth + 1), *at;
    cr_assert(text);
    at = stpcpy(text, start);
    for (int i = 0; i < depth; i++)
        at = stpcpy(at, open);
    char *json = json_text("%s", text);
    const answer *a = post_bytes(caller, "/graph", NULL, json, strlen(json));
    free(json);
    free(text);
    return a;
}

Test(graphs_hostile, documents_that_go_deep) {
    static const char *const starts[] = {"",
                                         "{'nodes':",
                                         "{'nodes':[],'give':",
                                         "{'nodes':[],'give':[",
                                         "{'nodes':[],'release':[",
                                         "{'nodes':[],'inputs':",
                                         "{'nodes':[],'inputs':{'x':",
                                         "{'nodes':[],'inputs':{'x':{'tensor':",
                                         "{'nodes':[{'name':'a','op':'relu/forward','x':",
                                         "{'nodes':[{'name':'d','op':'gradients','of':"};
    static const char *const opens[] = {"[", "{'a':", "[{'x':", "{'inputs':"};
    process *p = daemon_start(NULL);
    for (size_t i = 0; i < sizeof starts / sizeof *starts; i++)
        for (size_t k = 0; k < sizeof opens / sizeof *opens; k++) {
            double start = clock_now();
            const answer *a = post_deep(p->caller, starts[i], opens[k], 100000);
            CHECK(a->status >= 400 && a->status < 500, "%s%s: %d %.200s", starts[i], opens[k],
                  a->status, a->body);
            CHECK(clock_now() - start < SOON_MS, "%s%s: %g ms", starts[i], opens[k],
                  clock_now() - start);
            caller_forget(p->caller);
        }
    becomes(p, "layerd_memory_bytes", 0);
    daemon_stop(p);
}

/* ---- words -----------------------------------------------------------------------------------
 */

Test(graphs_hostile, names_that_are_not_there_tell_the_nearest_that_is) {
    static const struct {
        const char *nodes, *pointer, *near;
    } cases[] = {
        {"{'name':'b','op':'relu/forward','x':'aa.out'}", "/nodes/1/x", "\"a.out\""},
        {"{'name':'b','op':'relu/forward','x':'a.oit'}", "/nodes/1/x", "\"a.out\""},
        {"{'name':'b','op':'relu/forward','x':'LONGNAME'}", "/nodes/1/x", "\"longname\""},
        {"{'name':'b','op':'relu/forwerd','x':'x'}", "/nodes/1/op", "\"relu/forward\""},
        {"{'name':'b','op':'gradient','x':'x'}", "/nodes/1/op", "\"gradients\""},
        {"{'name':'b','op':'relu/forward','x':'c.out'},{'name':'c','op':'relu/"
         "forward','x':'b.out'}",
         "/nodes/1/x", NULL},
        {"{'name':'b','op':'relu/forward','x':'b.out'}", "/nodes/1/x", NULL},
    };
    process *p = daemon_start(NULL);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const answer *a = post(p->caller, "/graph",
                               "{'inputs':{'x':1,'longname':2},"
                               "'nodes':[{'name':'a','op':'relu/forward','x':'x'},%s]}",
                               cases[i].nodes);
        expect_problem(a, "invalid_graph", cases[i].pointer);
        if (cases[i].near) {
            char json[64];
            snprintf(json, sizeof json, "%s", cases[i].near);
            expect_detail(a, json);
        }
    }
    daemon_stop(p);
}

Test(graphs_hostile, long_words_get_short_answers) {
    static const char *const around[][2] = {
        {"{'nodes':[],'inputs':{'", "':1}}"},
        {"{'nodes':[],'inputs':{'x':{'tensor':'", "'}}}"},
        {"{'nodes':[],'inputs':{'x':{'", "':1}}}"},
        {"{'nodes':[{'name':'", "','op':'relu/forward'}]}"},
        {"{'nodes':[{'name':'a','op':'", "'}]}"},
        {"{'nodes':[{'name':'a','op':'relu/forward','x':'", "'}]}"},
        {"{'nodes':[{'name':'a','op':'relu/forward','", "':1}]}"},
        {"{'nodes':[],'give':['", "']}"},
        {"{'nodes':[],'release':['", "']}"},
        {"{'nodes':[],'dtype':'", "'}"},
        {"{'nodes':[],'", "':1}"},
    };
    enum { WORD = 2000000 };
    process *p = daemon_start(NULL);
    char *text = malloc(WORD + 256);
    cr_assert(text);
    for (size_t i = 0; i < sizeof around / sizeof *around; i++) {
        char *at = stpcpy(text, around[i][0]);
        memset(at, 'a', WORD);
        strcpy(at + WORD, around[i][1]);
        char *json = json_text("%s", text);
        const answer *a = post_bytes(p->caller, "/graph", NULL, json, strlen(json));
        CHECK(a->status >= 400 && a->status < 500 && a->length < 4096, "%s: %d, %zu bytes",
              around[i][0], a->status, a->length);
        free(json);
        caller_forget(p->caller);
    }
    free(text);
    becomes(p, "layerd_memory_bytes", 0);
    daemon_stop(p);
}

/* ---- sizes -----------------------------------------------------------------------------------
 */

/* Nothing is in x and w, and much would be in their product. */
Test(graphs_hostile, shapes_whose_product_overflows_are_too_large) {
    static const char *const rows[] = {"1099511627776", "4611686018427387904",
                                       "9223372036854775807", "18446744073709551615"};
    process *p = daemon_start(NULL);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        for (int columns = 1; columns <= 4096; columns *= 64) {
            char *text = malloc(16384), *at = text;
            cr_assert(text);
            at += sprintf(at, "{'shape':[%d],'data':[0", columns);
            for (int k = 1; k < columns; k++)
                at = stpcpy(at, ",0");
            strcpy(at, "]}");
            const answer *a =
                post(p->caller, "/graph",
                     "{'inputs':{'x':{'shape':[%s,0],'data':[]},'w':{'shape':[0,%d],'data':[]},"
                     "'b':%s},'nodes':[{'name':'a','op':'affine/forward','x':'x','w':'w','b':'b'},"
                     "{'name':'r','op':'relu/forward','x':'a.out'}],'keep':['r.cache']}",
                     rows[i], columns, text);
            CHECK_EQUAL(a->status, 422);
            free(text);
        }
    becomes(p, "layerd_memory_bytes", 0);
    daemon_stop(p);
}

/* Each doubles what there is to do on the way back, if sums were not made. */
Test(graphs_hostile, ways_that_fork_again_and_again_are_gone_once) {
    enum { DEPTH = 300 };
    process *p = daemon_start(NULL);
    char *text = malloc(100 * DEPTH + 512), *at = text;
    cr_assert(text);
    at = stpcpy(at, "{'inputs':{'w':[[1]],'b':[0],'y':[0]},'nodes':["
                    "{'name':'n0','op':'affine/forward','x':'w','w':'w','b':'b'}");
    for (int i = 1; i < DEPTH; i++)
        at +=
            sprintf(at, ",{'name':'n%d','op':'affine/forward','x':'n%d.out','w':'n%d.out','b':'b'}",
                    i, i - 1, i - 1);
    sprintf(at,
            ",{'name':'l','op':'svm/loss','x':'n%d.out','y':'y'},"
            "{'name':'d','op':'gradients','of':['l.loss'],'for':['w']}],'give':['d.w']}",
            DEPTH - 1);
    double start = clock_now();
    expect_json(post(p->caller, "/graph", "%s", text), "{'results':{'d.w':[[0.0]]},'kept':{}}");
    CHECK(clock_now() - start < SOON_MS, "%g ms", clock_now() - start);
    free(text);
    daemon_stop(p);
}

/* ---- anything --------------------------------------------------------------------------------
 */

static size_t mutate(uint64_t *state, char *body, size_t length) {
    size_t at = random_below(state, length);
    switch (random_below(state, 4)) {
    case 0: /* a bit */
        body[at] ^= (char)(1 << random_below(state, 8));
        return length;
    case 1: /* a byte less */
        memmove(body + at, body + at + 1, length - at - 1);
        return length - 1;
    case 2: /* one thing for another */
        body[at] = "[]{},:\"0-9eNaxwybldu./"[random_below(state, 22)];
        return length;
    default: /* a byte more */
        memmove(body + at + 1, body + at, length - at);
        body[at] = "[]{},:\"0-9eN\\\0\xff "[random_below(state, 16)];
        return length + 1;
    }
}

Test(graphs_hostile, mutated_documents) {
    enum { MUTATIONS = 4000, WARM_UP = 500, GROWTH_KIB = 32 << 10, FAULTS_SHOWN = 5 };
    process *p = daemon_start(OPTIONS("--cache-lifetime", "1s"));
    char handle[128], body[2048];
    keep_tensor(p->caller, "[[1,2],[3,4]]", handle);
    char *good = json_text("{'inputs':{'x':[[1,2],[3,4]],'y':[0,1],'b':[0,0],'w':{'tensor':'%s'}},"
                           "'nodes':[{'name':'a','op':'affine/forward','x':'x','w':'w','b':'b'},"
                           "{'name':'l','op':'softmax/loss','x':'a.out','y':'y'},"
                           "{'name':'d','op':'gradients','of':['l.loss'],'for':['w','x','a.out']},"
                           "{'name':'u','op':'adam/update','w':'w','dw':'d.w',"
                           "'config':{'learning_rate':0.1,'m':'w'}}],"
                           "'give':['l.loss','d.x'],'keep':['u.next_w','a.cache'],"
                           "'dtype':'float64'}",
                           handle);
    uint64_t state = 3;
    int answered = 0, right = 0;
    long before = 0;
    for (int i = 0; i < MUTATIONS; i++) {
        size_t length = strlen(good);
        memcpy(body, good, length);
        for (uint64_t n = 1 + random_below(&state, 3); n > 0; n--)
            length = mutate(&state, body, length);
        const answer *a = caller_send(
            p->caller, &(layerd_message){.path = "/graph", .body = body, .length = length});
        bool fine = a && a->status < 500;
        answered += fine;
        right += fine && a->status == 200;
        CHECK(fine || i - answered > FAULTS_SHOWN, "%.*s: %s%.200s", (int)length, body,
              p->caller->fault, a ? a->body : "");
        caller_forget(p->caller);
        if (i == WARM_UP)
            before = daemon_memory(p, "VmRSS");
    }
    free(good);
    CHECK_EQUAL(answered, MUTATIONS);
    CHECK(right > 0 && right < MUTATIONS, "%d right", right);
    long growth = daemon_memory(p, "VmRSS") - before;
    CHECK(growth < GROWTH_KIB, "memory grew by %ld KiB", growth);
    becomes(p, "layerd_cache_entries", 0);
    CHECK_EQUAL(value_of(p, "layerd_cache_bytes"), 0);
    CHECK_EQUAL(value_of(p, "layerd_memory_bytes"), 0);
    daemon_stop(p);
}
