/* sys/sys_linux.h: what the files of the Linux implementation share. Private to sys_linux*.c.
 *
 * Files and sockets are the kernel's descriptors. Pollers and agents are slots of small tables, taken under the lock at
 * start and left alone afterwards; sys_linux_free() expects that they have all been given back.
 */
#ifndef WEIR_SYS_LINUX_H
#define WEIR_SYS_LINUX_H
#include "sys/sys.h"
#include <pthread.h>
#include <stdatomic.h>

#define SYS_LINUX_POLLERS_MAX 256 /* one per agent that waits */
#define SYS_LINUX_AGENTS_MAX  256

struct sys_linux_poller;
struct sys_linux_agent;
struct sys_linux_ring;

struct sys_linux {
    struct sys table;     /* first: a struct sys * of this implementation is a struct sys_linux * */
    pthread_mutex_t lock; /* guards taking and giving back slots */
    _Atomic(struct sys_linux_poller *) pollers[SYS_LINUX_POLLERS_MAX];
    struct sys_linux_agent *agents[SYS_LINUX_AGENTS_MAX];
    struct sys_linux_ring *ring; /* io_uring for file_commit() */
};

static inline struct sys_linux *sys_linux_of(struct sys *sys) {
    return (struct sys_linux *)(void *)sys;
}

/* Turns errno's value into an error with a context line: "cannot VERB WHAT: reason; what to do". */
enum weir_error sys_linux_error(int reason, const char *verb, const char *what);
/* The same for an open file: its path is asked from the kernel. */
enum weir_error sys_linux_file_error(int reason, const char *verb, int file);

/* Each file of the implementation fills in its part of the table. */
void sys_linux_file_table(struct sys *table);
void sys_linux_path_table(struct sys *table);
void sys_linux_poller_table(struct sys *table);
void sys_linux_net_table(struct sys *table);
void sys_linux_unix_table(struct sys *table);
void sys_linux_thread_table(struct sys *table);
void sys_linux_crash_table(struct sys *table);
/* file_commit() and what it needs. */
WEIR_MUST enum weir_error sys_linux_commit_open(struct sys_linux *world);
void sys_linux_commit_close(struct sys_linux *world); /* accepts one that was not opened */
/* Who is at the other end of a Unix socket. */
void sys_linux_unix_peer(int socket, struct sys_address *peer);
/* Gives the calling thread a stack for the fault handler. */
void sys_linux_crash_thread(void);

#endif
