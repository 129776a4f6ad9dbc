/* A lane's writer: its commits' memory and its four queues. See commit.h. */
#include "log/state.h"

#include <stdlib.h>

#define BATCH_BYTES_TYPICAL 128u /* fewer bytes than this per batch, over a whole commit, is not sized for */
#define BATCHES_MIN         64u
#define BATCHES_MAX         16384u

uint32_t log_commit_batches_max(const struct log_options *o) {
    uint32_t batches = o->commit_bytes_max / BATCH_BYTES_TYPICAL;
    return batches < BATCHES_MIN ? BATCHES_MIN : batches > BATCHES_MAX ? BATCHES_MAX : batches;
}

static uint64_t round_up(uint64_t n, uint64_t unit) {
    return (n + unit - 1) / unit * unit;
}

static uint32_t ring_slots(uint32_t commits) {
    uint32_t slots = 1;
    while (slots < commits)
        slots *= 2;
    return slots;
}

/* The memory of one commit: input bytes, output bytes, input batches, output batches; each page-aligned, none touched.
 */
static size_t commit_memory_size(const struct log_options *o, uint32_t batches) {
    return (size_t)(round_up(o->commit_bytes_max, JOURNAL_BLOCK) + round_up(o->output_bytes_max, JOURNAL_BLOCK) +
                    2 * round_up((uint64_t)batches * sizeof(struct commit_batch), JOURNAL_BLOCK));
}

static void commit_init(struct commit *c, struct log_writer *w, uint8_t *memory, uint32_t batches) {
    const struct log_options *o = &w->log->options;
    c->writer = w;
    c->input.bytes = memory;
    c->input.size = o->commit_bytes_max;
    memory += round_up(o->commit_bytes_max, JOURNAL_BLOCK);
    c->output.bytes = memory;
    c->output.size = o->output_bytes_max;
    memory += round_up(o->output_bytes_max, JOURNAL_BLOCK);
    c->input.batches = (struct commit_batch *)(void *)memory;
    memory += round_up((uint64_t)batches * sizeof(struct commit_batch), JOURNAL_BLOCK);
    c->output.batches = (struct commit_batch *)(void *)memory;
    c->input.max = c->output.max = batches;
}

static enum weir_error allocate(struct log_writer *w) {
    const struct log_options *o = &w->log->options;
    uint32_t slots = ring_slots(o->commits_per_lane), batches = log_commit_batches_max(o);
    size_t each = commit_memory_size(o, batches);
    w->commits = calloc(o->commits_per_lane, sizeof *w->commits);
    w->free = calloc(o->commits_per_lane, sizeof(struct commit *));
    w->ring_memory = calloc((size_t)slots * 4, sizeof(struct commit *));
    if (!w->commits || !w->free || !w->ring_memory)
        return weir_error_context(WEIR_E_NO_MEMORY, "no memory for the writer of lane %u", w->lane);
    enum weir_error e = sys_memory_map(each * o->commits_per_lane, &w->memory);
    if (e) return e;
    w->memory_size = each * o->commits_per_lane;
    struct slot_ring *rings[4] = {&w->submitted, &w->durable, &w->released, &w->freed};
    for (uint32_t i = 0; i < 4; i++)
        slot_ring_init(rings[i], (struct commit **)w->ring_memory + (size_t)slots * i, sizeof(struct commit *), slots);
    for (uint32_t i = o->commits_per_lane; i-- > 0;) {
        commit_init(&w->commits[i], w, (uint8_t *)w->memory + each * i, batches);
        w->free[w->free_count++] = &w->commits[i];
    }
    w->commit_count = o->commits_per_lane;
    return WEIR_OK;
}

enum weir_error log_writer_open(struct log *log, uint32_t lane, int wake_poller, struct log_writer **ret_writer) {
    if (lane >= log->options.lanes)
        return weir_error_context(WEIR_E_INVALID, "lane %u of %u", lane, log->options.lanes);
    if (log->options.read_only) return weir_error_context(WEIR_E_FORBIDDEN, "the log is open for reading only");
    if (atomic_load_explicit(&log->writers[lane], memory_order_relaxed))
        return weir_error_context(WEIR_E_EXISTS, "lane %u has its writer already", lane);
    struct log_writer *w = calloc(1, sizeof *w);
    if (!w) return weir_error_context(WEIR_E_NO_MEMORY, "no memory for the writer of lane %u", lane);
    w->log = log;
    w->lane = lane;
    w->wake_poller = wake_poller;
    enum weir_error e = allocate(w);
    if (e) {
        log_writer_free(w);
        return e;
    }
    atomic_store_explicit(&log->writers[lane], w, memory_order_release);
    *ret_writer = w;
    return WEIR_OK;
}

void log_writer_free(struct log_writer *w) {
    if (!w) return;
    sys_memory_unmap(w->memory, w->memory_size);
    free(w->commits);
    free(w->free);
    free(w->ring_memory);
    free(w);
}
