/* One JSON line a module on stdout: what base costs here. The best of several runs; nothing asserts on it. */
#include "base/crc32c.h"
#include "base/deque.h"
#include "base/hash.h"
#include "base/histogram.h"
#include "base/json.h"
#include "base/map.h"
#include "base/pool.h"
#include "base/prng.h"
#include "base/ring.h"

#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define RUNS 5

static volatile uint64_t sink;

static double now_s(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static void report(const char *what, const char *unit, double value) {
    printf("{\"bench\":\"base\",\"what\":\"%s\",\"%s\":%.3g}\n", what, unit, value);
    fflush(stdout);
}

/* The shortest of RUNS runs of work(arg), in seconds. */
static double best(void (*work)(void *), void *arg) {
    double least = 1e9;
    for (int i = 0; i < RUNS; i++) {
        double start = now_s();
        work(arg);
        double took = now_s() - start;
        least = took < least ? took : least;
    }
    return least;
}

struct buffer {
    uint8_t *data;
    size_t size, step;
};

static void crc_work(void *arg) {
    struct buffer *b = arg;
    for (size_t at = 0; at + b->step <= b->size; at += b->step)
        sink += crc32c(b->data + at, b->step);
}
static void crc_portable_work(void *arg) {
    struct buffer *b = arg;
    sink += crc32c_update_portable(0, b->data, b->size);
}
static void hash_work(void *arg) {
    struct buffer *b = arg;
    for (size_t at = 0; at + b->step <= b->size; at += b->step)
        sink += hash_bytes(b->data + at, b->step, 0);
}

static void bench_checksums(void) {
    struct buffer b = {malloc(32 << 20), 32 << 20, 32 << 20};
    memset(b.data, 7, b.size);
    double gb = (double)b.size * 1e-9;
    report("crc32c_32MB", "gb_per_s", gb / best(crc_work, &b));
    b.step = 4096;
    report("crc32c_4KB", "gb_per_s", gb / best(crc_work, &b));
    report("crc32c_portable", "gb_per_s", gb / best(crc_portable_work, &b));
    report("hash_bytes_4KB", "gb_per_s", gb / best(hash_work, &b));
    b.step = 16;
    report("hash_bytes_16B", "ns", 1e9 * best(hash_work, &b) / ((double)b.size / 16));
    free(b.data);
}

static void json_read_work(void *arg) {
    struct buffer *b = arg;
    struct json_reader r = json_reader(weir_slice(b->data, b->size), 0);
    while (json_next(&r) > JSON_END)
        sink += r.token;
}

static void json_write_work(void *arg) {
    struct buffer *b = arg;
    struct text_builder t = text_builder((char *)b->data, b->size);
    struct json_writer w = json_writer(&t, 0);
    json_write_array_open(&w);
    for (uint64_t i = 0; t.size + 400 < t.cap; i++) {
        json_write_object_open(&w);
        json_put_u64(&w, "order_id", 1000000 + i);
        json_put_text(&w, "symbol", i % 2 ? "WEIR-USD" : "SLUICE-EUR");
        json_put_text(&w, "side", "buy");
        json_put_i64(&w, "price", 1234500 + (int64_t)(i % 1000));
        json_put_u64(&w, "quantity", 10 + i % 90);
        json_put_bool(&w, "post_only", i % 3 == 0);
        json_put_text(&w, "note", "a longer text without anything to escape, as notes and descriptions are");
        json_write_object_close(&w);
    }
    json_write_array_close(&w);
    b->step = t.size;
}

static void bench_json(void) {
    struct buffer b = {malloc(8 << 20), 8 << 20, 0};
    double write_s = best(json_write_work, &b);
    report("json_write", "mb_per_s", (double)b.step * 1e-6 / write_s);
    b.size = b.step;
    report("json_read", "mb_per_s", (double)b.size * 1e-6 / best(json_read_work, &b));
    free(b.data);
}

static void histogram_work(void *arg) {
    struct histogram *h = arg;
    uint64_t x = 1;
    for (int i = 0; i < 1000000; i++) {
        x = x * 6364136223846793005u + 1442695040888963407u;
        histogram_record(h, x >> 44);
    }
}

static void bench_histogram(void) {
    static uint64_t memory[HISTOGRAM_BUCKETS_MAX];
    struct histogram h;
    histogram_init(&h, memory, HISTOGRAM_BUCKETS_MAX);
    report("histogram_record", "ns", 1e3 * best(histogram_work, &h));
    sink += h.count;
}

struct map_job {
    struct map64 map;
    uint64_t *keys;
    size_t count, rounds;
};

static void map_find_work(void *arg) {
    struct map_job *j = arg;
    for (size_t r = 0; r < j->rounds; r++)
        for (size_t i = 0; i < j->count; i++)
            sink += *map64_find(&j->map, j->keys[i]);
}
static void map_miss_work(void *arg) {
    struct map_job *j = arg;
    for (size_t r = 0; r < j->rounds; r++)
        for (size_t i = 0; i < j->count; i++)
            sink += map64_find(&j->map, ~j->keys[i]) != NULL;
}
static void map_churn_work(void *arg) {
    struct map_job *j = arg;
    for (size_t r = 0; r < j->rounds; r++)
        for (size_t i = 0; i < j->count; i++) {
            sink += map64_erase(&j->map, j->keys[i]);
            sink += map64_put(&j->map, j->keys[i], i);
        }
}

static void bench_map(size_t count) {
    struct map_job j = {.keys = malloc(count * sizeof(uint64_t)), .count = count, .rounds = 1 + 1000000 / count};
    struct prng p = prng_seed(1);
    char what[40];
    if (!map64_init(&j.map, &(struct map_options){.capacity = count, .seed = 1})) return;
    for (size_t i = 0; i < count; i++) {
        j.keys[i] = prng_next(&p);
        sink += map64_put(&j.map, j.keys[i], i);
    }
    double operations = (double)count * (double)j.rounds;
    snprintf(what, sizeof what, "map64_find_%zu", count);
    report(what, "ns", 1e9 * best(map_find_work, &j) / operations);
    snprintf(what, sizeof what, "map64_miss_%zu", count);
    report(what, "ns", 1e9 * best(map_miss_work, &j) / operations);
    snprintf(what, sizeof what, "map64_erase_put_%zu", count);
    report(what, "ns", 1e9 * best(map_churn_work, &j) / operations);
    map64_done(&j.map);
    free(j.keys);
}

#define MESSAGES 5000000

static void *ring_writer(void *arg) {
    struct byte_ring *r = arg;
    uint64_t message[4] = {0};
    for (uint64_t i = 0; i < MESSAGES;) {
        message[0] = i;
        if (byte_ring_send(r, weir_slice(message, sizeof message), 1))
            i++;
        else
            sched_yield();
    }
    return NULL;
}

static void ring_work(void *arg) {
    struct byte_ring *r = arg;
    pthread_t thread;
    if (pthread_create(&thread, NULL, ring_writer, r) != 0) return;
    struct weir_slice m;
    uint32_t tag;
    for (uint64_t i = 0; i < MESSAGES;) {
        if (byte_ring_peek(r, &m, &tag)) {
            sink += m.data[0];
            byte_ring_release(r);
            i++;
        } else {
            sched_yield();
        }
    }
    pthread_join(thread, NULL);
}

static void ring_alone_work(void *arg) {
    struct byte_ring *r = arg;
    uint64_t message[4] = {0};
    struct weir_slice m;
    uint32_t tag;
    for (uint64_t i = 0; i < MESSAGES; i++) {
        sink += byte_ring_send(r, weir_slice(message, sizeof message), 1);
        sink += byte_ring_peek(r, &m, &tag);
        byte_ring_release(r);
    }
}

static void bench_ring(void) {
    size_t size = 1 << 18;
    struct byte_ring r;
    void *memory = malloc(size);
    byte_ring_init(&r, memory, size);
    report("byte_ring_one_thread_32B", "m_per_s", MESSAGES * 1e-6 / best(ring_alone_work, &r));
    report("byte_ring_two_threads_32B", "m_per_s", MESSAGES * 1e-6 / best(ring_work, &r));
    free(memory);
}

/* Push and pop of one owner: what work costs that nobody steals. The pool's usual case is a few items at a time. */
#define DEQUE_SLOTS 256
#define DEQUE_BATCH 8

struct deque_bench {
    struct deque d;
    uint64_t slots[DEQUE_SLOTS];
    bool (*pop)(struct deque *d, uint64_t *ret_item);
};

static void deque_alone_work(void *arg) {
    struct deque_bench *b = arg;
    uint64_t item = 0;
    for (uint64_t i = 0; i < MESSAGES; i += DEQUE_BATCH) {
        for (uint64_t k = 0; k < DEQUE_BATCH; k++)
            (void)deque_push(&b->d, i + k);
        while (b->pop(&b->d, &item))
            sink += item;
    }
}

static void deque_steal_work(void *arg) {
    struct deque_bench *b = arg;
    uint64_t item = 0;
    for (uint64_t i = 0; i < MESSAGES; i += DEQUE_BATCH) {
        for (uint64_t k = 0; k < DEQUE_BATCH; k++)
            (void)deque_push(&b->d, i + k);
        while (deque_steal(&b->d, &item) == DEQUE_ITEM)
            sink += item;
    }
}

/* The paper's pop, with the fence that ThreadSanitizer does not understand: what doing without it costs. */
static bool pop_fenced(struct deque *d, uint64_t *ret_item) {
    if (d->bottom == d->seen_top) return false;
    uint64_t bottom = d->bottom - 1;
    atomics_store(&d->bottom, bottom, RELAXED);
    atomics_fence(SEQ_CST);
    uint64_t top = d->seen_top = atomics_load(&d->top, RELAXED);
    int64_t others = (int64_t)(bottom - top);
    if (others > 0) {
        *ret_item = atomics_load(&d->slots[bottom & d->mask], RELAXED);
        return true;
    }
    bool mine = others == 0 && atomics_compare_exchange(&d->top, &top, bottom + 1, SEQ_CST);
    if (mine) *ret_item = atomics_load(&d->slots[bottom & d->mask], RELAXED);
    if (others == 0) d->seen_top = bottom + 1;
    atomics_store(&d->bottom, bottom + 1, RELAXED);
    return mine;
}

static void *deque_thief(void *arg) {
    struct deque_bench *b = arg;
    uint64_t item = 0, stolen = 0;
    while (stolen < MESSAGES) {
        enum deque_answer answer = deque_steal(&b->d, &item);
        stolen += answer == DEQUE_ITEM;
        if (answer == DEQUE_EMPTY) sched_yield();
    }
    return NULL;
}

/* Everything that the owner pushes is stolen. */
static void deque_stolen_work(void *arg) {
    struct deque_bench *b = arg;
    pthread_t thread;
    if (pthread_create(&thread, NULL, deque_thief, b) != 0) return;
    for (uint64_t i = 0; i < MESSAGES;) {
        if (deque_push(&b->d, i))
            i++;
        else
            sched_yield();
    }
    pthread_join(thread, NULL);
}

static void bench_deque(void) {
    static struct deque_bench b = {.pop = deque_pop};
    deque_init(&b.d, b.slots, DEQUE_SLOTS);
    report("deque_push_pop", "ns", best(deque_alone_work, &b) * 1e9 / MESSAGES);
    report("deque_push_steal_one_thread", "ns", best(deque_steal_work, &b) * 1e9 / MESSAGES);
    b.pop = pop_fenced;
    report("deque_push_pop_with_fence", "ns", best(deque_alone_work, &b) * 1e9 / MESSAGES);
    b.pop = deque_pop;
    report("deque_two_threads_all_stolen", "m_per_s", MESSAGES * 1e-6 / best(deque_stolen_work, &b));
}

WEIR_VEC(ints, uint32_t);

static void vec_work(void *arg) {
    (void)arg;
    struct ints v = {0};
    for (uint32_t i = 0; i < 10000000; i++)
        if (!ints_push(&v, i)) abort();
    sink += v.data[5];
    ints_done(&v);
}

int main(void) {
    bench_checksums();
    bench_json();
    bench_histogram();
    bench_map(1000);
    bench_map(100000);
    bench_map(4000000);
    bench_ring();
    bench_deque();
    report("vec_push_u32_10M", "ns", 1e9 * best(vec_work, NULL) / 1e7);
    return 0;
}
