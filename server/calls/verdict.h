/* What a check finds of what is claimed, and its text. */
#ifndef CALLS_VERDICT_H
#define CALLS_VERDICT_H

#include "forms/form.h"
#include "route.h"

typedef struct {
    layers_verdict verdict; /* of all claims */
    bool claimed[LAYERS_MAX_CLAIMS];
    layers_finding finding[LAYERS_MAX_CLAIMS]; /* of those that are claimed */
    size_t shape[LAYERS_MAX_CLAIMS][LAYERS_MAX_RANK], rank[LAYERS_MAX_CLAIMS];
} verdict;

/* Judges all claims, as a check that has been run finds them. False with a problem. */
bool verdict_find(verdict *verdict, const layers_check *check, const form_claim *claim,
                  problem *problem);

/* The reply, in JSON. */
bool verdict_reply(const verdict *verdict, const layers_operation *claims, detail detail,
                   reply *reply, problem *problem);

/* What a caller is told of what he asks for. */
detail verdict_detail(const request *request, detail asked);

#endif
