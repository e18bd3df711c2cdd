#include "mxhold/outbound/route.h"

#include <check.h>
#include <stdio.h>
#include <string.h>

#include "mxhold/base/attr.h"
#include "mxhold/base/random.h"
#include "unit/base/suite.h"

/* "10 mx1.example.com, 20 ." as an answer. */
static void parse_mx(struct dns_answer *a, const char *text)
{
	char copy[1024];
	char *save = NULL;

	memset(a, 0, sizeof(*a));
	a->status = DNS_OK;
	snprintf(copy, sizeof(copy), "%s", text);
	for (char *item = strtok_r(copy, ",", &save); item;
	     item = strtok_r(NULL, ",", &save)) {
		struct dns_record *r = &a->records[a->n++];
		unsigned preference;

		ck_assert_int_eq(
			sscanf(item, "%u %255[^,]", &preference, r->name), 2);
		r->preference = (uint16_t)preference;
		if (strcmp(r->name, ".") == 0)
			r->name[0] = 0;
	}
}

static void format_route(const struct route *r, char *out, size_t room)
{
	size_t n = 0;

	out[0] = 0;
	for (size_t i = 0; i < r->n; i++)
		n += (size_t)snprintf(out + n, room - n, "%s%s", i ? " " : "",
				      r->hosts[i].name);
}

static bool is_backup(void *data, const char *name)
{
	(void)data;
	return strcasecmp(name, "backup.example.com") == 0;
}

/* DNS-5 to DNS-10, DNS-12 */
static const struct {
	const char *mx;
	enum route_verdict verdict;
	const char *hosts;
	const char *mistake; /* a part of it, or NULL: none */
} routes[] = {
	{"10 a.example", ROUTE_OK, "a.example", NULL},
	{"30 c.example,10 a.example,20 b.example", ROUTE_OK,
	 "a.example b.example c.example", NULL},
	{"10 a.example,20 backup.example.com", ROUTE_OK, "a.example", NULL},
	{"10 a.example,20 b.example,30 BACKUP.example.com,40 d.example",
	 ROUTE_OK, "a.example b.example", NULL},
	{"10 a.example,20 b.example,20 backup.example.com,20 c.example",
	 ROUTE_OK, "a.example", NULL},
	{"10 backup.example.com,20 b.example", ROUTE_LOOP, "", NULL},
	{"10 backup.example.com,10 b.example", ROUTE_LOOP, "", NULL},
	{"10 backup.example.com", ROUTE_LOOP, "", NULL},
	{"0 .", ROUTE_NULL_MX, "", NULL},
	{"0 .,10 a.example", ROUTE_OK, "a.example", "null MX among others"},
	{"10 192.0.2.1,20 b.example", ROUTE_OK, "b.example",
	 "192.0.2.1 is an address"},
	{"10 2001:db8::1", ROUTE_OK, "", "2001:db8::1 is an address"},
	{"20 a.example,10 a.example,15 b.example", ROUTE_OK,
	 "a.example b.example", NULL},
	{"10 a.example,20 A.EXAMPLE", ROUTE_OK, "a.example", NULL},
	{"10 a\x01"
	 "b.example,20 b.example",
	 ROUTE_OK, "b.example", "no host name"},
	{"10 a b.example,20 b.example", ROUTE_OK, "b.example", "no host name"},
	{"10 a\x7f.example,20 b~.example", ROUTE_OK, "b~.example",
	 "no host name"},
	{"10 a.example,20 a.example,15 b.example", ROUTE_OK,
	 "a.example b.example", NULL},
};

/* DNS-6, DNS-7 */
START_TEST(route__orders_and_cuts)
{
	struct dns_answer mx;
	struct route r;
	char got[1024];

	parse_mx(&mx, routes[_i].mx);
	route_from_mx(&r, "example.com", &mx, is_backup, NULL);
	ck_assert_int_eq(r.verdict, routes[_i].verdict);
	format_route(&r, got, sizeof(got));
	ck_assert_str_eq(got, routes[_i].hosts);
	if (routes[_i].mistake)
		ck_assert_ptr_nonnull(strstr(r.mistakes, routes[_i].mistake));
	else
		ck_assert_str_eq(r.mistakes, "");
}
END_TEST

/* DNS-3, DNS-4 */
static const struct {
	enum dns_status status;
	enum route_verdict verdict;
	const char *hosts;
} statuses[] = {
	{DNS_NODATA, ROUTE_IMPLICIT, "example.com"},
	{DNS_NXDOMAIN, ROUTE_NXDOMAIN, ""},
	{DNS_FAIL, ROUTE_UNKNOWN, ""},
	{DNS_BOGUS, ROUTE_UNKNOWN, ""},
};

START_TEST(route__judges_an_answer_without_mx)
{
	struct dns_answer mx = {.status = statuses[_i].status};
	struct route r;
	char got[1024];

	route_from_mx(&r, "example.com", &mx, is_backup, NULL);
	ck_assert_int_eq(r.verdict, statuses[_i].verdict);
	format_route(&r, got, sizeof(got));
	ck_assert_str_eq(got, statuses[_i].hosts);
}
END_TEST

START_TEST(route__sees_a_loop_when_the_domain_itself_is_us)
{
	struct dns_answer mx = {.status = DNS_NODATA};
	struct route r;

	route_from_mx(&r, "Backup.Example.com", &mx, is_backup, NULL);
	ck_assert_int_eq(r.verdict, ROUTE_LOOP);
	ck_assert_uint_eq(r.n, 0);
}
END_TEST

/* DNS-8: over 3000 runs each of three equals leads about a third. */
START_TEST(route__shuffles_equals)
{
	unsigned first[3] = {0};
	struct dns_answer mx;
	struct route r;

	random_seed(4711);
	parse_mx(&mx, "10 a.example,10 b.example,10 c.example,20 z.example");
	for (int i = 0; i < 3000; i++) {
		route_from_mx(&r, "example.com", &mx, NULL, NULL);
		ck_assert_uint_eq(r.n, 4);
		ck_assert_str_eq(r.hosts[3].name, "z.example");
		first[r.hosts[0].name[0] - 'a']++;
	}
	for (int i = 0; i < 3; i++)
		ck_assert_msg(first[i] > 850 && first[i] < 1150,
			      "%c led %u times", 'a' + i, first[i]);
}
END_TEST

START_TEST(route__keeps_the_best_when_there_are_too_many)
{
	struct dns_answer mx = {.status = DNS_OK, .n = DNS_RECORDS_MAX};
	struct route r;

	for (size_t i = 0; i < mx.n; i++) {
		mx.records[i].preference = (uint16_t)(100 - i);
		snprintf(mx.records[i].name, sizeof(mx.records[i].name),
			 "mx%zu.example", i);
	}
	route_from_mx(&r, "example.com", &mx, NULL, NULL);
	ck_assert_uint_eq(r.n, ROUTE_HOSTS_MAX);
	ck_assert_str_eq(r.hosts[0].name, "mx31.example");
	ck_assert_str_eq(r.hosts[ROUTE_HOSTS_MAX - 1].name, "mx12.example");
}
END_TEST

/* Ourselves far behind must be seen though it is beyond the cap. */
START_TEST(route__finds_us_among_too_many)
{
	struct dns_answer mx = {.status = DNS_OK, .n = DNS_RECORDS_MAX};
	struct route r;

	for (size_t i = 0; i < mx.n; i++) {
		mx.records[i].preference = 10;
		snprintf(mx.records[i].name, sizeof(mx.records[i].name),
			 i == 29 ? "backup.example.com" : "mx%zu.example", i);
	}
	route_from_mx(&r, "example.com", &mx, is_backup, NULL);
	ck_assert_int_eq(r.verdict, ROUTE_LOOP);
}
END_TEST

/* DNS-9 by address */
START_TEST(route__cuts_at_an_address_of_ours)
{
	struct dns_answer mx;
	struct route r;
	char got[1024];

	parse_mx(&mx, "10 a.example,20 b.example,30 c.example");
	route_from_mx(&r, "example.com", &mx, NULL, NULL);
	route_cut_at(&r, 1);
	format_route(&r, got, sizeof(got));
	ck_assert_str_eq(got, "a.example");
	ck_assert_int_eq(r.verdict, ROUTE_OK);
	route_cut_at(&r, 0);
	ck_assert_uint_eq(r.n, 0);
	ck_assert_int_eq(r.verdict, ROUTE_LOOP);
}
END_TEST

START_TEST(route__cuts_all_of_one_preference)
{
	struct dns_answer mx;
	struct route r;

	parse_mx(&mx, "10 a.example,20 b.example,20 c.example,20 d.example");
	route_from_mx(&r, "example.com", &mx, NULL, NULL);
	route_cut_at(&r, 3);
	ck_assert_uint_eq(r.n, 1);
	ck_assert_str_eq(r.hosts[0].name, "a.example");
}
END_TEST

START_TEST(route__leaves_out_mistakes_that_do_not_fit)
{
	struct route r = {0};

	for (int i = 0; i < 100; i++)
		route_mistake(&r, "is a CNAME", "mx1.example.com");
	ck_assert_uint_lt(strlen(r.mistakes), sizeof(r.mistakes));
	ck_assert_str_eq(r.mistakes + strlen(r.mistakes) - 5, "CNAME");
}
END_TEST

/* DNS-15 */
static const struct {
	size_t n6, n4, max;
	const char *order;
} mixes[] = {
	{0, 0, 8, ""},         {1, 0, 8, "6"},    {0, 2, 8, "44"},
	{2, 2, 8, "6464"},     {3, 1, 8, "6466"}, {1, 3, 8, "6444"},
	{8, 8, 8, "64646464"}, {2, 2, 3, "646"},  {2, 2, 0, ""},
};

START_TEST(route__interleaves_families)
{
	struct inet_addr v6[8], v4[8], out[16];
	char got[17] = "";
	size_t n;

	for (int i = 0; i < 8; i++) {
		v6[i] = (struct inet_addr){6, {(uint8_t)i}};
		v4[i] = (struct inet_addr){4, {(uint8_t)i}};
	}
	n = route_interleave(v6, mixes[_i].n6, v4, mixes[_i].n4, out,
			     mixes[_i].max);
	for (size_t i = 0; i < n; i++)
		got[i] = (char)('0' + out[i].family);
	ck_assert_str_eq(got, mixes[_i].order);
}
END_TEST

int main(void)
{
	return RUN_TESTS("route", LOOP(route__orders_and_cuts, routes),
			 LOOP(route__judges_an_answer_without_mx, statuses),
			 TEST(route__sees_a_loop_when_the_domain_itself_is_us),
			 TEST(route__shuffles_equals),
			 TEST(route__keeps_the_best_when_there_are_too_many),
			 TEST(route__finds_us_among_too_many),
			 TEST(route__cuts_at_an_address_of_ours),
			 TEST(route__cuts_all_of_one_preference),
			 TEST(route__leaves_out_mistakes_that_do_not_fit),
			 LOOP(route__interleaves_families, mixes));
}
