/* Challenges as messages: what is asked for, and what is given. */
#ifndef CALLS_CHALLENGE_H
#define CALLS_CHALLENGE_H

#include "access/challenges.h"
#include "base/clock.h"
#include "forms/form.h"
#include "layers/check.h"

/* What a request for a challenge says, all of it texts. */
typedef enum {
    ASKED_OPERATION,
    ASKED_CASE,
    ASKED_DTYPE,
    ASKED_ASSIGNMENT,
    ASKED_SUBMISSION,
    ASKED
} asked_field;

extern const char *const challenge_fields[ASKED + 1]; /* ended by NULL */

/* What such a request is called in sentences. */
extern const char challenge_taker[];

/* A request that has been read. */
typedef struct {
    const layers_operation *operation;
    layers_dtype dtype;
    challenge challenge; /* but for the tenant, the times, and a nonce */
} challenge_asked;

/* Reads the texts, NULL for what was not sent. False with a problem. */
bool challenge_asked_read(const char *const texts[ASKED], challenge_asked *asked, problem *problem);

enum { CLAIM_NAME = 48 };

/* What is given. */
typedef struct {
    const char *text, *operation;
    char expires[CLOCK_TEXT];
    char claims[LAYERS_MAX_CLAIMS][CLAIM_NAME]; /* "out", "bn_param.running_mean" */
    int claim_count;
    const form *form;   /* that it is written in */
    form_answer inputs; /* which are the outputs of its call */
} challenge_given;

/* Whether challenges of an operation can be drawn. */
bool challenge_has_cases(const layers_operation *operation);

/* What is drawn for one; zeros at first, but for the question. Not to be copied. */
typedef struct {
    layers_question question;
    layers_call inputs;
    layers_check *check; /* which has been run */
    /* What an answer has to claim, each as a bit of its place: outputs, and of the parameters that
     * come back those that a call changes. */
    unsigned claims;
} challenge_drawn;

/* Draws from a stream that has begun. Errors are those of layers_challenge_make. */
layers_code challenge_draw(challenge_drawn *drawn, const challenge_asked *asked,
                           challenge_stream *stream, layers_error *error);
void challenge_drawn_clear(challenge_drawn *drawn);

/* "bn_param.running_mean", or as a pointer "/bn_param/running_mean": a claim by its place. Returns
 * the name. */
const char *challenge_claim_name(const layers_operation *claims, int place, char separator,
                                 char name[CLAIM_NAME]);

/* What each form does: reads a request; tells the most bytes of an answer; writes it and returns
 * its end. */
bool challenge_read_json(const layers_tensor *body, charge *charge, challenge_asked *asked,
                         problem *problem);
bool challenge_read_safetensors(const layers_tensor *body, charge *charge, challenge_asked *asked,
                                problem *problem);
size_t challenge_bound_json(const challenge_given *given);
size_t challenge_bound_safetensors(const challenge_given *given);
char *challenge_write_json(char *out, const challenge_given *given);
char *challenge_write_safetensors(char *out, const challenge_given *given);

#endif
