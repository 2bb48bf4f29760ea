/* Checks that let a test go on, and that remember whether one failed. */
#ifndef TESTS_CHECK_H
#define TESTS_CHECK_H

#include <criterion/criterion.h>
#include <stdbool.h>

enum { FAULT_TEXT = 512 }; /* of a sentence that tells what is wrong */

/* Whether a check of this process failed: then a daemon's log is printed at its end. */
extern bool check_failed;

#define CHECK(condition, ...)                                                                      \
    do {                                                                                           \
        bool check_good_ = (condition);                                                            \
        check_failed = check_failed || !check_good_;                                               \
        cr_expect(check_good_, __VA_ARGS__);                                                       \
    } while (0)

#define CHECK_TRUE(condition) CHECK(condition, "not true: %s", #condition)

#define CHECK_EQUAL(got, want)                                                                     \
    do {                                                                                           \
        long long check_got_ = (got), check_want_ = (want);                                        \
        CHECK(check_got_ == check_want_, "%s is %lld, not %lld", #got, check_got_, check_want_);   \
    } while (0)

#define CHECK_TEXT(got, want)                                                                      \
    do {                                                                                           \
        const char *text_got_ = (got), *text_want_ = (want);                                       \
        CHECK(text_got_ && !strcmp(text_got_, text_want_), "%s is \"%s\", not \"%s\"", #got,       \
              text_got_ ? text_got_ : "(none)", text_want_);                                       \
    } while (0)

#endif
