#include "exchange/tool_feed.h"
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <time.h>

#define LATENCY_NS_MAX (UINT64_C(1) << 40)
#define LOGIN_PATIENCE UINT64_C(10000000000)
#define PROGRESS_NS    UINT64_C(200000000)
#define SILENCE_NS_MAX UINT64_C(60000000000) /* requests under way and nothing comes: the node hangs */
#define RETRY_PAUSE_MS 50
#define POLL_IDLE_MS   50
#define POLL_IDLE_NS   UINT64_C(50000000)
#define LATE_NS        UINT64_C(20000) /* what cannot leave yet, or is due any moment */

enum weir_error feed_open(struct feed *feed) {
    size_t buckets = histogram_bucket_count(LATENCY_NS_MAX);
    feed->buckets = calloc(buckets, sizeof(*feed->buckets));
    feed->refs = calloc(feed->plan->keys + 1u, sizeof(*feed->refs));
    if (feed->buckets == NULL || feed->refs == NULL) return weir_error_context(WEIR_E_NO_MEMORY, "no memory to feed");
    histogram_init(&feed->latency, feed->buckets, buckets);
    return WEIR_OK;
}

void feed_done(struct feed *feed) {
    for (uint32_t i = 0; feed->sessions && i < feed->session_count; i++) {
        tool_client_logout(&feed->sessions[i].client);
        tool_client_done(&feed->sessions[i].client);
        free(feed->sessions[i].keys);
    }
    free(feed->sessions);
    free(feed->refs);
    free(feed->session_of);
    free(feed->names);
    free(feed->buckets);
}

/* ---- requests ---- */

static void build(const struct feed *feed, const struct plan_request *p, uint32_t ref, uint32_t ref_before,
    struct weir_ouch_request *ret) {
    if (p->kind == PLAN_CANCEL || p->kind == PLAN_REDUCE) {
        *ret =
            (struct weir_ouch_request){.type = WEIR_OUCH_CANCEL, .cancel = {.user_ref = ref, .quantity = p->quantity}};
        if (p->kind == PLAN_CANCEL) ret->cancel.quantity = 0;
        return;
    }
    if (p->kind == PLAN_REPLACE) {
        *ret = (struct weir_ouch_request){.type = WEIR_OUCH_REPLACE,
            .replace = {.orig_user_ref = ref_before,
                .user_ref = ref,
                .quantity = p->quantity,
                .price = (uint64_t)p->price,
                .time_in_force = '1',
                .display = 'Y',
                .sweep = 'N'}};
        memset(ret->replace.client_id, ' ', sizeof(ret->replace.client_id));
        return;
    }
    tool_client_enter(ret, ref, p->side == EXCHANGE_SIDE_SELL ? 'S' : 'B', feed->names[p->symbol]);
    ret->enter.quantity = p->quantity;
    ret->enter.price = (uint64_t)p->price;
    if (p->kind == PLAN_IOC) ret->enter.time_in_force = '3';
}

static enum weir_error remember(struct feed_session *s, uint32_t key) {
    if (s->key_count == s->key_room) {
        uint32_t room = s->key_room ? s->key_room * 2 : 4096;
        uint32_t *keys = realloc(s->keys, room * sizeof(*keys));
        if (keys == NULL) return weir_error_context(WEIR_E_NO_MEMORY, "no memory for %u references", room);
        s->keys = keys;
        s->key_room = room;
    }
    s->keys[s->key_count++] = key;
    return WEIR_OK;
}

static uint32_t key_of(const struct feed_session *s, uint32_t ref) {
    uint32_t i = ref - s->first_ref;
    return ref >= s->first_ref && i < s->key_count ? s->keys[i] : 0;
}

static enum weir_error put(struct feed *feed, struct feed_session *s, uint32_t index, uint64_t at_ns) {
    const struct plan_request *p = &feed->plan->requests[index];
    uint32_t before = feed->refs[p->key], ref = before;
    if (p->kind == PLAN_ENTER || p->kind == PLAN_IOC || p->kind == PLAN_REPLACE) {
        ref = s->client.next_ref++;
        enum weir_error error = remember(s, p->key);
        if (error) return error;
        feed->refs[p->key] = ref;
    }
    struct weir_ouch_request request;
    build(feed, p, ref, before, &request);
    tool_client_put(&s->client, &request, index, at_ns);
    return WEIR_OK;
}

/* ---- answers ---- */

struct heard {
    struct feed *feed;
    uint32_t session;
};

/* Rows without a request between the last answer and this one are over now. */
static void begin(struct feed *feed, uint32_t session, uint32_t index) {
    struct feed_session *s = &feed->sessions[session];
    for (uint32_t i = s->next_nothing; i < index; i++)
        if (feed->plan->requests[i].kind == PLAN_NOTHING) check_begin(feed->check, session, i);
    check_begin(feed->check, session, index);
    s->next_nothing = index + 1;
}

static void answered(struct heard *h, const struct tool_client_pending *asked, const struct weir_ouch_response *r) {
    struct check *check = h->feed->check;
    uint32_t key = h->feed->plan->requests[asked->tag].key;
    char text[160];
    begin(h->feed, h->session, asked->tag);
    switch (r->type) {
    case WEIR_OUCH_R_ACCEPTED:
        check_accepted(check, h->session);
        if (r->accepted.state == 'D') check_reduced(check, key, check->orders[key].quantity);
        break;
    case WEIR_OUCH_R_REPLACED:
        check_replaced(check, h->session, (int64_t)r->replaced.price, r->replaced.quantity);
        if (r->replaced.state == 'D') check_reduced(check, key, check->orders[key].quantity);
        break;
    case WEIR_OUCH_R_CANCELED:
        check_reduced(check, key, r->canceled.quantity);
        break;
    default:
        check_rejected(check, h->session, tool_client_refusal(r, text));
        break;
    }
}

static void caused(struct heard *h, const struct weir_ouch_response *r) {
    struct feed_session *s = &h->feed->sessions[h->session];
    struct check *check = h->feed->check;
    char text[160];
    if (r->type == WEIR_OUCH_R_EXECUTED) {
        uint32_t key = key_of(s, r->executed.user_ref);
        struct check_trade trade = {.price = (int64_t)r->executed.price, .quantity = r->executed.quantity};
        if (key)
            check_executed(check, h->session, key, &trade, r->executed.match_id, r->executed.liquidity == 'A');
        else
            check_mismatch(check, "an execution of order %u, which was never entered", r->executed.user_ref);
    } else if (r->type == WEIR_OUCH_R_CANCELED || r->type == WEIR_OUCH_R_PREVENTED) {
        bool is_cancel = r->type == WEIR_OUCH_R_CANCELED;
        uint32_t key = key_of(s, is_cancel ? r->canceled.user_ref : r->prevented.user_ref);
        if (key) check_reduced(check, key, is_cancel ? r->canceled.quantity : r->prevented.quantity);
    } else if (r->type == WEIR_OUCH_R_REJECTED || r->type == WEIR_OUCH_R_CANCEL_REJECT) {
        check_mismatch(check, "a refusal that answers nothing: %s", tool_client_refusal(r, text));
    }
}

static void hear(void *context, struct tool_client *client, const struct tool_client_pending *asked,
    const struct weir_ouch_response *r) {
    struct heard *h = context;
    if (asked == NULL) {
        caused(h, r);
        return;
    }
    uint64_t now = client->received_ns;
    histogram_record(&h->feed->latency, now > asked->at_ns ? now - asked->at_ns : 0);
    h->feed->answered++;
    answered(h, asked, r);
}

/* ---- login ---- */

static void ignore(void *context, struct tool_client *client, const struct tool_client_pending *asked,
    const struct weir_ouch_response *r) {
    (void)context, (void)client, (void)asked, (void)r;
}

enum weir_error feed_login(struct feed *feed) {
    for (uint32_t i = 0; i < feed->session_count; i++) {
        struct feed_session *s = &feed->sessions[i];
        enum weir_error error = tool_client_login(&s->client, LOGIN_PATIENCE, ignore, NULL);
        if (error == WEIR_OK) error = tool_client_cancel_all(&s->client, LOGIN_PATIENCE);
        if (error) return error;
        s->first_ref = s->client.next_ref;
    }
    return WEIR_OK;
}

/* ---- the loop ---- */

static enum weir_error reconnect(struct feed *feed, uint32_t session) {
    struct feed_session *s = &feed->sessions[session];
    struct heard h = {feed, session};
    uint32_t next_ref = s->client.next_ref;
    uint64_t deadline = tool_client_now_ns() + feed->retry_ns;
    enum weir_error error = WEIR_E_CLOSED;
    while (error == WEIR_E_CLOSED || error == WEIR_E_TIMEOUT) {
        if (tool_client_now_ns() > deadline) return error;
        poll(NULL, 0, RETRY_PAUSE_MS);
        error = tool_client_login(&s->client, LOGIN_PATIENCE, hear, &h);
    }
    s->client.next_ref = next_ref;
    s->unsent = s->client.pending_count;
    feed->reconnects++;
    return error;
}

static void put_unsent(struct feed *feed, struct feed_session *s) {
    struct weir_ouch_request request;
    while (s->unsent && TOOL_CLIENT_SEND_BYTES - s->client.out_size > 2 * WEIR_OUCH_MESSAGE_SIZE_MAX) {
        const struct tool_client_pending *p = tool_client_pending_at(&s->client, s->client.pending_count - s->unsent);
        build(feed, &feed->plan->requests[p->tag], p->ref, p->ref_before, &request);
        tool_client_put_again(&s->client, &request);
        s->unsent--;
    }
}

static uint64_t due_ns(const struct feed *feed, size_t i) {
    return feed->begin_ns + (uint64_t)((unsigned __int128)i * 1000000000u / feed->rate);
}

/* Queues what may leave now. */
static enum weir_error put_due(struct feed *feed, uint64_t now) {
    while (feed->next < feed->plan->count) {
        const struct plan_request *p = &feed->plan->requests[feed->next];
        struct feed_session *s = &feed->sessions[feed->session_of[p->symbol]];
        uint64_t due = feed->rate ? due_ns(feed, feed->next) : now;
        if (p->kind != PLAN_NOTHING) {
            if (due > now || s->unsent || !tool_client_has_room(&s->client) || s->client.pending_count >= feed->window)
                break;
            enum weir_error error = put(feed, s, (uint32_t)feed->next, due);
            if (error) return error;
        }
        feed->next++;
    }
    return WEIR_OK;
}

static struct timespec patience(const struct feed *feed, uint64_t now) {
    uint64_t ns = POLL_IDLE_NS;
    if (feed->rate && feed->next < feed->plan->count) {
        uint64_t due = due_ns(feed, feed->next);
        ns = due <= now + LATE_NS ? LATE_NS : due - now;
        if (ns > POLL_IDLE_NS) ns = POLL_IDLE_NS;
    }
    return (struct timespec){0, (long)ns};
}

static enum weir_error talk(struct feed *feed, struct pollfd *polls, uint64_t now) {
    for (uint32_t i = 0; i < feed->session_count; i++) {
        struct feed_session *s = &feed->sessions[i];
        put_unsent(feed, s);
        enum weir_error error = tool_client_send(&s->client, now);
        if (error == WEIR_E_CLOSED && feed->retry_ns) error = reconnect(feed, i);
        if (error) return error;
        polls[i] = (struct pollfd){s->client.fd, (short)(POLLIN | (s->client.out_size ? POLLOUT : 0)), 0};
    }
    struct timespec wait = patience(feed, now);
    if (ppoll(polls, feed->session_count, &wait, NULL) <= 0) return WEIR_OK;
    for (uint32_t i = 0; i < feed->session_count; i++) {
        struct heard h = {feed, i};
        if (!(polls[i].revents & (POLLIN | POLLHUP | POLLERR))) continue;
        enum weir_error error = tool_client_receive(&feed->sessions[i].client, hear, &h);
        if (error == WEIR_E_CLOSED && feed->retry_ns) error = reconnect(feed, i);
        if (error) return error;
    }
    return WEIR_OK;
}

static uint64_t under_way(const struct feed *feed) {
    uint64_t n = 0;
    for (uint32_t i = 0; i < feed->session_count; i++)
        n += feed->sessions[i].client.pending_count;
    return n;
}

enum weir_error feed_run(struct feed *feed) {
    struct pollfd *polls = calloc(feed->session_count, sizeof(*polls));
    if (polls == NULL) return weir_error_context(WEIR_E_NO_MEMORY, "no memory to poll");
    prctl(PR_SET_TIMERSLACK, 1UL); /* the default 50 us would be counted as the node's time */
    uint64_t now = feed->begin_ns = tool_client_now_ns(), shown = now, moved = now, before = 0;
    enum weir_error error = WEIR_OK;
    while (error == WEIR_OK && (feed->next < feed->plan->count || under_way(feed))) {
        error = put_due(feed, now);
        if (error == WEIR_OK) error = talk(feed, polls, now);
        now = tool_client_now_ns();
        if (feed->answered != before || !under_way(feed)) moved = now;
        before = feed->answered;
        if (error == WEIR_OK && now - moved > SILENCE_NS_MAX)
            error = weir_error_context(
                WEIR_E_TIMEOUT, "%llu requests are not answered for a minute", (unsigned long long)under_way(feed));
        if (feed->progress && now - shown > PROGRESS_NS) {
            shown = now;
            feed->progress(feed);
        }
    }
    feed->end_ns = now;
    free(polls);
    /* Executions caused by the last request follow its answer in the same commit; one more look takes them in. */
    for (uint32_t i = 0; i < feed->session_count && error == WEIR_OK; i++) {
        struct heard h = {feed, i};
        struct pollfd p = {feed->sessions[i].client.fd, POLLIN, 0};
        while (error == WEIR_OK && poll(&p, 1, POLL_IDLE_MS) > 0)
            error = tool_client_receive(&feed->sessions[i].client, hear, &h);
        for (uint32_t k = feed->sessions[i].next_nothing; i == 0 && k < feed->plan->count; k++)
            if (feed->plan->requests[k].kind == PLAN_NOTHING) check_begin(feed->check, i, k);
        check_end(feed->check, i);
    }
    return error;
}
