/* Everything of a request but its body, and the options: lines of text, in this order: method, path
 * and query, Content-Type, Accept, an address to listen at, then arguments of the command line. */
#include <string.h>

#include "fuzz.h"
#include "http/listen.h"
#include "options.h"
#include "routes.h"

enum { LINES_MOST = 16 };

/* Cuts the text into lines; those that are not there are NULL. */
static int cut_lines(char *text, char *line[LINES_MOST]) {
    int count = 0;
    for (char *next; count < LINES_MOST && text; text = next) {
        next = strchr(text, '\n');
        if (next)
            *next++ = '\0';
        line[count++] = text;
    }
    for (int i = count; i < LINES_MOST; i++)
        line[i] = NULL;
    return count;
}

static void route_holds(char *const line[LINES_MOST]) {
    request request = {.method = line[0],
                       .path = line[1],
                       .content_type = line[2] && *line[2] ? line[2] : NULL,
                       .accept = line[3] && *line[3] ? line[3] : NULL};
    route route;
    problem problem;
    take_query(line[1], &request);
    if (route_find(&request, &route, &problem)) {
        HOLDS(route.handle);
        return;
    }
    problem_holds(&problem);
    HOLDS(problem.kind == PROBLEM_NOT_FOUND || problem.kind == PROBLEM_METHOD_NOT_ALLOWED ||
          problem.kind == PROBLEM_INVALID_QUERY || problem.kind == PROBLEM_NOT_ACCEPTABLE ||
          problem.kind == PROBLEM_UNSUPPORTED_MEDIA_TYPE);
    HOLDS(!problem.header == (problem.kind != PROBLEM_METHOD_NOT_ALLOWED));
}

/* What options are printed, and complained of, is not looked at. */
static void options_hold(char **arguments, int count) {
    static FILE *nowhere;
    char name[] = "layerd", *argv[LINES_MOST + 2] = {name};
    options options;
    FILE *out = stdout, *error = stderr;
    memcpy(argv + 1, arguments, (size_t)count * sizeof *argv);
    if (!nowhere)
        nowhere = fopen("/dev/null", "we");
    HOLDS(nowhere);
    stdout = stderr = nowhere;
    options_result result = options_read(&options, count + 1, argv);
    stdout = out;
    stderr = error;
    if (result != OPTIONS_RUN)
        return;
    HOLDS(listen_is_address(options.listen));
    HOLDS(options.threads >= 1 && options.threads <= 256 && options.log_level <= 3);
    HOLDS(options.body_limit >= 1024 && options.cache_lifetime >= 1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    char *text = malloc(size + 1), *line[LINES_MOST];
    HOLDS(text);
    memcpy(text, data, size);
    text[size] = '\0';
    int count = cut_lines(text, line);
    if (count >= 2)
        route_holds(line);
    if (count >= 5)
        listen_is_address(line[4]);
    if (count > 5)
        options_hold(line + 5, count - 5);
    free(text);
    return 0;
}
