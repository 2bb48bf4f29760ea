/* Runs a fuzz target over files: what `make test` does with the corpus. */
#include <string.h>

#include "fuzz.h"

enum { FILE_MOST = 1 << 20 };

static size_t read_file(const char *path, char *data) {
    FILE *file = fopen(path, "rbe");
    if (!file) {
        perror(path);
        exit(1);
    }
    size_t size = fread(data, 1, FILE_MOST, file);
    fclose(file);
    return size;
}

int main(int argc, char **argv) {
    static char data[FILE_MOST];
    for (int i = 1; i < argc; i++) {
        size_t size = read_file(argv[i], data);
        char *copy = exact_copy(data, size);
        LLVMFuzzerTestOneInput((const uint8_t *)copy, size);
        free(copy);
    }
    const char *slash = strrchr(argv[0], '/');
    printf("fuzz/%s: %d inputs replayed\n", slash ? slash + 1 : argv[0], argc - 1);
    return argc < 2;
}
