/* base/encode.h: hexadecimal and Base64 (RFC 4648). Pure; strict decoders; output sizes are known beforehand. */
#ifndef WEIR_BASE_ENCODE_H
#define WEIR_BASE_ENCODE_H

#include <weir/error.h>
#include <weir/slice.h>

/* Lower case, 2 * s.size characters, no NUL. */
void hex_encode(struct weir_slice s, char *out);
/* Either case; s.size / 2 bytes into out. False: odd size or another character; out is then undefined. */
WEIR_MUST bool hex_decode(struct weir_slice s, uint8_t *out);

static inline size_t base64_size(size_t bytes) {
    return (bytes + 2) / 3 * 4;
}
/* Most bytes that decoding `characters` can give. */
static inline size_t base64_decoded_size_max(size_t characters) {
    return characters / 4 * 3 + characters % 4;
}
/* Standard alphabet with padding; base64_size(s.size) characters, no NUL. */
void base64_encode(struct weir_slice s, char *out);
/* URL-safe alphabet (RFC 4648 section 5) without padding; returns the characters. */
size_t base64url_encode(struct weir_slice s, char *out);
/* Strict: padding required (base64) or refused (base64url), no blanks, unused bits zero. *ret_size: bytes written. */
WEIR_MUST bool base64_decode(struct weir_slice s, uint8_t *out, size_t *ret_size);
WEIR_MUST bool base64url_decode(struct weir_slice s, uint8_t *out, size_t *ret_size);

#endif
