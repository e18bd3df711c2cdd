/* Reads on the work pool: who shares a seat. */
#include "mxhold/relay/shelf.h"
#include "unit/relay/rig.h"

enum {
	TASKS = 20
};

static struct ask {
	struct shelf_task task;
	struct shelf_seat *seat; /* it was done in */
	bool done, is_slow;
} asks[TASKS];

static void on_work(void *data, struct shelf_seat *seat)
{
	struct ask *a = data;

	a->seat = seat;
	if (a->is_slow)
		usleep(3000);
}

static void on_done(void *data)
{
	((struct ask *)data)->done = true;
}

static bool are_done(struct rig *r)
{
	for (unsigned i = 0; i < r->wanted; i++) {
		if (!asks[i].done)
			return false;
	}
	return true;
}

/* All in one turn, and waits for them. */
static void ask(struct rig *r, struct shelf *s, unsigned n, bool is_slow)
{
	memset(asks, 0, sizeof(asks));
	for (unsigned i = 0; i < n; i++) {
		asks[i].is_slow = is_slow;
		asks[i].task = (struct shelf_task){
			.fn = on_work, .done = on_done, .data = &asks[i]};
		shelf_submit(s, &asks[i].task);
	}
	r->wanted = n;
	rig_until(r, are_done);
}

static unsigned count_seats(unsigned n)
{
	unsigned seats = 0;

	for (unsigned i = 0; i < n; i++) {
		unsigned k = 0;

		while (k < i && asks[k].seat != asks[i].seat)
			k++;
		seats += k == i;
	}
	return seats;
}

START_TEST(shelf__what_is_asked_in_one_turn_shares_a_seat)
{
	struct shelf *s;
	struct rig r;

	rig_init(&r, "");
	s = shelf_new(r.loop, r.store, r.directory);
	ask(&r, s, SHELF_SHARE, false);
	ck_assert_uint_eq(count_seats(SHELF_SHARE), 1);
	shelf_free(s);
	rig_done(&r);
}
END_TEST

START_TEST(shelf__more_than_a_share_takes_more_seats)
{
	struct shelf *s;
	struct rig r;

	rig_init(&r, "");
	s = shelf_new(r.loop, r.store, r.directory);
	ask(&r, s, TASKS, false);
	ck_assert_uint_eq(count_seats(TASKS),
			  (TASKS + SHELF_SHARE - 1) / SHELF_SHARE);
	shelf_free(s);
	rig_done(&r);
}
END_TEST

START_TEST(shelf__what_waits_for_the_disk_waits_side_by_side)
{
	struct shelf *s;
	struct rig r;

	rig_init(&r, "");
	s = shelf_new(r.loop, r.store, r.directory);
	ask(&r, s, 2, true);
	ask(&r, s, SHELF_SEATS, true);
	ck_assert_uint_eq(count_seats(SHELF_SEATS), SHELF_SEATS);
	ask(&r, s, TASKS, true); /* what finds no seat waits for one */
	ck_assert_uint_le(count_seats(TASKS), SHELF_SEATS);
	shelf_free(s);
	rig_done(&r);
}
END_TEST

int main(void)
{
	return RUN_TESTS(
		"shelf", TEST(shelf__what_is_asked_in_one_turn_shares_a_seat),
		TEST(shelf__more_than_a_share_takes_more_seats),
		TEST(shelf__what_waits_for_the_disk_waits_side_by_side));
}
