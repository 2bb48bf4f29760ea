/* A product of matrices that takes long enough for anything that is asked beside it. */
#ifndef TESTS_PRODUCT_H
#define TESTS_PRODUCT_H

#include "http/raw.h"

/* The head and body of the request, all ones; the caller frees it. */
char *product(const char *query, size_t *length);

/* Sends it on a connection of its own. */
raw send_product(const process *process, const char *query);

#endif
