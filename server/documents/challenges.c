/* GET /challenge: of what there are challenges. */
#include "calls/challenge.h"
#include "documents/reply.h"
#include "handlers.h"

static json_t *cases_of(const layers_operation *operation) {
    json_t *cases = json_array();
    const char *name;
    for (size_t i = 0; (name = layers_challenge_case(operation, i)); i++)
        json_array_append_new(cases, json_string(name));
    return cases;
}

bool handle_challenges(service *service, const route *route, const request *request, reply *reply,
                       problem *problem) {
    (void)service, (void)route, (void)request;
    json_t *operations = json_object();
    char taker[FORM_TAKER];
    for (const layers_operation *const *row = layers_operations; *row; row++)
        if (challenge_has_cases(*row))
            json_object_set_new(operations, form_taker(*row, taker), cases_of(*row));
    return reply_document(reply, json_pack("{s:o}", "operations", operations), problem);
}
