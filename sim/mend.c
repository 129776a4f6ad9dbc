/* See mend.h. */
#include "sim/mend.h"

#include <stdlib.h>

#define ATTEMPTS_MAX 3      /* of a repair; all but the last may die */
#define CALLS_MAX    400    /* of a repair, before the one at which it dies */
#define TURNS_MAX    200000 /* of a repair: more is an endless loop */

static const char *folder_of(const struct sim *sim) {
    return sim->plan.log.folder;
}

/* ---- harm ---------------------------------------------------------------------------------------------------- */
enum harm { HARM_BIT, HARM_ZEROS, HARM_CUT, HARM_REMOVE, HARM_COUNT };
#define FILES_MAX      512u
#define HARM_PATH_SIZE 160u

struct files {
    struct sim *sim;
    const char *folder;
    char (*paths)[HARM_PATH_SIZE];
    uint32_t count;
};

static bool gather(void *ctx, const char *name, bool is_folder) {
    struct files *f = ctx;
    char path[HARM_PATH_SIZE];
    snprintf(path, sizeof path, "%s/%s", f->folder, name);
    if (!is_folder) {
        bool counts = strcmp(name, "LOCK") != 0 && !strstr(path, "/quarantine/") && !strstr(path, "/snapshots/");
        if (counts && f->count < FILES_MAX) memcpy(f->paths[f->count++], path, sizeof path);
        return true;
    }
    const char *outer = f->folder;
    f->folder = path;
    enum weir_error e = f->sim->sys->dir_list(f->sim->sys, path, gather, f);
    f->folder = outer;
    return e == WEIR_OK;
}

/* Where to: anywhere; in a journal, most of which is stale or empty, mostly into a frame. */
static uint64_t aim(struct sim *sim, int file, const char *path, uint64_t size) {
    const uint64_t block = 4096; /* frames begin at multiples of it */
    if (size == 0) return 0;
    for (int attempt = 0; attempt < 64 && size > block && strstr(path, "/journal/"); attempt++) {
        uint32_t first = 0;
        size_t got = 0;
        uint64_t at = prng_below(&sim->prng, size / block) * block;
        enum weir_error e = sim->sys->file_read(sim->sys, file, at, &first, sizeof first, &got);
        if (e == WEIR_OK && first != 0) return at + prng_below(&sim->prng, 200);
    }
    return prng_below(&sim->prng, size);
}

static void harm_file(struct sim *sim, const char *path, enum harm harm) {
    static const uint8_t zeros[512];
    struct sys *sys = sim->sys;
    uint64_t size = 0;
    int file = -1;
    if (sys->file_open(sys, path, SYS_OPEN_READ | SYS_OPEN_WRITE, &file) != WEIR_OK) return;
    enum weir_error e = sys->file_size(sys, file, &size);
    uint64_t at = aim(sim, file, path, size);
    if (e == WEIR_OK && size > 0 && harm == HARM_BIT)
        e = sys_sim_flip(sys, path, at, (uint8_t)(1u << sim_pick(sim, 8)));
    if (e == WEIR_OK && size > at + sizeof zeros && harm == HARM_ZEROS)
        e = sys->file_write(sys, file, at, &(struct sys_iovec){(void *)(uintptr_t)zeros, sizeof zeros}, 1);
    if (e == WEIR_OK && harm == HARM_CUT) e = sys->file_truncate(sys, file, at);
    if (e == WEIR_OK) e = sys->file_sync(sys, file);
    sys->file_close(sys, file);
    if (e == WEIR_OK && harm == HARM_REMOVE) e = sys->path_unlink(sys, path);
    WEIR_ASSERT(e == WEIR_OK);
}

void sim_harm(struct sim *sim) {
    struct files files = {.sim = sim, .folder = folder_of(sim)};
    files.paths = calloc(FILES_MAX, sizeof *files.paths);
    WEIR_ASSERT(files.paths != NULL);
    enum weir_error e = sim->sys->dir_list(sim->sys, folder_of(sim), gather, &files);
    if (e == WEIR_OK && files.count > 0) {
        const char *path = files.paths[sim_pick(sim, files.count)];
        enum harm harm = (enum harm)sim_pick(sim, HARM_COUNT);
        bool root = strstr(path, "/topics/") == NULL;
        /* The catalogue alone can't be had back: not often. */
        if (!strstr(path, "/catalogue") || sim_percent(sim, 20)) {
            sim->harms++;
            harm_file(sim, path, root && !strstr(path, "/checkpoint") ? HARM_BIT : harm);
        }
    }
    free(files.paths);
}

/* ---- verify -------------------------------------------------------------------------------------------------- */
static void say_finding(void *ctx, const struct log_finding *finding) {
    struct sim *sim = ctx;
    if (finding->error != WEIR_OK)
        sim_fail(sim, "on a whole disk `log verify` says of %s byte %llu: %s", finding->path,
            (unsigned long long)finding->byte, finding->text);
}

static void must_be(struct sim *sim, const char *what, enum weir_error e, enum weir_error expected) {
    if (e != expected) sim_fail(sim, "%s gives %s instead of %s", what, weir_error_name(e), weir_error_name(expected));
}

static void open_to_read(struct sim *sim) {
    struct log_options options = sim->plan.log;
    struct log_topic_config config = {0};
    struct log_topic *topic = NULL;
    struct log_writer *writer = NULL;
    struct log *log = NULL;
    uint64_t id = 0;
    options.lanes = 1;
    options.read_only = true;
    enum weir_error e = log_open(sim->sys, &options, &log);
    must_be(sim, "opening only to read", e, WEIR_OK);
    if (e) return;
    must_be(sim, "making a topic read-only", log_topic_create(log, "new", 1, &config, &topic), WEIR_E_FORBIDDEN);
    must_be(sim, "deleting a topic read-only", log_topic_delete(log, "new"), WEIR_E_FORBIDDEN);
    must_be(sim, "a producer id read-only", log_producer_id_new(log, &id), WEIR_E_FORBIDDEN);
    must_be(sim, "a writer read-only", log_writer_open(log, 0, -1, &writer), WEIR_E_FORBIDDEN);
    must_be(sim, "a start read-only", log_start(log), WEIR_E_FORBIDDEN);
    log_close(log);
}

void sim_verify(struct sim *sim) {
    if (log_verify(sim->sys, folder_of(sim), say_finding, sim) != WEIR_OK)
        sim_fail(sim, "on a whole disk `log verify` fails: %s", weir_error_text());
    if (!sim->failed) open_to_read(sim);
}

void sim_misconfigure(struct sim *sim) {
    struct log_options o = sim->plan.log;
    struct log *log = NULL;
    o.lanes = 1;
    switch (sim_pick(sim, 9)) {
    case 0:
        o.folder = "";
        break;
    case 1:
        o.lanes = 0;
        break;
    case 2:
        o.lanes = LOG_LANES_MAX + 1;
        break;
    case 3:
        o.partitions_max = 0;
        break;
    case 4:
        o.commits_per_lane = 2000;
        break;
    case 5:
        o.batch_bytes_max = o.commit_bytes_max + 1;
        break;
    case 6:
        o.batch_bytes_max = 100;
        break;
    case 7:
        o.journal_file_bytes = 4096;
        break;
    default:
        o.journal_bytes_max = o.journal_file_bytes;
        break;
    }
    must_be(sim, "opening with options that can't work", log_open(sim->sys, &o, &log), WEIR_E_INVALID);
    log_close(log);
}

static void ignore_finding(void *ctx, const struct log_finding *finding) {
    (void)ctx;
    (void)finding;
}

/* ---- dump ---------------------------------------------------------------------------------------------------- */
static void ignore_line(void *ctx, const char *line) {
    (void)ctx;
    (void)line;
}

/* Whatever is in the files: it prints what it can, and comes back. */
static void dump(struct sim *sim) {
    enum weir_error ignored = log_dump(sim->sys, folder_of(sim), sim_percent(sim, 50), ignore_line, NULL);
    (void)ignored;
}

/* ---- repair -------------------------------------------------------------------------------------------------- */
struct repair {
    struct sim *sim;
    enum weir_error error;
    bool done;
    char text[512];
};

static void give_up(
    struct sim *sim, const char *topic, size_t topic_size, uint32_t partition, uint64_t from, uint64_t to) {
    if (topic_size > LOG_TOPIC_NAME_MAX) return;
    sim->gaps = realloc(sim->gaps, (sim->gap_count + 1) * sizeof *sim->gaps);
    WEIR_ASSERT(sim->gaps != NULL);
    struct sim_gap *g = &sim->gaps[sim->gap_count++];
    *g = (struct sim_gap){.partition = partition, .from = from, .to = to};
    memcpy(g->topic, topic, topic_size);
}

/* "TOPIC-PARTITION" up to a blank, colon or the end. */
static bool split_name(const char *name, size_t *ret_size, uint32_t *ret_partition) {
    size_t size = strcspn(name, " :");
    const char *dash = memrchr(name, '-', size);
    if (!dash) return false;
    *ret_size = (size_t)(dash - name);
    *ret_partition = (uint32_t)strtoul(dash + 1, NULL, 10);
    return true;
}

/* "T-P: offsets A to B are given up" or "frame N: offsets A to B of T-P are given up": what an operator reads. */
static void take_finding(void *ctx, const struct log_finding *finding) {
    struct repair *r = ctx;
    const char *at = strstr(finding->text, "offsets ");
    if (strncmp(finding->text, "frames ", 7) == 0) r->sim->frames_given_up = true;
    if (!at || !strstr(finding->text, "given up")) return;
    char *end = NULL;
    uint64_t from = strtoull(at + strlen("offsets "), &end, 10);
    uint64_t to = strtoull(end + strlen(" to "), NULL, 10);
    const char *of = strstr(at, " of "), *name = of ? of + 4 : finding->text;
    size_t size = 0;
    uint32_t partition = 0;
    if (split_name(name, &size, &partition)) give_up(r->sim, name, size, partition, from, to);
}

static void repair_main(void *ctx) {
    struct repair *r = ctx;
    r->error = log_repair(r->sim->sys, folder_of(r->sim), take_finding, r);
    snprintf(r->text, sizeof r->text, "%s", weir_error_text());
    r->done = true;
}

/* A process that may die in the middle. True: it came to its end. */
static bool repair_once(struct sim *sim, bool may_die, struct repair *r) {
    *r = (struct repair){.sim = sim};
    int process = sys_sim_spawn(sim->sys, repair_main, r);
    if (may_die) sys_sim_fail_at(sim->sys, SYS_SIM_ANY, prng_between(&sim->prng, 1, CALLS_MAX), WEIR_E_CLOSED);
    for (uint32_t turns = 0; sys_sim_running(sim->sys, process) && !sim->failed; turns++) {
        if (turns == TURNS_MAX) sim_fail(sim, "`log repair` does not end");
        sys_sim_turn(sim->sys, sim_now_ns(sim) + SYS_NANOS_PER_S);
    }
    bool whole = r->done && !sys_sim_died(sim->sys, process);
    sys_sim_crash(sim->sys, whole || sim_percent(sim, 50));
    return whole;
}

bool sim_mend(struct sim *sim) {
    sys_sim_rates(sim->sys, NULL);
    dump(sim);
    enum weir_error e = log_verify(sim->sys, folder_of(sim), ignore_finding, NULL);
    if (e == WEIR_OK) {
        sim->damages_mended = sim_damages_ever(sim);
        return true;
    }
    if (weir_error_text()[0] == 0) sim_fail(sim, "`log verify` fails without a word (%s)", weir_error_name(e));
    if (e != WEIR_E_CORRUPT) return false; /* FORMAT or catalogue of a version nobody knows: named, for a human */
    struct repair r;
    for (int i = 1; i <= ATTEMPTS_MAX && !sim->failed; i++)
        if (repair_once(sim, i < ATTEMPTS_MAX && sim_percent(sim, 40), &r)) break;
    if (sim->failed) return false;
    if (r.error == WEIR_E_CORRUPT && strstr(r.text, "catalogue")) return false; /* the one thing it can't rebuild */
    if (r.error != WEIR_OK) {
        sim_fail(sim, "`log repair` fails: %s: %s", weir_error_name(r.error), r.text);
        return false;
    }
    sim->tally.repairs++;
    sim_verify(sim);
    sim->damages_mended = sim_damages_ever(sim);
    return !sim->failed;
}
