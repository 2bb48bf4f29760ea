/* The forms that there are. */
#include "forms/form.h"

const form *const forms[] = {&form_json, &form_safetensors, NULL};
