/* An allocation that fails while anything but an operation is asked for, or one that is refused. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "unit/server/starving.h"

#define SUBMISSION                                                                                 \
    "\"submission\":\"9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08\""

/* Requests that end in a problem, or in a document. */
Test(allocation, of_every_other_answer) {
    static const struct {
        int status;
        const char *method, *path, *body, *accept, *content_type;
    } rows[] = {
        {200, "GET", "/healthz", "", NULL, NULL},
        {200, "HEAD", "/readyz", "", NULL, NULL},
        {200, "GET", "/version", "", NULL, NULL},
        {200, "GET", "/metrics", "", NULL, NULL},
        {200, "GET", "/openapi.json", "", NULL, NULL},
        {200, "GET", "/challenge", "", NULL, NULL},
        {200, "POST", "/challenge", "{\"operation\":\"affine/forward\"," SUBMISSION "}", NULL,
         NULL},
        {200, "POST", "/challenge", "{\"operation\":\"affine/backward\"," SUBMISSION "}",
         BYTES_TYPE, NULL},
        {404, "GET", "/nothing", "", NULL, NULL},
        {404, "GET", "/cache/0123456789abcdef0123456789abcdef", "", NULL, NULL},
        {404, "DELETE", "/cache/0123456789abcdef0123456789abcdef", "", NULL, NULL},
        {405, "PUT", "/relu/forward", "", NULL, NULL},
        {406, "POST", "/relu/forward", "{\"x\":[1]}", "text/html", NULL},
        {415, "POST", "/relu/forward", "{\"x\":[1]}", NULL, "text/plain"},
        {400, "POST", "/relu/forward", "", NULL, NULL},
        {400, "POST", "/relu/forward", "{\"x\":[1,2}", NULL, NULL},
        {400, "POST", "/relu/forward", "{\"x\":[1,2],}", NULL, NULL},
        {400, "POST", "/relu/forward", "{\"x\":[1],\"x\":[1]}", NULL, NULL},
        {400, "POST", "/relu/forward", "{\"x\":[1],\"dtype\":\"\\ud800\"}", NULL, NULL},
        {400, "POST", "/relu/forward", "bytes", NULL, BYTES_TYPE},
        {422, "POST", "/relu/forward", "{}", NULL, NULL},
        {422, "POST", "/relu/forward", "[1]", NULL, NULL},
        {422, "POST", "/relu/forward", "{\"x\":[1],\"xs\":[2]}", NULL, NULL},
        {422, "POST", "/relu/forward", "{\"x\":\"one\"}", NULL, NULL},
        {422, "POST", "/relu/forward", "{\"x\":[[1],2]}", NULL, NULL},
        {422, "POST", "/relu/forward", "{\"x\":[1e999]}", NULL, NULL},
        {422, "POST", "/relu/forward", "{\"x\":[1],\"dtype\":\"int8\"}", NULL, NULL},
        {422, "POST", "/relu/forward", "{\"x\":{\"shape\":[2],\"data\":[1]}}", NULL, NULL},
        {422, "POST", "/relu/backward", "{\"dout\":[1]}", NULL, NULL},
        {404, "POST", "/relu/backward", "{\"dout\":[1],\"cache\":\"none\"}", NULL, NULL},
        {422, "POST", "/affine/forward", "{\"x\":[[1]],\"w\":[[1],[2]],\"b\":[1]}", NULL, NULL},
        {422, "POST", "/dropout/forward",
         "{\"x\":[1],\"dropout_param\":{\"p\":2,\"mode\":\"train\"}}", NULL, NULL},
        {422, "POST", "/dropout/forward",
         "{\"x\":[1],\"dropout_param\":{\"p\":1,\"mode\":\"train\",\"mask\":[2]}}", NULL, NULL},
        {422, "POST", "/challenge", "{\"operation\":\"affine/sideward\"}", NULL, NULL},
        {422, "POST", "/challenge", "{\"operation\":[\"affine/forward\"]}", NULL, NULL},
        {422, "POST", "/svm/loss", "{\"x\":[[1,2]],\"y\":[5]}", NULL, NULL},
        {422, "POST", "/svm/loss", "{\"x\":[[1,2]],\"y\":[0.5]}", NULL, NULL},
    };
    service service;
    starving_start(&service, STARVING_BUDGET);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        starving s = {.service = &service,
                      .about = *rows[i].body ? rows[i].body : rows[i].path,
                      .sent = {.head = {.method = rows[i].method,
                                        .path = rows[i].path,
                                        .accept = rows[i].accept,
                                        .content_type = rows[i].content_type},
                               .body = rows[i].body,
                               .length = strlen(rows[i].body)}};
        starve(&s, rows[i].status);
    }
    serving_stop(&service);
}

Test(allocation, of_what_is_told_of_handles) {
    service service;
    starving_start(&service, STARVING_BUDGET);
    static const char x[] = "{\"x\":[1,-1]}";
    const sent giver = {
        .head = {.method = "POST", .path = "/relu/forward"}, .body = x, .length = sizeof x - 1};
    char path[] = "/cache/00000000000000000000000000000000";
    char wrong[] = "{\"dout\":[[1]],\"cache\":\"00000000000000000000000000000000\"}";
    starving s = {.service = &service, .about = "a handle", .giver = &giver};
    s.sent.head = (request){.method = "GET", .path = path};
    s.handle = path + strlen("/cache/");
    starve(&s, 200);
    s.sent.head.method = "DELETE";
    starve(&s, 204);
    s.sent = (sent){.head = {.method = "POST", .path = "/affine/backward"},
                    .body = wrong,
                    .length = strlen(wrong)};
    s.handle = strstr(wrong, "0000");
    starve(&s, 422);
    serving_stop(&service);
}

/* A step of training: kept weights in, gradients, an update, a cache and new weights kept, the old
 * ones released. */
static const char training[] =
    "{\"inputs\":{\"x\":[[1,2],[3,4]],\"y\":[0,1],\"b\":{\"shape\":[2],\"data\":[0,1]},"
    "\"w\":{\"tensor\":\"00000000000000000000000000000000\"}},"
    "\"nodes\":[{\"name\":\"a\",\"op\":\"affine/forward\",\"x\":\"x\",\"w\":\"w\",\"b\":\"b\"},"
    "{\"name\":\"r\",\"op\":\"relu/forward\",\"x\":\"a.out\"},"
    "{\"name\":\"l\",\"op\":\"softmax/loss\",\"x\":\"r.out\",\"y\":\"y\"},"
    "{\"name\":\"m\",\"op\":\"svm/loss\",\"x\":\"r.out\",\"y\":\"y\"},"
    "{\"name\":\"d\",\"op\":\"gradients\",\"of\":[\"l.loss\",\"m.loss\"],"
    "\"for\":[\"w\",\"b\",\"l.dx\"]},"
    "{\"name\":\"u\",\"op\":\"adam/update\",\"w\":\"w\",\"dw\":\"d.w\"}],"
    "\"give\":[\"l.loss\",\"d.b\",\"u.config.t\",\"d.l.dx\"],"
    "\"keep\":[\"u.next_w\",\"u.config.m\",\"a.cache\",\"x\"],"
    "\"release\":[\"00000000000000000000000000000000\"]}";

static const char putting[] = "{\"inputs\":{\"w\":[[1,-2],[0.5,3]]},\"nodes\":[],\"keep\":[\"w\"]}";

/* A safetensors file without tensors, whose __metadata__ has a document. Returns its length. */
static size_t as_file(const char *document, char *file) {
    char *out = file + 8 + sprintf(file + 8, "{\"__metadata__\":{\"graph\":\"");
    for (; *document; document++) {
        if (*document == '"')
            *out++ = '\\';
        *out++ = *document;
    }
    out += sprintf(out, "\"}}");
    uint64_t header = (uint64_t)(out - file - 8);
    memcpy(file, &header, sizeof header);
    return (size_t)(out - file);
}

Test(allocation, of_a_graph) {
    static char text[sizeof training], file[2 * sizeof training];
    service service;
    starving_start(&service, STARVING_BUDGET);
    const sent giver = {.head = {.method = "POST", .path = "/graph"},
                        .body = putting,
                        .length = sizeof putting - 1};
    for (style style = NESTED; style < STYLES; style++) {
        starving s = {.service = &service, .about = "a graph", .giver = &giver};
        strcpy(text, training);
        s.sent = (sent){.head = {.method = "POST", .path = "/graph"}, .body = text};
        s.sent.length = strlen(text);
        if (style == FROM_BYTES) {
            s.sent.length = as_file(text, file);
            s.sent.body = file;
        }
        starving_style(&s.sent, style);
        /* the handle stands twice: of both, the released one is given up */
        s.handle = memmem(s.sent.body, s.sent.length, no_handle, HANDLE_TEXT - 1);
        s.second =
            memmem(s.handle + 1, s.sent.length - (size_t)(s.handle + 1 - (const char *)s.sent.body),
                   no_handle, HANDLE_TEXT - 1);
        starve(&s, 200);
    }
    serving_stop(&service);
}

/* A challenge of a submission, which may be answered any number of times. */
static void give_challenge(service *service, char challenge[CHALLENGE_TEXT]) {
    static const char asked[] = "{\"operation\":\"affine/backward\"," SUBMISSION "}";
    served given = serve(service, &(sent){.head = {.method = "POST", .path = "/challenge"},
                                          .body = asked,
                                          .length = sizeof asked - 1});
    const char *at = given.good ? strstr(given.body, "lc1.") : NULL;
    cr_assert(at);
    snprintf(challenge, CHALLENGE_TEXT, "%.*s", (int)strcspn(at, "\""), at);
    free(given.body);
}

Test(allocation, of_an_answer_to_a_challenge) {
    static const struct {
        int status;
        const char *claim;
    } rows[] = {
        {200, "{\"dx\":{\"shape\":[5,4],\"data\":[1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1]},"
              "\"dw\":[1],\"db\":[0,0,0]}"},
        {422, "{\"dx\":[[1]],\"db\":[1,2,3]}"},
        {422, "{\"dx\":[[1],2],\"dw\":1,\"db\":[1,2,3]}"},
    };
    char challenge[CHALLENGE_TEXT], body[2 * CHALLENGE_TEXT];
    service service;
    starving_start(&service, STARVING_BUDGET);
    give_challenge(&service, challenge);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        starving s = {.service = &service, .about = rows[i].claim};
        s.sent = (sent){.head = {.method = "POST", .path = "/challenge/answer"}, .body = body};
        s.sent.length = (size_t)snprintf(body, sizeof body, "{\"challenge\":\"%s\",\"claim\":%s}",
                                         challenge, rows[i].claim);
        starve(&s, rows[i].status);
    }
    serving_stop(&service);
}

/* cache_full and result_too_large are found before anything is computed. */
Test(allocation, past_the_limits) {
    static const char small[] = "{\"x\":[1]}";
    char large[8192] = "{\"x\":[0";
    service service;
    starving_start(&service, 1);
    starving s = {.service = &service, .about = "past the limits"};
    s.sent = (sent){.head = {.method = "POST", .path = "/relu/forward"},
                    .body = small,
                    .length = sizeof small - 1};
    starve(&s, 503);
    for (char *out = large + strlen(large); out < large + 6000; out += 2)
        strcpy(out, ",0");
    strcat(large, "]}");
    s.sent.body = large;
    s.sent.length = strlen(large);
    starve(&s, 422);
    serving_stop(&service);
}
