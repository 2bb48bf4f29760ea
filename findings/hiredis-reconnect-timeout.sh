#!/usr/bin/env bash
# hiredis: redisReconnect forgets the timeout of redisSetTimeout, so the next reply may be waited
# for without end.
#
# The context keeps its address and goes on as before, but its new socket has no time limit; nor
# does the timeout given to redisConnectWithTimeout limit anything but the connecting. Set it again
# after every reconnect, or throw the context away.
#
# Debian 12, libhiredis0.14 0.14.1-3, SO_RCVTIMEO of the context's socket in milliseconds:
#     connected with a timeout of 300: 0, then set to 300: 300, reconnected: 0
# Needs gcc; no Redis runs, a listening socket is enough.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
apt-get -o APT::Sandbox::User=root -qq download libhiredis0.14=0.14.1-3 libhiredis-dev=0.14.1-3
for package in *.deb; do dpkg -x "$package" .; done
lib=usr/lib/$(gcc -print-multiarch)

cat >timeout.c <<'C'
#include <hiredis/hiredis.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

static long limit(const redisContext *context) {
    struct timeval time = {0};
    socklen_t size = sizeof time;
    if (context->err || getsockopt(context->fd, SOL_SOCKET, SO_RCVTIMEO, &time, &size)) exit(2);
    return time.tv_sec * 1000 + time.tv_usec / 1000;
}

int main(void) {
    struct sockaddr_in address = {.sin_family = AF_INET};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    if (bind(listener, (struct sockaddr *)&address, size) || listen(listener, 8) ||
        getsockname(listener, (struct sockaddr *)&address, &size))
        return 2;
    struct timeval timeout = {.tv_usec = 300000};
    redisContext *context = redisConnectWithTimeout("127.0.0.1", ntohs(address.sin_port), timeout);
    long connected = limit(context);
    redisSetTimeout(context, timeout);
    long set = limit(context);
    redisReconnect(context);
    long reconnected = limit(context);
    printf("connected with a timeout of 300: %ld, then set to 300: %ld, reconnected: %ld\n",
           connected, set, reconnected);
    return !(connected == 0 && set == 300 && reconnected == 0);
}
C
gcc -Iusr/include timeout.c -o timeout "$lib/libhiredis.so.0.14"
if ! LD_LIBRARY_PATH=$lib ./timeout; then
    echo "changed: hiredis keeps the timeout of a context, or sets it otherwise" >&2
    exit 1
fi
echo "as seen: hiredis forgets the timeout when it reconnects"
