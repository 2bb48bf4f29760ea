/* Files that decide who may do what. */
#include "access/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "access/secret.h"

static bool wrong(char fault[FILE_FAULT], const char *text) {
    snprintf(fault, FILE_FAULT, "%s", text);
    return false;
}

static bool may_be_read(const struct stat *file, size_t most, char fault[FILE_FAULT]) {
    if (!S_ISREG(file->st_mode))
        return wrong(fault, "it is not a regular file");
    if (file->st_mode & (S_IWGRP | S_IWOTH))
        return wrong(fault, "others than its owner may write it, and so let themselves in: "
                            "chmod go-w");
    if ((size_t)file->st_size <= most)
        return true;
    snprintf(fault, FILE_FAULT, "it is larger than %zu bytes", most);
    return false;
}

static bool is_same(const struct stat *a, const struct stat *b) {
    return a->st_size == b->st_size && a->st_mtim.tv_sec == b->st_mtim.tv_sec &&
           a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

/* Reads as many bytes as the file has, and sees that it has no more. */
static bool read_all(int fd, char *text, size_t size) {
    size_t have = 0;
    ssize_t got;
    while ((got = read(fd, text + have, size + 1 - have)) > 0 && have <= size)
        have += (size_t)got;
    return got == 0 && have == size;
}

static bool read_open(access_file *file, int fd, size_t most, char fault[FILE_FAULT]) {
    struct stat before, after;
    if (fstat(fd, &before) < 0 || !may_be_read(&before, most, fault))
        return false;
    file->length = (size_t)before.st_size;
    file->is_readable = before.st_mode & S_IROTH;
    file->bytes = malloc(file->length + 1);
    if (!file->bytes)
        return wrong(fault, "there is no memory for it");
    if (read_all(fd, file->bytes, file->length) && fstat(fd, &after) == 0 &&
        is_same(&before, &after))
        return true;
    access_file_free(file);
    return wrong(fault, "it changes while it is read");
}

bool access_file_read(access_file *file, const char *path, size_t most, char fault[FILE_FAULT]) {
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0)
        return wrong(fault, strerror(errno));
    wrong(fault, "it cannot be read");
    bool good = read_open(file, fd, most, fault);
    close(fd);
    return good;
}

void access_file_free(access_file *file) {
    if (file->bytes)
        secret_wipe(file->bytes, file->length);
    free(file->bytes);
    file->bytes = NULL;
}
