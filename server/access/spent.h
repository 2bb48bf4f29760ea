/* The challenges that were answered and may not be again: each with what it was answered by, until
 * it expires. One that lives is never forgotten to make room for another. */
#ifndef ACCESS_SPENT_H
#define ACCESS_SPENT_H

#include <stddef.h>
#include <stdint.h>

#include "access/challenge_token.h"

typedef struct spent spent;

typedef enum {
    SPENT_NOW,    /* it was not, and is so from now on */
    SPENT_BEFORE, /* by this very answer */
    SPENT_OTHERWISE,
    SPENT_EXPIRED,
    SPENT_FULL, /* it was not, and there is no room */
} spent_result;

/* Room for so many. NULL where there is no memory. */
spent *spent_make(size_t most);

/* Spends a challenge on an answer, by its digest. Times are in milliseconds of any one clock, which
 * for all is as late as it was for any; *free_at is when there will be room, where there is none.
 * From any thread. */
spent_result spent_use(spent *spent, const unsigned char id[CHALLENGE_ID],
                       const unsigned char answer[SHA256_BYTES], int64_t now, int64_t expires,
                       int64_t *free_at);

/* NULL is fine. */
void spent_free(spent *spent);

#endif
