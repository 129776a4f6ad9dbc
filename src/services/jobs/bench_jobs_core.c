/* bench jobs_core: what a push, a fetch and an ack cost the fold alone, with 1,000 to 5 million other jobs waiting.
 * JSON on stdout: nanoseconds of a whole cycle in batches of 100, 256-byte jobs; bytes per waiting job by the state's
 * own count and by what became resident. */
#include "jobs/event.h"
#include "jobs/fold.h"
#include "jobs/state.h"
#include "jobs/test_plain_out.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>

#define BATCH  100u
#define CYCLES 2000u /* batches that are measured */

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
    plain_out_begin(&out);
    struct weir_record record = {.offset = out.offset,
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

static double overhead_bytes; /* of what was measured last */

static double measure(uint32_t waiting) {
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
    printf("\"%u\": {\"cycle_ns\": %.0f, \"push_ns\": %.0f, \"bytes_per_job\": %llu, \"resident_per_job\": %.0f}, ",
        waiting, cycle_ns, push_ns, (unsigned long long)jobs_bytes_per_job(state), (double)grown / waiting);
    fprintf(stderr, "%8u waiting: %6.0f ns a cycle, %4.0f ns a push; %llu bytes a job by count, %.0f resident\n",
        waiting, cycle_ns, push_ns, (unsigned long long)jobs_bytes_per_job(state), (double)grown / waiting);
    overhead_bytes = (double)grown / waiting - 256;
    munmap(memory, bytes);
    return cycle_ns;
}

int main(void) {
    static const uint32_t sizes[] = {1000, 10000, 100000, 1000000, 5000000};
    const uint64_t numbers[JOBS_SET_COUNT] = {[JOBS_SET_JOBS_MAX] = 6000000,
        [JOBS_SET_PAYLOAD_MEMORY] = 4ull << 30,
        [JOBS_SET_PAYLOAD_BYTES_MAX] = JOBS_PAYLOAD_MAX,
        [JOBS_SET_QUEUES_MAX] = 4096,
        [JOBS_SET_TYPES_MAX] = 4096,
        [JOBS_SET_TENANTS_MAX] = 4096,
        [JOBS_SET_DESTINATIONS_MAX] = 4096,
        [JOBS_SET_WEBHOOKS] = 128,
        [JOBS_SET_WEBHOOKS_EACH] = 8,
        [JOBS_SET_WORKERS_MAX] = 4096,
        [JOBS_SET_WAITERS_MAX] = 4096,
        [JOBS_SET_BATCHES_MAX] = 16,
        [JOBS_SET_UNIQUES_MAX] = 4096,
        [JOBS_SET_DEAD_MAX] = 1000,
        [JOBS_SET_ATTEMPTS_MAX] = 5,
        [JOBS_SET_LEASE] = 1800000000000,
        [JOBS_SET_BACKOFF] = 1000000000,
        [JOBS_SET_BACKOFF_MAX] = 3600000000000,
        [JOBS_SET_WORKER_TIMEOUT] = 60000000000};
    for (uint32_t i = 0; i < JOBS_SET_COUNT; i++)
        settings[i].number = numbers[i];
    plain_out_open(&out, settings);
    double cycle_ns[WEIR_ARRAY_COUNT(sizes)];
    printf("{");
    for (size_t i = 0; i < WEIR_ARRAY_COUNT(sizes); i++)
        cycle_ns[i] = measure(sizes[i]);
    printf("\"per_job\": {\"overhead_bytes\": %.0f, \"cycle_ratio\": %.2f}}\n", overhead_bytes,
        cycle_ns[WEIR_ARRAY_COUNT(sizes) - 1] / cycle_ns[0]);
    free(out.memory);
    return 0;
}
