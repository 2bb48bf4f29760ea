/* Requests with one fault each, and how they are refused. */
#ifndef HTTP_REFUSAL_H
#define HTTP_REFUSAL_H

#include "http/daemon.h"

typedef struct {
    const char *path, *body, *code, *pointer;
    const char *words[3]; /* that the detail must have */
} refusal;

/* Sends all to one daemon. */
void expect_refusals(const refusal *refusals, size_t count);

#define EXPECT(list) expect_refusals(list, sizeof(list) / sizeof *(list))

/* Requests with these members of bn_param or dropout_param, and nothing else wrong. */
#define NORM(param) "{'x':[[1]],'gamma':[1],'beta':[1],'bn_param':{" param "}}"
#define DROP(param) "{'x':1,'dropout_param':{" param "}}"

#endif
