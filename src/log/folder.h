/* log/folder.h: the log's folder: its FORMAT, its LOCK, and what must be durable before the first frame.
 *
 *   FORMAT   one line, "weir log 1": the version of everything below. Written last when a folder is made: without it
 *            nothing in the folder was ever acknowledged.
 *   LOCK     locked for the life of the process; holds its process id as text.
 */
#ifndef WEIR_LOG_FOLDER_H
#define WEIR_LOG_FOLDER_H
#include "log/state.h"

#define FOLDER_FORMAT_VERSION 1u

/* LOCKED names the holder. */
WEIR_MUST enum weir_error log_folder_lock(struct log *log);
/* *ret_fresh: there is no FORMAT, and nothing that looks like a log that lost it. VERSION, CORRUPT. */
WEIR_MUST enum weir_error log_folder_check(struct log *log, bool *ret_fresh);

#endif
