/* Compiler attributes and small macros used everywhere. */
#ifndef MXHOLD_BASE_ATTR_H
#define MXHOLD_BASE_ATTR_H

#include <stddef.h>

#define MX_PRINTF(fmt, first) __attribute__((format(printf, fmt, first)))
#define MX_UNUSED             __attribute__((unused))
#define MX_NODISCARD          __attribute__((warn_unused_result))
#define MX_CLEANUP(fn)        __attribute__((cleanup(fn)))
#define MX_ARRAY_SIZE(a)      (sizeof(a) / sizeof((a)[0]))
#define MX_MIN(a, b)          ((a) < (b) ? (a) : (b))
#define MX_MAX(a, b)          ((a) > (b) ? (a) : (b))

/* The struct that holds `ptr` as its member `member`. */
#define MX_CONTAINER_OF(ptr, type, member) \
	((type *)((char *)(ptr)-offsetof(type, member)))

#endif
