/* `weir exchange ...` */
#include "exchange/tool_client.h"
#include "exchange/tool_flow.h"
#include <weir/service.h>

const struct weir_tool exchange_tools[] = {
    {"match", "FILE [--repeat N] [--trades FILE]", "run the matching core alone over a recorded order stream",
        tool_match},
    {"replay", "FILE [--expect BOOK] [--rate N] [--node HOST:PORT]",
        "feed a recorded flow through a node and check every trade and book", tool_replay},
    {"load", "[--rate N] [--seconds S] [--ramp]", "put an open-loop load on a node and measure its answers", tool_load},
    {0},
};
