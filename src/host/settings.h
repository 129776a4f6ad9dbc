/* host/settings.h: the node's configuration: one tree of values, checked against the tables of the node and of every
 * service.
 *
 * File: YAML, at most two levels: `listen: 127.0.0.1:7070`, `exchange: {partitions: 4}`. A list of texts is the same as
 * one text with commas between them: `services: [./a.so, ./b.so]`. Flags of `weir up` are the same keys. Every value
 * keeps where it came from (file:line, flag, initial) for `weir config print|explain` and for error texts. Unknown keys
 * are errors that name the nearest known one. Loaded once by one thread; read-only afterwards: a reload loads another
 * one.
 */
#ifndef WEIR_HOST_SETTINGS_H
#define WEIR_HOST_SETTINGS_H
#include "sys/sys.h"
#include <weir/service.h>

/* The node's own rows; order is the enum. */
enum node_setting {
    NODE_DATA,          /* folder */
    NODE_LISTEN,        /* HOST:PORT of HTTP and console */
    NODE_ONLY,          /* comma-separated services; "" = all */
    NODE_SERVICES,      /* comma-separated plugins */
    NODE_LANES,         /* 0 = cores - 1, at least 1 */
    NODE_POOL_WORKERS,  /* 0 = cores - 1, at least 1 */
    NODE_LOG_FORMAT,    /* logfmt | json */
    NODE_LOG_LEVEL,     /* debug | info | warn | error */
    NODE_JOURNAL_BYTES, /* hard bound of the journal */
    NODE_JOURNAL_WRITE, /* sync | dsync | direct | uring | uring_direct */
    NODE_SEGMENT_BYTES,
    NODE_CHECKPOINT_BYTES,
    NODE_SNAPSHOT_BYTES, /* a snapshot after that much input per partition */
    NODE_SNAPSHOT_AGE,   /* and at least that often while there is new input */
    NODE_DISK_RESERVE,
    NODE_CONNECTIONS_MAX, /* per lane */
    NODE_HEADER_BYTES,    /* HTTP limits */
    NODE_BODY_BYTES,
    NODE_IDLE, /* keep-alive idle time, and for a request to arrive whole */
    NODE_WEBSOCKET_DEFLATE,
    NODE_IDEMPOTENCY_KEYS, /* per partition */
    NODE_IDEMPOTENCY_AGE,  /* record time after which a key is forgotten */
    NODE_WAITING_MAX,      /* commands per partition that may wait for their commit */
    NODE_UNIX_MODE,        /* permissions of Unix sockets, octal */
    NODE_TLS_CERT,         /* PEM files, separated by commas; "" = no TLS */
    NODE_TLS_KEY,
    NODE_TLS_CLIENT_CA,      /* PEM file; "" = clients' certificates are not asked for */
    NODE_TLS_CLIENT,         /* optional | required */
    NODE_TLS_HANDSHAKE,      /* time a handshake may take */
    NODE_TLS_HANDSHAKES_MAX, /* per lane */
    NODE_AUTH,               /* off | tokens */
    NODE_INSECURE,           /* an address others can reach may be without TLS */
    NODE_METRICS_OPEN,       /* /metrics without a token */
    NODE_TENANT_RATE,        /* requests per second of a tenant without a limit of its own; 0: none */
    NODE_KAFKA_LISTEN,       /* HOST:PORT of the Kafka protocol; off: none */
    NODE_KAFKA_PARTITIONS,   /* of topics made without a number */
    NODE_KAFKA_AUTO_CREATE,  /* topics that are asked for are made */
    NODE_EFFECTS_NETWORKS,   /* networks beside public ones that HTTP effects may reach */
    NODE_EFFECTS_CA,         /* PEM file; "" = the system's */
    NODE_SETTING_COUNT
};
extern const struct weir_setting node_settings[NODE_SETTING_COUNT + 1];

/* Rows of the group "backup" (backup/agent.h); order is the enum. */
#define BACKUP_GROUP "backup"
enum backup_setting {
    BACKUP_TO,
    BACKUP_EVERY,
    BACKUP_KEEP,
    BACKUP_KEEP_AGE,
    BACKUP_RATE,
    BACKUP_ENDPOINT,
    BACKUP_REGION,
    BACKUP_CREDENTIALS,
    BACKUP_SETTING_COUNT
};
extern const struct weir_setting backup_settings[BACKUP_SETTING_COUNT + 1];

/* Rows of the group "trace" (otlp/agent.h); order is the enum. */
#define TRACE_GROUP "trace"
enum trace_setting {
    TRACE_ENDPOINT,
    TRACE_RATIO,
    TRACE_FOLLOW,
    TRACE_SERVICE_NAME,
    TRACE_ATTRIBUTES,
    TRACE_HEADERS,
    TRACE_GZIP,
    TRACE_EVERY,
    TRACE_TIMEOUT,
    TRACE_QUEUE_BYTES,
    TRACE_SETTING_COUNT
};
extern const struct weir_setting trace_settings[TRACE_SETTING_COUNT + 1];

/* Rows of the group "projection" (projection/agent.h); order is the enum. */
#define PROJECTION_GROUP "projection"
enum projection_setting {
    PROJECTION_URL,
    PROJECTION_RUN,
    PROJECTION_HOLD,
    PROJECTION_TIMEOUT,
    PROJECTION_QUERY_TIMEOUT,
    PROJECTION_SETTING_COUNT
};
extern const struct weir_setting projection_settings[PROJECTION_SETTING_COUNT + 1];

struct settings_group {
    const char *name; /* "" for the node, else the service, "projection", "backup" or "trace" */
    const struct weir_setting *rows;
    uint32_t count;
    struct weir_setting_value *values;
    const char **origins; /* "weir.yaml:12", "--listen", "initial" */
};
struct settings {
    struct settings_group *groups; /* [0] is the node */
    uint32_t count;
};
/* All groups at their initial values. services: NULL-terminated registry. */
WEIR_MUST enum weir_error settings_new(const struct weir_service *const *services, struct settings **ret_settings);
void settings_free(struct settings *settings);
/* name is used in error texts. CONFIG with "FILE:LINE: unknown key exchange.partition; did you mean
 * exchange.partitions?" */
WEIR_MUST enum weir_error settings_load_yaml(struct settings *settings, const char *name, struct weir_slice text);
/* The same, and goes on after a mistake: each is told. CONFIG when there was one. */
typedef void (*settings_mistake_fn)(void *ctx, const char *sentence);
WEIR_MUST enum weir_error settings_load_yaml_all(
    struct settings *settings, const char *name, struct weir_slice text, settings_mistake_fn mistake, void *ctx);
/* Takes one key of the node from the text and passes over everything else, known or not: `services` says which tables
 * there are to check the rest against. */
WEIR_MUST enum weir_error settings_peek_yaml(
    struct settings *settings, const char *key, const char *name, struct weir_slice text);
/* key: "listen" or "exchange.partitions". origin is copied. */
WEIR_MUST enum weir_error settings_set(
    struct settings *settings, const char *key, const char *value, const char *origin);
/* The row journal_write as a value. CONFIG: it is none of them; the context says where it was set. */
WEIR_MUST enum weir_error settings_journal_write(const struct settings *settings, enum sys_commit_path *ret_path);
const struct weir_setting_value *settings_node(const struct settings *settings); /* indexed by enum node_setting */
const struct weir_setting_value *settings_of(const struct settings *settings, const char *service); /* NULL: none */
/* ---- reload ---- */
#define SETTINGS_GROUPS_MAX 68 /* the node, services, projections, backups and traces */
#define SETTINGS_ROWS_MAX   64 /* of a group that take part in a reload */
struct settings_rows {         /* a set of rows: a bit per row of each group */
    uint64_t bits[SETTINGS_GROUPS_MAX];
};
/* Rows whose values differ. Both come from the same registry. */
void settings_compare(const struct settings *a, const struct settings *b, struct settings_rows *ret_changed);
/* The row of `settings` gets its value and origin from `from`. */
WEIR_MUST enum weir_error settings_copy_row(
    struct settings *settings, const struct settings *from, uint32_t group, uint32_t row);
/* "exchange.orders_max" */
void settings_key(const struct settings *settings, uint32_t group, uint32_t row, char *buf, size_t size);
/* `weir config print`: YAML with origins as comments; explain: one key with its summary, bounds, origin. Returns bytes
 * needed. */
size_t settings_print(const struct settings *settings, char *buf, size_t size);
size_t settings_explain(const struct settings *settings, const char *key, char *buf, size_t size); /* 0: unknown key */
#endif
