/* bench jobs_client: one client for three job queues: weir's binary protocol, Redis lists, beanstalkd; driven by
 * bench/jobs.py.
 *
 *     bench_jobs_client weir|redis|beanstalkd PORT --jobs N --producers P --depth D --workers W --bulk B
 *                       [--rate R --timings FILE]
 *
 * Full cycles: producers keep D pushes of B jobs under way each, workers take up to B jobs, then acknowledge them, then
 * take again; a job is 256 bytes. Everything is counted when its answer has come. With B = 1 a worker has one request
 * under way. Redis: LPUSH q, BRPOPLPUSH q p:N (RPOPLPUSH with B > 1, pipelined), LREM p:N 1 body. beanstalkd: put,
 * reserve-with-timeout, delete, pipelined with B > 1. JSON on stdout.
 *
 * --rate: R jobs/s are due, spread evenly, whatever the answers do; a push that finds its producers full waits, and its
 * time runs from when it was due. --timings: three uint64_t per job, ns since the start: due, its push answered, taken.
 */
#include "jobs/gateway_wire.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define BODY      256u
#define BUFFER    (1u << 20)
#define CONNS_MAX 1024u
#define BULK_MAX  1000u
#define BUCKETS   4096u /* of 20 us */

enum kind { WEIR, REDIS, BEANSTALKD };
enum doing { PUSHING, TAKING, ACKING };
struct conn {
    int fd;
    uint32_t index, want, got, pushed_under_way; /* answers of the present request: wanted, come */
    bool producer;
    enum doing doing;
    uint8_t *in, *out;
    size_t in_size, out_size, out_sent;
    struct push {
        uint64_t due_ns, first; /* when it was due; its first job's number */
    } pushes[64];               /* under way, oldest first */
    uint32_t push_head, push_tail;
    uint32_t held; /* jobs taken, to be acknowledged */
    uint64_t ids[BULK_MAX];
    uint32_t epochs[BULK_MAX];
    uint8_t (*bodies)[BODY]; /* Redis: what LREM names */
};
static struct {
    enum kind kind;
    uint32_t port, jobs, producers, depth, workers, bulk, rate;
    uint64_t begun, stored, done; /* pushes sent, answered; acks answered: jobs */
    uint64_t sequence, begin_ns;
    uint32_t turn; /* --rate: the producer that is asked first */
    const char *timings;
    struct times {
        uint64_t due_ns, stored_ns, taken_ns;
    } * times; /* of each job by its number; NULL without --timings */
    struct conn conns[CONNS_MAX];
    uint32_t buckets[BUCKETS];
    int poller;
} b = {.jobs = 100000, .producers = 16, .depth = 16, .workers = 128, .bulk = 1};

static uint64_t now_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}
static void fail(const char *what) {
    fprintf(stderr, "bench_jobs_client: %s: %s\n", what, strerror(errno));
    exit(1);
}

/* ---- bytes out ---- */
static void put(struct conn *c, const void *data, size_t size) {
    if (c->out_size + size > BUFFER) fail("the out buffer is too small");
    memcpy(c->out + c->out_size, data, size);
    c->out_size += size;
}
static void put_text(struct conn *c, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void put_text(struct conn *c, const char *format, ...) {
    char text[256];
    va_list args;
    va_start(args, format);
    int size = vsnprintf(text, sizeof text, format, args);
    va_end(args);
    put(c, text, (size_t)size);
}
static void make_body(uint8_t body[BODY]) {
    memset(body, 'x', BODY);
    snprintf((char *)body, BODY, "%016llx", (unsigned long long)b.sequence++);
    body[16] = 'x';
}
static void put_wire(struct conn *c, uint16_t type, size_t size) {
    struct jobs_wire head = {.size = (uint32_t)size, .type = type};
    put(c, &head, sizeof head);
}

/* When the next job is to be pushed. */
static uint64_t due_ns(void) {
    return b.rate ? b.begin_ns + b.begun * 1000000000u / b.rate : now_ns();
}

static bool can_push(const struct conn *c) {
    return c->pushed_under_way < b.depth && b.begun < b.jobs;
}

static void push_one(struct conn *c) {
    uint32_t count = b.bulk;
    if (b.jobs - b.begun < count) count = (uint32_t)(b.jobs - b.begun);
    uint8_t body[BODY];
    struct jobs_new_view v = {
        .queue = weir_slice_text("q"), .type = weir_slice_text("t"), .payload = weir_slice(body, BODY)};
    c->pushes[c->push_tail++ % 64] = (struct push){due_ns(), b.sequence};
    if (b.kind == WEIR) put_wire(c, JOBS_RECORD_PUSH, count * jobs_new_write(&v, NULL));
    for (uint32_t i = 0; i < count; i++) {
        make_body(body);
        if (b.kind == WEIR) c->out_size += jobs_new_write(&v, c->out + c->out_size);
        if (b.kind == REDIS) put_text(c, "*3\r\n$5\r\nLPUSH\r\n$1\r\nq\r\n$%u\r\n", BODY);
        if (b.kind == BEANSTALKD) put_text(c, "put 0 0 1800 %u\r\n", BODY);
        if (b.kind != WEIR) put(c, body, BODY);
        if (b.kind != WEIR) put(c, "\r\n", 2);
    }
    c->pushed_under_way++;
    b.begun += count;
}

static void push_some(struct conn *c) {
    while (b.rate == 0 && can_push(c))
        push_one(c);
}

static void take(struct conn *c) {
    c->doing = TAKING;
    c->held = c->got = 0;
    c->want = b.kind == WEIR ? 1 : b.bulk;
    if (b.kind == WEIR) {
        char name[16];
        struct jobs_fetch_view v = {.head = {.max = b.bulk, .wait_ms = 2000, .queue_count = 1}};
        v.worker = weir_slice(name, (size_t)snprintf(name, sizeof name, "w%u", c->index));
        v.queues[0] = weir_slice_text("q");
        put_wire(c, JOBS_RECORD_FETCH, jobs_fetch_write(&v, NULL));
        c->out_size += jobs_fetch_write(&v, c->out + c->out_size);
    }
    for (uint32_t i = 0; b.kind == REDIS && i < b.bulk; i++) {
        char key[16];
        int size = snprintf(key, sizeof key, "p:%u", c->index);
        if (b.bulk == 1)
            put_text(c, "*4\r\n$10\r\nBRPOPLPUSH\r\n$1\r\nq\r\n$%d\r\n%s\r\n$1\r\n2\r\n", size, key);
        else
            put_text(c, "*3\r\n$9\r\nRPOPLPUSH\r\n$1\r\nq\r\n$%d\r\n%s\r\n", size, key);
    }
    for (uint32_t i = 0; b.kind == BEANSTALKD && i < b.bulk; i++)
        put_text(c, "reserve-with-timeout %d\r\n", b.bulk == 1 ? 2 : 0);
}

static void ack(struct conn *c) {
    c->doing = ACKING;
    c->got = 0;
    c->want = b.kind == WEIR ? 1 : c->held;
    if (b.kind == WEIR) {
        struct jobs_report_view v = {0};
        put_wire(c, JOBS_RECORD_ACK, c->held * jobs_report_write(&v, NULL));
        for (uint32_t i = 0; i < c->held; i++) {
            v.head.id = c->ids[i];
            v.head.epoch = c->epochs[i];
            c->out_size += jobs_report_write(&v, c->out + c->out_size);
        }
        return;
    }
    for (uint32_t i = 0; i < c->held; i++) {
        if (b.kind == BEANSTALKD) {
            put_text(c, "delete %llu\r\n", (unsigned long long)c->ids[i]);
            continue;
        }
        char key[16];
        int size = snprintf(key, sizeof key, "p:%u", c->index);
        put_text(c, "*4\r\n$4\r\nLREM\r\n$%d\r\n%s\r\n$1\r\n1\r\n$%u\r\n", size, key, BODY);
        put(c, c->bodies[i], BODY);
        put(c, "\r\n", 2);
    }
}

/* ---- times of jobs ---- */
static void note_taken(const uint8_t *body) {
    if (!b.times) return;
    uint64_t number = strtoull((const char *)body, NULL, 16); /* ends at its 'x' */
    if (number >= b.jobs) fail("a job that was not pushed");
    b.times[number].taken_ns = now_ns();
}

static void note_stored(const struct push *p, uint64_t now) {
    for (uint64_t i = p->first; b.times && i < p->first + b.bulk && i < b.jobs; i++) {
        b.times[i].due_ns = p->due_ns;
        b.times[i].stored_ns = now;
    }
}

/* ---- answers: the bytes of the next one, 0 when it is not whole ---- */
static size_t line_size(const uint8_t *at, size_t size) {
    const uint8_t *end = memmem(at, size, "\r\n", 2);
    return end ? (size_t)(end - at) + 2 : 0;
}

static size_t answer_wire(struct conn *c, const uint8_t *at, size_t size) {
    struct jobs_wire head;
    if (size < sizeof head) return 0;
    memcpy(&head, at, sizeof head);
    if (size < sizeof head + head.size) return 0;
    if (head.type >= 300) fail("refused");
    struct weir_slice value = weir_slice(at + sizeof head, head.size);
    struct jobs_leased_view v;
    struct jobs_reported said;
    for (size_t p = 0; c->doing == TAKING && p < value.size && jobs_leased_next(value, &p, &v); c->held++) {
        c->ids[c->held] = v.head.id;
        c->epochs[c->held] = v.head.epoch;
        note_taken(v.payload.data);
    }
    for (size_t p = 0; c->doing == ACKING && p + sizeof said <= value.size; p += sizeof said) {
        memcpy(&said, value.data + p, sizeof said);
        if (said.reason != JOBS_OK) fail("an ack was refused");
    }
    return sizeof head + head.size;
}

static size_t answer_redis(struct conn *c, const uint8_t *at, size_t size) {
    size_t line = line_size(at, size);
    if (line == 0) return 0;
    if (*at == '-') fail((const char *)at);
    if (*at != '$' || at[1] == '-') return line; /* a number, or nothing to be had */
    size_t body = strtoul((const char *)at + 1, NULL, 10);
    if (size < line + body + 2) return 0;
    note_taken(at + line);
    memcpy(c->bodies[c->held++], at + line, BODY);
    return line + body + 2;
}

static size_t answer_beanstalkd(struct conn *c, const uint8_t *at, size_t size) {
    size_t line = line_size(at, size);
    if (line == 0) return 0;
    if (memcmp(at, "RESERVED ", 9) != 0) {
        if (memcmp(at, "INSERTED", 8) != 0 && memcmp(at, "DELETED", 7) != 0 && memcmp(at, "TIMED_OUT", 9) != 0)
            fail((const char *)at);
        return line;
    }
    if (size < line + BODY + 2) return 0;
    note_taken(at + line);
    c->ids[c->held++] = strtoull((const char *)at + 9, NULL, 10);
    return line + BODY + 2;
}

static void pushed(struct conn *c) {
    uint32_t per_push = b.kind == WEIR ? 1 : b.bulk;
    b.stored += b.kind == WEIR ? b.bulk : 1;
    if (++c->got % per_push) return;
    const struct push *p = &c->pushes[c->push_head++ % 64];
    uint64_t now = now_ns(), us20 = (now - p->due_ns) / 20000;
    note_stored(p, now);
    b.buckets[us20 < BUCKETS ? us20 : BUCKETS - 1]++;
    c->pushed_under_way--;
    push_some(c);
}

static void answered(struct conn *c) {
    if (c->producer) {
        pushed(c);
    } else if (++c->got == c->want) {
        if (c->doing == ACKING) b.done += c->held;
        if (c->doing == TAKING && c->held)
            ack(c);
        else if (b.done < b.jobs)
            take(c);
    }
}

static void on_input(struct conn *c) {
    ssize_t n = read(c->fd, c->in + c->in_size, BUFFER - c->in_size);
    if (n <= 0 && errno != EAGAIN) fail("the server closed");
    if (n > 0) c->in_size += (size_t)n;
    size_t at = 0, size;
    for (;;) {
        const uint8_t *from = c->in + at;
        size_t left = c->in_size - at;
        size = b.kind == WEIR    ? answer_wire(c, from, left)
               : b.kind == REDIS ? answer_redis(c, from, left)
                                 : answer_beanstalkd(c, from, left);
        if (size == 0) break;
        at += size;
        answered(c);
    }
    memmove(c->in, c->in + at, c->in_size - at);
    c->in_size -= at;
}

static void flush(struct conn *c) {
    while (c->out_sent < c->out_size) {
        ssize_t n = write(c->fd, c->out + c->out_sent, c->out_size - c->out_sent);
        if (n < 0 && errno == EAGAIN) return;
        if (n < 0) fail("write");
        c->out_sent += (size_t)n;
    }
    c->out_sent = c->out_size = 0;
}

/* ---- the run ---- */
static void open_conn(uint32_t i, bool producer) {
    struct conn *c = &b.conns[i];
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)b.port)};
    int one = 1;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    *c = (struct conn){.fd = socket(AF_INET, SOCK_STREAM, 0), .index = i, .producer = producer};
    c->in = malloc(BUFFER);
    c->out = malloc(BUFFER);
    c->bodies = malloc((size_t)BULK_MAX * BODY);
    if (c->fd < 0 || !c->in || !c->out || !c->bodies) fail("no room for connections");
    if (connect(c->fd, (struct sockaddr *)&address, sizeof address) != 0) fail("connect");
    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    fcntl(c->fd, F_SETFL, O_NONBLOCK);
    struct epoll_event event = {.events = EPOLLIN, .data.u32 = i};
    if (epoll_ctl(b.poller, EPOLL_CTL_ADD, c->fd, &event) != 0) fail("epoll");
}

static double quantile(double q) {
    uint64_t sum = 0, all = 0;
    for (uint32_t i = 0; i < BUCKETS; i++)
        all += b.buckets[i];
    for (uint32_t i = 0; i < BUCKETS; i++)
        if ((sum += b.buckets[i]) >= (uint64_t)(q * (double)all)) return (i + 1) * 20.0;
    return 0;
}

/* --rate: everything that is due, from producer to producer. */
static void push_due(void) {
    uint32_t full = 0;
    while (b.rate && b.begun < b.jobs && full < b.producers && due_ns() <= now_ns()) {
        struct conn *c = &b.conns[b.turn++ % b.producers];
        full = can_push(c) ? 0 : full + 1;
        if (full) continue;
        push_one(c);
        flush(c);
    }
}

static int wait_events(struct epoll_event *events) {
    uint64_t wait = 30000000000u, due = b.rate && b.begun < b.jobs ? due_ns() : 0, now = now_ns();
    if (due > now) wait = due - now;
    struct timespec timeout = {(time_t)(wait / 1000000000u), (long)(wait % 1000000000u)};
    int n = epoll_pwait2(b.poller, events, CONNS_MAX, &timeout, NULL);
    if (n < 0) fail("wait");
    if (n == 0 && due <= now) fail("nothing happened for 30 s");
    return n;
}

static void write_timings(void) {
    if (!b.times) return;
    for (uint32_t i = 0; i < b.jobs; i++) {
        b.times[i].due_ns -= b.begin_ns;
        b.times[i].stored_ns -= b.begin_ns;
        b.times[i].taken_ns -= b.begin_ns;
    }
    FILE *file = fopen(b.timings, "wb");
    if (!file || fwrite(b.times, sizeof *b.times, b.jobs, file) != b.jobs || fclose(file) != 0) fail(b.timings);
}

static void start(void) {
    uint32_t count = b.producers + b.workers;
    b.poller = epoll_create1(0);
    if (b.timings) b.times = calloc(b.jobs, sizeof *b.times);
    if (b.timings && !b.times) fail("no room for times");
    for (uint32_t i = 0; i < count; i++)
        open_conn(i, i < b.producers);
    b.begin_ns = now_ns();
    for (uint32_t i = 0; i < count; i++) {
        if (i < b.producers)
            push_some(&b.conns[i]);
        else
            take(&b.conns[i]);
        flush(&b.conns[i]);
    }
}

static void run(void) {
    start();
    struct epoll_event events[CONNS_MAX];
    while (b.done < b.jobs) {
        push_due();
        int n = wait_events(events);
        for (int i = 0; i < n; i++)
            on_input(&b.conns[events[i].data.u32]);
        for (int i = 0; i < n; i++)
            flush(&b.conns[events[i].data.u32]);
    }
    double seconds = (double)(now_ns() - b.begin_ns) / 1e9;
    write_timings();
    printf("{\"cycles_per_s\": %.0f, \"seconds\": %.3f, \"put_p50_us\": %.0f, \"put_p99_us\": %.0f}\n",
        (double)b.done / seconds, seconds, quantile(0.5), quantile(0.99));
}

int main(int argc, char **argv) {
    static const char *const kinds[] = {"weir", "redis", "beanstalkd"};
    struct {
        const char *name;
        uint32_t *value;
    } flags[] = {{"--jobs", &b.jobs}, {"--producers", &b.producers}, {"--depth", &b.depth}, {"--workers", &b.workers},
        {"--bulk", &b.bulk}, {"--rate", &b.rate}};
    if (argc < 3) { /* ./x bench runs every benchmark without arguments: bench/jobs.py drives this one */
        fprintf(stderr,
            "usage: bench_jobs_client weir|redis|beanstalkd PORT [--jobs N --producers P --depth D --workers W "
            "--bulk B --rate R --timings FILE]; bench/jobs.py runs it\n");
        return 0;
    }
    for (uint32_t i = 0; i < 3; i++)
        if (strcmp(argv[1], kinds[i]) == 0) b.kind = (enum kind)i;
    b.port = (uint32_t)strtoul(argv[2], NULL, 10);
    for (int i = 3; i + 1 < argc; i += 2) {
        if (strcmp(argv[i], "--timings") == 0) b.timings = argv[i + 1];
        for (size_t k = 0; k < WEIR_ARRAY_COUNT(flags); k++)
            if (strcmp(argv[i], flags[k].name) == 0) *flags[k].value = (uint32_t)strtoul(argv[i + 1], NULL, 10);
    }
    if (b.bulk < 1 || b.bulk > BULK_MAX || b.producers + b.workers > CONNS_MAX || b.depth > 64) fail("too large");
    run();
    return 0;
}
