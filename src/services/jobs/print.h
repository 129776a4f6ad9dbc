/* jobs/print.h: records of jobs.commands as JSON (jobs.events: event.h). Return the bytes needed. */
#ifndef WEIR_JOBS_PRINT_H
#define WEIR_JOBS_PRINT_H
#include "jobs/command.h"

size_t jobs_print_push(struct weir_slice value, char *buf, size_t size);
size_t jobs_print_fetch(struct weir_slice value, char *buf, size_t size);
size_t jobs_print_reports(struct weir_slice value, char *buf, size_t size);
size_t jobs_print_beat(struct weir_slice value, char *buf, size_t size);
size_t jobs_print_operate(struct weir_slice value, char *buf, size_t size);
size_t jobs_print_queue(struct weir_slice value, char *buf, size_t size);
size_t jobs_print_destination(struct weir_slice value, char *buf, size_t size);
size_t jobs_print_batch(struct weir_slice value, char *buf, size_t size);
size_t jobs_print_schedule(struct weir_slice value, char *buf, size_t size);
const char *jobs_state_name(uint32_t state);
#endif
