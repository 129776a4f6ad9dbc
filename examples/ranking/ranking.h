// ranking/ranking.h: the best score of each player on each board, in order: the deterministic core.
//
// A std::vector that takes all of its memory in the constructor: what does not fit is refused, so that no record can
// meet an allocation. Nothing here throws after construction.
#ifndef RANKING_RANKING_H
#define RANKING_RANKING_H
#include <weir/slice.h>

#include <cstdint>
#include <vector>

constexpr size_t name_bytes = 24; // with its NUL

struct Entry { // saved as it lies here: no padding
    char board[name_bytes], player[name_bytes];
    int64_t score;
};
static_assert(sizeof(Entry) == 2 * name_bytes + sizeof(int64_t));

class Ranking {
  public:
    explicit Ranking(size_t entries_max); // throws std::bad_alloc
    Ranking(const Ranking &) = delete;
    Ranking &operator=(const Ranking &) = delete;

    // The player's best score and where it stands, 1 for the first. nullptr: there is no room for another player.
    const Entry *add(const char *board, const char *player, int64_t score, uint32_t *ret_place) noexcept;
    // Of a saved state, in order; false: it is out of order, or there is no room.
    bool append(const Entry &entry) noexcept;
    // The first of a board; the others follow. end() when there is none.
    const Entry *first(const char *board) const noexcept;
    const Entry *begin() const noexcept {
        return entries_.data();
    }
    const Entry *end() const noexcept {
        return entries_.data() + entries_.size();
    }
    size_t size() const noexcept {
        return entries_.size();
    }
    uint64_t digest() const noexcept {
        return digest_;
    }

    static bool is_name(const char *name) noexcept; // 1 to 23 bytes

  private:
    std::vector<Entry> entries_; // by board, then best score first, then player
    uint64_t digest_ = 0;        // a hash of all entries, kept with every change
};
#endif
