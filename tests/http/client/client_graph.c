/* Graphs and kept tensors by the client of clients/c. */
#include <math.h>
#include <string.h>

#include "client.h"
#include "internal.h"

DAEMON_SUITE(client_graph);

/* A graph with its document as text, as json_text has it. */
static layerd_answer *run_graph(layerd_client *client, const char *text,
                                layerd_graph_request request, layerd_error *error) {
    char *json = json_text("%s", text);
    json_t *document = json_loads(json, 0, NULL);
    cr_assert(document, "%s", json);
    request.document = document;
    layerd_answer *answer = layerd_graph(client, &request, error);
    json_decref(document);
    free(json);
    return answer;
}

static layerd_answer *run_graph_well(layerd_client *client, const char *text,
                                     layerd_graph_request request) {
    layerd_error error;
    layerd_answer *answer = run_graph(client, text, request, &error);
    cr_assert(answer, "%s: %s at %s", error.code, error.detail, error.pointer);
    return answer;
}

static layerd_answer *put_well(layerd_client *client, const layerd_input *inputs) {
    layerd_error error;
    layerd_answer *answer = layerd_put(client, inputs, &error);
    cr_assert(answer, "%s: %s at %s", error.code, error.detail, error.pointer);
    return answer;
}

static layerd_answer *fetch_well(layerd_client *client, const layerd_handle *kept) {
    layerd_error error;
    layerd_answer *answer = layerd_fetch(client, kept, &error);
    cr_assert(answer, "%s: %s at %s", error.code, error.detail, error.pointer);
    return answer;
}

static bool is_there(layerd_client *client, const char *handle) {
    layerd_error error;
    layerd_answer *answer = layerd_fetch(client, (layerd_handle[]){{"it", handle}, {0}}, &error);
    bool there = answer != NULL;
    if (!there)
        check_refused(NULL, &error, "unknown_cache", "/inputs/it/tensor", "");
    layerd_answer_free(answer);
    return there;
}

static void check_tensor(const layerd_answer *answer, const char *name, size_t size,
                         const double *values) {
    const layerd_tensor *tensor = layerd_answer_tensor(answer, name);
    cr_assert(tensor && tensor->size == size, "%s", name);
    for (size_t i = 0; i < size; i++) {
        double value = tensor->dtype == LAYERD_FLOAT32 ? (double)tensor->f32[i] : tensor->f64[i];
        CHECK(fabs(value - values[i]) < 1e-7, "%s[%zu] is %.17g, not %.17g", name, i, value,
              values[i]);
    }
}

#define CHECK_TENSOR(answer, name, ...)                                                            \
    check_tensor(answer, name, sizeof((double[]){__VA_ARGS__}) / sizeof(double),                   \
                 (double[]){__VA_ARGS__})

Test(client_graph, what_is_put_is_fetched_until_it_is_released) {
    process *p = daemon_start(NULL);
    layerd_client *client = open_client(p);
    float w[] = {1, 2, 3, NAN, 5, -0.0F};
    int64_t y[] = {2, 9007199254740993};
    layerd_tensor tw = TENSOR(LAYERD_FLOAT32, w, 2, 3), ty = TENSOR(LAYERD_INT64, y, 2);
    layerd_answer *put = put_well(client, (layerd_input[]){{"w", &tw}, {"y", &ty}, {0}});
    const char *handle = layerd_answer_kept(put, "w");
    cr_assert(handle && layerd_answer_kept(put, "y"));
    CHECK_TRUE(!layerd_answer_kept(put, "x") && !layerd_answer_kept(NULL, "w"));

    layerd_handle handles[] = {{"one", handle}, {"other", layerd_answer_kept(put, "y")}, {0}};
    layerd_client *another = open_client(p);
    layerd_answer *fetched = fetch_well(another, handles);
    const layerd_tensor *one = layerd_answer_tensor(fetched, "one"),
                        *other = layerd_answer_tensor(fetched, "other");
    cr_assert(one && one->dtype == LAYERD_FLOAT32 && one->rank == 2 && one->shape[1] == 3);
    CHECK_TRUE(!memcmp(one->data, w, sizeof w));
    cr_assert(other && other->dtype == LAYERD_INT64 && other->rank == 1 && other->shape[0] == 2);
    CHECK_TRUE(!memcmp(other->data, y, sizeof y));

    CHECK_TRUE(layerd_release(another, handle, NULL));
    layerd_close(another);
    CHECK_TRUE(!is_there(client, handle));
    CHECK_TRUE(is_there(client, handles[1].handle));
    layerd_answer_free(put);
    layerd_answer_free(fetched);
    layerd_close(client);
    daemon_stop(p);
}

Test(client_graph, an_operation_takes_kept_tensors_for_any_of_its_own) {
    process *p = daemon_start(NULL);
    layerd_client *client = open_client(p);
    double x[] = {1, 2, 3, 4}, w[] = {0.5, -1}, b[] = {10}, v[] = {3, 3};
    layerd_tensor tx = TENSOR(LAYERD_FLOAT64, x, 2, 2), tw = TENSOR(LAYERD_FLOAT64, w, 2, 1),
                  tb = TENSOR(LAYERD_FLOAT64, b, 1), tv = TENSOR(LAYERD_FLOAT64, v, 2, 1);
    layerd_answer *put =
        put_well(client, (layerd_input[]){{"x", &tx}, {"w", &tw}, {"b", &tb}, {"v", &tv}, {0}});
    const char *kx = layerd_answer_kept(put, "x"), *kw = layerd_answer_kept(put, "w"),
               *kb = layerd_answer_kept(put, "b"), *kv = layerd_answer_kept(put, "v");
    layerd_answer *some = run_well(client, &(layerd_request){.path = "/affine/forward",
                                                             .inputs = {{"x", &tx}},
                                                             .kept = {{"w", kw}, {"b", kb}}});
    layerd_answer *all =
        run_well(client, &(layerd_request){.path = "/affine/forward",
                                           .kept = {{"x", kx}, {"w", kw}, {"b", kb}}});
    CHECK_TENSOR(some, "out", 8.5, 7.5);
    CHECK_TENSOR(all, "out", 8.5, 7.5);

    json_t *params = json_pack("{s{sf sf}}", "config", "learning_rate", 2.0, "momentum", 0.5);
    layerd_answer *inside =
        run_well(client, &(layerd_request){.path = "/sgd_momentum/update",
                                           .params = params,
                                           .inputs = {{"w", &tw}},
                                           .kept = {{"dw", kw}, {"config.velocity", kv}}});
    CHECK_TENSOR(inside, "config.velocity", 0.5 * 3 - 2 * 0.5, 0.5 * 3 + 2 * 1);
    CHECK_TENSOR(inside, "next_w", 1, 2.5);
    CHECK_TRUE(is_there(client, kw) && is_there(client, kv));
    json_decref(params);
    layerd_answer_free(put);
    layerd_answer_free(some);
    layerd_answer_free(all);
    layerd_answer_free(inside);
    layerd_close(client);
    daemon_stop(p);
}

/* One step of a layer without hidden ones. */
static const char step[] = "{'nodes': ["
                           "{'name': 'a', 'op': 'affine/forward', 'x': 'x', 'w': 'w', 'b': 'b'},"
                           "{'name': 'l', 'op': 'softmax/loss', 'x': 'a.out', 'y': 'y'},"
                           "{'name': 'd', 'op': 'gradients', 'of': ['l.loss'], 'for': ['w', 'b']},"
                           "{'name': 'u', 'op': 'adam/update', 'w': 'w', 'dw': 'd.w',"
                           " 'config': {'learning_rate': 0.5, 't': 7, 'beta1': 0, 'beta2': 0}}],"
                           "'give': ['l.loss', 'd.b', 'u.config.t', 'u.config.m', 'w'],"
                           "'keep': ['u.next_w', 'u.config.v', 'a.cache']}";

Test(client_graph, a_step_gives_keeps_and_releases) {
    process *p = daemon_start(NULL);
    layerd_client *client = open_client(p);
    double x64[] = {1, 2}, zeros[4] = {0};
    float x32[] = {1, 2};
    int64_t label = 0;
    for (int i = 0; i < 2; i++) {
        layerd_dtype dtype = i ? LAYERD_FLOAT32 : LAYERD_FLOAT64;
        layerd_tensor x = TENSOR(dtype, i ? (void *)x32 : x64, 1, 2),
                      w = TENSOR(dtype, zeros, 2, 2), b = TENSOR(dtype, zeros, 2),
                      y = TENSOR(LAYERD_INT64, &label, 1);
        layerd_answer *put = put_well(client, (layerd_input[]){{"w", &w}, {0}});
        layerd_handle weights[] = {{"w", layerd_answer_kept(put, "w")}, {0}};
        layerd_graph_request request = {
            .inputs = (layerd_input[]){{"x", &x}, {"b", &b}, {"y", &y}, {0}},
            .kept = weights,
            .release = weights,
        };
        layerd_answer *answer = run_graph_well(client, step, request);
        double loss = 0;
        CHECK_TRUE(layerd_answer_number(answer, "l.loss", &loss));
        CHECK(fabs(loss - log(2)) < 1e-7, "%.17g", loss);
        CHECK_TENSOR(answer, "d.b", -0.5, 0.5);
        CHECK_TENSOR(answer, "u.config.m", -0.5, 0.5, -1, 1);
        CHECK_TENSOR(answer, "w", 0, 0, 0, 0);
        CHECK_TRUE(layerd_answer_tensor(answer, "d.b")->dtype == dtype);
        CHECK_EQUAL(json_integer_value(layerd_answer_value(answer, "u.config.t")), 8);
        /* Nor is a graph's tensor there as JSON, too, as a parameter's is. */
        CHECK_TRUE(!layerd_answer_value(answer, "d.b"));
        CHECK_TRUE(!layerd_answer_tensor(answer, "u.next_w") && !layerd_answer_cache(answer));
        CHECK_TRUE(!is_there(client, weights[0].handle));

        layerd_answer *fetched =
            fetch_well(client, (layerd_handle[]){{"w", layerd_answer_kept(answer, "u.next_w")},
                                                 {"v", layerd_answer_kept(answer, "u.config.v")},
                                                 {0}});
        CHECK_TENSOR(fetched, "w", 0.5, -0.5, 0.5, -0.5);
        CHECK_TENSOR(fetched, "v", 0.25, 0.25, 1, 1);
        layerd_answer_free(fetched);
        layerd_answer_free(answer);
        layerd_answer_free(put);
    }
    layerd_close(client);
    daemon_stop(p);
}

Test(client_graph, a_handle_that_looks_like_a_number_is_none) {
    static const char header[] = "{\"__metadata__\":{\"kept.u.next_w\":\"12345678901234567890\","
                                 "\"kept.w\":\"1e5\",\"u.config.t\":\"3\"}}";
    char body[sizeof(uint64_t) + sizeof header];
    uint64_t length = strlen(header);
    memcpy(body, &length, sizeof length);
    memcpy(body + sizeof length, header, length);
    layerd_answer *answer =
        layerd_safetensors_decode(body, sizeof length + (size_t)length, true, NULL);
    CHECK_TEXT(layerd_answer_kept(answer, "u.next_w"), "12345678901234567890");
    CHECK_TEXT(layerd_answer_kept(answer, "w"), "1e5");
    CHECK_EQUAL(json_integer_value(layerd_answer_value(answer, "u.config.t")), 3);
    layerd_answer_free(answer);
}

Test(client_graph, caches_go_between_graphs_and_operations) {
    process *p = daemon_start(NULL);
    layerd_client *client = open_client(p);
    double values[] = {1, -1, 2}, ones[] = {4, 5, 6};
    layerd_tensor x = TENSOR(LAYERD_FLOAT64, values, 3), dout = TENSOR(LAYERD_FLOAT64, ones, 3);
    layerd_answer *graph = run_graph_well(
        client, "{'nodes': [{'name': 'r', 'op': 'relu/forward', 'x': 'x'}], 'keep': ['r.cache']}",
        (layerd_graph_request){.inputs = (layerd_input[]){{"x", &x}, {0}}});
    const char *cache = layerd_answer_kept(graph, "r.cache");
    layerd_answer *backward = run_well(
        client,
        &(layerd_request){.path = "/relu/backward", .cache = cache, .inputs = {{"dout", &dout}}});
    CHECK_TENSOR(backward, "dx", 4, 0, 6);
    layerd_answer_free(backward);

    backward = run_graph_well(
        client,
        "{'nodes': [{'name': 'b', 'op': 'relu/backward', 'dout': 'dout', 'cache': 'c'}],"
        " 'give': ['b.dx']}",
        (layerd_graph_request){.inputs = (layerd_input[]){{"dout", &dout}, {0}},
                               .caches = (layerd_handle[]){{"c", cache}, {0}},
                               .release = (layerd_handle[]){{"c", cache}, {0}}});
    CHECK_TENSOR(backward, "b.dx", 4, 0, 6);
    CHECK_TRUE(!layerd_release(client, cache, NULL));
    layerd_answer_free(backward);
    layerd_answer_free(graph);
    layerd_close(client);
    daemon_stop(p);
}

Test(client_graph, what_the_document_has_of_its_own_holds_besides) {
    process *p = daemon_start(NULL);
    layerd_client *client = open_client(p);
    double one = 1;
    layerd_tensor x = TENSOR(LAYERD_FLOAT64, &one, 1);
    layerd_answer *put = put_well(client, (layerd_input[]){{"a", &x}, {"b", &x}, {0}});
    const char *a = layerd_answer_kept(put, "a"), *b = layerd_answer_kept(put, "b");
    json_t *document = json_pack("{s[] s{s[ff]} s[s] s[sss]}", "nodes", "inputs", "own", 0.1,
                                 -1e300, "release", a, "give", "own", "sent", "kept");
    char *before = json_dumps(document, 0);
    layerd_error error;
    layerd_answer *answer =
        layerd_graph(client,
                     &(layerd_graph_request){.document = document,
                                             .inputs = (layerd_input[]){{"sent", &x}, {0}},
                                             .kept = (layerd_handle[]){{"kept", b}, {0}},
                                             .release = (layerd_handle[]){{"any", b}, {0}}},
                     &error);
    cr_assert(answer, "%s: %s at %s", error.code, error.detail, error.pointer);
    const layerd_tensor *own = layerd_answer_tensor(answer, "own");
    CHECK_TRUE(own && own->size == 2 && own->f64[0] == 0.1 && own->f64[1] == -1e300);
    CHECK_TENSOR(answer, "sent", 1);
    CHECK_TENSOR(answer, "kept", 1);
    CHECK_TRUE(!is_there(client, a) && !is_there(client, b));
    char *after = json_dumps(document, 0);
    CHECK_TEXT(after, before);
    free(before);
    free(after);
    json_decref(document);
    layerd_answer_free(answer);
    layerd_answer_free(put);
    layerd_close(client);
    daemon_stop(p);
}

Test(client_graph, the_document_has_the_dtype_of_a_call_that_sends_no_tensors) {
    process *p = daemon_start(NULL);
    layerd_client *client = open_client(p);
    float values[] = {1.5F, -2};
    layerd_tensor x = TENSOR(LAYERD_FLOAT32, values, 2);
    layerd_answer *put = put_well(client, (layerd_input[]){{"x", &x}, {0}});
    layerd_handle handles[] = {{"x", layerd_answer_kept(put, "x")}, {0}};
    layerd_graph_request request = {.kept = handles};
    layerd_answer *answer = run_graph_well(
        client,
        "{'dtype': 'float32', 'nodes': [{'name': 'r', 'op': 'relu/forward', 'x': 'x'}],"
        " 'give': ['r.out']}",
        request);
    CHECK_TENSOR(answer, "r.out", 1.5, 0);
    CHECK_EQUAL(layerd_answer_tensor(answer, "r.out")->dtype, LAYERD_FLOAT32);
    layerd_error error;
    check_refused(run_graph(client, "{'nodes': [{'name': 'r', 'op': 'relu/forward', 'x': 'x'}]}",
                            request, &error),
                  &error, "wrong_type", "/nodes/0/x", "float32");
    layerd_answer_free(answer);
    layerd_answer_free(put);
    layerd_close(client);
    daemon_stop(p);
}

Test(client_graph, there_may_be_more_inputs_than_an_operation_has) {
    enum { COUNT = 3 * LAYERD_MAX_INPUTS };
    process *p = daemon_start(NULL);
    layerd_client *client = open_client(p);
    char names[COUNT][8];
    double values[COUNT];
    layerd_tensor tensors[COUNT];
    layerd_input inputs[COUNT + 1] = {0};
    layerd_handle handles[COUNT + 1] = {0};
    for (int i = 0; i < COUNT; i++) {
        snprintf(names[i], sizeof names[i], "x%d", i);
        values[i] = i;
        tensors[i] = TENSOR(LAYERD_FLOAT64, &values[i], 1);
        inputs[i] = (layerd_input){names[i], &tensors[i]};
    }
    layerd_answer *put = put_well(client, inputs);
    for (int i = 0; i < COUNT; i++)
        handles[i] = (layerd_handle){names[i], layerd_answer_kept(put, names[i])};
    layerd_answer *fetched = fetch_well(client, handles);
    for (int i = 0; i < COUNT; i++)
        CHECK_TENSOR(fetched, names[i], i);
    layerd_answer_free(put);
    layerd_answer_free(fetched);
    layerd_close(client);
    daemon_stop(p);
}

Test(client_graph, after_an_error_nothing_was_done) {
    process *p = daemon_start(NULL);
    layerd_client *client = open_client(p);
    double values[] = {1, 2, 3};
    layerd_tensor x = TENSOR(LAYERD_FLOAT64, values, 1, 3), w = TENSOR(LAYERD_FLOAT64, values, 3);
    layerd_answer *put = put_well(client, (layerd_input[]){{"w", &w}, {0}});
    layerd_handle weights[] = {{"w", layerd_answer_kept(put, "w")}, {0}};
    static const struct {
        const char *document, *code, *pointer, *words;
    } rows[] = {
        {"{'nodes': [{'name': 'a', 'op': 'relu/forward', 'x': 'x'},"
         " {'name': 'b', 'op': 'affine/forward', 'x': 'a.out', 'w': 'w', 'b': 'w'}]}",
         "invalid_shape", "/nodes/1/w", "(3,)"},
        {"{'nodes': [{'name': 'a', 'op': 'relu/forward', 'x': 'X'}]}", "invalid_graph",
         "/nodes/0/x", "x"},
        {"{'nodes': [], 'release': ['none']}", "unknown_cache", "/release/0", ""},
        {"{'nodes': [], 'give': ['w', 'z']}", "invalid_graph", "/give/1", "z"},
        {"{}", "missing_field", "/nodes", "nodes"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        layerd_error error;
        layerd_answer *answer = run_graph(
            client, rows[i].document,
            (layerd_graph_request){
                .inputs = (layerd_input[]){{"x", &x}, {0}}, .kept = weights, .release = weights},
            &error);
        check_refused(answer, &error, rows[i].code, rows[i].pointer, rows[i].words);
        CHECK_TRUE(error.status == 422 || error.status == 404);
    }
    CHECK_TRUE(is_there(client, weights[0].handle));
    layerd_answer_free(put);
    layerd_close(client);
    daemon_stop(p);
}

Test(client_graph, what_cannot_be_sent_is_told_before_it_is_sent) {
    process *p = daemon_start(NULL);
    layerd_client *client = open_client(p);
    double one = 1;
    float half = 0.5F;
    layerd_tensor x = TENSOR(LAYERD_FLOAT64, &one, 1), y = TENSOR(LAYERD_FLOAT32, &half, 1),
                  none = layerd_wrap(LAYERD_FLOAT64, -1, NULL, &one);
    layerd_handle lost[] = {{"w", NULL}, {0}}, fine[] = {{"w", "00"}, {0}},
                  twice[] = {{"w", "00"}, {"w", "11"}, {0}}, latin[] = {{"w", "\xE4"}, {0}};
    const struct {
        const char *document;
        layerd_graph_request request;
        const char *pointer, *words;
    } rows[] = {
        {"{'nodes': []}", {.kept = lost}, "/inputs/w", "w is NULL"},
        {"{'nodes': []}", {.caches = lost}, "/inputs/w", "w is NULL"},
        {"{'nodes': []}", {.release = lost}, "/release/0", "NULL"},
        {"{'nodes': [], 'release': ['00']}", {.release = lost}, "/release/1", "NULL"},
        {"{'nodes': []}", {.kept = fine, .caches = fine}, "", "w is given twice"},
        {"{'nodes': []}", {.kept = twice}, "", "w is given twice"},
        {"{'nodes': [], 'inputs': {'w': 1}}", {.kept = fine}, "", "w is given twice"},
        {"{'nodes': [], 'inputs': []}", {.kept = fine}, "/inputs", "an object"},
        {"{'nodes': [], 'release': {}}", {.kept = fine}, "/release", "a list"},
        {"{'nodes': []}", {.kept = latin}, "", "UTF-8"},
        {"{'nodes': []}", {.release = latin}, "", "UTF-8"},
        {"[]", {.kept = fine}, "", "not a JSON object"},
        {"{'nodes': []}",
         {.inputs = (layerd_input[]){{"x", &x}, {"x", &x}, {0}}},
         "",
         "x is given twice"},
        {"{'nodes': []}",
         {.inputs = (layerd_input[]){{"x", &x}, {"y", &y}, {0}}},
         "",
         "different dtypes"},
        {"{'nodes': []}", {.inputs = (layerd_input[]){{"x", &none}, {0}}}, "/inputs/x", "a rank"},
    };
    layerd_error error;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        check_refused(run_graph(client, rows[i].document, rows[i].request, &error), &error,
                      "invalid_input", rows[i].pointer, rows[i].words);
    check_refused(layerd_put(client, (layerd_input[]){{"w", NULL}, {0}}, &error), &error,
                  "invalid_input", "/inputs/w", "w is NULL");
    check_refused(layerd_fetch(client, lost, &error), &error, "invalid_input", "/inputs/w",
                  "w is NULL");
    check_refused(layerd_graph(client, NULL, &error), &error, "invalid_input", "", "NULL");
    check_refused(layerd_fetch(NULL, fine, &error), &error, "invalid_input", "", "NULL");
    layerd_close(client);
    daemon_stop(p);
}
