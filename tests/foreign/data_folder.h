/* data_folder.h: what one machine writes and another reads. See data_folder.c. */
#ifndef DATA_FOLDER_H
#define DATA_FOLDER_H
#include "sys/sys.h"

/* Ends the process with a sentence when a call failed. */
void data_must(enum weir_error e, const char *what);

/* FOLDER/log: topics of every kind, `records` more in each. With a crash the process ends where it stands. */
void data_log_write(struct sys *sys, const char *folder, uint64_t records, bool crashes);
/* Every record of every topic, as a fingerprint a line. */
void data_log_read(struct sys *sys, const char *folder);

/* FOLDER/node: a service, given `commands` more. */
void data_node_write(struct sys *sys, const char *folder, uint64_t commands, bool crashes);
/* The service's state, as its log gives it again. */
void data_node_read(struct sys *sys, const char *folder);
#endif
