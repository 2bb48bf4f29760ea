/* GET /: the page for people, as the Makefile put it together (server/documents/web/). */
#include <stdlib.h>
#include <string.h>

#include "handlers.h"

/* server/documents/web/page.S: the document, and the policy that allows what is in it. */
extern const char page_text[], page_policy[];
extern const uint64_t page_length;

bool handle_page(service *service, const route *route, const request *request, reply *reply,
                 problem *problem) {
    (void)service, (void)route, (void)request;
    static const char *const headers[] = {
        "Content-Security-Policy",
        page_policy,
        "X-Content-Type-Options",
        "nosniff",
        "Referrer-Policy",
        "no-referrer",
        "Cache-Control",
        "no-cache",
        NULL,
    };
    reply->body = malloc(page_length);
    if (!reply->body)
        return problem_set_memory(problem, "the page");
    memcpy(reply->body, page_text, page_length);
    reply->body_length = page_length;
    reply->status = 200;
    reply->content_type = "text/html; charset=utf-8";
    reply->headers = headers;
    return true;
}
