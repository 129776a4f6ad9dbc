#include "exchange/message.h"

size_t exchange_output_size(uint8_t type) {
    switch (type) {
    case EXCHANGE_EVENT_ACCEPTED:
    case EXCHANGE_EVENT_REJECTED:
    case EXCHANGE_EVENT_EXECUTED:
    case EXCHANGE_EVENT_CANCELED:
    case EXCHANGE_EVENT_REDUCED:
    case EXCHANGE_EVENT_REPLACED:
    case EXCHANGE_EVENT_EXPIRED:
    case EXCHANGE_EVENT_DONE:
    case EXCHANGE_EVENT_CONNECTED:
        return sizeof(struct exchange_event);
    case EXCHANGE_EVENT_L2:
        return sizeof(struct exchange_l2);
    case EXCHANGE_EVENT_L1:
        return sizeof(struct exchange_l1);
    case EXCHANGE_EVENT_TRADE:
        return sizeof(struct exchange_trade);
    case EXCHANGE_EVENT_STATE:
        return sizeof(struct exchange_state);
    default:
        return 0;
    }
}

const char *exchange_reason_code(enum exchange_reason reason) {
    switch (reason) {
#define REASON_CODE(name, value, code, sentence)                                                                       \
    case EXCHANGE_REASON_##name:                                                                                       \
        return code;
        EXCHANGE_REASON_TABLE(REASON_CODE)
#undef REASON_CODE
    }
    return "unknown";
}

const char *exchange_reason_sentence(enum exchange_reason reason) {
    switch (reason) {
#define REASON_SENTENCE(name, value, code, sentence)                                                                   \
    case EXCHANGE_REASON_##name:                                                                                       \
        return sentence;
        EXCHANGE_REASON_TABLE(REASON_SENTENCE)
#undef REASON_SENTENCE
    }
    return "the reason is not known to this version";
}
