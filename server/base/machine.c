/* What of the machine this process may use. A container's limits are those of its control groups
 * (Linux: Documentation/admin-guide/cgroup-v2.rst), of which the tightest counts. */
#include "base/machine.h"

#include <limits.h>
#include <sched.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { LINE = 512 };

/* The first line of a file; false where there is none. */
static bool read_line(const char *path, char line[LINE]) {
    FILE *file = fopen(path, "re");
    bool good = file && fgets(line, LINE, file);
    if (file)
        fclose(file);
    return good;
}

/* A number of bytes in a file; SIZE_MAX where it says "max" or is not there. */
static size_t read_limit(const char *path) {
    char line[LINE];
    char *end;
    if (!read_line(path, line))
        return SIZE_MAX;
    unsigned long long value = strtoull(line, &end, 10);
    return end > line ? (size_t)value : SIZE_MAX;
}

/* Processors of "quota period"; SIZE_MAX where there is no quota. */
static size_t read_quota(const char *path) {
    char line[LINE];
    unsigned long long quota, period;
    if (!read_line(path, line) || sscanf(line, "%llu %llu", &quota, &period) != 2 || period == 0)
        return SIZE_MAX;
    return (size_t)((quota + period - 1) / period);
}

/* The least of what a file says in this process's control group and in those around it. A container
 * that has its own view of the groups sees its own as the outermost. */
static size_t least_of_groups(const char *root, const char *group, const char *file,
                              size_t (*read)(const char *path)) {
    char path[PATH_MAX];
    size_t least = SIZE_MAX;
    for (size_t length = strlen(group);; length--) {
        snprintf(path, sizeof path, "%s%.*s/%s", root, (int)length, group, file);
        size_t value = read(path);
        least = value < least ? value : least;
        while (length > 0 && group[length - 1] != '/')
            length--;
        if (length == 0)
            return least;
    }
}

/* The path of this process's group in a hierarchy: "0::" of version 2, ":memory:" of version 1. */
static const char *group_of(const char *hierarchy, char line[LINE]) {
    FILE *file = fopen("/proc/self/cgroup", "re");
    const char *group = "";
    while (file && fgets(line, LINE, file)) {
        char *found = strstr(line, hierarchy);
        if (!found)
            continue;
        line[strcspn(line, "\n")] = '\0';
        group = found + strlen(hierarchy);
        break;
    }
    if (file)
        fclose(file);
    return group;
}

size_t machine_memory(void) {
    char line[LINE];
    size_t pages = (size_t)sysconf(_SC_PHYS_PAGES), page = (size_t)sysconf(_SC_PAGESIZE);
    size_t bytes = pages * page;
    size_t two = least_of_groups("/sys/fs/cgroup", group_of("0::", line), "memory.max", read_limit);
    size_t one = least_of_groups("/sys/fs/cgroup/memory", group_of(":memory:", line),
                                 "memory.limit_in_bytes", read_limit);
    bytes = two < bytes ? two : bytes;
    return one < bytes ? one : bytes;
}

size_t machine_processors(void) {
    char line[LINE];
    cpu_set_t set;
    size_t count = 1;
    if (sched_getaffinity(0, sizeof set, &set) == 0)
        count = (size_t)CPU_COUNT(&set);
    size_t quota = least_of_groups("/sys/fs/cgroup", group_of("0::", line), "cpu.max", read_quota);
    count = quota < count ? quota : count;
    return count > 0 ? count : 1;
}
