/* What the fields of a call are in a safetensors file: tensors, and texts in its __metadata__. What
 * JSON has inside an object has its name dotted: "bn_param.eps". */
#ifndef FORMS_FIELDS_SAFETENSORS_H
#define FORMS_FIELDS_SAFETENSORS_H

#include "codec/safetensors_read.h"
#include "forms/form.h"

enum { SAFETENSORS_NAME = 64 }; /* of a dotted name */

/* A request whose header has been read. */
typedef struct {
    form_request *request;
    const layers_operation *operation;
    safetensors_file file;
    char dtype_by[SAFETENSORS_NAME]; /* the name of what the call's dtype comes from */
} safetensors_request;

/* The parameter of a dotted name; NULL where it names none. */
const layers_param *safetensors_find_param(const layers_operation *operation, const char *name);

/* The tensor, or the text, of that name; NULL where it was not sent. They are the file's. */
const safetensors_entry *safetensors_find(const safetensors_request *r, const char *name);
const char *safetensors_find_text(const safetensors_request *r, const char *name);

/* Whether a tensor holds numbers that can be read, and no labels. */
bool safetensors_has_values(const safetensors_entry *entry);

/* The number that a text is, or a problem at `pointer`: wrong_type, number_out_of_range. */
bool safetensors_number(safetensors_request *r, const char *pointer, const char *text,
                        double *number);

/* The parameter `i` of the call, or of the claim, that is no tensor, from its text; `parent` is the
 * pointer of what holds it, "" or "/claim". */
bool safetensors_scalar(safetensors_request *r, layers_call *call, const char *parent, int i,
                        const char *text);

#endif
