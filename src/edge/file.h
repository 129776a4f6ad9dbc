/* edge/file.h: bytes that stay as they are while the process lives, served as HTTP serves files: with an entity tag, so
 * that a browser which has them gets 304, and in parts when parts are asked for.
 *
 * The tag is made of the bytes: another build, or other services in the OpenAPI text, have another one. A client asks
 * each time (Cache-Control: no-cache). What is answered when is wire/http_conditional.h's; several ranges come as
 * multipart/byteranges.
 * Owner: made before the lanes start, read-only afterwards.
 */
#ifndef WEIR_EDGE_FILE_H
#define WEIR_EDGE_FILE_H
#include <stdint.h>
#include <weir/slice.h>

enum { FILE_ETAG_SIZE = 19 }; /* 16 hexadecimal digits in quotes, and NUL */

struct http_call;
struct file {
    struct weir_slice bytes;
    const char *content_type;
    char etag[FILE_ETAG_SIZE];
};

void file_init(struct file *file, struct weir_slice bytes, const char *content_type); /* bytes are not copied */
void file_answer(struct http_call *call, const struct file *file);

#endif
