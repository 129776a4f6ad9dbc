/* bench kafka_client: librdkafka as a load, driven by bench/kafka.py: the same program against every broker.
 *
 *     bench_kafka_client HOST:PORT produce TOPIC RECORDS SIZE [NAME=VALUE...]     throughput; each record acknowledged
 *     bench_kafka_client HOST:PORT pace    TOPIC RATE SIZE SECONDS [NAME=VALUE...] open loop; produce and end-to-end
 * latency bench_kafka_client HOST:PORT consume TOPIC RECORDS [NAME=VALUE...]          all partitions from their
 * beginning bench_kafka_client HOST:PORT first   TOPIC SIZE [NAME=VALUE...]             until one record is
 * acknowledged
 *
 * NAME=VALUE are librdkafka's settings. pace: records are due evenly, whatever the answers do, and both latencies run
 * from when a record was due; a consumer on the same topic takes them as they come. JSON on stdout; times in us.
 */
#ifdef WEIR_BENCH_PEER
#include <librdkafka/rdkafka.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define PATIENCE_MS 60000
#define SIZE_MAX_   (1u << 20)

struct latencies {
    uint32_t *us;
    size_t count, room;
};
static struct {
    const char *brokers, *topic;
    size_t size;
    uint64_t acked, failed, left;
    struct latencies produced, consumed;
    char *payload;
} b;

static void fail(const char *what, const char *why) {
    fprintf(stderr, "bench_kafka_client: %s: %s\n", what, why);
    exit(1);
}

static uint64_t now_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void add(struct latencies *l, uint64_t since_ns) {
    if (l->count < l->room) l->us[l->count++] = (uint32_t)((now_ns() - since_ns) / 1000);
}

static int by_value(const void *a, const void *c) {
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)c;
    return (x > y) - (x < y);
}

static void print_latencies(const char *name, struct latencies *l) {
    if (l->count == 0) fail(name, "no record came");
    qsort(l->us, l->count, sizeof *l->us, by_value);
    printf(", \"%s_p50_us\": %u, \"%s_p99_us\": %u, \"%s_max_us\": %u, \"%s_count\": %zu", name, l->us[l->count / 2],
        name, l->us[l->count * 99 / 100], name, l->us[l->count - 1], name, l->count);
}

/* ---- librdkafka ---- */
static void delivered(rd_kafka_t *rk, const rd_kafka_message_t *m, void *opaque) {
    (void)rk, (void)opaque;
    if (m->err && b.failed++ == 0)
        fprintf(stderr, "bench_kafka_client: not delivered: %s\n", rd_kafka_message_errstr(m));
    if (m->err) return;
    b.acked++;
    if (b.produced.room) add(&b.produced, (uint64_t)(uintptr_t)m->_private);
}

static void set(rd_kafka_conf_t *conf, const char *name, const char *value) {
    char why[256];
    if (rd_kafka_conf_set(conf, name, value, why, sizeof why) != RD_KAFKA_CONF_OK) fail(name, why);
}

static rd_kafka_t *client(rd_kafka_type_t type, int count, char **settings) {
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    char why[256];
    set(conf, "bootstrap.servers", b.brokers);
    if (type == RD_KAFKA_PRODUCER) {
        set(conf, "queue.buffering.max.messages", "1000000");
        set(conf, "message.timeout.ms", "60000");
        rd_kafka_conf_set_dr_msg_cb(conf, delivered);
    } else {
        set(conf, "group.id", "bench");
        set(conf, "enable.auto.commit", "false");
        set(conf, "queued.min.messages", "1000000");
    }
    for (int i = 0; i < count; i++) {
        char *equals = strchr(settings[i], '=');
        if (!equals) fail(settings[i], "is not NAME=VALUE");
        *equals = 0;
        bool producers_only =
            type != RD_KAFKA_PRODUCER && (strcmp(settings[i], "acks") == 0 || strncmp(settings[i], "linger", 6) == 0 ||
                                             strncmp(settings[i], "batch", 5) == 0);
        if (!producers_only) set(conf, settings[i], equals + 1);
        *equals = '=';
    }
    rd_kafka_t *rk = rd_kafka_new(type, conf, why, sizeof why);
    if (!rk) fail("librdkafka", why);
    return rk;
}

/* Records go to partitions at random, as librdkafka has it by default. `since`: when the record was due. */
static void produce(rd_kafka_t *rk, uint64_t since) {
    while (true) {
        rd_kafka_resp_err_t e = rd_kafka_producev(rk, RD_KAFKA_V_TOPIC(b.topic), RD_KAFKA_V_VALUE(b.payload, b.size),
            RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY), RD_KAFKA_V_OPAQUE((void *)(uintptr_t)since), RD_KAFKA_V_END);
        if (!e) return;
        if (e != RD_KAFKA_RESP_ERR__QUEUE_FULL) fail("produce", rd_kafka_err2str(e));
        rd_kafka_poll(rk, 10);
    }
}

static void flush(rd_kafka_t *rk) {
    if (rd_kafka_flush(rk, PATIENCE_MS) || b.failed) fail("flush", "not everything was acknowledged");
}

/* ---- shapes ---- */
static void run_produce(uint64_t records, int count, char **settings) {
    rd_kafka_t *rk = client(RD_KAFKA_PRODUCER, count, settings);
    produce(rk, 0);
    flush(rk); /* connected, and the topic known */
    uint64_t began = now_ns();
    for (uint64_t i = 0; i < records; i++) {
        produce(rk, 0);
        if (i % 256 == 0) rd_kafka_poll(rk, 0);
    }
    flush(rk);
    double s = (double)(now_ns() - began) / 1e9;
    if (b.acked != records + 1) fail("produce", "not each record was acknowledged");
    printf("{\"records_per_s\": %.0f, \"mb_per_s\": %.2f, \"seconds\": %.3f}\n", (double)records / s,
        (double)records * (double)b.size / 1e6 / s, s);
    rd_kafka_destroy(rk);
}

/* A consumer of all partitions, from their beginning or from what comes next. */
static rd_kafka_t *reader(int64_t from, int count, char **settings) {
    rd_kafka_t *rk = client(RD_KAFKA_CONSUMER, count, settings);
    const struct rd_kafka_metadata *m;
    rd_kafka_topic_t *topic = rd_kafka_topic_new(rk, b.topic, NULL);
    rd_kafka_resp_err_t e = rd_kafka_metadata(rk, 0, topic, &m, PATIENCE_MS);
    if (e || m->topic_cnt != 1 || m->topics[0].partition_cnt == 0) fail("metadata", rd_kafka_err2str(e));
    rd_kafka_topic_partition_list_t *parts = rd_kafka_topic_partition_list_new(m->topics[0].partition_cnt);
    for (int i = 0; i < m->topics[0].partition_cnt; i++) {
        int64_t low, high = from;
        if (from == RD_KAFKA_OFFSET_END) { /* where it ends now: none of what is sent later is passed over */
            e = rd_kafka_query_watermark_offsets(rk, b.topic, i, &low, &high, PATIENCE_MS);
            if (e) fail("offsets", rd_kafka_err2str(e));
        }
        rd_kafka_topic_partition_list_add(parts, b.topic, i)->offset = high;
    }
    e = rd_kafka_assign(rk, parts);
    if (e) fail("assign", rd_kafka_err2str(e));
    rd_kafka_topic_partition_list_destroy(parts);
    rd_kafka_metadata_destroy(m);
    rd_kafka_topic_destroy(topic);
    rd_kafka_poll_set_consumer(rk);
    return rk;
}

static void run_consume(uint64_t records, int count, char **settings) {
    rd_kafka_t *rk = reader(RD_KAFKA_OFFSET_BEGINNING, count, settings);
    uint64_t bytes = 0, got = 0, began = now_ns();
    while (got < records) {
        rd_kafka_message_t *m = rd_kafka_consumer_poll(rk, PATIENCE_MS);
        if (!m) fail("consume", "no record came");
        if (m->err) fail("consume", rd_kafka_message_errstr(m));
        bytes += m->len;
        got++;
        rd_kafka_message_destroy(m);
    }
    double s = (double)(now_ns() - began) / 1e9;
    printf("{\"records_per_s\": %.0f, \"mb_per_s\": %.2f, \"seconds\": %.3f}\n", (double)got / s,
        (double)bytes / 1e6 / s, s);
    rd_kafka_destroy(rk);
}

/* Takes what has come; false: nothing there. The first bytes of a record say when it was due. */
static bool take_one(rd_kafka_t *rk) {
    rd_kafka_message_t *m = rd_kafka_consumer_poll(rk, 0);
    if (!m) return false;
    if (m->err) fail("consume", rd_kafka_message_errstr(m));
    uint64_t due;
    memcpy(&due, m->payload, sizeof due);
    if (due) add(&b.consumed, due);
    rd_kafka_message_destroy(m);
    return true;
}

static void wait_until(uint64_t at) {
    uint64_t now = now_ns();
    struct timespec rest = {.tv_nsec = 100000};
    if (now < at && at - now < 100000) rest.tv_nsec = (long)(at - now);
    if (now < at) ppoll(NULL, 0, &rest, NULL); /* the library tells of records by its own call alone */
}

static void run_pace(uint64_t rate, uint64_t seconds, int count, char **settings) {
    uint64_t records = rate * seconds;
    rd_kafka_t *in = client(RD_KAFKA_PRODUCER, count, settings);
    b.produced.us = calloc(records, sizeof *b.produced.us);
    b.consumed.us = calloc(records, sizeof *b.consumed.us);
    if (!b.produced.us || !b.consumed.us) fail("pace", "no memory");
    produce(in, 0);
    flush(in);
    rd_kafka_t *out = reader(RD_KAFKA_OFFSET_END, count, settings);
    b.produced.room = b.consumed.room = records;
    uint64_t began = now_ns() + 200000000, sent = 0, end = began + (seconds + 60) * 1000000000u;
    while (b.consumed.count < records || b.acked < records + 1) {
        uint64_t due = began + sent * 1000000000u / rate;
        while (sent < records && due <= now_ns()) {
            memcpy(b.payload, &due, sizeof due);
            produce(in, due);
            due = began + ++sent * 1000000000u / rate;
        }
        rd_kafka_poll(in, 0);
        while (take_one(out))
            ;
        if (b.failed || now_ns() > end) fail("pace", "not each record came back");
        wait_until(sent < records ? due : now_ns() + 100000);
    }
    printf("{\"rate\": %llu", (unsigned long long)rate);
    print_latencies("produce", &b.produced);
    print_latencies("end_to_end", &b.consumed);
    printf("}\n");
    rd_kafka_destroy(out);
    rd_kafka_destroy(in);
}

static void run_first(uint64_t began, int count, char **settings) {
    rd_kafka_t *rk = client(RD_KAFKA_PRODUCER, count, settings);
    produce(rk, 0);
    flush(rk);
    printf("{\"first_ms\": %.2f}\n", (double)(now_ns() - began) / 1e6);
    rd_kafka_destroy(rk);
}

static uint64_t number(const char *text) {
    char *end;
    uint64_t n = strtoull(text, &end, 10);
    if (*end || n == 0) fail(text, "is no number above 0");
    return n;
}

int main(int argc, char **argv) {
    uint64_t began = now_ns();
    if (argc < 5) { /* ./x bench runs every benchmark without arguments: bench/kafka.py drives this one */
        fprintf(stderr,
            "usage: bench_kafka_client HOST:PORT produce|pace|consume|first TOPIC ...; bench/kafka.py runs it\n");
        return 0;
    }
    const char *shape = argv[2];
    bool consumes = strcmp(shape, "consume") == 0, first = strcmp(shape, "first") == 0,
         paces = strcmp(shape, "pace") == 0;
    int fixed = consumes || first ? 5 : paces ? 7 : 6;
    if (argc < fixed) fail(shape, "needs more arguments");
    b.brokers = argv[1];
    b.topic = argv[3];
    b.size = consumes ? 8 : number(argv[first ? 4 : 5]);
    if (b.size < 8 || b.size > SIZE_MAX_) fail("SIZE", "is 8 to 1048576");
    b.payload = calloc(1, b.size);
    if (!b.payload) fail("payload", "no memory");
    for (size_t i = 8; i < b.size; i++)
        b.payload[i] = (char)('a' + i % 26);
    if (consumes)
        run_consume(number(argv[4]), argc - fixed, argv + fixed);
    else if (first)
        run_first(began, argc - fixed, argv + fixed);
    else if (paces)
        run_pace(number(argv[4]), number(argv[6]), argc - fixed, argv + fixed);
    else if (strcmp(shape, "produce") == 0)
        run_produce(number(argv[4]), argc - fixed, argv + fixed);
    else
        fail(shape, "is none of produce, pace, consume, first");
    free(b.payload);
    return 0;
}
#else
#include <stdio.h>
int main(int argc, char **argv) {
    (void)argv;
    fprintf(stderr, "bench_kafka_client: built without librdkafka (./x deps test, then configure the build again)\n");
    return argc > 1 ? 77 : 0;
}
#endif
