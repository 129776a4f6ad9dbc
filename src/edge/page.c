/* The page at /: one self-contained file, linked into the binary (embed.py). */
#include "edge/admin.h"

extern const uint8_t page_html[];
extern const size_t page_html_size;

void page_get(struct http_call *call) {
    http_answer(call->conn, call->turn,
        &(struct http_answer){
            .content_type = "text/html; charset=utf-8", .body = weir_slice(page_html, page_html_size)});
}
