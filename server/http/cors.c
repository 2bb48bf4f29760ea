/* CORS: which pages of other origins may call, and what they are told. */
#include "http/cors.h"

#include <stdlib.h>
#include <string.h>

/* scheme://host[:port], in lower case and without the scheme's own port, as browsers write it. */
static bool is_origin(const char *text, size_t length) {
    static const char lower[] = "abcdefghijklmnopqrstuvwxyz";
    const char *end = text + length, *host = strstr(text, "://");
    if (!host || host == text || host >= end || !strchr(lower, *text) ||
        text + strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789+-.") != host)
        return false;
    host += strlen("://");
    const char *rest = *host == '['
                           ? host + 1 + strspn(host + 1, "0123456789abcdef:.")
                           : host + strspn(host, "abcdefghijklmnopqrstuvwxyz0123456789-._");
    bool bracketed = *host == '[' && *rest == ']';
    rest += bracketed;
    if (rest == host || (*host == '[' && !bracketed))
        return false;
    if (rest == end)
        return true;
    size_t digits = *rest == ':' ? strspn(rest + 1, "0123456789") : 0;
    if (digits == 0 || digits > 5 || rest + 1 + digits != end || rest[1] == '0')
        return false;
    long port = strtol(rest + 1, NULL, 10);
    bool own =
        (!strncmp(text, "http:", 5) && port == 80) || (!strncmp(text, "https:", 6) && port == 443);
    return port <= 65535 && !own;
}

bool cors_is_right(const char *origins) {
    if (!*origins || !strcmp(origins, "*"))
        return true;
    for (const char *one = origins;; one++) {
        size_t length = strcspn(one, ",");
        if (!is_origin(one, length))
            return false;
        one += length;
        if (!*one)
            return true;
    }
}

bool cors_allows(const char *origins, const char *origin) {
    size_t want = origin ? strlen(origin) : 0;
    if (want == 0 || !strcmp(origins, "*"))
        return want > 0;
    for (const char *one = origins; *one; one += *one == ',') {
        size_t length = strcspn(one, ",");
        if (length == want && !memcmp(one, origin, length))
            return true;
        one += length;
    }
    return false;
}

void cors_add(header_list *list, const char *origins, const char *origin, const char *methods) {
    bool any = !strcmp(origins, "*");
    if (!*origins)
        return;
    if (!any) /* whoever keeps answers must not give one origin another's */
        header_add(list, "Vary", "Origin");
    if (!cors_allows(origins, origin))
        return;
    header_add(list, "Access-Control-Allow-Origin", any ? "*" : origin);
    if (methods) {
        header_add(list, "Access-Control-Allow-Methods", methods);
        header_add(list, "Access-Control-Allow-Headers", "content-type, accept, x-request-id");
        header_add(list, "Access-Control-Max-Age", "7200");
    } else {
        header_add(list, "Access-Control-Expose-Headers",
                   "X-Request-Id, Server-Timing, Retry-After");
    }
}
