/* What answers: one handler an entry of the routes. routes.h says what each gets and returns. */
#ifndef SERVER_HANDLERS_H
#define SERVER_HANDLERS_H

#include <jansson.h>

#include "routes.h"

/* operation.c: POST /<layer>/<operation> */
bool handle_operation(service *service, const route *route, const request *request, reply *reply,
                      problem *problem);

/* caches.c: GET and DELETE /cache/<handle> */
bool handle_cache_info(service *service, const route *route, const request *request, reply *reply,
                       problem *problem);
bool handle_cache_remove(service *service, const route *route, const request *request, reply *reply,
                         problem *problem);

/* about.c: GET /healthz, /readyz, /version */
bool handle_health(service *service, const route *route, const request *request, reply *reply,
                   problem *problem);
bool handle_ready(service *service, const route *route, const request *request, reply *reply,
                  problem *problem);
bool handle_version(service *service, const route *route, const request *request, reply *reply,
                    problem *problem);

/* A reply of 200 with a JSON document; takes over the reference, which may be NULL where there was
 * no memory. */
bool reply_document(reply *reply, json_t *document, problem *problem);

#endif
