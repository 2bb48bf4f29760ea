/* How the daemon's threads share the processors: by what /proc tells of them. */
#include <dirent.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "http/raw.h"

DAEMON_SUITE(turns);

/* The policy of a thread, the 41st field of its stat; -1 where it has ended. */
static int policy_of(const process *p, const char *thread) {
    char path[300], line[1024] = "";
    snprintf(path, sizeof path, "/proc/%d/task/%s/stat", (int)p->pid, thread);
    FILE *file = fopen(path, "r");
    if (!file)
        return -1;
    size_t length = fread(line, 1, sizeof line - 1, file);
    fclose(file);
    line[length] = '\0';
    char *at = strrchr(line, ')'); /* the end of the second field */
    for (int field = 2; at && field < 41; field++)
        at = strchr(at + 1, ' ');
    return at ? atoi(at) : -1;
}

static int threads_with(const process *p, int policy) {
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/task", (int)p->pid);
    DIR *threads = opendir(path);
    int count = 0;
    for (struct dirent *entry; threads && (entry = readdir(threads));)
        count += *entry->d_name != '.' && policy_of(p, entry->d_name) == policy;
    closedir(threads);
    return count;
}

static bool comes_to(const process *p, int batched) {
    double end = clock_now() + 5000;
    while (threads_with(p, SCHED_BATCH) != batched && clock_before(end))
        ;
    return threads_with(p, SCHED_BATCH) == batched;
}

/* Two threads answer. Each goes for throughput from its fourth caller on, and only so long. */
Test(turns, threads_with_many_callers_interrupt_nobody) {
    enum { FEW = 6, MANY = 8 };
    process *p = daemon_start(OPTIONS("--threads", "1"));
    raw r[MANY];
    for (int i = 0; i < MANY; i++) {
        r[i] = raw_open(p);
        raw_print(&r[i], "GET /healthz HTTP/1.1\r\nHost: t\r\n\r\n");
        raw_expect(&r[i], 200, "ok");
        CHECK_EQUAL(threads_with(p, SCHED_BATCH), i < FEW ? 0 : i - FEW + 1);
    }
    for (int i = 0; i < MANY; i++)
        raw_close(&r[i]);
    CHECK_TRUE(comes_to(p, 0));
    daemon_stop(p);
}
