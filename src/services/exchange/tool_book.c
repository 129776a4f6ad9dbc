#include "exchange/tool_book.h"
#include <stdlib.h>
#include <string.h>

void tool_book_done(struct tool_book *book) {
    free(book->sides[0].levels);
    free(book->sides[1].levels);
    *book = (struct tool_book){0};
}

static uint64_t level_hash(unsigned side, const struct tool_level *level) {
    uint64_t h = (uint64_t)level->price * UINT64_C(0x9E3779B97F4A7C15) + side + 1;
    h = (h ^ (h >> 29)) * UINT64_C(0xBF58476D1CE4E5B9) + level->quantity;
    h = (h ^ (h >> 32)) * UINT64_C(0x94D049BB133111EB);
    return h ^ (h >> 31);
}

/* Levels rise in the order of buyers' preference: bids upwards, asks downwards. */
static bool is_worse(unsigned side, int64_t a, int64_t b) {
    return side ? a > b : a < b;
}

/* Index of the first level that is not worse than price. */
static size_t find(const struct tool_book_side *s, unsigned side, int64_t price) {
    size_t low = 0, high = s->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (is_worse(side, s->levels[middle].price, price))
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

uint64_t tool_book_quantity(const struct tool_book *book, unsigned side, int64_t price) {
    const struct tool_book_side *s = &book->sides[side];
    size_t i = find(s, side, price);
    return i < s->count && s->levels[i].price == price ? s->levels[i].quantity : 0;
}

static enum weir_error insert(struct tool_book_side *s, size_t i, const struct tool_level *level) {
    if (s->count == s->room) {
        size_t room = s->room ? s->room * 2 : 64;
        struct tool_level *levels = realloc(s->levels, room * sizeof(*levels));
        if (levels == NULL) return weir_error_context(WEIR_E_NO_MEMORY, "no memory for %zu levels", room);
        s->levels = levels;
        s->room = room;
    }
    memmove(&s->levels[i + 1], &s->levels[i], (s->count - i) * sizeof(*level));
    s->levels[i] = *level;
    s->count++;
    return WEIR_OK;
}

enum weir_error tool_book_set(struct tool_book *book, unsigned side, int64_t price, uint64_t quantity) {
    struct tool_book_side *s = &book->sides[side];
    struct tool_level level = {price, quantity};
    size_t i = find(s, side, price);
    if (i == s->count || s->levels[i].price != price) {
        enum weir_error error = quantity ? insert(s, i, &level) : WEIR_OK;
        if (error == WEIR_OK && quantity) book->hash ^= level_hash(side, &level);
        return error;
    }
    book->hash ^= level_hash(side, &s->levels[i]);
    if (quantity) {
        s->levels[i] = level;
        book->hash ^= level_hash(side, &level);
    } else {
        s->count--;
        memmove(&s->levels[i], &s->levels[i + 1], (s->count - i) * sizeof(level));
    }
    return WEIR_OK;
}

enum weir_error tool_book_add(struct tool_book *book, unsigned side, int64_t price, int64_t change) {
    uint64_t have = tool_book_quantity(book, side, price);
    if (change < 0 && have < (uint64_t)-change)
        return weir_error_context(WEIR_E_MISMATCH, "%lld taken off the %s level %lld, which holds %llu",
            (long long)-change, side ? "ask" : "bid", (long long)price, (unsigned long long)have);
    return tool_book_set(book, side, price, have + (uint64_t)change);
}

struct tool_level tool_book_level(const struct tool_book *book, unsigned side, size_t depth) {
    const struct tool_book_side *s = &book->sides[side];
    return depth < s->count ? s->levels[s->count - 1 - depth] : (struct tool_level){0, 0};
}
