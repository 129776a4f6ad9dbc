/* bench vec: weir/vec.h beside std::vector. JSON on stdout, a table on stderr.
 *
 *     bench_vec [ROUNDS]
 *
 * Both take turns, round by round; each figure is the median of the rounds, a ratio std::vector's time over ours. */
#include "base/bench_vec.h"

#include <weir/vec.h>

#include <stdio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define ROUNDS_MAX 101

static void must(bool done) {
    if (!done) abort();
}

WEIR_VEC(ints, uint32_t);
WEIR_VEC(threes, struct bench_three);
WEIR_VEC(owners, struct bench_text);

static bool text_copy(const struct bench_text *from, struct bench_text *ret) {
    char *text = NULL;
    if (from->text) {
        text = malloc(from->size + 1);
        if (!text) return false;
        memcpy(text, from->text, from->size + 1);
    }
    *ret = (struct bench_text){text, from->size};
    return true;
}
static void text_drop(struct bench_text *item) {
    free(item->text);
}
static struct bench_text text_make(void) {
    struct bench_text made;
    must(text_copy(&(struct bench_text){(char *)(uintptr_t)BENCH_TEXT, strlen(BENCH_TEXT)}, &made));
    return made;
}
WEIR_VEC_OWNED(owners, struct bench_text, text_copy, text_drop);

#define VEC            ints
#define T              uint32_t
#define PREFIX(name)   ints_##name
#define ITEM(i)        (i)
#define EMPTY(i)       ((uint32_t)(i))
#define VALUE(x)       (x)
#define COUNT          BENCH_COUNT
#define PUSH(v, x)     ints_push(v, x)
#define COPY(v, at, x) ints_insert(v, at, x)
#define DROP(v, at, n) (void)ints_erase_range(v, at, n)
#define FREE(x)        (void)(x)
#include "base/bench_vec_weir.h"

#define VEC            threes
#define T              struct bench_three
#define PREFIX(name)   threes_##name
#define ITEM(i)        ((struct bench_three){i, i + 1, i + 2})
#define EMPTY(i)       ITEM(i)
#define VALUE(x)       ((x).a + (x).c)
#define COUNT          BENCH_COUNT
#define PUSH(v, x)     threes_push(v, x)
#define COPY(v, at, x) threes_insert(v, at, x)
#define DROP(v, at, n) (void)threes_erase_range(v, at, n)
#define FREE(x)        (void)(x)
#include "base/bench_vec_weir.h"

#define VEC            owners
#define T              struct bench_text
#define PREFIX(name)   owners_##name
#define ITEM(i)        text_make()
#define EMPTY(i)       ((struct bench_text){NULL, 0})
#define VALUE(x)       ((x).size)
#define COUNT          (BENCH_COUNT / 10)
#define PUSH(v, x)     owners_push_copy(v, &(x))
#define COPY(v, at, x) owners_insert_copy(v, at, &(x))
#define DROP(v, at, n) (void)owners_drop_range(v, at, n)
#define FREE(x)        text_drop(&(x))
#include "base/bench_vec_weir.h"

const struct bench_vec bench_vec_weir = {
    {ints_prepare, threes_prepare, owners_prepare}, {ints_run, threes_run, owners_run}};

static const struct bench_vec *const contenders[] = {
    &bench_vec_weir,
#ifdef WEIR_BENCH_PEER
    &bench_vec_std,
#endif
};
#define CONTENDERS (sizeof contenders / sizeof contenders[0])

static const char *const op_names[BENCH_OPS] = {"push", "grow", "insert", "erase", "iterate"};
static const char *const type_names[BENCH_TYPES] = {"int", "struct24", "owner"};
static double ns[CONTENDERS][BENCH_TYPES][BENCH_OPS][ROUNDS_MAX]; /* of an element */

/* The processor's time, the kernel's part included: growing is page faults as much as copying. */
static double now_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static double elements(unsigned type, unsigned op) {
    if (op == BENCH_GROW) return BENCH_GROWN;
    if (op == BENCH_INSERT || op == BENCH_ERASE) return BENCH_MIDDLE;
    return type == BENCH_OWNERS ? BENCH_COUNT / 10 : BENCH_COUNT;
}

/* In a process of its own, so that every run finds the heap as a program that starts does, and not as the run before
 * left it. Returns nanoseconds an element. */
static double measured(const struct bench_vec *c, unsigned type, enum bench_op op, uint64_t *ret_result) {
    struct {
        double ns;
        uint64_t result;
    } answer;
    int ends[2];
    must(pipe(ends) == 0);
    pid_t child = fork();
    must(child >= 0);
    if (child == 0) {
        c->prepare[type](op);
        double from = now_ns();
        answer.result = c->run[type](op);
        answer.ns = (now_ns() - from) / elements(type, op);
        _exit(write(ends[1], &answer, sizeof answer) == sizeof answer ? 0 : 1);
    }
    must(read(ends[0], &answer, sizeof answer) == sizeof answer);
    must(waitpid(child, NULL, 0) == child);
    (void)close(ends[0]);
    (void)close(ends[1]);
    *ret_result = answer.result;
    return answer.ns;
}

static void round_run(unsigned round) {
    for (unsigned type = 0; type < BENCH_TYPES; type++)
        for (unsigned op = 0; op < BENCH_OPS; op++) {
            uint64_t results[CONTENDERS];
            for (unsigned turn = 0; turn < CONTENDERS; turn++) {
                unsigned c = (turn + round) % CONTENDERS;
                ns[c][type][op][round] = measured(contenders[c], type, (enum bench_op)op, &results[c]);
            }
            must(results[0] == results[CONTENDERS - 1]);
        }
}

static int by_size(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

int main(int argc, char **argv) {
    unsigned rounds = argc > 1 ? (unsigned)strtoul(argv[1], NULL, 10) : 15;
    if (rounds < 1 || rounds > ROUNDS_MAX) return 2;
    for (unsigned round = 0; round < rounds; round++)
        round_run(round);
    for (unsigned c = 0; c < CONTENDERS; c++)
        for (unsigned type = 0; type < BENCH_TYPES; type++)
            for (unsigned op = 0; op < BENCH_OPS; op++)
                qsort(ns[c][type][op], rounds, sizeof(double), by_size);
#define MEDIAN(c, type, op) ns[c][type][op][rounds / 2]
    printf("{\"bench\":\"vec\",\"rounds\":%u", rounds);
    for (unsigned part = CONTENDERS > 1 ? 0 : 1; part < 2; part++) {
        printf(",\"%s\":{", part ? "ns" : "ratio");
        for (unsigned type = 0; type < BENCH_TYPES; type++)
            for (unsigned op = 0; op < BENCH_OPS; op++)
                printf("%s\"%s_%s\":%.3f", type + op ? "," : "", type_names[type], op_names[op],
                    part ? MEDIAN(0, type, op) : MEDIAN(CONTENDERS - 1, type, op) / MEDIAN(0, type, op));
        printf("}");
    }
    printf("}\n");
    fprintf(stderr, "%-10s", "");
    for (unsigned op = 0; op < BENCH_OPS; op++)
        fprintf(stderr, "  %-22s", op_names[op]);
    fprintf(stderr, "\n%-10s", CONTENDERS > 1 ? "" : "no peer");
    for (unsigned op = 0; op < BENCH_OPS; op++)
        fprintf(stderr, "  %6s %7s %7s ", "ratio", "ns", "std");
    for (unsigned type = 0; type < BENCH_TYPES; type++) {
        fprintf(stderr, "\n%-10s", type_names[type]);
        for (unsigned op = 0; op < BENCH_OPS; op++) {
            double ours = MEDIAN(0, type, op), std = MEDIAN(CONTENDERS - 1, type, op);
            if (CONTENDERS > 1)
                fprintf(stderr, "  %6.2f %7.2f %7.2f ", std / ours, ours, std);
            else
                fprintf(stderr, "  %6s %7.2f %7s ", "-", ours, "-");
        }
    }
    fprintf(stderr, "\n");
    return 0;
}
