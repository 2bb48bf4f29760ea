/* Connections that are refused before a request of theirs is read. */
#ifndef HTTP_REFUSALS_H
#define HTTP_REFUSALS_H

#include "base/problem.h"
#include "http/header.h"

/* Answers with the problem, as far as the socket takes it at once; it does not block, and stays the
 * caller's. */
void refusals_answer(header_ids *ids, int fd, problem *problem);

#endif
