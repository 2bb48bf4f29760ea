/* libmicrohttpd alone: what any server on it can reach at most. Bodies are thrown away, and every
 * request is answered with the same bytes.
 *
 *     floor_http THREADS ANSWER_BYTES     prints its port, ends at the end of its input */
#include <microhttpd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static enum MHD_Result answer(void *cls, struct MHD_Connection *connection, const char *url,
                              const char *method, const char *version, const char *upload,
                              size_t *upload_size, void **seen) {
    (void)url, (void)method, (void)version, (void)upload;
    if (!*seen) {
        *seen = cls;
        return MHD_YES;
    }
    if (*upload_size) {
        *upload_size = 0;
        return MHD_YES;
    }
    return MHD_queue_response(connection, MHD_HTTP_OK, cls);
}

int main(int argc, char **argv) {
    unsigned threads = argc == 3 ? (unsigned)atoi(argv[1]) : 0;
    size_t bytes = argc == 3 ? strtoul(argv[2], NULL, 10) : 0;
    char *body = malloc(bytes), end;
    if (!threads || !body)
        return 2;
    memset(body, 'x', bytes);
    struct MHD_Response *response =
        MHD_create_response_from_buffer(bytes, body, MHD_RESPMEM_PERSISTENT);
    struct MHD_Daemon *daemon = MHD_start_daemon(
        MHD_USE_EPOLL_INTERNAL_THREAD, 0, NULL, NULL, answer, response, MHD_OPTION_THREAD_POOL_SIZE,
        threads, MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)32 << 10, MHD_OPTION_END);
    if (!daemon)
        return 1;
    printf("serves on http://127.0.0.1:%u\n",
           MHD_get_daemon_info(daemon, MHD_DAEMON_INFO_BIND_PORT)->port);
    fflush(stdout);
    while (read(STDIN_FILENO, &end, 1) > 0)
        ;
    MHD_stop_daemon(daemon);
    MHD_destroy_response(response);
    free(body);
    return 0;
}
