/* invalid_json: what is not JSON, and where. */
#include <string.h>

#include "http/daemon.h"

DAEMON_SUITE(errors_json);

typedef struct {
    const char *body;
    int offset; /* of the first byte that cannot be right; line and column follow from it */
} fault;

static void expect_place(const answer *a, const char *body, size_t length, int offset) {
    int line = 1, column = 1;
    for (int i = 0; i < offset; i++) {
        column = body[i] == '\n' ? 1 : column + 1;
        line += body[i] == '\n';
    }
    json_t *at = json_object_get(a->json, "offset");
    CHECK(!strcmp(text_at(a, "code"), "invalid_json"), "%.60s (%zu bytes): %s", body, length,
          a->body);
    CHECK(json_integer_value(at) == offset, "%.60s: not at byte %d: %s", body, offset, a->body);
    CHECK(number_at(a, "line") == line && number_at(a, "column") == column,
          "%.60s: not at line %d, column %d: %s", body, line, column, a->body);
}

static void expect_faults(const fault *faults, size_t count) {
    process *p = daemon_start(NULL);
    for (size_t i = 0; i < count; i++) {
        size_t length = strlen(faults[i].body);
        expect_place(post_bytes(p->caller, "/relu/forward", NULL, faults[i].body, length),
                     faults[i].body, length, faults[i].offset);
    }
    daemon_stop(p);
}

#define EXPECT_FAULTS(...)                                                                         \
    expect_faults((const fault[]){__VA_ARGS__},                                                    \
                  sizeof((const fault[]){__VA_ARGS__}) / sizeof(fault))

Test(errors_json, what_is_not_json_at_all) {
    EXPECT_FAULTS({"", 0}, {"hello", 0}, {"x=1&y=2", 0}, {"<html>", 0}, {"'x'", 0}, {"}", 0},
                  {"]", 0}, {"\xef\xbb\xbf{}", 0}, {"nul", 0}, {"tru", 0}, {"@", 0}, {"\\", 0});
}

Test(errors_json, in_lists_exactly) {
    EXPECT_FAULTS({"{\"x\": [1 2]}", 9}, {"{\"x\": [1,,2]}", 9}, {"{\"x\": [,1]}", 7},
                  {"{\"x\": [1, 2, }", 13}, {"{\"x\": [1, 2,]}", 12}, {"{\"x\": [1}", 8},
                  {"{\"x\": [[1, 2], [3 4]]}", 18}, {"{\"x\": [1, two]}", 10}, {"{\"x\": [.5]}", 7},
                  {"{\"x\": [+1]}", 7}, {"{\"x\": [1, 'a']}", 10}, {"{\"x\": [[1], [2]] [3]}", 17},
                  {"{\"x\": [1]]}", 9});
}

Test(errors_json, in_numbers) {
    EXPECT_FAULTS({"{\"x\": [1.]}", 9}, {"{\"x\": [-]}", 8}, {"{\"x\": [1e]}", 9},
                  {"{\"x\": [1e+]}", 10}, {"{\"x\": [01]}", 8}, {"{\"x\": [0x10]}", 8},
                  {"{\"x\": [1.5.5]}", 10}, {"{\"x\": [1_000]}", 8}, {"{\"x\": 1.}", 8},
                  {"{\"x\": -}", 7}, {"{\"x\": .5}", 6}, {"{\"x\": [--1]}", 8});
}

Test(errors_json, between_members) {
    EXPECT_FAULTS({"{:1}", 1}, {":", 0}, {"{\"x\" [1]}", 5}, {"{\"x\": 1 \"y\": 2}", 8},
                  {"{x: 1}", 1}, {"{,}", 1}, {"{\"x\": [1],}", 10}, {"{\"x\": [1]} x", 11},
                  {"{\"x\": [1]}{}", 10}, {"{\"x\":: [1]}", 5}, {"{\"x\": tru}", 6},
                  {"{\"x\": }", 6}, {"{5: 1}", 1}, {"{\"x\": [1] // why\n}", 10},
                  {"{\"x\": undefined}", 6});
}

Test(errors_json, a_body_that_is_cut_off) {
    EXPECT_FAULTS({"{", 1}, {"{\"x\"", 4}, {"{\"x\":", 5}, {"{\"x\": [", 7}, {"{\"x\": [1", 8},
                  {"{\"x\": [1,", 9}, {"{\"x\": [1]", 9}, {"[", 1}, {"[[[", 3},
                  {"{\"x\": [[1, 2], [3, 4]", 21});
}

Test(errors_json, a_body_that_is_cut_off_behind_a_sign) {
    EXPECT_FAULTS({"{\"x\": [-", 8}, {"{\"x\": [1, -", 11});
}

Test(errors_json, on_later_lines) {
    EXPECT_FAULTS({"{\n  \"x\": [1, 2,\n        3, x]\n}\n", 27}, {"{\n\n\n  \"x\" [1]\n}", 10},
                  {"{\"x\": [1,\n2,\n\n\n3 4]}", 17}, {"\n\n\n", 3},
                  {"{\r\n\"x\": [1,,]\r\n}", 11});
}

/* Of a string that is wrong inside, the place is its start. */
Test(errors_json, in_strings) {
    EXPECT_FAULTS({"{\"dtype\": \"float64}", 10}, {"{\"a\\q\": 1}", 1}, {"{\"x\xff\": 1}", 1},
                  {"{\"dtype\": \"a\tb\"}", 10}, {"{\"dtype\": \"\\ud800\"}", 10},
                  {"{\"x\": [1, \"a\nb\"]}", 12});
}

Test(errors_json, a_key_twice) {
    EXPECT_FAULTS({"{\"x\": [1], \"x\": [2]}", 11},
                  {"{\"x\": 1, \"dtype\": \"float64\", \"x\": 2}", 29});
}

Test(errors_json, a_nul_is_no_space) {
    static const char body[] = "{\"x\":\0 [1]}";
    process *p = daemon_start(NULL);
    expect_place(post_bytes(p->caller, "/relu/forward", NULL, body, sizeof body - 1), body,
                 sizeof body - 1, 5);
    daemon_stop(p);
}

Test(errors_json, an_empty_post_is_told_to_be_empty) {
    process *p = daemon_start(NULL);
    expect_detail(post_bytes(p->caller, "/relu/forward", NULL, "", 0), "empty");
    expect_detail(fetch(p->caller, "POST", "/relu/forward", NULL), "empty");
    daemon_stop(p);
}

Test(errors_json, rank_32_is_the_most) {
    process *p = daemon_start(NULL);
    char body[160];
    for (int rank = 31; rank <= 34; rank++) {
        char open[40] = "", close[40] = "";
        memset(open, '[', (size_t)rank);
        memset(close, ']', (size_t)rank);
        snprintf(body, sizeof body, "{\"x\":%s1%s}", open, close);
        const answer *a = post_bytes(p->caller, "/relu/forward", NULL, body, strlen(body));
        if (rank <= 32)
            CHECK_EQUAL(a->status, 200);
        else
            expect_problem(a, "invalid_shape", NULL);
    }
    daemon_stop(p);
}
