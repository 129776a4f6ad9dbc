/* The files a stream's trades and best prices are held against, and the plan run in this process. */
#include "exchange/tool_check.h"
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* The next row of `count` comma-separated integers; false at the end. A row that is not is INVALID unless the first. */
struct rows {
    struct weir_slice text;
    uint64_t line;
};

static bool integer(struct weir_slice *text, int64_t *ret) {
    bool negative = text->size && text->data[0] == '-';
    size_t i = negative;
    uint64_t value = 0;
    for (; i < text->size && i < 19 && text->data[i] >= '0' && text->data[i] <= '9'; i++)
        value = value * 10 + (uint64_t)(text->data[i] - '0');
    if (i == negative) return false;
    *ret = negative ? -(int64_t)value : (int64_t)value;
    if (i < text->size && text->data[i] == ',') i++;
    *text = weir_slice(text->data + i, text->size - i);
    return true;
}

static enum weir_error row_next(struct rows *rows, int64_t *ret_fields, size_t count, bool *ret_more) {
    struct weir_slice line;
    bool whole;
    while (weir_lobster_line_next(&rows->text, &line, &whole)) {
        rows->line++;
        size_t i = 0;
        while (i < count && integer(&line, &ret_fields[i]))
            i++;
        *ret_more = true;
        if (i == count && line.size == 0) return WEIR_OK;
        if (rows->line > 1)
            return weir_error_context(WEIR_E_INVALID, "line %" PRIu64 ": not %zu numbers", rows->line, count);
    }
    *ret_more = false;
    return WEIR_OK;
}

enum weir_error check_tops_load(struct check *check, const char *path) {
    struct weir_slice text;
    enum weir_error error = flow_read_file(path, &text);
    if (error) return error;
    struct rows rows = {.text = text};
    size_t room = text.size / 12 + 1; /* six fields of one digit and a comma */
    check->tops = calloc(room, sizeof(*check->tops));
    if (check->tops == NULL) error = weir_error_context(WEIR_E_NO_MEMORY, "no memory for %s", path);
    int64_t f[6];
    bool more = true;
    while (error == WEIR_OK) {
        error = row_next(&rows, f, 6, &more);
        if (error || !more) break;
        check->tops[check->top_count++] = (struct check_top){
            .row = (uint32_t)f[0], .symbol = (uint32_t)f[1], .best = {{f[2], (uint64_t)f[3]}, {f[4], (uint64_t)f[5]}}};
    }
    if (error) error = weir_error_wrap(error, "%s", path);
    free((void *)(uintptr_t)text.data);
    return error;
}

/* Trades of one record came on one session, in order: only the records need sorting, and that stably. */
static enum weir_error sort_by_row(struct check *check) {
    const struct plan *plan = check->plan;
    size_t *starts = calloc(plan->rows + 1u, sizeof(*starts));
    struct check_trade *sorted = calloc(check->trade_count + 1, sizeof(*sorted));
    if (starts == NULL || sorted == NULL) {
        free(starts);
        free(sorted);
        return weir_error_context(WEIR_E_NO_MEMORY, "no memory to sort %zu trades", check->trade_count);
    }
    for (size_t i = 0; i < check->trade_count; i++)
        starts[check->trades[i].row + 1]++;
    for (uint32_t row = 0; row < plan->rows; row++)
        starts[row + 1] += starts[row];
    for (size_t i = 0; i < check->trade_count; i++)
        sorted[starts[check->trades[i].row]++] = check->trades[i];
    free(starts);
    free(check->trades);
    check->trades = sorted;
    check->trade_room = check->trade_count + 1;
    return WEIR_OK;
}

static enum weir_error compare_trades(struct check *check, struct rows *rows) {
    int64_t want[6];
    bool more = true;
    for (size_t i = 0; more; i++) {
        enum weir_error error = row_next(rows, want, 6, &more);
        if (error) return error;
        if (!more) {
            if (i < check->trade_count)
                check_mismatch(check, "%zu trades more than the file has, from record %u on", check->trade_count - i,
                    check->trades[i].row);
            return WEIR_OK;
        }
        check->trades_expected++;
        if (i >= check->trade_count) {
            check_mismatch(check, "trades line %" PRIu64 ": did not happen", rows->line);
            continue;
        }
        const struct check_trade *t = &check->trades[i];
        const int64_t have[6] = {t->row, t->symbol, t->maker, t->taker, t->price, (int64_t)t->quantity};
        if (memcmp(have, want, sizeof(want)) != 0)
            check_mismatch(check,
                "trades line %" PRIu64 ": record %" PRId64 " symbol %" PRId64 " maker %" PRId64 " taker %" PRId64
                " price %" PRId64 " quantity %" PRId64 " happened instead",
                rows->line, have[0], have[1], have[2], have[3], have[4], have[5]);
    }
    return WEIR_OK;
}

enum weir_error check_finish(struct check *check, const char *trades_path) {
    enum weir_error error = sort_by_row(check);
    if (error) return error;
    for (size_t i = 0; i < check->trade_count; i++) {
        const struct check_trade *t = &check->trades[i];
        const uint64_t fields[5] = {t->symbol, t->maker, t->taker, (uint64_t)t->price, t->quantity};
        for (int k = 0; k < 5; k++)
            check->hash = weir_orderflow_hash(check->hash, fields[k]);
    }
    if (trades_path == NULL) return WEIR_OK;
    check->has_trades = true;
    struct rows rows = {0};
    error = flow_read_file(trades_path, &rows.text);
    if (error) return error;
    void *text = (void *)(uintptr_t)rows.text.data;
    error = compare_trades(check, &rows);
    if (error) error = weir_error_wrap(error, "%s", trades_path);
    free(text);
    return error;
}

/* ---- offline ---- */

static void take_event(struct check *check, uint32_t index, const struct exchange_event *e, bool is_first) {
    uint32_t key = (uint32_t)e->client_ref;
    struct check_trade trade = {.price = e->price, .quantity = e->quantity};
    if (is_first) check_begin(check, 0, index);
    switch (e->type) {
    case EXCHANGE_EVENT_ACCEPTED:
        check_accepted(check, 0);
        break;
    case EXCHANGE_EVENT_REPLACED:
        check_replaced(check, 0, e->price, (uint32_t)e->leaves);
        break;
    case EXCHANGE_EVENT_EXECUTED:
        check_executed(check, 0, key, &trade, e->match_id, e->flags & EXCHANGE_EVENT_MAKER);
        break;
    case EXCHANGE_EVENT_CANCELED:
    case EXCHANGE_EVENT_REDUCED:
    case EXCHANGE_EVENT_EXPIRED:
        check_reduced(check, key, (uint32_t)e->quantity);
        break;
    default:
        check_rejected(check, 0, exchange_reason_code(e->reason));
        break;
    }
}

enum weir_error check_offline(struct check *check) {
    const struct plan *plan = check->plan;
    struct exchange_limits limits = {
        .orders_max = plan->keys + 65536, .symbols_max = plan->symbols + 1, .accounts_max = PLAN_ACCOUNT};
    struct exchange_core *core;
    enum weir_error error = flow_engine_open(&limits, plan->symbols, &core);
    if (error) return error;
    for (uint32_t i = 0; i < plan->count; i++) {
        if (plan->requests[i].kind == PLAN_NOTHING) {
            check_begin(check, 0, i);
            continue;
        }
        struct exchange_command command;
        plan_command(&plan->requests[i], core, &command);
        if (command.type == EXCHANGE_COMMAND_REPLACE) command.flags |= EXCHANGE_FLAG_REQUEUE;
        exchange_core_apply(core, &command, sizeof(command), i);
        size_t count;
        bool is_first = true;
        const union exchange_output *outputs = exchange_core_outputs(core, &count);
        for (size_t k = 0; k < count; k++) {
            if (outputs[k].type >= EXCHANGE_EVENT_L2) continue;
            take_event(check, i, &outputs[k].event, is_first);
            is_first = false;
        }
    }
    check_end(check, 0);
    flow_engine_close(core, &limits);
    return check->failed ? weir_error_context(WEIR_E_NO_MEMORY, "no memory to check the answers") : WEIR_OK;
}
