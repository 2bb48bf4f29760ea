/* The file of tokens: what is taken, what is refused and why, and reading it again. */
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "access/tokens.h"

#include "common/check.h"

static char path[] = "/tmp/layerd-tokens-XXXXXX";

static void make_file(void) {
    int fd = mkstemp(path);
    cr_assert(fd >= 0);
    close(fd);
}

static void remove_file(void) {
    unlink(path);
}

TestSuite(tokens, .init = make_file, .fini = remove_file, .timeout = 60);

static void write_file(const char *text) {
    FILE *file = fopen(path, "we");
    cr_assert(file);
    fputs(text, file);
    cr_assert(fclose(file) == 0);
}

/* The SHA-256 of a token. */
static const char *hash(const char *token) {
    static char text[4][SHA256_HEX + 1];
    static int next;
    unsigned char digest[SHA256_BYTES];
    sha256_of(token, strlen(token), digest);
    hex_write(digest, text[next = (next + 1) % 4]);
    return text[next];
}

static caller *find(tokens *t, const char *token) {
    return tokens_find(t, token, strlen(token));
}

static bool is_known(tokens *t, const char *token) {
    caller *caller = find(t, token);
    caller_release(caller);
    return caller;
}

static tokens *open_text(const char *text) {
    char fault[TOKENS_FAULT];
    write_file(text);
    tokens *t = tokens_open(path, fault);
    cr_assert(t, "%s", fault);
    return t;
}

static token_line read_line(const char *text) {
    token_line line;
    char fault[TOKENS_FAULT];
    cr_assert(line_read(text, strlen(text), &line, fault) == LINE_TOKEN, "%s: %s", text, fault);
    return line;
}

#define HEX "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08" /* of "test" */

Test(tokens, a_line_has_all_that_may_be_said) {
    token_line line = read_line("  grader-a2\tnndl  check,compute " HEX
                                " rate=20 burst=100 work=50G cache=2MiB until=2027-02-01 "
                                "detail=verdict only=challenge # of the course");
    CHECK_TEXT(line.name, "grader-a2");
    CHECK_TEXT(line.tenant, "nndl");
    CHECK_EQUAL(line.scopes, SCOPE_CHECK | SCOPE_COMPUTE);
    CHECK_EQUAL(line.limits.rate, 20);
    CHECK_EQUAL(line.limits.burst, 100);
    CHECK_EQUAL(line.limits.work, 50000000000);
    CHECK_EQUAL(line.cache, 2 << 20);
    CHECK_EQUAL(line.until, 1801526400); /* the end of that day: date -u -d 2027-02-02 +%s */
    CHECK_TRUE(line.verdict_only && line.challenge_only);
    CHECK_EQUAL(line.digest[0], 0x9f);
    CHECK_EQUAL(line.digest[31], 0x08);
    line = read_line("x - admin " HEX);
    CHECK_TEXT(line.tenant, "");
    CHECK_EQUAL(line.scopes, SCOPE_ADMIN);
    CHECK_TRUE(!line.limits.rate && !line.limits.work && line.cache == SIZE_MAX);
    CHECK_TRUE(line.until == INT64_MAX && !line.verdict_only && !line.challenge_only);
    CHECK_EQUAL(read_line("x y check " HEX " rate=7").limits.burst, 7);
    CHECK_EQUAL(read_line("x y check " HEX " until=2028-02-29").until, 1835481600);
}

Test(tokens, a_line_without_a_token_is_empty) {
    static const char *const empty[] = {"", " ", "\t ", "# all", "  #", ("#x y compute " HEX)};
    token_line line;
    char fault[TOKENS_FAULT];
    for (size_t i = 0; i < sizeof empty / sizeof *empty; i++)
        CHECK(line_read(empty[i], strlen(empty[i]), &line, fault) == LINE_EMPTY, "%s", empty[i]);
}

Test(tokens, a_wrong_line_is_refused_by_what_is_wrong) {
    static const char *const rows[][2] = {
        {"x", "there must be a name"},
        {"x y compute", "there must be a name"},
        {"x y compute # " HEX, "there must be a name"},
        {".x y compute " HEX, "the name"},
        {"x\xc3\xa9 y compute " HEX, "the name"},
        {"x\r y compute " HEX, "the name"},
        {"x/y y compute " HEX, "the name"},
        {"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa y compute " HEX,
         "the name"},
        {"x y\" compute " HEX, "the tenant"},
        {"x -- compute " HEX, "the tenant"},
        {"x - compute " HEX, "must have a tenant"},
        {"x - check,admin " HEX, "must have a tenant"},
        {"x y Compute " HEX, "the scopes"},
        {"x y compute, " HEX, "the scopes"},
        {"x y ,compute " HEX, "the scopes"},
        {"x y compute,compute " HEX, "the scopes"},
        {"x y all " HEX, "the scopes"},
        {"x y comput " HEX, "the scopes"},
        {"x y computer " HEX, "the scopes"},
        {"x y compute " HEX "0", "the SHA-256"},
        {"x y compute sha256:" HEX, "the SHA-256"},
        {"x y compute 9f86", "the SHA-256"},
        {"x y compute layerd_E2kPEcMzKPcND9e4kQnpfYKhuGQKjbL3is7SbTFg4SpPgy", "a token itself"},
        {"x y compute " HEX " rate", "behind the SHA-256"},
        {"x y compute " HEX " Rate=1", "behind the SHA-256"},
        {"x y compute " HEX " speed=1", "behind the SHA-256"},
        {"x y compute " HEX " =1", "behind the SHA-256"},
        {"x y compute " HEX " rate=", "rate must be"},
        {"x y compute " HEX " rate=0", "rate must be"},
        {"x y compute " HEX " rate=-1", "rate must be"},
        {"x y compute " HEX " rate=1.5", "rate must be"},
        {"x y compute " HEX " rate=1e3", "rate must be"},
        {"x y compute " HEX " rate=1G", "rate must be"},
        {"x y compute " HEX " rate=1000000001", "rate must be"},
        {"x y compute " HEX " rate=99999999999999999999999", "rate must be"},
        {"x y compute " HEX " rate=1 burst=0", "burst must be"},
        {"x y compute " HEX " burst=1", "burst must have a rate"},
        {"x y compute " HEX " rate=1 rate=1", "rate stands there twice"},
        {"x y compute " HEX " work=1g", "work must be"},
        {"x y compute " HEX " work=99999999999T", "work must be"},
        {"x y compute " HEX " cache=1MB", "cache must be"},
        {"x y compute " HEX " cache=MiB", "cache must be"},
        {"x y compute " HEX " cache=99999999999GiB", "cache must be"},
        {"x - admin " HEX " cache=1MiB", "there is none"},
        {"x y compute " HEX " until=2027-02-29", "until must be"},
        {"x y compute " HEX " until=2027-13-01", "until must be"},
        {"x y compute " HEX " until=2027-00-01", "until must be"},
        {"x y compute " HEX " until=2027-1-1", "until must be"},
        {"x y compute " HEX " until=01.02.2027", "until must be"},
        {"x y compute " HEX " until=", "until must be"},
        {"x y compute " HEX " until=2027-02-01T00:00:00Z", "until must be"},
        {"x y compute " HEX " detail=values", "detail must be"},
        {"x y compute " HEX " only=check", "only must be"},
        {"x y compute " HEX " rate=1 burst=1 work=1 cache=1 until=2027-01-01 detail=verdict "
         "only=challenge rate=1",
         "too many words"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        token_line line;
        char fault[TOKENS_FAULT] = "";
        CHECK(line_read(rows[i][0], strlen(rows[i][0]), &line, fault) == LINE_WRONG, "%s",
              rows[i][0]);
        CHECK(strstr(fault, rows[i][1]), "%s: %s", rows[i][0], fault);
        CHECK(!strstr(fault, "E2kPEcMz") && !strstr(fault, "9f86"), "%s", fault);
    }
}

Test(tokens, any_byte_in_a_line_is_taken_or_refused) {
    const char *good = "x y compute " HEX " rate=1";
    char text[128];
    for (size_t i = 0; good[i]; i++)
        for (int byte = 0; byte < 256; byte++) {
            token_line line;
            char fault[TOKENS_FAULT] = "";
            strcpy(text, good);
            text[i] = (char)byte;
            if (line_read(text, strlen(good), &line, fault) == LINE_WRONG)
                CHECK(*fault, "%d at %zu", byte, i);
        }
}

static char *fault_of(const char *text) {
    static char fault[TOKENS_FAULT];
    write_file(text);
    cr_assert(!tokens_open(path, fault), "%s", text);
    return fault;
}

Test(tokens, a_file_is_refused_by_its_line) {
    CHECK_TEXT(fault_of(""), "it has no token");
    CHECK_TEXT(fault_of("\n# none\n"), "it has no token");
    CHECK_TRUE(strstr(fault_of("a y compute " HEX), "line 1, the last, does not end"));
    CHECK_TRUE(strstr(fault_of("a y compute " HEX "\n\nb y"), "line 3, the last"));
    CHECK_TRUE(strstr(fault_of("#\na y compute " HEX "\na y compute 00\n"), "line 3: the SHA"));
    CHECK_TRUE(strstr(fault_of("a y compute " HEX "\r\n"), "line 1: the SHA"));
    char text[512];
    snprintf(text, sizeof text, "a y compute %s\n#\na y compute %s\n", hash("1"), hash("2"));
    CHECK_TEXT(fault_of(text), "line 3: the name a stands in line 1 as well");
    snprintf(text, sizeof text, "a y compute %s\nb y compute %s\n", hash("1"), hash("1"));
    CHECK_TEXT(fault_of(text), "line 2: the same token stands in line 1 as well");
    snprintf(text, sizeof text, "a y compute %s cache=1MiB\nb y compute %s cache=2MiB\n", hash("1"),
             hash("2"));
    CHECK_TEXT(fault_of(text), "line 2: the tenant y has another cache in line 1, but there can be "
                               "one only");
}

Test(tokens, a_file_that_others_may_write_is_refused) {
    char fault[TOKENS_FAULT];
    static const mode_t good[] = {0400, 0600, 0644, 0755}, bad[] = {0620, 0602, 0666, 0660};
    write_file("a y compute " HEX "\n");
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        chmod(path, bad[i]);
        CHECK(!tokens_open(path, fault) && strstr(fault, "chmod go-w"), "%o: %s", bad[i], fault);
    }
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        chmod(path, good[i]);
        tokens *t = tokens_open(path, fault);
        CHECK(t, "%o: %s", good[i], fault);
        tokens_close(t);
    }
    CHECK_TRUE(!tokens_open("/tmp", fault) && strstr(fault, "not a regular file"));
    CHECK_TRUE(!tokens_open("/dev/zero", fault) && strstr(fault, "not a regular file"));
    CHECK_TRUE(!tokens_open("/nowhere/tokens", fault) && strstr(fault, "No such file"));
    remove_file();
    cr_assert(mkfifo(path, 0600) == 0);
    CHECK_TRUE(!tokens_open(path, fault) && strstr(fault, "not a regular file"));
}

Test(tokens, tokens_are_found_and_nothing_else_is) {
    char text[512];
    snprintf(text, sizeof text, "a y compute %s\nb z check,admin %s\n", hash("one"), hash("two"));
    tokens *t = open_text(text);
    caller *a = find(t, "one"), *b = find(t, "two");
    cr_assert(a && b);
    CHECK_TEXT(a->name, "a");
    CHECK_TEXT(a->tenant->name, "y");
    CHECK_TEXT(b->name, "b");
    CHECK_EQUAL(b->scopes, SCOPE_CHECK | SCOPE_ADMIN);
    static const char *const none[] = {"", "on", "onee", "One", "three", "one ", "\xff"};
    for (size_t i = 0; i < sizeof none / sizeof *none; i++)
        CHECK(!is_known(t, none[i]), "%s", none[i]);
    CHECK_TRUE(!is_known(t, hash("one"))); /* the hash is no token */
    CHECK_EQUAL(tokens_count(t), 2);
    caller_release(a);
    caller_release(b);
    tokens_close(t);
}

Test(tokens, a_reload_is_whole_or_not_at_all) {
    char text[512], fault[TOKENS_FAULT];
    snprintf(text, sizeof text, "a y compute %s rate=5\nb y compute %s cache=1MiB\n", hash("one"),
             hash("two"));
    tokens *t = open_text(text);
    caller *held = find(t, "one");
    cr_assert(held);
    held->usage->passed = 42;
    owner *y = held->tenant;
    CHECK_EQUAL(y->limit, 1 << 20);

    snprintf(text, sizeof text, "c y compute %s cache=3MiB\nwrong\n", hash("three"));
    write_file(text);
    CHECK_TRUE(!tokens_reload(t, fault) && strstr(fault, "line 2"));
    CHECK_TRUE(is_known(t, "one") && is_known(t, "two") && !is_known(t, "three"));
    CHECK_EQUAL(y->limit, 1 << 20);
    remove_file();
    CHECK_TRUE(!tokens_reload(t, fault) && strstr(fault, "No such file"));
    CHECK_TRUE(is_known(t, "one") && is_known(t, "two"));

    snprintf(text, sizeof text, "c y compute %s\na z check %s\n", hash("three"), hash("new"));
    write_file(text);
    cr_assert(tokens_reload(t, fault), "%s", fault);
    CHECK_TRUE(!is_known(t, "one") && !is_known(t, "two") && is_known(t, "three"));
    CHECK_EQUAL(y->limit, SIZE_MAX);
    caller *again = find(t, "new"), *other = find(t, "three");
    cr_assert(again && other);
    CHECK_EQUAL(again->usage->passed, 42); /* of the name */
    CHECK_TRUE(again->tenant != y && other->tenant == y);
    CHECK_EQUAL(held->limits.rate, 5); /* whoever has it has it as it was */
    caller_release(again);
    caller_release(other);
    caller_release(held);
    tokens_close(t);
}

Test(tokens, a_reload_without_descriptors_changes_nothing) {
    char fault[TOKENS_FAULT];
    tokens *t = open_text("a y compute " HEX "\n");
    struct rlimit limit, none;
    getrlimit(RLIMIT_NOFILE, &limit);
    none = limit;
    none.rlim_cur = 0;
    setrlimit(RLIMIT_NOFILE, &none);
    bool good = tokens_reload(t, fault);
    setrlimit(RLIMIT_NOFILE, &limit);
    CHECK_TRUE(!good && strstr(fault, "Too many open files"));
    CHECK_TRUE(is_known(t, "test"));
    CHECK_TRUE(tokens_reload(t, fault));
    tokens_close(t);
}

enum { MANY = 1000000 };

Test(tokens, a_million_lines_are_read_and_each_is_found) {
    char fault[TOKENS_FAULT], token[32];
    FILE *file = fopen(path, "we");
    for (int i = 0; i < MANY; i++) {
        snprintf(token, sizeof token, "token-%d", i);
        fprintf(file, "n%d t%d compute %s rate=10\n", i, i / 2, hash(token));
    }
    fclose(file);
    tokens *t = tokens_open(path, fault);
    cr_assert(t, "%s", fault);
    CHECK_EQUAL(tokens_count(t), MANY);
    for (int i = 0; i < MANY; i += 997) {
        snprintf(token, sizeof token, "token-%d", i);
        caller *caller = find(t, token);
        cr_assert(caller, "%s", token);
        CHECK_EQUAL(atoi(caller->name + 1), i);
        CHECK_EQUAL(atoi(caller->tenant->name + 1), i / 2);
        caller_release(caller);
    }
    CHECK_TRUE(!is_known(t, "token-1000000"));
    write_file("a y compute " HEX "\n");
    CHECK_TRUE(tokens_reload(t, fault));
    CHECK_EQUAL(tokens_count(t), 1);
    tokens_close(t);
}

typedef struct {
    tokens *tokens;
    atomic_bool over;
    atomic_int wrong, found;
} traffic;

static void *look(void *argument) {
    traffic *traffic = argument;
    while (!traffic->over) {
        caller *caller = find(traffic->tokens, "test");
        traffic->wrong += !caller || strcmp(caller->name, "a") != 0 || caller->usage == NULL;
        caller_release(caller);
        traffic->found++;
    }
    return NULL;
}

Test(tokens, whoever_looks_while_it_is_reloaded_finds_what_is_there) {
    enum { THREADS = 4, RELOADS = 300 };
    static const char *const texts[] = {
        "a y compute " HEX "\n", "b y compute 00000000000000000000000000000000000000000000000"
                                 "00000000000000000\na y check " HEX " rate=3\n"};
    traffic traffic = {.tokens = open_text(texts[0])};
    pthread_t threads[THREADS];
    char fault[TOKENS_FAULT];
    for (int i = 0; i < THREADS; i++)
        cr_assert(pthread_create(&threads[i], NULL, look, &traffic) == 0);
    for (int i = 0; i < RELOADS; i++) {
        write_file(texts[i % 2]);
        CHECK(tokens_reload(traffic.tokens, fault), "%s", fault);
    }
    traffic.over = true;
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    CHECK_EQUAL(traffic.wrong, 0);
    CHECK_TRUE(traffic.found > 0);
    tokens_close(traffic.tokens);
}

/* Somebody writes the file in place while it is read: old, new or refused, never a mixture. */
static void *rewrite(void *argument) {
    traffic *traffic = argument;
    char text[8192];
    for (int round = 0; !traffic->over; round++) {
        size_t used = 0;
        for (int i = 0; i < 40; i++)
            used += (size_t)snprintf(text + used, sizeof text - used, "v%d-%d y compute %063d%x\n",
                                     round % 2, i, i + 100 * (round % 2), 1);
        int fd = open(path, O_WRONLY | O_TRUNC | O_CLOEXEC);
        for (size_t at = 0; at < used; at += 1000)
            if (write(fd, text + at, used - at < 1000 ? used - at : 1000) < 0)
                traffic->wrong++;
        close(fd);
    }
    return NULL;
}

Test(tokens, a_file_that_changes_is_read_whole_or_not_at_all) {
    traffic traffic = {.tokens = open_text("a y compute " HEX "\n")};
    pthread_t writer;
    cr_assert(pthread_create(&writer, NULL, rewrite, &traffic) == 0);
    for (int i = 0; i < 2000; i++) {
        char fault[TOKENS_FAULT];
        size_t count;
        tokens_reload(traffic.tokens, fault);
        caller **all = tokens_all(traffic.tokens, &count);
        cr_assert(all);
        for (size_t j = 0; j < count; j++) {
            traffic.wrong += strncmp(all[j]->name, all[0]->name, 2) != 0;
            caller_release(all[j]);
        }
        free(all);
    }
    traffic.over = true;
    pthread_join(writer, NULL);
    CHECK_EQUAL(traffic.wrong, 0);
    tokens_close(traffic.tokens);
}
