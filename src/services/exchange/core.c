/* The engine's region and the way of a command to its handler. */
#include "exchange/state.h"

#define ORDERS_LIMIT (UINT32_C(1) << 26)

static bool limits_fill(struct exchange_limits *l) {
    if (l->orders_max == 0) l->orders_max = 1000000;
    if (l->symbols_max == 0) l->symbols_max = 1024;
    if (l->accounts_max == 0) l->accounts_max = 65536;
    if (l->sessions_max == 0) l->sessions_max = 4096;
    if (l->levels_max == 0) l->levels_max = l->orders_max;
    if (l->orders_max > ORDERS_LIMIT || l->symbols_max > ORDERS_LIMIT || l->accounts_max > ORDERS_LIMIT) return false;
    if (l->nodes_max == 0) l->nodes_max = l->orders_max / 4 + 32 * l->symbols_max + NODES_PER_INSERT;
    if (l->open_max == 0) l->open_max = l->orders_max;
    if (l->work_max == 0) l->work_max = 1024;
    /* A level's place holds the node in 26 bits. */
    return l->sessions_max <= ORDERS_LIMIT && l->levels_max <= ORDERS_LIMIT && l->nodes_max < ORDERS_LIMIT &&
           l->work_max <= ORDERS_LIMIT && l->nodes_max > NODES_PER_INSERT;
}

static uint32_t table_size(uint32_t orders_max) {
    /* At most two thirds full. */
    uint32_t size = 64;
    while (size < orders_max + orders_max / 2)
        size *= 2;
    return size;
}

static uint32_t names_size(uint32_t symbols_max) {
    uint32_t size = 16;
    while (size < 2 * symbols_max)
        size *= 2;
    return size;
}

/* Lays the arrays out behind the header; base may be NULL to measure. */
static size_t layout(struct exchange_core *core, char *base, const struct exchange_limits *l) {
    size_t at = sizeof(struct exchange_core);
#define PLACE(member, count)                                                                                           \
    do {                                                                                                               \
        at = (at + 63) & ~(size_t)63;                                                                                  \
        if (base) core->member = (void *)(base + at);                                                                  \
        at += sizeof(*core->member) * (size_t)(count);                                                                 \
    } while (0)
    PLACE(outputs, EXCHANGE_OUTPUTS_MAX(l->work_max));
    PLACE(mass, l->sessions_max + MASS_SPARE);
    PLACE(sessions, l->sessions_max + 1);
    PLACE(accounts, l->accounts_max + 1);
    PLACE(names, names_size(l->symbols_max));
    PLACE(symbols, l->symbols_max + 1);
    PLACE(levels, l->levels_max + 1);
    PLACE(nodes, l->nodes_max + 1);
    PLACE(ids.entries, table_size(l->orders_max));
    PLACE(refs.entries, table_size(l->orders_max));
    PLACE(ids.passed, table_size(l->orders_max) / 8);
    PLACE(refs.passed, table_size(l->orders_max) / 8);
    PLACE(heap, l->orders_max + 1);
    PLACE(cold, l->orders_max + 1);
    PLACE(links, l->orders_max + 1);
    PLACE(orders, l->orders_max + 1);
#undef PLACE
    return (at + 4095) & ~(size_t)4095;
}

size_t exchange_core_size(const struct exchange_limits *limits) {
    struct exchange_limits l = *limits;
    struct exchange_core *none = NULL;
    return limits_fill(&l) ? layout(none, NULL, &l) : 0;
}

struct exchange_core *exchange_core_open(void *region, size_t size, const struct exchange_limits *limits) {
    struct exchange_limits l = *limits;
    struct exchange_core *core = region;
    if (!limits_fill(&l) || size < layout(core, NULL, &l) || ((uintptr_t)region & 63) != 0) return NULL;
    core->limits = l;
    core->region_size = layout(core, region, &l);
    core->output_next = core->outputs;
    core->mass_max = l.sessions_max + MASS_SPARE;
    core->ids.mask = core->refs.mask = table_size(l.orders_max) - 1;
    core->ids.shift = core->refs.shift = 32 - (unsigned)__builtin_ctz(table_size(l.orders_max) / 8);
    core->names_mask = names_size(l.symbols_max) - 1;
    return core;
}

void exchange_core_reset(struct exchange_core *core) {
    struct exchange_limits limits = core->limits;
    size_t size = core->region_size;
    memset(core->sessions, 0, sizeof(*core->sessions) * ((size_t)core->sessions_used + 1));
    memset(core->accounts, 0, sizeof(*core->accounts) * ((size_t)core->accounts_used + 1));
    memset(core->names, 0, sizeof(*core->names) * ((size_t)core->names_mask + 1));
    memset(core->symbols, 0, sizeof(*core->symbols) * ((size_t)core->counters.symbols + 1));
    memset(core->ids.entries, 0, sizeof(uint64_t) * ((size_t)core->ids.mask + 1));
    memset(core->refs.entries, 0, sizeof(uint64_t) * ((size_t)core->refs.mask + 1));
    memset(core->ids.passed, 0, ((size_t)core->ids.mask + 1) / 8);
    memset(core->refs.passed, 0, ((size_t)core->refs.mask + 1) / 8);
    memset(core, 0, sizeof(*core));
    (void)exchange_core_open(core, size, &limits);
}

const union exchange_output *exchange_core_outputs(const struct exchange_core *core, size_t *ret_count) {
    *ret_count = (size_t)(core->output_next - core->outputs);
    return core->outputs;
}

void core_reject(struct exchange_core *core, const struct exchange_command *c, enum exchange_reason reason) {
    core->counters.rejected++;
    /* A retransmission is no news to its session. A reference that another order of the account has is. */
    bool news = c->session && c->session <= core->limits.sessions_max && c->account &&
                core->sessions[c->session].account == c->account && !core->retransmitted;
    core_output(core)->event = (struct exchange_event){
        .type = EXCHANGE_EVENT_REJECTED,
        .side = c->side,
        .reason = (uint8_t)reason,
        .symbol = c->symbol,
        .account = c->account,
        .session = c->session,
        .order_id = c->order_id,
        .client_ref = c->client_ref,
        .price = c->price,
        .quantity = c->quantity,
        .command = c->type,
        .time_ns = core->now,
        .session_sequence = news ? core_session_sequence(core, c->session) : 0,
    };
}

static void reject_bytes(struct exchange_core *core, enum exchange_reason reason) {
    struct exchange_command nothing = {0};
    core_reject(core, &nothing, reason);
}

static void tick(struct exchange_core *core, const struct exchange_command *c) {
    /* Every command expires what is due at its time; a tick goes on with mass work besides. */
    (void)c;
    mass_continue(core);
}

typedef void handler_fn(struct exchange_core *core, const struct exchange_command *command);
static handler_fn *const handlers[] = {
    [EXCHANGE_COMMAND_NEW] = orders_new,
    [EXCHANGE_COMMAND_CANCEL] = orders_cancel,
    [EXCHANGE_COMMAND_REDUCE] = orders_reduce,
    [EXCHANGE_COMMAND_REPLACE] = orders_replace,
    [EXCHANGE_COMMAND_MASS_CANCEL] = mass_cancel,
    [EXCHANGE_COMMAND_HALT] = symbols_halt,
    [EXCHANGE_COMMAND_RESUME] = symbols_resume,
    [EXCHANGE_COMMAND_END_OF_DAY] = mass_end_of_day,
    [EXCHANGE_COMMAND_TICK] = tick,
    [EXCHANGE_COMMAND_CONNECT] = sessions_connect,
    [EXCHANGE_COMMAND_DISCONNECT] = sessions_disconnect,
    [EXCHANGE_COMMAND_SUSPEND] = accounts_suspend,
    [EXCHANGE_COMMAND_REINSTATE] = accounts_reinstate,
};

static void apply_other(struct exchange_core *core, const uint8_t *bytes, size_t size) {
    uint8_t type = size ? bytes[0] : 0;
    if (type == EXCHANGE_COMMAND_DEFINE || type == EXCHANGE_COMMAND_ALTER) {
        struct exchange_terms terms;
        if (size != sizeof(terms)) {
            reject_bytes(core, EXCHANGE_REASON_MALFORMED);
            return;
        }
        memcpy(&terms, bytes, sizeof(terms));
        if (type == EXCHANGE_COMMAND_DEFINE)
            symbols_define(core, &terms);
        else
            symbols_alter(core, &terms);
        return;
    }
    bool known = type > 0 && type < sizeof(handlers) / sizeof(handlers[0]);
    reject_bytes(core, known ? EXCHANGE_REASON_MALFORMED : EXCHANGE_REASON_UNKNOWN_COMMAND);
}

void exchange_core_apply(struct exchange_core *core, const void *record, size_t size, uint64_t time_ns) {
    core->output_next = core->outputs;
    core->work_left = core->limits.work_max;
    core->retransmitted = false;
    core->counters.commands++;
    /* The host's time does not go back; a record that does is taken at the time before. */
    if (LIKELY(time_ns > core->now)) core->now = time_ns;
    if (expiry_due(core)) expiry_run(core, core->now);
    const uint8_t *bytes = record;
    if (UNLIKELY(size != sizeof(struct exchange_command) || bytes[0] == 0 ||
                 bytes[0] >= sizeof(handlers) / sizeof(handlers[0]))) {
        apply_other(core, bytes, size);
        return;
    }
    struct exchange_command copy;
    const struct exchange_command *command = record;
    if (UNLIKELY(((uintptr_t)record & 7) != 0)) {
        memcpy(&copy, record, sizeof(copy));
        command = &copy;
    }
    handlers[bytes[0]](core, command);
}

bool exchange_core_unfinished(const struct exchange_core *core) {
    return core->mass_count || expiry_due(core);
}

uint64_t exchange_core_digest(const struct exchange_core *core) {
    const struct counters *c = &core->counters;
    uint64_t h = core->digest;
    h = digest_mix(h + c->order_id) * DIGEST_FIXED;
    h = digest_mix(h + c->priority) * DIGEST_FIXED;
    h = digest_mix(h + c->match_id) * DIGEST_FIXED;
    h = digest_mix(h + c->commands) * DIGEST_FIXED;
    h = digest_mix(h + c->volume) * DIGEST_FIXED;
    h = digest_mix(h + c->rejected) * DIGEST_FIXED;
    h = digest_mix(h + c->symbols) * DIGEST_FIXED;
    return digest_mix(h + core->now);
}
