/* The engine's hash tables: order ids and client references in buckets, symbol names. A removal leaves nothing behind,
 * so the tables never decay. Entries carry 32 bits of the key; the rest is checked in the order. */
#include "exchange/state.h"

static uint32_t next_bucket(const struct table *t, uint32_t bucket) {
    return (bucket + 8) & t->mask;
}

void table_add_far(struct table *t, uint32_t home, uint64_t entry) {
    for (uint32_t bucket = home & ~UINT32_C(7);; bucket = next_bucket(t, bucket)) {
        for (uint32_t i = bucket; i < bucket + 8; i++)
            if (t->entries[i] == 0) {
                t->entries[i] = entry;
                return;
            }
        if (t->passed[bucket / 8] < UINT8_MAX) t->passed[bucket / 8]++;
    }
}

void table_remove_far(struct table *t, uint32_t home, uint64_t entry) {
    for (uint32_t bucket = home & ~UINT32_C(7);; bucket = next_bucket(t, bucket)) {
        for (uint32_t i = bucket; i < bucket + 8; i++)
            if (t->entries[i] == entry) {
                t->entries[i] = 0;
                return;
            }
        if (t->passed[bucket / 8] < UINT8_MAX) t->passed[bucket / 8]--;
    }
}

uint32_t id_find_far(const struct exchange_core *core, uint64_t id) {
    const struct table *t = &core->ids;
    uint32_t tag = id_tag(id);
    for (uint32_t bucket = table_home(t, tag) & ~UINT32_C(7);; bucket = next_bucket(t, bucket)) {
        for (uint32_t i = bucket; i < bucket + 8; i++) {
            uint64_t entry = t->entries[i];
            if (entry && (uint32_t)(entry >> 32) == tag && core->orders[(uint32_t)entry].id == id)
                return (uint32_t)entry;
        }
        if (t->passed[bucket / 8] == 0) return 0;
    }
}

uint32_t ref_find(const struct exchange_core *core, uint32_t account, uint64_t ref) {
    const struct table *t = &core->refs;
    uint32_t tag = ref_tag(core, account, ref);
    for (uint32_t bucket = table_home(t, tag) & ~UINT32_C(7);; bucket = next_bucket(t, bucket)) {
        for (uint32_t i = 0; i < 8; i++) {
            uint64_t entry = t->entries[bucket + ((tag + i) & 7)];
            if (entry == 0 || (uint32_t)(entry >> 32) != tag) continue;
            const struct order *o = &core->orders[(uint32_t)entry];
            if (o->client_ref == ref && o->account == account) return (uint32_t)entry;
        }
        if (t->passed[bucket / 8] == 0) return 0;
    }
}

static uint32_t name_hash(const char *name) {
    uint64_t low, high;
    memcpy(&low, name, 8);
    memcpy(&high, name + 8, 8);
    return (uint32_t)digest_mix(digest_mix(low) ^ high);
}

uint32_t name_find(const struct exchange_core *core, const char *name) {
    for (uint32_t i = name_hash(name) & core->names_mask;; i = (i + 1) & core->names_mask) {
        uint32_t number = core->names[i];
        if (number == 0 || memcmp(core->symbols[number].terms.name, name, EXCHANGE_NAME_SIZE) == 0) return number;
    }
}

void name_add(struct exchange_core *core, uint32_t symbol) {
    uint32_t i = name_hash(core->symbols[symbol].terms.name) & core->names_mask;
    while (core->names[i])
        i = (i + 1) & core->names_mask;
    core->names[i] = symbol;
}
