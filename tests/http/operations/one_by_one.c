#include "one_by_one.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/random_bits.h"
#include "common/safetensors.h"

#define SAFETENSORS "application/vnd.safetensors"

/* ---- the networks ----------------------------------------------------------------------------
 */

const network networks[] = {
    {"a network of vectors",
     "{'nodes':["
     "{'name':'a','op':'affine/forward','x':'x','w':'w','b':'b'},"
     "{'name':'n','op':'batchnorm/forward','x':'a.out','gamma':'g','beta':'c',"
     "'bn_param':{'mode':'train','momentum':0.5,'running_mean':'m'}},"
     "{'name':'r','op':'relu/forward','x':'n.out'},"
     "{'name':'o','op':'dropout/forward','x':'r.out',"
     "'dropout_param':{'p':0.75,'mode':'train','seed':7}},"
     "{'name':'s','op':'affine/forward','x':'o.out','w':'v','b':'e'},"
     "{'name':'l','op':'softmax/loss','x':'s.out','y':'y'},"
     "{'name':'d','op':'gradients','of':['l.loss'],"
     "'for':['w','b','g','c','v','e','x','r.out']},"
     "{'name':'u1','op':'adam/update','w':'w','dw':'d.w','config':{'learning_rate':0.1}},"
     "{'name':'u2','op':'sgd_momentum/update','w':'v','dw':'d.v','config':{'velocity':'v'}},"
     "{'name':'u3','op':'rmsprop/update','w':'b','dw':'d.b'},"
     "{'name':'u4','op':'sgd/update','w':'e','dw':'d.e'}],"
     "'alone':["
     "{'name':'b1','op':'affine/backward','dout':'l.dx','cache':'s.cache'},"
     "{'name':'b2','op':'dropout/backward','dout':'b1.dx','cache':'o.cache'},"
     "{'name':'b3','op':'relu/backward','dout':'b2.dx','cache':'r.cache'},"
     "{'name':'b4','op':'batchnorm/backward','dout':'b3.dx','cache':'n.cache'},"
     "{'name':'b5','op':'affine/backward','dout':'b4.dx','cache':'a.cache'}],"
     "'same':{'d.w':'b5.dw','d.b':'b5.db','d.g':'b4.dgamma','d.c':'b4.dbeta','d.v':'b1.dw',"
     "'d.e':'b1.db','d.x':'b5.dx','d.r.out':'b2.dx'}}",
     {"{'x':[5,3,2],'w':[6,4],'b':[4],'g':[4],'c':[4],'m':[4],'v':[4,3],'e':[3],'y':[5]}",
      "{'x':[100,60],'w':[60,800],'b':[800],'g':[800],'c':[800],'m':[800],'v':[800,10],"
      "'e':[10],'y':[100]}"},
     3},
    {"a network of images",
     "{'nodes':["
     "{'name':'a','op':'conv/forward','x':'x','w':'w','b':'b','conv_param':{'pad':1}},"
     "{'name':'n','op':'spatial_batchnorm/forward','x':'a.out','gamma':'g','beta':'b',"
     "'bn_param':{'mode':'train'}},"
     "{'name':'r','op':'relu/forward','x':'n.out'},"
     "{'name':'p','op':'max_pool/forward','x':'r.out',"
     "'pool_param':{'pool_height':2,'pool_width':2,'stride':2}},"
     "{'name':'q','op':'spatial_groupnorm/forward','x':'p.out','gamma':'g','beta':'b',"
     "'gn_param':{'groups':2}},"
     "{'name':'s','op':'affine/forward','x':'q.out','w':'v','b':'e'},"
     "{'name':'t','op':'layernorm/forward','x':'s.out','gamma':'e','beta':'e'},"
     "{'name':'l','op':'svm/loss','x':'t.out','y':'y'},"
     "{'name':'d','op':'gradients','of':['l.loss'],'for':['x','w','v','p.out']},"
     "{'name':'u','op':'adam/update','w':'w','dw':'d.w'}],"
     "'alone':["
     "{'name':'b1','op':'layernorm/backward','dout':'l.dx','cache':'t.cache'},"
     "{'name':'b2','op':'affine/backward','dout':'b1.dx','cache':'s.cache'},"
     "{'name':'b3','op':'spatial_groupnorm/backward','dout':'b2.dx','cache':'q.cache'},"
     "{'name':'b4','op':'max_pool/backward','dout':'b3.dx','cache':'p.cache'},"
     "{'name':'b5','op':'relu/backward','dout':'b4.dx','cache':'r.cache'},"
     "{'name':'b6','op':'spatial_batchnorm/backward','dout':'b5.dx','cache':'n.cache'},"
     "{'name':'b7','op':'conv/backward','dout':'b6.dx','cache':'a.cache'}],"
     "'same':{'d.x':'b7.dx','d.w':'b7.dw','d.v':'b2.dw','d.p.out':'b3.dx'}}",
     {"{'x':[3,2,4,6],'w':[4,2,3,3],'b':[4],'g':[4],'v':[24,5],'e':[5],'y':[3]}",
      "{'x':[9,3,24,24],'w':[16,3,3,3],'b':[16],'g':[16],'v':[2304,10],'e':[10],'y':[9]}"},
     5},
    {"ways that meet",
     "{'nodes':["
     "{'name':'r','op':'relu/forward','x':'x'},"
     "{'name':'a','op':'affine/forward','x':'r.out','w':'w','b':'b'},"
     "{'name':'s','op':'affine/forward','x':'r.out','w':'v','b':'b'},"
     "{'name':'h','op':'layernorm/forward','x':'r.out','gamma':'q','beta':'q'},"
     "{'name':'t','op':'affine/forward','x':'h.out','w':'w','b':'b'},"
     "{'name':'l','op':'softmax/loss','x':'a.out','y':'y'},"
     "{'name':'k','op':'svm/loss','x':'s.out','y':'y'},"
     "{'name':'j','op':'softmax/loss','x':'t.out','y':'y2'},"
     "{'name':'d','op':'gradients','of':['k.loss','l.loss','j.loss'],"
     "'for':['x','w','v','b','q','r.out']},"
     "{'name':'u','op':'sgd/update','w':'w','dw':'d.w'}],"
     "'alone':["
     "{'name':'b1','op':'affine/backward','dout':'j.dx','cache':'t.cache'},"
     "{'name':'bh','op':'layernorm/backward','dout':'b1.dx','cache':'h.cache'},"
     "{'name':'b2','op':'affine/backward','dout':'k.dx','cache':'s.cache'},"
     "{'name':'b3','op':'affine/backward','dout':'l.dx','cache':'a.cache'},"
     "{'name':'s1','op':'sum','a':'bh.dx','b':'b2.dx'},"
     "{'name':'s2','op':'sum','a':'s1.out','b':'b3.dx'},"
     "{'name':'s3','op':'sum','a':'b1.dw','b':'b3.dw'},"
     "{'name':'s4','op':'sum','a':'b1.db','b':'b2.db'},"
     "{'name':'s5','op':'sum','a':'s4.out','b':'b3.db'},"
     "{'name':'s6','op':'sum','a':'bh.dgamma','b':'bh.dbeta'},"
     "{'name':'b4','op':'relu/backward','dout':'s2.out','cache':'r.cache'}],"
     "'same':{'d.x':'b4.dx','d.w':'s3.out','d.v':'b2.dw','d.b':'s5.out','d.q':'s6.out',"
     "'d.r.out':'s2.out'}}",
     {"{'x':[4,3],'w':[3,3],'v':[3,3],'b':[3],'q':[3],'y':[4],'y2':[4]}",
      "{'x':[200,300],'w':[300,30],'v':[300,30],'b':[30],'q':[300],'y':[200],'y2':[200]}"},
     3},
};

static json_t *parse(const char *text) {
    char *json = json_text("%s", text);
    json_t *value = json_loads(json, 0, NULL);
    free(json);
    if (!value)
        abort();
    return value;
}

json_t *random_inputs(const way *way, uint64_t *state) {
    json_t *shapes = parse(way->network->shapes[way->large]), *inputs = json_object(), *shape;
    const char *name;
    json_object_foreach(shapes, name, shape) {
        json_int_t size = 1;
        json_t *data = json_array();
        for (size_t i = 0; i < json_array_size(shape); i++)
            size *= json_integer_value(json_array_get(shape, i));
        for (json_int_t i = 0; i < size; i++) {
            double number = (double)random_bits(state) * 0x1p-64 - 0.5;
            json_array_append_new(
                data, *name == 'y'
                          ? json_integer((json_int_t)random_below(state, way->network->classes))
                          : json_real(way->float32 ? (float)number : number));
        }
        json_object_set_new(inputs, name, json_pack("{sO so}", "shape", shape, "data", data));
    }
    json_decref(shapes);
    return inputs;
}

/* ---- bytes in answers ------------------------------------------------------------------------
 */

/* The end of a value in JSON of the daemon's, which has no spaces and no escapes. */
static const char *skip(const char *at) {
    int depth = 0;
    do {
        if (*at == '"')
            at = strchr(at + 1, '"');
        depth += *at == '[' || *at == '{';
        depth -= *at == ']' || *at == '}';
        at++;
    } while (depth > 0 || !strchr(",]}\n", *at));
    return at;
}

/* Adds the text of each member of the object at `at`, as "prefix.name"; of an object's members each
 * for itself. */
static void take_members(json_t *bytes, const char *at, const char *prefix) {
    while (*at == '{' || *at == ',') {
        char name[192];
        if (at[1] != '"')
            return; /* "{}" */
        const char *key = at + 2, *colon = strchr(key, '"') + 1, *value = colon + 1;
        const char *end = skip(value);
        snprintf(name, sizeof name, "%s%s%.*s", prefix, *prefix ? "." : "", (int)(colon - 1 - key),
                 key);
        if (*value == '{')
            take_members(bytes, value, name);
        else
            json_object_set_new(bytes, name, json_stringn_nocheck(value, (size_t)(end - value)));
        at = end;
    }
}

/* The same of a file: the bytes of its tensors, and the texts. */
static void take_tensors(json_t *bytes, const answer *a, const char *prefix) {
    uint64_t length;
    memcpy(&length, a->body, sizeof length);
    const char *data = a->body + sizeof length + length, *key;
    json_t *header = json_loadb(a->body + sizeof length, length, 0, NULL), *entry;
    json_t *texts = json_object_get(header, "__metadata__");
    char name[192];
    json_object_foreach(header, key, entry) {
        const json_t *offsets = json_object_get(entry, "data_offsets");
        json_int_t begin = json_integer_value(json_array_get(offsets, 0));
        json_int_t end = json_integer_value(json_array_get(offsets, 1));
        snprintf(name, sizeof name, "%s%s%s", prefix, *prefix ? "." : "", key);
        if (entry != texts)
            json_object_set_new(bytes, name,
                                json_stringn_nocheck(data + begin, (size_t)(end - begin)));
    }
    json_object_foreach(texts, key, entry) {
        snprintf(name, sizeof name, "%s%s%s", prefix, *prefix ? "." : "", key);
        json_object_set(bytes, name, entry);
    }
    json_decref(header);
}

static void take_bytes(const way *way, json_t *bytes, const answer *a, const char *prefix) {
    if (way->binary)
        take_tensors(bytes, a, prefix);
    else
        take_members(bytes, a->body, prefix);
}

bool answer_has(const way *way, const answer *a, const json_t *bytes, char fault[FAULT_TEXT]) {
    json_t *got = json_object(), *want, *one;
    const char *name;
    take_bytes(way, got, a, way->binary ? "results" : "");
    json_object_foreach((json_t *)bytes, name, want) {
        char full[192];
        snprintf(full, sizeof full, "results.%s", name);
        one = json_object_get(got, full);
        if (!*fault && !json_equal(one, want))
            snprintf(fault, FAULT_TEXT, "%s of %s: %.60s, not %.60s", name, way->network->name,
                     one ? json_string_value(one) : "nothing", json_string_value(want));
    }
    if (!*fault && json_object_size(got) != json_object_size(bytes))
        snprintf(fault, FAULT_TEXT, "%zu results of %s, not %zu", json_object_size(got),
                 way->network->name, json_object_size(bytes));
    json_decref(got);
    return !*fault;
}

/* ---- single calls ----------------------------------------------------------------------------
 */

typedef struct {
    caller *caller;
    const way *way;
    json_t *values; /* by name, as requests have them; caches too */
    json_t *bytes;
} calls;

static const answer *send(caller *caller, const way *way, const char *target, const char *body,
                          size_t length) {
    const answer *a = caller_send(
        caller, &(layerd_message){.path = target,
                                  .headers = way->binary ? HEADERS("Content-Type: " SAFETENSORS,
                                                                   "Accept: " SAFETENSORS)
                                                         : NULL,
                                  .body = body,
                                  .length = length});
    if (a && a->status != 200)
        snprintf(caller->fault, sizeof caller->fault, "%s: %d %.300s", target, a->status, a->body);
    return a && a->status == 200 ? a : NULL;
}

static char *json_body(const json_t *request, size_t *length) {
    char *body = json_dumps(request, JSON_COMPACT | JSON_REAL_PRECISION(17));
    *length = strlen(body);
    return body;
}

static const answer *send_single(calls *c, const char *operation, const json_t *request) {
    size_t length;
    char target[64];
    snprintf(target, sizeof target, "/%.60s", operation);
    char *body = c->way->binary ? safetensors_from_json(request, "I64", &length)
                                : json_body(request, &length);
    const answer *a = send(c->caller, c->way, target, body, length);
    free(body);
    return a;
}

/* The values of an answer, and its bytes. */
static void note(calls *c, const char *node, const answer *a) {
    const char *field, *key;
    json_t *value, *inner;
    char name[192];
    json_object_foreach(a->json, field, value) {
        snprintf(name, sizeof name, "%s.%s", node, field);
        json_object_set(c->values, name, value);
        json_object_foreach(value, key, inner) {
            snprintf(name, sizeof name, "%s.%s.%s", node, field, key);
            json_object_set(c->values, name, inner);
        }
    }
    take_bytes(c->way, c->bytes, a, node);
    snprintf(name, sizeof name, "%s.cache", node);
    json_object_del(c->bytes, name);
}

/* What stands for a name; any other value stands for itself. */
static json_t *resolve(const calls *c, json_t *value) {
    const char *name = json_string_value(value), *key;
    json_t *known = name ? json_object_get(c->values, name) : NULL, *copy, *member;
    if (known)
        return json_incref(known);
    copy = json_copy(value);
    json_object_foreach(value, key, member) json_object_set_new(copy, key, resolve(c, member));
    return copy;
}

static bool call_operation(calls *c, json_t *node) {
    json_t *request = resolve(c, node);
    json_object_del(request, "name");
    json_object_del(request, "op");
    if (c->way->float32)
        json_object_set_new(request, "dtype", json_string("float32"));
    const answer *a = send_single(c, json_string_value(json_object_get(node, "op")), request);
    json_decref(request);
    if (a)
        note(c, json_string_value(json_object_get(node, "name")), a);
    return a;
}

/* The sum of two lists, or lists of lists. */
static json_t *add(const calls *c, const json_t *a, const json_t *b) {
    double left = json_real_value(a), right = json_real_value(b);
    if (!json_is_array(a))
        return json_real(c->way->float32 ? (float)left + (float)right : left + right);
    json_t *sum = json_array();
    for (size_t i = 0; i < json_array_size(a); i++)
        json_array_append_new(sum, add(c, json_array_get(a, i), json_array_get(b, i)));
    return sum;
}

/* No operation adds: the sum comes back from one that leaves all as it is. */
static bool call_sum(calls *c, json_t *node) {
    json_t *both = resolve(c, node);
    json_t *sum = add(c, json_object_get(both, "a"), json_object_get(both, "b"));
    json_t *request =
        json_pack("{sO ss so s{ss si}}", "name", json_object_get(node, "name"), "op",
                  "dropout/forward", "x", sum, "dropout_param", "mode", "test", "p", 1);
    bool good = call_operation(c, request);
    json_decref(request);
    json_decref(both);
    return good;
}

/* The calls that stand for the gradients node. */
static bool call_alone(calls *c, const json_t *text) {
    json_t *node, *same;
    const char *name;
    size_t i;
    json_t *kept = c->bytes;
    c->bytes = json_object();
    bool good = true;
    json_array_foreach(json_object_get(text, "alone"), i, node) {
        bool sum = !strcmp(json_string_value(json_object_get(node, "op")), "sum");
        good = good && (sum ? call_sum(c, node) : call_operation(c, node));
    }
    json_object_foreach(json_object_get(text, "same"), name, same) {
        json_object_set(c->values, name, json_object_get(c->values, json_string_value(same)));
        json_object_set(kept, name, json_object_get(c->bytes, json_string_value(same)));
    }
    json_decref(c->bytes);
    c->bytes = kept;
    return good;
}

json_t *run_one_by_one(caller *caller, const way *way, const json_t *inputs) {
    calls c = {caller, way, json_copy((json_t *)inputs), json_object()};
    json_t *text = parse(way->network->text), *node;
    bool good = true;
    size_t i;
    json_array_foreach(json_object_get(text, "nodes"), i, node) {
        bool back = !strcmp(json_string_value(json_object_get(node, "op")), "gradients");
        good = good && (back ? call_alone(&c, text) : call_operation(&c, node));
    }
    json_decref(text);
    json_decref(c.values);
    if (good)
        return c.bytes;
    json_decref(c.bytes);
    return NULL;
}

/* ---- the graph -------------------------------------------------------------------------------
 */

char *graph_body(const way *way, json_t *inputs, const json_t *bytes, size_t *length) {
    json_t *text = parse(way->network->text), *give = json_array(), *value;
    const char *name;
    json_object_foreach((json_t *)bytes, name, value)
        json_array_append_new(give, json_string(name));
    json_t *document =
        json_pack("{sO sO ss so}", "inputs", inputs, "nodes", json_object_get(text, "nodes"),
                  "dtype", way->float32 ? "float32" : "float64", "give", give);
    char *body =
        way->binary ? safetensors_from_graph(document, "I64", length) : json_body(document, length);
    json_decref(document);
    json_decref(text);
    return body;
}

const answer *run_graph(caller *caller, const way *way, const char *body, size_t length) {
    return send(caller, way, "/graph", body, length);
}
