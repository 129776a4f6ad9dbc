/* The Faktory gateway: sessions, their handshake, and the order of their answers. The verbs are in faktory_*.c.
 *
 * The password is `jobs.faktory_password`. A client proves that it knows it by a salted hash; a token is stored hashed
 * and cannot be held against that. So where tokens are asked for, the password has to be a token's secret too: the
 * session is then logged in with it and has its roles, tenant and limits, and ends when it is revoked. */
#include "jobs/faktory.h"

#include "base/encode.h"
#include "jobs/routes.h"
#include "jobs/state.h"

#define HELLO_NANOS      UINT64_C(5000000000)
#define ROUNDS_MIN       4000u /* of the hash: what Faktory asks for, 4000 to 8095 */
#define ROUNDS_SPREAD    4096u
#define ROUNDS_PER_STEP  256u /* about 100 us, so that a login holds nobody up */
#define CORRELATION_PART (UINT64_C(1) << 63)
#define PAUSED_NOT       UINT32_MAX
#define RETRY_NANOS      UINT64_C(20000000)

extern const struct weir_reason jobs_reasons[];

/* ---- saying ---- */
void faktory_say(struct weir_session *session, struct weir_slice bytes) {
    struct faktory *f = weir_session_state(session);
    if (weir_session_send(session, bytes, false)) f->phase = FAKTORY_OVER;
}

void faktory_say_ok(struct weir_session *session) {
    faktory_say(session, weir_slice_text("+OK\r\n"));
}

void faktory_say_null(struct weir_session *session) {
    faktory_say(session, weir_slice_text("$-1\r\n"));
}

void faktory_say_error(struct weir_session *session, const char *code, struct weir_slice text) {
    char room[640]; /* an error's text has at most 511 bytes */
    struct byte_writer out = byte_writer(room, sizeof room);
    weir_faktory_write_error(&out, code, text);
    faktory_say(session, byte_writer_slice(&out));
}

const char *faktory_reason_text(uint32_t reason, const char **ret_code) {
    *ret_code = reason == JOBS_E_NOT_UNIQUE ? "NOTUNIQUE" : "ERR";
    if (reason == JOBS_E_NOT_FOUND) return "Job not found"; /* in Faktory's words */
    for (const struct weir_reason *row = jobs_reasons; row->name; row++)
        if (row->code == reason) return row->sentence;
    return "it was refused";
}

void faktory_say_reason(struct weir_session *session, uint32_t reason) {
    const char *code, *text = faktory_reason_text(reason, &code);
    faktory_say_error(session, code, weir_slice_text(text));
}

static void say_state(struct weir_session *session, uint32_t state) {
    static const char *const states[] = {NULL, "{\"state\":\"quiet\"}", "{\"state\":\"terminate\"}"};
    char room[64];
    struct byte_writer out = byte_writer(room, sizeof room);
    if (state == JOBS_WORKER_RUNNING || state >= WEIR_ARRAY_COUNT(states)) {
        faktory_say_ok(session);
        return;
    }
    weir_faktory_write_bulk(&out, weir_slice_text(states[state]));
    faktory_say(session, byte_writer_slice(&out));
}

/* The last words of a session. */
static void end(struct weir_session *session, const char *why) {
    struct faktory *f = weir_session_state(session);
    f->phase = FAKTORY_OVER;
    weir_session_close(session, why);
}

/* ---- the ring of slots ---- */
static void pause_until(struct weir_session *session, uint32_t open_slots) {
    struct faktory *f = weir_session_state(session);
    f->resume_below = open_slots;
    weir_session_pause(session);
}

static void resume_if_due(struct weir_session *session) {
    struct faktory *f = weir_session_state(session);
    if (f->resume_below == PAUSED_NOT || f->tail - f->head > f->resume_below) return;
    f->resume_below = PAUSED_NOT;
    weir_session_resume(session);
}

static void say_slot(struct weir_session *session, const struct faktory_slot *slot) {
    switch ((enum faktory_answer)slot->answer) {
    case FAKTORY_ANSWER_OK:
        faktory_say_ok(session);
        break;
    case FAKTORY_ANSWER_NULL:
    case FAKTORY_ANSWER_NULL_LATER:
        faktory_say_null(session);
        break;
    case FAKTORY_ANSWER_STATE:
        say_state(session, slot->code);
        break;
    case FAKTORY_ANSWER_REASON:
        faktory_say_reason(session, slot->code);
        break;
    case FAKTORY_ANSWER_ERROR:
        faktory_say_error(session, "ERR", weir_slice_text(weir_error_sentence((enum weir_error)slot->code)));
        break;
    case FAKTORY_ANSWER_SAID:
        break;
    }
}

/* Answers the oldest slots as far as they are done. */
static void drain(struct weir_session *session) {
    struct faktory *f = weir_session_state(session);
    while (f->head != f->tail && f->phase != FAKTORY_OVER) {
        const struct faktory_slot *slot = faktory_oldest(f);
        if (slot->waits) break;
        uint64_t due_ns = slot->asked_ns + FAKTORY_WAIT_MS * FAKTORY_NANOS_PER_MS;
        if (slot->answer == FAKTORY_ANSWER_NULL_LATER && weir_session_mono_ns(session) < due_ns) {
            weir_session_wake_at(session, due_ns);
            break;
        }
        say_slot(session, slot);
        f->head++;
    }
    resume_if_due(session);
}

enum faktory_taken faktory_refuse(struct weir_session *session) {
    const struct faktory *f = weir_session_state(session);
    if (f->head != f->tail) {
        pause_until(session, 0);
        return FAKTORY_LATER;
    }
    faktory_say_error(session, "ERR", weir_slice_text(weir_error_text()));
    return FAKTORY_TAKEN;
}

/* The node takes no commands: it is about to be ready, or to stop. The line is offered again a little later, so that a
 * client that comes too early need not know. */
static void wait_for_node(struct weir_session *session) {
    struct faktory *f = weir_session_state(session);
    f->waits_for_node = true;
    weir_session_pause(session);
    weir_session_wake_at(session, weir_session_mono_ns(session) + RETRY_NANOS);
}

static struct faktory_slot *open_slot(struct weir_session *session, enum weir_faktory_verb verb, uint32_t waits) {
    struct faktory *f = weir_session_state(session);
    struct faktory_slot *slot = &f->slots[f->tail++ % FAKTORY_SLOTS];
    *slot = (struct faktory_slot){
        .asked_ns = weir_session_mono_ns(session), .waits = waits, .verb = (uint8_t)verb, .answer = FAKTORY_ANSWER_OK};
    return slot;
}

static void set_error(struct faktory_slot *slot, enum weir_error error) {
    if (slot->is_settled) return;
    slot->answer = FAKTORY_ANSWER_ERROR;
    slot->code = (uint16_t)error;
}

enum faktory_taken faktory_ask(
    struct weir_session *session, enum weir_faktory_verb verb, const struct weir_command *command, bool everywhere) {
    struct faktory *f = weir_session_state(session);
    struct weir_command part = *command;
    uint32_t count = everywhere ? weir_session_partition_count(session) : 1;
    if (f->parts_sent == 0 && f->tail - f->head == FAKTORY_SLOTS) {
        pause_until(session, FAKTORY_SLOTS / 2);
        return FAKTORY_LATER;
    }
    while (f->parts_sent < count) {
        bool is_first = f->parts_sent == 0;
        if (everywhere) part.partition = f->parts_sent;
        enum weir_error e = weir_session_command(session, &part, is_first ? f->tail : f->tail - 1);
        if (e == WEIR_E_CLOSED) wait_for_node(session);
        if (e == WEIR_E_FULL || e == WEIR_E_CLOSED) return FAKTORY_LATER;
        struct faktory_slot *slot =
            is_first ? open_slot(session, verb, count) : &f->slots[(f->tail - 1) % FAKTORY_SLOTS];
        if (e) {
            slot->waits--;
            set_error(slot, e);
        }
        f->parts_sent++;
    }
    f->parts_sent = 0;
    drain(session); /* it may have been refused everywhere */
    return FAKTORY_TAKEN;
}

/* ---- errands ---- */
bool faktory_errand(struct weir_session *session, enum weir_faktory_verb verb) {
    struct faktory *f = weir_session_state(session);
    if (f->head != f->tail) {
        pause_until(session, 0);
        return false;
    }
    if (f->errand.waits) {
        weir_session_pause(session);
        return false;
    }
    if (f->errand.verb == WEIR_FAKTORY_UNKNOWN) {
        memset(&f->errand, 0, sizeof f->errand);
        f->errand.verb = (uint8_t)verb;
        f->errand.since_ns = weir_session_mono_ns(session);
    }
    return true;
}

enum faktory_taken faktory_errand_end(struct weir_session *session) {
    struct faktory *f = weir_session_state(session);
    f->errand.verb = WEIR_FAKTORY_UNKNOWN;
    return FAKTORY_TAKEN;
}

enum faktory_taken faktory_errand_fail(struct weir_session *session) {
    faktory_say_error(session, "ERR", weir_slice_text("the node did not take all of it; try again"));
    return faktory_errand_end(session);
}

static bool asked(struct weir_session *session, enum weir_error e) {
    struct faktory *f = weir_session_state(session);
    if (e == WEIR_OK) {
        f->errand.waits++;
        weir_session_pause(session);
    } else if (e == WEIR_E_CLOSED) {
        wait_for_node(session);
    } else if (e != WEIR_E_FULL) {
        f->errand.failed = true;
    }
    return e == WEIR_OK;
}

bool faktory_errand_ask(struct weir_session *session, const struct weir_command *command, uint32_t part) {
    return asked(session, weir_session_command(session, command, CORRELATION_PART | part));
}

bool faktory_errand_query(
    struct weir_session *session, uint32_t partition, faktory_query_fn query, struct weir_slice packed, uint32_t part) {
    return asked(session, weir_session_query(session, partition, query, packed, CORRELATION_PART | part));
}

static void errand_reply(struct weir_session *session, uint64_t correlation, enum weir_error error, uint16_t status,
    struct weir_slice value) {
    static void (*const parts[])(struct weir_session *, uint32_t, uint16_t, struct weir_slice) = {
        [WEIR_FAKTORY_PUSHB] = faktory_push_part,
        [WEIR_FAKTORY_FETCH] = faktory_fetch_part,
        [WEIR_FAKTORY_INFO] = faktory_info_part,
        [WEIR_FAKTORY_FLUSH] = faktory_flush_part,
        [WEIR_FAKTORY_MUTATE] = faktory_mutate_part,
        [WEIR_FAKTORY_QUEUE] = faktory_queue_part,
        [WEIR_FAKTORY_TRACK] = faktory_track_part,
    };
    struct faktory *f = weir_session_state(session);
    uint32_t part = (uint32_t)correlation;
    WEIR_ASSERT(f->errand.waits > 0);
    f->errand.waits--;
    if (error)
        f->errand.failed = true;
    else if ((size_t)f->errand.verb < WEIR_ARRAY_COUNT(parts) && parts[f->errand.verb])
        parts[f->errand.verb](session, part, status, value);
    if (f->errand.waits == 0) weir_session_resume(session);
}

/* ---- what the verbs share ---- */
struct weir_faktory_limits faktory_limits(struct weir_session *session) {
    uint64_t payload_max = weir_session_settings(session)[JOBS_SET_PAYLOAD_BYTES_MAX].number;
    if (payload_max > JOBS_PAYLOAD_MAX) payload_max = JOBS_PAYLOAD_MAX;
    return (struct weir_faktory_limits){
        .line_bytes_max = FAKTORY_LINE_BYTES_MAX,
        .job_bytes_max = (size_t)payload_max - WEIR_FAKTORY_STORE_BYTES,
        .jid_bytes_max = JOBS_JID_MAX,
        .name_bytes_max = JOBS_NAME_MAX,
    };
}

uint32_t faktory_partition(struct weir_session *session, struct weir_slice queue) {
    return jobs_route_partition(queue, weir_session_partition_count(session));
}

bool faktory_arena(struct weir_session *session, struct weir_slice payload, struct arena *ret_arena) {
    void *room = weir_session_scratch(session, payload.size + 1);
    if (!room) {
        (void)weir_error_context(WEIR_E_NO_MEMORY, "the node has no memory left to read the command");
        return false;
    }
    arena_init_fixed(ret_arena, room, payload.size + 1);
    return true;
}

/* ---- the handshake ---- */
static enum weir_error on_open(struct weir_session *session) {
    struct faktory *f = weir_session_state(session);
    char line[128];
    struct byte_writer out = byte_writer(line, sizeof line);
    f->lines.line_bytes_max = 4096; /* until it is known who it is */
    f->resume_below = PAUSED_NOT;
    f->asks_password = weir_session_settings(session)[JOBS_SET_FAKTORY_PASSWORD].text[0] != 0;
    if (f->asks_password) {
        uint64_t bits = weir_session_random(session);
        hex_encode(weir_slice(&bits, sizeof bits), f->salt);
        f->rounds = ROUNDS_MIN + (uint32_t)(weir_session_random(session) % ROUNDS_SPREAD);
    }
    weir_faktory_hi_write(&out, weir_slice(f->salt, sizeof f->salt), f->rounds);
    faktory_say(session, byte_writer_slice(&out));
    weir_session_wake_at(session, weir_session_mono_ns(session) + HELLO_NANOS);
    return WEIR_OK;
}

static void refuse_hello(struct weir_session *session, const char *text) {
    faktory_say_error(session, "ERR", weir_slice_text(text));
    end(session, text);
}

/* The worker's connections are counted where its leases are: when the last one ends, so do they. */
static struct weir_command connection_command(const struct faktory *f, uint8_t flag, uint8_t *room) {
    struct jobs_beat beat = {.worker_size = f->name_size, .flags = flag};
    memcpy(room, &beat, sizeof beat);
    memcpy(room + sizeof beat, f->name, f->name_size);
    return (struct weir_command){.type = JOBS_RECORD_BEAT, .value = weir_slice(room, sizeof beat + f->name_size)};
}

/* Logged in: the HELLO is answered when it is offered again. */
static void accept(struct weir_session *session) {
    struct faktory *f = weir_session_state(session);
    const char *password = weir_session_settings(session)[JOBS_SET_FAKTORY_PASSWORD].text;
    if (weir_session_login(session, weir_slice_text(password))) {
        refuse_hello(session,
            f->asks_password ? weir_error_text() : "this node asks for tokens: set jobs.faktory_password to one");
        return;
    }
    f->phase = FAKTORY_ACCEPTED;
    weir_session_wake_at(session, 0);
    weir_session_resume(session);
}

/* To a worker when the record which says that it is there is durable. */
static enum faktory_taken answer_hello(struct weir_session *session) {
    struct faktory *f = weir_session_state(session);
    uint8_t room[sizeof(struct jobs_beat) + JOBS_NAME_MAX];
    struct weir_command command = connection_command(f, JOBS_BEAT_OPEN, room);
    if (f->name_size && faktory_ask(session, WEIR_FAKTORY_HELLO, &command, true) == FAKTORY_LATER) {
        f->is_known = f->is_known || f->parts_sent;
        return FAKTORY_LATER;
    }
    f->is_known = f->name_size > 0;
    f->phase = FAKTORY_LIVE;
    f->lines.line_bytes_max = FAKTORY_LINE_BYTES_MAX;
    if (!f->name_size) faktory_say_ok(session);
    return FAKTORY_TAKEN;
}

static void start_check(struct weir_session *session, const struct weir_faktory_hello *hello) {
    struct faktory *f = weir_session_state(session);
    const char *password = weir_session_settings(session)[JOBS_SET_FAKTORY_PASSWORD].text;
    uint32_t rounds = hello->version < WEIR_FAKTORY_VERSION ? 1 : f->rounds;
    if (hello->pwdhash.size != sizeof f->pwdhash ||
        weir_faktory_hash_start(&f->hash, weir_slice_text(password), weir_slice(f->salt, sizeof f->salt), rounds)) {
        refuse_hello(session, "Invalid password");
        return;
    }
    memcpy(f->pwdhash, hello->pwdhash.data, sizeof f->pwdhash);
    f->phase = FAKTORY_CHECKING;
    weir_session_pause(session);
    weir_session_wake_at(session, weir_session_mono_ns(session));
}

static enum faktory_taken take_hello(struct weir_session *session, struct weir_slice payload) {
    struct faktory *f = weir_session_state(session);
    struct weir_faktory_limits limits = faktory_limits(session);
    struct weir_faktory_hello hello;
    struct arena arena;
    if (f->phase == FAKTORY_ACCEPTED) return answer_hello(session);
    if (f->phase == FAKTORY_LIVE) {
        (void)weir_error_context(WEIR_E_INVALID, "HELLO was said already");
        return faktory_refuse(session);
    }
    if (!faktory_arena(session, payload, &arena) || weir_faktory_hello_parse(payload, &arena, &limits, &hello)) {
        refuse_hello(session, weir_error_text());
        return FAKTORY_TAKEN;
    }
    f->name_size = (uint8_t)hello.wid.size;
    if (hello.wid.size) memcpy(f->name, hello.wid.data, hello.wid.size);
    if (f->asks_password)
        start_check(session, &hello);
    else
        accept(session);
    return f->phase == FAKTORY_ACCEPTED ? answer_hello(session) : FAKTORY_LATER;
}

static void check_password(struct weir_session *session) {
    struct faktory *f = weir_session_state(session);
    if (!weir_faktory_hash_step(&f->hash, ROUNDS_PER_STEP)) {
        weir_session_wake_at(session, weir_session_mono_ns(session));
        return;
    }
    if (weir_faktory_hash_equal(&f->hash, weir_slice(f->pwdhash, sizeof f->pwdhash)))
        accept(session);
    else
        refuse_hello(session, "Invalid password");
}

/* ---- in ---- */
static enum faktory_taken take_end(struct weir_session *session, struct weir_slice payload) {
    const struct faktory *f = weir_session_state(session);
    (void)payload;
    if (f->head != f->tail) {
        pause_until(session, 0);
        return FAKTORY_LATER;
    }
    end(session, "END");
    return FAKTORY_TAKEN;
}

static enum faktory_taken take(struct weir_session *session, const struct weir_faktory_command *command) {
    static enum faktory_taken (*const verbs[])(struct weir_session *, struct weir_slice) = {
        [WEIR_FAKTORY_HELLO] = take_hello,
        [WEIR_FAKTORY_PUSH] = faktory_push,
        [WEIR_FAKTORY_PUSHB] = faktory_push_many,
        [WEIR_FAKTORY_FETCH] = faktory_fetch,
        [WEIR_FAKTORY_ACK] = faktory_ack,
        [WEIR_FAKTORY_FAIL] = faktory_fail,
        [WEIR_FAKTORY_BEAT] = faktory_beat,
        [WEIR_FAKTORY_INFO] = faktory_info,
        [WEIR_FAKTORY_FLUSH] = faktory_flush,
        [WEIR_FAKTORY_END] = take_end,
        [WEIR_FAKTORY_MUTATE] = faktory_mutate,
        [WEIR_FAKTORY_QUEUE] = faktory_queue,
        [WEIR_FAKTORY_TRACK] = faktory_track,
    };
    const struct faktory *f = weir_session_state(session);
    weir_error_clear();
    if (f->phase != FAKTORY_LIVE && command->verb != WEIR_FAKTORY_HELLO) { /* as Faktory: without a word */
        end(session, "a command came before HELLO");
        return FAKTORY_TAKEN;
    }
    if ((size_t)command->verb < WEIR_ARRAY_COUNT(verbs) && verbs[command->verb])
        return verbs[command->verb](session, command->payload);
    char quoted[64];
    struct text_builder name = TEXT_BUILDER(quoted);
    text_add_quoted(&name, command->name, 32);
    (void)weir_error_context(WEIR_E_INVALID, "Unknown command %s", quoted);
    return faktory_refuse(session);
}

static void on_bytes(struct weir_session *session, struct weir_slice bytes, bool text, size_t *ret_consumed) {
    struct faktory *f = weir_session_state(session);
    size_t at = 0;
    (void)text;
    while (f->phase != FAKTORY_OVER) {
        struct weir_faktory_command command;
        enum weir_error e =
            weir_faktory_command_next(&f->lines, weir_slice(bytes.data + at, bytes.size - at), &command);
        if (e == WEIR_E_AGAIN) break;
        if (e) {
            faktory_say_error(session, "ERR", weir_slice_text(weir_error_text()));
            end(session, weir_error_text());
        } else if (take(session, &command) == FAKTORY_LATER) {
            break;
        } else {
            at += command.size;
        }
    }
    *ret_consumed = f->phase == FAKTORY_OVER ? bytes.size : at;
}

/* ---- answers ---- */
static void on_reply(struct weir_session *session, uint64_t correlation, enum weir_error error, uint16_t status,
    struct weir_slice value) {
    static void (*const fills[])(struct weir_session *, struct faktory_slot *, struct weir_slice) = {
        [WEIR_FAKTORY_HELLO] = NULL, /* OK, whatever the worker's state */
        [WEIR_FAKTORY_PUSH] = faktory_push_slot,
        [WEIR_FAKTORY_FETCH] = faktory_fetch_slot,
        [WEIR_FAKTORY_ACK] = faktory_report_slot,
        [WEIR_FAKTORY_FAIL] = faktory_report_slot,
        [WEIR_FAKTORY_BEAT] = faktory_beat_slot,
        [WEIR_FAKTORY_TRACK] = faktory_report_slot,
    };
    struct faktory *f = weir_session_state(session);
    if (f->phase == FAKTORY_OVER || correlation & FAKTORY_CORRELATION_NOBODY) return;
    if (correlation & CORRELATION_PART) {
        errand_reply(session, correlation, error, status, value);
        return;
    }
    struct faktory_slot *slot = &f->slots[correlation % FAKTORY_SLOTS];
    WEIR_ASSERT((uint32_t)correlation - f->head < f->tail - f->head && slot->waits > 0);
    slot->waits--;
    if (error) {
        set_error(slot, error);
    } else if (status >= 300 && value.size >= 3) {
        slot->answer = FAKTORY_ANSWER_REASON;
        slot->code = load_le16(value.data + 1);
    } else if (fills[slot->verb]) {
        fills[slot->verb](session, slot, value);
    }
    if (slot->waits == 0) drain(session);
}

static void on_answer(struct weir_session *session, uint64_t correlation, enum weir_error error, uint16_t status,
    struct weir_slice value) {
    const struct faktory *f = weir_session_state(session);
    if (f->phase != FAKTORY_OVER) errand_reply(session, correlation, error, status, value);
}

static void on_time(struct weir_session *session, uint64_t mono_ns) {
    struct faktory *f = weir_session_state(session);
    (void)mono_ns;
    if (f->phase == FAKTORY_GREETED) {
        end(session, "no HELLO came in time");
    } else if (f->phase == FAKTORY_CHECKING) {
        check_password(session);
    } else if (f->phase != FAKTORY_OVER) {
        drain(session);
        if (f->waits_for_node) weir_session_resume(session);
        f->waits_for_node = false;
    }
}

static void on_close(struct weir_session *session) {
    struct faktory *f = weir_session_state(session);
    uint8_t room[sizeof(struct jobs_beat) + JOBS_NAME_MAX];
    struct weir_command command = connection_command(f, JOBS_BEAT_SHUT, room);
    while (f->is_known && f->shut_sent < weir_session_partition_count(session)) {
        struct weir_command part = command;
        part.partition = f->shut_sent;
        /* A full queue: the edge calls again. Any other refusal means that the partition takes nothing any more. */
        if (weir_session_command(session, &part, FAKTORY_CORRELATION_NOBODY) == WEIR_E_FULL) return;
        f->shut_sent++;
    }
}

const struct weir_protocol jobs_faktory_protocol = {
    .name = "faktory",
    .session_bytes = sizeof(struct faktory),
    .receive_bytes_max = FAKTORY_LINE_BYTES_MAX + 1,
    .send_bytes_max = 8u << 20,
    .open = on_open,
    .on_bytes = on_bytes,
    .on_reply = on_reply,
    .on_answer = on_answer,
    .on_time = on_time,
    .on_close = on_close,
};
