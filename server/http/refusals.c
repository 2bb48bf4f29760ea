/* Answers to connections that are refused. */
#include "http/refusals.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

void refusals_answer(header_ids *ids, int fd, problem *problem) {
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
}
