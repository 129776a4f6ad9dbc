#include "edge/backups.h"

#include "backup/agent.h"

static void put_last(struct json_writer *w, const struct backup_result *r) {
    json_write_key(w, "last");
    if (!r->id[0]) {
        json_write_null(w);
        return;
    }
    json_write_object_open(w);
    json_put_text(w, "id", r->id);
    json_put_text(w, "node", r->node);
    json_put_u64(w, "cutUnixMs", r->cut_ms);
    json_put_u64(w, "bytes", r->bytes);
    json_put_u64(w, "bytesNew", r->bytes_new);
    json_put_u64(w, "objects", r->objects);
    json_put_u64(w, "objectsNew", r->objects_new);
    json_put_u64(w, "pruned", r->pruned);
    json_put_double(w, "seconds", (double)r->elapsed_ns / 1e9);
    json_write_object_close(w);
}

/* A time that there may not be. */
static void put_time(struct json_writer *w, const char *key, uint64_t unix_ms) {
    json_write_key(w, key);
    if (unix_ms)
        json_write_u64(w, unix_ms);
    else
        json_write_null(w);
}

static void put_facts(struct json_writer *w, const struct backup_facts *f) {
    json_write_object_open(w);
    json_put_text(w, "to", f->to);
    json_put_bool(w, "running", f->running);
    json_put_u64(w, "finished", f->finished);
    json_write_key(w, "rpoSeconds");
    if (f->cut_ms)
        json_write_double(w, (double)f->rpo_ns / 1e9);
    else
        json_write_null(w);
    put_time(w, "cutUnixMs", f->cut_ms);
    put_time(w, "successUnixMs", f->success_ms);
    put_time(w, "failureUnixMs", f->failure_ms);
    json_put_text(w, "failure", f->failure[0] ? f->failure : NULL);
    put_time(w, "verifiedRestoreUnixMs", f->verified_ms);
    json_put_u64(w, "made", f->made);
    json_put_u64(w, "failed", f->failed);
    put_last(w, &f->last);
    json_write_object_close(w);
}

void backups_put(struct json_writer *w, const struct edge *edge) {
    struct backup_facts facts;
    json_write_key(w, "backup");
    if (!edge->backup) {
        json_write_null(w);
        return;
    }
    backup_agent_facts(edge->backup, &facts);
    put_facts(w, &facts);
}

static bool has_backups(struct http_call *call) {
    if (call->lane->edge->backup) return true;
    http_fail(call->conn, call->turn, WEIR_E_NOT_FOUND,
        "this node makes no backups; start it with --set backup.to=URL, a folder or s3://BUCKET/PREFIX");
    return false;
}

void backups_get(struct http_call *call) {
    struct backup_facts facts;
    struct http_json json;
    if (!has_backups(call)) return;
    backup_agent_facts(call->lane->edge->backup, &facts);
    http_json_begin(call->lane, &json);
    put_facts(&json.w, &facts);
    http_json_answer(call->conn, call->turn, &json, 200);
}

void backups_post(struct http_call *call) {
    struct http_json json;
    if (!has_backups(call)) return;
    uint64_t number = backup_agent_ask(call->lane->edge->backup);
    http_json_begin(call->lane, &json);
    json_write_object_open(&json.w);
    json_put_u64(&json.w, "number", number);
    json_write_object_close(&json.w);
    http_json_answer(call->conn, call->turn, &json, 202);
}
