/* sys/sys_sim_world.h: what the files of the simulator share. Private to sys_sim*.c; its users see sim.h.
 *
 * Everything is found by number or by name in order of making, never by address, so that a seed replays byte for byte.
 * Handles are never used twice in one world: a handle from before a crash is recognised as such (the call returns
 * CLOSED, a close is ignored), while use of a handle closed in this life is the caller's mistake and asserts.
 * Each part draws from its own generator, so that one part's draws do not shift another's.
 * Memory comes from malloc; running out of it ends the test.
 */
#ifndef WEIR_SYS_SIM_WORLD_H
#define WEIR_SYS_SIM_WORLD_H
#include "base/assert.h"
#include "base/prng.h"
#include "sys/sim.h"

#define SIM_SECTOR_SIZE 512  /* what a disk writes whole or not at all */
#define SIM_PAGE_SIZE   4096 /* what content is kept in; a page never written costs nothing and reads as zeros */

/* ---- tables: things by handle, in order of their handles ----------------------------------------------------- */
struct sim_slot {
    int handle;
    int process; /* that made it; 0: the observer */
    void *item;
};
struct sim_table {
    struct sim_slot *slots;
    size_t count, capacity;
};
/* handle is above all those present */
void sim_table_add(struct sim_table *table, int handle, int process, void *item);
void *sim_table_find(const struct sim_table *table, int handle); /* NULL when absent */
void sim_table_own(struct sim_table *table, int handle, int process);
int sim_table_owner(const struct sim_table *table, int handle);
void *sim_table_take(struct sim_table *table, int handle); /* removes; NULL when absent */
void sim_table_done(struct sim_table *table);              /* the items are the caller's */
void *sim_new(size_t size);                                /* zeroed */
/* Room for one more of elements of that size: doubles when count == *capacity. */
void *sim_grow(void *items, size_t count, size_t *capacity, size_t element_size);

/* ---- content: a file's bytes, live and durable --------------------------------------------------------------- */
struct sim_content {
    uint8_t **pages;
    size_t page_capacity;
    uint64_t size;
};
void sim_content_done(struct sim_content *content);
size_t sim_content_read(const struct sim_content *content, uint64_t offset, void *data, size_t size);
void sim_content_write(struct sim_content *content, uint64_t offset, const void *data, size_t size);
void sim_content_resize(struct sim_content *content, uint64_t size);
void sim_content_copy(struct sim_content *to, const struct sim_content *from);

/* A change not yet durable. */
enum sim_change_kind { SIM_CHANGE_WRITE, SIM_CHANGE_SIZE /* truncate */, SIM_CHANGE_GROW /* allocate */ };
struct sim_change {
    enum sim_change_kind kind;
    bool given_up;   /* a sync of it failed: no later sync makes it durable, only luck at a crash */
    uint64_t number; /* of the world's changes: a sync covers those made before it began */
    uint64_t offset;
    size_t size;
    uint8_t *data;
};

/* ---- inodes and names ---------------------------------------------------------------------------------------- */
struct sim_inode;
struct sim_entry {
    char *name;
    struct sim_inode *inode;
};
struct sim_entries { /* sorted by name */
    struct sim_entry *items;
    size_t count, capacity;
};
struct sim_inode {
    bool is_folder, linked, marked; /* linked: has a live name; marked: seen by the collection that runs */
    char label[48];                 /* the end of the path it was made with, for the trace */
    uint32_t handle_count;
    int lock_handle; /* -1: free */
    struct sim_content live, durable;
    struct sim_change *changes; /* oldest first */
    size_t change_count, change_capacity;
    struct sim_entries entries, durable_entries;
};
/* A change of names not yet durable; a rename is one change of two places. */
enum sim_naming_kind { SIM_NAMING_LINK, SIM_NAMING_UNLINK, SIM_NAMING_RENAME };
struct sim_naming {
    enum sim_naming_kind kind;
    bool keep;                                      /* chosen at a crash or a sync */
    uint64_t number;                                /* as of a change */
    struct sim_inode *inode, *folder, *from_folder; /* from_*: RENAME only */
    char *name, *from_name;
};
struct sim_open_file {
    struct sim_inode *inode;
    uint32_t flags;
    char *path;
};

void sim_inode_write(struct sim_inode *inode, uint64_t number, uint64_t offset, const void *data, size_t size);
void sim_inode_resize(struct sim_inode *inode, uint64_t number, enum sim_change_kind kind, uint64_t size);
void sim_inode_sync(struct sim_inode *inode, uint64_t before); /* changes with a lower number */
/* Only what stands in that range, and what changed the file's size before. */
void sim_inode_sync_range(struct sim_inode *inode, uint64_t offset, uint64_t size, uint64_t before);
void sim_inode_sync_failed(struct sim_inode *inode, uint64_t before);
void sim_inode_crash(struct sim_inode *inode, const struct sys_sim_plan *plan, struct prng *prng);
void sim_inode_free(struct sim_inode *inode);

/* ---- sockets and pollers ------------------------------------------------------------------------------------- */
struct sim_pipe { /* bytes on their way to the endpoint that holds it */
    uint8_t *data;
    size_t head, size, capacity;
    size_t limit; /* 0: unlimited */
};
struct sim_socket {
    int handle;
    uint32_t number; /* of the connection, the same at both ends */
    bool listens, share, is_client;
    uint16_t port;             /* of a listener */
    struct sim_socket **queue; /* of a listener: connections to accept, oldest first */
    size_t queue_count, queue_capacity;
    struct sim_socket *peer; /* NULL once the other end has closed */
    struct sim_pipe in;
    bool in_ended, out_ended; /* no more bytes will come; no more will be sent */
    bool reset;               /* the other end closed without reading what was sent to it */
    bool silent, dribbles;    /* faults of this connection: bytes to the peer vanish; move one at a time */
    struct sys_address address;
};
struct sim_watch {
    int socket;
    uint32_t bits;
    uint64_t token;
};
struct sim_poller {
    struct sim_watch *watches;
    size_t count, capacity;
    bool woken;
};
struct sim_thread;
struct sim_agent {
    struct sys_agent agent;
    struct sim_thread *thread; /* NULL: run by sys_sim_run */
};
struct sim_last_words { /* note NULL: none */
    int file;
    uint64_t offset;
    size_t (*note)(void *out);
};
struct sim_process {
    int number;
    bool dead, fatal; /* by a fault or a kill */
    bool segfaulted;  /* by its own fault */
    bool ended;       /* main has returned */
    struct sim_last_words last_words;
    uint32_t thread_count; /* main among them */
    char fatal_message[512];
    struct sim_process *next;
};

/* ---- the world ----------------------------------------------------------------------------------------------- */
struct sim_fault {
    uint64_t calls_left; /* 0: none armed */
    enum weir_error error;
};
struct sys_sim {
    struct sys table; /* first: a struct sys * of this implementation is a struct sys_sim * */
    struct sys_sim_plan plan;
    struct prng prng_disk, prng_net, prng_run, prng_given, prng_time;
    struct prng prng_faults[SYS_SIM_FAULT_COUNT]; /* each its own: one that is turned off does not shift the others */
    uint64_t mono_ns, before_boot_ns;
    int64_t wall_offset_ns;        /* wall = mono + this */
    int handle_next, handle_first; /* first: the lowest of this life of the process */
    bool dead, fatal;
    char fatal_message[512];
    struct sim_last_words last_words; /* the observer's */
    uint64_t calls[SYS_SIM_CALL_COUNT];
    struct sim_fault faults[SYS_SIM_CALL_COUNT];
    uint32_t rates[SYS_SIM_FAULT_COUNT];
    uint64_t injected[SYS_SIM_FAULT_COUNT];
    uint64_t change_next; /* number of the next change of content or names */
    uint64_t net_version; /* of all sockets: rises when one may have become ready */
    uint64_t trace_hash;
    void (*trace_line)(void *ctx, const char *text);
    void *trace_ctx;
    struct sim_thread *threads, *running; /* all that are, oldest first; the one that runs, NULL: the observer */
    struct sim_process *processes;
    int process_next, observed; /* observed: the process in whose name the observer opens things */
    struct sim_stack *stacks;   /* to be used again */
    struct sim_table files, sockets, pollers, agents;
    struct sim_inode *root, **inodes; /* in order of making */
    size_t inode_count, inode_capacity;
    struct sim_naming *namings; /* oldest first */
    size_t naming_count, naming_capacity;
    uint32_t connections;
    uint16_t port_next;
    uint16_t client_port_next;
};

static inline struct sys_sim *sim_of(struct sys *sys) {
    return (struct sys_sim *)(void *)sys;
}
int sim_handle(struct sys_sim *sim);
/* The thing of a handle; NULL when the handle is from before a crash. */
void *sim_find(struct sys_sim *sim, const struct sim_table *table, int handle);
/* Every call that can fail passes here first: counts it, lets a thread wait for it, and fails it when the plan, the
 * rates or death say so. What was looked up before it may be gone after it. */
enum weir_error sim_call(struct sys_sim *sim, enum sys_sim_call call, const char *verb, const char *what);
bool sim_dead(const struct sys_sim *sim);   /* the process of whoever calls */
int sim_process(const struct sys_sim *sim); /* its number; of the observer: whom it acts for */
const char *sim_thread_name(const struct sys_sim *sim);

/* sys_sim_process.c */
void sim_threads_wait(
    struct sys_sim *sim, uint64_t ns); /* the running thread, at least that long; the observer: no time */
/* Until the poller is woken, one of its sockets may be ready, or time is up. */
void sim_threads_wait_poller(struct sys_sim *sim, struct sim_poller *poller, uint64_t ns);
void sim_thread_start(struct sys_sim *sim, struct sim_agent *agent, int wake_poller);
void sim_thread_join(struct sys_sim *sim, struct sim_agent *agent);
void sim_process_die(struct sys_sim *sim, const char *fatal); /* that of the running thread; NULL: by a fault */
void sim_on_crash(struct sys *sys, int file, uint64_t offset, size_t (*note)(void *out));
void sim_processes_end(struct sys_sim *sim); /* all die, and are gone */
void sim_processes_done(struct sys_sim *sim);
/* What a process that is gone held: files and their locks, sockets, pollers. */
void sim_files_release(struct sys_sim *sim, int process);
void sim_sockets_release(struct sys_sim *sim, int process);
void sim_pollers_release(struct sys_sim *sim, int process);

/* sys_sim_fault.c */
bool sim_happens(struct sys_sim *sim, enum sys_sim_fault fault); /* draws, counts */
bool sim_chance(struct sys_sim *sim, enum sys_sim_fault fault);  /* the same, never for the observer */
enum weir_error sim_fault_rated(struct sys_sim *sim, enum sys_sim_call call, const char *verb, const char *what);
void sim_rot(struct sys_sim *sim);
void sim_damage_read(struct sys_sim *sim, const struct sim_inode *inode, uint8_t *data, size_t size);
uint64_t sim_damage_write(struct sys_sim *sim, const struct sim_inode *inode, uint64_t offset, size_t size);
/* A line of the trace: who, what, two numbers and the result. */
void sim_note(struct sys_sim *sim, const char *verb, const char *what, uint64_t a, uint64_t b, enum weir_error result);
static inline enum weir_error sim_closed(void) {
    return weir_error_context(WEIR_E_CLOSED, "the simulated process is dead, or this handle is from before its crash");
}
void sim_spend(struct sys_sim *sim, uint64_t ns);
static inline void sim_took(struct sys_sim *sim, uint64_t ns) { /* a call of the observer; a thread has waited */
    if (!sim->running) sim_spend(sim, ns);
}

/* sys_sim_path.c */
struct sim_inode *sim_inode_new(struct sys_sim *sim, bool is_folder);
void sim_inodes_collect(struct sys_sim *sim); /* frees what no name, handle or pending change reaches */
struct sim_inode *sim_path_find(struct sys_sim *sim, const char *path); /* NULL: absent */
enum weir_error sim_path_create(struct sys_sim *sim, const char *path, bool is_folder, struct sim_inode **ret_inode);
void sim_path_crash(struct sys_sim *sim); /* the names after a power cut */
uint64_t sim_disk_used(const struct sys_sim *sim);
bool sim_disk_fits(const struct sys_sim *sim, uint64_t bytes_more);

/* sys_sim_disk.c, sys_sim_net.c, sys_sim_poller.c */
void sim_files_crash(struct sys_sim *sim, bool process_only);
void sim_write_last_words(struct sys_sim *sim, const struct sim_last_words *words);
void sim_sockets_crash(struct sys_sim *sim, bool clients_too);
void sim_pollers_crash(struct sys_sim *sim);
void sim_pollers_forget(struct sys_sim *sim, int socket); /* it is closed */
bool sim_poller_is_ready(struct sys_sim *sim, const struct sim_poller *poller);
/* After a call had its effect: now and then it returns only a while later, so that others run or the process dies
 * between the two. CLOSED when it died. */
enum weir_error sim_linger(struct sys_sim *sim);
uint32_t sim_socket_bits(const struct sim_socket *socket);
size_t sim_stream_room(const struct sim_socket *stream); /* bytes that fit towards the peer */
void sim_stream_put(struct sys_sim *sim, struct sim_socket *stream, const void *data, size_t size);
/* All of it or, by the seed, a part: TCP keeps no boundaries. */
size_t sim_chunk(struct sys_sim *sim, const struct sim_socket *stream, size_t size);

void sim_file_table(struct sys *table);
void sim_path_table(struct sys *table);
void sim_poller_table(struct sys *table);
void sim_net_table(struct sys *table);

#endif
