/* What `weir exchange replay` says: one JSON object or a short table, and a line of progress on a terminal. */
#include "exchange/tool_replay.h"
#include <inttypes.h>
#include <stdio.h>

static double seconds(const struct feed *feed) {
    return (double)(feed->end_ns - feed->begin_ns) / 1e9;
}

static double per_second(const struct feed *feed) {
    return feed->end_ns > feed->begin_ns ? (double)feed->answered / seconds(feed) : 0;
}

static double us(const struct feed *feed, double quantile) {
    return (double)histogram_quantile(&feed->latency, quantile) / 1e3;
}

static const char *latency_from(const struct replay_options *o) {
    return o->rate ? "intended" : "actual";
}

void replay_print_json(const struct replay_options *o, const struct feed *feed, const struct market *market) {
    const struct check *c = feed->check;
    const struct plan *plan = feed->plan;
    printf("{\"rows\": %u, \"symbols\": %u, \"offline\": %s, \"answered\": %" PRIu64 ", \"refused\": %" PRIu64,
        plan->rows, plan->symbols, o->offline ? "true" : "false", c->answered, c->rejected);
    if (!o->offline)
        printf(", \"orders_per_s\": %.0f, \"seconds\": %.3f, \"latency_from\": \"%s\", \"p50_us\": %.1f, "
               "\"p99_us\": %.1f, \"p999_us\": %.1f, \"max_us\": %.1f, \"sessions\": %u, \"reconnects\": %" PRIu64,
            per_second(feed), seconds(feed), latency_from(o), us(feed, 0.5), us(feed, 0.99), us(feed, 0.999),
            (double)histogram_max(&feed->latency) / 1e3, feed->session_count, feed->reconnects);
    printf(", \"trades\": %zu, \"volume\": %" PRIu64 ", \"open\": %" PRIu64 ", \"trade_hash\": \"%016" PRIx64 "\"",
        c->trade_count, c->volume, check_open_orders(c), c->hash);
    if (c->has_trades) printf(", \"trades_expected\": %" PRIu64, c->trades_expected);
    if (c->tops_checked)
        printf(", \"tops_checked\": %" PRIu64 ", \"tops_equal\": %" PRIu64, c->tops_checked, c->tops_equal);
    if (plan->levels)
        printf(", \"levels\": %u, \"books_checked\": %" PRIu64 ", \"books_equal\": %" PRIu64
               ", \"executions\": %" PRIu64 ", \"makers_equal\": %" PRIu64 ", \"makers_seeded\": %" PRIu64
               ", \"revealed\": %u, \"unknown\": %u",
            plan->depth, c->rows_checked, c->rows_equal, c->executions, c->makers_equal, c->makers_seeded,
            plan->revealed, plan->unknown);
    if (market->l2_increments) printf(", \"l2_increments\": %" PRIu64, market->l2_increments);
    printf(", \"mismatches\": %" PRIu64 "}\n", c->mismatches);
}

static double percent(uint64_t part, uint64_t whole) {
    return whole ? 100.0 * (double)part / (double)whole : 100.0;
}

void replay_print_text(const struct replay_options *o, const struct feed *feed, const struct market *market) {
    const struct check *c = feed->check;
    const struct plan *plan = feed->plan;
    printf("%-12s %" PRIu64 " requests of %u %s on %u symbol%s answered, %" PRIu64 " refused\n", "flow", c->answered,
        plan->rows, plan->levels ? "messages" : "records", plan->symbols, plan->symbols == 1 ? "" : "s", c->rejected);
    if (!o->offline)
        printf("%-12s %.0f orders/s, durable; from the %s send time p50 %.0f us, p99 %.0f us, p99.9 %.0f us, max %.0f "
               "us\n",
            "speed", per_second(feed), latency_from(o), us(feed, 0.5), us(feed, 0.99), us(feed, 0.999),
            (double)histogram_max(&feed->latency) / 1e3);
    printf("%-12s %zu, volume %" PRIu64 ", hash %016" PRIx64 ", %" PRIu64 " orders left open\n", "trades",
        c->trade_count, c->volume, c->hash, check_open_orders(c));
    if (c->has_trades)
        printf("%-12s %" PRIu64 " expected: %s\n", "", c->trades_expected,
            c->mismatches ? "see the mismatches" : "every one equal");
    if (c->tops_checked)
        printf("%-12s %" PRIu64 " of %" PRIu64 " best bids and asks equal (%.2f %%)\n", "book", c->tops_equal,
            c->tops_checked, percent(c->tops_equal, c->tops_checked));
    if (plan->levels) {
        printf("%-12s %" PRIu64 " of %" PRIu64 " books equal on all %u levels (%.2f %%)\n", "", c->rows_equal,
            c->rows_checked, plan->depth, percent(c->rows_equal, c->rows_checked));
        printf("%-12s %" PRIu64 " of %" PRIu64 " executions hit the named order, %" PRIu64 " one of a seeded level\n",
            "makers", c->makers_equal, c->executions, c->makers_seeded);
    }
    if (market->l2_increments)
        printf("%-12s %" PRIu64 " increments pass through every book\n", "exchange.l2", market->l2_increments);
    if (feed->reconnects) printf("%-12s %" PRIu64 "\n", "reconnects", feed->reconnects);
    printf("%-12s %" PRIu64 "\n", "mismatches", c->mismatches);
}

void replay_progress(const struct feed *feed) {
    double spent = (double)(tool_client_now_ns() - feed->begin_ns) / 1e9;
    fprintf(stderr, "\r%zu of %zu, %.0f/s, %zu trades, p99 %.0f us   ", feed->next, feed->plan->count,
        spent > 0 ? (double)feed->answered / spent : 0, feed->check->trade_count, us(feed, 0.99));
    fflush(stderr);
}
