/* Who may call: the first line is an Authorization, the rest a file of tokens. */
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "access/admit.h"
#include "fuzz.h"

/* What was read of a line is what may be said, and is read of what it says. */
static void line_holds(const token_line *line) {
    char hex[SHA256_HEX + 1], text[512], fault[TOKENS_FAULT], scopes[64] = "";
    token_line again;
    HOLDS(line_is_name(line->name) && (!*line->tenant || line_is_name(line->tenant)));
    HOLDS(line->scopes > 0 && line->scopes < 1U << SCOPES);
    HOLDS(*line->tenant || line->scopes == SCOPE_ADMIN);
    HOLDS(!line->limits.rate == !line->limits.burst && line->cache > 0);
    for (int i = 0; i < SCOPES; i++)
        if (line->scopes & 1U << i)
            strcat(strcat(scopes, *scopes ? "," : ""), scope_names[i]);
    hex_write(line->digest, hex);
    int used = snprintf(text, sizeof text, "%s %s %s %s%s%s", line->name,
                        *line->tenant ? line->tenant : "-", scopes, hex,
                        line->verdict_only ? " detail=verdict" : "",
                        line->challenge_only ? " only=challenge" : "");
    if (line->limits.rate)
        used += sprintf(text + used, " rate=%llu burst=%llu", (unsigned long long)line->limits.rate,
                        (unsigned long long)line->limits.burst);
    if (line->limits.work)
        used += sprintf(text + used, " work=%llu", (unsigned long long)line->limits.work);
    if (line->cache != SIZE_MAX)
        used += sprintf(text + used, " cache=%zu", line->cache);
    HOLDS(line_read(text, (size_t)used, &again, fault) == LINE_TOKEN);
    again.until = line->until;
    HOLDS(!strcmp(line->name, again.name) && !strcmp(line->tenant, again.tenant));
    HOLDS(!memcmp(line->digest, again.digest, SHA256_BYTES) && line->scopes == again.scopes);
    HOLDS(!memcmp(&line->limits, &again.limits, sizeof again.limits));
    HOLDS(line->cache == again.cache && line->verdict_only == again.verdict_only);
    HOLDS(line->challenge_only == again.challenge_only);
}

/* Lines that are tokens' and that are wrong. */
static void lines_hold(const char *text, size_t length, size_t *good, size_t *bad) {
    const char *end = text + length;
    *good = *bad = 0;
    for (const char *next; text < end; text = next + 1) {
        char fault[TOKENS_FAULT] = "";
        token_line line;
        next = memchr(text, '\n', (size_t)(end - text));
        next = next ? next : end;
        line_kind kind = line_read(text, (size_t)(next - text), &line, fault);
        HOLDS((kind == LINE_WRONG) == (*fault != '\0'));
        *good += kind == LINE_TOKEN;
        *bad += kind == LINE_WRONG;
        if (kind == LINE_TOKEN)
            line_holds(&line);
    }
}

static tokens *open_bytes(const char *text, size_t length, char fault[TOKENS_FAULT]) {
    char path[64];
    int fd = memfd_create("tokens", MFD_CLOEXEC);
    HOLDS(fd >= 0 && write(fd, text, length) == (ssize_t)length && fchmod(fd, 0600) == 0);
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    tokens *tokens = tokens_open(path, fault);
    close(fd);
    return tokens;
}

static void admission_holds(tokens *tokens, const char *authorization) {
    for (int with = 0; with < 2; with++)
        for (int i = 0; i <= SCOPES; i++) {
            static const scope scopes[] = {SCOPE_NONE, SCOPE_COMPUTE, SCOPE_CHECK, SCOPE_ADMIN};
            admission asks = {.authorization = with ? authorization : NULL, .scope = scopes[i]};
            quota_headers quota;
            caller *caller;
            problem problem;
            if (admit(tokens, &asks, &caller, &quota, &problem)) {
                HOLDS(with && caller && (i == 0 || caller->scopes & scopes[i]));
            } else {
                problem_holds(&problem);
                HOLDS(problem.header || problem.kind == PROBLEM_RATE_LIMITED);
                HOLDS(!caller || problem.kind == PROBLEM_RATE_LIMITED ||
                      problem.kind == PROBLEM_FORBIDDEN);
            }
            caller_release(caller);
        }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    char *copy = malloc(size + 1), fault[TOKENS_FAULT] = "";
    HOLDS(copy);
    memcpy(copy, data, size);
    copy[size] = '\0';
    char *file = memchr(copy, '\n', size);
    if (file) {
        *file++ = '\0';
        size_t length = (size_t)(copy + size - file), good, bad;
        char *exact = exact_copy(file, length);
        lines_hold(exact, length, &good, &bad);
        tokens *tokens = open_bytes(exact, length, fault);
        free(exact);
        HOLDS(tokens ? bad == 0 && tokens_count(tokens) == good && good > 0 : *fault != '\0');
        if (tokens)
            admission_holds(tokens, copy);
        tokens_close(tokens);
    }
    free(copy);
    return 0;
}
