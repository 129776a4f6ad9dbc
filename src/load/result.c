#include "load/result.h"
#include "base/text.h"
#include "sys/sys.h"

#define HISTOGRAMS    6
#define LATENCY_MAX   (UINT64_C(1) << 45) /* ten hours */
#define LATE_QUANTILE 0.99
#define BUSY_PERCENT                                                                                                   \
    95 /* above, answers wait in the kernel for the generator, which would count as the target's time */

static const struct {
    const char *key, *words;
} failures[] = {
#define LOAD_FAILURE_ROW(name, key, words) {key, words},
    LOAD_FAILURE_TABLE(LOAD_FAILURE_ROW)
#undef LOAD_FAILURE_ROW
};

const char *load_failure_key(enum load_failure failure) {
    return failures[failure].key;
}

const char *load_failure_words(enum load_failure failure) {
    return failures[failure].words;
}

static void histograms_of(struct load_result *result, struct histogram *ret[HISTOGRAMS]) {
    struct histogram *all[HISTOGRAMS] = {
        &result->latency, &result->service, &result->failed, &result->slow, &result->late, &result->connect};
    memcpy(ret, all, sizeof all);
}

enum weir_error load_result_init(struct load_result *result) {
    *result = (struct load_result){0};
    size_t count = histogram_bucket_count(LATENCY_MAX);
    void *memory = NULL;
    enum weir_error e = sys_memory_map(HISTOGRAMS * count * sizeof *result->buckets, &memory);
    if (e != WEIR_OK) return e;
    result->buckets = memory;
    struct histogram *all[HISTOGRAMS];
    histograms_of(result, all);
    for (size_t i = 0; i < HISTOGRAMS; i++)
        histogram_init(all[i], result->buckets + i * count, count);
    return WEIR_OK;
}

void load_result_done(struct load_result *result) {
    if (result->buckets)
        sys_memory_unmap(result->buckets, HISTOGRAMS * histogram_bucket_count(LATENCY_MAX) * sizeof *result->buckets);
    *result = (struct load_result){0};
}

enum weir_error load_histogram_open(struct histogram *histogram) {
    size_t count = histogram_bucket_count(LATENCY_MAX);
    void *memory = NULL;
    enum weir_error e = sys_memory_map(count * sizeof *histogram->buckets, &memory);
    if (e == WEIR_OK) histogram_init(histogram, memory, count);
    return e;
}

void load_histogram_close(struct histogram *histogram) {
    if (histogram->buckets) sys_memory_unmap(histogram->buckets, histogram->bucket_count * sizeof *histogram->buckets);
    *histogram = (struct histogram){0};
}

void load_result_merge(struct load_result *result, const struct load_result *from) {
    struct histogram *to_all[HISTOGRAMS], *from_all[HISTOGRAMS];
    histograms_of(result, to_all);
    histograms_of((struct load_result *)(uintptr_t)from, from_all);
    for (size_t i = 0; i < HISTOGRAMS; i++)
        histogram_merge(to_all[i], from_all[i]);
    uint64_t *to = (uint64_t *)&result->counts;
    const uint64_t *add = (const uint64_t *)&from->counts;
    for (size_t i = 0; i < sizeof result->counts / sizeof *to; i++)
        to[i] += add[i];
    /* The busiest thread decides whether the generator kept up. */
    if (from->run_ns && (!result->run_ns || from->busy_ns * result->run_ns > result->busy_ns * from->run_ns)) {
        result->busy_ns = from->busy_ns;
        result->run_ns = from->run_ns;
    }
    if (!result->first_failure[0]) memcpy(result->first_failure, from->first_failure, sizeof result->first_failure);
}

uint64_t load_result_failures(const struct load_result *result) {
    uint64_t sum = 0;
    for (int i = 0; i < LOAD_FAILURES; i++)
        sum += result->counts.failed[i];
    return sum;
}

const char *load_result_invalid(const struct load_result *result, char text[200]) {
    uint64_t late = histogram_quantile(&result->late, LATE_QUANTILE);
    struct text_builder t = text_builder(text, 200);
    if (late > result->late_max_ns) {
        text_printf(&t,
            "the generator itself sent 1 %% of the requests more than %.1f ms late (at most %.1f ms are allowed)",
            (double)late / 1e6, (double)result->late_max_ns / 1e6);
        return text;
    }
    if (result->busy_ns > result->run_ns / 100 * BUSY_PERCENT && result->run_ns > SYS_NANOS_PER_S / 10) {
        text_printf(&t, "a thread of the generator was busy %.0f %% of the time, and answers waited for it",
            100.0 * (double)result->busy_ns / (double)result->run_ns);
        return text;
    }
    return NULL;
}
