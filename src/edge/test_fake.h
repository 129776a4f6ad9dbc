/* A host that does what the test says, one lane, one thread: the edge's tests drive its cycles by hand, over real
 * sockets. A service "fake" has a command, a query, a WebSocket and a line protocol on a listener. */
#ifndef WEIR_EDGE_TEST_FAKE_H
#define WEIR_EDGE_TEST_FAKE_H
#include "backup/agent.h"
#include "edge/edge.h"

#define FAKE_COMMANDS_MAX 4096

struct fake_command {
    struct host_origin origin;
    uint16_t type;
    uint32_t partition;
    uint64_t id;   /* of the ItemRequest */
    uint64_t hash; /* idempotency body hash; 0: no key */
    bool is_query, done;
    uint8_t value[256];
    size_t value_size;
};
struct fake {
    struct edge *edge;
    uint64_t skew_ns; /* added to the clock: time passes at the test's word */
    bool manual;      /* commands wait for fake_finish(); else they are answered in the next step */
    bool full;        /* host_submit says FULL */
    bool is_ready;
    bool says_bye; /* sessions of lines send a command of type 8 when they close */
    uint32_t byes_refused;
    uint32_t command_count, forgotten, subscriptions;
    struct fake_command commands[FAKE_COMMANDS_MAX];
    struct host_origin subscriber;
    struct backup_facts backup; /* of a node that edge_set_backup() was told of */
    uint64_t backups_asked, backups_refreshed;
    char log[65536];
    size_t log_size;
};
extern struct fake fake;

/* connections_max and idle as given; 0: generous ones. log_format NULL: logfmt. */
void fake_open(uint64_t connections_max, uint64_t idle_ns, const char *log_level);
void fake_close(void);
/* The same in a world of the caller's, who frees it. */
void fake_open_in(struct sys *sys, uint64_t connections_max, uint64_t idle_ns, const char *log_level);
void fake_close_in(void);
/* One cycle of the lane; waits up to 1 ms for sockets. */
void fake_step(void);
void fake_finish(uint32_t command, enum weir_error error, uint16_t status, bool repeated);
void fake_record(uint64_t offset, const char *value); /* to the last subscriber */
uint16_t fake_port(const char *listener);

/* A client in the same thread: non-blocking, steps the lane while it waits. */
int client_open(const char *listener);
void client_close(int client);
void client_send(int client, const void *bytes, size_t size);
void client_text(int client, const char *text);
/* Steps until the answer so far contains `until` (NULL: until the peer closes); returns all bytes since the last call,
 * NUL-terminated. Fails the test when it does not come. */
const char *client_wait(int client, const char *until);
/* Steps until `count` times `what` was seen. */
const char *client_wait_count(int client, const char *what, unsigned count);

#endif
