/* The log. */
#include "base/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

static log_level maximum = LOG_INFO;

void log_set_level(log_level level) {
    maximum = level;
}

int log_enabled(log_level level) {
    return level <= maximum;
}

void log_line(log_level level, const char *format, ...) {
    static const char *const names[] = {"error", "warn", "info", "debug"};
    if (level > maximum)
        return;
    char text[1024], line[4 * sizeof text + 64];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);

    struct timespec now;
    struct tm utc;
    clock_gettime(CLOCK_REALTIME, &now);
    gmtime_r(&now.tv_sec, &utc);
    size_t used = strftime(line, sizeof line, "%Y-%m-%dT%H:%M:%S", &utc);
    used += (size_t)snprintf(line + used, sizeof line - used, ".%03ldZ %s ", now.tv_nsec / 1000000,
                             names[level]);
    for (const unsigned char *c = (const unsigned char *)text; *c; c++)
        used += (size_t)(*c >= ' ' && *c < 0x7f && *c != '\\'
                             ? snprintf(line + used, sizeof line - used, "%c", *c)
                             : snprintf(line + used, sizeof line - used, "\\x%02x", *c));
    line[used++] = '\n';
    /* One write a line: lines of several threads do not mix. */
    if (write(STDERR_FILENO, line, used) < 0)
        return;
}
