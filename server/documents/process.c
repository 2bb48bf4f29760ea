/* What the system tells of this process. */
#include "documents/process.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

/* The field of that number in /proc/self/stat (proc(5)); nothing where there is no /proc. */
static bool read_stat(int field, uint64_t *value) {
    char text[1024];
    FILE *file = fopen("/proc/self/stat", "re");
    if (!file)
        return false;
    text[fread(text, 1, sizeof text - 1, file)] = '\0';
    fclose(file);
    const char *at = strrchr(text, ')'); /* behind the program's name, which may have spaces */
    for (int i = 2; at && i < field; i++)
        at = strchr(at + 1, ' ');
    if (!at)
        return false;
    *value = strtoull(at, NULL, 10);
    return true;
}

bool process_threads(uint64_t *threads) {
    return read_stat(20, threads);
}

bool process_virtual_bytes(uint64_t *bytes) {
    return read_stat(23, bytes);
}

bool process_resident_bytes(uint64_t *bytes) {
    if (!read_stat(24, bytes))
        return false;
    *bytes *= (uint64_t)sysconf(_SC_PAGESIZE);
    return true;
}

/* /proc tells the start in ticks since the boot. */
bool process_start(double *seconds) {
    uint64_t ticks;
    struct timespec now, boot;
    if (!read_stat(22, &ticks) || clock_gettime(CLOCK_REALTIME, &now) != 0 ||
        clock_gettime(CLOCK_BOOTTIME, &boot) != 0)
        return false;
    double age = (double)boot.tv_sec + (double)boot.tv_nsec * 1e-9 -
                 (double)ticks / (double)sysconf(_SC_CLK_TCK);
    *seconds = (double)now.tv_sec + (double)now.tv_nsec * 1e-9 - age;
    return true;
}

bool process_open_files(uint64_t *count) {
    uint64_t entries = 0;
    DIR *folder = opendir("/proc/self/fd");
    if (!folder)
        return false;
    while (readdir(folder)) /* which owns the stream alone */
        entries++;
    closedir(folder);
    *count = entries - 3; /* without ".", "..", and the folder's own */
    return true;
}

bool process_most_files(uint64_t *count) {
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return false;
    *count = limit.rlim_cur;
    return true;
}
