/* Graphs are all or nothing: whatever is wrong, and wherever, nothing was kept and nothing
 * released. */
#include <stdlib.h>
#include <string.h>

#include "common/safetensors.h"
#include "http/figures.h"
#include "http/kept.h"

DAEMON_SUITE(graphs_refused);

/* ---- one fault in a graph that keeps and releases --------------------------------------------
 */

/* What is added to the parts of a graph that is right without it. */
typedef struct {
    const char *inputs, *nodes, *give, *keep, *release, *code, *pointer;
} fault;

/* `w` is the handle that it uses and releases. */
static char *document_of(const fault *f, const char *w) {
    return json_text("{'inputs':{'x':[[1,2],[3,4]],'y':[0,1],'b':[0,0],'w':{'tensor':'%s'}%s},"
                     "'nodes':[{'name':'a','op':'affine/forward','x':'x','w':'w','b':'b'},"
                     "{'name':'l','op':'softmax/loss','x':'a.out','y':'y'},"
                     "{'name':'d','op':'gradients','of':['l.loss'],'for':['w']},"
                     "{'name':'u','op':'adam/update','w':'w','dw':'d.w'}%s],"
                     "'give':['l.loss','d.w'%s],"
                     "'keep':['u.next_w','u.config.m','u.config.v','a.cache','b'%s],"
                     "'release':['%s'%s]}",
                     w, f->inputs ? f->inputs : "", f->nodes ? f->nodes : "",
                     f->give ? f->give : "", f->keep ? f->keep : "", w,
                     f->release ? f->release : "");
}

#define NODE(op, rest) ",{'name':'q','op':'" op "'," rest "}"
#define UNKNOWN        "00000000000000000000000000000000"

static const fault faults[] = {
    {.nodes = NODE("relu/forward", "'x':'zz'"), .code = "invalid_graph", .pointer = "/nodes/4/x"},
    {.nodes = NODE("relu/forward", "'x':'a.cache'"),
     .code = "wrong_cache",
     .pointer = "/nodes/4/x"},
    {.nodes = NODE("relu/forwards", "'x':'x'"), .code = "invalid_graph", .pointer = "/nodes/4/op"},
    {.nodes = ",{'name':'a','op':'relu/forward','x':'x'}",
     .code = "invalid_graph",
     .pointer = "/nodes/4/name"},
    {.nodes = NODE("relu/forward", "'z':'x'"), .code = "unknown_field", .pointer = "/nodes/4/z"},
    {.nodes = NODE("affine/forward", "'x':'x','w':'w'"),
     .code = "missing_field",
     .pointer = "/nodes/4/b"},
    {.inputs = ",'k':[[1,2,3]]",
     .nodes = NODE("affine/forward", "'x':'a.out','w':'k','b':'b'"),
     .code = "shape_mismatch",
     .pointer = "/nodes/4/w"},
    {.inputs = ",'k':[0,7]",
     .nodes = NODE("softmax/loss", "'x':'a.out','y':'k'"),
     .code = "label_out_of_range",
     .pointer = "/inputs/k/1"},
    {.nodes = NODE("dropout/forward", "'x':'x','dropout_param':{'p':0,'mode':'train'}"),
     .code = "invalid_param",
     .pointer = "/nodes/4/dropout_param/p"},
    {.nodes = NODE("dropout/forward", "'x':'x','dropout_param':{'p':0.5,'mode':'train',"
                                      "'mask':'x'}"),
     .code = "invalid_param",
     .pointer = "/inputs/x/0/1"},
    {.nodes = NODE("gradients", "'of':['w'],'for':['x']"),
     .code = "invalid_graph",
     .pointer = "/nodes/4/of/0"},
    {.nodes = NODE("gradients", "'of':['l.loss'],'for':['y']"),
     .code = "invalid_graph",
     .pointer = "/nodes/4/for/0"},
    {.inputs = ",'k':[[1],[2,3]]", .code = "ragged_array", .pointer = "/inputs/k/1"},
    {.inputs = ",'k':1e999", .code = "number_out_of_range", .pointer = "/inputs/k"},
    {.inputs = ",'1':1", .code = "invalid_graph", .pointer = "/inputs/1"},
    {.inputs = ",'k':{'tensor':'" UNKNOWN "'}",
     .code = "unknown_cache",
     .pointer = "/inputs/k/tensor"},
    {.inputs = ",'k':{'cache':'" UNKNOWN "'}",
     .code = "unknown_cache",
     .pointer = "/inputs/k/cache"},
    {.give = ",'zz'", .code = "invalid_graph", .pointer = "/give/2"},
    {.give = ",'a.cache'", .code = "wrong_cache", .pointer = "/give/2"},
    {.keep = ",'zz'", .code = "invalid_graph", .pointer = "/keep/5"},
    {.keep = ",'u.config.t'", .code = "wrong_type", .pointer = "/keep/5"},
    {.release = ",'" UNKNOWN "'", .code = "unknown_cache", .pointer = "/release/1"},
    {.release = ",7", .code = "wrong_type", .pointer = "/release/1"},
};
enum { FAULTS = sizeof faults / sizeof *faults };

static const answer *post_graph(caller *caller, const char *document, bool binary) {
    json_t *json = json_loads(document, 0, NULL);
    size_t length = strlen(document);
    char *file = binary ? safetensors_from_graph(json, "I64", &length) : NULL;
    json_decref(json);
    const answer *a = post_bytes(caller, "/graph",
                                 HEADERS(file ? "Content-Type: application/vnd.safetensors"
                                              : "Content-Type: application/json"),
                                 file ? file : document, length);
    free(file);
    return a;
}

static void expect_kept(caller *caller, const char *handle) {
    expect_json(
        post(caller, "/graph", "{'inputs':{'t':{'tensor':'%s'}},'nodes':[],'give':['t']}", handle),
        "{'results':{'t':[[1.0,2.0],[3.0,4.0]]},'kept':{}}");
}

Test(graphs_refused, a_fault_anywhere_leaves_everything_as_it_was) {
    process *p = daemon_start(NULL);
    char w[128];
    keep_tensor(p->caller, "[[1,2],[3,4]]", w);
    holdings before = holdings_of(p);
    for (int i = 0; i < 2 * FAULTS; i++) {
        const fault *f = &faults[i / 2];
        char *document = document_of(f, w), what[64];
        const answer *a = post_graph(p->caller, document, i % 2);
        expect_problem(a, f->code, f->pointer);
        snprintf(what, sizeof what, "fault %d, %s", i / 2, f->code);
        expect_holdings(p, &before, what);
        free(document);
    }
    expect_kept(p->caller, w);
    char *right = document_of(&(fault){0}, w);
    CHECK_EQUAL(post(p->caller, "/graph", "%s", right)->status, 200);
    free(right);
    holdings after = holdings_of(p);
    CHECK_EQUAL(after.entries, 5);
    CHECK_EQUAL(after.given, before.given + 5);
    CHECK_EQUAL(after.removed, 1);
    becomes(p, "layerd_memory_bytes", 0);
    daemon_stop(p);
}

/* Known when the mask is there, with the nodes before it computed. */
Test(graphs_refused, a_mask_that_is_computed_and_none_keeps_nothing) {
    process *p = daemon_start(NULL);
    char w[128];
    keep_tensor(p->caller, "[[1,2],[3,4]]", w);
    holdings before = holdings_of(p);
    char *document =
        document_of(&(fault){.nodes = NODE("dropout/forward", "'x':'x','dropout_param':{'p':0.5,"
                                                              "'mode':'train','mask':'a.out'}"),
                             .give = ",'q.out'"},
                    w);
    for (int binary = 0; binary < 2; binary++) {
        const answer *a = post_graph(p->caller, document, binary);
        expect_problem(a, "invalid_param", "/nodes/4/dropout_param/mask");
        expect_holdings(p, &before, "a mask that is none");
    }
    free(document);
    expect_kept(p->caller, w);
    becomes(p, "layerd_memory_bytes", 0);
    daemon_stop(p);
}

/* ---- limits ----------------------------------------------------------------------------------
 */

enum { ROWS = 200, COLUMNS = 300, TEXT = 64 << 10 };

static char *put_ones(char *at, const char *name, const char *shape, int count) {
    at += sprintf(at, "'%s':{'shape':%s,'data':[1", name, shape);
    for (int i = 1; i < count; i++)
        at = stpcpy(at, ",1");
    return stpcpy(at, "]},");
}

/* A graph of `wide` nodes of ROWS by COLUMNS numbers each, of which `products` more are made of
 * much work; it uses and releases a handle. Its end is to be added, from `nodes` on. */
static char *put_wide(char *at, const char *w, int wide, int products) {
    at = put_ones(stpcpy(at, "{'inputs':{"), "x", "[200,1]", ROWS);
    at = put_ones(at, "c", "[300,1]", COLUMNS);
    at = put_ones(at, "v", "[1,300]", COLUMNS);
    at = put_ones(at, "b", "[300]", COLUMNS);
    at += sprintf(at,
                  "'w':{'tensor':'%s'}},'release':['%s'],'nodes':["
                  "{'name':'s','op':'affine/forward','x':'c','w':'v','b':'b'}",
                  w, w);
    for (int i = 0; i < wide; i++)
        at += sprintf(at, ",{'name':'o%d','op':'affine/forward','x':'x','w':'v','b':'b'}", i);
    for (int i = 0; i < products; i++)
        at +=
            sprintf(at, ",{'name':'p%d','op':'affine/forward','x':'%s%d.out','w':'s.out','b':'b'}",
                    i, i ? "p" : "o", i ? i - 1 : 0);
    return stpcpy(at, "],");
}

/* "'keep':['w','o0.out',...]": so many of the wide nodes stay, and the last of the products. */
static char *put_keep(char *at, int wide, int products) {
    at = stpcpy(at, "'keep':['w'");
    for (int i = 0; i < wide; i++)
        at += sprintf(at, ",'o%d.out'", i);
    return at + sprintf(at, products ? ",'p%d.out']" : "]", products - 1);
}

Test(graphs_refused, a_limit_leaves_everything_as_it_was) {
    static const struct {
        int wide, products;
        bool give;
        const char *code, *words;
    } cases[] = {
        {1, 0, true, "result_too_large", "--answer-limit"},
        {1, 4, false, "result_too_large", "--work-limit"},
        {18, 0, false, "result_too_large", "--memory"},
        {17, 0, false, "overloaded", "memory"}, /* it has the values, and not the request as well */
        {3, 0, false, "cache_full", NULL},
    };
    process *p = daemon_start(OPTIONS("--answer-limit", "1MiB", "--work-limit", "100M", "--memory",
                                      "7970KiB", "--cache-budget", "1MiB"));
    char w[128], *text = malloc(TEXT);
    cr_assert(text);
    keep_tensor(p->caller, "[[1,2],[3,4]]", w);
    holdings before = holdings_of(p);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char *at = put_wide(text, w, cases[i].wide, cases[i].products);
        at = put_keep(at, cases[i].wide, cases[i].products);
        strcpy(at, cases[i].give ? ",'give':['o0.out']}" : "}");
        const answer *a = post(p->caller, "/graph", "%s", text);
        expect_problem(a, cases[i].code, "");
        if (cases[i].words)
            expect_detail(a, cases[i].words);
        CHECK(a->status != 503 || atoi(header_of(a, "Retry-After")) >= 1, "%s", a->body);
        expect_holdings(p, &before, cases[i].code);
    }
    free(text);
    expect_kept(p->caller, w);
    becomes(p, "layerd_memory_bytes", 0);
    daemon_stop(p);
}
