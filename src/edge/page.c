/* The page at /: one self-contained file, linked into the binary (embed.py). */
#include "edge/admin.h"

extern const uint8_t page_html[];
extern const size_t page_html_size;

void page_init(struct file *page) {
    file_init(page, weir_slice(page_html, page_html_size), "text/html; charset=utf-8");
}

void page_get(struct http_call *call) {
    file_answer(call, &call->lane->edge->page);
}
