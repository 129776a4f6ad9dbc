/* bench_vec's work on weir/vec.h for one type. Define before: VEC, T, PREFIX(name), ITEM(i), EMPTY(i), VALUE(x), COUNT,
 * and COPY(v, at, x) that inserts a copy, PUSH(v, x) that pushes one, DROP(v, at, n). */
static struct VEC PREFIX(vector);

static void PREFIX(fill)(size_t n) {
    T one = ITEM(7);
    DROP(&PREFIX(vector), 0, PREFIX(vector).count);
    for (size_t i = 0; i < n; i++)
        must(PUSH(&PREFIX(vector), one));
    FREE(one);
}
static void PREFIX(prepare)(enum bench_op op) {
    if (op == BENCH_GROW) return;
    if (op == BENCH_PUSH || op == BENCH_ITERATE) {
        must(PREFIX(reserve)(&PREFIX(vector), COUNT));
        PREFIX(fill)(COUNT);
    } else {
        PREFIX(fill)(op == BENCH_ERASE ? 2 * BENCH_MIDDLE : BENCH_MIDDLE);
    }
}
static uint64_t PREFIX(run)(enum bench_op op) {
    struct VEC *v = &PREFIX(vector);
    T one = ITEM(7);
    uint64_t sum = 0;
    switch (op) {
    case BENCH_PUSH:
        DROP(v, 0, v->count);
        for (size_t i = 0; i < COUNT; i++)
            must(PUSH(v, one));
        break;
    case BENCH_GROW:
        for (size_t i = 0; i < BENCH_GROWN; i++)
            must(PREFIX(push)(v, EMPTY(i)));
        sum = v->count;
        DROP(v, 0, v->count);
        PREFIX(done)(v);
        break;
    case BENCH_INSERT:
        for (size_t i = 0; i < BENCH_MIDDLE; i++)
            must(COPY(v, v->count / 2, one));
        break;
    case BENCH_ERASE:
        for (size_t i = 0; i < BENCH_MIDDLE; i++)
            DROP(v, v->count / 2, 1);
        break;
    default:
        for (size_t i = 0; i < v->count; i++)
            sum += VALUE(v->data[i]);
    }
    FREE(one);
    return sum + v->count;
}
#undef VEC
#undef T
#undef PREFIX
#undef ITEM
#undef EMPTY
#undef VALUE
#undef COUNT
#undef PUSH
#undef COPY
#undef DROP
#undef FREE
