/* POST /challenge/answer: draws the inputs of a challenge once more, and judges what is claimed of
 * them. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "calls/challenge.h"
#include "calls/verdict.h"
#include "forms/claim.h"
#include "forms/kept.h"
#include "handlers.h"

/* One request on its way. */
typedef struct {
    const challenges *challenges;
    const char *tenant; /* "" for none */
    store store;
    challenge_asked asked;
    challenge_stream stream;
    challenge_drawn drawn;
    layers_call body; /* which has nothing but the claim */
    form_claim claim;
    form_request request;
    verdict verdict;
} answering;

/* Once the challenge has been read, it is known what may be claimed. */
static bool open_challenge(form_claim *claim, const char *text, problem *problem) {
    answering *a = claim->opener;
    if (!challenge_take(a->challenges, a->tenant, text, &a->asked.challenge, &a->stream, problem))
        return false;
    const layers_operation *const *row = form_operation(a->asked.challenge.operation);
    if (!row || !challenge_has_cases(*row) ||
        !form_dtype(a->asked.challenge.dtype, &a->asked.dtype, problem))
        return challenge_refuse(problem);
    layers_question_make(&a->drawn.question, *row);
    claim->call.operation = &a->drawn.question.claims;
    return true;
}

static bool draw(answering *a) {
    layers_error error;
    layers_code code = challenge_draw(&a->drawn, &a->asked, &a->stream, &error);
    if (code == LAYERS_INVALID_PARAM) /* a case that there was when it was given */
        return challenge_refuse(a->request.problem);
    return code == LAYERS_OK || problem_set_layers(a->request.problem, &error);
}

static bool has_all(answering *a) {
    for (int place = 0; place < LAYERS_MAX_CLAIMS; place++) {
        char name[CLAIM_NAME], pointer[FORM_POINTER];
        if (!(a->drawn.claims & 1U << place) || claim_is_given(&a->claim, place))
            continue;
        challenge_claim_name(&a->drawn.question.claims, place, '/', name);
        snprintf(pointer, sizeof pointer, "/claim/%s", name);
        return problem_set(a->request.problem, PROBLEM_MISSING_FIELD, pointer,
                           "%s is missing: an answer claims all that the challenge asks for",
                           pointer);
    }
    return true;
}

/* ---- what is claimed, as a digest --------------------------------------------------------------
 */

static void add_number(sha256 *hash, double number) {
    number = isnan(number) ? (double)NAN : number + 0.0; /* one NaN, and zeros without their sign */
    sha256_add(hash, &number, sizeof number);
}

static void add_values(sha256 *hash, const layers_tensor *tensor) {
    for (size_t i = 0; i < tensor->size; i++)
        add_number(hash, tensor->dtype == LAYERS_F32 ? (double)((const float *)tensor->data)[i]
                                                     : ((const double *)tensor->data)[i]);
}

/* Of one that is larger than any right one nothing but the shape is looked at: all such are wrong.
 */
static void add_tensor(sha256 *hash, const layers_tensor *tensor) {
    const size_t large = 1 << 18;
    sha256_add(hash, &tensor->rank, sizeof tensor->rank);
    sha256_add(hash, tensor->shape, (size_t)tensor->rank * sizeof *tensor->shape);
    if (tensor->size <= large)
        add_values(hash, tensor);
}

static void add_claim(sha256 *hash, const answering *a, int place) {
    const layers_call *call = &a->claim.call;
    sha256_add(hash, &place, sizeof place);
    if (place < LAYERS_MAX_TENSORS) {
        add_tensor(hash, &call->inputs[place]);
        return;
    }
    int i = place - LAYERS_MAX_TENSORS;
    if (layers_is_tensor(&call->operation->params[i]))
        add_tensor(hash, &call->params[i].tensor);
    else
        add_number(hash, call->params[i].number + call->params[i].choice);
}

/* The same for the same claims, in whatever form and words they came. */
static void digest_of(const answering *a, unsigned char digest[SHA256_BYTES]) {
    const layers_operation *claims = a->claim.call.operation;
    sha256 hash;
    sha256_begin(&hash);
    for (int i = 0; claims->inputs[i].name; i++)
        if (claim_is_given(&a->claim, i))
            add_claim(&hash, a, i);
    for (int i = 0; claims->params && claims->params[i].name; i++)
        if (claim_is_given(&a->claim, LAYERS_MAX_TENSORS + i))
            add_claim(&hash, a, LAYERS_MAX_TENSORS + i);
    sha256_end(&hash, digest);
}

/* Where several daemons share a store, it is spent there. */
static bool spend_in_store(answering *a, const unsigned char digest[SHA256_BYTES]) {
    problem *problem = a->request.problem;
    char name[CHALLENGE_ID_TEXT], answer[SHA256_HEX + 1], note[STORE_NOTE];
    int64_t left;
    if (!challenge_name(a->challenges, &a->asked.challenge, &a->stream, name, &left, problem))
        return false;
    hex_write(digest, answer);
    strcpy(note, answer);
    if (!a->store.note_once(&a->store, name, note, left))
        return !kept_fault(&a->store, NULL, problem) &&
               problem_set_overloaded(problem, "the challenge could not be noted as answered");
    return !strcmp(note, answer) || challenge_was_spent(problem);
}

static bool spend(answering *a, challenges *challenges) {
    unsigned char digest[SHA256_BYTES];
    digest_of(a, digest);
    return a->store.note_once && !a->asked.challenge.has_submission
               ? spend_in_store(a, digest)
               : challenge_spend(challenges, &a->asked.challenge, &a->stream, digest,
                                 a->request.problem);
}

/* The challenge is spent before anything is judged: how long it takes to refuse another claim tells
 * nothing of that. Whoever gets no verdict for want of memory may send the same claim again. */
static bool judge(answering *a, challenges *challenges, caller *caller) {
    problem *problem = a->request.problem;
    return has_all(a) && caller_work(caller, 2 * layers_check_work(a->drawn.check), problem) &&
           spend(a, challenges) && verdict_find(&a->verdict, a->drawn.check, &a->claim, problem);
}

/* What stands in the body beside the challenge and the claim. */
static const layers_field nothing[] = {{0}};
static const layers_operation no_call = {
    .layer = "challenge", .name = "answer", .inputs = nothing, .outputs = nothing};

bool handle_answer(service *service, const route *route, const request *request, reply *reply,
                   problem *problem) {
    const owner *tenant = request_owner(request);
    answering a = {.challenges = service->challenges,
                   .store = request_store(service, request),
                   .tenant = tenant ? tenant->name : "",
                   .body = {.operation = &no_call, .dtype = LAYERS_F64},
                   .claim = {.call = {.dtype = LAYERS_F64}, .open = open_challenge, .opener = &a},
                   .request = {.body = &request->body,
                               .store = &a.store,
                               .charge = request->charge,
                               .call = &a.body,
                               .claim = &a.claim,
                               .problem = problem}};
    if (a.store.waits && a.store.hurried)
        return !(reply->later = reply->asks = true);
    double start = clock_ms();
    bool good = route->request_form->read(&a.request);
    double read = clock_ms();
    /* whoever has no work left is told so before any is done */
    good = good && caller_work(request->caller, 0, problem) && draw(&a) &&
           judge(&a, service->challenges, request->caller);
    double computed = clock_ms();
    good = good && verdict_reply(&a.verdict, &a.drawn.question.claims,
                                 verdict_detail(request, route->detail), reply, problem);
    reply->read_ms = read - start;
    reply->compute_ms = computed - read;
    reply->write_ms = clock_ms() - computed;
    challenge_drawn_clear(&a.drawn);
    layers_call_clear(&a.claim.call);
    secret_wipe(&a.stream, sizeof a.stream);
    return good;
}
