#include "mxhold/outbound/guard.h"

#include <check.h>

#include "unit/base/suite.h"

static struct endpoint at(const char *text)
{
	struct endpoint e;

	ck_assert_int_eq(endpoint_parse(slice_str(text), &e), 0);
	return e;
}

/* We: backup.example.com, at 127.0.0.1:2525 and everywhere at port 2626,
 * behind NAT at 192.0.2.9. */
static const struct config *ourselves(void)
{
	static char hostname[] = "backup.example.com";
	static struct endpoint addresses[2];
	static struct config_listen listen = {.addresses = addresses,
					      .n_addresses = 2};
	static struct inet_addr external = {4, {192, 0, 2, 9}};
	static struct config c = {.hostname = hostname,
				  .listens = &listen,
				  .n_listens = 1,
				  .external = &external,
				  .n_external = 1};

	addresses[0] = at("127.0.0.1:2525");
	addresses[1] = at("[::]:2626");
	return &c;
}

static const struct {
	const char *name;
	bool ours;
} names[] = {
	{"backup.example.com", true},    {"BACKUP.Example.COM", true},
	{"backup.example.com.", true},   {"backup.example.co", false},
	{"x.backup.example.com", false}, {"", false},
};

START_TEST(guard__knows_our_name)
{
	ck_assert_int_eq(guard_is_our_name(ourselves(), names[_i].name),
			 names[_i].ours);
}
END_TEST

static const struct {
	const char *endpoint;
	bool by_dns;      /* refused when DNS led there */
	bool by_operator; /* refused when an operator wrote it */
} endpoints[] = {
	{"127.0.0.1:2525", true, true},      {"127.0.0.1:2526", false, false},
	{"127.0.0.2:2525", true, false}, /* another server's socket */
	{"127.0.0.1:2626", true, true},  /* our wildcard */
	{"[::1]:2626", true, true},          {"127.0.0.1:25", true, false},
	{"192.0.2.9:25", true, false},       {"192.0.2.9:2525", true, true},
	{"192.0.2.9:587", false, false},     {"198.51.100.1:25", false, false},
	{"198.51.100.1:2626", false, false},
};

START_TEST(guard__tells_us_from_others)
{
	struct endpoint e = at(endpoints[_i].endpoint);

	ck_assert_int_eq(guard_is_us(ourselves(), &e), endpoints[_i].by_dns);
	ck_assert_int_eq(guard_is_our_listener(ourselves(), &e),
			 endpoints[_i].by_operator);
}
END_TEST

int main(void)
{
	return RUN_TESTS("guard", LOOP(guard__knows_our_name, names),
			 LOOP(guard__tells_us_from_others, endpoints));
}
