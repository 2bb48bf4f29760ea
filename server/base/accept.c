/* Media types, as Content-Type and Accept name them. */
#include "base/accept.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* Length of a media type without its parameters. */
static size_t type_length(const char *type) {
    size_t length = strcspn(type, ";,");
    while (length > 0 && (type[length - 1] == ' ' || type[length - 1] == '\t'))
        length--;
    return length;
}

bool is_type(const char *type, const char *name) {
    return type_length(type) == strlen(name) && !strncasecmp(type, name, strlen(name));
}

/* The q of a media range: 1 where it has none. */
static double quality(const char *range, size_t length) {
    for (const char *p = range; (p = memchr(p, ';', length - (size_t)(p - range)));) {
        p += 1 + strspn(p + 1, " \t");
        if ((size_t)(p - range) + 2 <= length && (*p | 32) == 'q' && p[1] == '=') {
            double q = strtod(p + 2, NULL);
            return q > 0 ? fmin(q, 1) : 0;
        }
    }
    return 1;
}

static int closeness(const char *range, const char *type) {
    size_t main_length = strcspn(type, "/") + 1;
    if (is_type(range, type))
        return 3;
    if (type_length(range) == main_length + 1 && !strncasecmp(range, type, main_length) &&
        range[main_length] == '*')
        return 2;
    return is_type(range, "*/*");
}

preference preference_for(const char *accept, const char *type) {
    preference best = {0, 0};
    for (const char *range = accept; *range; range += strcspn(range, ","), range += *range == ',') {
        range += strspn(range, " \t");
        int closer = closeness(range, type);
        if (closer > best.closeness)
            best = (preference){quality(range, strcspn(range, ",")), closer};
    }
    return best;
}
