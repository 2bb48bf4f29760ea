#include "check.h"

bool check_failed;
