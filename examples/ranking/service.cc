// ranking: a service in C++17, built outside of weir's tree. README.md beside it walks through it.
//
// The state is an object with a constructor and a destructor in the memory that weir gives. Functions that weir calls
// are noexcept: an exception that left one would end the process, so that is what the compiler makes of it here.
#include "ranking.h"
#include "ranking.pb-c.h"

#include <weir/plugin.h>

#include <cstring>
#include <new>

namespace {
enum : uint16_t { record_score = 1, record_place = 1 }; // of the input; of the output
enum : uint32_t { topic_scores, topic_changes };
enum : uint16_t { reason_full = 1, reason_name };
enum : uint32_t { setting_partitions, setting_entries_max };

// ---- the fold
Weir__Ranking__Place place_of(const Entry &entry, uint32_t place) noexcept {
    Weir__Ranking__Place message;
    weir__ranking__place__init(&message);
    message.board = const_cast<char *>(entry.board); // packed from, never written
    message.player = const_cast<char *>(entry.player);
    message.score = entry.score;
    message.place = place;
    return message;
}

void apply(void *state, const weir_record *record, weir_out *out) noexcept {
    if (record->kind != WEIR_RECORD_COMMAND || record->type != record_score) return;
    auto score =
        static_cast<const Weir__Ranking__Score *>(weir_message(out, &weir__ranking__score__descriptor, record->value));
    if (!score) return;
    if (!Ranking::is_name(score->board) || !Ranking::is_name(score->player)) return weir_refuse(out, reason_name);
    uint32_t place = 0;
    const Entry *entry = static_cast<Ranking *>(state)->add(score->board, score->player, score->score, &place);
    if (!entry) return weir_refuse(out, reason_full);
    Weir__Ranking__Place message = place_of(*entry, place);
    size_t size = weir__ranking__place__get_packed_size(&message);
    auto room = [](void *memory) { return static_cast<uint8_t *>(memory); };
    weir__ranking__place__pack(&message, room(weir_output(out, topic_changes, record_place, 0, size, nullptr)));
    weir__ranking__place__pack(&message, room(weir_reply(out, 200, size)));
}

// ---- queries
constexpr uint32_t limit_max = 100;

weir_error query_top(const void *state, const weir_request *request, weir_answer *answer) noexcept {
    auto top = static_cast<const Weir__Ranking__Top *>(request->message);
    auto ranking = static_cast<const Ranking *>(state);
    if (top->limit > limit_max) return weir_error_context(WEIR_E_INVALID, "limit is at most %u", limit_max);
    const uint32_t limit = top->limit ? top->limit : 10;
    Weir__Ranking__Place places[limit_max], *list[limit_max];
    Weir__Ranking__Places message;
    weir__ranking__places__init(&message);
    message.places = list;
    for (const Entry *e = ranking->first(top->board); e != ranking->end() && message.n_places < limit; e++) {
        if (std::strcmp(e->board, top->board) != 0) break;
        places[message.n_places] = place_of(*e, static_cast<uint32_t>(message.n_places) + 1);
        list[message.n_places] = &places[message.n_places];
        message.n_places++;
    }
    size_t size = weir__ranking__places__get_packed_size(&message);
    void *room = weir_answer_room(answer, size);
    if (!room) return WEIR_E_TOO_LARGE;
    weir__ranking__places__pack(&message, static_cast<uint8_t *>(room));
    weir_answer_commit(answer, size);
    return WEIR_OK;
}

// ---- the state's life. The vector's memory is the heap's, so it is taken once, here, and is not in the budget.
size_t state_bytes(const weir_setting_value *) noexcept {
    return sizeof(Ranking);
}

weir_error open_state(const weir_open *open, void **ret_state) noexcept {
    try {
        *ret_state = new (open->memory) Ranking(open->capacity[setting_entries_max].number);
        return WEIR_OK;
    } catch (const std::bad_alloc &) {
        return weir_error_context(WEIR_E_NO_MEMORY, "no memory for ranking.entries_max = %llu entries",
            static_cast<unsigned long long>(open->capacity[setting_entries_max].number));
    }
}

void close_state(void *state) noexcept {
    static_cast<Ranking *>(state)->~Ranking();
}

weir_error save(const void *state, weir_sink *sink) noexcept {
    auto ranking = static_cast<const Ranking *>(state);
    uint64_t count = ranking->size();
    weir_error e = weir_sink_put(sink, &count, sizeof count);
    return e ? e : weir_sink_put(sink, ranking->begin(), count * sizeof(Entry));
}

weir_error load(void *state, weir_source *source) noexcept {
    auto ranking = static_cast<Ranking *>(state);
    uint64_t count = 0;
    weir_error e = weir_source_get(source, &count, sizeof count);
    for (uint64_t i = 0; e == WEIR_OK && i < count; i++) {
        Entry entry;
        e = weir_source_get(source, &entry, sizeof entry);
        if (e == WEIR_OK && !ranking->append(entry))
            e = weir_error_context(WEIR_E_CORRUPT, "a saved entry cannot be taken");
    }
    return e;
}

uint64_t digest(const void *state) noexcept {
    return static_cast<const Ranking *>(state)->digest();
}

// ---- the declaration. C++17 has no designated initialisers: rows are written in the order of weir/service.h.
const weir_setting settings[] = {
    {"partitions", WEIR_SETTING_UINT, "1", 1, 256, "Partitions of ranking.scores; stays as it was first made.", false},
    {"entries_max", WEIR_SETTING_UINT, "4096", 1, 1 << 20, "Players of all boards of a partition.", true},
    {},
};
const weir_record_type scores[] = {
    {record_score, "score", "A player's score.", &weir__ranking__score__descriptor, nullptr}, {}};
const weir_record_type changes[] = {
    {record_place, "place", "A player's best, and its place.", &weir__ranking__place__descriptor, nullptr}, {}};
const weir_topic topics[] = {
    {"ranking.scores", WEIR_TOPIC_INPUT, scores, "What players reached.", 0},
    {"ranking.changes", WEIR_TOPIC_OUTPUT, changes, "Every change, in order.", 0},
    {},
};
const weir_reason reasons[] = {
    {reason_full, "BOARDS_FULL", "There is no room for another player: raise ranking.entries_max.", 507},
    {reason_name, "NAME_LENGTH", "Names of boards and players have 1 to 23 bytes.", 400},
    {},
};

weir_route command_route() {
    weir_route route{};
    route.kind = WEIR_ROUTE_COMMAND;
    route.method = "POST";
    route.path = "/v1/ranking/{board}/scores";
    route.summary = "Tells a player's score; the best one counts.";
    route.request = &weir__ranking__score__descriptor;
    route.response = &weir__ranking__place__descriptor;
    route.type = record_score;
    route.partition_by = "board";
    return route;
}
weir_route query_route() {
    weir_route route{};
    route.kind = WEIR_ROUTE_QUERY;
    route.method = "GET";
    route.path = "/v1/ranking/{board}";
    route.summary = "The first places of a board.";
    route.request = &weir__ranking__top__descriptor;
    route.response = &weir__ranking__places__descriptor;
    route.query = query_top;
    route.partition_by = "board";
    return route;
}
const weir_route routes[] = {command_route(), query_route(), {}};

weir_service declare() {
    struct weir_service s {};
    s.name = "ranking";
    s.summary = "The best scores of each board: an example in C++.";
    s.version = 1;
    s.version_replays = 1;
    s.partitions_setting = "partitions";
    s.settings = settings;
    s.topics = topics;
    s.routes = routes;
    s.reasons = reasons;
    s.output_bytes_max = 512;
    s.state_bytes = state_bytes;
    s.open = open_state;
    s.close = close_state;
    s.apply = apply;
    s.save = save;
    s.load = load;
    s.digest = digest;
    return s;
}
} // namespace

WEIR_SERVICE(ranking) = declare();
