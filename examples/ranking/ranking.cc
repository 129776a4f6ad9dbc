#include "ranking.h"

#include <weir/service.h>

#include <algorithm>
#include <cstring>

namespace {
bool stands_before(const Entry &a, const Entry &b) noexcept {
    if (int order = std::strcmp(a.board, b.board)) return order < 0;
    if (a.score != b.score) return a.score > b.score;
    return std::strcmp(a.player, b.player) < 0;
}

uint64_t hash_of(const Entry &entry) noexcept {
    return weir_hash(weir_slice(&entry, sizeof entry), 1);
}
} // namespace

Ranking::Ranking(size_t entries_max) {
    entries_.reserve(entries_max);
}

bool Ranking::is_name(const char *name) noexcept {
    size_t size = std::strlen(name);
    return size >= 1 && size < name_bytes;
}

const Entry *Ranking::first(const char *board) const noexcept {
    const Entry *found = std::lower_bound(
        begin(), end(), board, [](const Entry &e, const char *name) { return std::strcmp(e.board, name) < 0; });
    return found != end() && std::strcmp(found->board, board) == 0 ? found : end();
}

const Entry *Ranking::add(const char *board, const char *player, int64_t score, uint32_t *ret_place) noexcept {
    Entry entry{};
    std::memcpy(entry.board, board, std::strlen(board));
    std::memcpy(entry.player, player, std::strlen(player));
    entry.score = score;
    auto old = std::find_if(entries_.begin(), entries_.end(), [&](const Entry &e) {
        return std::strcmp(e.board, entry.board) == 0 && std::strcmp(e.player, entry.player) == 0;
    });
    if (old == entries_.end() && entries_.size() == entries_.capacity()) return nullptr;
    if (old != entries_.end()) {
        entry.score = std::max(entry.score, old->score);
        digest_ -= hash_of(*old);
        entries_.erase(old);
    }
    auto at = std::lower_bound(entries_.begin(), entries_.end(), entry, stands_before);
    at = entries_.insert(at, entry);
    digest_ += hash_of(entry);
    *ret_place = static_cast<uint32_t>(&*at - first(board)) + 1;
    return &*at;
}

bool Ranking::append(const Entry &entry) noexcept {
    bool terminated = std::memchr(entry.board, 0, name_bytes) && std::memchr(entry.player, 0, name_bytes);
    if (!terminated || !is_name(entry.board) || !is_name(entry.player)) return false;
    if (entries_.size() == entries_.capacity()) return false;
    if (!entries_.empty() && !stands_before(entries_.back(), entry)) return false;
    entries_.push_back(entry);
    digest_ += hash_of(entry);
    return true;
}
