/* Finding the node to be asked, and holding it to what a store must be. */
#ifndef STORE_REDIS_FIND_H
#define STORE_REDIS_FIND_H

#include "store/redis/address.h"
#include "store/redis/link.h"

typedef struct {
    char name[REDIS_TEXT]; /* to which its certificate must be */
    char host[REDIS_TEXT]; /* numeric, or the path of a socket */
    int port;              /* 0 for a socket */
} redis_node;

/* What a node says of itself. */
typedef struct {
    bool is_master;
    int replicas;
    uint64_t used, maximum;
    bool evicts; /* its policy is not noeviction */
} redis_report;

/* Finds the master: by the Sentinels, or by what the nodes say. `text` says why there is none.
 * While a Sentinel replaces the one that it names there is none: what that one takes now may be
 * forgotten. `by_all`: all Sentinels are asked, and not only until one names it. */
bool find_master(const redis_address *address, redis_node *node, int64_t timeout, bool by_all,
                 char text[LINK_TEXT]);

/* Connects and authenticates. Never NULL but where there is no memory; else `state` tells. */
redis_link *find_open(const redis_address *address, const redis_node *node, int64_t deadline);

/* Asks a node about itself. */
bool find_report(redis_link *link, redis_report *report);

#endif
