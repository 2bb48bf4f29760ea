/* Daemons with a file of tokens, and callers that have one. */
#ifndef TESTS_GUESTS_H
#define TESTS_GUESTS_H

#include "http/daemon.h"

enum { GUESTS_MOST = 8 };

typedef struct {
    const char *name, *rest; /* "tenant scopes" of its line */
    const char *limits;      /* behind the hash; "" for none */
    char token[64], hash[65];
} guest;

/* Makes a token for each, with --new-token, up to one without a name. */
void guests_make(guest *guests);

/* Writes their lines to a file, replacing it as a whole; its name, which is of this process. */
const char *guests_write(const guest *guests);

/* Removes the file. */
void guests_clean_up(void);

/* "Authorization: Bearer ..."; good until four more have been asked for. */
const char *bearer(const guest *guest);

/* A caller that has the token. */
caller *guest_open(const process *process, const guest *guest);

/* What the daemon has logged. */
const char *guests_log(const process *process);

/* Sends SIGHUP and waits for as many lines about it as there are then; whether the last is of
 * `words`. */
bool guests_reload(const process *process, const char *words);

#endif
