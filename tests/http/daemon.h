/* A daemon of a test's own, on a free port, with the options that the test states. */
#ifndef TESTS_DAEMON_H
#define TESTS_DAEMON_H

#include <stdio.h>
#include <sys/types.h>

#include "caller.h"

typedef struct {
    pid_t pid;
    int log; /* a file without a name that its stderr goes to */
    char url[96];
    char address[64]; /* of the URL, without brackets and port */
    int port;
    caller *caller; /* of the main thread */
} process;

/* Ends tests that hang, and cleans up behind those that failed. */
#define DAEMON_SUITE(name) TestSuite(name, .timeout = 50, .fini = daemon_clean_up)

#define OPTIONS(...)       ((const char *const[]){__VA_ARGS__, NULL})

/* The daemon of the variable LAYERD, with options after "--listen 127.0.0.1:0"; NULL for none.
 * Returns when it listens. */
process *daemon_start(const char *const *options);

/* SIGTERM, then as daemon_wait. */
void daemon_stop(process *process);

/* Checks that it exits with 0 within ten seconds and left no report of a sanitizer; frees. */
void daemon_wait(process *process);

/* Kills what a failed test left, and prints its log. */
void daemon_clean_up(void);

/* A field of /proc/PID/status in KiB, "VmRSS". */
long daemon_memory(const process *process, const char *field);

/* A daemon that is to end by itself: what it said. */
typedef struct {
    int status; /* exit status; -1 where it did not exit by itself within ten seconds */
    char out[16384], error[4096];
} run;

run daemon_run(const char *const *arguments);

#endif
