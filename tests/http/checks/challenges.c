/* Challenges that are given: inputs, claims, and what is refused. */
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "http/guests.h"
#include "http/refusal.h"
#include "key_file.h"

static void clean_up(void);

TestSuite(challenges, .timeout = 50, .fini = clean_up);

#define SUBMISSION  "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
#define CAPITALS    "9F86D081884C7D659A2FEAA0C55AD015A3BF4F1B2B0B822CD15D6C15B0F00A08"
#define SUBMISSION2 "60303ae22b998861bce3b28f33eec1be758a213c86c93c076dbe9f558c11c752"
#define KEY         "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"
#define OTHER_KEY   "ffeeddccbbaa99887766554433221100ffeeddccbbaa99887766554433221100"

static void clean_up(void) {
    key_file_clean_up();
    guests_clean_up();
}

static const json_t *inputs_of(const answer *a) {
    cr_assert(a->status == 200, "%s: %d %.300s", a->about, a->status, a->body);
    return json_object_get(a->json, "inputs");
}

static bool same_inputs(const answer *a, const answer *b) {
    return json_equal(inputs_of(a), inputs_of(b));
}

/* Whether all numbers are multiples of 1/16. */
static bool is_on_grid(const json_t *value) {
    size_t i;
    json_t *item;
    const char *key;
    if (json_is_number(value))
        return json_number_value(value) * 16 == (long)(json_number_value(value) * 16);
    json_array_foreach(value, i, item) if (!is_on_grid(item)) return false;
    json_object_foreach((json_t *)value, key, item) if (!is_on_grid(item)) return false;
    return true;
}

Test(challenges, one_has_inputs_and_says_what_is_to_be_claimed) {
    process *p = daemon_start(NULL);
    const answer *a = post(p->caller, "/challenge", "{'operation':'affine/forward'}");
    const json_t *inputs = inputs_of(a);
    CHECK_EQUAL(json_object_size(a->json), 5);
    CHECK_EQUAL(json_object_size(inputs), 3);
    CHECK_TRUE(json_is_real(json_array_get(json_array_get(json_object_get(inputs, "x"), 0), 0)));
    CHECK_TRUE(json_is_real(json_array_get(json_object_get(inputs, "b"), 0)));
    CHECK_TRUE(is_on_grid(inputs));
    CHECK_TRUE(!strncmp(text_at(a, "challenge"), "lc1.", 4));
    CHECK_TEXT(text_at(a, "operation"), "affine/forward");
    CHECK_EQUAL(json_array_size(json_object_get(a->json, "claims")), 1);
    CHECK_TEXT(json_string_value(json_array_get(json_object_get(a->json, "claims"), 0)), "out");
    int year, month, day, hour, minute, second, thousandth;
    CHECK(sscanf(text_at(a, "expires"), "%4d-%2d-%2dT%2d:%2d:%2d.%3dZ", &year, &month, &day, &hour,
                 &minute, &second, &thousandth) == 7,
          "%s", text_at(a, "expires"));
    char *text = json_dumps(inputs, JSON_COMPACT);
    CHECK_EQUAL(post(p->caller, "/affine/forward?cache=none", "%s", text)->status, 200);
    free(text);
    daemon_stop(p);
}

Test(challenges, they_are_listed) {
    process *p = daemon_start(NULL);
    const answer *a = fetch(p->caller, "GET", "/challenge", NULL);
    const json_t *operations = json_object_get(a->json, "operations");
    const char *operation;
    json_t *cases;
    size_t i;
    json_t *name;
    CHECK_EQUAL(json_object_size(a->json), 1);
    CHECK_TRUE(json_object_size(operations) > 0);
    json_object_foreach((json_t *)operations, operation, cases) {
        CHECK_TEXT(json_string_value(json_array_get(cases, 0)), "plain");
        json_array_foreach(cases, i, name) {
            const answer *given = post(p->caller, "/challenge", "{'operation':'%s','case':'%s'}",
                                       operation, json_string_value(name));
            CHECK(given->status == 200 && is_on_grid(inputs_of(given)), "%s %s: %.300s", operation,
                  json_string_value(name), given->body);
        }
    }
    CHECK_EQUAL(fetch(p->caller, "HEAD", "/challenge", NULL)->status, 200);
    expect_problem(fetch(p->caller, "DELETE", "/challenge", NULL), "method_not_allowed", "");
    expect_problem(fetch(p->caller, "GET", "/challenge/lc1.x", NULL), "not_found", "");
    daemon_stop(p);
}

Test(challenges, a_submission_has_its_inputs_and_others_have_others) {
    static const char *const same[] = {
        "{'operation':'affine/forward','submission':'" SUBMISSION "'}",
        "{'submission':'" SUBMISSION "','operation':'affine/forward','case':'plain',"
        "'dtype':'float64','assignment':''}",
        "{'operation':'affine/forward','submission':'" CAPITALS "'}",
    };
    static const char *const others[] = {
        "{'operation':'affine/forward','submission':'" SUBMISSION2 "'}",
        "{'operation':'affine/forward','assignment':'a2','submission':'" SUBMISSION "'}",
        "{'operation':'affine/forward','case':'one','submission':'" SUBMISSION "'}",
        "{'operation':'affine/forward','dtype':'float32','submission':'" SUBMISSION "'}",
        "{'operation':'affine/backward','submission':'" SUBMISSION "'}",
        "{'operation':'affine/forward'}",
        "{'operation':'affine/forward'}",
    };
    enum { SAME = sizeof same / sizeof *same, OTHERS = sizeof others / sizeof *others };
    const answer *got[1 + OTHERS];
    process *p = daemon_start(NULL);
    got[0] = post(p->caller, "/challenge", "%s", same[0]);
    for (int i = 1; i < SAME; i++)
        CHECK(same_inputs(got[0], post(p->caller, "/challenge", "%s", same[i])), "%s", same[i]);
    for (int i = 0; i < OTHERS; i++) {
        got[1 + i] = post(p->caller, "/challenge", "%s", others[i]);
        for (int j = 0; j <= i; j++)
            CHECK(!same_inputs(got[1 + i], got[j]), "%s: as %d", others[i], j);
    }
    daemon_stop(p);
}

Test(challenges, inputs_are_the_same_for_ever_under_one_key) {
    char *before, *after;
    process *p = daemon_start(OPTIONS("--challenge-key", key_file(KEY)));
    const char *asked = "{'operation':'affine/backward','submission':'" SUBMISSION "'}";
    before = json_dumps(inputs_of(post(p->caller, "/challenge", "%s", asked)), JSON_SORT_KEYS);
    daemon_stop(p);
    /* the same key in other words; a second one that only verifies */
    p = daemon_start(OPTIONS("--challenge-key", key_file(KEY "\n" OTHER_KEY "\n")));
    after = json_dumps(inputs_of(post(p->caller, "/challenge", "%s", asked)), JSON_SORT_KEYS);
    CHECK_TEXT(after, before);
    free(after);
    daemon_stop(p);
    p = daemon_start(OPTIONS("--challenge-key", key_file(OTHER_KEY)));
    after = json_dumps(inputs_of(post(p->caller, "/challenge", "%s", asked)), JSON_SORT_KEYS);
    CHECK_TRUE(strcmp(after, before) != 0);
    free(after);
    free(before);
    daemon_stop(p);
}

Test(challenges, tensors_come_flat_and_as_bytes) {
    process *p = daemon_start(NULL);
    static const char asked[] =
        "{\"operation\":\"affine/forward\",\"submission\":\"" SUBMISSION "\"}";
    const answer *nested = post(p->caller, "/challenge", "%s", asked);
    const answer *flat = post(p->caller, "/challenge?tensors=flat", "%s", asked);
    const answer *bytes =
        post_bytes(p->caller, "/challenge", HEADERS("Accept: application/vnd.safetensors"), asked,
                   strlen(asked));
    const json_t *x = json_at(flat->json, "inputs.x");
    const json_t *first = json_array_get(json_array_get(json_at(nested->json, "inputs.x"), 0), 0);
    CHECK_EQUAL(json_array_size(json_object_get(x, "shape")), 2);
    CHECK_TRUE(json_equal(json_array_get(json_object_get(x, "data"), 0), first));
    CHECK_TRUE(json_equal(json_object_get(bytes->json, "x"), json_at(nested->json, "inputs.x")));
    CHECK_TRUE(json_equal(json_object_get(bytes->json, "b"), json_at(nested->json, "inputs.b")));
    CHECK_TRUE(!strncmp(text_at(bytes, "challenge"), "lc1.", 4));
    CHECK_TEXT(text_at(bytes, "operation"), "affine/forward");
    CHECK_TEXT(text_at(bytes, "claims"), "out");
    CHECK_EQUAL(strlen(text_at(bytes, "expires")), 24);
    expect_problem(post(p->caller, "/challenge?tensors=round", "%s", asked), "invalid_query", "");
    daemon_stop(p);
}

Test(challenges, one_may_be_asked_for_in_a_file) {
    process *p = daemon_start(NULL);
    static const struct {
        const char *header, *code, *pointer;
    } rows[] = {
        {"{'__metadata__':{'operation':'affine/forward','submission':'" SUBMISSION "'}}", NULL,
         NULL},
        {"{'__metadata__':{'operation':'affine/forward','format':'np'}}", NULL, NULL},
        {"{'__metadata__':{'operation':'affine'}}", "invalid_param", "/operation"},
        {"{'__metadata__':{'operatio':'affine/forward'}}", "unknown_field", "/operatio"},
        {"{}", "missing_field", "/operation"},
        {"{'case':{'dtype':'F64','shape':[0],'data_offsets':[0,0]}}", "wrong_type", "/case"},
        {"{'x':{'dtype':'F64','shape':[0],'data_offsets':[0,0]}}", "unknown_field", "/x"},
        {"{", "invalid_safetensors", ""},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char file[512], *text = json_text("%s", rows[i].header);
        uint64_t length = strlen(text);
        memcpy(file, &length, 8);
        memcpy(file + 8, text, length);
        const answer *a =
            post_bytes(p->caller, "/challenge",
                       HEADERS("Content-Type: application/vnd.safetensors"), file, 8 + length);
        free(text);
        if (rows[i].code)
            expect_problem(a, rows[i].code, rows[i].pointer);
        else
            CHECK_TRUE(json_is_array(json_at(a->json, "inputs.x")));
    }
    daemon_stop(p);
}

#define FORWARD "'operation':'affine/forward'"

Test(challenges, what_is_asked_wrongly_is_refused) {
    static const refusal rows[] = {
        {"/challenge", "{}", "missing_field", "/operation", {"affine/forward"}},
        {"/challenge",
         "{'operation':'affine/forwrd'}",
         "invalid_param",
         "/operation",
         {"nearest is \"affine/forward\""}},
        {"/challenge",
         "{'operation':'zzz/yyyyyyy'}",
         "invalid_param",
         "/operation",
         {"GET /challenge"}},
        {"/challenge", "{'operation':'affine'}", "invalid_param", "/operation", {"affine"}},
        {"/challenge",
         "{" FORWARD ",'case':'plane'}",
         "invalid_param",
         "/case",
         {"\"plain\"", "\"one\"", "affine/forward"}},
        {"/challenge", "{" FORWARD ",'dtype':'float16'}", "invalid_param", "/dtype", {"float32"}},
        {"/challenge",
         "{" FORWARD ",'submission':'abc'}",
         "invalid_param",
         "/submission",
         {"SHA-256", "64"}},
        {"/challenge",
         "{" FORWARD ",'submission':'" SUBMISSION "0'}",
         "invalid_param",
         "/submission",
         {"64"}},
        {"/challenge",
         "{" FORWARD ",'submission':'g"
         "f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08'}",
         "invalid_param",
         "/submission",
         {"64"}},
        {"/challenge",
         "{" FORWARD ",'assignment':'"
         "0123456789012345678901234567890123456789012345678901234567890123456789"
         "0123456789012345678901234567890123456789012345678901234567890123456789'}",
         "invalid_param",
         "/assignment",
         {"140", "128"}},
        {"/challenge",
         "{" FORWARD ",'asignment':'x'}",
         "unknown_field",
         "/asignment",
         {"\"assignment\""}},
        {"/challenge", "{" FORWARD ",'once':true}", "unknown_field", "/once", {"\"submission\""}},
        {"/challenge", "{" FORWARD ",'case':null}", "wrong_type", "/case", {"null", "string"}},
        {"/challenge", "{" FORWARD ",'case':1}", "wrong_type", "/case", {"number", "string"}},
        {"/challenge", "{" FORWARD ",'case':['plain']}", "wrong_type", "/case", {"list", "string"}},
        {"/challenge", "{" FORWARD ",'case':[1]}", "wrong_type", "/case", {"list", "string"}},
        {"/challenge", "{" FORWARD ",'x':[[1],2]}", "unknown_field", "/x", {"\"case\""}},
        {"/challenge", "{" FORWARD ",'dtype':{'a':'b'}}", "wrong_type", "/dtype", {"object"}},
        {"/challenge", "{'operation':true}", "wrong_type", "/operation", {"string"}},
        {"/challenge", "['affine/forward']", "wrong_type", "", {"object"}},
        {"/challenge", "{" FORWARD "," FORWARD "}", "invalid_json", "", {"line 1"}},
        {"/challenge", "", "invalid_json", "", {"empty"}},
    };
    EXPECT(rows);
}

/* ---- options ---------------------------------------------------------------------------------
 */

static void expect_no_start(const char *text, mode_t mode, const char *words) {
    const char *file = key_file(text);
    cr_assert(chmod(file, mode) == 0);
    run r = daemon_run(OPTIONS("--listen", "127.0.0.1:0", "--challenge-key", file));
    CHECK(r.status == 2, "\"%.20s\": exit status %d, not 2", text, r.status);
    CHECK(strstr(r.error, words) && strstr(r.error, file), "\"%.20s\": no %s: %s", text, words,
          r.error);
    cr_assert(chmod(file, 0600) == 0);
}

Test(challenges, a_key_that_is_none_ends_the_start) {
    expect_no_start("", 0600, "0 bytes");
    expect_no_start("too short", 0600, "9 bytes");
    expect_no_start(KEY "x\n", 0600, "66 bytes");
    expect_no_start(KEY "\n" OTHER_KEY "\n" KEY "\n", 0600, "195 bytes");
    expect_no_start(KEY, 0620, "chmod go-w");
    run r = daemon_run(OPTIONS("--challenge-key", "/nowhere/key"));
    CHECK_TRUE(r.status == 2 && strstr(r.error, "--challenge-key /nowhere/key: No such file"));
    r = daemon_run(OPTIONS("--challenge-key="));
    CHECK_TRUE(r.status == 2 && strstr(r.error, "the path of a file"));
}

/* "dumpable" is 0 where nobody else of this user may look into the process: then what /proc has of
 * it is root's. */
Test(challenges, a_key_of_a_file_is_kept_to_the_process) {
    char fds[64];
    struct stat of_plain, of_keyed;
    process *p = daemon_start(NULL);
    snprintf(fds, sizeof fds, "/proc/%d/environ", (int)p->pid);
    cr_assert(stat(fds, &of_plain) == 0);
    daemon_stop(p);
    p = daemon_start(OPTIONS("--challenge-key", key_file(KEY)));
    CHECK(!strstr(guests_log(p), "read by everyone"), "%s", guests_log(p));
    snprintf(fds, sizeof fds, "/proc/%d/environ", (int)p->pid);
    cr_assert(stat(fds, &of_keyed) == 0);
    CHECK_EQUAL(of_plain.st_uid, geteuid());
    CHECK_EQUAL(of_keyed.st_uid, 0);
    daemon_stop(p);
    const char *path = key_file(KEY);
    cr_assert(chmod(path, 0644) == 0);
    p = daemon_start(OPTIONS("--challenge-key", path));
    CHECK(strstr(guests_log(p), "can be read by everyone: chmod o-r"), "%s", guests_log(p));
    daemon_stop(p);
}

/* ---- access ----------------------------------------------------------------------------------
 */

enum { ONE, SAME, OTHER, COMPUTES, EXAM };

static guest guests[] = {{"one", "a check", "", "", ""},
                         {"same", "a check", "", "", ""},
                         {"other", "b check", "", "", ""},
                         {"computes", "a compute", "", "", ""},
                         {"exam", "a check", "only=challenge", "", ""},
                         {0}};

Test(challenges, tenants_have_inputs_of_their_own) {
    guests_make(guests);
    process *p = daemon_start(OPTIONS("--tokens", guests_write(guests)));
    caller *callers[EXAM + 1];
    const answer *got[EXAM + 1];
    for (int i = ONE; i <= EXAM; i++) {
        callers[i] = guest_open(p, &guests[i]);
        got[i] = post(callers[i], "/challenge", "{" FORWARD ",'submission':'" SUBMISSION "'}");
    }
    CHECK_TRUE(same_inputs(got[ONE], got[SAME]));
    CHECK_TRUE(same_inputs(got[ONE], got[EXAM]));
    CHECK_TRUE(!same_inputs(got[ONE], got[OTHER]));
    expect_problem(got[COMPUTES], "forbidden", "");
    expect_problem(fetch(callers[COMPUTES], "GET", "/challenge", NULL), "forbidden", "");
    CHECK_EQUAL(fetch(callers[EXAM], "GET", "/challenge", NULL)->status, 200);
    for (int i = ONE; i <= EXAM; i++)
        caller_close(callers[i]);
    daemon_stop(p);
}
