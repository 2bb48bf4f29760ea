/* --listen unix:/path. */
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "http/raw.h"

DAEMON_SUITE(socket_file);

static char folder[] = "/tmp/layerd-socket-XXXXXX";
static char path[64], where[80];

static void make_folder(void) {
    cr_assert(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/layerd.sock", folder);
    snprintf(where, sizeof where, "unix:%s", path);
}

static void remove_folder(void) {
    unlink(path);
    rmdir(folder);
    daemon_clean_up();
}

static raw open_path(void) {
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    raw r = {.fd = socket(AF_UNIX, SOCK_STREAM, 0)};
    strcpy(at.sun_path, path);
    cr_assert(connect(r.fd, (struct sockaddr *)&at, sizeof at) == 0);
    return r;
}

static bool is_there(void) {
    struct stat file;
    return lstat(path, &file) == 0;
}

Test(socket_file, is_served_and_removed, .init = make_folder, .fini = remove_folder) {
    umask(0117);
    process *p = daemon_start(OPTIONS("--listen", where, "--address-connections", "1"));
    struct stat file;
    CHECK_EQUAL(stat(path, &file), 0);
    CHECK_EQUAL(file.st_mode & 0777, 0660);
    raw r[3]; /* they have no address that could have too many */
    for (int i = 0; i < 3; i++) {
        r[i] = open_path();
        raw_post(&r[i], "/relu/forward?cache=none", "{'x':[-1,2]}");
        raw_expect(&r[i], 200, "{\"out\":[0.0,2.0]}");
        raw_post(&r[i], "/relu/forward", "{'x':");
        raw_expect(&r[i], 400, "invalid_json");
    }
    raw_print(&r[0], "no colon\r\n\r\n");
    raw_expect(&r[0], 400, "invalid_request");
    CHECK_TRUE(raw_ended(&r[0]));
    for (int i = 0; i < 3; i++)
        raw_close(&r[i]);
    daemon_stop(p);
    CHECK_TRUE(!is_there());
}

Test(socket_file, that_an_earlier_process_left_is_replaced, .init = make_folder,
     .fini = remove_folder) {
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    strcpy(at.sun_path, path);
    CHECK_EQUAL(bind(fd, (struct sockaddr *)&at, sizeof at), 0);
    close(fd);
    process *p = daemon_start(OPTIONS("--listen", where));
    raw r = open_path();
    raw_print(&r, "GET /healthz HTTP/1.1\r\nHost: t\r\n\r\n");
    raw_expect(&r, 200, "ok");
    raw_close(&r);
    daemon_stop(p);
}

Test(socket_file, of_somebody_who_listens_is_left, .init = make_folder, .fini = remove_folder) {
    process *p = daemon_start(OPTIONS("--listen", where));
    run second = daemon_run(OPTIONS("--listen", where));
    CHECK_EQUAL(second.status, 1);
    CHECK_TRUE(strstr(second.error, "--listen") && strstr(second.error, path));
    raw r = open_path();
    raw_print(&r, "GET /healthz HTTP/1.1\r\nHost: t\r\n\r\n");
    raw_expect(&r, 200, "ok");
    raw_close(&r);
    daemon_stop(p);
}

Test(socket_file, is_no_other_file, .init = make_folder, .fini = remove_folder) {
    FILE *file = fopen(path, "w");
    cr_assert(file);
    fclose(file);
    run refused = daemon_run(OPTIONS("--listen", where));
    CHECK_EQUAL(refused.status, 1);
    CHECK_TRUE(is_there());
}

Test(socket_file, has_a_path_that_fits) {
    static const char *const wrong[] = {
        "unix:", "unix:/01234567890123456789012345678901234567890123456789012345678901234567890"
                 "1234567890123456789012345678901234567890"};
    for (int i = 0; i < 2; i++)
        CHECK_EQUAL(daemon_run(OPTIONS("--listen", wrong[i])).status, 2);
}
