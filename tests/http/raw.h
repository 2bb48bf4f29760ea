/* A bare socket to a daemon, for what no HTTP library would send. Every read has a deadline. */
#ifndef TESTS_RAW_H
#define TESTS_RAW_H

#include <stddef.h>

#include "daemon.h"

typedef struct {
    int fd;
    char *bytes; /* received and not yet taken */
    size_t length, capacity;
} raw;

typedef struct {
    int status; /* 0: no whole answer came before the deadline or the end of the connection */
    char head[4096];
    char body[8192]; /* cut off if longer */
    size_t length;
} raw_answer;

raw raw_open(const process *process);

/* From an address of this machine, 127.0.0.2. */
raw raw_open_from(const process *process, const char *address);

void raw_close(raw *raw);

/* Sends all bytes; false where the daemon closed the connection on the way. */
bool raw_write(raw *raw, const void *bytes, size_t length);
bool raw_print(raw *raw, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* A POST with a body of JSON (' stands for "), kept alive. */
bool raw_post(raw *raw, const char *target, const char *json);

/* The next answer, by its Content-Length; one of status 1xx has no body. */
raw_answer raw_read(raw *raw);

/* Whether an answer has begun to come. */
bool raw_has_answer(const raw *raw);

/* Reads the next answer and checks its status and that its body has these words. */
void raw_expect(raw *raw, int status, const char *words);

/* Whether the daemon ends the connection, with nothing more sent. */
bool raw_ended(raw *raw);

/* No more will be sent, but answers can be read. */
void raw_half_close(raw *raw);

#endif
