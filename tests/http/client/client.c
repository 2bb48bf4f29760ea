/* The client of clients/c: what goes out comes back, in types that fit. */
#include <math.h>
#include <string.h>

#include "client.h"

DAEMON_SUITE(client);

layerd_client *open_client(const process *p) {
    layerd_client *client = layerd_open(p->url, NULL);
    cr_assert(client);
    return client;
}

layerd_answer *run_well(layerd_client *client, const layerd_request *request) {
    layerd_error error;
    layerd_answer *answer = layerd_run(client, request, &error);
    cr_assert(answer, "%s: %s: %s", request->path, error.code, error.detail);
    return answer;
}

void check_refused(layerd_answer *answer, const layerd_error *error, const char *code,
                   const char *pointer, const char *words) {
    cr_assert(!answer, "there is an answer instead of %s", code);
    CHECK_TEXT(error->code, code);
    CHECK_TEXT(error->pointer, pointer);
    CHECK(strstr(error->detail, words), "\"%s\" is not in \"%s\"", words, error->detail);
}

static void run_wrongly(layerd_client *client, const layerd_request *request, const char *code,
                        const char *pointer, const char *words) {
    layerd_error error;
    check_refused(layerd_run(client, request, &error), &error, code, pointer, words);
}

Test(client, forward_and_backward_in_both_dtypes) {
    process *p = daemon_start(NULL);
    layerd_client *client = open_client(p);
    double x64[] = {1, 2, 3, 4}, w64[] = {0.5, -1}, b64[] = {10}, d64[] = {1, 1};
    float x32[] = {1, 2, 3, 4}, w32[] = {0.5, -1}, b32[] = {10}, d32[] = {1, 1};
    for (int i = 0; i < 2; i++) {
        layerd_dtype dtype = i ? LAYERD_FLOAT32 : LAYERD_FLOAT64;
        layerd_tensor x = TENSOR(dtype, i ? (void *)x32 : x64, 2, 2);
        layerd_tensor w = TENSOR(dtype, i ? (void *)w32 : w64, 2, 1);
        layerd_tensor b = TENSOR(dtype, i ? (void *)b32 : b64, 1);
        layerd_tensor dout = TENSOR(dtype, i ? (void *)d32 : d64, 2, 1);
        layerd_answer *forward =
            run_well(client, &(layerd_request){.path = "/affine/forward",
                                               .inputs = {{"x", &x}, {"w", &w}, {"b", &b}}});
        layerd_answer *backward =
            run_well(client, &(layerd_request){.path = "/affine/backward",
                                               .query = "cache=release",
                                               .cache = layerd_answer_cache(forward),
                                               .inputs = {{"dout", &dout}}});
        const layerd_tensor *dw = layerd_answer_tensor(backward, "dw");
        cr_assert(dw && dw->dtype == dtype && dw->rank == 2 && dw->shape[0] == 2);
        CHECK_TRUE((i ? (double)dw->f32[1] : dw->f64[1]) == 6);
        CHECK_TRUE(!layerd_release(client, layerd_answer_cache(forward), NULL));
        layerd_answer_free(forward);
        layerd_answer_free(backward);
    }
    layerd_close(client);
    daemon_stop(p);
}

Test(client, labels_and_a_loss_that_is_a_number_or_none) {
    process *p = daemon_start(NULL);
    layerd_client *client = open_client(p);
    float x[] = {2, 2};
    int64_t y[] = {1};
    layerd_tensor scores = TENSOR(LAYERD_FLOAT32, x, 1, 2), labels = TENSOR(LAYERD_INT64, y, 1);
    layerd_request request = {.path = "/svm/loss", .inputs = {{"x", &scores}, {"y", &labels}}};
    double loss;
    layerd_answer *answer = run_well(client, &request);
    CHECK_TRUE(layerd_answer_number(answer, "loss", &loss) && loss == 1);
    CHECK_TRUE(layerd_answer_tensor(answer, "dx")->f32[1] == -1);
    layerd_answer_free(answer);
    x[0] = NAN;
    answer = run_well(client, &request);
    CHECK_TRUE(layerd_answer_number(answer, "loss", &loss) && isnan(loss));
    layerd_answer_free(answer);
    layerd_close(client);
    daemon_stop(p);
}

Test(client, bn_param_goes_back_as_it_came) {
    process *p = daemon_start(NULL);
    layerd_client *client = open_client(p);
    float x[] = {0.1F, 0.3F}, gamma[] = {1}, beta[] = {0};
    layerd_tensor tx = TENSOR(LAYERD_FLOAT32, x, 2, 1), tg = TENSOR(LAYERD_FLOAT32, gamma, 1),
                  tb = TENSOR(LAYERD_FLOAT32, beta, 1);
    json_t *params = json_pack("{s{sssf s[f]}}", "bn_param", "mode", "train", "momentum", 0.5,
                               "running_mean", 1.0);
    layerd_request request = {.path = "/batchnorm/forward",
                              .query = "cache=none",
                              .params = params,
                              .inputs = {{"x", &tx}, {"gamma", &tg}, {"beta", &tb}}};
    layerd_answer *first = run_well(client, &request);
    double momentum;
    CHECK_TRUE(layerd_answer_number(first, "bn_param.momentum", &momentum) && momentum == 0.5);
    float mean = layerd_answer_tensor(first, "bn_param.running_mean")->f32[0];
    CHECK(fabsf(mean - 0.6F) < 1e-6F, "%g", (double)mean);
    json_decref(params);
    params = json_pack("{sO}", "bn_param", layerd_answer_value(first, "bn_param"));
    request.params = params;
    layerd_answer *second = run_well(client, &request);
    float next = layerd_answer_tensor(second, "bn_param.running_mean")->f32[0];
    CHECK(fabsf(next - (0.5F * mean + 0.1F)) < 1e-6F, "%g", (double)next);
    layerd_answer_free(first);
    layerd_answer_free(second);
    json_decref(params);
    layerd_close(client);
    daemon_stop(p);
}

Test(client, a_seed_makes_the_same_mask_again) {
    process *p = daemon_start(NULL);
    layerd_client *client = open_client(p);
    double x[64];
    for (int i = 0; i < 64; i++)
        x[i] = 1;
    layerd_tensor tx = TENSOR(LAYERD_FLOAT64, x, 64);
    json_t *params = json_pack("{s{sssf}}", "dropout_param", "mode", "train", "p", 0.5);
    layerd_request request = {.path = "/dropout/forward", .query = "cache=none", .params = params};
    request.inputs[0] = (layerd_input){"x", &tx};
    layerd_answer *first = run_well(client, &request);
    CHECK_TRUE(json_is_integer(layerd_answer_value(first, "dropout_param.seed")));
    json_decref(params);
    params = json_pack("{sO}", "dropout_param", layerd_answer_value(first, "dropout_param"));
    request.params = params;
    layerd_answer *second = run_well(client, &request);
    CHECK_TRUE(!memcmp(layerd_answer_tensor(first, "out")->data,
                       layerd_answer_tensor(second, "out")->data, sizeof x));
    layerd_answer_free(first);
    layerd_answer_free(second);
    json_decref(params);
    layerd_close(client);
    daemon_stop(p);
}

Test(client, a_mask_is_bytes_or_a_list) {
    process *p = daemon_start(NULL);
    layerd_client *client = open_client(p);
    static const uint8_t flags[] = {1, 0, 1};
    static const float x[] = {1, 2, 3};
    layerd_tensor tx = TENSOR(LAYERD_FLOAT32, x, 3), mask = TENSOR(LAYERD_UINT8, flags, 3);
    json_t *params = json_pack("{s{sssf}}", "dropout_param", "mode", "train", "p", 0.5);
    json_t *listed =
        json_pack("{s{sssfs[iii]}}", "dropout_param", "mode", "train", "p", 0.5, "mask", 1, 0, 1);
    layerd_request request = {.path = "/dropout/forward",
                              .query = "cache=none",
                              .params = params,
                              .inputs = {{"x", &tx}, {"dropout_param.mask", &mask}}};
    for (int i = 0; i < 2; i++) {
        layerd_answer *answer = run_well(client, &request);
        const float *out = layerd_answer_tensor(answer, "out")->f32;
        CHECK(out[0] == 2 && out[1] == 0 && out[2] == 6, "%g %g %g", (double)out[0], (double)out[1],
              (double)out[2]);
        CHECK_TRUE(!layerd_answer_value(answer, "dropout_param.seed"));
        layerd_answer_free(answer);
        request.params = listed;
        request.inputs[1] = (layerd_input){0};
    }
    request.params = params;
    request.inputs[1] = (layerd_input){"dropout_param.mask", &mask};
    mask.u8 = (uint8_t[]){1, 0, 2};
    run_wrongly(client, &request, "invalid_param", "/dropout_param/mask/2", "2");
    json_decref(params);
    json_decref(listed);
    layerd_close(client);
    daemon_stop(p);
}

Test(client, a_config_goes_from_step_to_step_and_t_is_an_integer) {
    process *p = daemon_start(NULL);
    layerd_client *client = open_client(p);
    double w = 1, dw = 2;
    layerd_tensor tw = TENSOR(LAYERD_FLOAT64, &w, 1), tdw = TENSOR(LAYERD_FLOAT64, &dw, 1);
    json_t *params = json_pack("{s{sf}}", "config", "learning_rate", 0.1);
    for (int step = 1; step <= 3; step++) {
        layerd_answer *answer =
            run_well(client, &(layerd_request){.path = "/adam/update",
                                               .params = params,
                                               .inputs = {{"w", &tw}, {"dw", &tdw}}});
        const json_t *t = layerd_answer_value(answer, "config.t");
        cr_assert(json_is_integer(t));
        CHECK(json_integer_value(t) == step, "%lld", (long long)json_integer_value(t));
        /* The same gradient each time: each step is the learning rate's. */
        w = *layerd_answer_tensor(answer, "next_w")->f64;
        CHECK(fabs(w - (1 - 0.1 * step)) < 1e-8, "step %d: %.17g", step, w);
        json_object_set(params, "config", layerd_answer_value(answer, "config"));
        layerd_answer_free(answer);
    }
    json_decref(params);
    layerd_close(client);
    daemon_stop(p);
}

Test(client, an_answer_without_a_cache_has_none) {
    process *p = daemon_start(NULL);
    layerd_client *client = open_client(p);
    double x[] = {1, -1};
    int64_t y[] = {0};
    layerd_tensor row = TENSOR(LAYERD_FLOAT64, x, 1, 2), labels = TENSOR(LAYERD_INT64, y, 1);
    const layerd_request rows[] = {
        {.path = "/relu/forward", .query = "cache=none", .inputs = {{"x", &row}}},
        {.path = "/softmax/loss", .inputs = {{"x", &row}, {"y", &labels}}},
        {.path = "/rmsprop/update", .inputs = {{"w", &row}, {"dw", &row}}},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        layerd_answer *answer = run_well(client, &rows[i]);
        CHECK(!layerd_answer_cache(answer), "%s", rows[i].path);
        /* rmsprop has a tensor of that name in its config. */
        const layerd_tensor *squares = layerd_answer_tensor(answer, "config.cache");
        CHECK(i == 2 ? squares && fabs(squares->f64[1] - 0.01) < 1e-15 : !squares, "%s",
              rows[i].path);
        layerd_answer_free(answer);
    }
    layerd_error error;
    CHECK_TRUE(!layerd_release(client, NULL, &error));
    CHECK_TEXT(error.code, "invalid_input");
    layerd_close(client);
    daemon_stop(p);
}

Test(client, parameters_with_defaults_may_be_left_out) {
    process *p = daemon_start(NULL);
    layerd_client *client = open_client(p);
    double image[] = {1, 2, 3, 4}, two = 2, one = 1, row[] = {1, 3}, ones[] = {1, 1},
           zeros[] = {0, 0};
    layerd_tensor x = TENSOR(LAYERD_FLOAT64, image, 1, 1, 2, 2),
                  w = TENSOR(LAYERD_FLOAT64, &two, 1, 1, 1, 1), b = TENSOR(LAYERD_FLOAT64, &one, 1),
                  rows = TENSOR(LAYERD_FLOAT64, row, 1, 2), gamma = TENSOR(LAYERD_FLOAT64, ones, 2),
                  beta = TENSOR(LAYERD_FLOAT64, zeros, 2);
    layerd_answer *conv =
        run_well(client, &(layerd_request){.path = "/conv/forward",
                                           .query = "cache=none",
                                           .inputs = {{"x", &x}, {"w", &w}, {"b", &b}}});
    const layerd_tensor *out = layerd_answer_tensor(conv, "out");
    cr_assert(out && out->rank == 4 && out->size == 4);
    for (int i = 0; i < 4; i++)
        CHECK(out->f64[i] == 2 * image[i] + 1, "%g", out->f64[i]);

    layerd_answer *norm = run_well(
        client, &(layerd_request){.path = "/layernorm/forward",
                                  .query = "cache=none",
                                  .inputs = {{"x", &rows}, {"gamma", &gamma}, {"beta", &beta}}});
    double normal = layerd_answer_tensor(norm, "out")->f64[1];
    CHECK(fabs(normal - 1 / sqrt(1 + 1e-5)) < 1e-15, "%.17g", normal);

    layerd_answer *step = run_well(
        client, &(layerd_request){.path = "/sgd/update", .inputs = {{"w", &rows}, {"dw", &rows}}});
    double rate, next = layerd_answer_tensor(step, "next_w")->f64[1];
    CHECK_TRUE(layerd_answer_number(step, "config.learning_rate", &rate) && rate == 0.01);
    CHECK(fabs(next - 2.97) < 1e-15, "%.17g", next);
    layerd_answer_free(conv);
    layerd_answer_free(norm);
    layerd_answer_free(step);
    layerd_close(client);
    daemon_stop(p);
}

Test(client, what_cannot_be_sent_is_told_before_it_is_sent) {
    process *p = daemon_start(NULL);
    layerd_client *client = open_client(p);
    double one = 1;
    layerd_tensor x = TENSOR(LAYERD_FLOAT64, &one, 1);
    static const struct {
        const char *params, *words;
    } rows[] = {
        {"{\"x\": [1]}", "x is given twice"},
        {"{\"x\": \"0\"}", "x is given twice"},
        {"{\"cache\": \"0\"}", "cache is given twice"},
        {"{\"p\": {\"mode\": true}}", "p.mode is neither"},
        {"{\"p\": {\"a\": [[1]]}}", "p.a is no list of numbers"},
        {"{\"p\": {\"a\": {\"shape\": [2], \"data\": [1]}}}", "p.a is no list of numbers"},
        {"{\"p\": {\"a\": {\"b\": 1}}}", "p.a is no list of numbers"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        json_t *params = json_loads(rows[i].params, 0, NULL);
        run_wrongly(
            client,
            &(layerd_request){
                .path = "/relu/forward", .cache = "0", .params = params, .inputs = {{"x", &x}}},
            "invalid_input", "", rows[i].words);
        json_decref(params);
    }
    layerd_request request = {.path = "/relu/forward", .inputs = {{"x", &x}}, .kept = {{"x", "0"}}};
    run_wrongly(client, &request, "invalid_input", "", "x is given twice");
    request = (layerd_request){.path = "/relu/forward", .kept = {{"config.m", NULL}}};
    run_wrongly(client, &request, "invalid_input", "/config/m", "config.m is NULL");
    layerd_close(client);
    daemon_stop(p);
}

Test(client, errors_of_the_daemon_are_handed_on) {
    process *p = daemon_start(NULL);
    layerd_client *client = open_client(p);
    double ones[] = {1, 1, 1};
    layerd_tensor x = TENSOR(LAYERD_FLOAT64, ones, 1, 2), w = TENSOR(LAYERD_FLOAT64, ones, 3, 1),
                  b = TENSOR(LAYERD_FLOAT64, ones, 1);
    run_wrongly(
        client,
        &(layerd_request){.path = "/affine/forward", .inputs = {{"x", &x}, {"w", &w}, {"b", &b}}},
        "shape_mismatch", "/w", "(3, 1)");
    layerd_close(client);
    daemon_stop(p);
}
