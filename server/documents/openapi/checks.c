/* Checks and challenges: their schemas, and what stands under "post" of their paths. */
#include "documents/openapi/checks.h"

#include <stdio.h>
#include <string.h>

#include "documents/openapi/challenges.h"
#include "documents/openapi/examples.h"
#include "documents/openapi/fields.h"
#include "documents/openapi/posting.h"
#include "documents/openapi/problems.h"
#include "documents/openapi/schemas.h"
#include "documents/openapi/tensors.h"
#include "forms/form.h"
#include "layers/check.h"

static json_t *described(openapi *o, json_t *schema, const char *description) {
    openapi_put(o, schema, "description", json_string(description));
    return schema;
}

static json_t *ref(openapi *o, const char *name, const char *description) {
    return described(o, openapi_ref("schemas", name), description);
}

static json_t *text(const char *description) {
    return json_pack("{s:s, s:s}", "type", "string", "description", description);
}

static void add_once(openapi *o, json_t *words, const char *word) {
    for (size_t i = 0; i < json_array_size(words); i++)
        if (!strcmp(json_string_value(json_array_get(words, i)), word))
            return;
    openapi_add(o, words, json_string(word));
}

/* Every code that there is. */
static void put_faults(openapi *o) {
    json_t *codes = json_array();
    const char *code, *says;
    for (size_t i = 0; (code = layers_fault_at(NULL, i, &says)); i++)
        add_once(o, codes, code);
    for (const layers_operation *const *row = layers_operations; *row; row++)
        for (size_t i = 0; (code = layers_fault_at(*row, i, &says)); i++)
            add_once(o, codes, code);
    openapi_put(
        o, o->schemas, "Fault",
        json_pack("{s:s, s:o, s:s, s:o}", "type", "string", "enum", codes, "description",
                  "What is the matter: one of the operation's own faults (see its x-layerd), "
                  "or of those that there may be of any.",
                  "x-layerd", fault_rows(o, NULL)));
}

static json_t *verdict_word(openapi *o) {
    json_t *words = json_array();
    for (layers_verdict verdict = LAYERS_RIGHT; verdict <= LAYERS_WRONG; verdict++)
        openapi_add(o, words, json_string(layers_verdict_names[verdict]));
    return json_pack("{s:s, s:o}", "type", "string", "enum", words);
}

/* Of one output. */
static void put_finding(openapi *o) {
    json_t *properties = json_pack(
        "{s:o, s:o, s:o, s:{s:s, s:{s:s, s:i}, s:s}, s:o, s:o, s:o, s:o}", "verdict",
        openapi_ref("schemas", "VerdictWord"), "fault", openapi_ref("schemas", "Fault"), "says",
        text("a sentence that a person can act on; it holds nothing of the right answer"), "at",
        "type", "array", "items", "type", "integer", "minimum", 0, "description",
        "with detail=values: where the worst element is", "claimed", ref(o, "Number", "there"),
        "expected", ref(o, "Number", "there"), "error", ref(o, "Number", "how far apart these are"),
        "bound", ref(o, "Number", "how far they may be"));
    openapi_put(o, o->schemas, "Finding", openapi_object(properties, json_pack("[s]", "verdict")));
}

static void put_verdict(openapi *o) {
    json_t *kinds = json_pack("[o, {s:s, s:o}]", openapi_ref("schemas", "Finding"), "type",
                              "object", "additionalProperties", openapi_ref("schemas", "Finding"));
    json_t *properties =
        json_pack("{s:o, s:{s:s, s:{s:o}, s:s}}", "verdict", openapi_ref("schemas", "VerdictWord"),
                  "claim", "type", "object", "additionalProperties", "anyOf", kinds, "description",
                  "by name, as they were claimed");
    openapi_put(
        o, o->schemas, "VerdictWord",
        described(o, verdict_word(o),
                  "undecided: these inputs cannot tell right from wrong. The whole is wrong "
                  "where anything is, else undecided where anything is."));
    openapi_put(o, o->schemas, "Verdict",
                openapi_object(properties, json_pack("[s, s]", "verdict", "claim")));
}

static void put_tolerance(openapi *o) {
    json_t *properties = json_object(), *required = json_array();
    const char *const names[] = {"rtol", "atol"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        openapi_put(o, properties, names[i],
                    json_pack("{s:s, s:s, s:i, s:i}", "type", "number", "format", "double",
                              "minimum", 0, "default", 0));
    openapi_put(o, o->schemas, "Tolerance",
                described(o, openapi_object(properties, required),
                          "Loosens the bound to max(bound, rtol · |right| + atol)."));
}

void checks_begin(openapi *o) {
    put_faults(o);
    put_finding(o);
    put_verdict(o);
    put_tolerance(o);
}

static json_t *answer_examples(openapi *o, json_t *right, json_t *wrong) {
    json_t *examples = json_object();
    posting_example(o, examples, "nested", "what the nested request is answered", right);
    if (wrong)
        posting_example(o, examples, "wrong", "what the wrong one is answered", wrong);
    return examples;
}

json_t *post_check(openapi *o, const document *row, const layers_operation *operation) {
    char id[OPENAPI_NAME], named[OPENAPI_NAME], summary[256];
    json_t *examples = json_object();
    json_t *right = example_check(o, operation, true), *wrong = example_check(o, operation, false);
    json_t *answers = answer_examples(o, example_verdict(o, operation, right),
                                      example_verdict(o, operation, wrong));
    posting_example(o, examples, "nested", "right claims", right);
    posting_example(o, examples, "wrong", "a claim of the wrong sign", wrong);
    openapi_name(named, operation->layer, operation->name, "");
    snprintf(summary, sizeof summary,
             "Tells whether outputs of %s/%s are right, not what is right.", operation->layer,
             operation->name);
    posting p = {.id = operation_id(id, row->name, named),
                 .tag = row->name,
                 .summary = summary,
                 .scope = row->scope,
                 .queries = row->queries,
                 .problems = problems_of_tensors(operation) & ~PROBLEM_BIT(PROBLEM_CACHE_FULL),
                 .taken = posting_content(o, schema_of_check(o, operation), examples,
                                          "Bytes: as the operation's, and claims as `claim.` and "
                                          "the name; precision, tolerance.rtol and tolerance.atol "
                                          "are metadata."),
                 .given = posting_content(o, openapi_ref("schemas", "Verdict"), answers, NULL)};
    return posting_item(o, &p);
}

/* ---- challenges --------------------------------------------------------------------------------
 */

static json_t *one_example(openapi *o, const char *summary, json_t *value) {
    json_t *examples = json_object();
    posting_example(o, examples, "nested", summary, value);
    return examples;
}

json_t *post_challenge(openapi *o, const document *row) {
    posting p = {
        .id = "drawChallenge",
        .tag = row->name,
        .summary = row->post_summary,
        .scope = row->scope,
        .queries = row->queries,
        .problems = row->post_problems,
        .taken =
            posting_content(o, schema_of_asked(o), one_example(o, "of a file", example_asked()),
                            "Bytes: a file without tensors, whose metadata has the names of the "
                            "JSON form."),
        .given = posting_content(
            o, schema_of_challenge(o), one_example(o, "as it may be answered", example_challenge()),
            "Bytes: inputs are tensors by their names; parameters, and what stands beside the "
            "inputs, are metadata, the claims by commas.")};
    return posting_item(o, &p);
}

json_t *post_answer(openapi *o, const document *row) {
    json_t *verdict =
        json_pack("{s:s, s:{s:{s:s}}}", "verdict", "right", "claim", "out", "verdict", "right");
    posting p = {
        .id = "answerChallenge",
        .tag = "challenges",
        .summary = row->post_summary,
        .scope = row->scope,
        .queries = row->queries,
        .problems = row->post_problems,
        .taken = posting_content(
            o, schema_of_challenge_answer(o),
            one_example(o, "a right one", example_challenge_answer()),
            "Bytes: what is claimed are tensors by dotted names, `claim.out`; scalars, and "
            "the challenge, are metadata."),
        .given = posting_content(o, openapi_ref("schemas", "Verdict"),
                                 one_example(o, "what that is answered", verdict), NULL)};
    return posting_item(o, &p);
}
