/* Payloads of the Faktory protocol other than jobs. */
#include "wire/faktory_fields.h"

static const char *const change_names[] = {
    [WEIR_FAKTORY_CLEAR] = "clear",
    [WEIR_FAKTORY_KILL] = "kill",
    [WEIR_FAKTORY_DISCARD] = "discard",
    [WEIR_FAKTORY_REQUEUE] = "requeue",
};
static const char *const set_names[] = {
    [WEIR_FAKTORY_SCHEDULED] = "scheduled",
    [WEIR_FAKTORY_RETRIES] = "retries",
    [WEIR_FAKTORY_DEAD] = "dead",
};
static const char *const queue_names[] = {
    [WEIR_FAKTORY_PAUSE] = "PAUSE",
    [WEIR_FAKTORY_RESUME] = "RESUME",
    [WEIR_FAKTORY_REMOVE] = "REMOVE",
    [WEIR_FAKTORY_LATENCY] = "LATENCY",
};
static const char *const batch_names[] = {
    [WEIR_FAKTORY_BATCH_NEW] = "NEW",
    [WEIR_FAKTORY_BATCH_OPEN] = "OPEN",
    [WEIR_FAKTORY_BATCH_COMMIT] = "COMMIT",
    [WEIR_FAKTORY_BATCH_STATUS] = "STATUS",
};
static const char *const track_names[] = {"GET", "SET"};

/* Which of the names it is. INVALID says what there is instead. */
static enum weir_error name_find(
    const char *what, struct weir_slice name, const char *const *names, size_t count, unsigned *ret_index) {
    char sentence[256];
    struct text_builder text = TEXT_BUILDER(sentence);
    for (unsigned i = 0; i < count; i++) {
        if (weir_slice_equal(name, weir_slice_text(names[i]))) {
            *ret_index = i;
            return WEIR_OK;
        }
    }
    text_add(&text, what);
    text_add(&text, ": ");
    text_add_quoted(&text, name, 32);
    for (size_t i = 0; i < count; i++)
        text_printf(&text, "%s%s", i ? ", " : " is none of ", names[i]);
    return weir_error_context(WEIR_E_INVALID, "%s", sentence);
}

/* A text that names something, so that it must be there and is bounded. */
static enum weir_error name_check(const char *what, struct weir_slice text, size_t bytes_max) {
    if (text.size == 0) return weir_error_context(WEIR_E_INVALID, "%s: it is missing", what);
    if (text.size > bytes_max)
        return weir_error_context(WEIR_E_TOO_LARGE, "%s: %zu bytes, the limit is %zu", what, text.size, bytes_max);
    return WEIR_OK;
}

enum weir_error weir_faktory_hello_parse(struct weir_slice payload, struct arena *scratch,
    const struct weir_faktory_limits *limits, struct weir_faktory_hello *ret_hello) {
    const struct faktory_field rows[] = {
        {"v", FAKTORY_INTEGER, offsetof(struct weir_faktory_hello, version), 0},
        {"hostname", FAKTORY_TEXT, offsetof(struct weir_faktory_hello, hostname), 256},
        {"wid", FAKTORY_TEXT, offsetof(struct weir_faktory_hello, wid), limits->name_bytes_max},
        {"pid", FAKTORY_INTEGER, offsetof(struct weir_faktory_hello, pid), 0},
        {"labels", FAKTORY_ARRAY, offsetof(struct weir_faktory_hello, labels), 0},
        {"username", FAKTORY_TEXT, offsetof(struct weir_faktory_hello, username), 256},
        {"pwdhash", FAKTORY_TEXT, offsetof(struct weir_faktory_hello, pwdhash), 256},
    };
    struct weir_faktory_hello hello = {0};
    enum weir_error e = faktory_object_read("HELLO", payload, scratch, rows, WEIR_ARRAY_COUNT(rows), &hello);
    if (e) return e;
    *ret_hello = hello;
    return WEIR_OK;
}

enum weir_error weir_faktory_ack_parse(struct weir_slice payload, struct arena *scratch,
    const struct weir_faktory_limits *limits, struct weir_slice *ret_jid) {
    static const struct faktory_field rows[] = {{"jid", FAKTORY_TEXT, 0, 0}};
    struct weir_slice jid = {0};
    enum weir_error e = faktory_object_read("ACK", payload, scratch, rows, 1, &jid);
    if (!e) e = name_check("jid", jid, limits->jid_bytes_max);
    if (!e) *ret_jid = jid;
    return e;
}

/* The first lines of a backtrace, without the array's brackets. */
static struct weir_slice backtrace_cut(struct weir_slice array) {
    struct json_reader r = json_reader(array, JSON_DEPTH_MAX);
    size_t begin = 0, end = 0;
    (void)json_next(&r);
    for (int lines = 0; lines < WEIR_FAKTORY_BACKTRACE_LINES_MAX && json_raw_value(&r).data; lines++) {
        if (lines == 0) begin = r.offset;
        end = r.at;
    }
    return weir_slice(array.data + begin, end - begin);
}

enum weir_error weir_faktory_fail_parse(struct weir_slice payload, struct arena *scratch,
    const struct weir_faktory_limits *limits, struct weir_faktory_fail *ret_fail) {
    static const struct faktory_field rows[] = {
        {"jid", FAKTORY_TEXT, offsetof(struct weir_faktory_fail, jid), 0},
        {"errtype", FAKTORY_TEXT, offsetof(struct weir_faktory_fail, errtype), 0},
        {"message", FAKTORY_TEXT, offsetof(struct weir_faktory_fail, message), 0},
        {"backtrace", FAKTORY_ARRAY, offsetof(struct weir_faktory_fail, backtrace), 0},
    };
    struct weir_faktory_fail fail = {0};
    enum weir_error e = faktory_object_read("FAIL", payload, scratch, rows, WEIR_ARRAY_COUNT(rows), &fail);
    if (!e) e = name_check("jid", fail.jid, limits->jid_bytes_max);
    if (e) return e;
    fail.errtype.size = utf8_cut(fail.errtype, WEIR_FAKTORY_ERRTYPE_BYTES_MAX);
    fail.message.size = utf8_cut(fail.message, WEIR_FAKTORY_MESSAGE_BYTES_MAX);
    if (fail.backtrace.data) fail.backtrace = backtrace_cut(fail.backtrace);
    *ret_fail = fail;
    return WEIR_OK;
}

enum weir_error weir_faktory_beat_parse(struct weir_slice payload, struct arena *scratch,
    const struct weir_faktory_limits *limits, struct weir_faktory_beat *ret_beat) {
    static const char *const states[] = {"", "quiet", "terminate"};
    struct {
        struct weir_slice wid, state;
        int64_t rss_kb;
    } said = {0};
    const struct faktory_field rows[] = {
        {"wid", FAKTORY_TEXT, 0, 0},
        {"current_state", FAKTORY_TEXT, sizeof(struct weir_slice), 0},
        {"rss_kb", FAKTORY_INTEGER, 2 * sizeof(struct weir_slice), 0},
    };
    unsigned state = 0;
    enum weir_error e = faktory_object_read("BEAT", payload, scratch, rows, WEIR_ARRAY_COUNT(rows), &said);
    if (!e) e = name_check("wid", said.wid, limits->name_bytes_max);
    if (!e && !weir_slice_equal(said.state, weir_slice_text("running")))
        e = name_find("current_state", said.state, states, WEIR_ARRAY_COUNT(states), &state);
    if (e) return e;
    *ret_beat =
        (struct weir_faktory_beat){.wid = said.wid, .rss_kb = said.rss_kb, .state = (enum weir_faktory_state)state};
    return WEIR_OK;
}

/* ---- MUTATE ---- */
/* Only texts, so that who reads them later need not doubt. */
static enum weir_error texts_check(const char *what, struct weir_slice array) {
    struct json_reader r = json_reader(array, 1);
    (void)json_next(&r);
    while (json_next(&r) == JSON_STRING) {
    }
    if (r.token == JSON_ARRAY_CLOSE) return WEIR_OK;
    return weir_error_context(WEIR_E_INVALID, "%s: expected an array of strings", what);
}

static enum weir_error filter_parse(struct weir_slice text, struct arena *scratch,
    const struct weir_faktory_limits *limits, struct weir_faktory_mutate *mutate) {
    const struct faktory_field rows[] = {
        {"jids", FAKTORY_ARRAY, offsetof(struct weir_faktory_mutate, jids), 0},
        {"jobtype", FAKTORY_TEXT, offsetof(struct weir_faktory_mutate, type), limits->name_bytes_max},
        {"regexp", FAKTORY_TEXT, offsetof(struct weir_faktory_mutate, pattern), limits->name_bytes_max},
    };
    enum weir_error e = faktory_object_read("filter", text, scratch, rows, WEIR_ARRAY_COUNT(rows), mutate);
    if (!e && mutate->jids.data) e = texts_check("jids", mutate->jids);
    return e;
}

enum weir_error weir_faktory_mutate_parse(struct weir_slice payload, struct arena *scratch,
    const struct weir_faktory_limits *limits, struct weir_faktory_mutate *ret_mutate) {
    struct {
        struct weir_slice change, target, filter;
    } said = {0};
    static const struct faktory_field rows[] = {
        {"cmd", FAKTORY_TEXT, 0, 0},
        {"target", FAKTORY_TEXT, sizeof(struct weir_slice), 0},
        {"filter", FAKTORY_OBJECT, 2 * sizeof(struct weir_slice), 0},
    };
    struct weir_faktory_mutate mutate = {0};
    unsigned change = 0, target = 0;
    enum weir_error e = faktory_object_read("MUTATE", payload, scratch, rows, WEIR_ARRAY_COUNT(rows), &said);
    if (!e) e = name_find("cmd", said.change, change_names, WEIR_ARRAY_COUNT(change_names), &change);
    if (!e) e = name_find("target", said.target, set_names, WEIR_ARRAY_COUNT(set_names), &target);
    if (!e && said.filter.data) e = filter_parse(said.filter, scratch, limits, &mutate);
    if (e) return e;
    mutate.change = (enum weir_faktory_change)change;
    mutate.target = (enum weir_faktory_set)target;
    *ret_mutate = mutate;
    return WEIR_OK;
}

bool weir_faktory_text_next(struct json_reader *array, struct arena *scratch, struct weir_slice *ret_text) {
    if (array->at == 0) (void)json_next(array);
    if (json_next(array) != JSON_STRING) return false;
    *ret_text = json_text(array, scratch);
    return true;
}

/* Whether a byte is of the class that begins at pattern[*at] == '['; *at moves behind its end. */
static bool class_match(struct weir_slice pattern, size_t *at, uint8_t byte) {
    const uint8_t *p = pattern.data;
    size_t i = *at + 1;
    bool negated = i < pattern.size && p[i] == '^', found = false;
    i += negated;
    for (; i < pattern.size && p[i] != ']'; i++) {
        if (p[i] == '\\' && i + 1 < pattern.size) i++;
        uint8_t low = p[i], high = low;
        if (i + 2 < pattern.size && p[i + 1] == '-' && p[i + 2] != ']') {
            high = p[i + 2];
            i += 2;
        }
        found |= low <= high ? byte >= low && byte <= high : byte >= high && byte <= low;
    }
    *at = i < pattern.size ? i + 1 : i;
    return found != negated;
}

/* Whether pattern[*at...] that is no star fits the byte; *at moves on. */
static bool one_match(struct weir_slice pattern, size_t *at, uint8_t byte) {
    uint8_t c = pattern.data[*at];
    if (c == '[') return class_match(pattern, at, byte);
    if (c == '\\' && *at + 1 < pattern.size)
        c = pattern.data[++*at];
    else if (c == '?')
        c = byte;
    ++*at;
    return c == byte;
}

bool weir_faktory_glob(struct weir_slice pattern, struct weir_slice text) {
    size_t at = 0, in = 0, star = SIZE_MAX, star_in = 0;
    while (in < text.size) {
        if (at < pattern.size && pattern.data[at] == '*') {
            star = ++at; /* a later star makes the earlier ones' choices final */
            star_in = in;
        } else if (at < pattern.size && one_match(pattern, &at, text.data[in])) {
            in++;
        } else if (star != SIZE_MAX) {
            at = star;
            in = ++star_in;
        } else {
            return false;
        }
    }
    while (at < pattern.size && pattern.data[at] == '*')
        at++;
    return at == pattern.size;
}

/* ---- words ---- */
static enum weir_error change_word(
    const char *what, struct weir_slice *rest, const char *const *names, size_t count, unsigned *ret_change) {
    struct weir_slice word = {0};
    if (!weir_faktory_word(rest, &word)) word = weir_slice("", 0);
    return name_find(what, word, names, count, ret_change);
}

/* The one word that is left. */
static enum weir_error last_word(
    const char *what, struct weir_slice rest, size_t bytes_max, struct weir_slice *ret_word) {
    struct weir_slice word = {0}, more;
    (void)weir_faktory_word(&rest, &word);
    if (weir_faktory_word(&rest, &more))
        return weir_error_context(WEIR_E_INVALID, "%s: one is expected, not several", what);
    enum weir_error e = name_check(what, word, bytes_max);
    if (!e) *ret_word = word;
    return e;
}

enum weir_error weir_faktory_queue_parse(struct weir_slice payload, struct weir_faktory_queue *ret_queue) {
    unsigned change = 0;
    struct weir_slice rest = payload, names, name;
    enum weir_error e = change_word("QUEUE", &rest, queue_names, WEIR_ARRAY_COUNT(queue_names), &change);
    if (e) return e;
    names = rest;
    if (!weir_faktory_word(&rest, &name)) return weir_error_context(WEIR_E_INVALID, "QUEUE: it names no queue");
    do {
        if (!weir_slice_equal(name, weir_slice_text("*")) && !weir_faktory_is_queue(name))
            return weir_error_context(
                WEIR_E_INVALID, "QUEUE: a queue's name has only letters, digits, '.', '_' and '-'");
    } while (weir_faktory_word(&rest, &name));
    *ret_queue = (struct weir_faktory_queue){.change = (enum weir_faktory_queue_change)change, .names = names};
    return WEIR_OK;
}

enum weir_error weir_faktory_batch_parse(struct weir_slice payload, struct arena *scratch,
    const struct weir_faktory_limits *limits, struct weir_faktory_batch *ret_batch) {
    const struct faktory_field rows[] = {
        {"parent_bid", FAKTORY_TEXT, offsetof(struct weir_faktory_batch, parent_bid), limits->jid_bytes_max},
        {"description", FAKTORY_TEXT, offsetof(struct weir_faktory_batch, description), 1024},
        {"success", FAKTORY_OBJECT, offsetof(struct weir_faktory_batch, success), 0},
        {"complete", FAKTORY_OBJECT, offsetof(struct weir_faktory_batch, complete), 0},
    };
    struct weir_faktory_batch batch = {0};
    unsigned change = 0;
    enum weir_error e = change_word("BATCH", &payload, batch_names, WEIR_ARRAY_COUNT(batch_names), &change);
    if (e) return e;
    batch.change = (enum weir_faktory_batch_change)change;
    if (batch.change != WEIR_FAKTORY_BATCH_NEW) {
        e = last_word("BATCH: bid", payload, limits->jid_bytes_max, &batch.bid);
    } else {
        e = faktory_object_read("BATCH NEW", payload, scratch, rows, WEIR_ARRAY_COUNT(rows), &batch);
        if (!e && !batch.success.data && !batch.complete.data)
            e = weir_error_context(WEIR_E_INVALID, "BATCH NEW: it needs a success or a complete job");
    }
    if (!e) *ret_batch = batch;
    return e;
}

enum weir_error weir_faktory_track_parse(struct weir_slice payload, struct arena *scratch,
    const struct weir_faktory_limits *limits, struct weir_faktory_track *ret_track) {
    static const struct faktory_field rows[] = {
        {"jid", FAKTORY_TEXT, offsetof(struct weir_faktory_track, jid), 0},
        {"percent", FAKTORY_INTEGER, offsetof(struct weir_faktory_track, percent), 0},
        {"desc", FAKTORY_TEXT, offsetof(struct weir_faktory_track, desc), 1024},
        {"reserve_until", FAKTORY_TIME, offsetof(struct weir_faktory_track, reserve_until_ns), 0},
    };
    struct weir_faktory_track track = {.percent = -1};
    unsigned set = 0;
    enum weir_error e = change_word("TRACK", &payload, track_names, WEIR_ARRAY_COUNT(track_names), &set);
    if (e) return e;
    track.is_set = set == 1;
    if (!track.is_set) {
        e = last_word("TRACK: jid", payload, limits->jid_bytes_max, &track.jid);
    } else {
        e = faktory_object_read("TRACK SET", payload, scratch, rows, WEIR_ARRAY_COUNT(rows), &track);
        if (!e) e = name_check("jid", track.jid, limits->jid_bytes_max);
        if (!e && (track.percent < -1 || track.percent > 100))
            e = weir_error_context(WEIR_E_INVALID, "TRACK SET: percent must be 0 to 100");
    }
    if (!e) *ret_track = track;
    return e;
}
