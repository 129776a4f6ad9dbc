#include "exchange/tool_flow.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <zstd.h>

#define FILE_BYTES_MAX (UINT64_C(16) << 30)

struct growing {
    uint8_t *data;
    size_t size, room;
};

static bool grow(struct growing *g, size_t more) {
    if (g->room - g->size >= more) return true;
    size_t room = g->room ? g->room : 1 << 20;
    while (room - g->size < more)
        room *= 2;
    uint8_t *data = room <= FILE_BYTES_MAX ? realloc(g->data, room) : NULL;
    if (data == NULL) return false;
    g->data = data;
    g->room = room;
    return true;
}

static enum weir_error read_plain(FILE *file, const char *path, struct growing *g) {
    for (;;) {
        if (!grow(g, 1 << 20)) return weir_error_context(WEIR_E_TOO_LARGE, "%s is larger than memory allows", path);
        size_t got = fread(g->data + g->size, 1, 1 << 20, file);
        g->size += got;
        if (got == 0) break;
    }
    if (ferror(file)) return weir_error_context(WEIR_E_IO, "cannot read %s: %s", path, strerror(errno));
    return WEIR_OK;
}

static enum weir_error unpack(const char *path, struct weir_slice packed, struct growing *g) {
    ZSTD_DStream *stream = ZSTD_createDStream();
    if (stream == NULL) return weir_error_context(WEIR_E_NO_MEMORY, "no memory to decompress %s", path);
    ZSTD_inBuffer in = {packed.data, packed.size, 0};
    enum weir_error error = WEIR_OK;
    size_t left = 1;
    while (in.pos < in.size && error == WEIR_OK) {
        if (!grow(g, 1 << 20)) {
            error = weir_error_context(WEIR_E_TOO_LARGE, "%s is larger than memory allows when decompressed", path);
            break;
        }
        ZSTD_outBuffer out = {g->data + g->size, g->room - g->size, 0};
        left = ZSTD_decompressStream(stream, &out, &in);
        if (ZSTD_isError(left))
            error = weir_error_context(
                WEIR_E_CORRUPT, "%s, byte %zu: not valid zstd: %s", path, in.pos, ZSTD_getErrorName(left));
        g->size += out.pos;
    }
    /* What the decoder still holds when the input has ended. */
    while (error == WEIR_OK && left != 0 && grow(g, 1 << 20)) {
        ZSTD_outBuffer out = {g->data + g->size, g->room - g->size, 0};
        left = ZSTD_decompressStream(stream, &out, &in);
        g->size += out.pos;
        if (out.pos == 0 && left != 0)
            error = weir_error_context(WEIR_E_CORRUPT, "%s ends in the middle of a zstd frame", path);
    }
    ZSTD_freeDStream(stream);
    return error;
}

enum weir_error flow_read_file(const char *path, struct weir_slice *ret_bytes) {
    FILE *file = fopen(path, "rb");
    if (file == NULL)
        return weir_error_context(
            errno == ENOENT ? WEIR_E_NOT_FOUND : WEIR_E_PERMISSION, "cannot open %s: %s", path, strerror(errno));
    struct growing plain = {0};
    enum weir_error error = read_plain(file, path, &plain);
    fclose(file);
    size_t length = strlen(path);
    if (error == WEIR_OK && length > 4 && strcmp(path + length - 4, ".zst") == 0) {
        struct growing unpacked = {0};
        error = unpack(path, weir_slice(plain.data, plain.size), &unpacked);
        free(plain.data);
        plain = unpacked;
    }
    if (error) {
        free(plain.data);
        return error;
    }
    *ret_bytes = weir_slice(plain.data, plain.size);
    return WEIR_OK;
}

static void note(struct flow *flow, const struct weir_orderflow_record *r) {
    if (r->symbol >= flow->symbols) flow->symbols = (uint32_t)r->symbol + 1;
    if (r->op != WEIR_ORDERFLOW_LIMIT && r->op != WEIR_ORDERFLOW_IOC) return;
    flow->orders++;
    if (r->order_id != flow->orders) flow->dense = false;
    if (r->op == WEIR_ORDERFLOW_LIMIT) flow->open_max++;
}

enum weir_error flow_load(const char *path, struct flow *ret_flow) {
    struct weir_slice bytes;
    enum weir_error error = flow_read_file(path, &bytes);
    if (error) return error;
    struct flow flow = {
        .dense = true, .count = (bytes.size + WEIR_ORDERFLOW_RECORD_SIZE - 1) / WEIR_ORDERFLOW_RECORD_SIZE};
    flow.records = malloc((flow.count + 1) * sizeof(*flow.records));
    if (flow.records == NULL) error = weir_error_context(WEIR_E_NO_MEMORY, "no memory for the records of %s", path);
    for (size_t i = 0; i < flow.count && error == WEIR_OK; i++) {
        size_t at = i * WEIR_ORDERFLOW_RECORD_SIZE;
        size_t size = bytes.size - at < WEIR_ORDERFLOW_RECORD_SIZE ? bytes.size - at : WEIR_ORDERFLOW_RECORD_SIZE;
        error = weir_orderflow_decode(weir_slice(bytes.data + at, size), &flow.records[i]);
        if (error)
            error = weir_error_wrap(error, "%s, record %zu", path, i);
        else
            note(&flow, &flow.records[i]);
    }
    free((void *)(uintptr_t)bytes.data);
    if (error) {
        free(flow.records);
        return error;
    }
    *ret_flow = flow;
    return WEIR_OK;
}

void flow_done(struct flow *flow) {
    free(flow->records);
    *flow = (struct flow){0};
}

void flow_engine_define(struct exchange_core *core, uint32_t symbols) {
    for (uint32_t i = 0; i < symbols; i++) {
        struct exchange_terms terms = {.type = EXCHANGE_COMMAND_DEFINE, .tick = 1, .lot = 1};
        snprintf(terms.name, sizeof(terms.name), "S%u", i);
        exchange_core_apply(core, &terms, sizeof(terms), 0);
    }
}

enum weir_error flow_engine_open(
    const struct exchange_limits *limits, uint32_t symbols, struct exchange_core **ret_core) {
    size_t size = exchange_core_size(limits);
    if (size == 0) return weir_error_context(WEIR_E_INVALID, "more orders or symbols than an engine can hold");
    void *region = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (region == MAP_FAILED)
        return weir_error_context(WEIR_E_NO_MEMORY, "no address space for %zu bytes of engine", size);
    /* Random places in tens of megabytes: with small pages every other access would walk the page tables. */
    madvise(region, size, MADV_HUGEPAGE);
    *ret_core = exchange_core_open(region, size, limits);
    flow_engine_define(*ret_core, symbols);
    return WEIR_OK;
}

void flow_engine_close(struct exchange_core *core, const struct exchange_limits *limits) {
    munmap(core, exchange_core_size(limits));
}
