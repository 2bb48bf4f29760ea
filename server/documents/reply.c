/* Replies that are JSON documents. */
#include "documents/reply.h"

#include "base/json_dump.h"

bool reply_document(reply *reply, json_t *document, problem *problem) {
    reply->status = 200;
    reply->content_type = "application/json";
    reply->body = json_document_text(document, 0, &reply->body_length);
    json_decref(document);
    return reply->body || problem_set_memory(problem, "the answer");
}
