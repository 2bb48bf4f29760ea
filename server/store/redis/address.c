/* The text of --store, taken apart. */
#include "store/redis/address.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

enum { REDIS_PORT = 6379, SENTINEL_PORT = 26379, DATABASES = 1 << 20 };

static int hex(char digit) {
    return isdigit((unsigned char)digit)    ? digit - '0'
           : isxdigit((unsigned char)digit) ? tolower((unsigned char)digit) - 'a' + 10
                                            : -1;
}

/* Copies `length` characters, %xx for one; false where they are too many, or would hold a NUL. */
static bool copy(char *out, size_t room, const char *text, size_t length) {
    size_t used = 0;
    for (size_t i = 0; i < length; i++) {
        char c = text[i];
        if (c == '%') {
            int high = i + 2 < length ? hex(text[i + 1]) : -1;
            int low = i + 2 < length ? hex(text[i + 2]) : -1;
            if (high < 0 || low < 0)
                return false;
            c = (char)(16 * high + low);
            i += 2;
        }
        if (used + 1 >= room || !c)
            return false;
        out[used++] = c;
    }
    out[used] = '\0';
    return true;
}

static bool read_number(const char *text, size_t length, long most, int *number) {
    char *end, digits[8];
    if (length == 0 || length >= sizeof digits || strspn(text, "0123456789") < length)
        return false;
    memcpy(digits, text, length);
    digits[length] = '\0';
    long value = strtol(digits, &end, 10);
    *number = (int)value;
    return value <= most;
}

/* "host", "host:port", "[::1]:port". */
static bool read_host(redis_address *address, const char *text, size_t length) {
    int usual = address->way == REDIS_SENTINEL ? SENTINEL_PORT : REDIS_PORT;
    bool bracket = length > 0 && *text == '[';
    const char *end = bracket ? memchr(text, ']', length) : memchr(text, ':', length);
    if (address->hosts == REDIS_HOSTS || (bracket && !end))
        return false;
    size_t name = end ? (size_t)(end - text) : length;
    const char *rest = text + name + bracket;
    size_t left = length - name - bracket;
    int port = usual;
    if (name <= (size_t)bracket ||
        !copy(address->host[address->hosts].name, REDIS_TEXT, text + bracket, name - bracket) ||
        (left > 0 && (*rest != ':' || !read_number(rest + 1, left - 1, 65535, &port))))
        return false;
    address->host[address->hosts++].port = port;
    return true;
}

static bool read_user(redis_address *address, const char *text, size_t length) {
    const char *colon = memchr(text, ':', length);
    size_t user = colon ? (size_t)(colon - text) : length;
    return copy(address->user, REDIS_TEXT, text, user) &&
           (!colon || copy(address->password, REDIS_TEXT, colon + 1, length - user - 1));
}

/* "[user[:password]@]host[:port][,host...]"; moves *text to the '/', the '?' or the end behind it.
 */
static bool read_hosts(redis_address *address, const char **text) {
    size_t length = strcspn(*text, "/?");
    const char *at = memrchr(*text, '@', length), *end = *text + length;
    if (at && !read_user(address, *text, (size_t)(at - *text)))
        return false;
    for (const char *host = at ? at + 1 : *text;;) {
        size_t one = strcspn(host, ",/?");
        if (!read_host(address, host, one))
            return false;
        if (host + one == end)
            break;
        host += one + 1;
    }
    *text = end;
    return true;
}

/* Whether a text starts so; then it is moved behind that. */
static bool skip(const char **text, const char *start) {
    size_t length = strlen(start);
    if (strncmp(*text, start, length) != 0)
        return false;
    *text += length;
    return true;
}

/* "?ca=/path&certificate=/path" to the end, where it goes by TLS. */
static bool read_files(redis_address *address, const char *text) {
    for (const char *mark = "?"; address->by_tls && skip(&text, mark); mark = "&") {
        char *file = skip(&text, "ca=")            ? address->ca
                     : skip(&text, "certificate=") ? address->certificate
                                                   : NULL;
        size_t length = strcspn(text, "&");
        if (!file || *file || length == 0 || !copy(file, REDIS_TEXT, text, length))
            return false;
        text += length;
    }
    return !*text;
}

/* "", "/", "/3", and files behind it. */
static bool read_database(redis_address *address, const char *text) {
    if (*text != '/')
        return read_files(address, text);
    size_t length = strcspn(++text, "?");
    return (length == 0 || read_number(text, length, DATABASES, &address->database)) &&
           read_files(address, text + length);
}

static bool read_socket(redis_address *address, const char *text) {
    static const char database[] = "?db=";
    size_t length = strcspn(text, "?");
    address->hosts = 1;
    if (*text != '/' || length < 2 || !copy(address->host[0].name, REDIS_TEXT, text, length))
        return false;
    if (!text[length])
        return true;
    text += length;
    return !strncmp(text, database, sizeof database - 1) &&
           read_number(text + 4, strlen(text + 4), DATABASES, &address->database);
}

static bool read_sentinels(redis_address *address, const char *text) {
    if (!read_hosts(address, &text) || *text != '/')
        return false;
    size_t length = strcspn(++text, "/?");
    return length > 0 && copy(address->master, sizeof address->master, text, length) &&
           read_database(address, text + length);
}

bool redis_address_read(const char *text, redis_address *address) {
    *address = (redis_address){.way = REDIS_TCP};
    address->by_tls = skip(&text, "rediss://");
    if (address->by_tls || skip(&text, "redis://"))
        return read_hosts(address, &text) && read_database(address, text);
    if (skip(&text, "unix://")) {
        address->way = REDIS_UNIX;
        return read_socket(address, text);
    }
    address->way = REDIS_SENTINEL;
    address->by_tls = skip(&text, "rediss+sentinel://");
    return (address->by_tls || skip(&text, "sentinel://") || skip(&text, "redis+sentinel://")) &&
           read_sentinels(address, text);
}

bool redis_address_is_right(const char *text) {
    redis_address address;
    return !*text || redis_address_read(text, &address);
}
