/* bench jobs_core: what a push, a fetch and an ack cost the fold alone, with 1,000 to 5 million other jobs waiting.
 * JSON on stdout: nanoseconds of a whole cycle in batches of 100, 256-byte jobs; bytes per waiting job by the state's
 * own count and by what became resident. */
#include "jobs/event.h"
#include "jobs/fold.h"
#include "jobs/state.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>

#define BATCH  100u
#define CYCLES 2000u /* batches that are measured */

/* ---- what stands behind struct weir_out: memory that is used again for each record ---- */
struct weir_out {
    uint8_t *memory;
    size_t used, reply_size;
    uint8_t *reply;
    uint64_t offset;
    const struct weir_setting_value *settings;
};
static void *room(struct weir_out *out, size_t size) {
    uint8_t *at = out->memory + out->used;
    out->used += (size + 15) & ~(size_t)15;
    return at;
}
void *weir_output(
    struct weir_out *out, uint32_t topic, uint16_t type, uint64_t key, size_t size, uint64_t *ret_offset) {
    (void)topic, (void)type, (void)key, (void)ret_offset;
    return room(out, size);
}
void *weir_reply(struct weir_out *out, uint16_t status, size_t size) {
    (void)status;
    out->reply_size = size;
    out->reply = room(out, size);
    return out->reply;
}
void *weir_reply_to(struct weir_out *out, uint64_t ticket, uint16_t status, size_t size) {
    (void)ticket, (void)status;
    return room(out, size);
}
uint64_t weir_reply_later(struct weir_out *out) {
    return out->offset;
}
void weir_refuse(struct weir_out *out, uint16_t code) {
    (void)code;
    out->reply_size = 0;
}
void weir_timer_set(struct weir_out *out, uint64_t id, uint64_t at_ns) {
    (void)out, (void)id, (void)at_ns;
}
void weir_timer_cancel(struct weir_out *out, uint64_t id) {
    (void)out, (void)id;
}
void weir_metric_set(struct weir_out *out, uint32_t row, uint64_t n) {
    (void)out, (void)row, (void)n;
}
const struct weir_setting_value *weir_settings(const struct weir_out *out) {
    return out->settings;
}
enum weir_error weir_sink_put(struct weir_sink *sink, const void *data, size_t size) {
    (void)sink, (void)data, (void)size;
    return WEIR_OK;
}
enum weir_error weir_source_get(struct weir_source *source, void *data, size_t size) {
    (void)source, (void)data, (void)size;
    return WEIR_E_CORRUPT;
}

/* Of this process: what a busy machine takes away is not the fold's. */
static uint64_t now_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static size_t resident(void) {
    unsigned long size = 0, pages = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    if (file && fscanf(file, "%lu %lu", &size, &pages) != 2) pages = 0;
    if (file) fclose(file);
    return pages * 4096;
}

static struct weir_setting_value settings[JOBS_SET_COUNT];
static struct weir_out out;
static uint8_t command[1 << 20];
static uint64_t time_ns = 1700000000000000000u;

static void apply(struct jobs *s, uint16_t type, size_t size) {
    out.used = 0;
    struct weir_record record = {.offset = ++out.offset,
        .time_ns = time_ns += 1000,
        .kind = WEIR_RECORD_COMMAND,
        .type = type,
        .value = weir_slice(command, size)};
    jobs_apply(s, &record, &out);
}

static void push(struct jobs *s, const char *queue, uint32_t count, uint64_t delay_ns) {
    static uint8_t payload[256];
    struct jobs_new_view v = {.head = {.delay_ns = delay_ns},
        .queue = weir_slice_text(queue),
        .type = weir_slice_text("bench"),
        .payload = weir_slice(payload, sizeof payload)};
    size_t at = 0;
    for (uint32_t i = 0; i < count; i++)
        at += jobs_new_write(&v, command + at);
    apply(s, JOBS_RECORD_PUSH, at);
}

/* One batch through: pushed, fetched, acked. */
static void cycle(struct jobs *s) {
    push(s, "busy", BATCH, 0);
    struct jobs_fetch_view f = {.head = {.max = BATCH, .queue_count = 1}, .worker = weir_slice_text("w")};
    f.queues[0] = weir_slice_text("busy");
    apply(s, JOBS_RECORD_FETCH, jobs_fetch_write(&f, command));
    struct weir_slice reply = weir_slice(out.reply, out.reply_size);
    struct jobs_leased_view leased;
    struct jobs_report_view report = {0};
    size_t size = 0;
    for (size_t at = 0; at < reply.size && jobs_leased_next(reply, &at, &leased);) {
        report.head.id = leased.head.id;
        report.head.epoch = leased.head.epoch;
        size += jobs_report_write(&report, command + size);
    }
    apply(s, JOBS_RECORD_ACK, size);
}

static void measure(uint32_t waiting, bool last) {
    size_t bytes = jobs_state_bytes(settings);
    void *state,
        *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED) {
        fprintf(stderr, "bench jobs_core: no memory\n");
        exit(1);
    }
    struct weir_open open = {
        .settings = settings, .capacity = settings, .partition_count = 1, .memory = memory, .memory_bytes = bytes};
    if (jobs_open(&open, &state) != WEIR_OK) exit(1);
    size_t before = resident();
    uint64_t begin_ns = now_ns();
    for (uint32_t i = 0; i < waiting; i += 1000) /* half of them ready in other queues, half delayed over an hour */
        push(state, i / 1000 % 2 ? "idle" : "later", 1000, i / 1000 % 2 ? 0 : 1000000000u + i * 700000ull);
    double push_ns = (double)(now_ns() - begin_ns) / waiting;
    size_t grown = resident() - before;
    for (uint32_t i = 0; i < CYCLES / 4; i++)
        cycle(state);
    begin_ns = now_ns();
    for (uint32_t i = 0; i < CYCLES; i++)
        cycle(state);
    double cycle_ns = (double)(now_ns() - begin_ns) / (CYCLES * BATCH);
    printf("\"%u\": {\"cycle_ns\": %.0f, \"push_ns\": %.0f, \"bytes_per_job\": %llu, \"resident_per_job\": %.0f}%s",
        waiting, cycle_ns, push_ns, (unsigned long long)jobs_bytes_per_job(state), (double)grown / waiting,
        last ? "" : ", ");
    fprintf(stderr, "%8u waiting: %6.0f ns a cycle, %4.0f ns a push; %llu bytes a job by count, %.0f resident\n",
        waiting, cycle_ns, push_ns, (unsigned long long)jobs_bytes_per_job(state), (double)grown / waiting);
    munmap(memory, bytes);
}

int main(void) {
    static const uint32_t sizes[] = {1000, 10000, 100000, 1000000, 5000000};
    const uint64_t numbers[JOBS_SET_COUNT] = {[JOBS_SET_JOBS_MAX] = 6000000,
        [JOBS_SET_PAYLOAD_MEMORY] = 4ull << 30,
        [JOBS_SET_PAYLOAD_BYTES_MAX] = JOBS_PAYLOAD_MAX,
        [JOBS_SET_QUEUES_MAX] = 4096,
        [JOBS_SET_TYPES_MAX] = 4096,
        [JOBS_SET_TENANTS_MAX] = 4096,
        [JOBS_SET_WORKERS_MAX] = 4096,
        [JOBS_SET_WAITERS_MAX] = 4096,
        [JOBS_SET_UNIQUES_MAX] = 4096,
        [JOBS_SET_DEAD_MAX] = 1000,
        [JOBS_SET_ATTEMPTS_MAX] = 5,
        [JOBS_SET_LEASE] = 1800000000000,
        [JOBS_SET_BACKOFF] = 1000000000,
        [JOBS_SET_BACKOFF_MAX] = 3600000000000,
        [JOBS_SET_WORKER_TIMEOUT] = 60000000000};
    for (uint32_t i = 0; i < JOBS_SET_COUNT; i++)
        settings[i].number = numbers[i];
    out.settings = settings;
    out.memory = malloc(16u << 20);
    if (!out.memory) return 1;
    printf("{");
    for (size_t i = 0; i < WEIR_ARRAY_COUNT(sizes); i++)
        measure(sizes[i], i + 1 == WEIR_ARRAY_COUNT(sizes));
    printf("}\n");
    free(out.memory);
    return 0;
}
