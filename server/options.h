/* Options, from the command line and the environment. */
#ifndef SERVER_OPTIONS_H
#define SERVER_OPTIONS_H

#include <stddef.h>

typedef struct {
    const char *listen;         /* "127.0.0.1:8080", "[::1]:8080", "unix:/run/layerd.sock" */
    size_t threads;             /* that answer requests */
    size_t connections;         /* open at once */
    size_t address_connections; /* of these from one address */
    size_t idle_time;           /* milliseconds until a connection's next request has begun */
    size_t least_rate;          /* bytes a second of a body or an answer */
    size_t queue;               /* dear requests that wait */
    size_t queue_time;          /* milliseconds that they may */
    size_t body_limit;          /* bytes */
    size_t answer_limit;        /* bytes */
    size_t work_limit;          /* operations of one call, as layers_call.work counts them */
    size_t memory;              /* bytes, of all requests in flight */
    size_t cache_budget;        /* bytes */
    size_t cache_lifetime;      /* milliseconds without use */
    const char *store;          /* that keeps handles for several daemons; "": this process does */
    const char *store_password_file; /* "" for none */
    const char *store_copies;        /* a digit: replicas that must have what is given; "": usual */
    size_t store_timeout, store_grace; /* milliseconds */
    const char *cors_origin;   /* origins whose pages may call, by commas, or "*"; "" for none */
    const char *tokens;        /* the file of those who may call; "" where everyone may */
    const char *public_paths;  /* for which no token is needed, by commas */
    const char *challenge_key; /* the file of the keys of challenges; "" for one that is drawn */
    size_t challenge_lifetime; /* milliseconds */
    size_t challenges;         /* that are remembered as spent at once */
    const char *new_token;     /* the name of one that is to be made, and no more; NULL */
    size_t drain_time;         /* milliseconds that new work is taken after SIGTERM */
    size_t grace;              /* milliseconds for running requests at the stop */
    size_t log_level;          /* a log_level */
    size_t log_format;         /* a log_format */
} options;

typedef enum {
    OPTIONS_RUN,
    OPTIONS_DONE,  /* --help or --version were asked for, and have been printed */
    OPTIONS_WRONG, /* a sentence has been printed on standard error */
} options_result;

/* Fills *options: defaults, then the environment (LAYERD_BODY_LIMIT), then the command line
 * (--body-limit=64MiB or --body-limit 64MiB). Strings point into argv and the environment. */
options_result options_read(options *options, int argc, char **argv);

#endif
