/* One JSON line a codec on stdout, a table on stderr. Process CPU time of one thread, best of five runs. */
#include "wire/http.h"
#include "wire/ouch.h"
#include "wire/record_batch.h"
#include "wire/ws.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { RUNS = 5, RECORDS = 2000, ROUNDS = 500 };

static uint8_t buffer[1 << 20];
static volatile uint64_t sink; /* keeps what was computed */

static double cpu_s(void) {
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

/* One row: runs `work` (returns operations done, bytes through *ret_bytes) and prints. */
static void row(const char *name, uint64_t (*work)(uint64_t *ret_bytes)) {
    double best = 0, best_bytes = 0;
    for (int run = 0; run < RUNS; run++) {
        uint64_t bytes = 0;
        double start = cpu_s();
        uint64_t operations = work(&bytes);
        double seconds = cpu_s() - start;
        if ((double)operations / seconds > best) {
            best = (double)operations / seconds;
            best_bytes = (double)bytes / seconds;
        }
    }
    printf("{\"bench\":\"wire\",\"what\":\"%s\",\"per_s\":%.3g,\"bytes_per_s\":%.3g}\n", name, best, best_bytes);
    fprintf(stderr, "%-24s %10.2f M/s %10.1f MB/s\n", name, best / 1e6, best_bytes / 1e6);
}

static struct weir_slice batch_build(void) {
    struct weir_record_builder builder;
    struct weir_record_builder_options options = WEIR_RECORD_BUILDER_OPTIONS;
    struct weir_slice key = weir_slice("order-17", 8), value = weir_slice("0123456789abcdef0123456789abcdef", 32);
    options.base_timestamp_ms = 1700000000000;
    weir_record_builder_init(&builder, buffer, sizeof buffer, &options);
    for (int i = 0; i < RECORDS; i++) {
        if (weir_record_builder_append(&builder, 1700000000000 + i / 8, key, value, NULL, 0)) abort();
    }
    return weir_record_builder_finish(&builder);
}

static uint64_t build_work(uint64_t *ret_bytes) {
    for (int i = 0; i < ROUNDS; i++)
        *ret_bytes += batch_build().size;
    return (uint64_t)ROUNDS * RECORDS;
}

static uint64_t iterate_work(uint64_t *ret_bytes) {
    struct weir_slice bytes = batch_build();
    uint64_t count = 0, sum = 0;
    for (int i = 0; i < 4 * ROUNDS; i++) {
        struct weir_record_batch batch;
        struct weir_record_reader reader;
        struct weir_record record;
        if (weir_record_batch_parse(bytes, NULL, &batch) || weir_record_reader_init(&reader, bytes, &batch)) abort();
        while (weir_record_reader_next(&reader, &record)) {
            sum += record.value.data[0] + (uint64_t)record.offset;
            count++;
        }
        *ret_bytes += bytes.size;
    }
    sink += sum;
    return count;
}

static uint64_t validate_work(uint64_t *ret_bytes) {
    struct weir_slice bytes = batch_build();
    for (int i = 0; i < 2 * ROUNDS; i++) {
        struct weir_record_batch batch;
        if (weir_record_batch_check(bytes, NULL, &batch)) abort();
        if (weir_record_batch_validate_records(&batch, weir_record_batch_records(bytes, &batch))) abort();
        *ret_bytes += bytes.size;
    }
    return (uint64_t)2 * ROUNDS * RECORDS;
}

static const struct weir_http_limits http_limits = {
    .head_bytes_max = 16384, .target_bytes_max = 8192, .header_count_max = 64, .body_bytes_max = 1 << 20};

/* A pipeline of one request again and again, as a loaded connection looks. */
static uint64_t http_parse(const char *request, uint64_t *ret_bytes) {
    static struct weir_http_parser parser;
    size_t size = strlen(request), count = 300000;
    memcpy(buffer, request, size);
    weir_http_parser_init(&parser, &http_limits);
    for (size_t i = 0; i < count; i++) {
        if (weir_http_parser_feed(&parser, buffer, size) != WEIR_HTTP_COMPLETE) abort();
        sink += parser.request.header_count;
        weir_http_parser_reset(&parser);
    }
    *ret_bytes = size * count;
    return count;
}

static uint64_t http_small_work(uint64_t *ret_bytes) {
    return http_parse("GET /v1/exchange/book/AAPL?depth=5 HTTP/1.1\r\nHost: 127.0.0.1:7070\r\n\r\n", ret_bytes);
}

static uint64_t http_order_work(uint64_t *ret_bytes) {
    return http_parse(
        "POST /v1/exchange/orders HTTP/1.1\r\nHost: 127.0.0.1:7070\r\nUser-Agent: curl/7.88.1\r\nAccept: */*\r\n"
        "Content-Type: application/json\r\nIdempotency-Key: 3f2504e0-4f89-11d3\r\nContent-Length: 62\r\n\r\n"
        "{\"symbol\":\"AAPL\",\"side\":\"buy\",\"quantity\":100,\"price\":\"585.33\"}",
        ret_bytes);
}

static uint64_t http_write_work(uint64_t *ret_bytes) {
    size_t count = 300000;
    for (size_t i = 0; i < count; i++) {
        struct weir_http_writer writer;
        struct weir_slice out;
        weir_http_writer_init(&writer, buffer, sizeof buffer);
        weir_http_writer_status(&writer, 200, weir_slice("Sun, 06 Nov 1994 08:49:37 GMT", 29));
        weir_http_writer_header(&writer, weir_slice("Content-Type", 12), weir_slice("application/json", 16));
        weir_http_writer_body(&writer, weir_slice("{\"order_id\":\"123456789\",\"status\":\"accepted\"}", 44));
        if (weir_http_writer_finish(&writer, &out)) abort();
        *ret_bytes += out.size;
    }
    return count;
}

static uint64_t ouch_work(uint64_t *ret_bytes) {
    static const char bytes[] = "O\0\0\0\x07"
                                "B\0\0\x01\x2c"
                                "AAPL    \0\0\0\0\0\x59\x4b\xe4"
                                "0YPNNclient-order-1\0\0";
    size_t count = 3000000;
    for (size_t i = 0; i < count; i++) {
        struct weir_ouch_request request;
        if (weir_ouch_request_decode(weir_slice(bytes, sizeof bytes - 1), &request)) abort();
        sink += request.enter.price;
    }
    *ret_bytes = count * (sizeof bytes - 1);
    return count;
}

static uint64_t mask_work(uint64_t *ret_bytes) {
    static const uint8_t mask[4] = {1, 2, 3, 4};
    for (int i = 0; i < 100; i++)
        weir_ws_mask(buffer, sizeof buffer, mask, 0);
    *ret_bytes = 100 * sizeof buffer;
    return 100;
}

int main(void) {
    row("batch_build", build_work);
    row("batch_iterate", iterate_work);
    row("batch_check_validate", validate_work);
    row("http_request_small", http_small_work);
    row("http_request_order", http_order_work);
    row("http_response_write", http_write_work);
    row("ouch_enter_decode", ouch_work);
    row("ws_mask_1MiB", mask_work);
    return 0;
}
