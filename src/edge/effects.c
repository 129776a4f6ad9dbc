#include "edge/effects.h"

#include "base/decimal.h"
#include "edge/desk.h"
#include "edge/services.h"
#include "host/effects.h"

#include <weir/effect.h>

#define LIMIT 100u

/* ---- what is asked for ---- */
static const char *const states[] = {"waiting", "running", "resting", "dead"};
static const char *const orders[] = {[EFFECT_ORDER_REQUEUE] = "requeue",
    [EFFECT_ORDER_DROP] = "drop",
    [EFFECT_ORDER_PAUSE] = "pause",
    [EFFECT_ORDER_RESUME] = "resume"};

static bool refuse(struct http_call *call, const char *detail) {
    http_fail(call->conn, call->turn, WEIR_E_INVALID, detail);
    return false;
}

static bool read_partition(struct http_call *call, uint32_t service, uint32_t *ret_partition) {
    uint64_t partition;
    if (!http_query_u64(call, "partition", 0, &partition)) return false;
    if (partition >= host_service_partitions(call->lane->edge->host, service)) {
        http_fail(call->conn, call->turn, WEIR_E_NOT_FOUND, "the service has no such partition");
        return false;
    }
    *ret_partition = (uint32_t)partition;
    return true;
}

/* ?effect=NAME: a row of the service's .effects. */
static bool read_row(struct http_call *call, const struct weir_service *service, uint32_t *ret_row) {
    struct weir_slice name;
    if (!http_query(call, "effect", &name)) return true;
    uint32_t i = 0;
    for (const struct weir_effect_row *row = service->effects; row && row->name; row++, i++)
        if (weir_slice_equal(name, weir_slice_text(row->name))) {
            *ret_row = i;
            return true;
        }
    http_fail(call->conn, call->turn, WEIR_E_NOT_FOUND, "the service has no effect of that name");
    return false;
}

static bool read_state(struct http_call *call, uint32_t *ret_state) {
    struct weir_slice name;
    if (!http_query(call, "state", &name)) return true;
    for (uint32_t i = 0; i < WEIR_ARRAY_COUNT(states); i++)
        if (weir_slice_equal(name, weir_slice_text(states[i]))) {
            *ret_state = i;
            return true;
        }
    return refuse(call, "state is waiting, running, resting or dead");
}

/* ---- reading ---- */
static void shown(struct conn *conn, struct http_turn *turn, const struct host_delivery *d) {
    if (d->error)
        http_fail(conn, turn, d->error, d->text && *d->text ? d->text : NULL);
    else
        http_answer(conn, turn, &(struct http_answer){.body = d->value});
}

static void ask(struct http_call *call, uint32_t service, const struct host_effects_ask *what) {
    uint32_t partition;
    if (!read_partition(call, service, &partition)) return;
    enum weir_error e = host_effects_show(call->lane->host, service, partition, what, http_wait(call, shown));
    if (e) http_fail(call->conn, call->turn, e, NULL);
}

void effects_list_get(struct http_call *call) {
    uint32_t index;
    uint64_t limit;
    struct host_effects_ask what = {.row = HOST_EFFECTS_ANY, .state = HOST_EFFECTS_ANY};
    const struct weir_service *service = services_find(call, &index);
    if (!service || !read_row(call, service, &what.row) || !read_state(call, &what.state)) return;
    if (!http_query_u64(call, "limit", LIMIT, &limit) || !http_query_u64(call, "after", 0, &what.after)) return;
    what.limit = limit < UINT32_MAX ? (uint32_t)limit : UINT32_MAX;
    ask(call, index, &what);
}

static bool read_id(struct weir_slice text, uint64_t *ret_id) {
    uint64_t id = 0;
    for (size_t i = 0; i < text.size; i++) {
        if (text.data[i] < '0' || text.data[i] > '9' || id > (UINT64_MAX - 9) / 10) return false;
        id = id * 10 + (uint64_t)(text.data[i] - '0');
    }
    *ret_id = id;
    return text.size > 0 && id > 0;
}

void effect_get(struct http_call *call) {
    uint32_t index;
    struct host_effects_ask what = {0};
    if (!services_find(call, &index)) return;
    if (!read_id(call->params[1], &what.id))
        refuse(call, "an effect's id is a number; the list tells it");
    else
        ask(call, index, &what);
}

/* ---- orders ---- */
struct order_work {
    char service[64], order[16];
    uint32_t partition;
    struct host_effect_order what;
};

static enum weir_error order_work(struct host *host, void *arg, char *text, size_t text_size) {
    const struct order_work *work = arg;
    enum weir_error e = host_effect_order(host, work->service, work->partition, &work->what);
    struct text_builder t = text_builder(text, text_size);
    if (!e)
        text_printf(
            &t, "{\"service\":\"%s\",\"partition\":%u,\"order\":\"%s\"}", work->service, work->partition, work->order);
    return e;
}

static bool read_order(struct http_call *call, struct order_work *work) {
    for (uint32_t i = EFFECT_ORDER_REQUEUE; i <= EFFECT_ORDER_RESUME; i++)
        if (weir_slice_equal(call->params[1], weir_slice_text(orders[i]))) work->what.order = i;
    struct weir_slice id, row;
    bool has_id = http_query(call, "id", &id), has_row = http_query(call, "effect", &row);
    bool one = work->what.order == EFFECT_ORDER_REQUEUE || work->what.order == EFFECT_ORDER_DROP;
    if (work->what.order == 0) return refuse(call, "an order is requeue, drop, pause or resume");
    if (!one) return has_row || refuse(call, "say which: ?effect=NAME");
    if (!has_id) return refuse(call, "say which: ?id=N, or ?id=all&effect=NAME for every dead one");
    if (weir_slice_equal(id, weir_slice_text("all"))) {
        work->what.id = HOST_EFFECTS_ALL;
        return has_row || refuse(call, "say of which: ?id=all&effect=NAME");
    }
    return read_id(id, &work->what.id) || refuse(call, "an effect's id is a number; the list tells it");
}

void effects_order_post(struct http_call *call) {
    uint32_t index;
    struct order_work work = {.partition = 0};
    const struct weir_service *service = services_find(call, &index);
    if (!service || !read_partition(call, index, &work.partition) || !read_order(call, &work) ||
        !read_row(call, service, &work.what.row))
        return;
    char action[32];
    struct text_builder t = TEXT_BUILDER(work.service), o = TEXT_BUILDER(work.order), a = TEXT_BUILDER(action);
    text_add(&t, service->name);
    text_add(&o, orders[work.what.order]);
    text_printf(&a, "effects.%s", work.order);
    desk_begin(call, &(struct desk_order){.action = action,
                         .target = weir_slice_text(work.service),
                         .fn = order_work,
                         .arg = &work,
                         .arg_size = sizeof work,
                         .deliver = services_work_done});
}
