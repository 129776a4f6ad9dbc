/* What the edge names of the layers below and neither its tests nor its benchmark are about: nothing is there. Without
 * these the real host would be linked beside the fake ones of test_fake.c and bench_edge.c. */
#include "backup/agent.h"
#include "host/host.h"
#include "projection/agent.h"

struct log *host_log(const struct host *h) {
    (void)h;
    return NULL;
}
uint32_t host_service_count(const struct host *h) {
    (void)h;
    return 1;
}
uint32_t host_partition_count(const struct host *h) {
    (void)h;
    return 1;
}

uint32_t weir_partition_of(struct weir_slice key, uint32_t count) {
    return key.size ? key.data[0] % count : 0;
}

void host_late_end(struct host *h) {
    (void)h;
}
enum weir_error host_append(struct host_lane *l, const char *t, uint32_t p, struct weir_slice b, struct host_origin o,
    const struct weir_trace_link *trace) {
    (void)trace;
    (void)l, (void)t, (void)p, (void)b, (void)o;
    return WEIR_E_UNSUPPORTED;
}
enum weir_error host_effects_show(
    struct host_lane *l, uint32_t s, uint32_t partition, const struct host_effects_ask *ask, struct host_origin o) {
    (void)l, (void)s, (void)partition, (void)ask, (void)o;
    return WEIR_E_UNSUPPORTED;
}
enum weir_error host_effect_order(
    struct host *h, const char *s, uint32_t partition, const struct host_effect_order *order) {
    (void)h, (void)s, (void)partition, (void)order;
    return WEIR_E_UNSUPPORTED;
}
enum weir_error host_audit_append(struct host_lane *l, struct weir_slice b, struct host_origin o) {
    (void)l, (void)b, (void)o;
    return WEIR_E_UNSUPPORTED;
}
enum weir_error host_read(
    struct host_lane *l, const char *t, uint32_t p, uint64_t f, uint32_t b, uint64_t w, struct host_origin o) {
    (void)l, (void)t, (void)p, (void)f, (void)b, (void)w, (void)o;
    return WEIR_E_UNSUPPORTED;
}
enum weir_error host_work(struct host_lane *l, host_work_fn fn, const void *arg, size_t size, struct host_origin o) {
    (void)l, (void)fn, (void)arg, (void)size, (void)o;
    return WEIR_E_UNSUPPORTED;
}
enum weir_error host_topic_create(struct host *h, const char *n, uint32_t p, const struct log_topic_config *c) {
    (void)h, (void)n, (void)p, (void)c;
    return WEIR_OK;
}
enum weir_error host_topic_alter(struct host *h, const char *n, const struct log_topic_config *c) {
    (void)h, (void)n, (void)c;
    return WEIR_OK;
}
enum weir_error host_topic_grow(struct host *h, const char *n, uint32_t p) {
    (void)h, (void)n, (void)p;
    return WEIR_OK;
}
enum weir_error host_topic_delete(struct host *h, const char *n) {
    (void)h, (void)n;
    return WEIR_OK;
}
enum weir_error host_service_skip(struct host *h, const char *s, uint32_t p, uint64_t o) {
    (void)h, (void)s, (void)p, (void)o;
    return WEIR_OK;
}
enum weir_error host_service_snapshot(struct host *h, const char *s) {
    (void)h, (void)s;
    return WEIR_OK;
}

uint32_t projection_count(const struct projection_agent *agent) {
    (void)agent;
    return 0;
}
int projection_find(const struct projection_agent *agent, struct weir_slice name) {
    (void)agent, (void)name;
    return -1;
}
void projection_facts(const struct projection_agent *agent, uint32_t i, struct projection_facts *ret_facts) {
    (void)agent, (void)i;
    *ret_facts = (struct projection_facts){0};
}
void projection_position(
    const struct projection_agent *agent, uint32_t i, uint32_t partition, struct projection_position *ret_position) {
    (void)agent, (void)i, (void)partition;
    *ret_position = (struct projection_position){0};
}
uint64_t projection_rebuild(struct projection_agent *agent, uint32_t i) {
    (void)agent, (void)i;
    return 0;
}
bool projection_has_records(const struct projection_agent *agent, uint32_t i) {
    (void)agent, (void)i;
    return false;
}
enum weir_error projection_ask(struct projection_agent *agent, uint32_t of_lane, int wake_poller, uint32_t i,
    const struct search *search, struct host_origin origin) {
    (void)agent, (void)of_lane, (void)wake_poller, (void)i, (void)search, (void)origin;
    return WEIR_E_FULL;
}
void projection_answers(struct projection_agent *agent, uint32_t of_lane,
    void (*deliver)(void *ctx, const struct host_delivery *delivery), void *ctx) {
    (void)agent, (void)of_lane, (void)deliver, (void)ctx;
}

struct log_topic *log_topic_find(struct log *log, const char *name) {
    (void)log, (void)name;
    return NULL;
}
uint32_t log_topic_count(const struct log *log) {
    (void)log;
    return 0;
}
struct log_topic *log_topic_at(struct log *log, uint32_t i) {
    (void)log, (void)i;
    return NULL;
}
enum weir_error log_producer_id_new(struct log *log, uint64_t *ret_id) {
    (void)log, (void)ret_id;
    return WEIR_E_CLOSED;
}
enum weir_error log_offset_at(struct log *log, struct log_partition *p, uint64_t time_ms, uint64_t *ret_offset) {
    (void)log, (void)p, (void)time_ms, (void)ret_offset;
    return WEIR_E_NOT_FOUND;
}
uint64_t log_segment_bytes(const struct log *log) {
    (void)log;
    return 0;
}
const struct log_recovery *log_recovered(const struct log *log) {
    static const struct log_recovery nothing;
    (void)log;
    return &nothing;
}
enum sys_commit_path log_journal_write(const struct log *log) {
    (void)log;
    return SYS_COMMIT_SYNC;
}
