/* A record that crashes the node twice parks its partition; a durable skip passes over it, in this life and every later
 * one. */
#include "host/test_world.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#define EXIT_PARKED 3

static void note_crash(struct world *w, uint32_t uid, uint64_t offset, uint64_t at) {
    uint8_t note[POISON_NOTE_SIZE];
    poison_store(uid, offset, note);
    int file;
    must(w->sys->file_open(w->sys, "data/snapshots/poison", SYS_OPEN_WRITE | SYS_OPEN_CREATE, &file));
    must(w->sys->file_write(w->sys, file, at * POISON_NOTE_SIZE, &(struct sys_iovec){note, sizeof note}, 1));
    must(w->sys->file_sync(w->sys, file));
    w->sys->file_close(w->sys, file);
    must(w->sys->dir_sync(w->sys, "data/snapshots"));
}

static uint64_t skip_offset;
static enum weir_error skip_work(struct host *host, void *arg, char *text, size_t text_size) {
    (void)arg, (void)text, (void)text_size;
    return host_service_skip(host, "left", 0, skip_offset);
}

static void one_crash_parks_nothing_and_two_park_only_that_partition(void **state) {
    (void)state;
    struct world w;
    world_init(&w, 1);
    world_open(&w, 2);
    for (uint64_t i = 0; i < 20; i++)
        must(world_send(&w, (uint32_t)(i % 2), 0, (uint32_t)(i % 2), (struct test_value){OP_ADD, 0, i, 1}, i));
    world_run(&w);
    uint64_t poison = world_reply(&w, 8)->offset;
    uint32_t uid = world_partition(&w, 0, 0)->log->uid;
    world_crash(&w, false);
    note_crash(&w, uid, poison, 0);
    world_open(&w, 1);
    assert_false(world_partition(&w, 0, 0)->parked);
    assert_int_equal(metric_get(&world_partition(&w, 0, 0)->lane->metrics.parked), 0);
    world_crash(&w, false);
    note_crash(&w, uid, poison, 1);
    world_open(&w, 2);
    struct host_partition *p = world_partition(&w, 0, 0);
    assert_true(p->parked);
    assert_int_equal(metric_get(&p->lane->metrics.parked), 1);
    assert_int_equal(p->fold.applied, poison);
    assert_true(w.report_count > 0);
    struct host_partition_facts facts;
    host_partition_facts(w.host, p->number, &facts);
    assert_true(facts.parked);
    assert_int_equal(facts.parked_offset, poison);
    assert_int_equal(world_send(&w, p->lane->index, 0, 0, (struct test_value){OP_ADD, 0, 1, 1}, 100), WEIR_E_PARKED);
    must(world_send(&w, 0, 0, 1, (struct test_value){OP_ADD, 1, 1, 1}, 101)); /* the other one serves */
    world_run(&w);
    assert_non_null(world_reply(&w, 101));
    world_stop(&w);
    world_done(&w);
}

static void a_skip_is_durable_and_every_replay_obeys_it(void **state) {
    (void)state;
    struct world w;
    world_init(&w, 2);
    world_open(&w, 1);
    for (uint64_t i = 0; i < 20; i++)
        must(world_send(&w, 0, 0, 0, (struct test_value){OP_ADD, 0, 3, 1}, i));
    world_run(&w);
    uint64_t poison = skip_offset = world_reply(&w, 8)->offset;
    uint32_t uid = world_partition(&w, 0, 0)->log->uid;
    world_crash(&w, false);
    note_crash(&w, uid, poison, 0);
    note_crash(&w, uid, poison, 1);
    world_open(&w, 1);
    assert_int_equal(world_state(&w, 0, 0)->counters[3], 8);
    skip_offset = poison + 1; /* not where it is parked */
    must(host_work(w.lanes[0], skip_work, NULL, 0, (struct host_origin){.correlation = 7}));
    world_run(&w);
    assert_int_equal(w.deliveries[w.delivery_count - 1].kind, HOST_DONE);
    assert_int_equal(w.deliveries[w.delivery_count - 1].error, WEIR_E_CONFLICT);
    assert_true(world_partition(&w, 0, 0)->parked);
    skip_offset = poison;
    must(host_work(w.lanes[0], skip_work, NULL, 0, (struct host_origin){.correlation = 8}));
    world_run(&w);
    assert_int_equal(w.deliveries[w.delivery_count - 1].kind, HOST_DONE);
    assert_int_equal(w.deliveries[w.delivery_count - 1].error, WEIR_OK);
    assert_false(world_partition(&w, 0, 0)->parked);
    assert_int_equal(metric_get(&world_partition(&w, 0, 0)->lane->metrics.parked), 0);
    assert_int_equal(world_state(&w, 0, 0)->counters[3], 19); /* all but one */
    must(world_send(&w, 0, 0, 0, (struct test_value){OP_ADD, 0, 3, 1}, 50));
    world_run(&w);
    assert_int_equal(world_reply(&w, 50)->total, 20);
    for (int life = 0; life < 3; life++) {
        world_crash(&w, life == 1);
        world_open(&w, 1 + (uint32_t)life);
        world_run(&w);
        assert_int_equal(world_state(&w, 0, 0)->counters[3], 20);
    }
    world_stop(&w); /* the shadow, too, passes over it: no mismatch */
    for (uint32_t i = 0; i < w.report_count; i++)
        assert_null(strstr(w.reports[i], "no snapshot"));
    world_done(&w);
}

/* Offset `next` crashed a life whose journal never got it. */
static void after_a_crash_beyond_the_log_nothing_is_applied_that_is_not_stored(void **state) {
    (void)state;
    struct world w;
    world_init(&w, 3);
    world_open(&w, 1);
    for (uint64_t i = 0; i < 4; i++)
        must(world_send(&w, 0, 0, (uint32_t)(i % 2), (struct test_value){OP_ADD, 0, i, 1}, i));
    world_run(&w);
    uint32_t uid = world_partition(&w, 0, 0)->log->uid;
    uint64_t next = world_partition(&w, 0, 0)->log->next;
    world_crash(&w, false);
    note_crash(&w, uid, next, 0);
    world_open(&w, 1);
    world_run(&w);
    for (uint32_t i = 0; i < 2; i++)
        must(world_send(&w, 0, 0, i, (struct test_value){OP_ADD, 0, 9, 1}, 50 + i));
    for (int i = 0; i < 20; i++) /* the lane alone: the journal does not come to write */
        host_lane_work(w.lanes[0], 0);
    struct host_partition *careful = world_partition(&w, 0, 0), *usual = world_partition(&w, 0, 1);
    assert_true(careful->fold.applied <= atomic_load(&careful->log->high));
    assert_true(usual->fold.applied > atomic_load(&usual->log->high));
    world_run(&w);
    assert_non_null(world_reply(&w, 50));
    assert_non_null(world_reply(&w, 51));
    world_stop(&w);
    world_done(&w);
}

/* On Linux, for real: a child's node crashes in apply; this process reads the note. */
static void crash_in_apply(const char *folder) {
    struct world w;
    memset(&w, 0, sizeof w);
    must(sys_linux_new(&w.sys));
    must(settings_new(test_services, &w.settings));
    world_log_options(&w.log_options);
    w.log_options.folder = folder;
    w.deliveries = calloc(WORLD_DELIVERIES_MAX, sizeof *w.deliveries);
    test_crash = true;
    must(log_open(w.sys, &w.log_options, &w.log));
    struct host_options options = {.services = test_services, .settings = w.settings, .lanes = 1, .folder = folder};
    must(host_open(w.sys, w.log, &options, &w.host));
    must(log_start(w.log));
    struct host_lane *lane = &w.host->lanes[0];
    struct test_value v = {OP_CRASH, 0, 1, 1};
    struct host_command command = {.command = {.value = weir_slice(&v, sizeof v)}, .wants_reply = true};
    for (int i = 0; i < 1000000; i++) { /* this thread is the lane; the client sends its command again in every life */
        if (i >= 100 && i % 100 == 0 && host_submit(lane, &command) == WEIR_E_PARKED) _exit(EXIT_PARKED);
        host_lane_work(lane, 1000000);
    }
}

/* A node in a child process, until it crashes or refuses: how it ended. */
static int life(const char *folder) {
    pid_t child = fork();
    if (child == 0) {
        /* The fault is this process's end, not a finding of the test runner or a sanitizer. */
        for (int i = 0; i < 6; i++)
            signal((int[]){SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGABRT}[i], SIG_DFL);
        crash_in_apply(folder);
        _exit(0);
    }
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    return status;
}

/* apply runs while the disk works, so the first crash comes before the record is durable. */
static void a_record_that_is_sent_again_after_every_crash_is_parked_in_the_end(void **state) {
    (void)state;
    char folder[] = "/tmp/weir-poison-XXXXXX";
    assert_non_null(mkdtemp(folder));
    int status = 0, lives = 0;
    do {
        status = life(folder);
        lives++;
    } while (WIFSIGNALED(status) && lives < 6);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), EXIT_PARKED);
    assert_true(lives >= 3);
    char command[256];
    snprintf(command, sizeof command, "rm -rf %s", folder);
    assert_int_equal(system(command), 0);
}

static void a_fault_inside_apply_leaves_a_note_that_names_the_record(void **state) {
    (void)state;
    char folder[] = "/tmp/weir-poison-XXXXXX";
    assert_non_null(mkdtemp(folder));
    int status = life(folder);
    assert_true(WIFSIGNALED(status));
    struct sys *sys;
    must(sys_linux_new(&sys));
    char path[256];
    snprintf(path, sizeof path, "%s/snapshots/poison", folder);
    struct weir_slice bytes;
    must(sys_read_all(sys, path, 1 << 20, &bytes));
    assert_int_equal(bytes.size, POISON_NOTE_SIZE);
    uint8_t expected[POISON_NOTE_SIZE];
    poison_store(load_le64(bytes.data + 8) & UINT32_MAX, 1, expected); /* offset 0 is the settings record */
    assert_memory_equal(bytes.data, expected, sizeof expected);
    sys_bytes_free(bytes);
    sys_linux_free(sys);
    snprintf(path, sizeof path, "rm -rf %s", folder);
    assert_int_equal(system(path), 0);
}

int main(int argc, char **argv) {
    if (argc > 1) cmocka_set_test_filter(argv[1]);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_crash_parks_nothing_and_two_park_only_that_partition),
        cmocka_unit_test(a_skip_is_durable_and_every_replay_obeys_it),
        cmocka_unit_test(after_a_crash_beyond_the_log_nothing_is_applied_that_is_not_stored),
        cmocka_unit_test(a_fault_inside_apply_leaves_a_note_that_names_the_record),
        cmocka_unit_test(a_record_that_is_sent_again_after_every_crash_is_parked_in_the_end),
    };
    return cmocka_run_group_tests_name("host poison", tests, NULL, NULL);
}
