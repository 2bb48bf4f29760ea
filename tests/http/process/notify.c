/* What systemd is told over NOTIFY_SOCKET. */
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "http/daemon.h"

DAEMON_SUITE(notify);

/* A socket for daemons that this test starts; `name` as NOTIFY_SOCKET has it. */
static int listen_at(const char *name) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    strcpy(address.sun_path, name);
    if (*name == '@')
        address.sun_path[0] = '\0';
    socklen_t length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(name));
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    cr_assert(fd >= 0 && bind(fd, (struct sockaddr *)&address, length) == 0);
    setenv("NOTIFY_SOCKET", name, 1);
    return fd;
}

static void expect_state(int fd, const char *want) {
    char state[64];
    struct pollfd wait = {.fd = fd, .events = POLLIN};
    cr_assert(poll(&wait, 1, 10000) == 1, "nothing was told; %s should have been", want);
    ssize_t length = recv(fd, state, sizeof state - 1, 0);
    state[length > 0 ? length : 0] = '\0';
    CHECK_TEXT(state, want);
}

static void tell_a_life(const char *name) {
    int fd = listen_at(name);
    process *p = daemon_start(NULL);
    expect_state(fd, "READY=1");
    CHECK_EQUAL(fetch(p->caller, "GET", "/healthz", NULL)->status, 200);
    kill(p->pid, SIGTERM);
    expect_state(fd, "STOPPING=1");
    daemon_wait(p);
    close(fd);
}

Test(notify, readiness_and_the_stop_are_told) {
    char folder[] = "/tmp/layerd-notify-XXXXXX", name[64];
    cr_assert(mkdtemp(folder));
    snprintf(name, sizeof name, "%s/socket", folder);
    tell_a_life(name);
    unlink(name);
    rmdir(folder);
}

Test(notify, an_abstract_name_is_taken) {
    char name[64];
    snprintf(name, sizeof name, "@layerd-notify-%d", (int)getpid());
    tell_a_life(name);
}

Test(notify, a_socket_that_is_not_there_does_no_harm) {
    setenv("NOTIFY_SOCKET", "/nonexistent/socket", 1);
    daemon_stop(daemon_start(NULL));
    static char name[200];
    memset(name, 'a', sizeof name - 1);
    setenv("NOTIFY_SOCKET", name, 1);
    daemon_stop(daemon_start(NULL));
}
