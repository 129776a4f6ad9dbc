/* What bench_vec compares: the same operations on weir/vec.h and on std::vector. Compiles as C and C++. */
#ifndef WEIR_BASE_BENCH_VEC_H
#define WEIR_BASE_BENCH_VEC_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#ifdef __cplusplus
extern "C" {
#endif

enum bench_op {    /* with the elements of one call; owners a tenth of it, where they are copied */
    BENCH_PUSH,    /* 1,000,000 copies into a vector that has the room and was filled before */
    BENCH_GROW,    /* BENCH_GROWN elements into an empty vector; owners are empty, so only the vector costs */
    BENCH_INSERT,  /* 4,000 copies in the middle of a vector of as many */
    BENCH_ERASE,   /* 4,000 times the middle element of twice as many */
    BENCH_ITERATE, /* a sum over 1,000,000 */
    BENCH_OPS
};
#define BENCH_COUNT  1000000u
#define BENCH_GROWN  10000000u
#define BENCH_MIDDLE 4000u

struct bench_three {
    uint64_t a, b, c;
};
/* Owns a text; copying it can fail. */
#define BENCH_TEXT "what it owns"
struct bench_text {
    char *text;
    size_t size;
};

enum bench_type { BENCH_INTS, BENCH_THREES, BENCH_OWNERS, BENCH_TYPES };

/* prepare is called before run and not measured; run returns something that depends on what it did. */
struct bench_vec {
    void (*prepare[BENCH_TYPES])(enum bench_op op);
    uint64_t (*run[BENCH_TYPES])(enum bench_op op);
};
extern const struct bench_vec bench_vec_weir, bench_vec_std;

#ifdef __cplusplus
}
#endif
#endif
