/* Rows of LOBSTER files. */
#include "wire/lobster.h"

/* What stands for the price of a level that is empty. */
#define EMPTY_PRICE INT64_C(9999999999)

bool weir_lobster_line_next(struct weir_slice *text, struct weir_slice *ret_line, bool *ret_is_whole) {
    if (text->size == 0) return false;
    const uint8_t *lf = memchr(text->data, '\n', text->size);
    size_t size = lf ? (size_t)(lf - text->data) : text->size;
    size_t skip = lf ? size + 1 : size;
    struct weir_slice line = weir_slice(text->data, size);
    if (lf && size && line.data[size - 1] == '\r') line.size--;
    *text = weir_slice(text->data + skip, text->size - skip);
    *ret_line = line;
    *ret_is_whole = lf != NULL;
    return true;
}

/* Columns are taken one by one; the number of the last one taken goes into the error. */
struct columns {
    const uint8_t *at;
    const uint8_t *end;
    unsigned count;
    bool is_done; /* the last column was taken */
};

static struct columns columns_of(struct weir_slice line) {
    if (line.size == 0) line = weir_slice("", 0); /* a zero slice has no address to count from */
    return (struct columns){.at = line.data, .end = line.data + line.size};
}

static enum weir_error column_error(const struct columns *columns, const char *what) {
    return weir_error_context(WEIR_E_INVALID, "column %u: %s", columns->count, what);
}

static bool column_next(struct columns *columns, struct weir_slice *ret_text) {
    columns->count++;
    if (columns->is_done) return false;
    const uint8_t *at = columns->at;
    size_t left = (size_t)(columns->end - at);
    const uint8_t *comma = left ? memchr(at, ',', left) : NULL;
    size_t size = comma ? (size_t)(comma - at) : left;
    *ret_text = weir_slice(at, size);
    columns->is_done = comma == NULL;
    columns->at = comma ? comma + 1 : columns->end;
    return size > 0;
}

/* Digits only, at least one, at most `max`. */
static bool digits_get(struct weir_slice text, uint64_t max, uint64_t *ret_value) {
    uint64_t value = 0;
    if (text.size == 0) return false;
    for (size_t i = 0; i < text.size; i++) {
        if (text.data[i] < '0' || text.data[i] > '9') return false;
        if (__builtin_mul_overflow(value, (uint64_t)10, &value) ||
            __builtin_add_overflow(value, (uint64_t)(text.data[i] - '0'), &value)) {
            return false;
        }
    }
    *ret_value = value;
    return value <= max;
}

static bool natural_get(struct columns *columns, uint64_t max, uint64_t *ret_value) {
    struct weir_slice text;
    return column_next(columns, &text) && digits_get(text, max, ret_value);
}

static bool integer_get(struct columns *columns, int64_t *ret_value) {
    struct weir_slice text;
    uint64_t value = 0;
    if (!column_next(columns, &text)) return false;
    bool is_negative = text.data[0] == '-';
    if (is_negative) text = weir_slice(text.data + 1, text.size - 1);
    if (!digits_get(text, INT64_MAX, &value)) return false;
    *ret_value = is_negative ? -(int64_t)value : (int64_t)value;
    return true;
}

/* Seconds with at most nine decimals. */
static bool time_get(struct columns *columns, uint64_t *ret_ns) {
    struct weir_slice text;
    if (!column_next(columns, &text)) return false;
    const uint8_t *dot = memchr(text.data, '.', text.size);
    size_t whole_size = dot ? (size_t)(dot - text.data) : text.size;
    uint64_t seconds = 0, fraction = 0;
    if (!digits_get(weir_slice(text.data, whole_size), 86400, &seconds)) return false;
    if (dot) {
        struct weir_slice decimals = weir_slice(dot + 1, text.size - whole_size - 1);
        if (decimals.size > 9 || !digits_get(decimals, 999999999, &fraction)) return false;
        for (size_t i = decimals.size; i < 9; i++)
            fraction *= 10;
    }
    *ret_ns = seconds * UINT64_C(1000000000) + fraction;
    return true;
}

enum weir_error weir_lobster_message_parse(struct weir_slice line, struct weir_lobster_message *ret_message) {
    struct columns columns = columns_of(line);
    struct weir_lobster_message message = {0};
    uint64_t type = 0, size = 0;
    int64_t direction = 0;
    if (!time_get(&columns, &message.time_ns)) {
        return column_error(&columns, "the time is not seconds with at most 9 decimals");
    }
    if (!natural_get(&columns, WEIR_LOBSTER_HALT, &type) || type < WEIR_LOBSTER_NEW) {
        return column_error(&columns, "the type is not 1..7");
    }
    if (!natural_get(&columns, UINT64_MAX, &message.order_id))
        return column_error(&columns, "the order id is no number");
    if (!natural_get(&columns, UINT32_MAX, &size)) return column_error(&columns, "the size is no number below 2^32");
    if (!integer_get(&columns, &message.price)) return column_error(&columns, "the price is no integer");
    if (!integer_get(&columns, &direction) || (direction != 1 && direction != -1)) {
        return column_error(&columns, "the direction is not 1 or -1");
    }
    if (!columns.is_done) return column_error(&columns, "there are more than 6 columns");
    message.type = (enum weir_lobster_type)type;
    message.size = (uint32_t)size;
    message.direction = (int8_t)direction;
    *ret_message = message;
    return WEIR_OK;
}

/* A price and its size; an empty level becomes zeros. */
static bool side_get(struct columns *columns, int64_t *ret_price, uint32_t *ret_size) {
    int64_t price = 0;
    uint64_t size = 0;
    if (!integer_get(columns, &price) || !natural_get(columns, UINT32_MAX, &size)) return false;
    bool is_empty = price == EMPTY_PRICE || price == -EMPTY_PRICE;
    if (is_empty != (size == 0)) return false;
    *ret_price = is_empty ? 0 : price;
    *ret_size = (uint32_t)size;
    return true;
}

enum weir_error weir_lobster_book_parse(
    struct weir_slice line, uint32_t level_count_max, struct weir_lobster_level *ret_levels, uint32_t *ret_count) {
    struct columns columns = columns_of(line);
    uint32_t count = 0;
    while (!columns.is_done) {
        struct weir_lobster_level level;
        if (!side_get(&columns, &level.ask_price, &level.ask_size) ||
            !side_get(&columns, &level.bid_price, &level.bid_size)) {
            return column_error(&columns, "a level is not ask price, ask size, bid price, bid size");
        }
        if (count == level_count_max) {
            return weir_error_context(WEIR_E_TOO_LARGE, "column %u: more than %u levels", columns.count, count);
        }
        ret_levels[count++] = level;
    }
    *ret_count = count;
    return WEIR_OK;
}
