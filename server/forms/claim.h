/* Claims in requests, as each form has them: "claim", "precision" and "tolerance" of a check, or
 * "challenge" and "claim". */
#ifndef FORMS_CLAIM_H
#define FORMS_CLAIM_H

#include "forms/fields_safetensors.h"

/* Reads what a document has of them into request->claim. */
bool json_claim_read(form_request *request, json_document *document);

/* Numbers stand where one of them has none: tells so, and returns true; false where `name` is none
 * of them, or may hold what stands there. */
bool json_claim_blame(form_request *request, const char *name, const char *kind);

/* The challenge that is answered says what can be claimed, and so which names there are: to be
 * taken before names are looked at. Nothing is done of a check. */
bool safetensors_claim_open(safetensors_request *r);

/* Whether a name is one of theirs that a tensor has, or a text. */
bool safetensors_claims_tensor(const form_request *request, const char *name);
bool safetensors_claims_text(const form_request *request, const char *name);

/* Reads what a file has of them into request->claim, after the call's dtype. */
bool safetensors_claim_read(safetensors_request *r);

/* "a claim of affine/forward". Returns `taker`. */
const char *claim_taker(const layers_operation *operation, char taker[FORM_TAKER]);

/* "float64" or "float32". */
bool claim_precision(form_claim *claim, const char *word, problem *problem);

/* One of "rtol" and "atol". */
bool claim_tolerance(form_claim *claim, const char *name, double number, problem *problem);

/* missing_field where nothing is claimed. */
bool claim_is_there(const form_claim *claim, problem *problem);

/* Whether the claim at a place of layers_check_judge was sent. */
bool claim_is_given(const form_claim *claim, int place);

#endif
