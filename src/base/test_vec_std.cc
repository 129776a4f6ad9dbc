// weir/vec.h in lock step with std::vector: random operations, arguments that lie inside the vector, allocations and
// copies that fail. What differs from std::vector would surprise everyone who knows that one.
#include <csetjmp>
#include <cstdarg>
#include <cstddef>
#include <cstdint>

extern "C" {
#include <cmocka.h>
}

#include <weir/vec.h>

#include <cstdlib>
#include <vector>

namespace {

struct random_source {
    uint64_t state;
    uint64_t next() {
        state += 0x9e3779b97f4a7c15u;
        uint64_t x = state;
        x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
        x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
        return x ^ (x >> 31);
    }
    size_t below(size_t n) {
        return static_cast<size_t>(next() % n);
    }
};

// Fails a share of the requests that grow, and counts the bytes that were not given back.
struct world {
    random_source random;
    unsigned fail_percent;
    size_t live, owned; // bytes; things that elements own
};
world *here;

bool fails() {
    return here->random.below(100) < here->fail_percent;
}

void *resize(void *, void *ptr, size_t old_size, size_t new_size, size_t align) {
    if (new_size > old_size && fails()) return nullptr;
    void *p = weir_allocator_system.resize(weir_allocator_system.ctx, ptr, old_size, new_size, align);
    if (p || new_size == 0) here->live = here->live - old_size + new_size;
    return p;
}
const weir_allocator failing = {resize, nullptr};

struct three {
    uint64_t a, b, c;
    bool operator==(const three &o) const {
        return a == o.a && b == o.b && c == o.c;
    }
};
struct alignas(64) wide {
    uint64_t value;
    bool operator==(const wide &o) const {
        return value == o.value;
    }
};
// Owns a number on the heap.
struct owner {
    uint64_t *number;
};

bool owner_make(uint64_t value, owner *ret) {
    if (fails()) return false;
    ret->number = static_cast<uint64_t *>(std::malloc(sizeof(uint64_t)));
    *ret->number = value;
    here->owned++;
    return true;
}
bool owner_copy(const owner *from, owner *ret) {
    return owner_make(*from->number, ret);
}
void owner_drop(owner *item) {
    std::free(item->number);
    here->owned--;
}

WEIR_VEC(ints, uint32_t);
WEIR_VEC(threes, three);
WEIR_VEC(wides, wide);
WEIR_VEC(owners, owner);
WEIR_VEC_OWNED(owners, owner, owner_copy, owner_drop);

uint32_t make(uint64_t x, uint32_t *) {
    return static_cast<uint32_t>(x);
}
three make(uint64_t x, three *) {
    return {x, ~x, x * 3};
}
wide make(uint64_t x, wide *) {
    return {x};
}

// The generated functions by type.
#define OPERATIONS(name, T)                                                                                            \
    bool do_push(name *v, T x) {                                                                                       \
        return name##_push(v, x);                                                                                      \
    }                                                                                                                  \
    bool do_insert(name *v, size_t i, T x) {                                                                           \
        return name##_insert(v, i, x);                                                                                 \
    }                                                                                                                  \
    bool do_append(name *v, const T *x, size_t n) {                                                                    \
        return name##_append(v, x, n);                                                                                 \
    }                                                                                                                  \
    bool do_resize(name *v, size_t n) {                                                                                \
        return name##_resize(v, n);                                                                                    \
    }                                                                                                                  \
    bool do_reserve(name *v, size_t n) {                                                                               \
        return name##_reserve(v, n);                                                                                   \
    }                                                                                                                  \
    bool do_pop(name *v, T *x) {                                                                                       \
        return name##_pop(v, x);                                                                                       \
    }                                                                                                                  \
    bool do_erase(name *v, size_t i) {                                                                                 \
        return name##_erase(v, i);                                                                                     \
    }                                                                                                                  \
    bool do_erase_range(name *v, size_t i, size_t n) {                                                                 \
        return name##_erase_range(v, i, n);                                                                            \
    }                                                                                                                  \
    bool do_erase_swap(name *v, size_t i) {                                                                            \
        return name##_erase_swap(v, i);                                                                                \
    }                                                                                                                  \
    bool do_trim(name *v) {                                                                                            \
        return name##_trim(v);                                                                                         \
    }                                                                                                                  \
    void do_clear(name *v) {                                                                                           \
        name##_clear(v);                                                                                               \
    }                                                                                                                  \
    void do_init(name *v) {                                                                                            \
        name##_init(v, &failing);                                                                                      \
    }                                                                                                                  \
    void do_done(name *v) {                                                                                            \
        name##_done(v);                                                                                                \
    }
// clang-format off
OPERATIONS(ints, uint32_t)
OPERATIONS(threes, three)
OPERATIONS(wides, wide)
// clang-format on

// Where in a vector of that many elements: at its ends as often as between them.
size_t place(size_t count) {
    switch (here->random.below(4)) {
    case 0:
        return 0;
    case 1:
        return count;
    default:
        return here->random.below(count + 1);
    }
}

// One operation that may need memory on both; std::vector follows when ours could. Returns whether it did.
template <class V, class T> bool grow(V *v, std::vector<T> &m) {
    random_source &r = here->random;
    T item = make(r.next(), static_cast<T *>(nullptr));
    size_t at = place(m.size()), n = r.below(30);
    bool inside = !m.empty() && r.below(2);
    if (inside) item = m[r.below(m.size())];
    size_t own = inside ? r.below(m.size()) : 0; // where in the vector an argument lies
    switch (r.below(6)) {
    case 0:
        if (!do_push(v, inside ? v->data[own] : item)) return false;
        m.push_back(inside ? T(m[own]) : item);
        return true;
    case 1:
        if (!do_insert(v, at, inside ? v->data[own] : item)) return false;
        m.insert(m.begin() + static_cast<ptrdiff_t>(at), inside ? T(m[own]) : item);
        return true;
    case 2: {
        n = m.size() - own < n ? m.size() - own : n;
        std::vector<T> range(m.begin() + static_cast<ptrdiff_t>(own), m.begin() + static_cast<ptrdiff_t>(own + n));
        if (!do_append(v, inside || !n ? (v->data ? v->data + own : nullptr) : range.data(), n)) return false;
        m.insert(m.end(), range.begin(), range.end());
        return true;
    }
    case 3:
        if (!do_resize(v, m.size() + n)) return false;
        m.resize(m.size() + n);
        return true;
    case 4:
        return do_reserve(v, m.size() + n);
    default:
        return do_trim(v);
    }
}

template <class V, class T> void shrink(V *v, std::vector<T> &m) {
    random_source &r = here->random;
    size_t at = place(m.size()), n = r.below(40);
    auto where = m.begin() + static_cast<ptrdiff_t>(at);
    T item;
    bool inside = at < m.size();
    switch (r.below(5)) {
    case 0:
        assert_int_equal(do_erase(v, at), inside);
        if (inside) m.erase(where);
        break;
    case 1:
        inside = n <= m.size() - at;
        assert_int_equal(do_erase_range(v, at, n), inside);
        if (inside) m.erase(where, where + static_cast<ptrdiff_t>(n));
        break;
    case 2:
        assert_int_equal(do_pop(v, &item), !m.empty());
        if (m.empty()) break;
        assert_true(item == m.back());
        m.pop_back();
        break;
    case 3:
        assert_int_equal(do_erase_swap(v, at), inside);
        if (!inside) break;
        m[at] = m.back();
        m.pop_back();
        break;
    default:
        if (r.below(20)) break;
        do_clear(v);
        m.clear();
    }
}

template <class V, class T> void same(const V &v, const std::vector<T> &m) {
    assert_int_equal(v.count, m.size());
    assert_true(v.cap >= v.count);
    assert_int_equal(reinterpret_cast<uintptr_t>(v.data) % alignof(T), 0);
    for (size_t i = 0; i < m.size(); i++)
        if (!(v.data[i] == m[i])) fail_msg("element %zu of %zu differs", i, m.size());
}

template <class V, class T> void lock_step(unsigned fail_percent) {
    unsigned refused = 0;
    for (uint64_t seed = 1; seed <= 60; seed++) {
        world w = {{seed}, fail_percent, 0, 0};
        here = &w;
        V v;
        std::vector<T> m;
        do_init(&v);
        for (int i = 0; i < 600; i++) {
            V before = v;
            if (w.random.below(2) || m.size() > 2000) {
                shrink(&v, m);
            } else if (!grow(&v, m)) {
                refused++;
                assert_memory_equal(&v, &before, sizeof v);
            }
            same(v, m);
        }
        do_done(&v);
        assert_int_equal(w.live, 0);
    }
    assert_int_equal(refused > 20, fail_percent > 0);
}

void ints_are_as_in_std_vector(void **) {
    lock_step<ints, uint32_t>(0);
    lock_step<ints, uint32_t>(30);
}
void structs_of_24_bytes_are_as_in_std_vector(void **) {
    lock_step<threes, three>(0);
    lock_step<threes, three>(30);
}
void over_aligned_elements_are_as_in_std_vector(void **) {
    lock_step<wides, wide>(0);
    lock_step<wides, wide>(30);
}

// Elements that own something, whose copy can fail: the model holds the numbers that they own.
bool owners_grow(owners *v, std::vector<uint64_t> &m) {
    random_source &r = here->random;
    size_t at = place(m.size());
    if (m.empty() || r.below(4) == 0) {
        owner made;
        uint64_t value = r.next();
        if (!owner_make(value, &made)) return false;
        if (!owners_push(v, made)) {
            owner_drop(&made);
            return false;
        }
        m.push_back(value);
        return true;
    }
    size_t own = r.below(m.size()), n = r.below(20);
    n = m.size() - own < n ? m.size() - own : n;
    std::vector<uint64_t> range(m.begin() + static_cast<ptrdiff_t>(own), m.begin() + static_cast<ptrdiff_t>(own + n));
    switch (r.below(3)) {
    case 0:
        if (!owners_push_copy(v, &v->data[own])) return false;
        m.push_back(uint64_t(m[own]));
        return true;
    case 1:
        if (!owners_insert_copy(v, at, &v->data[own])) return false;
        m.insert(m.begin() + static_cast<ptrdiff_t>(at), uint64_t(m[own]));
        return true;
    default:
        if (!owners_append_copies(v, v->data + own, n)) return false;
        m.insert(m.end(), range.begin(), range.end());
        return true;
    }
}

void owners_same(const owners &v, const std::vector<uint64_t> &m) {
    assert_int_equal(v.count, m.size());
    assert_int_equal(here->owned, m.size());
    for (size_t i = 0; i < m.size(); i++)
        assert_int_equal(*v.data[i].number, m[i]);
}

void owners_step(owners *v, std::vector<uint64_t> &m, unsigned *refused) {
    owners before = *v;
    size_t at = place(m.size()), n = here->random.below(10);
    if (here->random.below(3) && m.size() < 500) {
        if (owners_grow(v, m)) return;
        ++*refused;
        assert_memory_equal(v, &before, sizeof before);
        return;
    }
    bool inside = n <= m.size() - at;
    assert_int_equal(owners_drop_range(v, at, n), inside);
    auto where = m.begin() + static_cast<ptrdiff_t>(at);
    if (inside) m.erase(where, where + static_cast<ptrdiff_t>(n));
}

void copies_that_fail_change_nothing_and_leak_nothing(void **) {
    unsigned refused = 0, assigned = 0;
    for (uint64_t seed = 1; seed <= 60; seed++) {
        world w = {{seed}, 5, 0, 0};
        here = &w;
        owners v, other;
        std::vector<uint64_t> m;
        owners_init(&v, &failing);
        owners_init(&other, &failing);
        for (int i = 0; i < 400; i++) {
            owners_step(&v, m, &refused);
            owners_same(v, m);
        }
        w.fail_percent = 1;
        if (owners_assign_copies(&other, &v)) {
            assigned++;
            assert_int_equal(w.owned, 2 * m.size());
        } else {
            assert_null(other.data);
        }
        owners_drop(&other);
        owners_same(v, m);
        owners_drop(&v);
        assert_int_equal(w.live, 0);
        assert_int_equal(w.owned, 0);
    }
    assert_true(refused > 20 && assigned > 0 && assigned < 60);
}

} // namespace

int main() {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ints_are_as_in_std_vector),
        cmocka_unit_test(structs_of_24_bytes_are_as_in_std_vector),
        cmocka_unit_test(over_aligned_elements_are_as_in_std_vector),
        cmocka_unit_test(copies_that_fail_change_nothing_and_leak_nothing),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
