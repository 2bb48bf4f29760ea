/* What the system tells of this process, for any thread. False where it does not tell. */
#ifndef DOCUMENTS_PROCESS_H
#define DOCUMENTS_PROCESS_H

#include <stdbool.h>
#include <stdint.h>

bool process_threads(uint64_t *threads);
bool process_virtual_bytes(uint64_t *bytes);
bool process_resident_bytes(uint64_t *bytes);

/* When it started, in seconds since 1970. */
bool process_start(double *seconds);

/* File descriptors that are open, and that may be. */
bool process_open_files(uint64_t *count);
bool process_most_files(uint64_t *count);

#endif
