/* `weir exchange ...` */
#include "exchange/tool_flow.h"
#include <weir/service.h>


const struct weir_tool exchange_tools[] = {
    {"match", "FILE [--repeat N] [--trades FILE]", "run the matching core alone over a recorded order stream",
        tool_match},
    {0},
};
