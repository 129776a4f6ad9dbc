/* sys/sim.h: the simulated world's own controls (the table itself is sys.h's). One real thread, deterministic from its
 * seed: the same seed gives the same trace, byte for byte, on any machine and in any build.
 *
 * Disk: a tree of files in memory. Each file has the bytes written and the bytes durable; file_sync makes content
 * durable; dir_sync makes the folder's entries durable. sys_sim_crash() throws away what is not durable according to
 * the plan: an un-synced write may be kept, lost, or torn at 512-byte sectors; an un-synced create/rename/unlink may be
 * undone. Names sync apart from content: a file whose folder was not synced may be gone whole, however well it was
 * synced. Clock: advances only when told (sys_sim_advance), by the plan's sync_ns and write_ns, or when a poller waits
 * with a timeout and nothing is due. A power cut starts the monotonic clock over; the wall clock goes on. Sockets:
 * in-process TCP: a listener of the node is reached with sys_sim_connect(); bytes move in chunks the plan chooses.
 * Faults: the n-th call of a kind fails (see sys_sim_fail_at).
 * Threads: two ways to use it.
 *   Observer: whoever calls from outside any simulated thread. Calls take effect at once; agents started by it are run
 *   by sys_sim_run, a whole do_work at a time; faults are those of sys_sim_fail_at. Unit tests work like this.
 *   Processes: sys_sim_spawn() gives a main function a thread, and every agent it starts is a thread too, each with a
 *   stack of its own. A thread runs until it waits: in a call on the disk (which takes virtual time), in a poller, for
 *   another to end. sys_sim_turn() then lets another run, by the seed. So calls of several threads overlap as they do
 *   on a machine, a slow disk is waited for, and each call is a place where a process may die. Between two calls a
 *   thread is not interrupted: orders of memory accesses are explored in base/, not here. In this way also faults at
 *   rates happen (sys_sim_rates).
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
    uint64_t sync_ns, write_ns;     /* virtual time each call takes; a process's calls: 1/4 to 7/4 of it, by the seed */
    uint64_t turn_ns;               /* a turn of a thread takes 0 to this */
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

/* Faults that a process meets at rates. The disk's own errors (IO, NO_SPACE) are told to the caller and leave what a
 * real disk would; those marked (*) are not told: they damage what is read or kept, and sys_sim_damages() counts them.
 */
#define SYS_SIM_SLOW_NS_MAX (5 * SYS_NANOS_PER_S)
enum sys_sim_fault {
    SYS_SIM_FAULT_DIE,         /* the process dies in a call on files or names */
    SYS_SIM_FAULT_READ,        /* IO on a read */
    SYS_SIM_FAULT_WRITE,       /* IO on a write: any part of it may be there */
    SYS_SIM_FAULT_SYNC,        /* IO on a sync: what it covered is made durable by no later one */
    SYS_SIM_FAULT_NAME,        /* IO on open, rename, unlink, a folder's sync or list */
    SYS_SIM_FAULT_SPACE,       /* NO_SPACE on a write or a new name */
    SYS_SIM_FAULT_SLOW,        /* a call on the disk takes 1 ms to 5 s */
    SYS_SIM_FAULT_ROT,         /* (*) one bit of a durable byte turns, in any file */
    SYS_SIM_FAULT_READ_WRONG,  /* (*) a read gives bytes of another place; the disk is right */
    SYS_SIM_FAULT_WRITE_WRONG, /* (*) a write lands at another place of its file */
    SYS_SIM_FAULT_STALL,       /* a thread does not get its turn for 1 ms to 2 s */
    SYS_SIM_FAULT_CLOCK,       /* the wall clock jumps by up to a day, either way */
    SYS_SIM_FAULT_CUT,         /* a connection is reset; bytes under way are lost */
    SYS_SIM_FAULT_HALF_OPEN,   /* a connection goes silent: nothing arrives any more, and neither side is told */
    SYS_SIM_FAULT_DRIBBLE,     /* a connection moves one byte at a time from now on */
    SYS_SIM_FAULT_COUNT
};
const char *sys_sim_fault_name(enum sys_sim_fault fault);

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
/* Chances of a million, drawn at each call or turn that could meet the fault. NULL: none from now on. */
void sys_sim_rates(struct sys *sys, const uint32_t per_million[SYS_SIM_FAULT_COUNT]);
uint64_t sys_sim_faults(struct sys *sys, enum sys_sim_fault fault); /* injected so far */
uint64_t sys_sim_damages(struct sys *sys);                          /* of them those marked (*) */
uint64_t sys_sim_elapsed_ns(struct sys *sys);                       /* virtual time since the world began */

/* ---- processes ---- */
/* main(ctx) runs as the first thread of a new process; the number tells it from others. When main returns the process
 * ends and its handles are closed. A process that died (fault, sys_sim_kill, power cut) can do nothing more: its calls
 * return CLOSED at once and have no effect, sys_sim_dead() is true in its threads, its agents end first and main last,
 * so main can give memory back in the ordinary way. It must not wait then for what an agent would have done. */
int sys_sim_spawn(struct sys *sys, void (*main)(void *ctx), void *ctx);
bool sys_sim_running(struct sys *sys, int process); /* has threads */
bool sys_sim_died(struct sys *sys, int process);
bool sys_sim_process_fatal(struct sys *sys, int process, const char **ret_message); /* it called fatal() */
void sys_sim_kill(struct sys *sys, int process); /* like kill -9; returns when its threads have ended */
/* The calling thread's process dies of its own fault, as by SIGSEGV: the words that on_crash() asked for are written
 * and durable first, unless the disk fails just then. The call returns, to a thread of a dead process. False: the
 * process is dead already, or the observer of processes called, who only looks. */
bool sys_sim_segfault(struct sys *sys);
bool sys_sim_segfaulted(struct sys *sys, int process);
bool sys_sim_in_process(struct sys *sys); /* whoever calls is a thread of a process, not the observer */
/* The observer acts for that process from now on: what it opens is closed when the process ends. */
void sys_sim_observe(struct sys *sys, int process);
/* One thread runs until it waits. When all wait, time moves to what is due next. False: nothing is due before until_ns
 * (of sys_sim_elapsed_ns), which is the time now. */
bool sys_sim_turn(struct sys *sys, uint64_t until_ns);

/* ---- the trace ---- */
/* A hash over all calls, their arguments, bytes and results, and all turns: equal for equal runs. */
uint64_t sys_sim_trace_hash(struct sys *sys);
/* A line for each of them from now on; NULL: none. */
void sys_sim_trace(struct sys *sys, void (*line)(void *ctx, const char *text), void *ctx);

/* Power is cut and restored (processes die first): all handles and agents are gone, un-synced state goes the plan's
 * way. process_only: like kill -9, what was written stays readable (page cache survives), yet is not durable for a
 * later power cut. */
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
