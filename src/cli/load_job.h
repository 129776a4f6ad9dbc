/* cli/load_job.h: what `weir load` was asked for, as words and as options of the generator. Private to load*.c. */
#ifndef WEIR_CLI_LOAD_JOB_H
#define WEIR_CLI_LOAD_JOB_H
#include "cli/command.h"
#include "load/hdr_log.h"
#include "load/report.h"
#include "load/run.h"

#include <stdio.h>

#define LOAD_FILE_BYTES_MAX (1u << 30)
#define LOAD_TEXT_BYTES     (8u << 20)

/* As given on the command line. */
struct load_words {
    const char *method, *body, *body_file, *data, *pcap, *rate, *curve, *duration, *connections, *pipeline, *threads,
        *timeout, *late, *seed, *match, *hello, *jitter, *reorder, *reorder_by, *loss, *duplicate, *reset, *reconnect,
        *ca, *cert, *key, *slow, *slow_rate, *dribble, *dribble_gap, *half_open, *net, *delay, *delay_sd, *rtt, *slo,
        *hdr, *hdr_log, *hdr_interval, *symbol, *account, *session, *password, *price, *quantity;
    struct cli_list headers;
    uint64_t retries;
    bool idempotent, random, json, compare, insecure;
};

/* All that has to be given back. */
struct load_job {
    struct sys *sys;
    struct load_options options;
    struct load_addresses addresses;
    struct load_lines lines;
    struct load_objectives objectives;
    struct load_result result;
    struct weir_slice files[8];
    uint32_t file_count;
    struct text_builder head; /* the HTTP head's template text */
    void *text;
    bool has_objectives;
    struct load_hdr_log hdr_log;
    FILE *hdr_file; /* NULL: no --hdr-log */
    void *hdr_text; /* of a line: `text` holds what requests are made of */
};

/* Reads files, looks the target's name up, opens what is written to. load_job_done() in every case. */
WEIR_MUST enum weir_error load_job_init(struct load_job *job, const char *url, const struct load_words *w);
void load_job_done(struct load_job *job);
/* Appends what is in the builder to --hdr-log, and empties it. */
WEIR_MUST enum weir_error load_job_hdr_write(struct load_job *job, struct text_builder *text);
#endif
