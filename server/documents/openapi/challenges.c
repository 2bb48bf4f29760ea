/* Schemas and examples of challenges. */
#include "documents/openapi/challenges.h"

#include <string.h>

#include "calls/challenge.h"
#include "documents/openapi/schemas.h"

/* ---- schemas -----------------------------------------------------------------------------------
 */

static bool stands_in(const json_t *names, const char *name) {
    for (size_t i = 0; i < json_array_size(names); i++)
        if (!strcmp(json_string_value(json_array_get(names, i)), name))
            return true;
    return false;
}

/* The operations of which there are challenges, and the names of all their cases. */
static void names_of(openapi *o, json_t *operations, json_t *cases) {
    char taker[FORM_TAKER];
    const char *name;
    for (const layers_operation *const *row = layers_operations; *row; row++) {
        for (size_t i = 0; (name = layers_challenge_case(*row, i)); i++)
            if (!stands_in(cases, name))
                openapi_add(o, cases, json_string(name));
        if (challenge_has_cases(*row))
            openapi_add(o, operations, json_string(form_taker(*row, taker)));
    }
}

json_t *schema_of_asked(openapi *o) {
    json_t *operations = json_array(), *cases = json_array();
    names_of(o, operations, cases);
    json_t *properties = json_pack(
        "{s:{s:s, s:o}, s:{s:s, s:o, s:s, s:s}, s:o, s:{s:s, s:i, s:s, s:s}, s:{s:s, s:s, s:s}}",
        "operation", "type", "string", "enum", operations, "case", "type", "string", "enum", cases,
        "default", "plain", "description",
        "which inputs are drawn: not every operation has each, and GET /challenge tells", "dtype",
        schema_of_dtype(o, false), "assignment", "type", "string", "maxLength",
        CHALLENGE_ASSIGNMENT - 1, "default", "", "description",
        "what it is for: another one has other inputs", "submission", "type", "string", "pattern",
        "^[0-9A-Fa-f]{64}$", "description",
        "the SHA-256 of what is submitted: it has the same inputs for ever, and may be answered "
        "again; without it they are new each time, and take one answer");
    openapi_put(o, o->schemas, "Challenge" SCHEMA_REQUEST,
                openapi_object(properties, json_pack("[s]", "operation")));
    return openapi_ref("schemas", "Challenge" SCHEMA_REQUEST);
}

json_t *schema_of_challenge(openapi *o) {
    json_t *properties =
        json_pack("{s:{s:s, s:s}, s:{s:s, s:s}, s:{s:s}, s:{s:s, s:b, s:s}, s:{s:s, s:{s:s}, s:s}}",
                  "challenge", "type", "string", "description", "to be sent with the answer",
                  "expires", "type", "string", "format", "date-time", "operation", "type", "string",
                  "inputs", "type", "object", "additionalProperties", 1, "description",
                  "what the operation is to be computed of, as a request for it would have it",
                  "claims", "type", "array", "items", "type", "string", "description",
                  "what an answer claims, by dotted names: out, bn_param.running_mean");
    openapi_put(o, o->schemas, "Challenge",
                openapi_object(properties, json_pack("[s, s, s, s, s]", "challenge", "expires",
                                                     "operation", "inputs", "claims")));
    return openapi_ref("schemas", "Challenge");
}

json_t *schema_of_challenge_answer(openapi *o) {
    json_t *properties = json_pack("{s:{s:s, s:s}, s:{s:s, s:b, s:i, s:s}}", "challenge", "type",
                                   "string", "description", "what POST /challenge gave", "claim",
                                   "type", "object", "additionalProperties", 1, "minProperties", 1,
                                   "description", "the outputs that the challenge asks for");
    openapi_put(o, o->schemas, "ChallengeAnswer" SCHEMA_REQUEST,
                openapi_object(properties, json_pack("[s, s]", "challenge", "claim")));
    return openapi_ref("schemas", "ChallengeAnswer" SCHEMA_REQUEST);
}

/* ---- examples ----------------------------------------------------------------------------------
 */

static const char text[] = "lc1.AcJ8…";

json_t *example_asked(void) {
    return json_pack("{s:s, s:s, s:s}", "operation", "affine/forward", "assignment", "a2",
                     "submission",
                     "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08");
}

json_t *example_challenge(void) {
    return json_pack("{s:s, s:s, s:s, s:{s:[[f, f]], s:[[f], [f]], s:[f]}, s:[s]}", "challenge",
                     text, "expires", "2026-11-27T09:15:00.000Z", "operation", "affine/forward",
                     "inputs", "x", 0.5, -1.25, "w", 1.0, 0.75, "b", -0.5, "claims", "out");
}

json_t *example_challenge_answer(void) {
    return json_pack("{s:s, s:{s:[[f]]}}", "challenge", text, "claim", "out", -0.9375);
}
