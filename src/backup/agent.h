/* backup/agent.h: backups of a running node: on a schedule, and when asked; what is known of them.
 *
 * An agent of its own in the background (sys.h): it blocks on the store, holds one piece of a file at a time, keeps to
 * backup.rate, and no lane ever waits for it. What it knows when the node starts it learns from the store: so the age
 * of the newest backup survives restarts.
 *
 *   backup_agent_open()   checks the settings: CONFIG with the key that is wrong
 *   backup_agent_start()  the first backup is due `every` after the newest one in the store
 *   backup_agent_stop()   interrupts a backup between two pieces; the next one finds them
 *
 * Threads: open, start, stop, close: one. ask, facts, refresh: any.
 */
#ifndef WEIR_BACKUP_AGENT_H
#define WEIR_BACKUP_AGENT_H
#include "backup/backup.h"
#include "base/metric.h"
#include "host/settings.h"

struct backup_agent;
struct backup_agent_options {
    struct sys *sys;
    struct log *log;
    const struct settings *settings;
    const char *weir;                                             /* version of the binary */
    const char *key_id, *secret, *token;                          /* of the environment; NULL: none */
    struct metric_registry *metrics;                              /* NULL: none */
    void (*report)(void *ctx, bool failed, const char *sentence); /* any backup that ended; the agent's thread */
    void *report_ctx;
};
/* *ret_agent NULL with OK: backup.to is empty, there are none. */
WEIR_MUST enum weir_error backup_agent_open(
    const struct backup_agent_options *options, struct backup_agent **ret_agent);
WEIR_MUST enum weir_error backup_agent_start(struct backup_agent *agent); /* NULL: nothing */
void backup_agent_stop(struct backup_agent *agent);                       /* NULL: nothing */
void backup_agent_close(struct backup_agent *agent);                      /* NULL: nothing */

/* One more, as soon as the one under way has ended. The number by which facts tell that it has: finished >= number. */
uint64_t backup_agent_ask(struct backup_agent *agent);

struct backup_facts {
    char to[256]; /* where, as the settings say it */
    bool running;
    uint64_t finished;               /* asked ones up to this number have ended */
    uint64_t rpo_ns;                 /* since the last cut that is whole in the store; since 1970 when there is none */
    uint64_t cut_ms;                 /* of it, Unix time; 0: none */
    uint64_t success_ms, failure_ms; /* when the last one ended so, in this process; 0: none */
    uint64_t made, failed;           /* in this process */
    uint64_t verified_ms;            /* of the last restore that was verified; 0: none */
    struct backup_result last;       /* that succeeded in this process */
    char failure[256];               /* of the last one that failed */
};
void backup_agent_facts(const struct backup_agent *agent, struct backup_facts *ret_facts);
/* Brings gauges that depend on the time up to date, before they are shown. */
void backup_agent_refresh(struct backup_agent *agent);

#endif
