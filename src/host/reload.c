/* A reload of the configuration, as far as it is the host's: what changed in a service's fold becomes a record of each
 * of its partitions, on the partition's lane, between commands. */
#include "base/assert.h"
#include "host/in_force.h"
#include "host/lane.h"
#include "host/node.h"

static const struct settings *offered(const struct host *host) {
    return atomic_load_explicit(&host->offered, memory_order_acquire);
}

const struct weir_setting_value *host_service_values(const struct host *host, const struct host_service *service) {
    const struct settings *settings = offered(host);
    return settings ? settings_of(settings, service->service->name) : service->values;
}

void host_pace(struct host *host, const struct weir_setting_value *node) {
    atomic_store_explicit(&host->snapshot_bytes, node[NODE_SNAPSHOT_BYTES].number, memory_order_relaxed);
    atomic_store_explicit(&host->snapshot_age_ns, node[NODE_SNAPSHOT_AGE].number, memory_order_relaxed);
}

void host_reload(struct host *host, const struct settings *next) {
    host_pace(host, settings_node(next));
    atomic_store_explicit(&host->offered, next, memory_order_release);
    for (uint32_t i = 0; i < host->lane_count; i++)
        host->sys->poller_wake(host->sys, host->lanes[i].poller);
}

bool host_reload_taken(const struct host *host) {
    const struct settings *settings = offered(host);
    for (uint32_t i = 0; i < host->lane_count; i++)
        if (atomic_load_explicit(&host->lanes[i].settings_taken, memory_order_acquire) != settings) return false;
    return true;
}

/* weir_open.capacity promised each fold that no record puts more in force than was laid out. */
bool host_reload_has_room(const struct host *host, const char *service, uint32_t row, uint64_t number) {
    const struct host_service *s = host_service_find(host, service);
    return !s || !s->service->settings[row].folded || s->service->settings[row].kind == WEIR_SETTING_TEXT ||
           number <= s->values[row].number;
}

/* The record that puts today's values in force, if the last one says otherwise. */
enum weir_error host_partition_put_settings(struct host_partition *p, const struct in_force *today) {
    uint8_t bytes[IN_FORCE_RECORD_MAX];
    struct envelope envelope = {.kind = WEIR_RECORD_SETTINGS};
    struct weir_slice value = weir_slice(bytes, in_force_store(today, p->fold.service, bytes));
    return host_partition_append(p, &envelope, (struct weir_slice){0}, value, &p->settings_offset);
}

/* True when there is nothing more to do for this partition. */
static bool settle(struct host_partition *p, const struct settings *settings) {
    if (p->settled == settings || p->parked) return true; /* a parked one announces itself when it goes on */
    /* What is in force is only known once the last such record is applied. */
    bool is_known = p->settings_offset == UINT64_MAX || p->fold.applied > p->settings_offset;
    if (!p->announced || !is_known) return false;
    struct in_force today;
    const struct in_force *then = &p->fold.in_force;
    const struct weir_setting_value *values = settings_of(settings, p->fold.service->name);
    enum weir_error e = in_force_from(&today, p->fold.service, values, then->epoch);
    WEIR_ASSERT(e == WEIR_OK); /* the reload asked host_reload_check() */
    if (!in_force_same(then, &today, p->fold.service)) e = host_partition_put_settings(p, &today);
    if (e != WEIR_OK) return false;
    p->settled = settings;
    return true;
}

void host_lane_settle(struct host_lane *lane) {
    const struct settings *settings = offered(lane->host);
    if (settings == atomic_load_explicit(&lane->settings_taken, memory_order_relaxed)) return;
    if (atomic_load_explicit(&lane->host->phase, memory_order_acquire) >= HOST_DRAINING) return;
    bool all = true;
    for (uint32_t i = 0; i < lane->partition_count; i++)
        all &= settle(lane->partitions[i], settings);
    if (all)
        atomic_store_explicit(&lane->settings_taken, settings, memory_order_release);
    else
        lane->retry = true;
}

enum weir_error host_reload_check(const struct host *host, const struct settings *next) {
    for (uint32_t i = 0; i < host->service_count; i++) {
        struct in_force today;
        const struct weir_service *service = host->services[i].service;
        enum weir_error e = in_force_from(&today, service, settings_of(next, service->name), 0);
        if (e != WEIR_OK) return e;
    }
    return WEIR_OK;
}
