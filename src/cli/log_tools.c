#include "cli/command.h"
#include "log/log.h"
#include <stdio.h>

struct report {
    uint64_t findings, errors;
};

static void on_finding(void *ctx, const struct log_finding *finding) {
    struct report *report = ctx;
    report->findings++;
    report->errors += finding->error != WEIR_OK;
    printf("%s %s:%llu: %s\n", finding->error == WEIR_OK ? "ok   " : "ERROR", finding->path ? finding->path : "",
        (unsigned long long)finding->byte, finding->text);
}

static void on_line(void *ctx, const char *line) {
    (void)ctx;
    puts(line);
}

typedef enum weir_error (*folder_fn)(struct sys *sys, const char *folder, log_finding_fn fn, void *ctx);

static int over_folder(const struct cli_command *command, int argc, char **argv, folder_fn fn) {
    int positionals = 0;
    int code = cli_parse(command, NULL, argc, argv, 1, 1, &positionals);
    if (code >= 0) return code;
    struct sys *sys = NULL;
    enum weir_error e = sys_linux_new(&sys);
    if (e != WEIR_OK) return cli_fail(e);
    struct report report = {0};
    e = fn(sys, argv[0], on_finding, &report);
    fprintf(stderr, "%s: %llu finding%s, %llu error%s\n", argv[0], (unsigned long long)report.findings,
        report.findings == 1 ? "" : "s", (unsigned long long)report.errors, report.errors == 1 ? "" : "s");
    sys_linux_free(sys);
    return e == WEIR_OK ? 0 : cli_fail(e);
}

int cli_log_verify(const struct cli_command *command, int argc, char **argv) {
    return over_folder(command, argc, argv, log_verify);
}

int cli_log_repair(const struct cli_command *command, int argc, char **argv) {
    return over_folder(command, argc, argv, log_repair);
}

int cli_log_dump(const struct cli_command *command, int argc, char **argv) {
    bool deep = false;
    const struct cli_flag flags[] = {{"deep", CLI_SWITCH, &deep, NULL, "print the records too"}, {0}};
    int positionals = 0;
    int code = cli_parse(command, flags, argc, argv, 1, 1, &positionals);
    if (code >= 0) return code;
    struct sys *sys = NULL;
    enum weir_error e = sys_linux_new(&sys);
    if (e == WEIR_OK) e = log_dump(sys, argv[0], deep, on_line, NULL);
    sys_linux_free(sys);
    return e == WEIR_OK ? 0 : cli_fail(e);
}
