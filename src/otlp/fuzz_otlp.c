/* Any bytes as a collector's answer, as the settings of the group "trace" and as its file of headers: read without a
 * fault, and what was read keeps its limits. The first byte says which. Covers: answer.c target.c. */
#include "base/assert.h"
#include "base/text.h"
#include "otlp/answer.h"
#include "otlp/target.h"
#include "sys/sim.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_text(const char *text, size_t room) {
    size_t size = strnlen(text, room);
    WEIR_ASSERT(size < room && utf8_valid(weir_slice(text, size)));
    for (size_t i = 0; i < size; i++)
        WEIR_ASSERT((uint8_t)text[i] >= 0x20 && text[i] != 0x7f);
}

static void answer(int status, struct weir_slice body) {
    static const uint32_t spans = 100;
    struct otlp_answer a, again;
    struct arena arena;
    arena_init(&arena, NULL, 4096, 1 << 20);
    otlp_answer_read(status, body, spans, &arena, &a);
    otlp_answer_read(status, body, spans, &arena, &again);
    WEIR_ASSERT(memcmp(&a, &again, sizeof a) == 0);
    WEIR_ASSERT((a.verdict == OTLP_TAKEN) == (status / 100 == 2) && a.rejected <= spans);
    WEIR_ASSERT(a.verdict == OTLP_TAKEN || a.rejected == 0);
    check_text(a.text, sizeof a.text);
    arena_done(&arena);
}

static void check_target(const struct otlp_target *t) {
    WEIR_ASSERT(t->sampling.on == (t->url[0] != 0) && t->sampling.ratio >= 0 && t->sampling.ratio <= 1);
    WEIR_ASSERT(!t->url[0] || strncmp(t->url, "http", 4) == 0);
    WEIR_ASSERT(t->attribute_count <= OTLP_ATTRIBUTES_MAX);
    for (uint32_t i = 0; i < t->attribute_count; i++) {
        WEIR_ASSERT(t->attributes[i].name < t->attributes[i].value && t->attributes[i].value < OTLP_PAIRS_BYTES);
        WEIR_ASSERT(utf8_valid(weir_slice_text(t->pairs + t->attributes[i].name)));
        WEIR_ASSERT(utf8_valid(weir_slice_text(t->pairs + t->attributes[i].value)));
    }
    const char *line = t->headers, *end = t->headers + sizeof t->headers;
    for (; *line; line += strlen(line) + 1) {
        WEIR_ASSERT(line + strlen(line) + 1 < end && strstr(line, ": ") > line);
        for (const char *c = line; *c; c++)
            WEIR_ASSERT((uint8_t)*c >= 0x20 && *c != 0x7f); /* no header of its own can hide in one */
    }
}

/* Lines: endpoint, ratio, attributes, what the environment has as headers; the rest is the file of headers. */
static void settings(struct weir_slice text) {
    static const char *const keys[] = {"trace.endpoint", "trace.ratio", "trace.attributes", NULL};
    static const struct weir_service *const none[] = {NULL};
    const struct sys_sim_plan plan = {.seed = 1};
    struct settings *s = NULL;
    struct sys *sys = NULL;
    struct otlp_target target, other;
    char value[4096], env[4096] = "";
    enum weir_error e = settings_new(none, &s);
    if (!e) e = sys_sim_new(&plan, &sys);
    WEIR_ASSERT(!e);
    for (size_t i = 0; i < WEIR_ARRAY_COUNT(keys); i++) {
        const uint8_t *end = text.size ? memchr(text.data, '\n', text.size) : NULL;
        size_t n = end ? (size_t)(end - text.data) : text.size, kept = n < sizeof value - 1 ? n : sizeof value - 1;
        if (kept) memcpy(value, text.data, kept);
        value[kept] = 0;
        n += end != NULL;
        text = weir_slice(text.data + n, text.size - n);
        if (!keys[i])
            memcpy(env, value, kept + 1);
        else if (settings_set(s, keys[i], value, "fuzz") != WEIR_OK)
            weir_error_clear(); /* no text at all */
    }
    if (!otlp_target_read(sys, s, env, &target)) check_target(&target);
    e = sys_replace_file(sys, "headers", text);
    if (!e) e = settings_set(s, "trace.headers", "headers", "fuzz");
    WEIR_ASSERT(!e);
    if (!otlp_target_read(sys, s, env, &other)) check_target(&other);
    settings_free(s);
    sys_sim_free(sys);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const int statuses[] = {200, 429, 400, 503};
    if (size == 0) return 0;
    uint8_t *copy = malloc(size); /* its own block: ASan sees a read behind it */
    WEIR_ASSERT(copy);
    memcpy(copy, data, size);
    struct weir_slice rest = weir_slice(copy + 1, size - 1);
    if (copy[0] < '4')
        answer(statuses[copy[0] & 3], rest);
    else
        settings(rest);
    free(copy);
    return 0;
}
