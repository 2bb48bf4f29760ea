/* What the contract says of every answer. */
#ifndef TESTS_CONTRACT_H
#define TESTS_CONTRACT_H

#include <stdbool.h>

#include "caller.h"

/* The status of an error code, 0 where the contract has no such code. */
int contract_status(const char *code);

/* Whether the headers and the form of an answer are as promised; `fault` tells what is not. */
bool contract_kept(const answer *answer, bool head, char fault[FAULT_TEXT]);

#endif
