/* backup/manifest.h: what one backup consists of, as JSON text that proves itself.
 *
 *   {"manifest":{"format":"weir-backup","version":1,"id":ID,"node":HEX,"parent":ID or null,"weir":"0.1.0",
 *    "cut":{"time":RFC 3339,"unix_ms":N,"sequence":N,"epoch":N},"bytes":N,"bytes_new":N,
 *    "partitions":[{"topic":T,"partition":N,"uid":N,"derived":BOOL,"start":N,"end":N}],
 *    "files":[{"path":P,"bytes":N,"objects":[{"sha256":HEX,"bytes":N}]}]},
 *   "sha256":HEX}
 *
 * The last member is the SHA-256 of the manifest's text between its braces, braces included. A file is its objects one
 * after the other. Paths are relative to the data folder: "catalogue", "topics/...", "snapshots/...". Unknown members
 * are passed over. Every manifest is complete: `parent` only tells what it was made from, none needs another.
 *
 * Procedure to change: new members are free; a change of meaning raises MANIFEST_VERSION, and readers keep the old one.
 * Memory: vectors on the system allocator, texts in an arena. One thread.
 */
#ifndef WEIR_BACKUP_MANIFEST_H
#define WEIR_BACKUP_MANIFEST_H
#include "base/arena.h"
#include "objects/objects.h"

#include <weir/vec.h>

#define MANIFEST_VERSION    1u
#define MANIFEST_BYTES_MAX  ((size_t)512 << 20)
#define MANIFEST_OBJECT_MAX (8u << 20) /* bytes of one object: what a backup holds in memory at a time */
#define MANIFEST_ID_SIZE    40u        /* "20260102T030405678Z-0123456789abcdef" */
#define MANIFEST_NODE_SIZE  33u        /* 32 hexadecimal digits */
#define MANIFEST_PATH_MAX   512u

struct manifest_object {
    uint8_t digest[OBJECT_DIGEST_SIZE];
    uint32_t bytes;
};
WEIR_VEC(manifest_objects, struct manifest_object);
struct manifest_file {
    const char *path;
    uint64_t bytes;
    size_t first, count; /* objects */
};
WEIR_VEC(manifest_files, struct manifest_file);
struct manifest_partition {
    const char *topic;
    uint32_t index, uid;
    bool derived;
    uint64_t start, end; /* offsets */
};
WEIR_VEC(manifest_partitions, struct manifest_partition);
struct manifest {
    char id[MANIFEST_ID_SIZE], parent[MANIFEST_ID_SIZE]; /* parent "": none */
    char node[MANIFEST_NODE_SIZE];
    char weir[32];
    uint64_t cut_ms, sequence, epoch;
    uint64_t bytes, bytes_new;
    struct manifest_partitions partitions;
    struct manifest_files files;
    struct manifest_objects objects;
    struct arena arena;
};

void manifest_init(struct manifest *m);
void manifest_done(struct manifest *m); /* accepts a zeroed one */
/* Adds a file without objects; they are pushed behind the vector's end and counted in ->count. NULL: no memory. */
struct manifest_file *manifest_file_add(struct manifest *m, const char *path);
/* The file with that path; NULL: none. After manifest_sort(). */
const struct manifest_file *manifest_file_find(const struct manifest *m, const char *path);
void manifest_sort(struct manifest *m); /* files by path */
/* A text in its arena. NO_MEMORY. */
WEIR_MUST enum weir_error manifest_print(struct manifest *m, struct weir_slice *ret_text);
/* CORRUPT: no JSON, a checksum that differs, members that are missing or make no sense; VERSION: another version. *m is
 * to be given to manifest_done() in every case. */
WEIR_MUST enum weir_error manifest_parse(struct weir_slice text, struct manifest *m);
bool manifest_path_valid(const char *path);

#endif
