/* exchange/tool_replay.h: the options and the report of `weir exchange replay`. One owner thread. */
#ifndef WEIR_EXCHANGE_TOOL_REPLAY_H
#define WEIR_EXCHANGE_TOOL_REPLAY_H
#include "exchange/tool_feed.h"
#include "exchange/tool_market.h"

struct replay_options {
    const char *file, *expect, *trades, *top, *node, *ouch, *symbol, *user, *password;
    uint64_t rate, window, retry_s;
    bool offline, json, no_l2;
};

void replay_print_json(const struct replay_options *o, const struct feed *feed, const struct market *market);
void replay_print_text(const struct replay_options *o, const struct feed *feed, const struct market *market);
void replay_progress(const struct feed *feed);
#endif
