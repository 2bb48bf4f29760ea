/* What LeakSanitizer is not to tell of: Criterion (2.4.1) keeps 48 bytes now and then where tests
 * run several at once. */
__attribute__((visibility("default"))) const char *__lsan_default_suppressions(void);

const char *__lsan_default_suppressions(void) {
    return "leak:libcriterion\n";
}
