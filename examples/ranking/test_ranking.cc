// The core alone: no node needed. `make check` builds and runs it.
#include "ranking.h"

#include <cstdio>
#include <cstring>
#include <weir/service.h>

// The binary's, for a test without it: any good hash will do.
uint64_t weir_hash(struct weir_slice bytes, uint64_t seed) {
    for (size_t i = 0; i < bytes.size; i++)
        seed = (seed ^ bytes.data[i]) * 0x100000001b3u;
    return seed;
}

static int number = 0, failed = 0;

static void check(bool condition, const char *name) {
    std::printf("%sok %d - %s\n", condition ? "" : "not ", ++number, name);
    failed += !condition;
}

int main() {
    uint32_t place = 0;
    Ranking ranking(4);
    ranking.add("go", "ann", 5, &place);
    ranking.add("go", "bob", 9, &place);
    check(place == 1 && !std::strcmp(ranking.first("go")->player, "bob"), "a better score stands before a worse one");
    check(ranking.add("go", "bob", 1, &place)->score == 9 && place == 1, "a worse score changes nothing");
    ranking.add("go", "ann", 10, &place);
    check(place == 1 && ranking.size() == 2, "a better one moves its player");
    ranking.add("chess", "zoe", 1, &place);
    check(place == 1 && !std::strcmp(ranking.first("go")->player, "ann"), "boards know nothing of each other");
    check(ranking.first("poker") == ranking.end(), "a board that is not there is empty");
    ranking.add("go", "cid", 9, &place);
    check(place == 3, "equal scores stand by name");
    check(
        !ranking.add("go", "dan", 99, &place) && ranking.size() == 4, "what does not fit is refused and moves nothing");
    Ranking loaded(4);
    bool all = true;
    for (const Entry &entry : ranking)
        all = all && loaded.append(entry);
    check(all && loaded.digest() == ranking.digest(), "what was saved is loaded, digest and all");
    Ranking wrong(4);
    check(wrong.append(*ranking.first("go")) && !wrong.append(*ranking.first("chess")),
        "a state out of order is refused");
    check(!Ranking::is_name("") && !Ranking::is_name("123456789012345678901234") && Ranking::is_name("a"),
        "names have their bounds");
    std::printf("1..%d\n", number);
    return failed ? 1 : 0;
}
