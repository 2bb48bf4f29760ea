/* Where a Redis or Valkey is: the text of --store, taken apart. */
#ifndef STORE_REDIS_ADDRESS_H
#define STORE_REDIS_ADDRESS_H

#include <stdbool.h>

#include "store/redis/tls.h"

enum { REDIS_HOSTS = 8, REDIS_TEXT = 256 };

typedef enum { REDIS_TCP, REDIS_UNIX, REDIS_SENTINEL } redis_way;

typedef struct {
    redis_way way;
    int hosts;
    struct {
        char name[REDIS_TEXT]; /* or the path of the socket */
        int port;
    } host[REDIS_HOSTS];
    char master[64];                             /* its name, as the Sentinels know it */
    char user[REDIS_TEXT], password[REDIS_TEXT]; /* "" for none */
    int database;
    bool by_tls;                                  /* to nodes and Sentinels */
    char ca[REDIS_TEXT], certificate[REDIS_TEXT]; /* files for it, as of tls_make */
    const redis_tls *tls;                         /* with what; not in the text */
} redis_address;

/* redis://[user[:password]@]host[:port][,host...][/database], unix:///path[?db=1], or
 * sentinel://[user@]host[:port][,host...]/master[/database]; by TLS as rediss:// and
 * rediss+sentinel://, with ?ca=/path, ?certificate=/path or both, joined by &, behind the rest.
 * False for any other text. */
bool redis_address_read(const char *text, redis_address *address);

/* The same as options check it; "" is none, and right. */
bool redis_address_is_right(const char *text);

#endif
