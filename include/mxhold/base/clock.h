/*
 * Time. Monotonic for delays and deadlines, wall only for what is recorded.
 * Tests and the simulator may replace both. Any thread.
 */
#ifndef MXHOLD_BASE_CLOCK_H
#define MXHOLD_BASE_CLOCK_H

#include <stdint.h>

int64_t clock_mono_ms(void); /* CLOCK_MONOTONIC, milliseconds */
int64_t clock_mono_us(void);
int64_t clock_wall_ms(void); /* since 1970-01-01 UTC, milliseconds */

/* From now on the clocks stand where they are put; off: real again. */
void clock_fake(int64_t mono_ms, int64_t wall_ms);
void clock_fake_off(void);

#endif
