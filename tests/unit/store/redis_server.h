/* A redis-server of a test's own, behind a socket file in a folder that goes with it. */
#ifndef UNIT_REDIS_SERVER_H
#define UNIT_REDIS_SERVER_H

#include <stdbool.h>
#include <sys/types.h>

typedef struct {
    pid_t pid;
    char folder[64];
    char address[96]; /* for --store */
} redis_server;

/* `options` are more of its command line, ended by NULL; NULL for none. It answers. */
redis_server redis_start(const char *const *options);

/* One more time, behind the same socket. */
void redis_start_again(redis_server *server, const char *const *options);

void redis_kill(redis_server *server);
void redis_remove(redis_server *server);

/* What it answers to a command: an integer, the length of a text, -1 for nil or an error. */
long long redis_say(const redis_server *server, int count, const char *const *words);
#define REDIS_SAY(server, ...)                                                                     \
    redis_say((server), (int)(sizeof((const char *[]){__VA_ARGS__}) / sizeof(char *)),             \
              (const char *const[]){__VA_ARGS__})

#endif
