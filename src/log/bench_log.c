/* What the log costs beside the disk's own price, measured in the same run on the same disk.
 *
 *     bench_log [FOLDER [SECONDS [PART]]]
 *
 *   bytes       durable bytes/s, journal + segments, against a bare loop that writes and syncs pieces of the same size
 *   latency     open loop (Poisson): commit p50 and p99 from the intended arrival, against an ideal group commit
 * computed from the same arrivals and the durations of the bare loop's syncs (pieces of the size the log's frames had)
 *   partitions  records/s with 1,000 active partitions against one
 *   append      records/s that one thread appends and commits, and the share of a core at 200,000/s
 *   recovery    GB/s of journal tail copied, synced and written to segments again
 *   first       empty folder to the first durable commit
 *   ways        durable commits/s of the whole log by each journal_write, one in flight, against the bare loop; all
 * ways in turns, round by round The log and the bare loop take turns, as the disk is noisy: only ratios mean something.
 * JSON on stdout, a table on stderr.
 */
#include "base/prng.h"
#include "log/state.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

static struct sys *sys;
static char folder[512];
static double budget_s = 30;

static void must(enum weir_error e, const char *what) {
    if (!e) return;
    fprintf(stderr, "bench_log: %s: %s: %s\n", what, weir_error_name(e), weir_error_text());
    exit(1);
}
static double now_s(void) {
    return (double)sys->mono_ns(sys) / 1e9;
}
static double cpu_s(void) {
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}
static int compare_u64(const void *a, const void *b) {
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}
static double quantile_ms(uint64_t *values, size_t count, double q) {
    if (count == 0) return 0;
    qsort(values, count, sizeof *values, compare_u64);
    size_t i = (size_t)(q * (double)count);
    return (double)values[i < count ? i : count - 1] / 1e6;
}
static double median(double *values, size_t count) {
    for (size_t i = 1; i < count; i++) {
        for (size_t k = i; k > 0 && values[k] < values[k - 1]; k--) {
            double t = values[k];
            values[k] = values[k - 1];
            values[k - 1] = t;
        }
    }
    return count ? values[count / 2] : 0;
}

/* ---- the bare loop
 * ----------------------------------------------------------------------------------------------------------- */

#define BARE_BYTES ((uint64_t)64 << 20)
static struct {
    int file;
    uint64_t at;
    uint8_t *piece;
} bare;

static void bare_open(void) {
    char path[600];
    snprintf(path, sizeof path, "%s/bare", folder);
    must(sys->file_open(sys, path, SYS_OPEN_WRITE | SYS_OPEN_CREATE | SYS_OPEN_TRUNCATE, &bare.file), "bare file");
    bare.piece = calloc(1, 8 << 20);
    for (uint64_t at = 0; at < BARE_BYTES; at += 1 << 20) {
        struct sys_iovec part = {bare.piece, 1 << 20};
        must(sys->file_write(sys, bare.file, at, &part, 1), "bare file");
    }
    must(sys->file_sync(sys, bare.file), "bare file");
    memset(bare.piece, 7, 8 << 20);
}
/* One write and sync, over bytes written before; nanoseconds. */
static uint64_t bare_once(size_t size) {
    if (bare.at + size > BARE_BYTES) bare.at = 0;
    uint64_t begin = sys->mono_ns(sys);
    struct sys_iovec part = {bare.piece, size};
    must(sys->file_write(sys, bare.file, bare.at, &part, 1), "bare write");
    must(sys->file_sync(sys, bare.file), "bare sync");
    bare.at += (size + 4095) / 4096 * 4096;
    return sys->mono_ns(sys) - begin;
}
static double bare_bytes_per_s(size_t size, double seconds) {
    double begin = now_s();
    uint64_t bytes = 0;
    while (now_s() - begin < seconds) {
        bare_once(size);
        bytes += size;
    }
    return (double)bytes / (now_s() - begin);
}

/* ---- a log
 * -------------------------------------------------------------------------------------------------------------------
 */

static struct node {
    struct log *log;
    struct log_topic *topic;
    struct log_writer *writer;
    int poller;
    uint64_t in_flight; /* commits submitted and not yet taken */
} node;

static enum sys_commit_path journal_write = SYS_COMMIT_SYNC; /* of the logs that are opened */

/* CONFIG: journal_write is not possible here. */
static enum weir_error node_try_open(const char *name, uint32_t partitions, uint64_t checkpoint_bytes) {
    char path[600];
    struct log_options o;
    struct log_topic_config config = {0};
    snprintf(path, sizeof path, "%s/%s", folder, name);
    log_options_default(&o);
    o.folder = path;
    o.journal_write = journal_write;
    if (checkpoint_bytes) {
        o.checkpoint_bytes = checkpoint_bytes;
        o.journal_bytes_max = (uint64_t)1 << 30;
    }
    enum weir_error e = log_open(sys, &o, &node.log);
    if (e == WEIR_E_CONFIG) return e;
    must(e, "open");
    e = log_topic_create(node.log, "bench", partitions, &config, &node.topic);
    must(e == WEIR_E_EXISTS ? WEIR_OK : e, "topic");
    must(sys->poller_open(sys, &node.poller), "poller");
    must(log_writer_open(node.log, 0, node.poller, &node.writer), "writer");
    must(log_start(node.log), "start");
    return WEIR_OK;
}
static void node_open(const char *name, uint32_t partitions, uint64_t checkpoint_bytes) {
    must(node_try_open(name, partitions, checkpoint_bytes), "open");
}
static void node_close(bool clean) {
    if (clean) log_stop(node.log);
    log_close(node.log);
    sys->poller_close(sys, node.poller);
}
static void remove_folder(const char *name) {
    char command[700];
    snprintf(command, sizeof command, "rm -rf %s/%s", folder, name);
    if (system(command) != 0) fprintf(stderr, "could not remove %s/%s\n", folder, name);
}
/* Waits for what is durable; calls `each` per commit. Returns how many. */
static uint32_t node_take(uint64_t wait_ns, void (*each)(const struct log_commit *)) {
    uint32_t taken = 0;
    struct log_commit *c;
    for (;;) {
        while ((c = log_writer_durable(node.writer))) {
            if (each) each(c);
            log_commit_release(c);
            node.in_flight--;
            taken++;
        }
        if (taken > 0 || wait_ns == 0) return taken;
        log_wait(sys, node.poller, wait_ns);
        wait_ns = 0;
    }
}
static struct log_commit *node_begin(void) {
    struct log_commit *c = NULL;
    for (;;) {
        enum weir_error e = log_commit_begin(node.writer, &c);
        if (!e) return c;
        if (e != WEIR_E_AGAIN && e != WEIR_E_FULL) must(e, "begin");
        if (node_take(0, NULL) == 0) log_wait(sys, node.poller, SYS_NANOS_PER_MS);
    }
}
static void append(struct log_commit *c, struct log_partition *p, size_t size) {
    static uint8_t value[1 << 20];
    struct log_record r = {.time_ms = 1700000000000, .value = weir_slice(value, size)};
    uint64_t offset = 0;
    must(log_commit_append(c, p, &r, &offset), "append");
}
static void submit(struct log_commit *c) {
    node.in_flight++;
    log_commit_submit(c);
}
/* Until at most so many commits are in flight. */
static void settle_to(uint64_t most) {
    while (node.in_flight > most)
        (void)node_take(10 * SYS_NANOS_PER_MS, NULL);
}

/* ---- bytes
 * -------------------------------------------------------------------------------------------------------------------
 */

/* Commits of one size, two in flight, then everything stored and synced. */
static double log_bytes_per_s(size_t size, double seconds) {
    struct journal *j = &node.log->journal;
    struct store *s = &node.log->store;
    uint64_t before = metric_get(&j->bytes) + metric_get(&s->bytes);
    double begin = now_s();
    while (now_s() - begin < seconds) {
        struct log_commit *c = node_begin();
        for (size_t at = 0; at + (16 << 10) <= size; at += 16 << 10)
            append(c, node.topic->partitions[0], (16 << 10) - 16);
        submit(c);
        settle_to(2);
    }
    settle_to(0);
    struct log_partition *p = node.topic->partitions[0];
    while (atomic_load(&p->high) < p->next)
        log_wait(sys, node.poller, SYS_NANOS_PER_MS / 2);
    log_checkpoint_soon(node.log);
    while (atomic_load(&p->checkpointed) < p->next)
        log_wait(sys, node.poller, SYS_NANOS_PER_MS / 2);
    return (double)(metric_get(&j->bytes) + metric_get(&s->bytes) - before) / (now_s() - begin);
}

static void bench_bytes(FILE *json) {
    size_t sizes[] = {64 << 10, 512 << 10, 2 << 20};
    fprintf(json, "\"bytes\": [");
    node_open("bytes", 1, 0);
    for (size_t i = 0; i < 3; i++) {
        double ratios[16], bare_rate = 0, log_rate = 0;
        size_t rounds = 5;
        for (size_t k = 0; k < rounds; k++) {
            double b = bare_bytes_per_s(sizes[i], budget_s * 0.008), l = log_bytes_per_s(sizes[i], budget_s * 0.012);
            ratios[k] = l / b;
            bare_rate += b / (double)rounds;
            log_rate += l / (double)rounds;
        }
        double ratio = median(ratios, rounds);
        fprintf(json, "%s{\"ratio\": %.3f, \"commit_bytes\": %zu, \"log_mb_s\": %.1f, \"bare_mb_s\": %.1f}",
            i ? ", " : "", ratio, sizes[i], log_rate / 1e6, bare_rate / 1e6);
        fprintf(stderr, "bytes       %7zu B commits   log %8.1f MB/s  bare %8.1f MB/s  ratio %.2f (aim >= 0.90)\n",
            sizes[i], log_rate / 1e6, bare_rate / 1e6, ratio);
    }
    fprintf(json, "]");
    node_close(true);
    remove_folder("bytes");
}

/* ---- latency
 * ----------------------------------------------------------------------------------------------------------------- */

#define ARRIVALS_MAX 2000000u
#define SYNCS_MAX    20000u
static uint64_t *arrivals, *latencies, *ideals;
static size_t arrival_count, done_count;

static void note_latency(const struct log_commit *c) {
    size_t end = (size_t)(uintptr_t)c->host;
    uint64_t now = sys->mono_ns(sys);
    for (; done_count < end; done_count++)
        latencies[done_count] = now - arrivals[done_count];
}

static void open_loop(double rate, double seconds, struct prng *prng, size_t record_bytes) {
    uint64_t at = sys->mono_ns(sys) + 5000000, end = at + (uint64_t)(seconds * 1e9);
    arrival_count = done_count = 0;
    while (at < end && arrival_count < ARRIVALS_MAX) {
        arrivals[arrival_count++] = at;
        at += (uint64_t)prng_exponential(prng, 1e9 / rate) + 1;
    }
    size_t sent = 0;
    struct log_commit *c = NULL;
    while (done_count < arrival_count) {
        uint64_t now = sys->mono_ns(sys);
        while (sent < arrival_count && arrivals[sent] <= now) {
            if (!c && log_commit_begin(node.writer, &c)) break;
            append(c, node.topic->partitions[sent % node.topic->partition_count], record_bytes);
            sent++;
        }
        if (c && log_commit_bytes(c) > 0 && node.in_flight == 0) { /* as the host's lanes do */
            c->host = (void *)(uintptr_t)sent;
            submit(c);
            c = NULL;
        }
        uint64_t wait = sent < arrival_count ? arrivals[sent] : now + SYS_NANOS_PER_MS;
        now = sys->mono_ns(sys);
        (void)node_take(wait > now ? wait - now : 0, note_latency);
    }
}

/* The same arrivals on a server that takes everything that waits into one sync, whose durations come from the bare
 * loop. */
static void ideal_group_commit(const uint64_t *syncs, size_t sync_count) {
    uint64_t free_at = 0;
    size_t i = 0, s = 0;
    WEIR_ASSERT(sync_count > 0);
    while (i < arrival_count) {
        uint64_t begin = arrivals[i] > free_at ? arrivals[i] : free_at;
        free_at = begin + syncs[s++ % sync_count];
        for (; i < arrival_count && arrivals[i] <= begin; i++)
            ideals[i] = free_at - arrivals[i];
    }
}

/* Latencies of all rounds together: rounds are short, so that log and bare loop see the same disk. */
struct pool {
    uint64_t *values;
    size_t count;
};
static void pool_add(struct pool *p, const uint64_t *values, size_t count) {
    if (count > ARRIVALS_MAX - p->count) count = ARRIVALS_MAX - p->count;
    memcpy(p->values + p->count, values, count * sizeof *values);
    p->count += count;
}

static void latency_round(double rate, struct prng *prng, struct pool *log, struct pool *ideal, uint64_t *syncs) {
    struct journal *j = &node.log->journal;
    uint64_t frames = metric_get(&j->frames), bytes = metric_get(&j->bytes);
    open_loop(rate, 0.1, prng, 100);
    frames = metric_get(&j->frames) - frames;
    bytes = (metric_get(&j->bytes) - bytes) / (frames ? frames : 1);
    size_t count = 0, piece = (size_t)(bytes + 4095) / 4096 * 4096;
    for (double begin = now_s(); now_s() - begin < 0.05 && count < SYNCS_MAX; count++)
        syncs[count] = bare_once(piece);
    ideal_group_commit(syncs, count);
    pool_add(log, latencies, arrival_count);
    pool_add(ideal, ideals, arrival_count);
}

static void bench_latency(FILE *json) {
    double rates[] = {1000, 10000, 100000};
    struct prng prng = prng_seed(1);
    struct pool log = {calloc(ARRIVALS_MAX, 8), 0}, ideal = {calloc(ARRIVALS_MAX, 8), 0};
    uint64_t *syncs = calloc(SYNCS_MAX, 8);
    arrivals = calloc(ARRIVALS_MAX, 8);
    latencies = calloc(ARRIVALS_MAX, 8);
    ideals = calloc(ARRIVALS_MAX, 8);
    fprintf(json, "\"latency\": [");
    node_open("latency", 4, 0);
    for (size_t i = 0; i < 3; i++) {
        log.count = ideal.count = 0;
        for (double begin = now_s(); now_s() - begin < budget_s * 0.12;)
            latency_round(rates[i], &prng, &log, &ideal, syncs);
        double l50 = quantile_ms(log.values, log.count, 0.5), l99 = quantile_ms(log.values, log.count, 0.99);
        double i50 = quantile_ms(ideal.values, ideal.count, 0.5), i99 = quantile_ms(ideal.values, ideal.count, 0.99);
        fprintf(json,
            "%s{\"p99_ratio\": %.3f, \"p50_ratio\": %.3f, \"rate\": %.0f, \"p50_ms\": %.3f, \"p99_ms\": %.3f, "
            "\"ideal_p50_ms\": %.3f, \"ideal_p99_ms\": %.3f}",
            i ? ", " : "", l99 / i99, l50 / i50, rates[i], l50, l99, i50, i99);
        fprintf(stderr,
            "latency     %7.0f/s   p50 %7.3f ms (ideal %.3f, ratio %.2f)   p99 %7.3f ms (ideal %.3f, ratio %.2f; aim "
            "<= 1.2)\n",
            rates[i], l50, i50, l50 / i50, l99, i99, l99 / i99);
    }
    fprintf(json, "]");
    node_close(true);
    remove_folder("latency");
}

/* ---- partitions, appends
 * ------------------------------------------------------------------------------------------------------- */

static double records_per_s(uint32_t partitions, double seconds, double *ret_cpu) {
    double begin = now_s(), cpu = cpu_s();
    uint64_t records = 0;
    while (now_s() - begin < seconds) {
        struct log_commit *c = node_begin();
        for (uint32_t i = 0; i < 2000; i++)
            append(c, node.topic->partitions[i % partitions], 200);
        records += 2000;
        submit(c);
        settle_to(2);
    }
    settle_to(0);
    *ret_cpu = (cpu_s() - cpu) / (double)records * 1e9;
    return (double)records / (now_s() - begin);
}

static void bench_partitions(FILE *json) {
    double ratios[16], one = 0, many = 0, cpu = 0;
    size_t rounds = 5;
    node_open("partitions", 1000, 0);
    (void)records_per_s(1000, 0.2, &cpu);
    for (size_t k = 0; k < rounds; k++) {
        double a = records_per_s(1, budget_s * 0.015, &cpu), b = records_per_s(1000, budget_s * 0.015, &cpu);
        ratios[k] = b / a;
        one += a / (double)rounds;
        many += b / (double)rounds;
    }
    double ratio = median(ratios, rounds);
    fprintf(json, "\"partitions\": {\"ratio\": %.3f, \"one_per_s\": %.0f, \"thousand_per_s\": %.0f}", ratio, one, many);
    fprintf(
        stderr, "partitions  1000: %.0f records/s   1: %.0f records/s   ratio %.2f (aim >= 0.80)\n", many, one, ratio);
    double share = 0;
    (void)records_per_s(1, budget_s * 0.03, &cpu);
    share = cpu * 200000 / 1e9;
    fprintf(json, ", \"append\": {\"core_share_at_200k\": %.3f, \"cpu_ns_per_record\": %.0f}", share, cpu);
    fprintf(stderr,
        "append      %.0f ns of CPU per record (200 bytes) on the lane: %.1f %% of a core at 200,000/s (aim < 15 %%)\n",
        cpu, share * 100);
    node_close(true);
    remove_folder("partitions");
}

/* ---- recovery, first commit
 * ------------------------------------------------------------------------------------------------------ */

static void bench_recovery(FILE *json) {
    uint64_t commits = 0, want = (uint64_t)(budget_s * 8) << 20;
    node_open("recovery", 4, (uint64_t)1 << 40);
    for (uint64_t bytes = 0; bytes < want; bytes += 1 << 20, commits++) {
        struct log_commit *c = node_begin();
        for (uint32_t i = 0; i < 1024; i++)
            append(c, node.topic->partitions[i % 4], 1000);
        submit(c);
        (void)node_take(commits % 2 ? 50 * SYS_NANOS_PER_MS : 0, NULL);
    }
    (void)node_take(500 * SYS_NANOS_PER_MS, NULL);
    node_close(false);
    double begin = now_s();
    node_open("recovery", 4, (uint64_t)1 << 40);
    const struct log_recovery *r = log_recovered(node.log);
    double gb_s = (double)r->journal_bytes / 1e9 / ((double)r->elapsed_ns / 1e9);
    fprintf(json, "\"recovery\": {\"gb_per_s\": %.3f, \"journal_mb\": %.1f, \"ms\": %.1f, \"records\": %llu}", gb_s,
        (double)r->journal_bytes / 1e6, (double)r->elapsed_ns / 1e6, (unsigned long long)r->records);
    fprintf(stderr, "recovery    %.1f MB of journal tail in %.1f ms: %.2f GB/s, %.1f M records/s\n",
        (double)r->journal_bytes / 1e6, (double)r->elapsed_ns / 1e6, gb_s,
        (double)r->records / ((double)r->elapsed_ns / 1e9) / 1e6);
    (void)begin;
    node_close(true);
    remove_folder("recovery");
}

static void bench_first(FILE *json) {
    double times[9];
    for (int i = 0; i < 9; i++) {
        double begin = now_s();
        node_open("first", 4, 0);
        struct log_commit *c = node_begin();
        append(c, node.topic->partitions[0], 100);
        submit(c);
        settle_to(0);
        times[i] = (now_s() - begin) * 1e3;
        node_close(true);
        remove_folder("first");
    }
    double ms = median(times, 9);
    fprintf(json, "\"first\": {\"ms\": %.2f}", ms);
    fprintf(stderr, "first       empty folder to the first durable commit: %.2f ms (aim <= 10)\n", ms);
}

/* ---- ways to write
 * --------------------------------------------------------------------------------------------------------------- */

#define WAY_ROUNDS 9
static struct node way_nodes[SYS_COMMIT_PATHS];
static bool way_possible[SYS_COMMIT_PATHS];

static void ways_open(void) {
    for (int way = 0; way < SYS_COMMIT_PATHS; way++) {
        char name[32];
        journal_write = (enum sys_commit_path)way;
        snprintf(name, sizeof name, "way-%d", way);
        way_possible[way] = node_try_open(name, 1, 0) == WEIR_OK;
        if (!way_possible[way])
            fprintf(stderr, "ways        %-12s SKIPPED: %s\n", sys_commit_path_name(journal_write), weir_error_text());
        way_nodes[way] = node;
        node = (struct node){0};
    }
    journal_write = SYS_COMMIT_SYNC;
}

#define TURN_COMMITS 2 /* before the next way's turn: the disk's moods last longer */

/* Seconds that some commits take, one after the other. */
static double commit_some(size_t size) {
    double begin = now_s();
    for (int i = 0; i < TURN_COMMITS; i++) {
        struct log_commit *c = node_begin();
        append(c, node.topic->partitions[0], size);
        submit(c);
        settle_to(0);
    }
    return now_s() - begin;
}
static double bare_some(size_t size) {
    double begin = now_s();
    for (int i = 0; i < TURN_COMMITS; i++)
        bare_once(size);
    return now_s() - begin;
}

/* The bare loop and every way in turns until the time is up: seconds[way], and behind them those of the bare loop. */
static uint64_t ways_round(size_t frame, double seconds, double took[SYS_COMMIT_PATHS + 1]) {
    uint64_t commits = 0;
    for (double begin = now_s(); commits == 0 || now_s() - begin < seconds; commits += TURN_COMMITS) {
        took[SYS_COMMIT_PATHS] += bare_some(frame);
        for (int i = 0; i < SYS_COMMIT_PATHS; i++) {
            int way = (int)((uint64_t)i + commits / TURN_COMMITS) % SYS_COMMIT_PATHS;
            if (!way_possible[way]) continue;
            node = way_nodes[way];
            took[way] +=
                commit_some(frame - 200); /* with the headers of frame, batch and record it is a frame of that size */
            way_nodes[way] = node;
        }
    }
    return commits;
}

static void bench_ways_at(FILE *json, size_t frame, const char *comma) {
    double ratios[SYS_COMMIT_PATHS][WAY_ROUNDS], sums[SYS_COMMIT_PATHS + 1] = {0};
    uint64_t commits = 0;
    for (int round = 0; round < WAY_ROUNDS; round++) {
        double took[SYS_COMMIT_PATHS + 1] = {0};
        commits += ways_round(frame, budget_s * 0.2 / WAY_ROUNDS, took);
        for (int way = 0; way < SYS_COMMIT_PATHS; way++)
            ratios[way][round] = took[SYS_COMMIT_PATHS] / (took[way] + 1e-9);
        for (int i = 0; i <= SYS_COMMIT_PATHS; i++)
            sums[i] += took[i];
    }
    double bare_rate = (double)commits / sums[SYS_COMMIT_PATHS];
    for (int way = 0; way < SYS_COMMIT_PATHS; way++) {
        const char *name = sys_commit_path_name((enum sys_commit_path)way);
        if (!way_possible[way]) continue;
        double ratio = median(ratios[way], WAY_ROUNDS), rate = (double)commits / sums[way];
        fprintf(json,
            "%s{\"ratio\": %.3f, \"journal_write\": \"%s\", \"frame_bytes\": %zu, \"commits_s\": %.0f, \"bare_s\": "
            "%.0f}",
            comma, ratio, name, frame, rate, bare_rate);
        fprintf(stderr, "ways        %-12s %6zu B frames %8.0f commits/s  bare write + fdatasync %8.0f/s  ratio %.2f\n",
            name, frame, rate, bare_rate, ratio);
        comma = ", ";
    }
}

static void bench_ways(FILE *json) {
    ways_open();
    fprintf(json, "\"ways\": [");
    bench_ways_at(json, 4 << 10, "");
    bench_ways_at(json, 64 << 10, ", ");
    fprintf(json, "]");
    for (int way = 0; way < SYS_COMMIT_PATHS; way++) {
        char name[32];
        snprintf(name, sizeof name, "way-%d", way);
        node = way_nodes[way];
        if (way_possible[way]) node_close(true);
        remove_folder(name);
    }
}

int main(int argc, char **argv) {
    must(sys_linux_new(&sys), "start");
    snprintf(folder, sizeof folder, "%.400s/bench-log-%ld", argc > 1 ? argv[1] : ".", (long)getpid());
    if (argc > 2) budget_s = strtod(argv[2], NULL);
    must(sys_make_folders(sys, folder), "folder");
    bare_open();
    static const struct {
        const char *name;
        void (*run)(FILE *json);
    } parts[] = {{"bytes", bench_bytes}, {"latency", bench_latency}, {"partitions", bench_partitions},
        {"recovery", bench_recovery}, {"first", bench_first}, {"ways", bench_ways}};
    const char *comma = "{";
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        if (argc > 3 && strcmp(argv[3], parts[i].name) != 0) continue;
        printf("%s", comma);
        parts[i].run(stdout);
        fflush(stdout);
        comma = ", ";
    }
    printf("}\n");
    sys->file_close(sys, bare.file);
    free(bare.piece);
    remove_folder("");
    sys_linux_free(sys);
    return 0;
}
