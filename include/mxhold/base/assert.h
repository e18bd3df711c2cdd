/*
 * MX_ASSERT: our own mistakes, always compiled in, never about input.
 * Prints file, line and expression on stderr, then abort()s.
 */
#ifndef MXHOLD_BASE_ASSERT_H
#define MXHOLD_BASE_ASSERT_H

#define MX_ASSERT(expr) \
	((expr) ? (void)0 : assert_failed(#expr, __FILE__, __LINE__))

_Noreturn void assert_failed(const char *expr, const char *file, int line);

#endif
