/* Requests answered without a socket, and what holds of every answer. */
#ifndef FUZZ_EXCHANGE_H
#define FUZZ_EXCHANGE_H

#include "unit/server/serving.h"

/* Serves, and holds the answer to what is true of all: it is 200 or 204, or a problem whose pointer
 * leads to a place of the request; whoever gets a problem has changed nothing in the store; and no
 * memory of the request is left in use. The body is to be freed. */
served exchange(service *service, const sent *sent);

/* Nothing is kept, and nothing of the store's budget is set aside. */
void store_is_empty(store *store);

#endif
