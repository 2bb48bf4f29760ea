#include "guests.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/clock.h"

static char path[] = "/tmp/layerd-guests-XXXXXX";

void guests_make(guest *guests) {
    for (guest *g = guests; g->name; g++) {
        run made = daemon_run(OPTIONS("--new-token", g->name));
        char line[160], want[160];
        cr_assert(made.status == 0, "%s", made.error);
        cr_assert(sscanf(made.out, "layerd_%46[0-9A-Za-z]", g->token) == 1, "%s", made.out);
        snprintf(g->token, sizeof g->token, "%.*s", (int)strcspn(made.out, "\n"), made.out);
        snprintf(want, sizeof want, "%s %s compute %%64[0-9a-f]%%159[\n]", g->name, g->name);
        cr_assert(sscanf(made.error, want, g->hash, line) == 2, "%s", made.error);
    }
}

const char *guests_write(const guest *guests) {
    char fresh[sizeof path + 8];
    static bool made;
    if (!made) {
        int fd = mkstemp(path);
        cr_assert(fd >= 0);
        close(fd);
        made = true;
    }
    snprintf(fresh, sizeof fresh, "%s.new", path);
    FILE *file = fopen(fresh, "we");
    cr_assert(file);
    for (const guest *g = guests; g->name; g++)
        fprintf(file, "%s %s %s %s\n", g->name, g->rest, g->hash, g->limits ? g->limits : "");
    cr_assert(fclose(file) == 0 && rename(fresh, path) == 0);
    return path;
}

void guests_clean_up(void) {
    daemon_clean_up();
    unlink(path);
}

const char *bearer(const guest *guest) {
    static _Thread_local char text[4][96]; /* crowds call at once */
    static _Thread_local int next;
    next = (next + 1) % 4;
    snprintf(text[next], sizeof text[next], "Authorization: Bearer %s", guest->token);
    return text[next];
}

caller *guest_open(const process *process, const guest *guest) {
    caller *c = caller_open(process->url);
    cr_assert(layerd_add_header(c->client, bearer(guest), NULL));
    return c;
}

const char *guests_log(const process *process) {
    static char text[1 << 16];
    ssize_t got = pread(process->log, text, sizeof text - 1, 0);
    text[got > 0 ? got : 0] = '\0';
    return text;
}

static const char *last_of(const char *text, const char *words, int *count) {
    const char *last = NULL;
    for (*count = 0; (text = strstr(text, words)); text++, ++*count)
        last = text;
    return last;
}

bool guests_reload(const process *process, const char *words) {
    int before, now;
    last_of(guests_log(process), "SIGHUP: ", &before);
    kill(process->pid, SIGHUP);
    const char *last = last_of(guests_log(process), "SIGHUP: ", &now);
    for (double end = clock_now() + 10000; now == before && clock_before(end);) {
        clock_pause();
        last = last_of(guests_log(process), "SIGHUP: ", &now);
    }
    return now > before && strstr(last, words);
}
