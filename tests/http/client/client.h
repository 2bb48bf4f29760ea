/* Calls by the client of clients/c. */
#ifndef HTTP_CLIENT_H
#define HTTP_CLIENT_H

#include "http/daemon.h"

#define TENSOR(dtype, data, ...)                                                                   \
    layerd_wrap(dtype, (int)(sizeof((size_t[]){__VA_ARGS__}) / sizeof(size_t)),                    \
                (size_t[]){__VA_ARGS__}, data)

layerd_client *open_client(const process *p);

/* An answer, or the end of the test. */
layerd_answer *run_well(layerd_client *client, const layerd_request *request);

/* Checks that there was no answer, and the error; `words` are some of its detail. */
void check_refused(layerd_answer *answer, const layerd_error *error, const char *code,
                   const char *pointer, const char *words);

#endif
