/* Whose something is: a tenant, to whom what is kept for another is not there. NULL stands for
 * everyone where nobody is told from anybody. */
#ifndef BASE_OWNER_H
#define BASE_OWNER_H

#include <stdatomic.h>
#include <stddef.h>

typedef struct {
    const char *name;
    atomic_size_t limit; /* bytes that may be kept for it; SIZE_MAX: as many as there is room for */
    atomic_size_t kept;  /* and that are, those set aside counted */
} owner;

#endif
