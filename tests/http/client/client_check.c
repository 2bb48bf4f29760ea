/* Checks and challenges by the client of clients/c. */
#include <string.h>

#include "client.h"

DAEMON_SUITE(client_check);

static double x[] = {1, 2, 3, 4}, w[] = {0.5, -1}, b[] = {10};

/* Of the claim of out. */
static const char *told(const json_t *verdict, const char *key) {
    const json_t *out = json_object_get(json_object_get(verdict, "claim"), "out");
    const char *text = json_string_value(json_object_get(out, key));
    return text ? text : "";
}

/* Has a verdict, which the caller frees. */
static json_t *check_well(layerd_client *client, const layerd_request *request,
                          const char *verdict) {
    layerd_error error = {0};
    json_t *found = layerd_check(client, request, &error);
    cr_assert(found, "%s: %s", error.code, error.detail);
    CHECK_TEXT(json_string_value(json_object_get(found, "verdict")), verdict);
    return found;
}

static void check_wrongly(layerd_client *client, const layerd_request *request, const char *code,
                          const char *pointer, const char *words) {
    layerd_error error;
    json_t *found = layerd_check(client, request, &error);
    CHECK(!found, "there is a verdict");
    check_refused(NULL, &error, code, pointer, words);
}

/* Claims `out` of affine, of some rows. */
static json_t *check_affine(layerd_client *client, double *out, size_t rows, json_t *params,
                            const char *verdict) {
    layerd_tensor tx = TENSOR(LAYERD_FLOAT64, x, 2, 2), tw = TENSOR(LAYERD_FLOAT64, w, 2, 1);
    layerd_tensor tb = TENSOR(LAYERD_FLOAT64, b, 1), claim = TENSOR(LAYERD_FLOAT64, out, rows, 1);
    layerd_request request = {
        .path = "/check/affine/forward",
        .params = params,
        .inputs = {{"x", &tx}, {"w", &tw}, {"b", &tb}, {"claim.out", &claim}}};
    json_t *found = check_well(client, &request, verdict);
    json_decref(params);
    return found;
}

Test(client_check, tells_right_from_wrong) {
    process *p = daemon_start(NULL);
    layerd_client *client = open_client(p);
    double right[] = {8.5, 7.5}, without_b[] = {-1.5, -2.5}, near[] = {8.5, 7.5000001};
    json_decref(check_affine(client, right, 2, NULL, "right"));
    json_t *found = check_affine(client, without_b, 2, NULL, "wrong");
    CHECK_TEXT(told(found, "fault"), "bias_missing");
    CHECK(strstr(told(found, "says"), "b was not added"), "in other words");
    json_decref(found);
    found = check_affine(client, right, 1, NULL, "wrong");
    CHECK_TEXT(told(found, "fault"), "shape");
    json_decref(found);
    json_decref(check_affine(client, near, 2, NULL, "wrong"));
    json_decref(check_affine(client, near, 2, json_pack("{ss}", "precision", "float32"), "right"));
    json_decref(
        check_affine(client, near, 2, json_pack("{s{sf}}", "tolerance", "atol", 1e-6), "right"));
    layerd_close(client);
    daemon_stop(p);
}

Test(client_check, numbers_are_claimed_in_the_params) {
    process *p = daemon_start(NULL);
    layerd_client *client = open_client(p);
    double scores[] = {1, 2, 3, 5};
    int64_t labels[] = {0, 0};
    layerd_tensor tx = TENSOR(LAYERD_FLOAT64, scores, 2, 2), ty = TENSOR(LAYERD_INT64, labels, 2);
    layerd_tensor step = TENSOR(LAYERD_FLOAT64, b, 1);
    for (int t = 3; t <= 4; t++) {
        json_t *loss = json_pack("{s{sf}}", "claim", "loss", t == 4 ? 2.5 : 3);
        json_t *count = json_pack("{s{si}s{si}}", "config", "t", 3, "claim.config", "t", t);
        layerd_request request = {
            .path = "/check/svm/loss", .params = loss, .inputs = {{"x", &tx}, {"y", &ty}}};
        json_decref(check_well(client, &request, t == 4 ? "right" : "wrong"));
        request = (layerd_request){
            .path = "/check/adam/update", .params = count, .inputs = {{"w", &step}, {"dw", &step}}};
        json_decref(check_well(client, &request, t == 4 ? "right" : "wrong"));
        json_decref(loss);
        json_decref(count);
    }
    layerd_close(client);
    daemon_stop(p);
}

Test(client_check, what_cannot_be_checked_is_told) {
    process *p = daemon_start(NULL);
    layerd_client *client = open_client(p);
    layerd_tensor tx = TENSOR(LAYERD_FLOAT64, x, 4), none = {0};
    layerd_request request = {.path = "/check/relu/forward", .inputs = {{"x", &tx}}};
    check_wrongly(client, &request, "missing_field", "/claim", "claim");
    request.inputs[1] = (layerd_input){"claim.dx", &tx};
    check_wrongly(client, &request, "unknown_field", "/claim/dx", "dx");
    request.inputs[1] = (layerd_input){"claim.out", &none};
    check_wrongly(client, &request, "invalid_input", "/claim/out", "claim.out");
    check_wrongly(client, NULL, "invalid_input", "", "NULL");
    request.inputs[1] = (layerd_input){"claim.out", &tx};
    check_wrongly(NULL, &request, "invalid_input", "", "client");
    layerd_close(client);
    daemon_stop(p);
}

/* The answer to a challenge of relu, `sign` times the right one. */
static json_t *answer_relu(layerd_client *client, const layerd_answer *challenge, double sign,
                           layerd_error *error) {
    layerd_tensor *out = layerd_answer_tensor(challenge, "x");
    for (size_t i = 0; i < out->size; i++)
        out->f64[i] = out->f64[i] > 0 ? sign * out->f64[i] : 0;
    json_t *text = layerd_answer_value(challenge, "challenge");
    json_t *params = json_pack("{sO}", "challenge", text);
    layerd_request request = {.path = "/challenge/answer",
                              .query = "detail=verdict",
                              .params = params,
                              .inputs = {{"claim.out", out}}};
    json_t *found = layerd_check(client, &request, error);
    json_decref(params);
    return found;
}

Test(client_check, challenges_are_drawn_and_answered) {
    process *p = daemon_start(NULL);
    layerd_client *client = open_client(p);
    json_t *asked = json_pack("{ss}", "operation", "relu/forward");
    layerd_request request = {.path = "/challenge", .params = asked};
    layerd_error error = {0};
    layerd_answer *challenge = run_well(client, &request);
    CHECK_TEXT(json_string_value(layerd_answer_value(challenge, "claims")), "out");
    json_t *found = answer_relu(client, challenge, 1, &error);
    cr_assert(found, "%s: %s", error.code, error.detail);
    CHECK_TEXT(json_string_value(json_object_get(found, "verdict")), "right");
    json_decref(found);
    found = answer_relu(client, challenge, 2, &error);
    CHECK(!found, "it was answered twice");
    check_refused(NULL, &error, "challenge_spent", "/challenge", "");
    json_decref(asked);
    layerd_answer_free(challenge);
    layerd_close(client);
    daemon_stop(p);
}
