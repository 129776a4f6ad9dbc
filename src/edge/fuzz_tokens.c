/* The file of tokens and the bodies of /v1/tokens.
 * Oracles: what is read is written and read again as the same; what is no file says where, and what to do; a damaged
 * byte is found out; a table that is changed at random holds, after each change, exactly the tokens that a plain list
 * says, and each opens with its secret alone.
 * Input: u8 what, then JSON (its checksum is added here), or changes. Covers: tokens.c, token_file.c, token_wish.c. */
#include "base/assert.h"
#include "base/crc32c.h"
#include "edge/token_wish.h"
#include "sys/sim.h"

#include <stdio.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define NAMES 6

static struct tokens *fresh(int which) {
    static struct tokens tables[2];
    static const uint8_t salt[SECRET_SALT_SIZE] = {7};
    memset(&tables[which], 0, sizeof tables[which]);
    tokens_init(&tables[which], salt);
    return &tables[which];
}

static void check_rewritten(const struct tokens *tokens, struct arena *arena) {
    struct text_builder first = text_builder_arena(arena, 0), second;
    tokens_write(tokens, &first);
    struct tokens *again = fresh(1);
    enum weir_error e = tokens_read(text_slice(&first), again);
    WEIR_ASSERT(!e);
    second = text_builder_arena(arena, 0);
    tokens_write(again, &second);
    WEIR_ASSERT(again->count == tokens->count && weir_slice_equal(text_slice(&first), text_slice(&second)));
    first.data[first.size / 2] ^= 1;
    WEIR_ASSERT(tokens_read(text_slice(&first), fresh(1)) == WEIR_E_CORRUPT);
}

static void check_file(struct weir_slice text, struct arena *arena) {
    struct text_builder file = text_builder_arena(arena, 0);
    text_add_slice(&file, text);
    text_printf(&file, "crc32c %08x\n", crc32c(text.data, text.size));
    if (file.size != text.size + 16) return; /* text_add cuts what is no UTF-8 */
    struct tokens *tokens = fresh(0);
    enum weir_error e = tokens_read(text_slice(&file), tokens);
    WEIR_ASSERT(!e || weir_error_text()[0]);
    if (!e) check_rewritten(tokens, arena);
}

/* ---- bodies ---- */

static void check_bodies(struct weir_slice text, struct arena *arena) {
    struct token_wish wish;
    struct token_shown shown;
    uint64_t number, burst;
    static const uint8_t random[SECRET_RANDOM] = {3};
    (void)!token_grace_read(text, &number);
    (void)!token_limit_read(text, &number, &burst);
    if (!token_parse_rate(text, &number)) WEIR_ASSERT(number >= 1 && number <= TOKEN_RATE_MAX);
    enum weir_error e = token_wish_read(text, &wish);
    WEIR_ASSERT(!e || (e == WEIR_E_INVALID && weir_error_text()[0]));
    if (e) return;
    struct tokens *tokens = fresh(0);
    e = tokens_create(tokens, &wish, random, 1000, &shown);
    if (strcmp(wish.name, "local") == 0) return;
    WEIR_ASSERT(!e && tokens->count == 1);
    WEIR_ASSERT(tokens_create(tokens, &wish, random, 1000, &shown) == WEIR_E_EXISTS);
    const struct token *token = tokens_by_name(tokens, weir_slice_text(wish.name));
    struct text_builder t = text_builder_arena(arena, 0);
    struct json_writer w = json_writer(&t, 0);
    json_write_array_open(&w);
    token_print(tokens, token, 2000, &w);
    token_print_shown(token, &shown, &w);
    json_write_array_close(&w);
    WEIR_ASSERT(json_writer_finished(&w));
    check_rewritten(tokens, arena);
}

/* ---- changes ---- */

struct held { /* what the plain list knows of a name */
    bool is_there;
    struct token_shown shown, old;
    uint64_t old_until_ms;
};

static void name_of(uint32_t i, char out[TOKEN_NAME_MAX + 1]) {
    memset(out, 0, TOKEN_NAME_MAX + 1);
    snprintf(out, TOKEN_NAME_MAX + 1, "name-%u", i);
}

static bool opens(const struct tokens *tokens, const char *secret, bool is_login, uint64_t now_ms, const char *name) {
    struct token_proof proof;
    const struct token *token = is_login ? tokens_by_login(tokens, weir_slice_text(secret), now_ms, &proof)
                                         : tokens_by_secret(tokens, weir_slice_text(secret), now_ms, &proof);
    WEIR_ASSERT(!token || strcmp(token->name, name) == 0);
    return token != NULL;
}

static void check_held(const struct tokens *tokens, const struct held *held, uint64_t now_ms) {
    uint32_t count = 0;
    for (uint32_t i = 0; i < NAMES; i++) {
        char name[TOKEN_NAME_MAX + 1];
        name_of(i, name);
        WEIR_ASSERT((tokens_by_name(tokens, weir_slice_text(name)) != NULL) == held[i].is_there);
        count += held[i].is_there;
        if (!held[i].shown.secret[0]) continue;
        WEIR_ASSERT(opens(tokens, held[i].shown.secret, false, now_ms, name) == held[i].is_there);
        if (held[i].old.secret[0])
            WEIR_ASSERT(opens(tokens, held[i].old.secret, false, now_ms, name) ==
                        (held[i].is_there && held[i].old_until_ms > now_ms));
    }
    WEIR_ASSERT(tokens->count == count);
}

static void change(struct tokens *tokens, struct held *held, const uint8_t *step, uint64_t now_ms) {
    static uint64_t drawn;
    uint32_t i = step[1] % NAMES;
    uint8_t random[SECRET_RANDOM];
    struct token_wish wish = {
        .rate = step[1], .role_count = 1, .wants_login = step[2] == 1 /* they are slow on purpose */};
    name_of(i, wish.name);
    if (step[2] & 2) snprintf(wish.tenant, sizeof wish.tenant, "tenant-%u", step[2] % 3u);
    struct weir_slice name = weir_slice_text(wish.name);
    struct token_shown shown;
    for (size_t k = 0; k < sizeof random; k++) {
        drawn = drawn * 6364136223846793005u + 1442695040888963407u;
        random[k] = (uint8_t)(drawn >> 56);
    }
    enum weir_error e = role_parse(weir_slice_text("topic/a:read"), &wish.roles[0]);
    WEIR_ASSERT(!e);
    switch (step[0] % 4) {
    case 0:
        e = tokens_create(tokens, &wish, random, now_ms, &shown);
        WEIR_ASSERT(e == (held[i].is_there ? WEIR_E_EXISTS : WEIR_OK));
        if (!e) held[i] = (struct held){.is_there = true, .shown = shown};
        break;
    case 1:
        e = tokens_rotate(tokens, name, step[2], random, now_ms, &shown);
        WEIR_ASSERT(e == (held[i].is_there ? WEIR_OK : WEIR_E_NOT_FOUND));
        if (!e)
            held[i] = (struct held){
                .is_there = true, .shown = shown, .old = held[i].shown, .old_until_ms = step[2] ? now_ms + step[2] : 0};
        break;
    case 2:
        e = tokens_revoke(tokens, name);
        WEIR_ASSERT(e == (held[i].is_there ? WEIR_OK : WEIR_E_NOT_FOUND));
        held[i].is_there = false;
        break;
    default:
        e = tokens_limit_tenant(tokens, weir_slice_text("tenant-1"), step[2], 0);
        WEIR_ASSERT(!e);
    }
}

static void check_changes(struct weir_slice steps, struct arena *arena) {
    struct tokens *tokens = fresh(0);
    struct held held[NAMES] = {0};
    uint64_t now_ms = 1000;
    for (size_t at = 0; at + 3 <= steps.size && at < 90; at += 3, now_ms += 40) {
        change(tokens, held, steps.data + at, now_ms);
        check_held(tokens, held, now_ms);
    }
    for (uint32_t i = 0; i < NAMES; i++) {
        char name[TOKEN_NAME_MAX + 1];
        name_of(i, name);
        if (held[i].is_there && held[i].shown.login[0])
            WEIR_ASSERT(opens(tokens, held[i].shown.login, true, now_ms, name));
    }
    check_rewritten(tokens, arena);
}

/* In a folder: nothing there is an empty table; what was stored is loaded. */
static void check_folder(struct weir_slice text, struct arena *arena) {
    struct sys *sys;
    struct sys_sim_plan plan = {.seed = 1};
    (void)arena;
    enum weir_error e = sys_sim_new(&plan, &sys);
    WEIR_ASSERT(!e);
    e = sys_make_folders(sys, "d");
    if (!e) e = tokens_load(sys, "d", fresh(0));
    WEIR_ASSERT(!e);
    struct tokens *tokens = fresh(0);
    e = tokens_limit_tenant(tokens, weir_slice_text("t"), text.size + 1, 0);
    if (!e) e = tokens_store(sys, "d", tokens);
    if (!e) e = tokens_load(sys, "d", fresh(1));
    WEIR_ASSERT(!e && fresh(1) != NULL);
    e = sys_replace_file(sys, "d/" TOKENS_FILE, text);
    WEIR_ASSERT(!e);
    e = tokens_load(sys, "d", fresh(0));
    WEIR_ASSERT(!e || strstr(weir_error_text(), "d/" TOKENS_FILE));
    sys_sim_free(sys);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static void (*const checks[])(struct weir_slice text, struct arena * arena) = {
        check_file, check_bodies, check_changes, check_folder};
    struct arena arena;
    if (size == 0 || size > 20000) return 0;
    arena_init(&arena, NULL, 16 << 10, 16 << 20);
    checks[data[0] % WEIR_ARRAY_COUNT(checks)](weir_slice(data + 1, size - 1), &arena);
    arena_done(&arena);
    return 0;
}
