/* The forms that there are. */
#include "calls/form.h"

const form *const forms[] = {&form_json, &form_safetensors, NULL};
