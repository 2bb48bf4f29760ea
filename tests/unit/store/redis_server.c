/* A redis-server of a test's own. */
#include "redis_server.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <hiredis/hiredis.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { WORDS = 24, TRIES = 500 };

static const char *socket_of(const redis_server *server) {
    return server->address + sizeof "unix://" - 1;
}

static bool answers(const redis_server *server) {
    redisContext *context = redisConnectUnix(socket_of(server));
    redisReply *reply = context && !context->err ? redisCommand(context, "PING") : NULL;
    bool good = reply && reply->type == REDIS_REPLY_STATUS;
    if (reply)
        freeReplyObject(reply);
    redisFree(context);
    return good;
}

void redis_start_again(redis_server *server, const char *const *options) {
    const char *words[WORDS] = {
        "redis-server", "--port",    "0",  "--save", "", "--unixsocket", socket_of(server), "--dir",
        server->folder, "--logfile", "log"};
    int count = 11;
    for (; options && *options; options++)
        words[count++] = *options;
    server->pid = fork();
    cr_assert(server->pid >= 0);
    if (server->pid == 0) { /* it ends with its test, and holds nothing of its */
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        int nowhere = open("/dev/null", O_RDWR);
        for (int fd = 0; fd <= 2; fd++)
            dup2(nowhere, fd);
        execvp(*words, (char *const *)words);
        _exit(127);
    }
    for (int i = 0; !answers(server); i++) {
        cr_assert(i < TRIES, "redis-server does not answer: is it installed?");
        nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
    }
}

redis_server redis_start(const char *const *options) {
    redis_server server = {.folder = "/tmp/layerd-redis-XXXXXX"};
    signal(SIGPIPE, SIG_IGN);
    cr_assert(mkdtemp(server.folder));
    snprintf(server.address, sizeof server.address, "unix://%s/socket", server.folder);
    redis_start_again(&server, options);
    return server;
}

void redis_kill(redis_server *server) {
    if (server->pid > 0) {
        kill(server->pid, SIGKILL);
        waitpid(server->pid, NULL, 0);
    }
    server->pid = 0;
}

void redis_remove(redis_server *server) {
    char path[96];
    redis_kill(server);
    static const char *const files[] = {"socket", "log"};
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        snprintf(path, sizeof path, "%s/%s", server->folder, files[i]);
        unlink(path);
    }
    rmdir(server->folder);
}

long long redis_say(const redis_server *server, int count, const char *const *words) {
    redisContext *context = redisConnectUnix(socket_of(server));
    cr_assert(context && !context->err);
    redisReply *reply = redisCommandArgv(context, count, (const char **)words, NULL);
    cr_assert(reply);
    long long value = reply->type == REDIS_REPLY_INTEGER  ? reply->integer
                      : reply->type == REDIS_REPLY_STRING ? (long long)reply->len
                      : reply->type == REDIS_REPLY_STATUS ? 0
                                                          : -1;
    freeReplyObject(reply);
    redisFree(context);
    return value;
}
