/* Telling systemd how the service is. */
#include "base/notify.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/log.h"

void notify(const char *state) {
    const char *path = getenv("NOTIFY_SOCKET");
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    size_t length = path ? strlen(path) : 0;
    if (length == 0)
        return;
    int fd = -1;
    errno = ENAMETOOLONG;
    if (length < sizeof address.sun_path) {
        memcpy(address.sun_path, path, length);
        if (*path == '@') /* a name that is not in the file system */
            address.sun_path[0] = '\0';
        fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    }
    socklen_t size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length);
    if (fd < 0 ||
        sendto(fd, state, strlen(state), MSG_NOSIGNAL, (struct sockaddr *)&address, size) < 0)
        log_line(LOG_WARN, "cannot tell systemd %s: %s", state, strerror(errno));
    if (fd >= 0)
        close(fd);
}
