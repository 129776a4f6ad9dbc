/* Any text as a request of the feed: it is read or refused with a sentence, and its answer is whole JSON. Any bytes as
 * a record, a reply or a session's question: what is said of them is whole JSON too. Covers: feed.c. */
#include "exchange/core.h"
#include "exchange/feed.h"
#include "host/answer.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_json(const char *text, size_t size) {
    struct json_reader r = json_reader(weir_slice(text, size), 0);
    if (!json_skip_value(&r)) abort();
}

/* The bytes as a record of one of the feed's topics, of the size its type has; and as a reply. */
static void write_records(const uint8_t *data, size_t size) {
    static const uint8_t types[] = {EXCHANGE_EVENT_L1, EXCHANGE_EVENT_L2, EXCHANGE_EVENT_TRADE, EXCHANGE_EVENT_STATE};
    uint8_t value[256] = {0};
    char text[sizeof(struct exchange_reply) * 16 + EXCHANGE_REPLY_FILLS_MAX * 64];
    memcpy(value, data, size < sizeof value ? size : sizeof value);
    for (size_t i = 0; i < sizeof types; i++)
        for (size_t bytes = 8; bytes <= 128; bytes += 8) {
            value[0] = types[i];
            struct weir_record record = {.offset = size, .value = weir_slice(value, bytes)};
            size_t written = feed_record_write(&record, "ABC", text, FEED_MESSAGE_MAX);
            if (written) check_json(text, written);
        }
    struct exchange_reply *reply = (void *)value;
    reply->fills %= 8;
    size_t written = feed_reply_write(7, 200, weir_slice(value, size % sizeof value), text, sizeof text);
    if (written) check_json(text, written);
}

/* An engine with a book of two symbols. */
static struct exchange_core *open_engine(void) {
    static const struct exchange_limits limits = {
        .orders_max = 64, .symbols_max = 3, .accounts_max = 4, .sessions_max = 4, .nodes_max = 80, .work_max = 16};
    size_t size = exchange_core_size(&limits);
    void *region = aligned_alloc(4096, size);
    memset(region, 0, size);
    struct exchange_core *core = exchange_core_open(region, size, &limits);
    struct exchange_terms terms = {.type = EXCHANGE_COMMAND_DEFINE, .name = "ABC", .tick = 1, .lot = 1};
    exchange_core_apply(core, &terms, sizeof terms, 1);
    terms.name[0] = 'X';
    exchange_core_apply(core, &terms, sizeof terms, 1);
    for (uint8_t i = 0; i < 20; i++) {
        struct exchange_command c = {.type = EXCHANGE_COMMAND_NEW, .side = i & 1, .symbol = 1, .account = 1 + (i & 1)};
        c.price = i & 1 ? 100 + i : 100 - i;
        c.quantity = i + 1u;
        exchange_core_apply(core, &c, sizeof c, 2);
    }
    return core;
}

/* What a session asks the engine: a symbol's number, and a snapshot to begin with. */
static void query(const uint8_t *data, size_t size) {
    static struct exchange_fold fold;
    if (!fold.core) fold = (struct exchange_fold){.core = open_engine(), .partition_count = 1};
    struct feed_question question = {0};
    struct arena arena;
    struct weir_answer answer;
    memcpy(&question, data, size < sizeof question ? size : sizeof question);
    struct weir_request request = {
        .scratch = &arena, .packed = weir_slice(&question, size % 5 ? sizeof question : size % 64)};
    arena_init(&arena, NULL, 16 << 10, 2 << 20);
    weir_answer_init(&answer, &arena, WEIR_ANSWER_BYTES_MAX);
    if (feed_query_number(&fold, &request, &answer) == WEIR_OK && weir_answer_slice(&answer).size != 8) abort();
    weir_answer_init(&answer, &arena, WEIR_ANSWER_BYTES_MAX);
    if (feed_query_snapshot(&fold, &request, &answer) == WEIR_OK)
        check_json((const char *)weir_answer_slice(&answer).data, weir_answer_slice(&answer).size);
    arena_done(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct feed_request r;
    const char *error = NULL;
    char text[FEED_MESSAGE_MAX];
    write_records(data, size);
    query(data, size);
    bool good = feed_request_read(weir_slice(data, size), &r, &error);
    if (good == (error != NULL)) abort();
    size_t written = good ? feed_note_write("ok", r.request, r.channel, NULL, text, sizeof(text))
                          : feed_error_write(r.request, "INVALID", error, text, sizeof(text));
    struct json_reader reader = json_reader(weir_slice(text, written), 0);
    if (written == 0 || !json_skip_value(&reader)) abort();
    if (good && (r.op == FEED_NONE || r.symbol[EXCHANGE_NAME_SIZE] != 0)) abort();
    return 0;
}
