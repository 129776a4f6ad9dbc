/* otlp/agent.h: the agent that takes spans from the lanes' rings and sends them to a collector by OTLP/HTTP.
 *
 *     otlp_agent_open()        opens the tracer (trace/trace.h), which the host's lanes write to
 *     otlp_agent_start()       from here on spans leave, in batches, `trace.every` after the first one at the latest
 *     otlp_agent_stop()        after the lanes have ended: what is left is sent, within OTLP_GOODBYE_NS
 *     otlp_agent_close()       after the host is closed
 *
 * It is never waited for: while the collector is slow, refuses or is gone, a batch is tried again with growing pauses,
 * the rings fill, and lanes count what they drop. After OTLP_ATTEMPTS the batch is given up. Nothing is on disk: a node
 * that dies loses the spans it had not sent. While `trace.endpoint` is empty the agent sleeps and lanes trace nothing.
 *
 * Threads: open, start, stop, close: one. otlp_reload_*: one at a time, any. Errors: CONFIG with the key's name.
 */
#ifndef WEIR_OTLP_AGENT_H
#define WEIR_OTLP_AGENT_H
#include "host/settings.h"
#include "otlp/target.h"

#define OTLP_ATTEMPTS   6u
#define OTLP_GOODBYE_NS (2 * SYS_NANOS_PER_S)

struct http_caller;
struct metric_registry;
struct otlp_agent;
struct tracer;

struct otlp_agent_options {
    struct sys *sys;
    const struct settings *settings;
    uint32_t lanes;
    const char *env_headers; /* OTEL_EXPORTER_OTLP_HEADERS; NULL: none */
    struct metric_registry *metrics;
    struct http_caller *caller; /* a test's; NULL: one is opened when there is something to send */
    void (*report)(void *ctx, bool failed, const char *sentence); /* on the agent's thread; NULL: nobody listens */
    void *report_ctx;
};
WEIR_MUST enum weir_error otlp_agent_open(const struct otlp_agent_options *options, struct otlp_agent **ret_agent);
struct tracer *otlp_agent_tracer(const struct otlp_agent *agent);
WEIR_MUST enum weir_error otlp_agent_start(struct otlp_agent *agent); /* accepts NULL, as those below */
void otlp_agent_stop(struct otlp_agent *agent);
void otlp_agent_close(struct otlp_agent *agent);

/* What can be said of settings without opening anything: each mistake is told. */
void otlp_check(
    struct sys *sys, const struct settings *settings, const char *env_headers, settings_mistake_fn mistake, void *ctx);
/* Reads and checks; then puts in force, which cannot fail: at the lanes from the next request on. */
WEIR_MUST enum weir_error otlp_reload_prepare(
    const struct otlp_agent *agent, const struct settings *next, struct otlp_target *ret_target);
void otlp_reload_commit(struct otlp_agent *agent, const struct otlp_target *target);

#endif
