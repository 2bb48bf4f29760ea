/* An allocation of the library that fails, each of every operation in turn: a clean answer, nothing
 * leaked, and everything as usable as before. That of requests is unit/server/'s. */
#include "store/store.h"
#include "unit/calls.h"
#include "unit/failing_malloc.h"

TestSuite(allocation, .timeout = 60);

enum { BUDGET = 1 << 20, ALLOCATIONS_MOST = 50000 };

static void assert_same(const layers_tensor *got, const layers_tensor *want, const char *name) {
    cr_assert_eq(got->size, want->size);
    for (size_t i = 0; i < want->size; i++)
        cr_assert(element(got, i) == element(want, i), "%s[%zu] is %.17g, not %.17g", name, i,
                  element(got, i), element(want, i));
}

Test(allocation, of_the_library) {
    layers_error none;
    cr_assert(layers_check_blas(&none) == LAYERS_OK); /* OpenMP's own memory for this thread */
    for (const layers_operation *const *row = layers_operations; *row; row++)
        for (int choice = 0; choice < choices_of(*row); choice++) {
            bool failed = true;
            for (size_t index = 0; failed; index++) {
                cr_assert(index < ALLOCATIONS_MOST);
                malloc_watch();
                layers_call call = valid_call(*row, LAYERS_F64, choice, 3);
                layers_error error = {0};
                malloc_fail_at(index);
                layers_code code = layers_prepare(&call, &error);
                if (code == LAYERS_OK)
                    code = layers_run(&call, &error);
                failed = malloc_failed();
                cr_assert(code == (failed ? LAYERS_NO_MEMORY : LAYERS_OK), "%s/%s: %s",
                          (*row)->layer, (*row)->name, layers_code_name(code));
                cr_assert(error.code == code && (!failed || *error.message));
                layers_call_clear(&call);
                long live = malloc_live();
                cr_assert(live == 0, "%s/%s: %ld blocks are left", (*row)->layer, (*row)->name,
                          live);
            }
        }
}

/* A call without memory for one thing, run again when there is: it gives what it would have given.
 */
Test(allocation, a_call_that_failed_can_be_run_again) {
    for (const layers_operation *const *row = layers_operations; *row; row++) {
        layers_call whole = valid_call(*row, LAYERS_F64, 0, 3);
        run(&whole);
        bool failed = true;
        for (size_t index = 0; failed; index++) {
            layers_call call = valid_call(*row, LAYERS_F64, 0, 3);
            layers_call kept = over_again(&call); /* so that its tensors are not its own alone */
            layers_error error = {0};
            cr_assert(layers_prepare(&call, &error) == LAYERS_OK);
            malloc_fail_at(index);
            layers_code code = layers_run(&call, &error);
            failed = malloc_failed();
            cr_assert(code == (failed ? LAYERS_NO_MEMORY : LAYERS_OK));
            if (failed)
                run(&call);
            for (int i = 0; (*row)->outputs[i].name; i++)
                assert_same(&call.outputs[i], &whole.outputs[i], (*row)->outputs[i].name);
            for (int i = 0; (*row)->params && (*row)->params[i].name; i++)
                if ((*row)->params[i].kind == LAYERS_TENSOR)
                    assert_same(&call.params[i].tensor, &whole.params[i].tensor,
                                (*row)->params[i].name);
            layers_call_clear(&kept);
            layers_call_clear(&call);
        }
        layers_call_clear(&whole);
    }
}

/* What the daemon makes once, at its start. */
Test(allocation, of_the_store_and_the_pool) {
    bool failed = true;
    for (size_t index = 0; failed; index++) {
        malloc_fail_at(index);
        store *store = store_open_memory(BUDGET, 1000);
        failed = malloc_failed();
        cr_assert(failed == !store);
        if (store)
            store->close(store);
    }
    failed = true;
    for (size_t index = 0; failed; index++) {
        malloc_fail_at(index);
        layers_pool *pool = layers_pool_make(2, NULL);
        failed = malloc_failed();
        cr_assert(failed == !pool);
        layers_pool_free(pool);
    }
}
