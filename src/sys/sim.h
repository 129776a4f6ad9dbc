/* sys/sim.h: the simulated world's own controls (the table itself is sys.h's). One thread, deterministic from its seed.
 *
 * Disk: a tree of files in memory. Each file has the bytes written and the bytes durable; file_sync makes content
 * durable; dir_sync makes the folder's entries durable. sys_sim_crash() throws away what is not durable according to
 * the plan: an un-synced write may be kept, lost, or torn at 512-byte sectors; an un-synced create/rename/unlink may be
 * undone. Names sync apart from content: a file whose folder was not synced may be gone whole, however well it was
 * synced. Clock: advances only when told (sys_sim_advance), by the plan's sync_ns and write_ns, or when a poller waits
 * with a timeout and nothing is due. A power cut starts the monotonic clock over; the wall clock goes on. Sockets:
 * in-process TCP: a listener of the node is reached with sys_sim_connect(); bytes move in chunks the plan chooses.
 * Faults: the n-th call of a kind fails (see sys_sim_fail_at).
 * Handles are never used twice: calls on one from before a crash return CLOSED and closing it does nothing, so objects
 * of the dead process can be taken down in the ordinary way; using a handle closed in this life asserts.
 */
#ifndef WEIR_SYS_SIM_H
#define WEIR_SYS_SIM_H
#include "sys/sys.h"

struct sys_sim_plan {
    uint64_t seed;
    uint32_t keep_unsynced_percent; /* at a crash: each un-synced write is kept whole with this chance, */
    uint32_t tear_percent;          /* else torn at a sector with this chance, else lost */
    uint32_t keep_entry_percent;    /* un-synced folder entries kept at a crash */
    uint64_t sync_ns, write_ns;     /* virtual time each call takes */
    uint64_t disk_bytes;            /* 0: unlimited; else ENOSPC beyond */
};
/* READ: file_read, file_send. WRITE: file_write, file_truncate, file_allocate. RENAME, OPEN, SYNC, DIR_SYNC: the one
 * call. ANY: all of these and the other calls on files and names that can fail. Sockets, pollers and hints are not
 * counted. */
enum sys_sim_call {
    SYS_SIM_READ,
    SYS_SIM_WRITE,
    SYS_SIM_SYNC,
    SYS_SIM_RENAME,
    SYS_SIM_DIR_SYNC,
    SYS_SIM_OPEN,
    SYS_SIM_ANY,
    SYS_SIM_CALL_COUNT
};

WEIR_MUST enum weir_error sys_sim_new(const struct sys_sim_plan *plan, struct sys **ret_sys);
void sys_sim_free(struct sys *sys);
void sys_sim_advance(struct sys *sys, uint64_t ns);
void sys_sim_jump_wall(struct sys *sys, int64_t ns);
/* The nth call (1 = next) of that kind returns the error (IO, NO_SPACE), or with error = WEIR_E_CLOSED the process
 * "dies" there: that call and every later call until sys_sim_crash() returns WEIR_E_CLOSED and has no effect. One fault
 * per kind is armed (nth 0 disarms); a crash disarms all. A write that fails with an error leaves a part of it behind;
 * what a failed sync covered is made durable by no later sync, only by luck at a crash. */
void sys_sim_fail_at(struct sys *sys, enum sys_sim_call call, uint64_t nth, enum weir_error error);
bool sys_sim_dead(struct sys *sys);
uint64_t sys_sim_calls(struct sys *sys, enum sys_sim_call call); /* made so far */
/* Power is cut and restored: all handles and agents are gone, un-synced state goes the plan's way. process_only: like
 * kill -9, what was written stays readable (page cache survives), yet is not durable for a later power cut. */
void sys_sim_crash(struct sys *sys, bool process_only);
/* Runs agents in seeded order until all are idle (return 0) or max_steps. Returns the steps taken. */
uint64_t sys_sim_run(struct sys *sys, uint64_t max_steps);
bool sys_sim_fatal(struct sys *sys, const char **ret_message); /* fatal() was called since the last crash */
/* Bit rot: flips one bit of the durable and live content. */
WEIR_MUST enum weir_error sys_sim_flip(struct sys *sys, const char *path, uint64_t offset, uint8_t mask);
/* A client of the node: connects to a listening port; then send/receive bytes; close. Clients outlive the node's crash
 * and may still read what was sent to them. Sends are never short: what the node does not read waits on the client's
 * side; to the client 64 KiB are under way at most, so a client that never reads stops the node's writes (AGAIN). */
WEIR_MUST enum weir_error sys_sim_connect(struct sys *sys, uint16_t port, int *ret_client);
WEIR_MUST enum weir_error sys_sim_client_send(struct sys *sys, int client, struct weir_slice bytes);
size_t sys_sim_client_receive(struct sys *sys, int client, void *data, size_t size); /* 0: nothing now */
bool sys_sim_client_closed(struct sys *sys, int client); /* by the node, and all it sent was received */
void sys_sim_client_close(struct sys *sys, int client);
#endif
