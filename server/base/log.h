/* The log: one line an event on standard error, with time and level. Thread-safe. */
#ifndef SERVER_LOG_H
#define SERVER_LOG_H

typedef enum { LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG } log_level;

typedef enum { LOG_TEXT, LOG_JSON } log_format;

/* Lines above this level are dropped. LOG_TEXT is "<time> <level> <message>", LOG_JSON an object of
 * these three. Set once, before there are threads. */
void log_set(log_level level, log_format format);

/* Whether lines of this level are written: for callers to whom the line is dear to make. */
int log_enabled(log_level level);

/* Writes one line. Whatever is not printable ASCII in it is escaped (\n, \x1b), so that text from
 * outside can neither forge a line nor move a terminal. */
void log_line(log_level level, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
