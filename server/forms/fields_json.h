/* The fields of a call in a JSON object: its inputs by name, and its parameters in an object of
 * their own. */
#ifndef FORMS_FIELDS_JSON_H
#define FORMS_FIELDS_JSON_H

#include "forms/form.h"

/* An object that holds the fields of a call. */
typedef struct {
    form_request *request; /* whose store and problem are used */
    json_document *document;
    json_t *object;
    layers_call *call;       /* to be filled; its operation says what the fields are */
    const char *parent;      /* the object's pointer: "", "/claim" */
    const char *taker;       /* in sentences: "affine/forward" */
    const char *const *more; /* names that may stand beside the fields, ended by NULL */
    bool of_claim;           /* no tensor is a handle, and each is read as float64 */
} json_fields;

/* Holds a key to those of the object; or, `inside`, to those of its parameters' object. */
bool json_fields_check_key(const json_fields *fields, bool inside, const char *key);

/* Holds all keys of the object, without those of its parameters. */
bool json_fields_check(const json_fields *fields);

/* Reads what is there. What is missing is not looked for, but a parameters' object that must be
 * there. */
bool json_fields_read_inputs(const json_fields *fields);
bool json_fields_read_params(const json_fields *fields);

/* What is said where the parameters' object, or a parameter that is no tensor, is `kind` ("a
 * list"). Always false. */
bool json_fields_wrong_params(const json_fields *fields, const char *kind);
bool json_fields_wrong_param(const json_fields *fields, int i, const char *kind);

#endif
