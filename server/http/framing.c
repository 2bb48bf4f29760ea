/* Whether the head of a request can be read in one way only. */
#include "http/framing.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

bool framing_is_token(const char *text) {
    const char *at = text;
    while (isalnum((unsigned char)*at) || (*at && strchr("!#$%&'*+-.^_`|~", *at)))
        at++;
    return at > text && *at == '\0';
}

framing framing_of_line(const char *method, const char *path, const char *target_end,
                        const char *version) {
    return (framing){
        .next = version + strlen(version) + 2,
        .sound = framing_is_token(method) && path == method + strlen(method) + 1 &&
                 version == target_end + 1,
    };
}

void framing_add(framing *f, const char *name, const char *value) {
    if (!strcasecmp(name, "Host"))
        f->hosts++;
    else if (!strcasecmp(name, "Content-Length"))
        f->lengths++;
    else if (!strcasecmp(name, "Transfer-Encoding"))
        f->codings += strcasecmp(value, "chunked") ? 2 : 1; /* no other is understood */
    f->sound = f->sound && name == f->next && framing_is_token(name) && !strchr(value, '\r');
    f->next = value + strlen(value) + 2;
}

bool framing_is_sound(const framing *f, const char *end) {
    return f->sound && f->next + 2 == end && f->hosts <= 1 && f->lengths + f->codings <= 1;
}
