#include <weir/gate.h>

#include "base/hash.h"
#include "base/rate.h"
#include "base/wide.h"

static uint64_t first_of(const struct weir_backoff_policy *p) {
    return p->first_ns ? p->first_ns : RATE_NANOS_PER_S;
}
static uint64_t most_of(const struct weir_backoff_policy *p) {
    uint64_t most = p->most_ns ? p->most_ns : 600 * RATE_NANOS_PER_S;
    return most < UINT64_MAX / 4 ? most : UINT64_MAX / 4;
}

uint64_t weir_backoff(const struct weir_backoff_policy *policy, uint32_t attempt, uint64_t seed) {
    uint64_t most = most_of(policy), ceiling = first_of(policy);
    if (policy->kind == WEIR_BACKOFF_FIXED) return ceiling < most ? ceiling : most;
    for (uint32_t i = 1; i < attempt && ceiling < most; i++)
        ceiling *= 2;
    if (ceiling > most) ceiling = most;
    /* The high half of draw times count: no modulo, no bias worth naming. */
    return wide_product(hash_u64(seed, attempt), ceiling + 1).high;
}

uint64_t weir_backoff_after(
    const struct weir_backoff_policy *policy, uint32_t attempt, uint64_t seed, uint64_t retry_after_ns) {
    uint64_t most = most_of(policy), asked = retry_after_ns < most ? retry_after_ns : most;
    return asked + weir_backoff(policy, attempt, seed);
}

uint64_t weir_backoff_seed(uint32_t partition, uint64_t offset, uint32_t index) {
    return hash_u64(offset, (uint64_t)partition << 32 | index);
}
