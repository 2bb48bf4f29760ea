/* Which calls leave the thread of their connection: those that would hold it up, for whatever
 * cause. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

#include "routes.h"
#include "unit/server/serving.h"

static const options limits = {.body_limit = 1 << 20,
                               .answer_limit = 64 << 20,
                               .work_limit = 1 << 30,
                               .cache_budget = 1 << 20,
                               .memory = 256 << 20,
                               .threads = 1};

enum { BODY_MOST = 1 << 18 };

/* "name":[[1,1,...],...] */
static char *put_ones(char *out, const char *name, int rows, int columns) {
    out += sprintf(out, "\"%s\":[", name);
    for (int i = 0; i < rows; i++) {
        out += sprintf(out, i ? ",[" : "[");
        for (int j = 0; j < columns; j++)
            out += sprintf(out, j ? ",1" : "1");
        out += sprintf(out, "]");
    }
    return out + sprintf(out, "]");
}

/* Whether a call, asked for by a thread that has others to answer, is put off. */
static bool is_call_put_off(const char *path, char *body, size_t length) {
    service service;
    cr_assert(serving_start(&service, &limits, limits.cache_budget));
    cr_assert(length < BODY_MOST);

    charge charge = {.budget = &service.memory};
    request request = {.method = "POST",
                       .path = path,
                       .query = {{"cache", "none"}},
                       .query_count = 1,
                       .body = layers_tensor_wrap(LAYERS_U8, &length, 1, body),
                       .body_length = length,
                       .charge = &charge};
    route route;
    reply reply = {0};
    problem problem;
    cr_assert(route_find(&request, &route, &problem));
    bool done = route.handle(&service, &route, &request, &reply, &problem);
    cr_assert_eq(done, !reply.later);
    cr_assert_eq(done, reply.body != NULL);
    free(reply.body);
    charge_reduce(&charge, 0);
    serving_stop(&service);
    return reply.later;
}

/* (n,k)·(k,m) */
static bool is_put_off(int n, int k, int m) {
    static char body[BODY_MOST];
    char *out = body;
    *out++ = '{';
    out = put_ones(out, "x", n, k);
    *out++ = ',';
    out = put_ones(out, "w", k, m);
    out += sprintf(out, ",\"b\":[0");
    for (int j = 1; j < m; j++)
        out += sprintf(out, ",0");
    out += sprintf(out, "]}");
    return is_call_put_off("/affine/forward", body, (size_t)(out - body));
}

/* One image of one channel and side · side pixels, padded, with a kernel of kernel · kernel. */
static bool is_conv_put_off(int side, int kernel, int pad) {
    static char body[BODY_MOST];
    char *out = body;
    out += sprintf(out, "{\"x\":[[[");
    for (int i = 0; i < side * side; i++)
        out += sprintf(out, "%s1", i == 0 ? "[" : i % side ? "," : "],[");
    out += sprintf(out, "]]]],\"w\":[[[");
    for (int i = 0; i < kernel * kernel; i++)
        out += sprintf(out, "%s1", i == 0 ? "[" : i % kernel ? "," : "],[");
    out += sprintf(out, "]]]],\"b\":[0],\"conv_param\":{\"pad\":%d}}", pad);
    return is_call_put_off("/conv/forward", body, (size_t)(out - body));
}

Test(dear, what_is_little_in_every_way_is_answered_at_once) {
    cr_assert_not(is_put_off(2, 3, 4));
    cr_assert_not(is_put_off(40, 60, 40));
}

/* 1.5e6 and 3.2e6 operations, the same answer. */
Test(dear, much_arithmetic_is_put_off) {
    cr_assert_not(is_put_off(50, 300, 50));
    cr_assert(is_put_off(50, 640, 50));
}

/* A row times a column: 2500 bytes in, half a megabyte out. */
Test(dear, a_long_answer_to_a_short_request_is_put_off) {
    cr_assert(is_put_off(300, 1, 300));
}

/* 26² places of 9 products; 150² places of 30², of which a few hundred numbers are sent. */
Test(dear, a_convolution_is_told_by_its_products) {
    cr_assert_not(is_conv_put_off(28, 3, 0));
    cr_assert(is_conv_put_off(1, 30, 89));
}
