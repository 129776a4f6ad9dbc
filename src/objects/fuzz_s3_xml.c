/* Fuzzes what an S3 service answers: a list or an error in XML, or anything. Every object told has a key that ends and
 * is no longer than it may be; a list that goes on says where; the same bytes tell the same.
 * Covers: s3_xml.c. */
#include "base/assert.h"
#include "objects/s3_xml.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct told {
    uint64_t count, sum;
};

static enum weir_error tell(void *ctx, const char *key, uint64_t bytes) {
    struct told *t = ctx;
    WEIR_ASSERT(strlen(key) < S3_TEXT_MAX);
    t->count++;
    t->sum += bytes + strlen(key);
    return t->count == 1000 ? WEIR_E_FULL : WEIR_OK;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct told first = {0}, second = {0};
    struct s3_answer a, b;
    enum weir_error e = s3_answer_parse(weir_slice(data, size), tell, &first, &a);
    WEIR_ASSERT(e == WEIR_OK || e == WEIR_E_INVALID || e == WEIR_E_FULL);
    WEIR_ASSERT(e || !a.truncated || a.token[0]);
    WEIR_ASSERT((e == WEIR_E_FULL) == (first.count == 1000));
    enum weir_error again = s3_answer_parse(weir_slice(data, size), tell, &second, &b);
    WEIR_ASSERT(again == e && first.count == second.count && first.sum == second.sum);
    e = s3_answer_parse(weir_slice(data, size), NULL, NULL, &b);
    (void)e;
    return 0;
}
