/* CORS: which pages of other origins may call, and what they are told. */
#include "http/cors.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

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

/* Whether a request's Origin is allowed; NULL for none is not. */
static bool allows(const char *origins, const char *origin) {
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

/* Whether an origin is that of a host, "example.org:8443" in both; a port that is the scheme's own
 * may stand or not. Which scheme it was a proxy may have changed. */
static bool is_own(const char *origin, const char *host) {
    const char *name = strstr(origin, "://");
    if (!name || !host)
        return false;
    const char *own = !strncmp(origin, "https:", 6) ? ":443" : ":80";
    size_t length = strlen(name += strlen("://"));
    size_t host_length = strlen(host), own_length = strlen(own);
    if (host_length > own_length && !strcmp(host + host_length - own_length, own))
        host_length -= own_length;
    return length == host_length && !strncasecmp(name, host, length);
}

bool cors_is_foreign(const char *origins, const char *origin, const char *site, const char *host) {
    if (origin && (allows(origins, origin) || is_own(origin, host)))
        return false;
    return origin || (site && !strcmp(site, "cross-site") && strcmp(origins, "*") != 0);
}

void cors_add(header_list *list, const char *origins, const request *request, const route *route) {
    bool any = !strcmp(origins, "*");
    if (!*origins)
        return;
    if (!any) /* whoever keeps answers must not give one origin another's */
        header_add(list, "Vary", "Origin");
    if (!allows(origins, request->origin))
        return;
    header_add(list, "Access-Control-Allow-Origin", any ? "*" : request->origin);
    if (request->is_preflight && route->allow) {
        header_add(list, "Access-Control-Allow-Methods", route->allow);
        header_add(list, "Access-Control-Allow-Headers",
                   "content-type, accept, authorization, traceparent, tracestate, x-request-id");
        header_add(list, "Access-Control-Max-Age", "7200");
    } else {
        header_add(list, "Access-Control-Expose-Headers",
                   "X-Request-Id, Server-Timing, Retry-After, WWW-Authenticate, RateLimit, "
                   "RateLimit-Policy");
    }
}
