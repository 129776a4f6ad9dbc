/* `weir log ...`: what reads a data folder that no node uses. */
#include "cli/command.h"
#include "cli/print.h"
#include "cli/term.h"
#include "log/log.h"
#include <string.h>

struct log_values {
    bool json, deep;
};
struct report {
    uint64_t findings, errors;
    bool json;
    struct progress progress;
};

/* One line each, so that a reader of JSON sees them as they come. */
static void print_finding_json(const struct log_finding *finding) {
    struct print_json p;
    struct json_writer *w = print_json_open(&p);
    json_write_object_open(w);
    json_put_bool(w, "ok", finding->error == WEIR_OK);
    json_put_text(w, "error", weir_error_name(finding->error));
    json_put_text(w, "path", finding->path ? finding->path : "");
    json_put_u64(w, "byte", finding->byte);
    json_put_text(w, "text", finding->text);
    json_write_object_close(w);
    print_json_close(&p);
}

static void on_finding(void *ctx, const struct log_finding *finding) {
    struct report *report = ctx;
    report->findings++;
    report->errors += finding->error != WEIR_OK;
    progress_at(&report->progress, report->findings);
    if (report->json) {
        print_finding_json(finding);
        return;
    }
    bool ok = finding->error == WEIR_OK;
    printf("%s%s%s %s:%llu: %s\n", term_on(stdout, ok ? TERM_GREEN : TERM_RED), ok ? "ok   " : "ERROR",
        term_off(stdout), finding->path ? finding->path : "", (unsigned long long)finding->byte, finding->text);
}

static void on_line(void *ctx, const char *line) {
    (void)ctx;
    puts(line);
}

static void on_line_json(void *ctx, const char *line) {
    (void)ctx;
    struct print_json p;
    struct json_writer *w = print_json_open(&p);
    json_write_object_open(w);
    json_put_text(w, "text", line);
    json_write_object_close(w);
    print_json_close(&p);
}

typedef enum weir_error (*folder_fn)(struct sys *sys, const char *folder, log_finding_fn fn, void *ctx);

static int over_folder(const struct cli_command *command, int argc, char **argv, folder_fn fn) {
    struct log_values given = {0};
    int count = 0;
    int code = cli_parse(command, argc, argv, &given, &count);
    if (code >= 0) return code;
    struct sys *sys = NULL;
    enum weir_error e = sys_linux_new(&sys);
    if (e != WEIR_OK) return cli_fail(e);
    struct report report = {.json = given.json};
    progress_start(&report.progress, sys, argv[0], "findings", 0, true);
    e = fn(sys, argv[0], on_finding, &report);
    progress_done(&report.progress);
    fflush(stdout); /* the sum stands behind what it is of, where both go to one place */
    fprintf(stderr, "%s: %llu finding%s, %llu error%s\n", argv[0], (unsigned long long)report.findings,
        report.findings == 1 ? "" : "s", (unsigned long long)report.errors, report.errors == 1 ? "" : "s");
    sys_linux_free(sys);
    return e == WEIR_OK ? 0 : cli_fail(e);
}

static int verify(const struct cli_command *command, int argc, char **argv) {
    return over_folder(command, argc, argv, log_verify);
}

static int repair(const struct cli_command *command, int argc, char **argv) {
    return over_folder(command, argc, argv, log_repair);
}

static int dump(const struct cli_command *command, int argc, char **argv) {
    struct log_values given = {0};
    int count = 0;
    int code = cli_parse(command, argc, argv, &given, &count);
    if (code >= 0) return code;
    struct sys *sys = NULL;
    enum weir_error e = sys_linux_new(&sys);
    if (e == WEIR_OK) e = log_dump(sys, argv[0], given.deep, given.json ? on_line_json : on_line, NULL);
    sys_linux_free(sys);
    return e == WEIR_OK ? 0 : cli_fail(e);
}

#define LOG_CORRUPT                                                                                                    \
    { WEIR_E_CORRUPT, "bytes do not match their checksum, or do not fit together" }
#define LOG_LOCKED                                                                                                     \
    { WEIR_E_LOCKED, "a node runs on the folder: stop it first" }

const struct cli_command cli_log_commands[] = {
    {
        .name = "log verify",
        .summary = "read everything in a data folder and check it",
        .description =
            "Every frame, batch, checksum, offset and checkpoint. Changes nothing. No node may run on the folder.",
        .positionals = CLI_POSITIONALS({"DIR", CLI_FOLDER, false, "the data folder"}),
        .flags = CLI_FLAGS(CLI_JSON_FLAG(struct log_values, "print one JSON object per finding and line")),
        .exits = CLI_EXITS(LOG_CORRUPT, LOG_LOCKED),
        .examples = CLI_EXAMPLES({"weir log verify data", "after a copy, or when a disk is in doubt"}),
        .lists = true,
        .run = verify,
    },
    {
        .name = "log repair",
        .summary = "move damaged bytes to quarantine/ and keep the longest correct log",
        .description = "Says which offsets were given up. Nothing is deleted: DIR/quarantine keeps what was moved.",
        .positionals = CLI_POSITIONALS({"DIR", CLI_FOLDER, false, "the data folder"}),
        .flags = CLI_FLAGS(CLI_JSON_FLAG(struct log_values, "print one JSON object per finding and line")),
        .exits = CLI_EXITS(LOG_LOCKED),
        .examples = CLI_EXAMPLES({"weir log repair data", "when `weir log verify` or the start names damage"}),
        .lists = true,
        .run = repair,
    },
    {
        .name = "log dump",
        .summary = "print the frames or batches of a journal or segment file",
        .positionals = CLI_POSITIONALS({"FILE", CLI_FILE, false, "a file of DIR/journal or of a partition"}),
        .flags = CLI_FLAGS({"deep", CLI_SWITCH, offsetof(struct log_values, deep), NULL, "print the records too"},
            CLI_JSON_FLAG(struct log_values, "print one JSON object per line")),
        .exits = CLI_EXITS(LOG_CORRUPT, {WEIR_E_NOT_FOUND, "there is no such file"}),
        .examples = CLI_EXAMPLES(
            {"weir log dump data/topics/events/0/00000000000000000000.log --deep", "every record of a segment"}),
        .lists = true,
        .run = dump,
    },
    {0},
};
