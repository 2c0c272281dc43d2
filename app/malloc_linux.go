package app

/*
#include <stdlib.h>
#if defined(__GLIBC__)
#include <malloc.h>
// One pool of memory for all threads, instead of one for nearly each: DuckDB is
// called from many, and what one of them has freed would not serve the others.
// A constructor, because the threads that the Go runtime starts before main have
// pools of their own by then.
__attribute__((constructor)) static void onePool(void) { mallopt(M_ARENA_MAX, 1); }
#endif
*/
import "C"
