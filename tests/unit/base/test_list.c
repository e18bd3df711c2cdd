#include "mxhold/base/list.h"

#include "unit/base/suite.h"

struct item {
	int value;
	struct list link;
};

static int sum(struct list *head)
{
	int total = 0;

	LIST_FOR_EACH (it, head) {
		total = total * 10 +
			MX_CONTAINER_OF(it, struct item, link)->value;
	}
	return total;
}

START_TEST(list__keeps_order_and_loses_what_is_removed)
{
	struct item a = {.value = 1}, b = {.value = 2}, c = {.value = 3};
	struct list head;

	list_init(&head);
	ck_assert(list_empty(&head));
	list_append(&head, &a.link);
	list_append(&head, &b.link);
	list_append(&head, &c.link);
	ck_assert_int_eq(sum(&head), 123);
	list_remove(&b.link);
	ck_assert_int_eq(sum(&head), 13);
	list_remove(&b.link); /* alone now: no harm */
	ck_assert_int_eq(sum(&head), 13);
}
END_TEST

START_TEST(list__may_be_emptied_while_walked)
{
	struct item items[3] = {{.value = 1}, {.value = 2}, {.value = 3}};
	struct list head;
	int seen = 0;

	list_init(&head);
	for (int i = 0; i < 3; i++)
		list_append(&head, &items[i].link);
	LIST_FOR_EACH_SAFE (it, &head) {
		list_remove(it);
		seen++;
	}
	ck_assert_int_eq(seen, 3);
	ck_assert(list_empty(&head));
}
END_TEST

START_TEST(list__takes_over_all_of_another)
{
	struct item a = {.value = 1}, b = {.value = 2}, c = {.value = 3};
	struct list to, from;

	list_init(&to);
	list_init(&from);
	list_move(&to, &from);
	ck_assert(list_empty(&to));
	list_append(&to, &a.link);
	list_append(&from, &b.link);
	list_append(&from, &c.link);
	list_move(&to, &from);
	ck_assert_int_eq(sum(&to), 123);
	ck_assert(list_empty(&from));
	list_remove(&c.link);
	ck_assert_int_eq(sum(&to), 12);
}
END_TEST

int main(void)
{
	return RUN_TESTS("list",
			 TEST(list__keeps_order_and_loses_what_is_removed),
			 TEST(list__may_be_emptied_while_walked),
			 TEST(list__takes_over_all_of_another));
}
