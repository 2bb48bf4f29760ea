/* Answers to connections that are refused. */
#include "http/refusals.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"

enum { WHILE_MS = 1000, LOOK_BYTES = 256 << 10 /* thrown away at a look, at most */ };

static void answer(header_ids *ids, int fd, problem *problem) {
    char id[HEADER_ID_TEXT], head[512];
    header_list list;
    reply reply = {.content_type = "application/problem+json"};
    problem->retry_after = 1;
    header_request_id(ids, NULL, id);
    header_list_make(&list, id, &reply, problem);
    header_add(&list, "Connection", "close");
    reply.body = problem_body(problem, &reply.body_length);
    int length = snprintf(head, sizeof head, "HTTP/1.1 %d Refused\r\nContent-Length: %zu\r\n",
                          problem_status(problem->kind), reply.body_length);
    for (size_t i = 0; i < list.count; i++)
        length += snprintf(head + length, sizeof head - (size_t)length, "%s: %s\r\n",
                           list.field[i].name, list.field[i].value);
    length += snprintf(head + length, sizeof head - (size_t)length, "\r\n");
    if (reply.body && send(fd, head, (size_t)length, MSG_DONTWAIT | MSG_NOSIGNAL | MSG_MORE) > 0)
        send(fd, reply.body, reply.body_length, MSG_DONTWAIT | MSG_NOSIGNAL);
    free(reply.body);
    shutdown(fd, SHUT_WR);
}

/* Throws away what has come. False where no more will. */
static bool goes_on(int fd) {
    char bytes[4096];
    ssize_t got = 0;
    for (size_t all = 0; all < LOOK_BYTES; all += (size_t)got)
        if ((got = recv(fd, bytes, sizeof bytes, MSG_DONTWAIT)) <= 0)
            return got < 0 && (errno == EAGAIN || errno == EINTR);
    return true;
}

static void drop_eldest(refusals *r) {
    close(r->at[0].fd);
    memmove(r->at, r->at + 1, --r->count * sizeof *r->at);
}

void refusals_add(refusals *r, int fd, problem *problem) {
    answer(r->ids, fd, problem);
    if (r->count == REFUSALS_MOST)
        drop_eldest(r);
    r->at[r->count].fd = fd;
    r->at[r->count++].until = clock_coarse_ms() + WHILE_MS;
}

void refusals_tend(refusals *r) {
    size_t kept = 0;
    for (size_t i = 0; i < r->count; i++)
        if (goes_on(r->at[i].fd) && clock_coarse_ms() < r->at[i].until)
            r->at[kept++] = r->at[i];
        else
            close(r->at[i].fd);
    r->count = kept;
}

void refusals_end(refusals *r) {
    while (r->count > 0)
        drop_eldest(r);
}
