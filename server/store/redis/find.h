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

bool redis_node_is_same(const redis_node *a, const redis_node *b);

/* What a node says of itself. */
typedef struct {
    bool is_master;
    int replicas;
    uint64_t used, maximum;
    bool evicts; /* its policy is not noeviction */
} redis_report;

/* Finds the master: by the Sentinels, or by what the nodes say. `text` says why there is none. All
 * Sentinels are asked, and of those that answer the one counts that was told last of a change: its
 * epoch is the highest. While one of that epoch replaces the master there is none: what it takes
 * now may be forgotten. *unseen: one of them does not see it, and may begin to replace it. */
bool find_master(const redis_address *address, redis_node *node, int64_t timeout, bool *unseen,
                 char text[LINK_TEXT]);

/* Connects to the Sentinel of that number. NULL where its name is not known (`text`), or there is
 * no memory; else `state` tells. */
redis_link *find_sentinel(const redis_address *address, int i, int64_t deadline,
                          char text[LINK_TEXT]);

/* Connects and authenticates. Never NULL but where there is no memory; else `state` tells. */
redis_link *find_open(const redis_address *address, const redis_node *node, int64_t deadline);

/* Asks a node about itself. */
bool find_report(redis_link *link, redis_report *report);

#endif
