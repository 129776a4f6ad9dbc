/* What durable bytes cost. See commit_cost.h. */
#include "sys/commit_cost.h"

#include "base/assert.h"
#include "base/metric.h"
#include "base/prng.h"

#include <stdio.h>

#define TURN_COMMITS 2 /* of a path, before the next one's turn: a disk's mood lasts longer */
#define BUFFER       ((size_t)512 << 10)
#define ZERO_PIECE   BUFFER

const size_t commit_cost_sizes[COMMIT_COST_SIZES] = {4 << 10, 64 << 10, BUFFER};

struct bench {
    struct sys *sys;
    const struct commit_cost_options *options;
    struct commit_costs *costs;
    int file, direct; /* direct -1: refused */
    uint64_t at;      /* where the next commit goes */
    uint32_t done;    /* sizes measured, of all rounds */
    uint8_t buffer[BUFFER] __attribute__((aligned(SYS_DIRECT_BLOCK)));
    struct metric_histogram ns[SYS_COMMIT_PATHS][COMMIT_COST_SIZES];
    double ratios[SYS_COMMIT_PATHS][COMMIT_COST_SIZES][COMMIT_COST_ROUNDS];
};

static enum weir_error no(void) {
    return weir_error_context(WEIR_E_CLOSED, "interrupted; nothing is left behind");
}

static bool may_go_on(const struct bench *b) {
    const struct commit_cost_options *o = b->options;
    return !o->go_on || o->go_on(o->ctx, b->done * 1000 / (COMMIT_COST_SIZES * COMMIT_COST_ROUNDS));
}

/* ---- the file ------------------------------------------------------------------------------------------------ */
static enum weir_error write_ahead(struct bench *b) {
    for (uint64_t at = 0; at < COMMIT_COST_FILE_BYTES; at += ZERO_PIECE) {
        struct sys_iovec part = {b->buffer, ZERO_PIECE};
        enum weir_error e = b->sys->file_write(b->sys, b->file, at, &part, 1);
        if (e) return e;
        if (!may_go_on(b)) return no();
    }
    return b->sys->file_sync(b->sys, b->file);
}

static void refuse(struct bench *b, enum sys_commit_path how, enum weir_error e) {
    b->costs->refused[how] = e;
    snprintf(b->costs->why[how], sizeof b->costs->why[how], "%s", weir_error_text());
}

static enum weir_error open_file(struct bench *b) {
    struct sys *sys = b->sys;
    char path[600];
    int size = snprintf(path, sizeof path, "%s/weir-check-%u.tmp", b->options->folder, sys->process_id(sys));
    if (size < 0 || (size_t)size >= sizeof path)
        return weir_error_context(WEIR_E_TOO_LARGE, "the folder's name is longer than %zu bytes", sizeof path - 32);
    uint32_t flags = SYS_OPEN_READ | SYS_OPEN_WRITE | SYS_OPEN_CREATE | SYS_OPEN_TRUNCATE;
    enum weir_error e = sys->file_open(sys, path, flags, &b->file);
    if (e) return e;
    e = sys->file_open(sys, path, SYS_OPEN_WRITE | SYS_OPEN_DIRECT, &b->direct);
    for (int how = 0; e && how < SYS_COMMIT_PATHS; how++) {
        if (sys_commit_is_direct((enum sys_commit_path)how)) refuse(b, (enum sys_commit_path)how, e);
    }
    e = sys->path_unlink(sys, path);
    return e ? e : write_ahead(b);
}

/* ---- commits ------------------------------------------------------------------------------------------------- */
static enum weir_error commit_once(struct bench *b, enum sys_commit_path how, size_t size) {
    if (b->at + size > COMMIT_COST_FILE_BYTES) b->at = 0;
    int file = sys_commit_is_direct(how) ? b->direct : b->file;
    enum weir_error e = b->sys->file_commit(b->sys, file, how, b->at, b->buffer, size);
    b->at += size;
    return e;
}

static bool is_refusal(enum weir_error e) {
    return e == WEIR_E_INVALID || e == WEIR_E_UNSUPPORTED || e == WEIR_E_PERMISSION;
}

/* The first commit of each path: also what it needs to warm up. */
static enum weir_error try_paths(struct bench *b) {
    for (int i = 0; i < SYS_COMMIT_PATHS; i++) {
        enum sys_commit_path how = (enum sys_commit_path)i;
        if (b->costs->refused[how]) continue;
        enum weir_error e = commit_once(b, how, commit_cost_sizes[0]);
        if (e && (how == SYS_COMMIT_SYNC || !is_refusal(e))) return e;
        if (e) refuse(b, how, e);
    }
    return WEIR_OK;
}

struct turn { /* one path at one size in one round */
    uint64_t commits, ns;
};

static enum weir_error take_turn(struct bench *b, enum sys_commit_path how, size_t size_index, struct turn *turn) {
    struct sys *sys = b->sys;
    for (int i = 0; i < TURN_COMMITS; i++) {
        if (!may_go_on(b)) return no();
        uint64_t begin = sys->mono_ns(sys);
        enum weir_error e = commit_once(b, how, commit_cost_sizes[size_index]);
        if (e) return e;
        uint64_t ns = sys->mono_ns(sys) - begin;
        metric_record(&b->ns[how][size_index], ns);
        turn->commits++;
        turn->ns += ns;
    }
    return WEIR_OK;
}

/* All paths at one size, a few commits each before the next one's turn, until the time is up. */
static enum weir_error run_size(struct bench *b, uint32_t round, size_t size_index, uint64_t ns) {
    struct turn turns[SYS_COMMIT_PATHS] = {{0, 0}};
    uint64_t begin = b->sys->mono_ns(b->sys);
    uint32_t first = round;
    do {
        for (uint32_t i = 0; i < SYS_COMMIT_PATHS; i++) {
            enum sys_commit_path how = (enum sys_commit_path)((i + first) % SYS_COMMIT_PATHS);
            enum weir_error e = b->costs->refused[how] ? WEIR_OK : take_turn(b, how, size_index, &turns[how]);
            if (e) return e;
        }
        first++;
    } while (b->sys->mono_ns(b->sys) - begin < ns);
    const struct turn *sync = &turns[SYS_COMMIT_SYNC];
    for (int how = 0; how < SYS_COMMIT_PATHS; how++) {
        const struct turn *t = &turns[how]; /* as many commits as sync's, so the ratio is one of times */
        b->ratios[how][size_index][round] = t->ns ? (double)sync->ns / (double)t->ns : sync->ns == 0;
    }
    return WEIR_OK;
}

static enum weir_error run_round(struct bench *b, uint32_t round, uint64_t ns) {
    enum weir_error e = WEIR_OK;
    for (size_t s = 0; !e && s < COMMIT_COST_SIZES; s++) {
        e = run_size(b, round, s, ns);
        b->done++;
    }
    return e;
}

/* ---- the result ---------------------------------------------------------------------------------------------- */
static double median(double *values, size_t count) {
    for (size_t i = 1; i < count; i++) {
        for (size_t k = i; k > 0 && values[k] < values[k - 1]; k--) {
            double larger = values[k - 1];
            values[k - 1] = values[k];
            values[k] = larger;
        }
    }
    return values[count / 2];
}

static void sum_up(struct bench *b) {
    for (int how = 0; how < SYS_COMMIT_PATHS; how++) {
        for (size_t s = 0; s < COMMIT_COST_SIZES && !b->costs->refused[how]; s++) {
            struct commit_cost *c = &b->costs->costs[how][s];
            const struct metric_histogram *h = &b->ns[how][s];
            uint64_t sum = atomic_load_explicit(&b->ns[how][s].sum, memory_order_relaxed);
            c->commits = atomic_load_explicit(&b->ns[how][s].count, memory_order_relaxed);
            c->p50_ns = metric_quantile(h, 0.5);
            c->p99_ns = metric_quantile(h, 0.99);
            c->per_s = (double)c->commits * 1e9 / (double)(sum + (sum == 0));
            for (uint32_t round = 0; round < b->costs->rounds; round++)
                c->rounds_ahead += b->ratios[how][s][round] > 1;
            c->ratio = median(b->ratios[how][s], b->costs->rounds);
        }
    }
}

static enum weir_error measure(struct bench *b) {
    struct prng prng = prng_seed(1);
    prng_bytes(&prng, b->buffer, sizeof b->buffer); /* a disk may compress, or know zeros */
    enum weir_error e = open_file(b);
    if (!e) e = try_paths(b);
    uint64_t ns = b->options->duration_ns / (COMMIT_COST_SIZES * COMMIT_COST_ROUNDS);
    for (; !e && b->costs->rounds < COMMIT_COST_ROUNDS; b->costs->rounds++)
        e = run_round(b, b->costs->rounds, ns);
    if (!e) sum_up(b);
    b->sys->file_close(b->sys, b->direct);
    b->sys->file_close(b->sys, b->file);
    return e;
}

enum weir_error commit_cost_measure(
    struct sys *sys, const struct commit_cost_options *options, struct commit_costs *ret_costs) {
    void *memory = NULL;
    enum weir_error e = sys_memory_map(sizeof(struct bench), &memory);
    if (e) return e;
    struct bench *b = memory;
    *ret_costs = (struct commit_costs){0};
    *b = (struct bench){.sys = sys, .options = options, .costs = ret_costs, .file = -1, .direct = -1};
    e = measure(b);
    sys_memory_unmap(memory, sizeof(struct bench));
    return e;
}
