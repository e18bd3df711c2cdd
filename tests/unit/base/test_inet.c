#include "mxhold/base/inet.h"

#include <netinet/in.h>

#include "mxhold/base/attr.h"
#include "unit/base/suite.h"

static struct inet_addr addr(const char *text)
{
	struct inet_addr a;

	ck_assert_msg(inet_parse(slice_str(text), &a) == 0, "%s", text);
	return a;
}

static const struct {
	const char *text, *shown, *literal;
} addresses[] = {
	{"192.0.2.1", "192.0.2.1", "[192.0.2.1]"},
	{"0.0.0.0", "0.0.0.0", "[0.0.0.0]"},
	{"2001:db8::1", "2001:db8::1", "[IPv6:2001:db8::1]"},
	{"2001:DB8:0:0:0:0:0:1", "2001:db8::1", "[IPv6:2001:db8::1]"},
	{"::", "::", "[IPv6:::]"},
	{"::ffff:192.0.2.1", "192.0.2.1", "[192.0.2.1]"},
};

START_TEST(inet__reads_and_writes_addresses)
{
	struct inet_addr a = addr(addresses[_i].text);
	char text[INET_TEXT_MAX];

	inet_format(&a, text);
	ck_assert_str_eq(text, addresses[_i].shown);
	inet_format_literal(&a, text);
	ck_assert_str_eq(text, addresses[_i].literal);
}
END_TEST

static const struct slice no_addresses[] = {
	{"", 0},
	{"192.0.2", 7},
	{"192.0.2.256", 11},
	{"192.0.2.1 ", 10},
	{"192.0.2.01", 10},
	{"[192.0.2.1]", 11},
	{"2001:db8::1%eth0", 16},
	{"2001:db8:::1", 12},
	{"192.0.2.1\0x", 11},
	{"host.example", 12},
};

START_TEST(inet__refuses_what_is_no_address)
{
	struct inet_addr a;

	ck_assert_int_eq(inet_parse(no_addresses[_i], &a), -1);
}
END_TEST

static const struct {
	const char *text;
	bool good;
} endpoints[] = {
	{"192.0.2.1:25", true},     {"[2001:db8::1]:465", true},
	{"192.0.2.1:0", true},      {"192.0.2.1:65535", true},
	{"192.0.2.1", false},       {"192.0.2.1:", false},
	{"192.0.2.1:65536", false}, {"192.0.2.1:-1", false},
	{"2001:db8::1:25", false},  {"[2001:db8::1]", false},
	{"[192.0.2.1]:25", false},  {"[2001:db8::1]25", false},
	{"[2001:db8::1", false},    {"", false},
	{"[]:25", false},           {"[2001:db8::1]:25x", false},
};

START_TEST(endpoint__is_read_with_its_port_only)
{
	char text[INET_TEXT_MAX];
	struct endpoint e;
	bool good = endpoint_parse(slice_str(endpoints[_i].text), &e) == 0;

	ck_assert_int_eq(good, endpoints[_i].good);
	if (good) {
		endpoint_format(&e, text);
		ck_assert_str_eq(text, endpoints[_i].text);
	}
}
END_TEST

static const struct {
	const char *net, *inside, *outside;
} nets[] = {
	{"192.0.2.0/24", "192.0.2.255", "192.0.3.0"},
	{"192.0.2.77/24", "192.0.2.0", "192.0.1.255"},
	{"192.0.2.1", "192.0.2.1", "192.0.2.2"},
	{"0.0.0.0/0", "255.1.2.3", "::1"},
	{"10.0.0.0/9", "10.127.0.1", "10.128.0.0"},
	{"2001:db8::/33", "2001:db8:7fff::1", "2001:db8:8000::"},
	{"2001:db8::1", "2001:db8::1", "2001:db8::2"},
	{"::ffff:192.0.2.0/120", "192.0.2.9", "192.0.3.9"},
};

START_TEST(cidr__contains_its_own_addresses_alone)
{
	struct inet_addr in = addr(nets[_i].inside);
	struct inet_addr out = addr(nets[_i].outside);
	struct cidr net;

	ck_assert_int_eq(cidr_parse(slice_str(nets[_i].net), &net), 0);
	ck_assert(cidr_contains(&net, &in));
	ck_assert(!cidr_contains(&net, &out));
}
END_TEST

static const char *const no_nets[] = {
	"",
	"192.0.2.0/33",
	"192.0.2.0/",
	"2001:db8::/129",
	"192.0.2.0/24/8",
	"/24",
	"x/8",
	"::ffff:1.2.3.4/64",
};

START_TEST(cidr__is_refused_when_it_is_none)
{
	struct cidr net;

	ck_assert_int_eq(cidr_parse(slice_str(no_nets[_i]), &net), -1);
}
END_TEST

static const struct {
	const char *text;
	bool global;
} reach[] = {
	{"8.8.8.8", true},
	{"192.0.1.1", true},
	{"172.32.0.1", true},
	{"100.128.0.1", true},
	{"2a00:1450::1", true},
	{"2606:4700::1", true},
	{"64:ff9b::808:808", true},
	{"0.1.2.3", false},
	{"10.1.2.3", false},
	{"100.64.0.1", false},
	{"127.0.0.1", false},
	{"169.254.1.1", false},
	{"172.31.255.255", false},
	{"192.0.2.1", false},
	{"192.168.0.1", false},
	{"198.19.0.1", false},
	{"198.51.100.1", false},
	{"203.0.113.1", false},
	{"224.0.0.1", false},
	{"255.255.255.255", false},
	{"::", false},
	{"::1", false},
	{"::ffff:10.0.0.1", false},
	{"64:ff9b::a00:1", false},
	{"fe80::1", false},
	{"fc00::1", false},
	{"fd12::1", false},
	{"ff02::1", false},
	{"2001:db8::1", false},
	{"2001::1", false},
	{"2002:a00:1::1", false},
	{"3fff::1", false},
};

START_TEST(inet__knows_what_a_stranger_may_point_to)
{
	struct inet_addr a = addr(reach[_i].text);

	ck_assert_msg(inet_is_global(&a) == reach[_i].global, "%s",
		      reach[_i].text);
}
END_TEST

START_TEST(inet__knows_what_nobody_can_have)
{
	static const char *const no[] = {
		"0.0.0.0",   "0.1.2.3",         "224.0.0.1", "239.255.255.255",
		"240.0.0.1", "255.255.255.255", "::",        "ff02::1"};
	static const char *const yes[] = {
		"1.0.0.1", "127.0.0.1", "10.1.2.3",   "223.255.255.255",
		"::1",     "fe80::1",   "2001:db8::1"};
	struct inet_addr none = {0}, a;

	for (size_t i = 0; i < MX_ARRAY_SIZE(no); i++) {
		a = addr(no[i]);
		ck_assert_msg(!inet_is_unicast(&a), "%s", no[i]);
	}
	for (size_t i = 0; i < MX_ARRAY_SIZE(yes); i++) {
		a = addr(yes[i]);
		ck_assert_msg(inet_is_unicast(&a), "%s", yes[i]);
	}
	ck_assert(!inet_is_unicast(&none));
}
END_TEST

START_TEST(inet__takes_mapped_octets_for_ipv4)
{
	static const uint8_t mapped[16] = {[10] = 0xff, 0xff, 192, 0, 2, 1};
	struct inet_addr want = addr("192.0.2.1");
	struct inet_addr got = inet_from_bytes(6, mapped);

	ck_assert(inet_eq(&got, &want));
	got = inet_from_bytes(4, mapped + 12);
	ck_assert(inet_eq(&got, &want));
}
END_TEST

START_TEST(inet__knows_loopback_and_unspecified)
{
	static const char *const yes[] = {"127.0.0.1", "127.9.9.9", "0.0.0.0",
					  "::1", "::"};
	static const char *const no[] = {"128.0.0.1", "0.0.0.1", "::2",
					 "2001:db8::1"};
	struct inet_addr none = {0};
	struct inet_addr a;

	for (size_t i = 0; i < MX_ARRAY_SIZE(yes); i++) {
		a = addr(yes[i]);
		ck_assert_msg(inet_is_loopback(&a), "%s", yes[i]);
	}
	for (size_t i = 0; i < MX_ARRAY_SIZE(no); i++) {
		a = addr(no[i]);
		ck_assert_msg(!inet_is_loopback(&a), "%s", no[i]);
	}
	ck_assert(!inet_is_loopback(&none));
	ck_assert(!inet_is_global(&none));
}
END_TEST

START_TEST(inet__groups_clients_by_32_and_64_bits)
{
	struct inet_addr v4 = addr("192.0.2.7"), v6 = addr("2001:db8::9:7");
	struct inet_addr net = addr("2001:db8::");
	struct inet_addr got;

	got = inet_client_network(&v4);
	ck_assert(inet_eq(&got, &v4));
	got = inet_client_network(&v6);
	ck_assert(inet_eq(&got, &net));
}
END_TEST

START_TEST(endpoint__goes_through_sockaddr_and_back)
{
	static const char *const texts[] = {"192.0.2.1:25",
					    "[2001:db8::1]:2525"};
	struct endpoint e, back;
	struct sockaddr_storage ss;

	for (size_t i = 0; i < 2; i++) {
		ck_assert_int_eq(endpoint_parse(slice_str(texts[i]), &e), 0);
		ck_assert_uint_eq(endpoint_to_sockaddr(&e, &ss),
				  i ? sizeof(struct sockaddr_in6)
				    : sizeof(struct sockaddr_in));
		ck_assert(
			endpoint_from_sockaddr((struct sockaddr *)&ss, &back));
		ck_assert(inet_eq(&e.addr, &back.addr));
		ck_assert_uint_eq(e.port, back.port);
	}
	ss.ss_family = AF_UNIX;
	ck_assert(!endpoint_from_sockaddr((struct sockaddr *)&ss, &back));
}
END_TEST

START_TEST(endpoint__folds_mapped_sockaddrs_to_ipv4)
{
	struct sockaddr_in6 in6 = {.sin6_family = AF_INET6, .sin6_port = 0};
	char text[INET_TEXT_MAX];
	struct endpoint e;

	in6.sin6_addr.s6_addr[10] = in6.sin6_addr.s6_addr[11] = 0xff;
	in6.sin6_addr.s6_addr[12] = 192;
	in6.sin6_addr.s6_addr[15] = 9;
	ck_assert(endpoint_from_sockaddr((struct sockaddr *)&in6, &e));
	inet_format(&e.addr, text);
	ck_assert_str_eq(text, "192.0.0.9");
}
END_TEST

static const struct {
	const char *text, *reverse;
} reverses[] = {
	{"192.0.2.1", "1.2.0.192"},
	{"2001:db8::567:89ab",
	 "b.a.9.8.7.6.5.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2"},
};

START_TEST(inet__is_written_backwards_for_dns)
{
	char text[INET_REVERSE_MAX];
	struct inet_addr a;

	ck_assert_int_eq(inet_parse(slice_str(reverses[_i].text), &a), 0);
	inet_format_reverse(&a, text);
	ck_assert_str_eq(text, reverses[_i].reverse);
}
END_TEST

int main(void)
{
	return RUN_TESTS("inet",
			 LOOP(inet__is_written_backwards_for_dns, reverses),
			 LOOP(inet__reads_and_writes_addresses, addresses),
			 LOOP(inet__refuses_what_is_no_address, no_addresses),
			 LOOP(endpoint__is_read_with_its_port_only, endpoints),
			 LOOP(cidr__contains_its_own_addresses_alone, nets),
			 LOOP(cidr__is_refused_when_it_is_none, no_nets),
			 LOOP(inet__knows_what_a_stranger_may_point_to, reach),
			 TEST(inet__knows_what_nobody_can_have),
			 TEST(inet__takes_mapped_octets_for_ipv4),
			 TEST(inet__knows_loopback_and_unspecified),
			 TEST(inet__groups_clients_by_32_and_64_bits),
			 TEST(endpoint__goes_through_sockaddr_and_back),
			 TEST(endpoint__folds_mapped_sockaddrs_to_ipv4));
}
