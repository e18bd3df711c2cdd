#include "mxhold/receive/recipients_settle.h"

#include <stdint.h>
#include <stdio.h>
#include <sys/stat.h>
#include <time.h>

#include "mxhold/base/clock.h"
#include "mxhold/base/siphash.h"
#include "mxhold/config/source.h"

enum {
	/* File systems stamp times by the tick of a clock. */
	YOUNG_MS = 100,
	/* Who writes a file pauses for less. */
	AT_REST_MS = 1000,
	PATIENCE_MS = 10 * 1000,
	TURN_MS = 50,
};

/* Since it was written; negative: in the future. */
static int64_t age_ms(const struct stat *st)
{
	return clock_wall_ms() - ((int64_t)st->st_mtim.tv_sec * 1000 +
				  st->st_mtim.tv_nsec / 1000000);
}

static void look_at_file(const char *file, struct stat *st, bool *is_settled)
{
	if (stat(file, st)) {
		st->st_size = -1;
		return;
	}
	if (age_ms(st) < YOUNG_MS)
		*is_settled = false;
}

uint64_t recipients_fingerprint(const struct config_domain *domain,
				bool *is_settled)
{
	/* Another key when lines come to mean something else. */
	static const uint64_t key[2] = {0x6d78686f6c64, 0x7263707473};
	uint64_t sum = domain->recipients.n;

	*is_settled = true;
	for (size_t i = 0; i < domain->recipients.n; i++) {
		const char *source = domain->recipients.v[i];
		struct stat st = {0};
		char text[512];
		int n;

		sum += siphash(key, slice_str(source));
		if (config_source_kind(source) != SOURCE_FILE)
			continue;
		look_at_file(source, &st, is_settled);
		n = snprintf(text, sizeof(text), "%zu %ju %ju %jd %jd.%ld", i,
			     (uintmax_t)st.st_dev, (uintmax_t)st.st_ino,
			     (intmax_t)st.st_size, (intmax_t)st.st_mtim.tv_sec,
			     st.st_mtim.tv_nsec);
		sum += siphash(key, slice_make(text, (size_t)n));
	}
	return sum;
}

bool recipients_are_at_rest(const struct config_domain *domain)
{
	for (size_t i = 0; i < domain->recipients.n; i++) {
		const char *source = domain->recipients.v[i];
		struct stat st;
		int64_t age;

		if (config_source_kind(source) != SOURCE_FILE ||
		    stat(source, &st))
			continue;
		age = age_ms(&st);
		if (age >= 0 && age < AT_REST_MS)
			return false;
	}
	return true;
}

void recipients_wait_for_rest(const struct config_domain *domain,
			      const atomic_bool *cancelled)
{
	static const struct timespec turn = {.tv_nsec = TURN_MS * 1000000L};

	for (int i = 0; i < PATIENCE_MS / TURN_MS; i++) {
		if (recipients_are_at_rest(domain) || atomic_load(cancelled))
			return;
		nanosleep(&turn, NULL);
	}
}
