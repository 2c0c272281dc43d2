package app

/*
#include <stdlib.h>
#if defined(__GLIBC__)
#include <malloc.h>
static void fewArenas(void) { mallopt(M_ARENA_MAX, 2); }
#else
static void fewArenas(void) {}
#endif
*/
import "C"

// fewArenas keeps the C library from making one pool of memory for nearly each
// thread: DuckDB is called from many, and what one of them has freed would not
// serve the others. It must come before the first call of DuckDB.
func fewArenas() { C.fewArenas() }
