/* TLS-23: which TLSA records are of use with SMTP. */
#include "mxhold/outbound/dane.h"

#include "unit/base/suite.h"

static const struct {
	struct tlsa record;
	bool usable;
} records[] = {
	{{3, 1, 1, {0}, 32}, true},    {{3, 0, 1, {0}, 32}, true},
	{{2, 1, 1, {0}, 32}, true},    {{2, 0, 2, {0}, 64}, true},
	{{3, 1, 0, {0}, 40}, true},    {{1, 1, 1, {0}, 32}, false},
	{{0, 0, 1, {0}, 32}, false},   {{4, 1, 1, {0}, 32}, false},
	{{255, 1, 1, {0}, 32}, false}, {{3, 2, 1, {0}, 32}, false},
	{{3, 1, 3, {0}, 32}, false},   {{3, 1, 1, {0}, 31}, false},
	{{3, 1, 1, {0}, 64}, false},   {{3, 1, 2, {0}, 32}, false},
	{{3, 1, 0, {0}, 0}, false},
};

START_TEST(dane__knows_what_is_usable)
{
	ck_assert_int_eq(dane_is_usable(&records[_i].record),
			 records[_i].usable);
}
END_TEST

int main(void)
{
	return RUN_TESTS("dane", LOOP(dane__knows_what_is_usable, records));
}
