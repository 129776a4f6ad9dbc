/* What would break users of backups: one made while services emit into each other that is no state there ever was; a
 * restore to a moment that keeps an emit without its cause, or loses one; damage that gets through; half a folder. */
#include "backup/restore.h"
#include "backup/verify.h"
#include "host/test_world.h"

#include "base/prng.h"

#define SEEDS 24u

/* A store whose puts take time, in which the node goes on and takes commands: what a backup of a running node meets. */
struct busy_store {
    struct object_store store; /* first */
    struct object_store *under;
    struct world *w;
    struct prng prng;
    uint64_t sent;
    uint32_t puts_left; /* then the store fails; UINT32_MAX: never */
};
static struct busy_store *busy;

static void send_some(struct world *w, struct prng *prng, uint64_t *sent) {
    for (uint64_t i = prng_between(prng, 0, 6); i > 0; i--) {
        struct test_value v = {.op = prng_below(prng, 4) ? OP_ADD : OP_CHANCE,
            .hops = (uint32_t)prng_between(prng, 0, 5),
            .key = prng_between(prng, 0, 63),
            .amount = 1};
        uint32_t lane = (uint32_t)prng_between(prng, 0, w->lane_count - 1);
        enum weir_error ignored =
            world_send(w, lane, (uint32_t)prng_between(prng, 0, 1), (uint32_t)prng_between(prng, 0, 1), v, ++*sent);
        (void)ignored;
    }
}

static void let_run(struct sys *sys, uint64_t ns) {
    (void)ns;
    if (busy->w->host && prng_between(&busy->prng, 0, 2) == 0) send_some(busy->w, &busy->prng, &busy->sent);
    sys_sim_run(sys, prng_between(&busy->prng, 1, 40));
    sys_sim_advance(sys, prng_between(&busy->prng, 1, 400) * 1000);
}

static enum weir_error busy_put(struct object_store *store, const char *key, struct weir_slice bytes) {
    struct busy_store *b = (struct busy_store *)store;
    if (b->puts_left == 0) return weir_error_context(WEIR_E_IO, "the store is gone");
    if (b->puts_left != UINT32_MAX) b->puts_left--;
    if (b->w->host) let_run(b->w->sys, 0);
    if (b->w->host && prng_below(&b->prng, 8) == 0) { /* so long that snapshots are replaced meanwhile */
        sys_sim_advance(b->w->sys, 1100 * SYS_NANOS_PER_MS);
        sys_sim_run(b->w->sys, 2000);
    }
    return b->under->put(b->under, key, bytes);
}
static enum weir_error busy_get(struct object_store *s, const char *key, size_t max, struct weir_slice *ret_bytes) {
    struct busy_store *b = (struct busy_store *)s;
    return b->under->get(b->under, key, max, ret_bytes);
}
static enum weir_error busy_exists(struct object_store *s, const char *key, bool *ret_exists) {
    struct busy_store *b = (struct busy_store *)s;
    return b->under->exists(b->under, key, ret_exists);
}
static enum weir_error busy_remove(struct object_store *s, const char *key) {
    struct busy_store *b = (struct busy_store *)s;
    return b->under->remove(b->under, key);
}
static enum weir_error busy_list(struct object_store *s, const char *prefix, object_list_fn fn, void *ctx) {
    struct busy_store *b = (struct busy_store *)s;
    return b->under->list(b->under, prefix, fn, ctx);
}

static void begin(struct world *w, struct busy_store *b, uint64_t seed) {
    world_init(w, seed);
    must(settings_set(w->settings, "snapshot_age", "1s", "test"));
    *b = (struct busy_store){
        .store = {NULL, busy_put, busy_get, busy_exists, busy_remove, busy_list}, .w = w, .puts_left = UINT32_MAX};
    b->prng = prng_seed(seed);
    must(object_store_open(w->sys, &(struct object_store_options){.url = "store"}, &b->under));
    busy = b;
    w->sys->pause = let_run;
    world_open(w, (uint32_t)prng_between(&b->prng, 1, 2));
}

static void end(struct world *w, struct busy_store *b) {
    object_store_close(b->under);
    world_done(w);
}

static void work(struct world *w, struct busy_store *b, int rounds) {
    for (int i = 0; i < rounds; i++) {
        send_some(w, &b->prng, &b->sent);
        sys_sim_run(w->sys, prng_between(&b->prng, 1, 60));
        sys_sim_advance(w->sys, prng_between(&b->prng, 1, 3000) * 1000);
        if (prng_between(&b->prng, 0, 30) == 0)
            sys_sim_advance(w->sys, 1100 * SYS_NANOS_PER_MS); /* snapshots are due */
    }
}

static struct backup_job job_of(struct world *w, struct busy_store *b) {
    return (struct backup_job){.sys = w->sys, .store = &b->store, .log = w->log, .folder = "data", .weir = "test"};
}

/* ---- what must hold in any state that services in a cycle can be in, once they have come to rest ---- */

struct sums {
    uint64_t commands, expected, counted;
};

static void add_commands(struct world *w, const char *topic, uint32_t partition, struct sums *sums) {
    struct log_partition *p = log_topic_find(w->log, topic)->partitions[partition];
    uint8_t *buffer = malloc(1u << 20);
    size_t size = 0;
    for (uint64_t at = 0; at < atomic_load(&p->high);) {
        must(log_read(w->log, p, at, true, buffer, 1u << 20, &size));
        for (size_t pos = 0; pos < size;) {
            struct batch_reader reader;
            struct batch_header header;
            struct batch_record record;
            struct envelope envelope;
            struct test_value v;
            must(batch_open(&reader, weir_slice(buffer + pos, size - pos), &header));
            while (batch_next(&reader, &record)) {
                if (record.offset < at) continue;
                must(envelope_load(&record.record, &envelope));
                if (envelope.kind != WEIR_RECORD_COMMAND) continue;
                memcpy(&v, record.record.value.data, sizeof v);
                sums->commands++;
                sums->expected += (v.hops + 1) * v.amount;
            }
            pos += header.size;
            at = header.next_offset;
        }
    }
    free(buffer);
}

/* Each command counts once where it was sent and once per hop: no emit is lost, none doubled, none without a cause. */
static struct sums check_sums(struct world *w) {
    struct sums sums = {0};
    for (uint32_t p = 0; p < 2; p++) {
        add_commands(w, "left.in", p, &sums);
        add_commands(w, "right.in", p, &sums);
        for (uint32_t s = 0; s < 2; s++)
            for (int i = 0; i < 64; i++)
                sums.counted += world_state(w, s, p)->counters[i];
    }
    assert_int_equal(sums.counted, sums.expected);
    return sums;
}

/* In the place of the node's folder, until all that was on its way has arrived. */
static struct sums restore_and_run(struct world *w, struct busy_store *b, const char *id, const struct until *until) {
    struct backup_entry entry;
    struct manifest m;
    struct restore_result restored;
    must(folder_remove_all(w->sys, "data"));
    must(backup_find(&b->store, id, &entry));
    must(backup_load(&b->store, &entry, &m));
    const struct restore_job job = {
        .sys = w->sys, .store = &b->store, .manifest = &m, .folder = "data", .until = until, .services = test_services};
    must(backup_restore(&job, &restored));
    manifest_done(&m);
    world_open(w, (uint32_t)prng_between(&b->prng, 1, 2));
    world_run(w);
    world_run(w);
    struct sums sums = check_sums(w);
    world_stop(w);
    must(log_verify(w->sys, "data", NULL, NULL));
    return sums;
}

static void a_backup_of_a_busy_node_is_a_state_that_goes_on(void **state) {
    (void)state;
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        struct world w;
        struct busy_store b;
        struct backup_result results[3];
        uint64_t acknowledged[3] = {0};
        begin(&w, &b, seed);
        for (int i = 0; i < 3; i++) {
            work(&w, &b, 40);
            for (size_t k = 0; k < w.delivery_count; k++)
                acknowledged[i] += w.deliveries[k].kind == HOST_REPLY && w.deliveries[k].error == WEIR_OK;
            const struct backup_job job = job_of(&w, &b);
            must(backup_make(&job, &results[i]));
        }
        work(&w, &b, 10);
        world_crash(&w, true);
        for (int i = 0; i < 3; i++) {
            struct sums sums = restore_and_run(&w, &b, results[i].id, NULL);
            assert_true(sums.commands >= acknowledged[i]);
        }
        end(&w, &b);
    }
}

static void a_moment_is_a_state_that_goes_on(void **state) {
    (void)state;
    uint64_t kept = 0, all = 0;
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        struct world w;
        struct busy_store b;
        struct backup_result result;
        begin(&w, &b, 1000 + seed);
        uint64_t first_ms = w.sys->wall_ns(w.sys) / SYS_NANOS_PER_MS;
        work(&w, &b, 120);
        const struct backup_job job = job_of(&w, &b);
        must(backup_make(&job, &result));
        uint64_t last_ms = w.sys->wall_ns(w.sys) / SYS_NANOS_PER_MS;
        world_crash(&w, true);
        for (int i = 0; i < 3; i++) {
            const struct until until = {.unix_ms = prng_between(&b.prng, first_ms, last_ms)};
            kept += restore_and_run(&w, &b, result.id, &until).commands;
        }
        all += 3 * restore_and_run(&w, &b, result.id, NULL).commands;
        end(&w, &b);
    }
    assert_true(kept > all / 10 && kept < all / 10 * 9); /* the moments were in the middle of it */
}

static void a_verified_restore_compares_with_the_nodes_snapshots(void **state) {
    (void)state;
    struct world w;
    struct busy_store b;
    struct backup_result result;
    struct backup_entry entry;
    struct manifest m;
    struct restore_result restored;
    struct verify_result verified;
    uint64_t at_ms = 0;
    begin(&w, &b, 7);
    for (int i = 0; i < 4; i++) {
        work(&w, &b, 30);
        sys_sim_advance(w.sys, 1100 * SYS_NANOS_PER_MS);
        world_run(&w);
    }
    const struct backup_job job = job_of(&w, &b);
    must(backup_make(&job, &result));
    world_crash(&w, true);
    must(backup_find(&b.store, NULL, &entry));
    must(backup_load(&b.store, &entry, &m));
    const struct restore_job trial = {.sys = w.sys, .store = &b.store, .manifest = &m, .folder = "trial"};
    must(backup_verified_at(&b.store, entry.node, &at_ms));
    assert_int_equal(at_ms, 0);
    must(backup_verify(&trial, test_services, &restored, &verified));
    assert_int_equal(verified.partitions, 4);
    assert_int_equal(verified.compared, 4);
    must(backup_verified_at(&b.store, entry.node, &at_ms));
    assert_true(at_ms >= result.cut_ms);
    bool exists = true;
    must(w.sys->path_exists(w.sys, "trial", &exists));
    assert_false(exists);
    test_chance = 1; /* the same input gives another state now: what the node said is not what follows from it */
    assert_int_equal(backup_verify(&trial, test_services, &restored, &verified), WEIR_E_MISMATCH);
    assert_non_null(strstr(weir_error_text(), "service left, partition"));
    test_chance = 0;
    must(w.sys->path_exists(w.sys, "trial", &exists));
    assert_false(exists);
    manifest_done(&m);
    end(&w, &b);
}

/* A store that fails at any put leaves no manifest, and the next backup sends only what is missing. */
static void an_interrupted_backup_leaves_nothing_that_lies_and_goes_on(void **state) {
    (void)state;
    struct world w;
    struct busy_store b;
    struct backup_result result = {0};
    begin(&w, &b, 3);
    work(&w, &b, 60);
    world_stop(&w);
    must(log_open(w.sys, &w.log_options, &w.log));
    const struct backup_job job = job_of(&w, &b);
    uint32_t failed = 0;
    for (uint32_t puts = 0;; puts++) {
        struct backup_entries entries;
        b.puts_left = 1; /* one more each time: what was sent before is found */
        enum weir_error e = backup_make(&job, &result);
        must(backup_list(&b.store, NULL, &entries));
        assert_int_equal(entries.count, e ? 0 : 1);
        backup_entries_done(&entries);
        if (!e) break;
        assert_int_equal(e, WEIR_E_IO);
        failed++;
        assert_true(puts < 1000);
    }
    assert_true(failed > 3);
    assert_int_equal(result.objects_new, 0); /* the last try sent its manifest alone */
    b.puts_left = UINT32_MAX;
    must(backup_make(&job, &result));
    assert_int_equal(result.bytes_new, 0);
    end(&w, &b);
}

/* ---- damage ---- */

struct keys {
    char names[64][OBJECT_KEY_MAX + 1];
    uint32_t count;
};

static enum weir_error add_key(void *ctx, const char *key, uint64_t size) {
    struct keys *k = ctx;
    (void)size;
    if (k->count < 64) snprintf(k->names[k->count++], sizeof k->names[0], "%s", key);
    return WEIR_OK;
}

static void expect_refused(struct world *w, struct busy_store *b, const char *what) {
    struct backup_entry entry;
    struct manifest m = {0};
    struct restore_result restored;
    bool exists = true;
    enum weir_error e = backup_find(&b->store, NULL, &entry);
    if (!e) e = backup_load(&b->store, &entry, &m);
    const struct restore_job job = {.sys = w->sys, .store = &b->store, .manifest = &m, .folder = "copy"};
    if (!e) e = backup_restore(&job, &restored);
    if (!e || !weir_error_text()[0]) fail_msg("%s was not noticed", what);
    manifest_done(&m);
    must(w->sys->path_exists(w->sys, "copy", &exists));
    assert_false(exists);
    must(w->sys->path_exists(w->sys, "copy.restoring", &exists));
    assert_false(exists);
}

static void no_damage_of_a_store_gets_through(void **state) {
    (void)state;
    struct world w;
    struct busy_store b;
    struct backup_result result;
    struct keys keys = {.count = 0};
    begin(&w, &b, 11);
    work(&w, &b, 80);
    const struct backup_job job = job_of(&w, &b);
    must(backup_make(&job, &result));
    world_crash(&w, true);
    must(b.under->list(b.under, "", add_key, &keys));
    assert_true(keys.count > 5);
    for (uint32_t i = 0; i < keys.count; i++) {
        struct weir_slice bytes;
        must(b.under->get(b.under, keys.names[i], MANIFEST_BYTES_MAX, &bytes));
        uint8_t *data = (uint8_t *)(uintptr_t)bytes.data;
        for (int k = 0; k < 4 && bytes.size > 0; k++) { /* a flipped bit, a byte missing, half of it, nothing */
            size_t at = (size_t)prng_between(&b.prng, 0, bytes.size - 1);
            data[at] ^= k == 0 ? 4 : 0;
            size_t size = k == 0 ? bytes.size : k == 1 ? bytes.size - 1 : k == 2 ? bytes.size / 2 : 0;
            must(b.under->put(b.under, keys.names[i], weir_slice(data, size)));
            expect_refused(&w, &b, keys.names[i]);
            data[at] ^= k == 0 ? 4 : 0;
        }
        must(b.under->remove(b.under, keys.names[i]));
        expect_refused(&w, &b, keys.names[i]);
        must(b.under->put(b.under, keys.names[i], bytes));
        sys_bytes_free(bytes);
    }
    restore_and_run(&w, &b, result.id, NULL);
    end(&w, &b);
}

static void old_backups_go_without_harm_to_those_that_stay(void **state) {
    (void)state;
    struct world w;
    struct busy_store b;
    struct backup_result result;
    struct backup_entries entries;
    begin(&w, &b, 5);
    for (int i = 0; i < 5; i++) {
        work(&w, &b, 30);
        struct backup_job job = job_of(&w, &b);
        job.keep = 2;
        must(backup_make(&job, &result));
        assert_int_equal(result.pruned, i < 2 ? 0 : 1);
    }
    world_crash(&w, true);
    must(backup_list(&b.store, result.node, &entries));
    assert_int_equal(entries.count, 2);
    for (size_t i = 0; i < entries.count; i++)
        restore_and_run(&w, &b, entries.data[i].id, NULL);
    backup_entries_done(&entries);
    end(&w, &b);
}

static void a_folder_that_holds_something_is_not_touched(void **state) {
    (void)state;
    struct world w;
    struct busy_store b;
    struct backup_result result;
    struct backup_entry entry;
    struct manifest m;
    struct restore_result restored;
    struct weir_slice bytes;
    begin(&w, &b, 6);
    work(&w, &b, 10);
    const struct backup_job job = job_of(&w, &b);
    must(backup_make(&job, &result));
    world_crash(&w, true);
    must(sys_make_folders(w.sys, "copy"));
    must(sys_replace_file(w.sys, "copy/mine", weir_slice_text("mine")));
    must(backup_find(&b.store, NULL, &entry));
    must(backup_load(&b.store, &entry, &m));
    const struct restore_job restore = {.sys = w.sys, .store = &b.store, .manifest = &m, .folder = "copy"};
    assert_int_equal(backup_restore(&restore, &restored), WEIR_E_EXISTS);
    must(sys_read_all(w.sys, "copy/mine", 10, &bytes));
    sys_bytes_free(bytes);
    must(sys_make_folders(w.sys, "new.restoring"));
    must(sys_replace_file(w.sys, "new.restoring/mine", weir_slice_text("mine")));
    const struct restore_job beside = {.sys = w.sys, .store = &b.store, .manifest = &m, .folder = "new"};
    assert_int_equal(backup_restore(&beside, &restored), WEIR_E_EXISTS);
    must(sys_read_all(w.sys, "new.restoring/mine", 10, &bytes));
    sys_bytes_free(bytes);
    manifest_done(&m);
    end(&w, &b);
}

/* Wherever a restore dies, no node starts on what it left, and the next restore makes it whole. */
static void a_restore_that_dies_leaves_nothing_that_starts(void **state) {
    (void)state;
    struct world w;
    struct busy_store b;
    struct backup_result result;
    struct backup_entry entry;
    struct manifest m;
    begin(&w, &b, 9);
    work(&w, &b, 40);
    const struct backup_job job = job_of(&w, &b);
    must(backup_make(&job, &result));
    world_crash(&w, true);
    must(folder_remove_all(w.sys, "data"));
    must(backup_find(&b.store, NULL, &entry));
    must(backup_load(&b.store, &entry, &m));
    const struct restore_job restore = {.sys = w.sys, .store = &b.store, .manifest = &m, .folder = "data"};
    bool done = false;
    for (uint64_t at = 1; !done; at += 3) {
        struct restore_result restored;
        bool exists = false;
        sys_sim_fail_at(w.sys, SYS_SIM_ANY, at, WEIR_E_CLOSED);
        done = backup_restore(&restore, &restored) == WEIR_OK && !sys_sim_dead(w.sys);
        if (done) break;
        sys_sim_crash(w.sys, prng_between(&b.prng, 0, 1));
        must(w.sys->path_exists(w.sys, "data/FORMAT", &exists));
        if (exists) { /* it died behind the rename: then all of it is there */
            must(log_verify(w.sys, "data", NULL, NULL));
            must(folder_remove_all(w.sys, "data"));
        }
        assert_true(at < 100000);
    }
    sys_sim_fail_at(w.sys, SYS_SIM_ANY, 0, WEIR_OK);
    manifest_done(&m);
    world_open(&w, 1);
    world_run(&w);
    check_sums(&w);
    end(&w, &b);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_backup_of_a_busy_node_is_a_state_that_goes_on),
        cmocka_unit_test(a_moment_is_a_state_that_goes_on),
        cmocka_unit_test(a_verified_restore_compares_with_the_nodes_snapshots),
        cmocka_unit_test(an_interrupted_backup_leaves_nothing_that_lies_and_goes_on),
        cmocka_unit_test(no_damage_of_a_store_gets_through),
        cmocka_unit_test(old_backups_go_without_harm_to_those_that_stay),
        cmocka_unit_test(a_folder_that_holds_something_is_not_touched),
        cmocka_unit_test(a_restore_that_dies_leaves_nothing_that_starts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
