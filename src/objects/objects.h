/* objects/objects.h: a place for whole objects under keys: a folder, or a bucket that speaks the S3 API.
 *
 * What is kept there is written once and read back whole: backups today, snapshots of nodes without a disk later. An
 * object has a key of parts between slashes, of letters, digits and "._-", at most OBJECT_KEY_MAX bytes, and at most
 * OBJECT_BYTES_MAX bytes: one request, so that no upload is ever half there (S3's multipart is not needed below 5 GB).
 *
 *   PATH or file:///PATH      a folder; an object is a file, replaced atomically and synced, its name too
 *   s3://BUCKET[/PREFIX]      path-style requests to `endpoint`, signed by SigV4 (sigv4.h), with the SHA-256 of what is
 *                             sent in the signature and as x-amz-checksum-sha256: what arrives damaged is refused
 *
 * put() returns once the object is durable (S3: acknowledged). Requests that fail for a reason that may pass (no
 * connection, a timeout, 408, 429, 500, 502, 503, 504) are tried again `attempts` times, with exponential backoff and
 * full jitter. Nothing is cached.
 *
 * Threads: a store belongs to one thread at a time and blocks it: never a lane. Folders go through struct sys; S3 goes
 * through the HTTP client, outside of it: the simulator has folders only.
 * Errors: NOT_FOUND, PERMISSION, NO_SPACE, IO, TIMEOUT, TOO_LARGE, CORRUPT (a body that ends too early), INVALID (a
 * key), CONFIG (open), UNSUPPORTED (libcurl is not installed), each with the key and what the store answered.
 */
#ifndef WEIR_OBJECTS_OBJECTS_H
#define WEIR_OBJECTS_OBJECTS_H
#include "sys/sys.h"

#define OBJECT_KEY_MAX   256u
#define OBJECT_BYTES_MAX ((size_t)1 << 30)

struct http_caller;
struct object_store_options {
    const char *url;
    const char *endpoint;                /* "https://s3.eu-central-1.amazonaws.com"; NULL or "": AWS, of the region */
    const char *region;                  /* NULL or "": us-east-1 */
    const char *key_id, *secret, *token; /* of S3; token: of a temporary key, NULL or "": none */
    uint32_t attempts;                   /* of a request; 0: 6 */
    uint64_t silence_ms;                 /* a request that moves no byte for so long has failed; 0: 30,000 */
    const _Atomic bool *stop;            /* raised: requests of S3 end with CLOSED; NULL: none */
    struct http_caller *http;            /* of S3, for a test that stands in for it; NULL: libcurl */
};

/* Called per object under a prefix, in no order. An error ends the listing. */
typedef enum weir_error (*object_list_fn)(void *ctx, const char *key, uint64_t size);

struct object_store {
    void (*close)(struct object_store *);
    /* Whole or not at all; what was under the key is replaced. */
    WEIR_MUST enum weir_error (*put)(struct object_store *, const char *key, struct weir_slice bytes);
    /* Free with sys_bytes_free(); a NUL stands behind the bytes. TOO_LARGE: more than size_max. */
    WEIR_MUST enum weir_error (*get)(
        struct object_store *, const char *key, size_t size_max, struct weir_slice *ret_bytes);
    WEIR_MUST enum weir_error (*exists)(struct object_store *, const char *key, bool *ret_exists);
    WEIR_MUST enum weir_error (*remove)(struct object_store *, const char *key); /* OK when it is not there */
    /* prefix: "" or whole parts with a slash behind them. */
    WEIR_MUST enum weir_error (*list)(struct object_store *, const char *prefix, object_list_fn fn, void *ctx);
};

/* Nothing is asked of the store yet, and no folder made. CONFIG: what is wrong with the URL, or which key is missing.
 */
WEIR_MUST enum weir_error object_store_open(
    struct sys *sys, const struct object_store_options *options, struct object_store **ret_store);
void object_store_close(struct object_store *store); /* accepts NULL */
bool object_key_valid(const char *key);

#define OBJECT_DIGEST_SIZE 32u
/* SHA-256 of all parts together. */
void object_digest(const struct weir_slice *parts, size_t count, uint8_t ret_digest[OBJECT_DIGEST_SIZE]);

#endif
