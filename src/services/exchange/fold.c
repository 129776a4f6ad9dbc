#include "exchange/fold.h"
#include "exchange/trailer.h"

#define TIMER_EXPIRY 1 /* good-till-date orders */
#define TIMER_WORK   2 /* the engine has mass work under way */
#define SAVE_MAGIC   UINT64_C(0x31676e6168637865)

/* ---- names and ids
 * ---------------------------------------------------------------------------------------------------- */

bool exchange_name(char name[EXCHANGE_NAME_SIZE], const char *text) {
    size_t size = text ? strlen(text) : 0;
    if (size == 0 || size > EXCHANGE_NAME_SIZE) return false;
    memset(name, 0, EXCHANGE_NAME_SIZE);
    memcpy(name, text, size);
    return true;
}

uint32_t exchange_partition(const char *symbol, uint32_t partition_count) {
    return weir_partition_of(weir_slice_text(symbol), partition_count);
}

uint16_t exchange_reason_status(enum exchange_reason reason) {
    switch (reason) {
    case EXCHANGE_REASON_UNKNOWN_SYMBOL:
    case EXCHANGE_REASON_UNKNOWN_ACCOUNT:
    case EXCHANGE_REASON_UNKNOWN_SESSION:
    case EXCHANGE_REASON_UNKNOWN_ORDER:
        return 404;
    case EXCHANGE_REASON_DUPLICATE_REF:
    case EXCHANGE_REASON_SYMBOL_EXISTS:
    case EXCHANGE_REASON_HALTED:
    case EXCHANGE_REASON_SUSPENDED:
    case EXCHANGE_REASON_POST_ONLY:
        return 409;
    case EXCHANGE_REASON_BUSY:
    case EXCHANGE_REASON_ORDERS_FULL:
    case EXCHANGE_REASON_LEVELS_FULL:
    case EXCHANGE_REASON_SYMBOLS_FULL:
        return 503;
    default:
        return 422;
    }
}

/* ---- life
 * --------------------------------------------------------------------------------------------------------------- */

void exchange_limits_of(const struct weir_setting_value *settings, struct exchange_limits *ret_limits) {
    *ret_limits = (struct exchange_limits){
        .orders_max = (uint32_t)settings[EXCHANGE_ORDERS_MAX].number,
        .symbols_max = (uint32_t)settings[EXCHANGE_SYMBOLS_MAX].number,
        .accounts_max = (uint32_t)settings[EXCHANGE_ACCOUNTS_MAX].number,
        .sessions_max = (uint32_t)settings[EXCHANGE_ACCOUNTS_MAX].number,
        .open_max = (uint32_t)settings[EXCHANGE_OPEN_MAX].number,
        .work_max = EXCHANGE_WORK_MAX,
        .hash_seed = 0x77656972,
    };
}

/* The fold itself, then the marks, then the engine. */
#define FOLD_HEAD ((sizeof(struct exchange_fold) + 63) & ~(size_t)63)
static size_t marks_bytes(const struct exchange_limits *limits) {
    return ((size_t)limits->sessions_max + 1) * EXCHANGE_MARKS * sizeof(struct exchange_mark);
}

size_t exchange_state_bytes(const struct weir_setting_value *settings) {
    struct exchange_limits limits;
    exchange_limits_of(settings, &limits);
    size_t core = exchange_core_size(&limits);
    return core ? FOLD_HEAD + marks_bytes(&limits) + core : 0;
}

enum weir_error exchange_open(const struct weir_open *open, void **ret_state) {
    struct exchange_limits limits;
    exchange_limits_of(open->capacity, &limits);
    struct exchange_fold *fold = open->memory;
    uint8_t *memory = open->memory;
    size_t head = FOLD_HEAD + marks_bytes(&limits);
    if (open->memory_bytes < head)
        return weir_error_context(WEIR_E_CONFIG, "exchange: a limit is outside what the engine can hold");
    *fold = (struct exchange_fold){
        .core = exchange_core_open(memory + head, open->memory_bytes - head, &limits),
        .marks = (void *)(memory + FOLD_HEAD),
        .partition = open->partition,
        .partition_count = open->partition_count,
        .expiry_timer = UINT64_MAX,
    };
    if (!fold->core) return weir_error_context(WEIR_E_CONFIG, "exchange: a limit is outside what the engine can hold");
    exchange_limits_get(fold->core, &fold->room);
    exchange_limits_of(open->settings, &fold->in_force);
    exchange_limits_enforce(fold->core, &fold->in_force, &fold->room);
    *ret_state = fold;
    return WEIR_OK;
}

uint64_t exchange_digest(const void *state) {
    const struct exchange_fold *fold = state;
    return exchange_core_digest(fold->core);
}

/* ---- snapshot
 * ------------------------------------------------------------------------------------------------------------ */

static bool sink_write(void *context, const void *bytes, size_t size) {
    return weir_sink_put(context, bytes, size) == WEIR_OK;
}

static bool source_read(void *context, void *bytes, size_t size) {
    return weir_source_get(context, bytes, size) == WEIR_OK;
}

/* The marks in use: how many, then each with its session and place. */
struct saved_mark {
    uint64_t session, place;
    struct exchange_mark mark;
};

static enum weir_error save_marks(const struct exchange_fold *fold, struct weir_sink *sink) {
    struct saved_mark saved = {0};
    enum weir_error e = WEIR_OK;
    uint32_t sessions = exchange_core_sessions_used(fold->core);
    for (saved.session = 1; saved.session <= sessions && e == WEIR_OK; saved.session++)
        for (saved.place = 0; saved.place < EXCHANGE_MARKS && e == WEIR_OK; saved.place++) {
            saved.mark = fold->marks[saved.session][saved.place];
            if (saved.mark.sequence) e = weir_sink_put(sink, &saved, sizeof saved);
        }
    saved = (struct saved_mark){0};
    return e ? e : weir_sink_put(sink, &saved, sizeof saved);
}

static enum weir_error load_marks(struct exchange_fold *fold, struct weir_source *source) {
    for (;;) {
        struct saved_mark saved;
        enum weir_error e = weir_source_get(source, &saved, sizeof saved);
        if (e || saved.session == 0) return e;
        if (saved.session > fold->room.accounts_max || saved.place >= EXCHANGE_MARKS)
            return weir_error_context(WEIR_E_NO_MEMORY,
                "exchange: the snapshot has a session of account %llu; raise exchange.accounts_max",
                (unsigned long long)saved.session);
        fold->marks[saved.session][saved.place] = saved.mark;
    }
}

enum weir_error exchange_save(const void *state, struct weir_sink *sink) {
    const struct exchange_fold *fold = state;
    uint64_t head[2] = {SAVE_MAGIC, fold->expiry_timer};
    enum weir_error e = weir_sink_put(sink, head, sizeof head);
    if (e) return e;
    e = save_marks(fold, sink);
    if (e) return e;
    if (!exchange_core_save(fold->core, sink_write, sink)) return weir_error_wrap(WEIR_E_IO, "exchange: saving");
    return WEIR_OK;
}

enum weir_error exchange_load(void *state, struct weir_source *source) {
    struct exchange_fold *fold = state;
    uint64_t head[2];
    enum weir_error e = weir_source_get(source, head, sizeof head);
    if (e) return e;
    if (head[0] != SAVE_MAGIC) return weir_error_context(WEIR_E_VERSION, "exchange: the snapshot is of another layout");
    fold->expiry_timer = head[1];
    e = load_marks(fold, source);
    if (e) return e;
    const char *why = "";
    /* What lies in the book counts, not what may be added to it. */
    exchange_limits_enforce(fold->core, &fold->room, &fold->room);
    if (!exchange_core_load(fold->core, source_read, source, &why)) {
        exchange_core_reset(fold->core);
        bool is_room = strstr(why, "settings allow") != NULL; /* no fault of the snapshot's: keep it */
        return weir_error_context(is_room ? WEIR_E_NO_MEMORY : WEIR_E_CORRUPT, "exchange: %s", why);
    }
    exchange_limits_enforce(fold->core, &fold->in_force, &fold->room);
    return WEIR_OK;
}

/* ---- apply
 * ---------------------------------------------------------------------------------------------------------------- */

static void put(struct weir_out *out, uint32_t topic, uint64_t key, const union exchange_output *o, size_t size) {
    memcpy(weir_output(out, topic, o->type, key, size, NULL), o, size);
}

static void put_event(struct exchange_fold *fold, struct weir_out *out, const struct exchange_event *event,
    struct exchange_trailers *trailers) {
    uint64_t offset = 0, sequence = event->session_sequence;
    union exchange_trailer trailer;
    size_t size = exchange_trailers_next(trailers, event, &trailer);
    uint8_t *at = weir_output(out, EXCHANGE_TOPIC_EVENTS, event->type, event->account, sizeof *event + size, &offset);
    memcpy(at, event, sizeof *event);
    if (size) memcpy(at + sizeof *event, &trailer, size);
    if (sequence % EXCHANGE_MARK_EVERY == 1)
        fold->marks[event->session][sequence / EXCHANGE_MARK_EVERY % EXCHANGE_MARKS] =
            (struct exchange_mark){sequence, offset};
}

uint64_t exchange_fold_event_offset(const struct exchange_fold *fold, uint32_t session, uint64_t sequence) {
    struct exchange_mark best = {0};
    if (session == 0 || session > fold->room.accounts_max) return 0;
    for (uint32_t i = 0; i < EXCHANGE_MARKS; i++) {
        struct exchange_mark mark = fold->marks[session][i];
        if (mark.sequence && mark.sequence <= sequence && mark.sequence > best.sequence) best = mark;
    }
    return best.offset;
}

/* Every output of the command to its topic. */
static void publish(struct exchange_fold *fold, struct weir_out *out, const union exchange_output *outputs,
    size_t count, struct exchange_trailers *trailers) {
    for (size_t i = 0; i < count; i++) {
        const union exchange_output *o = &outputs[i];
        size_t size = exchange_output_size(o->type);
        switch (o->type) {
        case EXCHANGE_EVENT_L1:
            put(out, EXCHANGE_TOPIC_L1, o->l1.symbol, o, size);
            break;
        case EXCHANGE_EVENT_L2:
            put(out, EXCHANGE_TOPIC_L2, o->l2.symbol, o, size);
            break;
        case EXCHANGE_EVENT_TRADE:
            put(out, EXCHANGE_TOPIC_TRADES, o->trade.symbol, o, size);
            break;
        case EXCHANGE_EVENT_STATE:
            put(out, EXCHANGE_TOPIC_L1, o->state.symbol, o, size);
            break;
        default:
            put_event(fold, out, &o->event, trailers);
        }
    }
}

/* What became of the order a request is about: the first order its events name, unless only makers are named. */
static void note_event(struct exchange_reply *reply, uint64_t *target, const struct exchange_event *e) {
    if (e->reason == EXCHANGE_REASON_TIME_REACHED) return; /* the command's time did that, not the command */
    if (e->type == EXCHANGE_EVENT_REJECTED) {
        reply->status = EXCHANGE_REJECTED;
        reply->reason = e->reason;
        reply->order_id = e->order_id;
        reply->client_ref = e->client_ref;
        *target = UINT64_MAX;
        return;
    }
    bool ended = e->flags & EXCHANGE_EVENT_ENDED;
    bool canceled = e->type == EXCHANGE_EVENT_CANCELED || e->type == EXCHANGE_EVENT_EXPIRED;
    reply->canceled_orders += canceled;
    if (e->type == EXCHANGE_EVENT_EXECUTED && (e->flags & EXCHANGE_EVENT_MAKER)) return;
    if (*target == 0) *target = e->order_id;
    if (e->order_id != *target) return;
    reply->order_id = e->order_id;
    reply->client_ref = e->client_ref;
    reply->executed = e->executed;
    reply->leaves = e->leaves;
    reply->status = canceled ? EXCHANGE_CANCELED : ended && e->leaves == 0 ? EXCHANGE_FILLED : EXCHANGE_OPEN;
    if (canceled) reply->reason = e->reason;
    if (e->type == EXCHANGE_EVENT_EXECUTED) reply->fills++;
}

static void answer(const struct exchange_fold *fold, struct weir_out *out, uint8_t command, uint64_t connected,
    const union exchange_output *outputs, size_t count) {
    struct exchange_reply reply = {.version = 1, .status = EXCHANGE_DONE};
    uint64_t target = 0;
    for (size_t i = 0; i < count; i++)
        if (outputs[i].type <= EXCHANGE_EVENT_EXPIRED) note_event(&reply, &target, &outputs[i].event);
    bool about_many = command >= EXCHANGE_COMMAND_MASS_CANCEL;
    if (about_many && reply.status != EXCHANGE_REJECTED)
        reply =
            (struct exchange_reply){.version = 1, .status = EXCHANGE_DONE, .canceled_orders = reply.canceled_orders};
    if (command == EXCHANGE_COMMAND_CONNECT && reply.status == EXCHANGE_DONE) reply.client_ref = connected;
    reply.order_id = exchange_public_id(reply.order_id, fold->partition, fold->partition_count);
    if (reply.fills > EXCHANGE_REPLY_FILLS_MAX) reply.fills = EXCHANGE_REPLY_FILLS_MAX;
    bool created = command == EXCHANGE_COMMAND_NEW || command == EXCHANGE_COMMAND_DEFINE;
    uint16_t status = reply.status == EXCHANGE_REJECTED ? exchange_reason_status(reply.reason) : created ? 201 : 200;
    uint8_t *at = weir_reply(out, status, sizeof reply + reply.fills * sizeof(struct exchange_fill));
    memcpy(at, &reply, sizeof reply);
    at += sizeof reply;
    uint32_t left = reply.fills;
    for (size_t i = 0; left > 0 && i < count; i++) {
        const struct exchange_event *e = &outputs[i].event;
        if (outputs[i].type != EXCHANGE_EVENT_EXECUTED || (e->flags & EXCHANGE_EVENT_MAKER)) continue;
        struct exchange_fill fill = {e->price, e->quantity, e->match_id};
        memcpy(at, &fill, sizeof fill);
        at += sizeof fill;
        left--;
    }
}

/* The symbol a named command means. A name nobody defined must not turn into "every symbol", which 0 may mean. */
static void resolve(const struct exchange_fold *fold, struct exchange_named_command *named) {
    if (named->name[0] == 0) return;
    uint32_t number = exchange_core_symbol_find(fold->core, named->name);
    named->command.symbol = number ? number : UINT32_MAX;
}

/* A connection that lost its session to another has nothing to end, and the other need not hear of it. */
static bool is_stale(const struct exchange_fold *fold, const struct exchange_command *c) {
    struct exchange_session_view view;
    return c->type == EXCHANGE_COMMAND_DISCONNECT && exchange_core_session(fold->core, c->session, &view) &&
           view.account == c->account && (!view.connected || view.token != c->order_id);
}

/* False: nothing was applied. */
static bool apply_command(
    const struct exchange_fold *fold, const struct weir_record *record, struct exchange_trailers *trailers) {
    struct exchange_echoed_command echoed = {0};
    struct exchange_command *c = &echoed.named.command;
    size_t size = record->value.size;
    if (size != sizeof echoed && size != sizeof echoed.named && size != sizeof *c) {
        exchange_core_apply(fold->core, record->value.data, size, record->time_ns);
        return true;
    }
    memcpy(&echoed, record->value.data, size);
    resolve(fold, &echoed.named);
    if (record->type == EXCHANGE_RECORD_ORDER && is_stale(fold, c)) return false;
    exchange_trailers_begin(trailers, fold->core, c, size == sizeof echoed ? &echoed.echo : NULL);
    exchange_core_apply(fold->core, c, sizeof *c, record->time_ns);
    return true;
}

/* Whoever had the session before hears of its end by this event. */
static void say_connected(struct weir_out *out, const struct weir_record *record, const union exchange_output *outputs,
    size_t count, uint64_t *ret_offset) {
    struct exchange_command c;
    if (record->value.size < sizeof c) return;
    memcpy(&c, record->value.data, sizeof c);
    if (c.type != EXCHANGE_COMMAND_CONNECT) return;
    for (size_t i = 0; i < count; i++)
        if (outputs[i].type == EXCHANGE_EVENT_REJECTED) return;
    struct exchange_event event = {.type = EXCHANGE_EVENT_CONNECTED,
        .account = c.account,
        .session = c.session,
        .order_id = c.order_id,
        .time_ns = record->time_ns};
    memcpy(weir_output(out, EXCHANGE_TOPIC_EVENTS, event.type, event.account, sizeof event, ret_offset), &event,
        sizeof event);
}

static void apply_terms(const struct exchange_fold *fold, const struct weir_record *record) {
    struct exchange_terms terms;
    if (record->value.size != sizeof terms) {
        exchange_core_apply(fold->core, record->value.data, record->value.size, record->time_ns);
        return;
    }
    memcpy(&terms, record->value.data, sizeof terms);
    if (terms.type == EXCHANGE_COMMAND_ALTER) terms.symbol = exchange_core_symbol_find(fold->core, terms.name);
    exchange_core_apply(fold->core, &terms, sizeof terms, record->time_ns);
}

static void set_timers(struct exchange_fold *fold, const struct weir_record *record, struct weir_out *out) {
    uint64_t expiry = exchange_core_next_expiry(fold->core);
    if (expiry != fold->expiry_timer) {
        if (expiry == UINT64_MAX)
            weir_timer_cancel(out, TIMER_EXPIRY);
        else
            weir_timer_set(out, TIMER_EXPIRY, expiry);
        fold->expiry_timer = expiry;
    }
    if (exchange_core_unfinished(fold->core)) weir_timer_set(out, TIMER_WORK, record->time_ns);
}

static void count(struct exchange_fold *fold, struct weir_out *out) {
    struct exchange_stats s;
    exchange_core_stats(fold->core, &s);
    weir_metric_set(out, EXCHANGE_METRIC_COMMANDS, s.commands);
    weir_metric_set(out, EXCHANGE_METRIC_REJECTED, s.rejected);
    weir_metric_set(out, EXCHANGE_METRIC_TRADES, s.trades);
    weir_metric_set(out, EXCHANGE_METRIC_VOLUME, s.volume);
    weir_metric_set(out, EXCHANGE_METRIC_OPEN, s.open);
}

static void take_settings(struct exchange_fold *fold, const struct weir_out *out) {
    exchange_limits_of(weir_settings(out), &fold->in_force);
    exchange_limits_enforce(fold->core, &fold->in_force, &fold->room);
}

void exchange_apply(void *state, const struct weir_record *record, struct weir_out *out) {
    struct exchange_fold *fold = state;
    uint8_t command = record->value.size > 0 ? record->value.data[0] : 0;
    bool replies = false;
    uint64_t connected = 0;
    struct exchange_trailers trailers = {.core = fold->core};
    if (record->kind == WEIR_RECORD_SETTINGS) {
        take_settings(fold, out);
        return;
    }
    if (record->kind == WEIR_RECORD_TIMER) {
        if (record->timer_id == TIMER_EXPIRY) fold->expiry_timer = UINT64_MAX;
        struct exchange_command tick = {.type = EXCHANGE_COMMAND_TICK};
        exchange_core_apply(fold->core, &tick, sizeof tick, record->time_ns);
    } else if (record->type == EXCHANGE_RECORD_TERMS) {
        apply_terms(fold, record);
        replies = true;
    } else {
        replies = record->type == EXCHANGE_RECORD_REQUEST;
        if (!apply_command(fold, record, &trailers)) return;
    }
    size_t outputs_count = 0;
    const union exchange_output *outputs = exchange_core_outputs(fold->core, &outputs_count);
    publish(fold, out, outputs, outputs_count, &trailers);
    if (command == EXCHANGE_COMMAND_CONNECT) say_connected(out, record, outputs, outputs_count, &connected);
    if (replies) answer(fold, out, command, connected, outputs, outputs_count);
    set_timers(fold, record, out);
    count(fold, out);
}
