#include "daemon.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/clock.h"

enum { PROCESSES_MOST = 8, ARGUMENTS_MOST = 32, LOG_MOST = 65536, WAIT_MS = 10000 };

static process *running[PROCESSES_MOST];

/* The child: dies with its test, and frees memory early enough under ASan that its size tells. */
static void become(char **arguments, int out, int error) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    setenv("ASAN_OPTIONS", "quarantine_size_mb=8:thread_local_quarantine_size_kb=64", 0);
    dup2(out, STDOUT_FILENO);
    dup2(error, STDERR_FILENO);
    execv(arguments[0], arguments);
    _exit(127);
}

static pid_t start(const char *const *first, const char *const *rest, int out, int error) {
    char *arguments[ARGUMENTS_MOST + 1] = {getenv("LAYERD")};
    int count = 1;
    cr_assert(arguments[0], "the variable LAYERD must name the daemon");
    for (; first && *first; first++)
        arguments[count++] = (char *)*first;
    for (; rest && *rest && count < ARGUMENTS_MOST; rest++)
        arguments[count++] = (char *)*rest;
    pid_t pid = fork();
    if (pid == 0)
        become(arguments, out, error);
    cr_assert(pid > 0);
    return pid;
}

static void read_file(int file, char *text, size_t size) {
    ssize_t length = pread(file, text, size - 1, 0);
    text[length > 0 ? length : 0] = '\0';
}

/* Waits for the end: true, and the status of waitpid, within the time. */
static bool ended(pid_t pid, int *status) {
    double end = clock_now() + WAIT_MS;
    do {
        if (waitpid(pid, status, WNOHANG) == pid)
            return true;
    } while (clock_before(end));
    kill(pid, SIGKILL);
    waitpid(pid, status, 0);
    return false;
}

static const char *log_text(const process *process) {
    static char text[LOG_MOST];
    read_file(process->log, text, sizeof text);
    return text;
}

static void print_log(const process *process) {
    fprintf(stderr, "---- log of the daemon at %s\n%s----\n", process->url, log_text(process));
}

static void forget(process *process) {
    for (int i = 0; i < PROCESSES_MOST; i++)
        if (running[i] == process)
            running[i] = NULL;
    close(process->log);
    if (process->caller)
        caller_close(process->caller);
    free(process);
}

void daemon_clean_up(void) {
    for (int i = 0; i < PROCESSES_MOST; i++) {
        if (!running[i])
            continue;
        if (running[i]->pid > 0 && kill(running[i]->pid, SIGKILL) == 0)
            waitpid(running[i]->pid, NULL, 0);
        print_log(running[i]);
        forget(running[i]);
    }
}

/* "http://[::1]:8080" or "http://127.0.0.1:8080"; any other is not for the caller. */
static void take_address(process *process, const char *text) {
    size_t length = strcspn(text, " \n");
    snprintf(process->url, sizeof process->url, "%.*s", (int)length, text);
    if (strncmp(text, "http://", 7) != 0)
        return;
    const char *colon = strrchr(process->url, ':');
    const char *host = process->url + strlen("http://");
    bool bracketed = *host == '[';
    snprintf(process->address, sizeof process->address, "%.*s", (int)(colon - host - 2 * bracketed),
             host + bracketed);
    process->port = atoi(colon + 1);
}

static bool listens(process *process) {
    static const char words[] = "serves on ";
    const char *at = strstr(log_text(process), words);
    if (!at || !strchr(at, '\n'))
        return false;
    take_address(process, at + strlen(words));
    return true;
}

process *daemon_start(const char *const *options) {
    process *p = calloc(1, sizeof *p);
    int place = 0;
    while (place < PROCESSES_MOST - 1 && running[place])
        place++;
    cr_assert(p && !running[place]);
    running[place] = p;
    p->log = memfd_create("layerd.log", MFD_CLOEXEC);
    cr_assert(p->log >= 0);
    p->pid = start(OPTIONS("--listen", "127.0.0.1:0"), options, p->log, p->log);
    bool up = listens(p);
    for (double end = clock_now() + WAIT_MS; !up && clock_before(end);)
        up = listens(p);
    cr_assert(up, "the daemon does not say where it listens");
    p->caller = caller_open(p->url);
    return p;
}

void daemon_wait(process *process) {
    static const char *const reports[] = {"AddressSanitizer", "LeakSanitizer", "ThreadSanitizer",
                                          "runtime error:", "MemorySanitizer"};
    int status = 0;
    bool in_time = ended(process->pid, &status);
    process->pid = 0;
    CHECK(in_time, "the daemon did not stop in time");
    CHECK(!in_time || (WIFEXITED(status) && WEXITSTATUS(status) == 0),
          "the daemon ended with status %#x of waitpid", (unsigned)status);
    for (size_t i = 0; i < sizeof reports / sizeof *reports; i++)
        CHECK(!strstr(log_text(process), reports[i]), "a report of %s", reports[i]);
    if (check_failed)
        print_log(process);
    forget(process);
}

void daemon_stop(process *process) {
    kill(process->pid, SIGTERM);
    daemon_wait(process);
}

long daemon_memory(const process *process, const char *field) {
    char path[64], line[256], name[32];
    long found = -1, kibibytes;
    snprintf(path, sizeof path, "/proc/%d/status", (int)process->pid);
    FILE *file = fopen(path, "re");
    cr_assert(file, "the daemon is not there any more");
    while (found < 0 && fgets(line, sizeof line, file))
        if (sscanf(line, "%31[^:]: %ld", name, &kibibytes) == 2 && !strcmp(name, field))
            found = kibibytes;
    fclose(file);
    cr_assert(found > 0, "no %s in %s", field, path);
    return found;
}

run daemon_run(const char *const *arguments) {
    run result = {.status = -1};
    int out = memfd_create("out", MFD_CLOEXEC), error = memfd_create("error", MFD_CLOEXEC);
    cr_assert(out >= 0 && error >= 0);
    int status;
    pid_t pid = start(NULL, arguments, out, error);
    if (ended(pid, &status) && WIFEXITED(status))
        result.status = WEXITSTATUS(status);
    read_file(out, result.out, sizeof result.out);
    read_file(error, result.error, sizeof result.error);
    close(out);
    close(error);
    return result;
}
