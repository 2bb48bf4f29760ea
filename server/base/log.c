/* The log. */
#include "base/log.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

static log_level maximum = LOG_INFO;
static log_format form = LOG_TEXT;

void log_set(log_level level, log_format format) {
    maximum = level;
    form = format;
}

int log_enabled(log_level level) {
    return level <= maximum;
}

/* As JSON has it, an escape of the text's has its own backslash escaped. */
static size_t write_character(char *out, unsigned char c) {
    bool plain = c >= ' ' && c < 0x7f && c != '\\';
    if (form == LOG_TEXT)
        return (size_t)sprintf(out, plain ? "%c" : "\\x%02x", c);
    return (size_t)sprintf(out, c == '"' ? "\\%c" : plain ? "%c" : "\\\\x%02x", c);
}

void log_line(log_level level, const char *format, ...) {
    static const char *const names[] = {"error", "warn", "info", "debug"};
    static const char *const starts[] = {
        [LOG_TEXT] = "%s.%03ldZ %s ",
        [LOG_JSON] = "{\"time\":\"%s.%03ldZ\",\"level\":\"%s\",\"message\":\""};
    if (level > maximum)
        return;
    char text[1024], line[5 * sizeof text + 128], seconds[32];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);

    struct timespec now;
    struct tm utc;
    clock_gettime(CLOCK_REALTIME, &now);
    gmtime_r(&now.tv_sec, &utc);
    strftime(seconds, sizeof seconds, "%Y-%m-%dT%H:%M:%S", &utc);
    size_t used = (size_t)sprintf(line, starts[form], seconds, now.tv_nsec / 1000000, names[level]);
    for (const unsigned char *c = (const unsigned char *)text; *c; c++)
        used += write_character(line + used, *c);
    used += (size_t)sprintf(line + used, form == LOG_JSON ? "\"}\n" : "\n");
    /* One write a line: lines of several threads do not mix. */
    if (write(STDERR_FILENO, line, used) < 0)
        return;
}
