#include "sim/cycle_poison.h"

#include "sim/cycle_model.h"

/* Two crashes park the partition. One more may come before the record is durable, and each time that a power cut or an
 * error of the disk took the last words away. */
#define CRASHES_MAX 12u

static const char *const names[] = {"left", "right"};

static struct poison_spot *spot_at(struct cycle_poison *p, uint32_t service, uint32_t partition, uint64_t offset) {
    for (uint32_t i = 0; i < p->count; i++) {
        struct poison_spot *s = &p->spots[i];
        if (s->service == service && s->partition == partition && s->offset == offset) return s;
    }
    WEIR_ASSERT(p->count < POISON_PLACES_MAX);
    struct poison_spot *s = &p->spots[p->count++];
    *s = (struct poison_spot){.service = service, .partition = partition, .offset = offset};
    s->crashes_max = sim_percent(p->sim, 30) ? 1 : UINT32_MAX;
    return s;
}

void cycle_poison_meets(void *ctx, uint32_t service, uint32_t partition, uint64_t offset) {
    struct cycle_poison *p = ctx;
    struct poison_spot *s = spot_at(p, service, partition, offset);
    if (s->crashes >= s->crashes_max || !sys_sim_segfault(p->sim->sys)) return;
    p->sim->tally.segfaults++;
    if (++s->crashes > CRASHES_MAX)
        sim_fail(p->sim, "%s-%u: the record at offset %llu ends the process again and again", names[service], partition,
            (unsigned long long)offset);
}

bool cycle_poison_expects(const struct cycle_poison *p, const char *sentence) {
    for (uint32_t i = 0; i < p->count; i++) {
        const struct poison_spot *s = &p->spots[i];
        char expected[128];
        snprintf(expected, sizeof expected, "service %s, partition %u is parked in front of record %llu,",
            names[s->service], s->partition, (unsigned long long)s->offset);
        if (s->crashes >= 2 && strstr(sentence, expected)) return true;
    }
    return false;
}

bool cycle_poison_parks(const struct cycle_poison *p) {
    const struct host *host = p->sim->node.host;
    for (uint32_t i = 0; i < host_partition_count(host); i++) {
        struct host_partition_facts facts;
        host_partition_facts(host, i, &facts);
        if (facts.parked) return true;
    }
    return false;
}
