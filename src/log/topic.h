/* log/topic.h: topics in memory: made, found, deleted. Control plane: under the log's control lock, or before start. */
#ifndef WEIR_LOG_TOPIC_H
#define WEIR_LOG_TOPIC_H
#include "log/partition.h"

/* Allocates a topic with its partitions (uids 0 until set); nobody sees it yet. NO_MEMORY. */
WEIR_MUST enum weir_error log_topic_new(struct log *log, const char *name, const char *folder,
    const struct log_topic_config *config, uint32_t partitions, struct topic **ret_topic);
void log_topic_free(struct topic *t, struct segment_cache *cache);
/* Makes it visible to every thread. FULL: partitions_max is reached (the topic is freed). */
WEIR_MUST enum weir_error log_topic_publish(struct log *log, struct topic *t);
/* Removes topics/<folder> and all below it. */
WEIR_MUST enum weir_error log_topic_remove_folder(struct log *log, const char *folder);
/* Frees everything, at close. */
void log_topic_free_all(struct log *log);

#endif
