/* What the fuzz targets share. A target is one file with LLVMFuzzerTestOneInput; libFuzzer calls
 * it, or replay.c does with the files of the corpus. Whatever is wrong ends the process. */
#ifndef FUZZ_FUZZ_H
#define FUZZ_FUZZ_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "request.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Stays where NDEBUG is, and says what it wanted. */
#define HOLDS(condition)                                                                           \
    ((condition) ? (void)0                                                                         \
                 : (fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition), abort()))

/* A problem is one of the daemon's, and has a document that says so: RFC 9457, with a sentence, in
 * valid JSON. */
void problem_holds(const problem *problem);

/* Ends `text` at the first separator and returns what is behind it; NULL where there is none. */
char *cut_text(char *text, const char *separator);

/* Takes the query off a target: "/relu/forward?tensors=flat&cache=none". */
void take_query(char *target, request *request);

/* Memory of exactly this size, so that a look past the end is found; to be freed. */
char *exact_copy(const void *data, size_t size);

#endif
