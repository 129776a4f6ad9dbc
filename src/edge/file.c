/* Files: the whole, parts of it, or that the client has it already. */
#include "edge/file.h"
#include "base/hash.h"
#include "edge/http_session.h"
#include "wire/http_conditional.h"

#define RANGE_TEXT_SIZE 80 /* "bytes ", two numbers of 20 digits, "-" and "/", a third */

void file_init(struct file *file, struct weir_slice bytes, const char *content_type) {
    struct text_builder tag = TEXT_BUILDER(file->etag);
    text_printf(&tag, "\"%016llx\"", (unsigned long long)hash_bytes(bytes.data, bytes.size, 0));
    file->bytes = bytes;
    file->content_type = content_type;
}

static struct weir_slice part_of(const struct file *file, const struct weir_http_range *range) {
    return weir_slice(file->bytes.data + range->first, (size_t)range->size);
}

/* Content-Range of RFC 9110 14.4. */
static void print_range(const struct file *file, const struct weir_http_range *range, struct text_builder *text) {
    text_add(text, "bytes ");
    text_add_u64(text, range->first);
    text_add(text, "-");
    text_add_u64(text, range->first + range->size - 1);
    text_add(text, "/");
    text_add_u64(text, file->bytes.size);
}

static void answer_part(struct http_call *call, const struct file *file, const struct weir_http_range *range) {
    char content_range[RANGE_TEXT_SIZE];
    struct text_builder t = TEXT_BUILDER(content_range);
    print_range(file, range, &t);
    http_answer(call->conn, call->turn,
        &(struct http_answer){.status = 206,
            .content_type = file->content_type,
            .body = part_of(file, range),
            .etag = file->etag,
            .content_range = content_range});
}

/* RFC 9110 14.6. The boundary holds the hash of the whole, which no part of it can hold but by chance. */
static void answer_parts(struct http_call *call, const struct file *file, const struct weir_http_selection *selection) {
    char type[80], boundary[40];
    struct text_builder body = text_builder_arena(&call->lane->arena, 0), t = TEXT_BUILDER(type);
    struct text_builder b = TEXT_BUILDER(boundary);
    text_printf(&b, "weir-%.16s", file->etag + 1);
    text_printf(&t, "multipart/byteranges; boundary=%s", boundary);
    for (uint32_t i = 0; i < selection->range_count; i++) {
        text_printf(&body, "\r\n--%s\r\nContent-Type: %s\r\nContent-Range: ", boundary, file->content_type);
        print_range(file, &selection->ranges[i], &body);
        text_add(&body, "\r\n\r\n");
        text_add_slice(&body, part_of(file, &selection->ranges[i]));
    }
    text_printf(&body, "\r\n--%s--\r\n", boundary);
    if (body.truncated) {
        http_fail(
            call->conn, call->turn, WEIR_E_NO_MEMORY, "the parts are larger than the lane's memory for one request");
        return;
    }
    http_answer(call->conn, call->turn,
        &(struct http_answer){.status = 206, .content_type = type, .body = text_slice(&body), .etag = file->etag});
}

static void refuse_range(struct http_call *call, const struct file *file) {
    char content_range[RANGE_TEXT_SIZE], detail[120];
    struct text_builder t = TEXT_BUILDER(content_range), d = TEXT_BUILDER(detail);
    text_add(&t, "bytes */");
    text_add_u64(&t, file->bytes.size);
    text_printf(&d, "there are %zu bytes here, and none of them is in the range", file->bytes.size);
    http_problem(call->conn, call->turn,
        &(struct http_problem){
            .status = 416, .code = "OUT_OF_RANGE", .detail = detail, .content_range = content_range});
}

void file_answer(struct http_call *call, const struct file *file) {
    struct weir_http_selection selection;
    weir_http_select(call->request, weir_slice_text(file->etag), file->bytes.size, &selection);
    if (selection.status == 206 && selection.range_count == 1) {
        answer_part(call, file, &selection.ranges[0]);
    } else if (selection.status == 206) {
        answer_parts(call, file, &selection);
    } else if (selection.status == 416) {
        refuse_range(call, file);
    } else if (selection.status == 412) {
        http_problem(call->conn, call->turn,
            &(struct http_problem){
                .status = 412, .code = "PRECONDITION_FAILED", .detail = "what is here is not what If-Match names"});
    } else {
        http_answer(call->conn, call->turn,
            &(struct http_answer){.status = selection.status,
                .content_type = file->content_type,
                .body = file->bytes,
                .etag = file->etag});
    }
}
