/* sys/sys.h: the world behind one table of functions: files, sockets, clocks, randomness, threads.
 *
 * Everything above this layer reaches the world only through a `struct sys *`. There are two implementations:
 *   sys_linux_new()   epoll, pwritev + fdatasync, io_uring, pthreads, eventfd  (sys_linux*.c)
 *   sys_sim_new()     one thread, virtual clock, a memory disk that loses what was not synced at a crash,
 *                     scripted sockets, faults by plan                         (sys_sim*.c, sim.h)
 * Handles are small non-negative integers; -1 is none. Every call returns `enum weir_error` with a context line that
 * names the path or peer and the system's reason; nothing here aborts on what the world does.
 *
 * Threads: file calls and clocks may be used from any thread. A poller and the sockets in it belong to the thread that
 * waits on it; only poller_wake() may be called from elsewhere, and only until poller_close().
 * Lifetime: a world is freed after its agents were stopped and its pollers closed. sys_linux_new() ignores SIGPIPE for
 * the whole process, and agents' threads take no signals.
 */
#ifndef WEIR_SYS_SYS_H
#define WEIR_SYS_SYS_H
#include <weir/error.h>
#include <weir/slice.h>

struct sys;

#define SYS_NANOS_PER_MS 1000000ull
#define SYS_NANOS_PER_S  1000000000ull

/* ---- files ---- */
enum sys_open_flags {
    SYS_OPEN_READ = 1,      /* may be combined with WRITE */
    SYS_OPEN_WRITE = 2,     /* existing file, positioned writes */
    SYS_OPEN_CREATE = 4,    /* create when absent */
    SYS_OPEN_EXCLUSIVE = 8, /* with CREATE: WEIR_E_EXISTS when present */
    SYS_OPEN_TRUNCATE = 16, /* start empty */
    SYS_OPEN_DIRECT = 32,   /* past the page cache: offsets, sizes, memory in SYS_DIRECT_BLOCKs. INVALID: not here */
    SYS_OPEN_PRIVATE = 64,  /* with CREATE: only its owner may read it */
};
#define SYS_DIRECT_BLOCK 4096u

/* Ways to write bytes so that they are durable. The promise is the same; what each costs is the disk's matter. */
enum sys_commit_path {
    SYS_COMMIT_SYNC,         /* a write into the page cache, then fdatasync */
    SYS_COMMIT_DSYNC,        /* one write with O_DSYNC through the page cache */
    SYS_COMMIT_DIRECT,       /* one write with O_DSYNC past it; the file is open with SYS_OPEN_DIRECT */
    SYS_COMMIT_URING,        /* write and fdatasync as one linked pair, one call of io_uring */
    SYS_COMMIT_URING_DIRECT, /* as DIRECT, by io_uring */
    SYS_COMMIT_PATHS
};
static inline bool sys_commit_is_direct(enum sys_commit_path path) {
    return path == SYS_COMMIT_DIRECT || path == SYS_COMMIT_URING_DIRECT;
}
struct sys_iovec { /* same layout as struct iovec */
    void *data;
    size_t size;
};
struct sys_disk_space {
    uint64_t bytes_total, bytes_free; /* free to an unprivileged process */
};
/* Called per entry, in name order ("." and ".." left out). Return false to stop. */
typedef bool (*sys_list_fn)(void *ctx, const char *name, bool is_folder);

/* ---- sockets and the poller ---- */
enum sys_poll_bits { SYS_POLL_READ = 1, SYS_POLL_WRITE = 2, SYS_POLL_CLOSED = 4 /* error or hang-up; only reported */ };
#define SYS_POLL_TOKEN_NONE UINT64_MAX /* not to be used as a token */
struct sys_poll_event {
    uint64_t token; /* as given at poller_add */
    uint32_t bits;
};
#define SYS_UNIX_PATH_MAX 107 /* bytes of a socket's path, as Linux has it */
struct sys_address {
    char host[64]; /* numeric IPv4 or IPv6; "" of a Unix socket */
    uint16_t port;
    bool is_unix; /* then the kernel says who it is, as of its connect() */
    uint32_t uid, process_id;
};

/* ---- threads and agents ---- */
/* An agent is anything that runs: do_work() does what there is to do and returns how much that was. When there is
 * nothing it may wait (in its own poller) up to block_ns, never longer. The Linux implementation gives every agent a
 * thread that calls do_work(self, big) until stop; the simulator calls do_work(self, 0) of all agents in seeded order.
 * An agent started without a wake_poller has nothing to wait in: while it returns 0 its thread pauses between calls,
 * 50 us at first and up to 10 ms. */
struct sys_agent {
    const char *name; /* at most 15 bytes, the thread's name */
    uint32_t (*do_work)(void *self, uint64_t block_ns);
    void *self;
    bool background; /* others come first where they want the processor; not for what anybody waits for */
};

/* Bytes. In the simulator, where they would differ from run to run, all 0. */
struct sys_memory_usage {
    uint64_t resident_bytes;              /* in RAM, with pages of files; 0: not known */
    uint64_t heap_bytes, heap_held_bytes; /* malloc's: in use; the same with what it keeps to give out again */
    uint64_t mapped_bytes;                /* sys_memory_map()'s, touched or not */
};

struct sys {
    /* Files. Paths are NUL-terminated. Offsets and sizes are bytes. */
    WEIR_MUST enum weir_error (*file_open)(struct sys *, const char *path, uint32_t flags, int *ret_file);
    void (*file_close)(struct sys *, int file);
    /* Reads up to size bytes; *ret_size is short only at the end of the file. */
    WEIR_MUST enum weir_error (*file_read)(
        struct sys *, int file, uint64_t offset, void *data, size_t size, size_t *ret_size);
    /* Writes all bytes of all parts at offset (retries short writes and EINTR) or fails; on failure any part of it may
     * be on disk. count <= 1024. May change the parts array. NO_SPACE on ENOSPC/EDQUOT, IO otherwise. */
    WEIR_MUST enum weir_error (*file_write)(
        struct sys *, int file, uint64_t offset, struct sys_iovec *parts, size_t count);
    /* Content (and size) durable. A failure is final: the caller must not retry (pages may have been marked clean). */
    WEIR_MUST enum weir_error (*file_sync)(struct sys *, int file);
    /* file_write and file_sync in one: the bytes, and the size they need, are durable when it returns. Nothing else is
     * promised: what was written before elsewhere in the file is durable only by SYNC and URING. Any failure, of the
     * write as of its sync, is final as that of file_sync; any part of the bytes may be on disk then. UNSUPPORTED or
     * PERMISSION: this kernel, container or build has no io_uring; INVALID: the file system refuses such a write. */
    WEIR_MUST enum weir_error (*file_commit)(
        struct sys *, int file, enum sys_commit_path path, uint64_t offset, const void *data, size_t size);
    /* The same as file_sync for everything written before to any file of the disk that holds this one: one call where
     * there are many small ones. Folder entries still want dir_sync. A failure may be another file's: sync one by one
     * to see. */
    WEIR_MUST enum weir_error (*disk_sync)(struct sys *, int file);
    WEIR_MUST enum weir_error (*file_size)(struct sys *, int file, uint64_t *ret_size);
    WEIR_MUST enum weir_error (*file_truncate)(struct sys *, int file, uint64_t size);
    /* Reserve space; the file grows to offset + size, new bytes are zeros. */
    WEIR_MUST enum weir_error (*file_allocate)(struct sys *, int file, uint64_t offset, uint64_t size);
    /* Hint: start writing back (sync_file_range). */
    void (*file_writeback)(struct sys *, int file, uint64_t offset, uint64_t size);
    void (*file_forget)(struct sys *, int file, uint64_t offset, uint64_t size); /* hint: drop from the cache */
    /* Bytes sent from file to socket without a copy in user space; may be short. AGAIN when the socket is full. */
    WEIR_MUST enum weir_error (*file_send)(
        struct sys *, int file, uint64_t offset, size_t size, int socket, size_t *ret_size);
    /* Exclusive lock for the life of the handle; LOCKED when another process has it. */
    WEIR_MUST enum weir_error (*file_lock)(struct sys *, int file);
    /* Atomic; not durable until dir_sync. */
    WEIR_MUST enum weir_error (*path_rename)(struct sys *, const char *from, const char *to);
    WEIR_MUST enum weir_error (*path_unlink)(struct sys *, const char *path);
    WEIR_MUST enum weir_error (*path_exists)(struct sys *, const char *path, bool *ret_exists);
    WEIR_MUST enum weir_error (*dir_make)(struct sys *, const char *path);   /* OK when it is there already */
    WEIR_MUST enum weir_error (*dir_remove)(struct sys *, const char *path); /* must be empty */
    /* Entries made, renamed, removed are durable. */
    WEIR_MUST enum weir_error (*dir_sync)(struct sys *, const char *path);
    WEIR_MUST enum weir_error (*dir_list)(struct sys *, const char *path, sys_list_fn fn, void *ctx);
    WEIR_MUST enum weir_error (*disk_space)(struct sys *, const char *path, struct sys_disk_space *ret_space);

    /* Clocks, nanoseconds. mono never goes back; wall is Unix time and may jump. */
    uint64_t (*mono_ns)(struct sys *);
    uint64_t (*wall_ns)(struct sys *);
    void (*random)(struct sys *, void *data, size_t size); /* from the system's generator; seeded in the simulator */

    /* Poller: one per agent that waits. */
    WEIR_MUST enum weir_error (*poller_open)(struct sys *, int *ret_poller);
    void (*poller_close)(struct sys *, int poller);
    WEIR_MUST enum weir_error (*poller_add)(struct sys *, int poller, int socket, uint64_t token, uint32_t bits);
    WEIR_MUST enum weir_error (*poller_change)(struct sys *, int poller, int socket, uint64_t token, uint32_t bits);
    void (*poller_remove)(struct sys *, int poller, int socket);
    /* Waits at most timeout_ns (0: looks only), level-triggered. Returns the number of events, 0 on timeout or wake. */
    size_t (*poller_wait)(struct sys *, int poller, struct sys_poll_event *events, size_t max, uint64_t timeout_ns);
    /* From any thread: the present or next poller_wait returns, and what was written before the wake is seen after it.
     * Costs no system call while the owner is awake. */
    void (*poller_wake)(struct sys *, int poller);

    /* TCP (NODELAY and non-blocking always) and UDP sockets. */
    /* port 0 picks one; ret_port tells. share: several sockets may listen on the port (SO_REUSEPORT).
     * INVALID for a bad address; EXISTS when the port is in use, the context names it. */
    WEIR_MUST enum weir_error (*tcp_listen)(
        struct sys *, const char *host, uint16_t port, bool share, int *ret_socket, uint16_t *ret_port);
    /* AGAIN when nobody waits; FULL when the process is out of descriptors. */
    WEIR_MUST enum weir_error (*tcp_accept)(struct sys *, int listener, int *ret_socket, struct sys_address *ret_peer);
    /* Writable when done; if it failed, read and write say CLOSED. */
    WEIR_MUST enum weir_error (*tcp_connect)(struct sys *, const char *host, uint16_t port, int *ret_socket);
    /* Unix sockets (stream). The path's socket appears whole: with its mode, and only once it listens. One that a dead
     * process left is replaced; EXISTS when somebody listens there or what is there is no socket. PATH.lock keeps two
     * nodes apart and stays. Each of the `count` handles accepts from the same queue, by tcp_accept. */
    WEIR_MUST enum weir_error (*unix_listen)(
        struct sys *, const char *path, uint32_t mode, uint32_t count, int *ret_sockets, int *ret_lock);
    /* Removes the socket's name and gives the lock back. */
    void (*unix_unlisten)(struct sys *, const char *path, int lock);
    WEIR_MUST enum weir_error (*unix_connect)(struct sys *, const char *path, int *ret_socket);
    /* Datagrams to and from one peer: socket_read and socket_write move one each. A port nobody listens on may show as
     * CLOSED at a later call. */
    WEIR_MUST enum weir_error (*udp_connect)(struct sys *, const char *host, uint16_t port, int *ret_socket);
    /* *ret_size = 0 with OK: the peer has closed its side. AGAIN: nothing there. */
    WEIR_MUST enum weir_error (*socket_read)(struct sys *, int socket, void *data, size_t size, size_t *ret_size);
    /* Gathers; *ret_size may be short. AGAIN when nothing fits. CLOSED when the peer is gone (no SIGPIPE). */
    WEIR_MUST enum weir_error (*socket_write)(
        struct sys *, int socket, const struct sys_iovec *parts, size_t count, size_t *ret_size);
    void (*socket_shutdown)(struct sys *, int socket); /* no more writes from us */
    void (*socket_close)(struct sys *, int socket);
    /* One datagram to the Unix socket at path ("@name": Linux' abstract names), as supervisors listen to. Never waits:
     * AGAIN when the receiver has no room. NOT_FOUND: nobody is there (never anybody in the simulator's world). */
    WEIR_MUST enum weir_error (*datagram_send)(struct sys *, const char *path, const void *data, size_t size);
    void (*socket_reset)(struct sys *, int socket); /* closes it so that the peer sees a reset */
    /* Hint: the kernel keeps about that many received bytes before it pushes back. For a reader that is slow. */
    void (*socket_narrow)(struct sys *, int socket, size_t bytes);

    /* Agents. The struct is copied, what it points to is not. stop() asks the agent to end, wakes it through the poller
     * given here (-1: none), and returns after its last do_work (join); never called by the agent itself. To stop many,
     * tell them first in their own way: each stop waits for one. */
    WEIR_MUST enum weir_error (*agent_start)(
        struct sys *, const struct sys_agent *agent, int wake_poller, int *ret_handle);
    void (*agent_stop)(struct sys *, int handle);
    uint32_t (*process_id)(struct sys *);      /* of this process, for messages to people */
    uint64_t (*memory_resident)(struct sys *); /* of this process, bytes; 0: not known */
    void (*memory_usage)(struct sys *, struct sys_memory_usage *ret_usage); /* walks the heap's lists: not for a loop */
    /* Lets others run for about that long: for a thread that waits for another one's disk write, and has no poller. */
    void (*pause)(struct sys *, uint64_t ns);

    /* Reports that cannot be handled: a line on stderr, then the process ends with exit code 70 at once (no atexit).
     * The simulator turns it into the death of the simulated process and returns: the caller stops what it does. */
    void (*fatal)(struct sys *, const char *message);
    /* When the process dies of its own fault (SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGABRT), the dying thread asks
     * note() for at most 64 bytes and writes them to file at offset, synced. note() may only do what a signal handler
     * may. One per process; file -1 takes it off. In the simulator a process dies so by sys_sim_segfault(). */
    void (*on_crash)(struct sys *, int file, uint64_t offset, size_t (*note)(void *out));
};

WEIR_MUST enum weir_error sys_linux_new(struct sys **ret_sys);
void sys_linux_free(struct sys *sys);

/* Small conveniences over the table, shared by all layers (sys_util.c). */
/* Whole small file in one go, at most size_max bytes (TOO_LARGE); data from malloc, free with sys_bytes_free. */
WEIR_MUST enum weir_error sys_read_all(
    struct sys *sys, const char *path, uint64_t size_max, struct weir_slice *ret_bytes);
void sys_bytes_free(struct weir_slice bytes);
/* The numeric addresses of a host's name, in the resolver's order, each once; none for a numeric host and for
 * "localhost". Blocks on the resolver: before anything runs. NOT_FOUND, with its sentence. */
#define SYS_ADDRESSES_MAX     16u
#define SYS_ADDRESS_TEXT_SIZE 48u
WEIR_MUST enum weir_error sys_addresses_find(
    const char *host, char addresses[SYS_ADDRESSES_MAX][SYS_ADDRESS_TEXT_SIZE], uint32_t *ret_count);
/* Replaces path durably and atomically: writes path.tmp, syncs, renames, syncs the folder. */
WEIR_MUST enum weir_error sys_replace_file(struct sys *sys, const char *path, struct weir_slice bytes);
WEIR_MUST enum weir_error sys_make_folders(struct sys *sys, const char *path); /* like mkdir -p, each parent synced */
/* Address space that costs memory only when touched; zero-filled; page-aligned. For pools and buffers at start. */
WEIR_MUST enum weir_error sys_memory_map(size_t size, void **ret_memory);
void sys_memory_unmap(void *memory, size_t size);
/* Whole pages of mapped memory whose content is not needed any more: zero, and free, until they are touched again. */
void sys_memory_forget(void *memory, size_t size);
uint64_t sys_memory_mapped(void); /* bytes that are mapped so now, by all threads */
uint32_t sys_core_count(void);
/* As people write it: sync, dsync, direct, uring, uring_direct. */
const char *sys_commit_path_name(enum sys_commit_path path);
bool sys_commit_path_parse(const char *name, enum sys_commit_path *ret_path);
/* Raises the limit of open descriptors to `want` or as far as the process may; returns the limit now. */
uint64_t sys_descriptors_raise(uint64_t want);
/* Waits of the calling thread end as exactly as the kernel can, instead of up to 50 us late. */
void sys_timers_precise(void);

/* ---- code that is not in the binary (sys_library.c): shared objects, loaded once at start, never unloaded ---- */
/* Loads the object at path with what it needs; its symbols stay its own, its undefined ones are looked up in the binary
 * first. Before that the file's head is looked at. NOT_FOUND: there is no such file. UNSUPPORTED: not a shared object,
 * of another machine, or cut short. Else CONFIG, with the loader's words. Functions that nobody has are not missed
 * before they are called, unless the object was linked to be bound at once: sys_library_imports tells. */
WEIR_MUST enum weir_error sys_library_open(struct sys *sys, const char *path, void **ret_library);
/* The machine's own, by the name under which the dynamic linker knows it ("libcurl.so.4"): for libraries that few nodes
 * need. Loading it twice is the same library. UNSUPPORTED: it is not there, with the package to install. */
WEIR_MUST enum weir_error sys_library_load(const char *name, const char *package, void **ret_library);
/* NULL: it has none of that name. */
void *sys_library_symbol(void *library, const char *name);
/* One call for each name that the object must get from elsewhere, several for some; is_there: somebody has it. */
void sys_library_imports(void *library, void (*fn)(void *ctx, const char *name, bool is_there), void *ctx);

#endif
