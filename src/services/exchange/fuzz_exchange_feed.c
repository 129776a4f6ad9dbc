/* Any text as a request of the feed: it is read or refused with a sentence, and its answer is whole JSON.
 * Covers: feed.c. */
#include "exchange/feed.h"
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct feed_request r;
    const char *error = NULL;
    char text[FEED_MESSAGE_MAX];
    bool good = feed_request_read(weir_slice(data, size), &r, &error);
    if (good == (error != NULL)) abort();
    size_t written = good ? feed_note_write("ok", r.request, r.channel, NULL, text, sizeof(text))
                          : feed_error_write(r.request, "INVALID", error, text, sizeof(text));
    struct json_reader reader = json_reader(weir_slice(text, written), 0);
    if (written == 0 || !json_skip_value(&reader)) abort();
    if (good && (r.op == FEED_NONE || r.symbol[EXCHANGE_NAME_SIZE] != 0)) abort();
    return 0;
}
