/* notify: sends texts to URLs: the example of a service that asks for effects. README.md beside it walks through it. */
#include "notify.pb-c.h"

#include <string.h>
#include <weir/plugin.h>

#define URL_MAX  2000u
#define TEXT_MAX 4000u
#define KEPT     16384u /* of the newest notifications it is known what became of them */

enum { RECORD_SEND = 1, RECORD_RESULT = 1 }; /* of the input; of the output */
enum { TOPIC_COMMANDS, TOPIC_RESULTS };
enum { EFFECT_SEND };
enum { REASON_BUSY = 1, REASON_LENGTH };
enum state { WAITING = 1, DELIVERED, FAILED };
static const char *const state_names[] = {"", "waiting", "delivered", "failed"};

struct notification {
    uint64_t id; /* 0: none yet */
    uint32_t attempts;
    uint16_t status;
    uint8_t state, class_;
};
struct notify { /* flat: kept in snapshots as it lies in memory */
    uint64_t newest;
    struct notification ring[KEPT]; /* by id % KEPT */
};

static Weir__Notify__Notification message_of(const struct notification *n) {
    Weir__Notify__Notification m = WEIR__NOTIFY__NOTIFICATION__INIT;
    m.id = n->id;
    m.state = (char *)(uintptr_t)state_names[n->state];
    m.attempts = n->attempts;
    m.status = n->status;
    m.why = (char *)(uintptr_t)(n->attempts ? weir_effect_class_name(n->class_) : "");
    return m;
}

/* ---- the fold ---- */

/* Those for one host share a gate: when it is down, the others' go on. */
static uint64_t host_key(const char *url) {
    const char *scheme = strstr(url, "://"), *host = scheme ? scheme + 3 : url;
    return weir_hash(weir_slice(host, strcspn(host, "/")), 1) | 1; /* 0 would be none */
}

static void send_one(struct notify *notify, const Weir__Notify__Send *send, struct weir_out *out) {
    struct weir_slice url = weir_slice_text(send->url), text = weir_slice_text(send->text);
    if (url.size == 0 || url.size > URL_MAX || text.size > TEXT_MAX) {
        weir_refuse(out, REASON_LENGTH);
        return;
    }
    struct weir_effect_header type = {weir_slice_text("content-type"), weir_slice_text("text/plain; charset=utf-8")};
    struct weir_effect_request request = {
        .method = weir_slice_text("POST"), .url = url, .headers = &type, .header_count = 1, .body = text};
    struct weir_effect_options options = {.key = host_key(send->url), .tag = notify->newest + 1};
    void *room = weir_effect(out, EFFECT_SEND, &options, weir_effect_request_size(&request));
    if (!room) {
        weir_refuse(out, REASON_BUSY);
        return;
    }
    weir_effect_request_store(&request, room);
    uint64_t id = ++notify->newest;
    struct notification *n = &notify->ring[id % KEPT];
    *n = (struct notification){.id = id, .state = WAITING};
    Weir__Notify__Notification reply = message_of(n);
    weir__notify__notification__pack(&reply, weir_reply(out, 202, weir__notify__notification__get_packed_size(&reply)));
}

static void take_result(struct notify *notify, const struct weir_result *result, struct weir_out *out) {
    struct notification *n = &notify->ring[result->tag % KEPT];
    if (n->id != result->tag) return; /* so old that its place was needed */
    n->attempts = result->attempt;
    n->status = result->status;
    n->class_ = (uint8_t)result->class_;
    if (result->final) n->state = result->class_ == WEIR_EFFECT_OK ? DELIVERED : FAILED;
    weir_metric_add(out, 0, 1);
    if (!result->final) return;
    Weir__Notify__Notification m = message_of(n);
    size_t size = weir__notify__notification__get_packed_size(&m);
    weir__notify__notification__pack(&m, weir_output(out, TOPIC_RESULTS, RECORD_RESULT, n->id, size, NULL));
}

static void apply(void *state, const struct weir_record *record, struct weir_out *out) {
    struct weir_result result;
    if (weir_result(record, &result)) {
        take_result(state, &result, out);
    } else if (record->kind == WEIR_RECORD_COMMAND && record->type == RECORD_SEND) {
        const Weir__Notify__Send *send = weir_message(out, &weir__notify__send__descriptor, record->value);
        if (send) send_one(state, send, out);
    }
}

/* ---- queries ---- */
static enum weir_error query_get(const void *state, const struct weir_request *request, struct weir_answer *answer) {
    const Weir__Notify__Id *wanted = request->message;
    const struct notify *notify = state;
    const struct notification *n = &notify->ring[wanted->id % KEPT];
    if (wanted->id == 0 || n->id != wanted->id)
        return weir_error_context(WEIR_E_NOT_FOUND, "there is no notification %llu among the newest %u",
            (unsigned long long)wanted->id, KEPT);
    Weir__Notify__Notification m = message_of(n);
    size_t size = weir__notify__notification__get_packed_size(&m);
    weir__notify__notification__pack(&m, weir_answer_room(answer, size));
    weir_answer_commit(answer, size);
    return WEIR_OK;
}

/* ---- the declaration ---- */
static const struct weir_setting settings[] = {
    {"concurrency", WEIR_SETTING_UINT, "16", 1, 4096, "Requests at once.", .folded = true, .live = true},
    {"attempts", WEIR_SETTING_UINT, "5", 1, WEIR_EFFECT_ATTEMPTS_MAX, "Attempts before a notification is given up.",
        .folded = true, .live = true},
    {"secret", WEIR_SETTING_TEXT, "", .summary = "File with the secret that requests are signed with; empty: none."},
    {0},
};
static const struct weir_record_type commands[] = {
    {RECORD_SEND, "send", "Sends a text to a URL.", &weir__notify__send__descriptor},
    {0},
};
static const struct weir_record_type results[] = {
    {RECORD_RESULT, "result", "What became of a notification.", &weir__notify__notification__descriptor},
    {0},
};
static const struct weir_topic topics[] = {
    [TOPIC_COMMANDS] = {"notify.commands", WEIR_TOPIC_INPUT, commands, "What clients asked for."},
    [TOPIC_RESULTS] = {"notify.results", WEIR_TOPIC_OUTPUT, results, "Each notification's end."},
    WEIR_DEAD_TOPIC("notify"),
    {0},
};
static const struct weir_effect_row effects[] = {
    [EFFECT_SEND] = {.name = "send",
        .summary = "POSTs a text to a URL.",
        .kind = WEIR_EFFECT_HTTP,
        .request_bytes_max = URL_MAX + TEXT_MAX + 200,
        .result_bytes_max = 1024,
        .gate = {.running_max = 16, .timeout_max_ns = 10000000000},
        .key_gate = {.running_max = 8, .timeout_max_ns = 10000000000, WEIR_GATE_BREAKER},
        .backoff = {.first_ns = 500000000, .most_ns = 60000000000},
        .running_setting = "concurrency",
        .attempts_setting = "attempts",
        .secret_setting = "secret"},
    {0},
};
static const struct weir_route routes[] = {
    {WEIR_ROUTE_COMMAND, "POST", "/v1/notify/messages", "Sends a text to a URL.",
        .request = &weir__notify__send__descriptor, .response = &weir__notify__notification__descriptor,
        .type = RECORD_SEND},
    {WEIR_ROUTE_QUERY, "GET", "/v1/notify/messages/{id}", "What became of it.",
        .request = &weir__notify__id__descriptor, .response = &weir__notify__notification__descriptor,
        .query = query_get},
    {0},
};
static const struct weir_metric metrics[] = {{"results_total", WEIR_METRIC_COUNTER, "Attempts that ended."}, {0}};
static const struct weir_reason reasons[] = {
    {REASON_BUSY, "BUSY", "Too many notifications are on their way; try again later.", 503},
    {REASON_LENGTH, "LENGTH", "A URL has 1 to 2,000 bytes and a text at most 4,000.", 400}, {0}};

WEIR_SERVICE(notify) = {
    .name = "notify",
    .summary = "Texts to URLs: the example with effects.",
    .version = 1,
    .version_replays = 1,
    .settings = settings,
    .topics = topics,
    .effects = effects,
    .effects_max = 1,
    .routes = routes,
    .metrics = metrics,
    .reasons = reasons,
    .output_bytes_max = 512,
    .apply = apply,
    .flat_bytes = sizeof(struct notify),
};
