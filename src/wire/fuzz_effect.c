/* What effects send, get back and leave behind, as any bytes: refused, or stored again as they were; secrets of
 * webhooks are taken or refused without a word of them. Input: u8 which; the bytes. Covers: effect.c webhook.c. */
#include "base/assert.h"
#include "wire/effect.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void request(struct weir_slice bytes) {
    struct weir_effect_header headers[WEIR_EFFECT_HEADERS_MAX];
    struct weir_effect_request q;
    if (!weir_effect_request_load(bytes, headers, &q)) return;
    WEIR_ASSERT(weir_effect_request_size(&q) == bytes.size);
    uint8_t *again = malloc(bytes.size);
    WEIR_ASSERT(again);
    weir_effect_request_store(&q, again);
    WEIR_ASSERT(memcmp(again, bytes.data, bytes.size) == 0);
    free(again);
}

static void answer(struct weir_slice bytes) {
    static uint8_t out[EFFECT_ANSWER_MAX];
    struct effect_answer a, b;
    if (!effect_answer_load(bytes, &a)) return;
    WEIR_ASSERT(weir_effect_class_name(a.class_)[0] != 0);
    for (uint32_t most = 0; most <= WEIR_EFFECT_BYTES_MAX; most = most * 7 + 5) {
        size_t size = effect_answer_store(&a, most, out);
        bool loaded = effect_answer_load(weir_slice(out, size), &b);
        WEIR_ASSERT(loaded && b.class_ == a.class_ && b.status == a.status && b.duration_ns == a.duration_ns);
        WEIR_ASSERT(b.text.size <= EFFECT_TEXT_MAX && b.headers.size + b.body.size <= most);
        WEIR_ASSERT(b.body.size <= a.body.size);
        if (b.body.size) WEIR_ASSERT(memcmp(a.body.data, b.body.data, b.body.size) == 0);
    }
}

static void dead_letter(struct weir_slice bytes) {
    struct weir_dead_letter l;
    struct weir_attempt attempts[WEIR_EFFECT_ATTEMPTS_MAX];
    char text[200];
    size_t needed = weir_dead_letter_print(bytes, text, sizeof text);
    WEIR_ASSERT(needed > 0);
    if (!weir_dead_letter_load(bytes, &l)) return;
    for (uint32_t i = 0; i < l.attempt_count; i++)
        attempts[i] = weir_dead_letter_attempt(&l, i);
    char *whole = malloc(needed + 1);
    uint8_t *again = malloc(bytes.size);
    WEIR_ASSERT(again && whole && effect_dead_size(&l) == bytes.size);
    WEIR_ASSERT(weir_dead_letter_print(bytes, whole, needed + 1) <= needed);
    effect_dead_store(&l, attempts, again);
    for (uint32_t i = 0; i < l.attempt_count; i++) /* the unused byte of each attempt is written as 0 */
        ((uint8_t *)(uintptr_t)l.attempts.data)[i * EFFECT_ATTEMPT_SIZE + 23] = 0;
    WEIR_ASSERT(memcmp(again, bytes.data, bytes.size) == 0);
    free(again);
    free(whole);
}

static void secret(struct weir_slice bytes) {
    struct webhook_secret s;
    char signature[WEBHOOK_SIGNATURE_MAX];
    if (webhook_secret_load(bytes, &s) != WEIR_OK) return;
    WEIR_ASSERT(s.size >= 24 && s.size <= WEBHOOK_SECRET_MAX);
    webhook_sign(&s, "id", 1, bytes, signature);
    WEIR_ASSERT(strncmp(signature, "v1,", 3) == 0 && strlen(signature) == 47);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static void (*const ways[])(struct weir_slice) = {request, answer, dead_letter, secret};
    if (size < 1) return 0;
    uint8_t *copy = malloc(size); /* a block of its own, so that a byte too far is seen */
    WEIR_ASSERT(copy);
    memcpy(copy, data + 1, size - 1);
    ways[data[0] % 4](weir_slice(copy, size - 1));
    free(copy);
    return 0;
}
