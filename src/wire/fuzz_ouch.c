/* OUCH-style messages on any bytes: what decodes is encoded and decoded again to the same.
 * Covers: ouch.c. */
#include "base/assert.h"
#include "wire/ouch.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void request_run(struct weir_slice message) {
    struct weir_ouch_request request, again;
    uint8_t first[WEIR_OUCH_MESSAGE_SIZE_MAX], second[WEIR_OUCH_MESSAGE_SIZE_MAX];
    uint32_t user_ref = 0;
    char client_id[14];
    weir_ouch_request_peek(message, &user_ref, client_id);
    enum weir_ouch_reason reason = weir_ouch_request_decode(message, &request);
    if (reason) {
        WEIR_ASSERT(weir_ouch_reason_sentence(reason)[0] != 0);
        return;
    }
    size_t size = weir_ouch_request_encode(&request, first);
    WEIR_ASSERT(size >= message.size); /* nothing of the message was dropped */
    reason = weir_ouch_request_decode(weir_slice(first, size), &again);
    WEIR_ASSERT(!reason);
    WEIR_ASSERT(weir_ouch_request_encode(&again, second) == size && memcmp(first, second, size) == 0);
}

static void response_run(struct weir_slice message) {
    struct weir_ouch_response response, again;
    uint8_t first[WEIR_OUCH_MESSAGE_SIZE_MAX], second[WEIR_OUCH_MESSAGE_SIZE_MAX];
    if (weir_ouch_response_decode(message, &response)) return;
    size_t size = weir_ouch_response_encode(&response, first);
    WEIR_ASSERT(size >= message.size);
    enum weir_ouch_reason reason = weir_ouch_response_decode(weir_slice(first, size), &again);
    WEIR_ASSERT(!reason);
    WEIR_ASSERT(weir_ouch_response_encode(&again, second) == size && memcmp(first, second, size) == 0);
}

/* An alpha field holds the text up to its size; blanks at its end are padding. */
static void alpha_run(struct weir_slice text) {
    char field[WEIR_OUCH_CLIENT_ID_SIZE];
    weir_ouch_alpha_set(field, sizeof field, text);
    struct weir_slice kept = weir_ouch_alpha_get(field, sizeof field);
    WEIR_ASSERT(kept.size <= text.size && (kept.size == 0 || memcmp(kept.data, text.data, kept.size) == 0));
    for (size_t i = kept.size; i < text.size && i < sizeof field; i++)
        WEIR_ASSERT(text.data[i] == ' ');
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    uint8_t *copy = malloc(size ? size : 1); /* its own block: ASan sees a read behind the message */
    WEIR_ASSERT(copy);
    if (size) memcpy(copy, data, size);
    request_run(weir_slice(copy, size));
    response_run(weir_slice(copy, size));
    alpha_run(weir_slice(copy, size));
    free(copy);
    return 0;
}
