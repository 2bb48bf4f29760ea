/* Files that decide who may do what: tokens, keys. */
#ifndef ACCESS_FILE_H
#define ACCESS_FILE_H

#include <stdbool.h>
#include <stddef.h>

enum { FILE_FAULT = 256 };

typedef struct {
    char *bytes; /* to be given up with access_file_free */
    size_t length;
    bool is_readable; /* by users that are neither its owner nor of its group */
} access_file;

/* Reads a file of at most `most` bytes that only its owner may write, and that nobody writes
 * meanwhile. False with what is wrong. */
bool access_file_read(access_file *file, const char *path, size_t most, char fault[FILE_FAULT]);

/* Wipes the bytes, too. */
void access_file_free(access_file *file);

#endif
