/* The listening socket. */
#include "http/listen.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/log.h"

/* Splits "host:port" or "[host]:port". */
static bool split(const char *where, char host[256], char port[16]) {
    const char *colon = strrchr(where, ':');
    size_t digits = colon ? strspn(colon + 1, "0123456789") : 0;
    if (digits == 0 || digits > 5 || colon[1 + digits] || strtol(colon + 1, NULL, 10) > 65535)
        return false;
    size_t length = (size_t)(colon - where);
    bool bracketed = length >= 2 && where[0] == '[' && colon[-1] == ']';
    if ((!bracketed && memchr(where, ':', length)) || length >= 256)
        return false;
    snprintf(host, 256, "%.*s", (int)(length - 2 * bracketed), where + bracketed);
    snprintf(port, 16, "%s", colon + 1);
    return true;
}

/* The path of "unix:/run/layerd.sock"; NULL where it is none. */
static const char *socket_path(const char *where) {
    return strncmp(where, "unix:", 5) ? NULL : where + 5;
}

bool listen_is_address(const char *where) {
    char host[256], port[16];
    const char *path = socket_path(where);
    return path ? *path && strlen(path) < sizeof((struct sockaddr_un *)0)->sun_path
                : split(where, host, port);
}

bool listen_is_local(const char *where) {
    char host[256], port[16];
    if (socket_path(where) || !split(where, host, port))
        return socket_path(where) != NULL;
    bool numbers = !host[strspn(host, "0123456789.")];
    return (numbers && !strncmp(host, "127.", 4)) || !strcmp(host, "::1") ||
           !strcasecmp(host, "localhost");
}

/* A socket file that nobody listens at is what an earlier process left. */
static bool is_stale(const struct sockaddr_un *at) {
    struct stat file;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool refused = fd >= 0 && connect(fd, (const struct sockaddr *)at, sizeof *at) < 0 &&
                   errno == ECONNREFUSED;
    if (fd >= 0)
        close(fd);
    return refused && lstat(at->sun_path, &file) == 0 && S_ISSOCK(file.st_mode);
}

/* The file has the mode that the umask leaves. */
static int open_path(const char *path) {
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof at.sun_path)
        return errno = ENAMETOOLONG, -1;
    strcpy(at.sun_path, path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    int code = fd < 0 ? -1 : bind(fd, (struct sockaddr *)&at, sizeof at);
    if (code < 0 && fd >= 0 && errno == EADDRINUSE) {
        bool stale = is_stale(&at);
        errno = EADDRINUSE;
        if (stale && unlink(path) == 0)
            code = bind(fd, (struct sockaddr *)&at, sizeof at);
    }
    if (code == 0 && listen(fd, SOMAXCONN) == 0)
        return fd;
    int error = errno;
    if (fd >= 0)
        close(fd);
    errno = error;
    return -1;
}

void listen_close(const char *where) {
    if (socket_path(where))
        unlink(socket_path(where));
}

static int open_one(const struct addrinfo *info) {
    int fd = socket(info->ai_family, info->ai_socktype | SOCK_CLOEXEC | SOCK_NONBLOCK,
                    info->ai_protocol);
    int yes = 1, no = 0;
    if (fd < 0)
        return -1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    if (info->ai_family == AF_INET6) /* [::] takes IPv4 as well */
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &no, sizeof no);
    if (bind(fd, info->ai_addr, info->ai_addrlen) == 0 && listen(fd, SOMAXCONN) == 0)
        return fd;
    int error = errno;
    close(fd);
    errno = error;
    return -1;
}

static void describe(int fd, char *address, size_t length) {
    struct sockaddr_storage bound = {0};
    socklen_t size = sizeof bound;
    char host[64] = "", port[16] = "";
    if (getsockname(fd, (struct sockaddr *)&bound, &size) == 0)
        getnameinfo((struct sockaddr *)&bound, size, host, sizeof host, port, sizeof port,
                    NI_NUMERICHOST | NI_NUMERICSERV);
    snprintf(address, length, bound.ss_family == AF_INET6 ? "http://[%s]:%s" : "http://%s:%s", host,
             port);
}

static void complain(const char *where) {
    log_line(LOG_ERROR, "cannot listen on %s: %s%s", where, strerror(errno),
             errno == EADDRINUSE ? "; --listen takes another" : "");
}

static int open_host(const char *where, char *address, size_t length) {
    char host[256], port[16];
    struct addrinfo *list;
    const struct addrinfo hints = {
        .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE};
    if (!split(where, host, port)) {
        log_line(LOG_ERROR, "cannot listen on %s: it is not an address and a port", where);
        return -1;
    }
    int code = getaddrinfo(*host ? host : NULL, port, &hints, &list);
    if (code != 0) {
        log_line(LOG_ERROR, "cannot listen on %s: %s", where, gai_strerror(code));
        return -1;
    }
    int fd = -1;
    for (const struct addrinfo *info = list; info && fd < 0; info = info->ai_next)
        fd = open_one(info);
    if (fd < 0)
        complain(where);
    else
        describe(fd, address, length);
    freeaddrinfo(list);
    return fd;
}

int listen_open(const char *where, char *address, size_t length) {
    if (!socket_path(where))
        return open_host(where, address, length);
    int fd = open_path(socket_path(where));
    if (fd < 0)
        complain(where);
    snprintf(address, length, "%s", where);
    return fd;
}
