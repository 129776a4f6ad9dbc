/* base/assert.c: the end of a process whose own invariant does not hold. */
#include "base/assert.h"

#include <stdio.h>
#include <stdlib.h>

void weir_assert_fail(const char *expression, const char *file, int line) {
    fprintf(stderr, "assertion failed: %s at %s:%d\n", expression, file, line);
    abort();
}
