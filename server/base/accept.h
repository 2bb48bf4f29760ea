/* Media types, as Content-Type and Accept name them (RFC 9110, 8.3 and 12.5.1). */
#ifndef SERVER_ACCEPT_H
#define SERVER_ACCEPT_H

#include <stdbool.h>

/* What an Accept says of a media type. */
typedef struct {
    double quality; /* 0 to 1; 0: not wanted */
    int closeness;  /* 3: named itself; 2: by "application/" and a star; 1: by two stars; 0: not */
} preference;

/* Whether a Content-Type, or the first range of an Accept, is of a type, parameters aside. */
bool is_type(const char *type, const char *name);

/* How much an Accept wants a type: the closest range decides. */
preference preference_for(const char *accept, const char *type);

#endif
