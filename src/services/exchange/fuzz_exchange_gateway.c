/* The exchange's two gateways, whole sessions: a client that sends anything in any pieces, and a host that answers in
 * its own time, refuses, brings records and ends subscriptions. Whatever happens, what is sent to the client is whole
 * (SoupBinTCP with OUCH messages, or JSON), sequenced messages are numbered by counting, no more bytes are consumed
 * than came, and what is asked of the host stays within its contract. Input: u8 which gateway, then steps of {u8 what,
 * u8 size, bytes}. Covers: gateway_ouch.c gateway_feed.c ouch.c. */
#include "base/assert.h"
#include "exchange/feed.h"
#include "exchange/ouch.h"
#include "wire/soupbin.h"

#include <stdlib.h>
#include <weir/gateway.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

extern const struct weir_protocol exchange_ouch_protocol, exchange_feed_protocol;

#define PARTITIONS 4
#define ASKED_MAX  256
#define IN_MAX     4096

enum asked_kind { ASKED_COMMAND, ASKED_QUERY };
struct asked {
    enum asked_kind kind;
    uint64_t correlation;
};
struct weir_session {
    const struct weir_protocol *protocol;
    void *state;
    bool closed, full; /* full: the host takes nothing now */
    uint64_t mono_ns, wake_at_ns;
    uint32_t first, count; /* of asked */
    struct asked asked[ASKED_MAX];
    uint64_t subscriptions; /* bit per id */
    uint64_t sequenced;     /* OUCH messages sent in the sequence */
    uint8_t in[IN_MAX];
    size_t in_size;
};

/* ---- the edge, as far as a gateway sees it ---- */

void *weir_session_state(struct weir_session *s) {
    return s->state;
}
const struct weir_setting_value *weir_session_settings(struct weir_session *s) {
    static const struct weir_setting_value values[] = {
        [EXCHANGE_ACCOUNTS_MAX] = {.number = 9}, [EXCHANGE_OUCH_CANCEL] = {.number = 1}};
    (void)s;
    return values;
}
/* A password that begins with 'x' is wrong. */
enum weir_error weir_session_login(struct weir_session *s, struct weir_slice secret) {
    (void)s;
    return secret.size && secret.data[0] == 'x' ? WEIR_E_FORBIDDEN : WEIR_OK;
}
uint32_t weir_session_partition_count(struct weir_session *s) {
    (void)s;
    return PARTITIONS;
}
const char *weir_session_peer(struct weir_session *s) {
    (void)s;
    return "127.0.0.1:1";
}
uint64_t weir_session_number(struct weir_session *s) {
    (void)s;
    return 77;
}
uint64_t weir_session_mono_ns(struct weir_session *s) {
    return s->mono_ns;
}
void weir_session_close(struct weir_session *s, const char *reason) {
    WEIR_ASSERT(reason != NULL);
    s->closed = true;
}
void weir_session_wake_at(struct weir_session *s, uint64_t mono_ns) {
    s->wake_at_ns = mono_ns;
}

static void check_ouch(struct weir_session *s, struct weir_slice bytes) {
    struct weir_soupbin_packet packet;
    struct weir_ouch_response response;
    enum weir_error e = weir_soupbin_parse(bytes, WEIR_SOUPBIN_SERVER, 0, &packet);
    WEIR_ASSERT(!e && packet.size == bytes.size);
    s->sequenced += packet.type == WEIR_SOUPBIN_SEQUENCED;
    if (packet.type == WEIR_SOUPBIN_SEQUENCED || packet.type == WEIR_SOUPBIN_UNSEQUENCED)
        WEIR_ASSERT(weir_ouch_response_decode(packet.payload, &response) == WEIR_OUCH_REASON_NONE);
}
enum weir_error weir_session_send(struct weir_session *s, struct weir_slice bytes, bool text) {
    if (s->protocol == &exchange_ouch_protocol) {
        check_ouch(s, bytes);
    } else {
        struct json_reader r = json_reader(bytes, 0);
        WEIR_ASSERT(text && json_skip_value(&r));
    }
    return s->full ? WEIR_E_FULL : WEIR_OK;
}

static enum weir_error ask(struct weir_session *s, enum asked_kind kind, uint64_t correlation) {
    if (s->full || s->count == ASKED_MAX) return weir_error_context(WEIR_E_FULL, "the queue is full");
    s->asked[(s->first + s->count++) % ASKED_MAX] = (struct asked){kind, correlation};
    return WEIR_OK;
}
enum weir_error weir_session_command(struct weir_session *s, const struct weir_command *c, uint64_t correlation) {
    size_t want = c->value.size;
    WEIR_ASSERT(c->partition < PARTITIONS);
    WEIR_ASSERT(want == sizeof(struct exchange_command) || want == sizeof(struct exchange_named_command) ||
                want == sizeof(struct exchange_echoed_command));
    return ask(s, ASKED_COMMAND, correlation);
}
enum weir_error weir_session_query(struct weir_session *s, uint32_t partition,
    enum weir_error (*query)(const void *, const struct weir_request *, struct weir_answer *), struct weir_slice packed,
    uint64_t correlation) {
    WEIR_ASSERT(partition < PARTITIONS && query && packed.size > 0);
    return ask(s, ASKED_QUERY, correlation);
}
enum weir_error weir_session_subscribe(struct weir_session *s, const struct weir_subscribe *subscribe) {
    WEIR_ASSERT(subscribe->partition < PARTITIONS && subscribe->id < 64);
    if (s->full) return weir_error_context(WEIR_E_FULL, "too many subscriptions");
    s->subscriptions |= UINT64_C(1) << subscribe->id;
    return subscribe->query ? ask(s, ASKED_QUERY, subscribe->correlation) : WEIR_OK;
}
void weir_session_unsubscribe(struct weir_session *s, uint32_t id) {
    WEIR_ASSERT(id < 64);
    s->subscriptions &= ~(UINT64_C(1) << id);
}

/* ---- what happens ---- */

static void bytes_come(struct weir_session *s, struct weir_slice bytes) {
    size_t consumed = 0;
    if (s->protocol == &exchange_feed_protocol) {
        s->protocol->on_bytes(s, bytes, true, &consumed);
        WEIR_ASSERT(consumed == bytes.size);
        return;
    }
    size_t take = bytes.size < IN_MAX - s->in_size ? bytes.size : IN_MAX - s->in_size;
    if (take) memcpy(s->in + s->in_size, bytes.data, take);
    s->in_size += take;
    uint8_t *copy = malloc(s->in_size + 1); /* its own block: ASan sees a read behind it */
    WEIR_ASSERT(copy);
    memcpy(copy, s->in, s->in_size);
    s->protocol->on_bytes(s, weir_slice(copy, s->in_size), false, &consumed);
    free(copy);
    WEIR_ASSERT(consumed <= s->in_size);
    s->in_size -= consumed;
    memmove(s->in, s->in + consumed, s->in_size);
}

/* The oldest question or command is answered: well, or with an error. */
static void host_answers(struct weir_session *s, struct weir_slice value, bool is_good) {
    if (s->count == 0) return;
    struct asked asked = s->asked[s->first];
    s->first = (s->first + 1) % ASKED_MAX;
    s->count--;
    enum weir_error e = is_good ? WEIR_OK : WEIR_E_NOT_FOUND;
    struct weir_slice given = is_good ? value : weir_slice(NULL, 0);
    if (!is_good) e = weir_error_context(WEIR_E_NOT_FOUND, "it is not there");
    uint64_t facts[3] = {value.size, value.size ? value.data[0] : 0, 7};
    bool is_ouch = s->protocol == &exchange_ouch_protocol;
    if (asked.kind == ASKED_QUERY && is_good)
        given = is_ouch                        ? weir_slice(facts, sizeof facts)
                : asked.correlation >> 32 == 2 ? weir_slice("{}", 2)
                                               : weir_slice(facts, 8);
    struct exchange_reply reply = {.version = 1, .status = value.size % 5, .order_id = 4};
    if (asked.kind == ASKED_COMMAND && is_good) given = weir_slice(&reply, sizeof reply);
    uint16_t status = is_good ? (uint16_t)(200 + value.size % 2 * 209) : 404;
    if (asked.kind == ASKED_QUERY)
        s->protocol->on_answer(s, asked.correlation, e, status, given);
    else
        s->protocol->on_reply(s, asked.correlation, e, status, given);
}

/* An event as the fold writes it, its numbers from the input; `behind` of what may stand behind it. */
static void record_comes(struct weir_session *s, struct weir_slice bytes, uint64_t offset) {
    uint8_t value[sizeof(struct exchange_event) + sizeof(union exchange_trailer)] = {0};
    struct exchange_event e = {0};
    if (bytes.size < 4) return;
    size_t size = bytes.size - 4 < sizeof e - 8 ? bytes.size - 4 : sizeof e - 8;
    memcpy((uint8_t *)&e + 8, bytes.data + 4, size);
    e.type = 1 + bytes.data[0] % 20;
    e.side = bytes.data[1] & 1;
    e.flags = bytes.data[1] >> 1;
    e.reason = bytes.data[2] % 48;
    e.session = e.account = bytes.data[3] & 15;
    e.symbol = 1;
    if (e.type == EXCHANGE_EVENT_REJECTED) e.command = 1 + bytes.data[1] % 15;
    e.session_sequence = s->sequenced + 1 + bytes.data[3] / 64;
    memcpy(value, &e, sizeof e);
    static const size_t behind[] = {0, sizeof(struct exchange_echo), sizeof(struct exchange_prevented), 3};
    struct weir_record record = {.offset = offset,
        .kind = WEIR_RECORD_OUTPUT,
        .value = weir_slice(value, sizeof e + behind[bytes.data[3] >> 4 & 3])};
    s->protocol->on_record(s, bytes.data[1] % 64, &record);
}

static void happens(struct weir_session *s, uint8_t what, struct weir_slice bytes, uint64_t step) {
    switch (what & 7) {
    case 0:
    case 1:
        host_answers(s, bytes, what & 8);
        break;
    case 2:
        record_comes(s, bytes, step);
        break;
    case 3:
        s->protocol->on_live(s, bytes.size % 64, what & 8 ? WEIR_OK : weir_error_context(WEIR_E_CLOSED, "its end"));
        break;
    case 4:
        s->mono_ns += UINT64_C(1000000000) * (what >> 4);
        if (s->wake_at_ns && s->wake_at_ns <= s->mono_ns && s->protocol->on_time) s->protocol->on_time(s, s->mono_ns);
        break;
    case 5:
        s->full = what & 8;
        break;
    default:
        bytes_come(s, bytes);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static struct weir_session s;
    if (size < 1) return 0;
    s = (struct weir_session){.protocol = data[0] & 1 ? &exchange_ouch_protocol : &exchange_feed_protocol};
    s.state = calloc(1, s.protocol->session_bytes);
    WEIR_ASSERT(s.state);
    uint64_t step = 1;
    for (size_t at = 1; at + 2 <= size && !s.closed; step++) {
        uint8_t what = data[at];
        size_t take = data[at + 1] < size - at - 2 ? data[at + 1] : size - at - 2;
        happens(&s, what, weir_slice(data + at + 2, take), step);
        at += 2 + take;
    }
    s.full = false;
    if (s.protocol->on_close) s.protocol->on_close(&s);
    free(s.state);
    return 0;
}
