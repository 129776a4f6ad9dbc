/* Answers: encoded beside the state, then given to who asks now or waits for a ticket. */
#include "groups/groups.h"

struct kafka_coder groups_answer(const struct groups_call *call, int16_t api, int16_t version) {
    return (struct kafka_coder){.encoding = true,
        .version = version,
        .flexible = version >= kafka_api_find(api)->flexible,
        .out = call->groups->reply,
        .out_size = GROUPS_REPLY_MAX};
}

bool groups_reply(struct groups_call *call, const struct kafka_coder *out) {
    if (out->failed) return false;
    bool now = call->ticket == GROUPS_NOW || call->ticket == call->offset;
    void *room =
        now ? weir_reply(call->out, 200, out->out_at) : weir_reply_to(call->out, call->ticket, 200, out->out_at);
    call->answered |= now;
    memcpy(room, out->out, out->out_at);
    return true;
}
