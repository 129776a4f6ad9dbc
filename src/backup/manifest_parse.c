/* Reading a manifest: bytes from a store, which may be anybody's. See manifest.h. */
#include "backup/manifest.h"

#include "base/encode.h"
#include "base/json.h"

struct parse {
    struct json_reader r;
    struct manifest *m;
    const char *wrong; /* the first thing, NULL: none */
    bool format_right;
    uint64_t version;
};

static void say(struct parse *p, const char *wrong) {
    if (!p->wrong) p->wrong = wrong;
}

static uint64_t take_u64(struct parse *p, uint64_t max) {
    uint64_t value = 0;
    json_next(&p->r);
    if (!json_get_u64(&p->r, &value) || value > max) {
        say(p, "a number is missing or too large");
        return 0;
    }
    return value;
}

/* A string of at most size - 1 bytes; null gives "". */
static void take_text(struct parse *p, char *out, size_t size) {
    enum json_token token = json_next(&p->r);
    out[0] = 0;
    if (token == JSON_NULL) return;
    struct weir_slice text = token == JSON_STRING ? json_text(&p->r, &p->m->arena) : (struct weir_slice){0};
    if (!text.data || text.size >= size || memchr(text.data, 0, text.size)) {
        say(p, "a text is missing or too long");
        return;
    }
    memcpy(out, text.data, text.size);
    out[text.size] = 0;
}

static void take_digest(struct parse *p, uint8_t digest[OBJECT_DIGEST_SIZE]) {
    char hex[2 * OBJECT_DIGEST_SIZE + 1];
    take_text(p, hex, sizeof hex);
    if (strlen(hex) != sizeof hex - 1 || !hex_decode(weir_slice_text(hex), digest)) say(p, "a checksum is malformed");
}

/* Opens what must be next; false when it is something else. */
static bool open(struct parse *p, enum json_token token) {
    bool right = json_next(&p->r) == token;
    if (!right) say(p, "an object or a list is missing");
    return right;
}

static void take_object(struct parse *p, struct manifest_file *f) {
    struct manifest_object o = {.bytes = 0};
    bool digest = false;
    while (json_next(&p->r) == JSON_KEY) {
        if (json_text_is(&p->r, "sha256")) {
            take_digest(p, o.digest);
            digest = true;
        } else if (json_text_is(&p->r, "bytes"))
            o.bytes = (uint32_t)take_u64(p, MANIFEST_OBJECT_MAX);
        else if (!json_skip_value(&p->r))
            return;
    }
    if (!digest || o.bytes == 0) say(p, "an object has no checksum or no bytes");
    if (!manifest_objects_push(&p->m->objects, o)) say(p, "there is no memory for it");
    f->count++;
}

static void take_objects(struct parse *p, struct manifest_file *f) {
    if (!open(p, JSON_ARRAY_OPEN)) return;
    f->first = p->m->objects.count;
    f->count = 0;
    while (!p->wrong && json_next(&p->r) == JSON_OBJECT_OPEN)
        take_object(p, f);
    if (p->r.token != JSON_ARRAY_CLOSE) say(p, "a list of objects does not end");
}

static void take_file(struct parse *p) {
    char path[MANIFEST_PATH_MAX] = "";
    struct manifest_file f = {0};
    while (!p->wrong && json_next(&p->r) == JSON_KEY) {
        if (json_text_is(&p->r, "path"))
            take_text(p, path, sizeof path);
        else if (json_text_is(&p->r, "bytes"))
            f.bytes = take_u64(p, UINT64_MAX);
        else if (json_text_is(&p->r, "objects"))
            take_objects(p, &f);
        else if (!json_skip_value(&p->r))
            return;
    }
    uint64_t sum = 0;
    for (size_t i = 0; i < f.count; i++)
        sum += p->m->objects.data[f.first + i].bytes;
    if (!manifest_path_valid(path)) say(p, "a path leads out of the data folder");
    if (sum != f.bytes) say(p, "a file's size is not that of its objects");
    f.path = arena_strdup(&p->m->arena, path);
    if (!f.path || !manifest_files_push(&p->m->files, f)) say(p, "there is no memory for it");
}

static void take_partition(struct parse *p) {
    char topic[256] = "";
    struct manifest_partition row = {0};
    while (!p->wrong && json_next(&p->r) == JSON_KEY) {
        if (json_text_is(&p->r, "topic"))
            take_text(p, topic, sizeof topic);
        else if (json_text_is(&p->r, "partition"))
            row.index = (uint32_t)take_u64(p, UINT32_MAX);
        else if (json_text_is(&p->r, "uid"))
            row.uid = (uint32_t)take_u64(p, UINT32_MAX);
        else if (json_text_is(&p->r, "derived")) {
            json_next(&p->r);
            if (!json_get_bool(&p->r, &row.derived)) say(p, "a partition is neither derived nor not");
        } else if (json_text_is(&p->r, "start"))
            row.start = take_u64(p, INT64_MAX);
        else if (json_text_is(&p->r, "end"))
            row.end = take_u64(p, INT64_MAX);
        else if (!json_skip_value(&p->r))
            return;
    }
    if (row.start > row.end) say(p, "a partition ends before it begins");
    row.topic = arena_strdup(&p->m->arena, topic);
    if (!row.topic || !manifest_partitions_push(&p->m->partitions, row)) say(p, "there is no memory for it");
}

static void take_list(struct parse *p, void (*take)(struct parse *)) {
    if (!open(p, JSON_ARRAY_OPEN)) return;
    while (!p->wrong && json_next(&p->r) == JSON_OBJECT_OPEN)
        take(p);
    if (p->r.token != JSON_ARRAY_CLOSE) say(p, "a list does not end");
}

static void take_cut(struct parse *p) {
    if (!open(p, JSON_OBJECT_OPEN)) return;
    while (!p->wrong && json_next(&p->r) == JSON_KEY) {
        if (json_text_is(&p->r, "unix_ms"))
            p->m->cut_ms = take_u64(p, INT64_MAX / 1000000);
        else if (json_text_is(&p->r, "sequence"))
            p->m->sequence = take_u64(p, UINT64_MAX);
        else if (json_text_is(&p->r, "epoch"))
            p->m->epoch = take_u64(p, UINT64_MAX);
        else if (!json_skip_value(&p->r))
            return;
    }
}

static void take_member(struct parse *p) {
    struct manifest *m = p->m;
    char format[32];
    if (json_text_is(&p->r, "format")) {
        take_text(p, format, sizeof format);
        p->format_right = strcmp(format, "weir-backup") == 0;
    } else if (json_text_is(&p->r, "version"))
        p->version = take_u64(p, UINT32_MAX);
    else if (json_text_is(&p->r, "id"))
        take_text(p, m->id, sizeof m->id);
    else if (json_text_is(&p->r, "node"))
        take_text(p, m->node, sizeof m->node);
    else if (json_text_is(&p->r, "parent"))
        take_text(p, m->parent, sizeof m->parent);
    else if (json_text_is(&p->r, "weir"))
        take_text(p, m->weir, sizeof m->weir);
    else if (json_text_is(&p->r, "bytes"))
        m->bytes = take_u64(p, UINT64_MAX);
    else if (json_text_is(&p->r, "bytes_new"))
        m->bytes_new = take_u64(p, UINT64_MAX);
    else if (json_text_is(&p->r, "cut"))
        take_cut(p);
    else if (json_text_is(&p->r, "partitions"))
        take_list(p, take_partition);
    else if (json_text_is(&p->r, "files"))
        take_list(p, take_file);
    else if (!json_skip_value(&p->r))
        say(p, "it is not JSON");
}

/* Format and version first: of a version to come nothing else need make sense. */
static void peek_version(struct parse *p, struct weir_slice body) {
    struct parse peek = {.r = json_reader(body, 0), .m = p->m};
    if (json_next(&peek.r) != JSON_OBJECT_OPEN) return;
    while (json_next(&peek.r) == JSON_KEY) {
        if (json_text_is(&peek.r, "format") || json_text_is(&peek.r, "version"))
            take_member(&peek);
        else if (!json_skip_value(&peek.r))
            return;
    }
    p->format_right = peek.format_right;
    p->version = peek.version;
}

/* The two members of the whole. */
static enum weir_error open_envelope(struct weir_slice text, struct manifest *m, struct weir_slice *ret_body) {
    struct parse p = {.r = json_reader(text, 0), .m = m};
    uint8_t want[OBJECT_DIGEST_SIZE], got[OBJECT_DIGEST_SIZE];
    struct weir_slice body = {0};
    bool digest = false;
    if (json_next(&p.r) == JSON_OBJECT_OPEN)
        while (!p.wrong && json_next(&p.r) == JSON_KEY) {
            if (json_text_is(&p.r, "manifest"))
                body = json_raw_value(&p.r);
            else if (json_text_is(&p.r, "sha256")) {
                take_digest(&p, want);
                digest = true;
            } else if (!json_skip_value(&p.r))
                break;
        }
    if (p.wrong || p.r.token != JSON_OBJECT_CLOSE || json_next(&p.r) != JSON_END)
        return weir_error_context(WEIR_E_CORRUPT, "the manifest is cut short or no JSON, at byte %zu", p.r.offset);
    if (!body.data || !digest) return weir_error_context(WEIR_E_CORRUPT, "the manifest has no checksum");
    object_digest(&body, 1, got);
    if (memcmp(want, got, sizeof got) != 0)
        return weir_error_context(WEIR_E_CORRUPT, "the manifest does not match its checksum");
    *ret_body = body;
    return WEIR_OK;
}

static const char *judge(const struct manifest *m) {
    uint8_t node[MANIFEST_NODE_SIZE / 2];
    if (!object_key_valid(m->id) || strchr(m->id, '/')) return "its id is missing or malformed";
    if (strlen(m->node) != MANIFEST_NODE_SIZE - 1 || !hex_decode(weir_slice_text(m->node), node))
        return "its node's id is missing or malformed";
    for (size_t i = 1; i < m->files.count; i++)
        if (strcmp(m->files.data[i - 1].path, m->files.data[i].path) == 0) return "a file is there twice";
    return manifest_file_find(m, "catalogue") ? NULL : "it has no catalogue";
}

enum weir_error manifest_parse(struct weir_slice text, struct manifest *m) {
    struct weir_slice body;
    manifest_init(m);
    enum weir_error e = open_envelope(text, m, &body);
    if (e) return e;
    struct parse p = {.r = json_reader(body, 0), .m = m};
    peek_version(&p, body);
    if (!p.format_right) return weir_error_context(WEIR_E_CORRUPT, "this is no manifest of a weir backup");
    if (p.version != MANIFEST_VERSION)
        return weir_error_context(WEIR_E_VERSION,
            "the manifest's format is version %llu and this binary reads %u; use the binary that wrote it",
            (unsigned long long)p.version, MANIFEST_VERSION);
    if (open(&p, JSON_OBJECT_OPEN))
        while (!p.wrong && json_next(&p.r) == JSON_KEY)
            take_member(&p);
    manifest_sort(m);
    if (!p.wrong) p.wrong = judge(m);
    return p.wrong ? weir_error_context(WEIR_E_CORRUPT, "the manifest makes no sense: %s", p.wrong) : WEIR_OK;
}
