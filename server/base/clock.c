/* How a time is told. */
#include "base/clock.h"

#include <stdio.h>

const char *clock_text(int64_t milliseconds, char text[CLOCK_TEXT]) {
    time_t seconds = (time_t)(milliseconds / 1000);
    struct tm utc;
    gmtime_r(&seconds, &utc);
    size_t used = strftime(text, CLOCK_TEXT, "%Y-%m-%dT%H:%M:%S", &utc);
    snprintf(text + used, CLOCK_TEXT - used, ".%03dZ", (int)(milliseconds % 1000));
    return text;
}
