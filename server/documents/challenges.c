/* GET /challenge: of what there are challenges. */
#include "calls/challenge.h"
#include "documents/reply.h"
#include "handlers.h"

/* NULL where there is no memory. */
static json_t *cases_of(const layers_operation *operation) {
    json_t *cases = json_array();
    const char *name;
    for (size_t i = 0; cases && (name = layers_challenge_case(operation, i)); i++)
        if (json_array_append_new(cases, json_string(name)) != 0)
            cases = (json_decref(cases), NULL);
    return cases;
}

static json_t *all_cases(void) {
    json_t *all = json_object();
    char taker[FORM_TAKER];
    for (const layers_operation *const *row = layers_operations; all && *row; row++)
        if (challenge_has_cases(*row) &&
            json_object_set_new(all, form_taker(*row, taker), cases_of(*row)) != 0)
            all = (json_decref(all), NULL);
    return all;
}

bool handle_challenges(service *service, const route *route, const request *request, reply *reply,
                       problem *problem) {
    (void)service, (void)route, (void)request;
    return reply_document(reply, json_pack("{s:o}", "operations", all_cases()), problem);
}
