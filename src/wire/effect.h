/* wire/effect.h: what came of an effect's attempt, as the value of a RESULT record; and signatures of what is sent.
 *
 * Value of a RESULT record, little-endian: u8 layout, 1 | u8 class | u16 status | u64 duration_ns | u64 retry_after_ns
 * | u16 text size | u32 headers' size | text | headers, each u16 name size, u16 value size, name, value | body, to the
 * end. The requests' and dead letters' layouts are in weir/effect.h. Pure, no allocation.
 */
#ifndef WEIR_WIRE_EFFECT_H
#define WEIR_WIRE_EFFECT_H
#include <weir/effect.h>

#define EFFECT_ANSWER_HEAD 26u
#define EFFECT_TEXT_MAX    128u
#define EFFECT_ANSWER_MAX  (EFFECT_ANSWER_HEAD + EFFECT_TEXT_MAX + WEIR_EFFECT_BYTES_MAX)
/* Beside name, text, attempts, request and body. */
#define EFFECT_DEAD_HEAD    56u
#define EFFECT_ATTEMPT_SIZE 24u

struct effect_answer {
    enum weir_effect_class class_;
    uint16_t status;
    uint64_t duration_ns, retry_after_ns;
    struct weir_slice text, headers, body;
};
/* Text is cut to EFFECT_TEXT_MAX, headers that have no room in `bytes_max` are left out whole, the body is cut. out has
 * EFFECT_ANSWER_MAX; returns the bytes written. */
size_t effect_answer_store(const struct effect_answer *answer, uint32_t bytes_max, uint8_t *out);
bool effect_answer_load(struct weir_slice bytes, struct effect_answer *ret_answer);

size_t effect_dead_size(const struct weir_dead_letter *letter);
/* attempts: letter->attempt_count of them; letter->attempts is not read. Into effect_dead_size() bytes. */
void effect_dead_store(const struct weir_dead_letter *letter, const struct weir_attempt *attempts, uint8_t *out);

/* ---- Standard Webhooks 1.0.0 (standardwebhooks.com), symmetric: "v1," and base64 of HMAC-SHA256 over "id.timestamp."
 * and the body ---- */
#define WEBHOOK_SECRET_MAX    64u
#define WEBHOOK_SIGNATURE_MAX 48u /* with its end */
struct webhook_secret {
    uint8_t bytes[WEBHOOK_SECRET_MAX];
    size_t size;
};
/* "whsec_" and base64 of 24 to 64 bytes, or any other text of 24 to 64 bytes; blanks and line ends around it do not
 * count. INVALID, with what it should be, and never a byte of what it is. */
WEIR_MUST enum weir_error webhook_secret_load(struct weir_slice text, struct webhook_secret *ret_secret);
void webhook_sign(const struct webhook_secret *secret, const char *id, uint64_t timestamp_s, struct weir_slice body,
    char ret_signature[WEBHOOK_SIGNATURE_MAX]);
#endif
