#include "mxhold/net/ifaddrs.h"

#include <ifaddrs.h>

#include "unit/base/suite.h"

static const struct {
	const char *text;
	bool ours;
} table[] = {
	{"127.0.0.1", true},     {"127.8.9.10", true},   {"::1", true},
	{"0.0.0.0", true},       {"::", true},           {"192.0.2.77", false},
	{"2001:db8::77", false}, {"203.0.113.5", false},
};

START_TEST(ifaddrs__knows_loopback_and_strangers)
{
	struct inet_addr a;
	ck_assert_int_eq(inet_parse(slice_str(table[_i].text), &a), 0);
	ck_assert_msg(ifaddrs_is_ours(&a) == table[_i].ours, "%s",
		      table[_i].text);
}
END_TEST

START_TEST(ifaddrs__knows_every_address_of_this_machine)
{
	struct ifaddrs *all;
	int n = 0;
	ck_assert_int_eq(getifaddrs(&all), 0);
	for (struct ifaddrs *i = all; i; i = i->ifa_next) {
		struct endpoint e;
		if (!i->ifa_addr || !endpoint_from_sockaddr(i->ifa_addr, &e))
			continue;
		n++;
		ck_assert(ifaddrs_is_ours(&e.addr));
	}
	freeifaddrs(all);
	ck_assert_int_gt(n, 0);
}
END_TEST

int main(void)
{
	return RUN_TESTS("ifaddrs",
			 LOOP(ifaddrs__knows_loopback_and_strangers, table),
			 TEST(ifaddrs__knows_every_address_of_this_machine));
}
