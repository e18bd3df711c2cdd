/* A test that runs with _i = 0 and _i = 1. */
#ifndef MXHOLD_TESTS_UNIT_NET_TWICE_H
#define MXHOLD_TESTS_UNIT_NET_TWICE_H

#include "unit/base/suite.h"

#define TWICE(f)                   \
	{                          \
		.fn = f, .rows = 2 \
	}

#endif
