/* `weir check disk`: measures what a commit costs on a disk by each way to write the journal, and says which to set. */
#include "base/json.h"
#include "base/text.h"
#include "base/units.h"
#include "cli/command.h"
#include "cli/disk_advice.h"
#include "cli/term.h"
#include "host/settings.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#define SECONDS_DEFAULT 5
#define SECONDS_MAX     600
#define SPACE_MIN       (2 * COMMIT_COST_FILE_BYTES)
#define PATH_SIZE       400

struct check {
    struct sys *sys;
    const char *asked;      /* the data folder */
    char folder[PATH_SIZE]; /* where it is measured: that, or what of its path is there */
    struct disk_facts facts;
    struct sys_disk_space space;
    struct commit_costs costs;
    struct disk_advice advice;
    struct progress progress;
};

static volatile sig_atomic_t interrupted;
static void on_signal(int number) {
    interrupted = number;
}

/* ---- measuring ----------------------------------------------------------------------------------------------- */
static bool go_on(void *ctx, uint32_t done) {
    struct check *check = ctx;
    progress_at(&check->progress, done / 10);
    return interrupted == 0;
}

/* The folder, or the nearest above it that is there: a data folder is made at the first start. */
static enum weir_error find_folder(struct check *check) {
    if (strlen(check->asked) >= PATH_SIZE || check->asked[0] == 0)
        return weir_error_context(WEIR_E_INVALID, "the folder's name must have 1 to %d bytes", PATH_SIZE - 1);
    snprintf(check->folder, sizeof check->folder, "%s", check->asked);
    for (;;) {
        bool exists = false;
        enum weir_error e = check->sys->path_exists(check->sys, check->folder, &exists);
        if (e || exists) return e;
        char *slash = strrchr(check->folder, '/');
        if (!slash)
            snprintf(check->folder, sizeof check->folder, ".");
        else
            slash[slash == check->folder] = 0;
    }
}

static enum weir_error measure(struct check *check, uint64_t seconds) {
    struct sys *sys = check->sys;
    enum weir_error e = find_folder(check);
    if (e == WEIR_OK) e = disk_facts_read(check->folder, &check->facts);
    if (e == WEIR_OK) e = sys->disk_space(sys, check->folder, &check->space);
    if (e == WEIR_OK && check->space.bytes_free < SPACE_MIN)
        e = weir_error_context(WEIR_E_NO_SPACE, "%s: %llu MB are free; measuring takes %llu", check->folder,
            (unsigned long long)(check->space.bytes_free >> 20), (unsigned long long)(SPACE_MIN >> 20));
    if (e != WEIR_OK) return e;
    struct commit_cost_options options = {check->folder, seconds * SYS_NANOS_PER_S, go_on, check};
    progress_start(&check->progress, sys, "measuring", "percent", 100, false);
    e = commit_cost_measure(sys, &options, &check->costs);
    progress_done(&check->progress);
    if (e == WEIR_OK) disk_advise(&check->facts, &check->costs, check->space.bytes_free, &check->advice);
    return e;
}

/* ---- for people ---------------------------------------------------------------------------------------------- */
static const char *const level_names[] = {
    [ADVICE_NOTE] = "note", [ADVICE_WARNING] = "warning", [ADVICE_UNSAFE] = "unsafe"};

static void print_disk(const struct check *check) {
    const struct disk_facts *f = &check->facts;
    printf("%s: %s on %s, mounted at %s; %.1f GB free of %.1f GB\n", check->folder, f->type, f->source, f->mount,
        (double)check->space.bytes_free / 1e9, (double)check->space.bytes_total / 1e9);
    if (strcmp(check->folder, check->asked) != 0) printf("  %s is not there yet: measured above it\n", check->asked);
    if (f->device[0])
        printf("  %s: %s, %s, %s\n", f->device,
            f->rotational == 1   ? "a spinning disk by its own word"
            : f->rotational == 0 ? "no spinning disk"
                                 : "spinning or not is not told",
            f->write_back == 1   ? "a cache that syncs must flush"
            : f->write_back == 0 ? "no cache that syncs must flush"
                                 : "its cache is not told",
            f->fua == 1 ? "single writes can pass it (FUA)" : "no FUA");
}

static void print_costs(const struct commit_costs *costs) {
    printf("\n  %-13s %8s %9s %9s %11s %8s %8s\n", "journal_write", "commit", "p50 us", "p99 us", "commits/s", "MB/s",
        "x sync");
    for (size_t s = 0; s < COMMIT_COST_SIZES; s++) {
        for (int how = 0; how < SYS_COMMIT_PATHS; how++) {
            const struct commit_cost *c = &costs->costs[how][s];
            if (costs->refused[how]) continue;
            printf("  %-13s %5zu KB %9.1f %9.1f %11.0f %8.1f %8.2f\n", sys_commit_path_name((enum sys_commit_path)how),
                commit_cost_sizes[s] >> 10, (double)c->p50_ns / 1e3, (double)c->p99_ns / 1e3, c->per_s,
                c->per_s * (double)commit_cost_sizes[s] / 1e6, c->ratio);
        }
    }
    for (int how = 0; how < SYS_COMMIT_PATHS; how++) {
        if (costs->refused[how])
            printf("  %-13s not here: %s\n", sys_commit_path_name((enum sys_commit_path)how), costs->why[how]);
    }
}

static void print_text(const struct check *check) {
    const struct disk_advice *a = &check->advice;
    print_disk(check);
    print_costs(&check->costs);
    printf("\n");
    for (uint32_t i = 0; i < a->count; i++)
        printf("  %s: %s\n", level_names[a->items[i].level], a->items[i].text);
    printf("\n  recommended: %s, as %s; in the configuration file:\n\njournal_write: %s\n",
        sys_commit_path_name(a->best), a->reason, sys_commit_path_name(a->best));
}

/* ---- for programs -------------------------------------------------------------------------------------------- */
static void put_flag(struct json_writer *w, const char *key, int value) {
    json_write_key(w, key);
    if (value < 0)
        json_write_null(w);
    else
        json_write_bool(w, value == 1);
}

static void put_disk(struct json_writer *w, const struct check *check) {
    const struct disk_facts *f = &check->facts;
    json_put_text(w, "folder", check->folder);
    json_put_text(w, "fileSystem", f->type);
    json_put_text(w, "source", f->source);
    json_put_text(w, "mount", f->mount);
    json_put_text(w, "options", f->options);
    json_put_text(w, "device", f->device);
    put_flag(w, "rotational", f->rotational);
    put_flag(w, "writeBackCache", f->write_back);
    put_flag(w, "fua", f->fua);
    json_put_u64(w, "bytesFree", check->space.bytes_free);
    json_put_u64(w, "bytesTotal", check->space.bytes_total);
}

static void put_path(struct json_writer *w, const struct commit_costs *costs, enum sys_commit_path how) {
    json_write_object_open(w);
    json_put_text(w, "journalWrite", sys_commit_path_name(how));
    json_put_bool(w, "allowed", costs->refused[how] == WEIR_OK);
    if (costs->refused[how]) json_put_text(w, "reason", costs->why[how]);
    json_write_key(w, "sizes");
    json_write_array_open(w);
    for (size_t s = 0; s < COMMIT_COST_SIZES && !costs->refused[how]; s++) {
        const struct commit_cost *c = &costs->costs[how][s];
        json_write_object_open(w);
        json_put_u64(w, "commitBytes", commit_cost_sizes[s]);
        json_put_double(w, "ratioToSync", c->ratio);
        json_put_double(w, "commitsPerSecond", c->per_s);
        json_put_double(w, "bytesPerSecond", c->per_s * (double)commit_cost_sizes[s]);
        json_put_double(w, "p50Us", (double)c->p50_ns / 1e3);
        json_put_double(w, "p99Us", (double)c->p99_ns / 1e3);
        json_put_u64(w, "commits", c->commits);
        json_put_u64(w, "roundsAhead", c->rounds_ahead);
        json_write_object_close(w);
    }
    json_write_array_close(w);
    json_write_object_close(w);
}

static void print_json(const struct check *check) {
    static char text[64 << 10];
    struct text_builder t = TEXT_BUILDER(text);
    struct json_writer w = json_writer(&t, 0);
    const struct disk_advice *a = &check->advice;
    json_write_object_open(&w);
    put_disk(&w, check);
    json_put_u64(&w, "rounds", check->costs.rounds);
    json_write_key(&w, "paths");
    json_write_array_open(&w);
    for (int how = 0; how < SYS_COMMIT_PATHS; how++)
        put_path(&w, &check->costs, (enum sys_commit_path)how);
    json_write_array_close(&w);
    json_write_key(&w, "findings");
    json_write_array_open(&w);
    for (uint32_t i = 0; i < a->count; i++) {
        json_write_object_open(&w);
        json_put_text(&w, "level", level_names[a->items[i].level]);
        json_put_text(&w, "text", a->items[i].text);
        json_write_object_close(&w);
    }
    json_write_array_close(&w);
    json_put_bool(&w, "safe", !a->unsafe);
    json_put_text(&w, "journalWrite", sys_commit_path_name(a->best));
    json_put_text(&w, "reason", a->reason);
    json_write_object_close(&w);
    puts(text);
}

struct check_values {
    uint64_t seconds;
    bool json;
};

static int check_disk(const struct cli_command *command, int argc, char **argv) {
    struct check check = {.asked = node_settings[NODE_DATA].initial};
    struct check_values values = {.seconds = SECONDS_DEFAULT};
    int positionals = 0;
    int code = cli_parse(command, argc, argv, &values, &positionals);
    if (code >= 0) return code;
    if (values.seconds < 1 || values.seconds > SECONDS_MAX) {
        fprintf(stderr, "weir: --seconds must be 1 to %d\n", SECONDS_MAX);
        return CLI_EXIT_USAGE;
    }
    if (positionals > 0) check.asked = argv[0];
    signal(SIGINT, on_signal);
    signal(SIGTERM, on_signal);
    enum weir_error e = sys_linux_new(&check.sys);
    if (e == WEIR_OK) e = measure(&check, values.seconds);
    sys_linux_free(check.sys);
    if (e != WEIR_OK) return cli_fail(e);
    if (values.json)
        print_json(&check);
    else
        print_text(&check);
    return check.advice.unsafe ? weir_error_exit(WEIR_E_UNSUPPORTED) : 0;
}

const struct cli_command cli_check_commands[] = {
    {
        .name = "check disk",
        .summary = "measure what a commit costs on a disk, and say how to write the journal there",
        .description = "Measures in a temporary file beside the data, which is removed. Prints the line for the "
                       "configuration file.",
        .positionals = CLI_POSITIONALS({"PATH", CLI_FOLDER, true, "the data folder (default: the setting `data`)"}),
        .flags = CLI_FLAGS({"seconds", CLI_NUMBER, offsetof(struct check_values, seconds), "S",
                               "how long to measure, 1 to 600 (default 5)"},
            CLI_JSON_FLAG(struct check_values, "print one JSON object")),
        .exits = CLI_EXITS(
            {WEIR_E_UNSUPPORTED, "nothing is durable there"}, {WEIR_E_NO_SPACE, "too little is free to measure"}),
        .examples = CLI_EXAMPLES({"weir check disk data --seconds 20", "before the first start on a new disk"}),
        .lists = true,
        .run = check_disk,
    },
    {0},
};
