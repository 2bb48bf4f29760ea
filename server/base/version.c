/* What this build is. Alone in a file that the commit is compiled into. */
#include "base/version.h"

#include <string.h>

const char version_commit[] = LAYERD_COMMIT;

const char *version_cpu(void) {
    static char text[64];
    if (*text)
        return text;
#if defined __x86_64__
    __builtin_cpu_init();
#define FEATURE(name)                                                                              \
    if (__builtin_cpu_supports(name))                                                              \
        strcat(strcat(text, *text ? " " : ""), name);
    FEATURE("sse4.2")
    FEATURE("avx")
    FEATURE("avx2")
    FEATURE("fma")
    FEATURE("avx512f")
#undef FEATURE
#endif
    if (!*text)
        strcpy(text, "baseline");
    return text;
}
