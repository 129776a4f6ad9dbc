/* Fuzzes projection.url: text of a configuration. Whatever it is, what is shown to people has neither its password nor
 * its parameters, and a folder is the one that was written. Input: the text.
 * Covers: address.c. */
#include "base/assert.h"
#include "projection/address.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *find(const char *text, size_t size, const char *what) {
    return memmem(text, size, what, strlen(what));
}

/* The password as libpq finds it: between the first ':' and the first '@', both before the first '/'. */
static void check_secret(const char *text, size_t size, const struct address *a) {
    const char *begin = find(text, size, "://") + 3, *end = text + size;
    const char *slash = memchr(begin, '/', (size_t)(end - begin));
    const char *at = memchr(begin, '@', (size_t)((slash ? slash : end) - begin));
    const char *colon = at ? memchr(begin, ':', (size_t)(at - begin)) : NULL;
    WEIR_ASSERT(!strchr(a->shown, '?'));
    if (!colon || at - colon < 8) return;                                    /* a short one may stand elsewhere, too */
    if (memmem(at, (size_t)(end - at), colon, (size_t)(at - colon))) return; /* and this one does */
    WEIR_ASSERT(!memmem(a->shown, strlen(a->shown), colon, (size_t)(at - colon)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct address a;
    weir_error_clear();
    enum weir_error e = address_parse(weir_slice(data, size), &a);
    WEIR_ASSERT(e == WEIR_OK || (e == WEIR_E_CONFIG && weir_error_text()[0]));
    if (e) return 0;
    WEIR_ASSERT(memchr(a.shown, 0, sizeof a.shown) && memchr(a.folder, 0, sizeof a.folder));
    if (a.kind == ADDRESS_POSTGRES)
        check_secret((const char *)data, size, &a);
    else if (a.kind == ADDRESS_SQLITE)
        WEIR_ASSERT(a.folder[0] && memmem(data, size, a.folder, strlen(a.folder)));
    else
        WEIR_ASSERT(size == 0);
    return 0;
}
