// bench_vec's work on std::vector.
#include "base/bench_vec.h"

#include <cstdlib>
#include <cstring>
#include <new>
#include <utility>
#include <vector>

namespace {

// As one writes it: its copy throws, its move cannot.
class owner {
  public:
    owner() : own{nullptr, 0} {}
    explicit owner(const char *text) : own{nullptr, std::strlen(text)} {
        copy(text);
    }
    owner(const owner &from) : own{nullptr, from.own.size} {
        if (from.own.text) copy(from.own.text);
    }
    owner(owner &&from) noexcept : own(from.own) {
        from.own.text = nullptr;
    }
    owner &operator=(owner &&from) noexcept {
        std::swap(own, from.own);
        return *this;
    }
    owner &operator=(const owner &from) {
        owner made(from);
        std::swap(own, made.own);
        return *this;
    }
    ~owner() {
        std::free(own.text);
    }

    size_t size() const {
        return own.size;
    }

  private:
    bench_text own;

    void copy(const char *text) {
        own.text = static_cast<char *>(std::malloc(own.size + 1));
        if (!own.text) throw std::bad_alloc();
        std::memcpy(own.text, text, own.size + 1);
    }
};

template <class T> struct work {
    static std::vector<T> vector;
    static T item(uint64_t i);
    static T empty(uint64_t i);
    static uint64_t value(const T &x);
    static size_t count;

    static void prepare(bench_op op) {
        if (op == BENCH_GROW) return;
        if (op == BENCH_PUSH || op == BENCH_ITERATE) {
            vector.reserve(count);
            fill(count);
        } else {
            fill(op == BENCH_ERASE ? 2 * BENCH_MIDDLE : BENCH_MIDDLE);
        }
    }
    static void fill(size_t n) {
        vector.clear();
        T one = item(7);
        for (size_t i = 0; i < n; i++)
            vector.push_back(one);
    }
    static uint64_t run(bench_op op) {
        T one = item(7);
        uint64_t sum = 0;
        switch (op) {
        case BENCH_PUSH:
            vector.clear();
            for (size_t i = 0; i < count; i++)
                vector.push_back(one);
            break;
        case BENCH_GROW:
            for (size_t i = 0; i < BENCH_GROWN; i++)
                vector.push_back(empty(i));
            sum = vector.size();
            std::vector<T>().swap(vector);
            return sum;
        case BENCH_INSERT:
            for (size_t i = 0; i < BENCH_MIDDLE; i++)
                vector.insert(vector.begin() + static_cast<ptrdiff_t>(vector.size() / 2), one);
            break;
        case BENCH_ERASE:
            for (size_t i = 0; i < BENCH_MIDDLE; i++)
                vector.erase(vector.begin() + static_cast<ptrdiff_t>(vector.size() / 2));
            break;
        default:
            for (const T &x : vector)
                sum += value(x);
        }
        return sum + vector.size();
    }
};
template <class T> std::vector<T> work<T>::vector;

template <> size_t work<uint32_t>::count = BENCH_COUNT;
template <> uint32_t work<uint32_t>::item(uint64_t i) {
    return static_cast<uint32_t>(i);
}
template <> uint32_t work<uint32_t>::empty(uint64_t i) {
    return static_cast<uint32_t>(i);
}
template <> uint64_t work<uint32_t>::value(const uint32_t &x) {
    return x;
}
template <> size_t work<bench_three>::count = BENCH_COUNT;
template <> bench_three work<bench_three>::item(uint64_t i) {
    return {i, i + 1, i + 2};
}
template <> bench_three work<bench_three>::empty(uint64_t i) {
    return {i, i + 1, i + 2};
}
template <> uint64_t work<bench_three>::value(const bench_three &x) {
    return x.a + x.c;
}
template <> size_t work<owner>::count = BENCH_COUNT / 10;
template <> owner work<owner>::item(uint64_t) {
    return owner(BENCH_TEXT);
}
template <> owner work<owner>::empty(uint64_t) {
    return {};
}
template <> uint64_t work<owner>::value(const owner &x) {
    return x.size();
}

} // namespace

const struct bench_vec bench_vec_std = {{work<uint32_t>::prepare, work<bench_three>::prepare, work<owner>::prepare},
    {work<uint32_t>::run, work<bench_three>::run, work<owner>::run}};
