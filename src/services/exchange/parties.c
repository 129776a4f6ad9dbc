/* Accounts and sessions: who may send what, and what happens to their orders when they may not or are gone. */
#include "exchange/state.h"

uint64_t sessions_digest(const struct exchange_core *core, uint32_t number) {
    const struct session *s = &core->sessions[number];
    uint64_t fixed = (uint64_t)s->account << 8 ^ s->flags;
    return digest_factor(number + (UINT64_C(1) << 60)) *
           (fixed * DIGEST_FIXED + s->ref_last * DIGEST_REF + s->token * DIGEST_PRICE);
}

uint64_t accounts_digest(const struct exchange_core *core, uint32_t number) {
    return digest_factor(number + (UINT64_C(1) << 61)) * core->accounts[number].suspended * DIGEST_FIXED;
}

void sessions_connect(struct exchange_core *core, const struct exchange_command *c) {
    if (c->account - 1 >= core->limits.accounts_max) {
        core_reject(core, c, EXCHANGE_REASON_UNKNOWN_ACCOUNT);
        return;
    }
    if (c->session - 1 >= core->limits.sessions_max) {
        core_reject(core, c, EXCHANGE_REASON_UNKNOWN_SESSION);
        return;
    }
    struct session *s = &core->sessions[c->session];
    if (s->account && s->account != c->account) { /* a session is one account's for ever */
        core_reject(core, c, EXCHANGE_REASON_UNKNOWN_SESSION);
        return;
    }
    core->digest -= sessions_digest(core, c->session);
    s->account = c->account;
    s->token = c->order_id;
    s->flags = SESSION_CONNECTED | (c->flags & (SESSION_CANCEL | SESSION_REFS_RISE));
    core->digest += sessions_digest(core, c->session);
    if (c->session > core->sessions_used) core->sessions_used = c->session;
}

void sessions_disconnect(struct exchange_core *core, const struct exchange_command *c) {
    if (c->session - 1 >= core->limits.sessions_max || !(core->sessions[c->session].flags & SESSION_CONNECTED) ||
        core->sessions[c->session].token != c->order_id) {
        core_reject(core, c, EXCHANGE_REASON_UNKNOWN_SESSION);
        return;
    }
    struct session *s = &core->sessions[c->session];
    bool cancel = s->flags & SESSION_CANCEL;
    core->digest -= sessions_digest(core, c->session);
    s->flags &= (uint32_t)~SESSION_CONNECTED;
    core->digest += sessions_digest(core, c->session);
    if (cancel) mass_account(core, s->account, c->session, EXCHANGE_REASON_BY_DISCONNECT);
}

static void account_set(struct exchange_core *core, uint32_t account, uint32_t suspended) {
    core->digest -= accounts_digest(core, account);
    core->accounts[account].suspended = suspended;
    core->digest += accounts_digest(core, account);
    if (account > core->accounts_used) core->accounts_used = account;
}

void accounts_suspend(struct exchange_core *core, const struct exchange_command *c) {
    if (c->account - 1 >= core->limits.accounts_max) {
        core_reject(core, c, EXCHANGE_REASON_UNKNOWN_ACCOUNT);
        return;
    }
    if (core->mass_count >= MASS_SPARE) {
        core_reject(core, c, EXCHANGE_REASON_BUSY);
        return;
    }
    account_set(core, c->account, 1);
    mass_account(core, c->account, 0, EXCHANGE_REASON_BY_SUSPENSION);
}

void accounts_reinstate(struct exchange_core *core, const struct exchange_command *c) {
    if (c->account - 1 >= core->limits.accounts_max)
        core_reject(core, c, EXCHANGE_REASON_UNKNOWN_ACCOUNT);
    else
        account_set(core, c->account, 0);
}
