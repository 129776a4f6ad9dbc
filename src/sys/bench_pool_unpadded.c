/* The pool once more, under other names and with the fields of different threads side by side, to see what false
 * sharing costs. */
#define DEQUE_SEPARATION       8
#define deque_init             unpadded_deque_init
#define deque_pop              unpadded_deque_pop
#define deque_steal            unpadded_deque_steal
#define deque_count            unpadded_deque_count
#define weir_pool_start        unpadded_pool_start
#define weir_pool_stop         unpadded_pool_stop
#define weir_pool_submit       unpadded_pool_submit
#define weir_pool_read_stats   unpadded_pool_read_stats
#define weir_group_begin       unpadded_group_begin
#define weir_group_wait        unpadded_group_wait
#define weir_group_is_done     unpadded_group_is_done
#define weir_group_wake_me     unpadded_group_wake_me
#define weir_group_cancel      unpadded_group_cancel
#define weir_group_is_canceled unpadded_group_is_canceled
#define weir_worker_begin      unpadded_worker_begin
#define weir_worker_submit     unpadded_worker_submit
#define weir_worker_wait       unpadded_worker_wait
#define weir_worker_index      unpadded_worker_index
#define worker_do_work         unpadded_worker_do_work
#define worker_drain           unpadded_worker_drain

#include "base/deque.c"
#include "sys/pool.c"
#include "sys/pool_worker.c"

#include "sys/bench_pool_weir.h"

const struct bench_pool bench_pool_unpadded = {"unpadded", start, stop, fib, loop, spawn, submit};
