/* The Faktory protocol on any bytes: lines must not depend on how they are cut; a job that is taken is kept and
 * delivered as valid JSON from which the same job is read again, with every byte of its args; replies are read as
 * written. Input: byte 0 what the rest is, byte 1 the first cut, the rest is what came over the wire. Covers:
 * faktory.c, faktory_fields.c, faktory_job.c, faktory_payload.c. */
#include "base/assert.h"
#include "wire/faktory.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct weir_faktory_limits limits = {
    .line_bytes_max = 2048, .job_bytes_max = 1024, .jid_bytes_max = 64, .name_bytes_max = 64};

static char scratch_room[1 << 16];
static struct arena scratch_new(size_t size) {
    struct arena a;
    arena_init_fixed(&a, scratch_room, size);
    return a;
}

/* ---- jobs ---- */
static void read_again(struct weir_slice text, const struct weir_faktory_job *job) {
    static char room[1 << 15];
    struct weir_faktory_limits wide = limits;
    char unique[2][WEIR_FAKTORY_UNIQUE_SIZE];
    struct weir_faktory_job again;
    struct arena scratch;
    arena_init_fixed(&scratch, room, sizeof room);
    wide.job_bytes_max = SIZE_MAX;
    enum weir_error e = weir_faktory_job_parse(text, &scratch, &wide, &again);
    WEIR_ASSERT(!e);
    WEIR_ASSERT(weir_slice_equal(again.jid, job->jid) && weir_slice_equal(again.type, job->type));
    WEIR_ASSERT(weir_slice_equal(again.queue, job->queue) && weir_slice_equal(again.args, job->args));
    WEIR_ASSERT(weir_slice_equal(again.created_at, job->created_at) || job->created_at.size == 0);
    WEIR_ASSERT(again.at_ns == job->at_ns && again.retry == job->retry && again.reserve_s == job->reserve_s);
    WEIR_ASSERT(again.custom.unique_for_s == job->custom.unique_for_s && again.custom.track == job->custom.track);
    WEIR_ASSERT(weir_slice_equal(again.custom.bid, job->custom.bid) && again.queue_given);
    weir_faktory_job_unique(job, unique[0]);
    weir_faktory_job_unique(&again, unique[1]);
    WEIR_ASSERT(memcmp(unique[0], unique[1], sizeof unique[0]) == 0);
}

/* Kept, kept again, delivered, made anew from its fields: always the same job. */
static void job_round_trip(const struct weir_faktory_job *job) {
    static char kept_room[2048], room[16384];
    struct byte_writer kept = byte_writer(kept_room, job->text.size + WEIR_FAKTORY_STORE_BYTES);
    weir_faktory_job_store(job, 1, &kept);
    WEIR_ASSERT(!kept.failed);
    read_again(byte_writer_slice(&kept), job);
    struct weir_slice texts = weir_slice(job->text.data, job->text.size < 300 ? job->text.size : 300);
    struct weir_faktory_failure failure = {
        .count = (uint32_t)job->text.size & 1, .remaining = 1, .failed_at_ns = 1, .errtype = texts, .message = texts};
    struct byte_writer out = byte_writer(room, kept.at + WEIR_FAKTORY_DELIVER_BYTES + 2 * 6 * texts.size);
    weir_faktory_job_deliver(byte_writer_slice(&kept), 1, &failure, &out);
    WEIR_ASSERT(!out.failed);
    read_again(byte_writer_slice(&out), job);
    struct weir_faktory_made made = {
        job->jid, job->type, job->queue, job->args, job->at_ns, job->retry, job->reserve_s};
    struct weir_faktory_job bare = *job;
    bare.custom = (struct weir_faktory_custom){0};
    bare.created_at = weir_slice(NULL, 0);
    out = byte_writer(room, sizeof room);
    weir_faktory_job_make(&made, &out);
    WEIR_ASSERT(!out.failed);
    read_again(byte_writer_slice(&out), &bare);
}

static void job_any(struct weir_slice bytes) {
    struct weir_faktory_job job;
    struct arena scratch = scratch_new(bytes.size + 1); /* as much room as the payload: never NO_MEMORY */
    enum weir_error e = weir_faktory_job_parse(bytes, &scratch, &limits, &job);
    WEIR_ASSERT(e == WEIR_OK || e == WEIR_E_INVALID || e == WEIR_E_TOO_LARGE);
    if (!e) job_round_trip(&job);
    scratch = scratch_new(bytes.size / 8 + 1);
    enum weir_error less = weir_faktory_job_parse(bytes, &scratch, &limits, &job);
    WEIR_ASSERT(less == e || less == WEIR_E_NO_MEMORY);
}

/* A bulk push takes exactly the jobs that would be taken one by one. */
static void jobs_any(struct weir_slice bytes) {
    struct weir_faktory_jobs jobs;
    struct weir_faktory_job job, alone;
    struct arena scratch = scratch_new(sizeof scratch_room);
    enum weir_error e;
    if (weir_faktory_jobs_open(bytes, &jobs)) return;
    while (weir_faktory_jobs_next(&jobs, &scratch, &limits, &job, &e)) {
        if (!job.text.data) continue;
        enum weir_error same = weir_faktory_job_parse(job.text, &scratch, &limits, &alone);
        WEIR_ASSERT(same == e);
        if (!e) job_round_trip(&job);
    }
    bool good = !weir_faktory_jobs_close(&jobs);
    struct json_reader whole = json_reader(bytes, JSON_DEPTH_MAX);
    while (json_next(&whole) != JSON_ERROR && whole.token != JSON_END) {
    }
    WEIR_ASSERT(good == (whole.token == JSON_END));
}

/* ---- other payloads: what is taken keeps its promises ---- */
static void payload_any(unsigned which, struct weir_slice bytes) {
    struct arena scratch = scratch_new(sizeof scratch_room);
    struct weir_faktory_hello hello;
    struct weir_faktory_fail fail;
    struct weir_faktory_beat beat;
    struct weir_faktory_mutate mutate;
    struct weir_faktory_queue queue;
    struct weir_faktory_batch batch;
    struct weir_faktory_track track;
    struct weir_slice text;
    switch (which) {
    case 0:
        if (!weir_faktory_hello_parse(bytes, &scratch, &limits, &hello)) WEIR_ASSERT(hello.wid.size <= 64);
        break;
    case 1:
        if (!weir_faktory_ack_parse(bytes, &scratch, &limits, &text)) WEIR_ASSERT(text.size && text.size <= 64);
        break;
    case 2:
        if (weir_faktory_fail_parse(bytes, &scratch, &limits, &fail)) break;
        WEIR_ASSERT(fail.errtype.size <= 100 && fail.message.size <= 1000);
        WEIR_ASSERT(utf8_valid(fail.errtype) && utf8_valid(fail.message));
        break;
    case 3:
        if (!weir_faktory_beat_parse(bytes, &scratch, &limits, &beat)) WEIR_ASSERT(beat.wid.size);
        break;
    case 4:
        if (weir_faktory_mutate_parse(bytes, &scratch, &limits, &mutate)) break;
        struct json_reader jids = json_reader(mutate.jids, 1);
        while (mutate.jids.data && weir_faktory_text_next(&jids, &scratch, &text)) {
        }
        WEIR_ASSERT(!mutate.jids.data || jids.token == JSON_ARRAY_CLOSE);
        break;
    case 5:
        if (weir_faktory_queue_parse(bytes, &queue)) break;
        while (weir_faktory_word(&queue.names, &text))
            WEIR_ASSERT(weir_faktory_is_queue(text) || text.data[0] == '*');
        break;
    case 6:
        if (weir_faktory_batch_parse(bytes, &scratch, &limits, &batch)) break;
        WEIR_ASSERT(
            batch.change == WEIR_FAKTORY_BATCH_NEW ? batch.success.size || batch.complete.size : batch.bid.size);
        break;
    default:
        if (!weir_faktory_track_parse(bytes, &scratch, &limits, &track)) WEIR_ASSERT(track.jid.size);
    }
}

/* The glob against one that tries everything. */
static bool glob_slow(struct weir_slice p, struct weir_slice t) {
    if (p.size == 0) return t.size == 0;
    struct weir_slice rest = weir_slice(p.data + 1, p.size - 1);
    if (p.data[0] == '*') return glob_slow(rest, t) || (t.size && glob_slow(p, weir_slice(t.data + 1, t.size - 1)));
    if (t.size == 0) return false;
    return (p.data[0] == '?' || p.data[0] == t.data[0]) && glob_slow(rest, weir_slice(t.data + 1, t.size - 1));
}

static void glob_any(struct weir_slice bytes, size_t cut) {
    size_t at = cut < bytes.size ? cut : bytes.size, stars = 0;
    struct weir_slice pattern = weir_slice(bytes.data, at), text = weir_slice(bytes.data + at, bytes.size - at);
    bool plain = pattern.size <= 12 && text.size <= 24;
    for (size_t i = 0; i < pattern.size; i++) {
        plain = plain && pattern.data[i] != '[' && pattern.data[i] != '\\';
        stars += pattern.data[i] == '*';
    }
    bool fast = weir_faktory_glob(pattern, text);
    if (plain && stars <= 4) WEIR_ASSERT(fast == glob_slow(pattern, text));
}

/* ---- the stream ---- */
static void lines_any(struct weir_slice bytes, size_t cut) {
    struct weir_faktory_lines whole = {.line_bytes_max = limits.line_bytes_max}, pieces = whole;
    size_t at = 0;
    for (;;) {
        struct weir_faktory_command a, b;
        size_t left = bytes.size - at, first = cut < left ? cut : left;
        enum weir_error expected = weir_faktory_command_next(&whole, weir_slice(bytes.data + at, left), &a);
        enum weir_error e = weir_faktory_command_next(&pieces, weir_slice(bytes.data + at, first), &b);
        if (e == WEIR_E_AGAIN) e = weir_faktory_command_next(&pieces, weir_slice(bytes.data + at, left), &b);
        WEIR_ASSERT(e == expected);
        if (e) return;
        WEIR_ASSERT(a.size == b.size && a.verb == b.verb && weir_slice_equal(a.payload, b.payload));
        WEIR_ASSERT(bytes.data[at + a.size - 1] == '\n' && a.size > a.name.size + a.payload.size);
        at += a.size;
    }
}

static void replies_any(struct weir_slice bytes) {
    struct weir_faktory_reply reply, again;
    static char room[8192];
    for (size_t at = 0; !weir_faktory_reply_parse(weir_slice(bytes.data + at, bytes.size - at), 2048, &reply);) {
        struct byte_writer out = byte_writer(room, sizeof room);
        switch (reply.type) {
        case WEIR_FAKTORY_REPLY_ERROR:
            weir_faktory_write_error(&out, "", reply.text);
            break;
        case WEIR_FAKTORY_REPLY_INTEGER:
            weir_faktory_write_integer(&out, reply.integer);
            break;
        case WEIR_FAKTORY_REPLY_NULL:
            weir_faktory_write_null(&out);
            break;
        default:
            weir_faktory_write_bulk(&out, reply.text);
        }
        enum weir_error e = weir_faktory_reply_parse(byte_writer_slice(&out), 4096, &again);
        WEIR_ASSERT(!e && again.size == out.at &&
                    again.integer == (again.type == WEIR_FAKTORY_REPLY_INTEGER ? reply.integer : 0));
        if (again.type == WEIR_FAKTORY_REPLY_BULK) WEIR_ASSERT(weir_slice_equal(again.text, reply.text));
        struct byte_writer small = byte_writer(room, out.at - 1);
        weir_faktory_write_bulk(&small, reply.text);
        WEIR_ASSERT(small.failed || small.at < out.at);
        at += reply.size;
    }
}

static void handshake_any(struct weir_slice bytes, size_t cut) {
    size_t at = cut < bytes.size ? cut : bytes.size;
    struct weir_slice password = weir_slice(bytes.data, at), salt = weir_slice(bytes.data + at, bytes.size - at);
    struct weir_faktory_hash once, steps;
    char text[WEIR_FAKTORY_PWDHASH_SIZE], room[1024];
    if (weir_faktory_hash_start(&once, password, salt, (uint32_t)cut)) return;
    steps = once;
    while (!weir_faktory_hash_step(&steps, 7)) {
    }
    (void)weir_faktory_hash_step(&once, UINT32_MAX);
    weir_faktory_hash_text(&steps, text);
    WEIR_ASSERT(weir_faktory_hash_equal(&once, weir_slice(text, sizeof text)));
    text[cut % sizeof text] ^= 1;
    WEIR_ASSERT(!weir_faktory_hash_equal(&once, weir_slice(text, sizeof text)));
    struct byte_writer out = byte_writer(room, sizeof room);
    struct weir_faktory_reply reply;
    weir_faktory_hi_write(&out, salt, (uint32_t)cut);
    weir_faktory_write_simple(&out, "OK");
    enum weir_error e = weir_faktory_reply_parse(byte_writer_slice(&out), sizeof room, &reply);
    WEIR_ASSERT(!e && reply.type == WEIR_FAKTORY_REPLY_SIMPLE && !out.failed);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size < 2 || size > sizeof scratch_room) return 0;
    uint8_t *copy = malloc(size);
    WEIR_ASSERT(copy);
    memcpy(copy, data, size); /* a block of their own: a byte read too many is seen */
    struct weir_slice bytes = weir_slice(copy + 2, size - 2);
    switch (copy[0] % 16) {
    case 0:
        lines_any(bytes, copy[1]);
        break;
    case 1:
        job_any(bytes);
        break;
    case 2:
        jobs_any(bytes);
        break;
    case 3:
        replies_any(bytes);
        break;
    case 4:
        handshake_any(bytes, copy[1]);
        break;
    case 5:
        glob_any(bytes, copy[1]);
        break;
    default:
        payload_any(copy[0] % 16 % 8, bytes);
    }
    free(copy);
    return 0;
}
