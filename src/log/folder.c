/* The log's folder. See folder.h. */
#include "log/folder.h"

#include "log/catalogue.h"
#include "log/journal_scan.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

void log_path(const struct log *log, struct log_path *ret_path, const char *format, ...) {
    int size = snprintf(ret_path->text, sizeof ret_path->text, "%s/", log->folder);
    va_list args;
    va_start(args, format);
    vsnprintf(ret_path->text + size, sizeof ret_path->text - (size_t)size, format, args);
    va_end(args);
}

void log_fail(struct log *log, const char *what) {
    char line[800];
    snprintf(line, sizeof line, "log: %s: %s; nothing is acknowledged any more", what, weir_error_text());
    atomic_store(&log->failed, true);
    log->sys->fatal(log->sys, line);
}

/* ---- LOCK
 * ----------------------------------------------------------------------------------------------------------------- */

static enum weir_error name_holder(struct log *log) {
    struct log_path path;
    struct weir_slice bytes = {0};
    char holder[32] = "another process";
    log_path(log, &path, "LOCK");
    if (sys_read_all(log->sys, path.text, 64, &bytes) == WEIR_OK) {
        unsigned long pid = bytes.data ? strtoul((const char *)bytes.data, NULL, 10) : 0;
        if (pid > 0) snprintf(holder, sizeof holder, "process %lu", pid);
        sys_bytes_free(bytes);
    }
    return weir_error_context(WEIR_E_LOCKED, "%s is in use by %s", log->folder, holder);
}

enum weir_error log_folder_lock(struct log *log) {
    struct sys *sys = log->sys;
    struct log_path path;
    log_path(log, &path, "LOCK");
    enum weir_error e =
        sys->file_open(sys, path.text, SYS_OPEN_READ | SYS_OPEN_WRITE | SYS_OPEN_CREATE, &log->lock_file);
    if (e) return e;
    e = sys->file_lock(sys, log->lock_file);
    if (e == WEIR_E_LOCKED) return name_holder(log);
    if (e) return e;
    char text[32];
    int size = snprintf(text, sizeof text, "%-20ld\n", (long)log->sys->process_id(log->sys));
    struct sys_iovec part = {text, (size_t)size};
    return sys->file_write(sys, log->lock_file, 0, &part, 1);
}

/* ---- FORMAT
 * ------------------------------------------------------------------------------------------------------------------ */

static enum weir_error check_version(const char *path, struct weir_slice bytes) {
    static const char prefix[] = "weir log ";
    const char *text = (const char *)bytes.data; /* sys_read_all puts a NUL behind it */
    if (bytes.size < sizeof prefix || memcmp(text, prefix, sizeof prefix - 1) != 0)
        return weir_error_context(WEIR_E_CORRUPT, "%s does not say 'weir log N'; run: weir log repair", path);
    unsigned long version = strtoul(text + sizeof prefix - 1, NULL, 10);
    if (version == FOLDER_FORMAT_VERSION) return WEIR_OK;
    return weir_error_context(WEIR_E_VERSION, "%s: the folder has format %lu; this binary knows %u: use a newer weir",
        path, version, FOLDER_FORMAT_VERSION);
}

/* Without FORMAT: a folder that was being made may hold a first checkpoint, but never a frame. */
static enum weir_error check_unmarked(struct log *log) {
    struct checkpoint c;
    struct journal_scan scan = {0};
    struct log_path path;
    bool exists = false;
    enum weir_error e = log_checkpoint_read(log->sys, log->folder, &c, NULL, NULL);
    if (e == WEIR_E_NOT_FOUND) {
        weir_error_clear();
        return WEIR_OK;
    }
    log_path(log, &path, "journal");
    if (!e) e = log->sys->path_exists(log->sys, path.text, &exists);
    if (!e && exists) e = log_journal_scan(&scan, log->sys, log->folder, &c);
    bool used = !e && (c.generation > 1 || scan.frames.count > 0);
    log_journal_scan_done(&scan);
    if (e && e != WEIR_E_CORRUPT) return e; /* what can't be read now is not damaged */
    if (!e && !used) return WEIR_OK;
    return weir_error_context(
        WEIR_E_CORRUPT, "%s holds a log, but FORMAT is missing; run: weir log repair %s", log->folder, log->folder);
}

enum weir_error log_folder_check(struct log *log, bool *ret_fresh) {
    struct log_path path;
    struct weir_slice bytes = {0};
    log_path(log, &path, "FORMAT");
    enum weir_error e = sys_read_all(log->sys, path.text, 256, &bytes);
    *ret_fresh = false;
    if (e == WEIR_E_NOT_FOUND) {
        *ret_fresh = true;
        return check_unmarked(log);
    }
    if (e) return e;
    e = check_version(path.text, bytes);
    sys_bytes_free(bytes);
    return e;
}

/* ---- before the first frame
 * ----------------------------------------------------------------------------------------------------- */

/* The first journal file, small so that it is there at once. */
static enum weir_error make_first_file(struct log *log) {
    struct sys *sys = log->sys;
    struct journal *j = &log->journal;
    struct journal_file *f = NULL;
    struct log_path path;
    uint32_t number = 0;
    int file = -1;
    uint64_t size = log->options.journal_file_bytes;
    if (size > JOURNAL_FIRST_BYTES) size = JOURNAL_FIRST_BYTES;
    log_path(log, &path, "journal");
    enum weir_error e = sys->dir_make(sys, path.text);
    if (!e) e = log_journal_file_create(j, &number, &file);
    if (e) return e;
    e = log_journal_file_zero(j, file, 0, size);
    if (!e) e = sys->file_sync(sys, file);
    if (!e) e = sys->dir_sync(sys, path.text);
    if (!e) e = log_journal_file_add(j, number, file, size, &f);
    if (e) {
        sys->file_close(sys, file);
        return e;
    }
    log_journal_file_use(j, f, 0);
    return WEIR_OK;
}

static enum weir_error make_skeleton(struct log *log) {
    struct sys *sys = log->sys;
    struct log_path path;
    log_path(log, &path, "topics");
    enum weir_error e = sys->dir_make(sys, path.text);
    if (!e) e = make_first_file(log);
    if (!e) e = log_catalogue_save(log);
    struct checkpoint c = log->checkpoint;
    c.generation = 1;
    if (!e) e = log_checkpoint_write(log, &c);
    char text[32];
    int size = snprintf(text, sizeof text, "weir log %u\n", FOLDER_FORMAT_VERSION);
    log_path(log, &path, "FORMAT");
    return e ? e : sys_replace_file(sys, path.text, weir_slice(text, (size_t)size));
}

enum weir_error log_settle_held(struct log *log) {
    enum weir_error e = WEIR_OK;
    if (log->fresh) {
        e = make_skeleton(log);
        log->fresh = e != WEIR_OK;
        return e;
    }
    if (log->catalogue_dirty) e = log_catalogue_save(log);
    if (!e && log->checkpoint.clean) { /* from now on the journal may hold frames */
        struct checkpoint c = log->checkpoint;
        c.generation++;
        c.clean = false;
        e = log_checkpoint_write(log, &c);
    }
    return e;
}

enum weir_error log_settle(struct log *log) {
    log_control_take(log);
    enum weir_error e = log_settle_held(log);
    log_control_give(log);
    return e;
}
