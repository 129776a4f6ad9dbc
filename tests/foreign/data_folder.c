/* data_folder: writes folders of a log and of a node with a small service, and says what is in them, so that machines
 * of other byte orders and sizes can be compared (tools/cross/exchange.py). Everything it prints follows from the
 * folder alone.
 *
 *     data_folder write FOLDER COUNT [crash]   COUNT more records and commands; crash: ends without a stop, the tail in
 * the journal data_folder look FOLDER                  without opening: every frame, batch and record, and what verify
 * finds data_folder read FOLDER                  opens (recovers) and reads: fingerprints of records, state of the
 * service; stops cleanly
 */
#include "data_folder.h"
#include "log/log.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void data_must(enum weir_error e, const char *what) {
    if (e == WEIR_OK) return;
    fprintf(stderr, "data_folder: %s: %s: %s\n", what, weir_error_name(e), weir_error_text());
    exit(1);
}

static void print_line(void *ctx, const char *line) {
    (void)ctx;
    puts(line);
}

static void print_finding(void *ctx, const struct log_finding *f) {
    (void)ctx;
    printf("finding %s %llu %s %s\n", f->path, (unsigned long long)f->byte, weir_error_name(f->error), f->text);
}

static void look(struct sys *sys, const char *folder) {
    static const char *const parts[] = {"log", "node"};
    for (size_t i = 0; i < 2; i++) {
        char path[512];
        snprintf(path, sizeof path, "%s/%s", folder, parts[i]);
        data_must(log_dump(sys, path, true, print_line, NULL), "dump");
        data_must(log_verify(sys, path, print_finding, NULL), "verify");
    }
}

int main(int argc, char **argv) {
    struct sys *sys = NULL;
    data_must(sys_linux_new(&sys), "sys");
    setvbuf(stdout, NULL, _IOFBF, 1 << 16);
    if (argc >= 4 && strcmp(argv[1], "write") == 0) {
        uint64_t count = strtoull(argv[3], NULL, 10);
        bool crashes = argc > 4 && strcmp(argv[4], "crash") == 0;
        data_node_write(sys, argv[2], count, false);
        data_log_write(sys, argv[2], count, false);
        if (crashes) data_node_write(sys, argv[2], count, true);
    } else if (argc == 4 && strcmp(argv[1], "crash-log") == 0) {
        data_log_write(sys, argv[2], strtoull(argv[3], NULL, 10), true);
    } else if (argc == 3 && strcmp(argv[1], "look") == 0) {
        look(sys, argv[2]);
    } else if (argc == 3 && strcmp(argv[1], "read") == 0) {
        data_log_read(sys, argv[2]);
        data_node_read(sys, argv[2]);
    } else {
        fprintf(stderr,
            "usage: data_folder write FOLDER COUNT [crash] | crash-log FOLDER COUNT | look FOLDER | read FOLDER\n");
        return 64;
    }
    sys_linux_free(sys);
    return 0;
}
