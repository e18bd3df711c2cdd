#include "mxhold/base/map.h"

#include <stdint.h>
#include <stdio.h>

#include "unit/base/suite.h"

static struct slice key_of(int i, char room[32])
{
	return slice_make(room, (size_t)snprintf(room, 32, "key-%d", i));
}

static void *value_of(int i)
{
	return (void *)(intptr_t)(i + 1);
}

START_TEST(map__finds_thousands_of_keys_again)
{
	char room[32];
	struct map m;

	map_init(&m);
	for (int i = 0; i < 5000; i++)
		ck_assert_ptr_null(map_put(&m, key_of(i, room), value_of(i)));
	ck_assert_uint_eq(m.n, 5000);
	for (int i = 0; i < 5000; i++)
		ck_assert_ptr_eq(map_get(&m, key_of(i, room)), value_of(i));
	ck_assert_ptr_null(map_get(&m, key_of(5000, room)));
	map_done(&m, NULL);
}
END_TEST

START_TEST(map__replaces_and_returns_the_old_value)
{
	struct map m;

	map_init(&m);
	ck_assert_ptr_null(map_put(&m, SLICE("a"), value_of(1)));
	ck_assert_ptr_eq(map_put(&m, SLICE("a"), value_of(2)), value_of(1));
	ck_assert_ptr_eq(map_get(&m, SLICE("a")), value_of(2));
	ck_assert_uint_eq(m.n, 1);
	map_done(&m, NULL);
}
END_TEST

START_TEST(map__removes_one_key_alone)
{
	char room[32];
	struct map m;

	map_init(&m);
	ck_assert_ptr_null(map_remove(&m, SLICE("a")));
	for (int i = 0; i < 100; i++)
		map_put(&m, key_of(i, room), value_of(i));
	ck_assert_ptr_eq(map_remove(&m, key_of(50, room)), value_of(50));
	ck_assert_ptr_null(map_remove(&m, key_of(50, room)));
	ck_assert_ptr_null(map_get(&m, key_of(50, room)));
	for (int i = 0; i < 100; i++)
		if (i != 50)
			ck_assert_ptr_eq(map_get(&m, key_of(i, room)),
					 value_of(i));
	map_done(&m, NULL);
}
END_TEST

START_TEST(map__tells_keys_with_nul_and_the_empty_key_apart)
{
	struct map m;

	map_init(&m);
	map_put(&m, slice_make("a\0b", 3), value_of(1));
	map_put(&m, slice_make("a\0c", 3), value_of(2));
	map_put(&m, slice_make(NULL, 0), value_of(3));
	ck_assert_ptr_eq(map_get(&m, slice_make("a\0b", 3)), value_of(1));
	ck_assert_ptr_eq(map_get(&m, slice_make("a\0c", 3)), value_of(2));
	ck_assert_ptr_eq(map_get(&m, SLICE("")), value_of(3));
	ck_assert_ptr_null(map_get(&m, SLICE("a")));
	map_done(&m, NULL);
}
END_TEST

struct walk {
	struct map *m;
	int seen;
};

static int remove_each(void *data, struct slice key, void *value)
{
	struct walk *w = data;
	char copy[32];

	memcpy(copy, key.p, key.n);
	ck_assert_ptr_eq(map_remove(w->m, slice_make(copy, key.n)), value);
	return ++w->seen == 30 ? 7 : 0;
}

START_TEST(map__walk_may_remove_and_stops_when_told)
{
	struct walk w = {0};
	char room[32];
	struct map m;

	map_init(&m);
	w.m = &m;
	for (int i = 0; i < 100; i++)
		map_put(&m, key_of(i, room), value_of(i));
	ck_assert_int_eq(map_each(&m, remove_each, &w), 7);
	ck_assert_uint_eq(m.n, 70);
	ck_assert_int_eq(map_each(&m, remove_each, &w), 0);
	ck_assert_int_eq(w.seen, 100);
	ck_assert_uint_eq(m.n, 0);
	map_done(&m, NULL);
}
END_TEST

START_TEST(map__frees_every_value_at_its_end)
{
	char room[32];
	struct map m;

	map_init(&m);
	for (int i = 0; i < 40; i++)
		map_put(&m, key_of(i, room), malloc(8));
	map_done(&m, free); /* the leak checker is the judge */
	ck_assert_uint_eq(m.n, 0);
	ck_assert_ptr_null(map_get(&m, key_of(1, room)));
	map_done(&m, free);
}
END_TEST

int main(void)
{
	return RUN_TESTS("map", TEST(map__finds_thousands_of_keys_again),
			 TEST(map__replaces_and_returns_the_old_value),
			 TEST(map__removes_one_key_alone),
			 TEST(map__tells_keys_with_nul_and_the_empty_key_apart),
			 TEST(map__walk_may_remove_and_stops_when_told),
			 TEST(map__frees_every_value_at_its_end));
}
