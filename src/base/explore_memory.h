/* base/explore_memory.h: the memory that explored threads see, by views (the C11 model without load buffering).
 *
 * Every atomic variable keeps all its stores, in the order in which they were made: its modification order. A thread's
 * view says for each variable the oldest store it may still read, and for each thread how much of it has happened
 * before. A release store carries its thread's view; an acquire load that reads it takes it over. Sequentially
 * consistent operations share one more view, through which a later one sees what an earlier one stored.
 *
 * What it allows is what C++20's model allows, less two things. A load never returns a store that is made later in the
 * run (load buffering, out of thin air). And the modification order is the order of execution: what is lost are runs in
 * which two variables are each written by two threads in an order that no interleaving has. Two plain stores that
 * nothing orders are therefore reported; of read-modify-writes, a structure should have unordered ones on one variable
 * only. Machines that are not multi-copy atomic are covered: two threads may see two stores in different orders.
 */
#ifndef WEIR_BASE_EXPLORE_MEMORY_H
#define WEIR_BASE_EXPLORE_MEMORY_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MEMORY_THREADS_MAX    4 /* the case's, and the one that checks after them */
#define MEMORY_LOCATIONS_MAX  16
#define MEMORY_STORES_MAX     48
#define MEMORY_CELLS_MAX      64
#define MEMORY_CONSISTENT_MAX 64 /* seq_cst stores and fences of a run, less one */

/* Forgets everything: a new run begins. */
void memory_begin(void);
/* The variable at p; its first use in a run takes what is in memory as its oldest store. -1: too many of them. */
int memory_location(const void *p, size_t size);
/* The thread knows all that any thread has done: the check after the run. */
void memory_join_all(unsigned thread);

unsigned memory_newest(int location);
/* The oldest store that a load of this order may return now. */
unsigned memory_oldest(unsigned thread, int location, int order);
uint64_t memory_value(int location, unsigned index);

/* NULL, or why the run cannot go on. */
const char *memory_store(unsigned thread, int location, uint64_t value, int order);
/* The write of a read-modify-write, which reads the newest store. */
const char *memory_update(unsigned thread, int location, uint64_t value, int order);
const char *memory_fence(unsigned thread, int order);
void memory_load(unsigned thread, int location, unsigned index, int order);

/* From here on the thread sees the store at index or a newer one. */
void memory_raise(unsigned thread, int location, unsigned index);

/* A plain access of size bytes: NULL, or the data race it is part of. */
const char *memory_plain(unsigned thread, const void *p, size_t size, bool writes);

#endif
