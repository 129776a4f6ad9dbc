/* See s3_xml.h. */
#include "objects/s3_xml.h"

#include "base/text.h"
#include "base/units.h"

#include <expat.h>
#include <stdio.h>

struct s3_reading {
    XML_Parser parser;
    struct s3_answer *answer;
    object_list_fn fn;
    void *ctx;
    enum weir_error error;
    unsigned depth;
    bool in_contents, has_key, has_size;
    char key[S3_TEXT_MAX];
    uint64_t bytes;
    char text[S3_TEXT_MAX]; /* of the present element */
    size_t text_size;
    bool text_long;
};

static void fail(struct s3_reading *r, enum weir_error e) {
    if (r->error == WEIR_OK) r->error = e;
    XML_StopParser(r->parser, XML_FALSE);
}

static void on_open(void *ctx, const char *name, const char **attributes) {
    struct s3_reading *r = ctx;
    (void)attributes;
    r->depth++;
    r->text_size = 0;
    r->text_long = false;
    if (r->depth == 1) r->answer->is_list = strcmp(name, "ListBucketResult") == 0;
    if (r->depth != 2 || strcmp(name, "Contents") != 0) return;
    r->in_contents = true;
    r->has_key = r->has_size = false;
}

static void on_text(void *ctx, const char *text, int size) {
    struct s3_reading *r = ctx;
    if ((size_t)size >= sizeof r->text - r->text_size) {
        r->text_long = true;
        return;
    }
    memcpy(r->text + r->text_size, text, (size_t)size);
    r->text_size += (size_t)size;
}

static void take_contents(struct s3_reading *r, const char *name) {
    if (strcmp(name, "Key") == 0) {
        r->has_key = !r->text_long;
        snprintf(r->key, sizeof r->key, "%s", r->text);
    } else if (strcmp(name, "Size") == 0) {
        r->has_size = parse_u64(weir_slice(r->text, r->text_size), &r->bytes) == WEIR_OK;
    }
}

static void take_root(struct s3_reading *r, const char *name) {
    struct s3_answer *a = r->answer;
    if (strcmp(name, "IsTruncated") == 0)
        a->truncated = strcmp(r->text, "true") == 0;
    else if (strcmp(name, "NextContinuationToken") == 0 && !r->text_long)
        snprintf(a->token, sizeof a->token, "%s", r->text);
    else if (strcmp(name, "Code") == 0)
        snprintf(a->code, sizeof a->code, "%s", r->text);
    else if (strcmp(name, "Message") == 0)
        snprintf(a->message, sizeof a->message, "%s", r->text);
}

static void on_close(void *ctx, const char *name) {
    struct s3_reading *r = ctx;
    r->text[r->text_size] = 0;
    if (r->depth == 3 && r->in_contents) take_contents(r, name);
    if (r->depth == 2 && r->in_contents) {
        r->in_contents = false;
        if (!r->has_key || !r->has_size)
            fail(r, weir_error_context(WEIR_E_INVALID, "an object in the list has no key or no size"));
        else if (r->fn) {
            enum weir_error e = r->fn(r->ctx, r->key, r->bytes);
            if (e) fail(r, e);
        }
    } else if (r->depth == 2) {
        take_root(r, name);
    }
    r->text_size = 0;
    r->depth--;
}

enum weir_error s3_answer_parse(struct weir_slice text, object_list_fn fn, void *ctx, struct s3_answer *ret_answer) {
    *ret_answer = (struct s3_answer){0};
    struct s3_reading r = {.answer = ret_answer, .fn = fn, .ctx = ctx};
    r.parser = XML_ParserCreate(NULL);
    if (!r.parser) return weir_error_context(WEIR_E_NO_MEMORY, "no memory to read an answer");
    XML_SetUserData(r.parser, &r);
    XML_SetElementHandler(r.parser, on_open, on_close);
    XML_SetCharacterDataHandler(r.parser, on_text);
    bool good =
        text.size <= INT32_MAX && XML_Parse(r.parser, (const char *)text.data, (int)text.size, 1) == XML_STATUS_OK;
    if (!good && !r.error)
        r.error =
            weir_error_context(WEIR_E_INVALID, "the answer is no XML: %s", XML_ErrorString(XML_GetErrorCode(r.parser)));
    if (!r.error && r.answer->truncated && !r.answer->token[0])
        r.error = weir_error_context(WEIR_E_INVALID, "the list goes on, but does not say where");
    XML_ParserFree(r.parser);
    return r.error;
}
