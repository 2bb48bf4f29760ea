/* The body of a request, gathered as it comes: bytes of one tensor, which a cache may keep. */
#ifndef SERVER_BODY_H
#define SERVER_BODY_H

#include "request.h"

/* A body that nothing has come of. */
layers_tensor body_empty(void);

/* body_too_large: more than `limit` bytes. Always false. */
bool body_too_large(size_t limit, problem *problem);

/* Room for `more` bytes behind the request's body_length, charged to its charge: all of them at
 * once where the body's length was said, else twice as many each time. False with body_too_large
 * or overloaded. */
bool body_make_room(request *request, size_t more, size_t limit, problem *problem);

/* Gives back the room that was too much, once all has come. False with overloaded. */
bool body_trim(request *request, problem *problem);

#endif
