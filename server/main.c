/* layerd: start, signals, drain, stop. */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "base/notify.h"
#include "base/turns.h"
#include "base/version.h"
#include "http/http.h"
#include "http/listen.h"
#include "metrics.h"
#include "routes.h"

/* jemalloc's, where it is linked: one arena, so that what one request frees the next one takes,
 * without page faults, whichever threads they are on; what nobody takes for two seconds goes back
 * to the system. glibc's arenas kept up to twice as much, and faulted it in anew. */
const char *malloc_conf __attribute__((visibility("default"))) =
    "narenas:1,oversize_threshold:0,dirty_decay_ms:2000,muzzy_decay_ms:0,background_thread:true";
int mallctl(const char *name, void *was, size_t *was_bytes, void *now, size_t bytes)
    __attribute__((weak));

/* Blocks of 8 MB and more wait like all others: oversize_threshold:0 alone keeps an arena of their
 * own from them, but comes too late for the first one, which gives them back at once (jemalloc
 * 5.3.0). */
static void keep_large_blocks(void) {
    size_t never = SIZE_MAX;
    if (mallctl)
        mallctl("arena.0.oversize_threshold", NULL, NULL, &never, sizeof never);
}

enum {
    EXIT_START = 1,
    EXIT_USAGE = 2,
    POLL_MS = 5,
    ASKERS = 16, /* threads that wait for a store that is elsewhere */
};

/* As many descriptors as the system lets us have: connections take one each. */
static void raise_descriptor_limit(void) {
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
}

/* Waits so long, or until no request runs where that is asked for. False where a second signal
 * comes first. */
static bool await(const http *http, bool all_done, size_t milliseconds, const sigset_t *signals) {
    const struct timespec pause = {.tv_nsec = POLL_MS * 1000000L};
    for (size_t waited = 0; waited < milliseconds; waited += POLL_MS) {
        if (all_done && http_running(http) == 0)
            break;
        if (sigtimedwait(signals, NULL, &pause) > 0) {
            log_line(LOG_WARN, "stopping at once: a second signal");
            return false;
        }
    }
    return true;
}

/* Lets whoever sends work notice, and what runs finish. False where it does not, in time. */
static bool drain(service *service, const http *http, const sigset_t *signals) {
    atomic_store(&service->stopping, true);
    if (!await(http, false, service->options->drain_time, signals))
        return false;
    atomic_store(&service->draining, true);
    if (!await(http, true, service->options->grace, signals))
        return false;
    if (http_running(http) > 0)
        log_line(LOG_WARN, "%zu requests did not finish in time", http_running(http));
    return http_running(http) == 0;
}

/* Reads the file of tokens again: whole, or not at all. */
static void reload(const service *service) {
    const char *path = service->options->tokens;
    char fault[TOKENS_FAULT];
    if (!service->tokens)
        log_line(LOG_INFO, "SIGHUP: there is nothing to reload");
    else if (tokens_reload(service->tokens, fault))
        log_line(LOG_INFO, "SIGHUP: %zu tokens of %s", tokens_count(service->tokens), path);
    else
        log_line(LOG_ERROR, "SIGHUP: the tokens stay as they were: %s: %s", path, fault);
}

/* Waits for a signal to stop at. SIGHUP is none. */
static int await_stop(const service *service, const sigset_t *signals) {
    sigset_t all = *signals;
    sigaddset(&all, SIGHUP);
    for (int number;;) {
        if (sigwait(&all, &number) == 0 && number != SIGHUP)
            return number;
        reload(service);
    }
}

/* "name name compute sha256" beside the token, for whoever runs the daemon to put into the file. */
static int print_new_token(const char *name) {
    char token[TOKEN_TEXT], hex[SHA256_HEX + 1];
    unsigned char digest[SHA256_BYTES];
    if (!line_is_name(name)) {
        fprintf(stderr,
                "layerd: --new-token is \"%s\", but must be at most %d letters, digits or "
                "._- of them, a letter or a digit first\n",
                name, CALLER_NAME_MOST);
        return EXIT_USAGE;
    }
    if (!token_make(token)) {
        fprintf(stderr, "layerd: the system has no random numbers\n");
        return EXIT_START;
    }
    sha256_of(token, TOKEN_LENGTH, digest);
    hex_write(digest, hex);
    puts(token);
    fflush(stdout);
    fprintf(stderr, "%s %s compute %s\n", name, name, hex);
    secret_wipe(token, sizeof token);
    return 0;
}

/* Opens the tokens and the challenges: 0, or the exit status. */
static int open_access(const options *options, tokens **tokens, challenges *challenges) {
    char fault[FILE_FAULT];
    if (*options->tokens && !(*tokens = tokens_open(options->tokens, fault))) {
        fprintf(stderr, "layerd: --tokens %s: %s\n", options->tokens, fault);
        return EXIT_USAGE;
    }
    const char *key = options->challenge_key;
    if (*key)
        prctl(PR_SET_DUMPABLE, 0); /* nor may another process of this user read its memory */
    switch (challenges_open(challenges, key, (int64_t)options->challenge_lifetime,
                            options->challenges, fault)) {
    case CHALLENGES_OPEN:
        break;
    case CHALLENGES_WRONG_FILE:
        fprintf(stderr, "layerd: --challenge-key %s: %s\n", key, fault);
        return EXIT_USAGE;
    case CHALLENGES_NO_MEMORY:
        log_line(LOG_ERROR, "cannot start: no memory, or no random numbers, for challenges");
        return EXIT_START;
    }
    if (challenges->keys.is_readable)
        log_line(LOG_WARN, "%s, the key of challenges, can be read by everyone: chmod o-r", key);
    return 0;
}

/* Serves until a signal comes and what runs is finished. False where it cannot begin. */
static bool serve(service *service, const sigset_t *signals) {
    turns_to_answer(false); /* the workers have started */
    char address[128];
    http *http = http_start(service, address, sizeof address);
    if (!http)
        return false;
    if (!service->tokens && !listen_is_local(service->options->listen))
        log_line(LOG_WARN,
                 "whoever reaches %s may compute, and see the metrics: --tokens says who "
                 "may call",
                 address);
    log_line(LOG_INFO, "layerd " LAYERS_VERSION " (%s) serves on %s with %zu threads, %s",
             version_commit, address, service->options->threads, layers_blas());
    notify("READY=1");

    int signal_number = await_stop(service, signals);
    log_line(LOG_INFO, "stopping at %s: %zu requests to finish", strsignal(signal_number),
             http_running(http));
    notify("STOPPING=1");
    if (!drain(service, http, signals)) {
        listen_close(service->options->listen);
        _exit(0); /* whatever still computes ends with the process */
    }
    /* The workers first: one that has resumed a connection may still be at it. Nothing new goes to
     * them, since operations are refused by now. */
    if (service->askers)
        workers_stop(service->askers);
    workers_stop(service->workers);
    http_stop(http);
    log_line(LOG_INFO, "stopped");
    return true;
}

/* The first line of a file. False where it cannot be read. */
static bool read_line(const char *path, char *line, size_t room) {
    FILE *file = fopen(path, "re");
    bool good = file && fgets(line, (int)room, file);
    if (good)
        line[strcspn(line, "\r\n")] = '\0';
    if (file)
        fclose(file);
    return good && *line;
}

/* NULL where that is not possible, which is said. */
static store *open_store(const options *options) {
    char password[256] = "";
    if (!*options->store)
        return store_open_memory(options->cache_budget, (int64_t)options->cache_lifetime);
    if (*options->store_password_file &&
        !read_line(options->store_password_file, password, sizeof password)) {
        log_line(LOG_ERROR, "--store-password-file %s: there is no password to be read",
                 options->store_password_file);
        return NULL;
    }
    bool by_sentinel = strstr(options->store, "sentinel://");
    const store_redis_setup setup = {
        .address = options->store,
        .password = password,
        .budget = options->cache_budget,
        .lifetime = (int64_t)options->cache_lifetime,
        .copies = *options->store_copies ? *options->store_copies - '0' : by_sentinel,
        .timeout = (int64_t)options->store_timeout,
        .grace = (int64_t)options->store_grace,
        .largest = options->memory,
    };
    store *store = store_open_redis(&setup);
    secret_wipe(password, sizeof password);
    return store;
}

int main(int argc, char **argv) {
    options options;
    switch (options_read(&options, argc, argv)) {
    case OPTIONS_DONE:
        return 0;
    case OPTIONS_WRONG:
        return EXIT_USAGE;
    case OPTIONS_RUN:
        break;
    }
    if (options.new_token)
        return print_new_token(options.new_token);
    log_set((log_level)options.log_level, (log_format)options.log_format);
    signal(SIGPIPE, SIG_IGN);
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    sigset_t blocked = signals; /* in every thread: they are waited for below */
    sigaddset(&blocked, SIGHUP);
    sigprocmask(SIG_BLOCK, &blocked, NULL);
    raise_descriptor_limit();
    keep_large_blocks();

    tokens *tokens = NULL;
    challenges challenges;
    int refused = open_access(&options, &tokens, &challenges);
    if (refused)
        return refused;
    layers_error error;
    if (layers_check_blas(&error) != LAYERS_OK) {
        log_line(LOG_ERROR, "cannot start: %s", error.message);
        return EXIT_START;
    }
    service service = {
        .options = &options,
        .store = open_store(&options),
        .workers = workers_start(options.threads, options.queue, (int64_t)options.queue_time),
        .tokens = tokens,
        .challenges = &challenges,
        .memory = {.limit = options.memory},
        .metrics = metrics_make(route_count()),
    };
    challenges.shared = service.store && service.store->note_once;
    if (service.store && service.store->waits)
        service.askers = workers_start_waiting(ASKERS, options.queue, (int64_t)options.queue_time);
    bool started = service.store && (service.askers || !service.store->waits) && service.workers &&
                   service.metrics;
    if (started)
        started = serve(&service, &signals);
    else
        log_line(LOG_ERROR, "cannot start: no store, no memory, or no threads");
    workers_free(service.askers);
    workers_free(service.workers);
    if (service.store)
        service.store->close(service.store);
    metrics_free(service.metrics);
    challenges_close(&challenges);
    tokens_close(tokens);
    return started ? 0 : EXIT_START;
}
