/* The command line and the environment. */
#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "http/daemon.h"

DAEMON_SUITE(options);

static int lines_of(const char *text) {
    int lines = 0;
    for (; *text; text++)
        lines += *text == '\n';
    return lines;
}

Test(options, help_fits_a_screen) {
    static const char *const names[] = {
        "--listen",        "--threads",       "--body-limit",
        "--answer-limit",  "--cache-budget",  "--cache-lifetime",
        "--cors-origin",   "--grace",         "--log-level",
        "--drain-time",    "--log-format",    "--help",
        "--version",       "--challenge-key", "--challenge-lifetime",
        "--challenges",    "--store",         "--store-copies",
        "--store-timeout", "--store-grace",   "--store-password-file"};
    run help = daemon_run(OPTIONS("--help"));
    CHECK_EQUAL(help.status, 0);
    CHECK_TEXT(help.error, "");
    CHECK(lines_of(help.out) > 10 && lines_of(help.out) <= 35, "%d lines", lines_of(help.out));
    for (const char *line = help.out; *line; line += strcspn(line, "\n") + 1)
        CHECK(strcspn(line, "\n") <= 100, "%zu columns: %.100s", strcspn(line, "\n"), line);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        CHECK(strstr(help.out, names[i]), "%s is not in the help", names[i]);
    CHECK_TEXT(daemon_run(OPTIONS("-h")).out, help.out);
}

Test(options, version_is_one_line) {
    run version = daemon_run(OPTIONS("--version"));
    CHECK_EQUAL(version.status, 0);
    CHECK_EQUAL(lines_of(version.out), 1);
    CHECK_TRUE(!strncmp(version.out, "layerd ", 7));
    CHECK_TEXT(version.error, "");
}

/* Exit status 2 and one sentence with these words. */
static void expect_refused(const char *const *arguments, const char *words) {
    run r = daemon_run(arguments);
    CHECK(r.status == 2, "%s: exit status %d, not 2", arguments[0], r.status);
    CHECK(lines_of(r.error) == 1 && strstr(r.error, words), "%s: no %s in one line: %s",
          arguments[0], words, r.error);
    CHECK_TEXT(r.out, "");
}

Test(options, an_option_that_is_none_is_refused) {
    static const char *const wrong[] = {"--lisen",   "--listenx=1", "listen", "-l", "--",
                                        "---listen", "--=1",        "-",      "",   "x"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        expect_refused(OPTIONS(wrong[i]), wrong[i]);
    expect_refused(OPTIONS("--threads", "2", "--bogus"), "--bogus");
}

Test(options, a_value_must_be_there_and_right) {
    static const char *const wrong[][2] = {
        {"--threads", "0"},
        {"--threads", "257"},
        {"--threads", "two"},
        {"--threads", "-1"},
        {"--threads", "2x"},
        {"--threads", ""},
        {"--threads", " 2"},
        {"--threads", "1.5"},
        {"--body-limit", "1023"},
        {"--body-limit", "1kb"},
        {"--body-limit", "1 MiB"},
        {"--body-limit", "-1KiB"},
        {"--body-limit", "99999999999999999999"},
        {"--body-limit", "17179869184GiB"},
        {"--answer-limit", "0"},
        {"--cache-budget", "much"},
        {"--cache-lifetime", "10"},
        {"--cache-lifetime", "0ms"},
        {"--cache-lifetime", "3d"},
        {"--cache-lifetime", "9000h"},
        {"--challenge-lifetime", "0ms"},
        {"--challenge-lifetime", "10"},
        {"--challenges", "0"},
        {"--challenges", "16777217"},
        {"--challenges", "1k"},
        {"--grace", "25h"},
        {"--grace", "s"},
        {"--log-level", "loud"},
        {"--log-level", "INFO"},
        {"--log-level", ""},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        expect_refused(OPTIONS(wrong[i][0], wrong[i][1]), wrong[i][0]);
    expect_refused(OPTIONS("--threads"), "--threads");
    expect_refused(OPTIONS("--threads="), "--threads");
    expect_refused(OPTIONS("--listen"), "--listen");
}

Test(options, the_environment_is_read) {
    setenv("LAYERD_BODY_LIMIT", "1KiB", 1);
    setenv("LAYERD_LOG_LEVEL", "debug", 1);
    process *p = daemon_start(NULL);
    char body[1100];
    memset(body, ' ', sizeof body);
    expect_problem(post_bytes(p->caller, "/relu/forward", NULL, body, sizeof body),
                   "body_too_large", "");
    daemon_stop(p);
}

Test(options, a_wrong_environment_is_refused) {
    setenv("LAYERD_CACHE_LIFETIME", "soon", 1);
    expect_refused(OPTIONS("--listen", "127.0.0.1:0"), "LAYERD_CACHE_LIFETIME");
}

Test(options, the_environment_may_say_where_to_listen) {
    setenv("LAYERD_LISTEN", "256.0.0.1:0", 1);
    run r = daemon_run(OPTIONS("--threads", "1"));
    CHECK_EQUAL(r.status, 1);
    CHECK(strstr(r.error, "256.0.0.1:0"), "%s", r.error);
}

Test(options, the_command_line_goes_before_the_environment) {
    setenv("LAYERD_LISTEN", "256.0.0.1:0", 1);
    setenv("LAYERD_BODY_LIMIT", "2KiB", 1);
    process *p = daemon_start(OPTIONS("--body-limit=1KiB"));
    char body[1100];
    memset(body, ' ', sizeof body);
    expect_problem(post_bytes(p->caller, "/relu/forward", NULL, body, sizeof body),
                   "body_too_large", "");
    daemon_stop(p);
}

Test(options, an_empty_variable_is_none) {
    setenv("LAYERD_THREADS", "", 1);
    daemon_stop(daemon_start(NULL));
}

Test(options, the_last_of_several_counts) {
    process *p = daemon_start(OPTIONS("--body-limit", "1KiB", "--body-limit", "2KiB"));
    char body[1100];
    memset(body, ' ', sizeof body);
    memcpy(body, "{\"x\":1}", 7);
    CHECK_EQUAL(post_bytes(p->caller, "/relu/forward", NULL, body, sizeof body)->status, 200);
    daemon_stop(p);
}

/* Exit status 1 and a sentence with these words. */
static void expect_no_start(const char *listen, const char *words) {
    run r = daemon_run(OPTIONS("--listen", listen));
    CHECK(r.status == 1, "%s: exit status %d, not 1", listen, r.status);
    CHECK(lines_of(r.error) == 1 && strstr(r.error, words) && strstr(r.error, listen),
          "%s: no %s in one line: %s", listen, words, r.error);
}

Test(options, a_port_that_is_taken_is_told) {
    process *p = daemon_start(NULL);
    char listen[32];
    snprintf(listen, sizeof listen, "127.0.0.1:%d", p->port);
    expect_no_start(listen, "in use; --listen takes another");
    daemon_stop(p);
}

Test(options, an_address_that_is_none_is_refused) {
    static const char *const wrong[] = {
        "127.0.0.1", "127.0.0.1:",    "127.0.0.1:x",     ":-1", "::1:0", "[::1]",
        "[::1:0",    "127.0.0.1:08x", "127.0.0.1:99999", ""};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        expect_refused(OPTIONS("--listen", wrong[i]), "--listen");
}

Test(options, an_address_that_is_not_here_is_told) {
    expect_no_start("nowhere.invalid:0", "cannot listen");
    expect_no_start("192.0.2.1:0", "cannot listen");
}

static bool have_ipv6(void) {
    int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in6 address = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
    bool good = fd >= 0 && bind(fd, (struct sockaddr *)&address, sizeof address) == 0;
    if (fd >= 0)
        close(fd);
    return good;
}

Test(options, ipv6_is_served) {
    if (!have_ipv6())
        cr_skip_test("this machine has no IPv6");
    process *p = daemon_start(OPTIONS("--listen", "[::1]:0"));
    CHECK_TRUE(!strncmp(p->url, "http://[::1]:", 13) && p->port > 0);
    CHECK_EQUAL(fetch(p->caller, "GET", "/healthz", NULL)->status, 200);
    daemon_stop(p);
}

Test(options, a_port_can_be_taken_again_at_once) {
    process *p = daemon_start(NULL);
    char listen[32];
    snprintf(listen, sizeof listen, "127.0.0.1:%d", p->port);
    CHECK_EQUAL(fetch(p->caller, "GET", "/healthz", NULL)->status, 200);
    daemon_stop(p);
    p = daemon_start(OPTIONS("--listen", listen));
    CHECK_EQUAL(fetch(p->caller, "GET", "/healthz", NULL)->status, 200);
    daemon_stop(p);
}
