/*
 * Numbers, durations, sizes, times, ids, hex and internet addresses: what is
 * read, written and read again is the same; nothing overflows.
 *
 * Input: a number of eight octets, a text, 0xff, another text.
 */
#include <stdio.h>

#include "fuzz.h"
#include "mxhold/base/id.h"
#include "mxhold/base/inet.h"
#include "mxhold/base/text.h"

enum {
	TEXT_MAX = 300
};

/* --- numbers ----------------------------------------------------------- */

static void check_u64(struct slice s)
{
	unsigned __int128 sum = 0;
	uint64_t v = 7;
	bool good = s.n > 0;

	for (size_t i = 0; i < s.n && good; i++) {
		good = s.p[i] >= '0' && s.p[i] <= '9';
		sum = sum * 10 + (unsigned)(s.p[i] - '0');
		good = good && sum <= UINT64_MAX;
	}
	FUZZ_CHECK((text_parse_u64(s, &v) == 0) == good);
	FUZZ_CHECK(v == (good ? (uint64_t)sum : 7));
}

/* A zero in front of a number says nothing. */
static void check_amounts(struct slice s)
{
	char padded[TEXT_MAX + 2] = "0", shown[TEXT_TIME_MAX];
	struct slice same = slice_make(padded, s.n + 1);
	int64_t ms = 0, again = 0;
	uint64_t v = 0, bytes = 0;

	memcpy(padded + 1, s.p, s.n);
	if (text_parse_duration(s, &ms) == 0) {
		FUZZ_CHECK(ms >= 0);
		FUZZ_CHECK(text_parse_duration(same, &again) == 0 &&
			   again == ms);
		text_format_age(ms, shown);
	}
	if (text_parse_size(s, &bytes) == 0) {
		FUZZ_CHECK(text_parse_size(same, &v) == 0 && v == bytes);
		text_format_size(bytes, shown);
	}
	if (text_parse_u64(s, &v) == 0) { /* no unit */
		FUZZ_CHECK(bytes == v);
		FUZZ_CHECK(v > INT64_MAX / 1000 || (uint64_t)ms == v * 1000);
	}
}

/* --- times ------------------------------------------------------------- */

static void check_times(struct slice s, uint64_t number)
{
	const int64_t year_10000_ms = INT64_C(253402300800000);
	int64_t ms, again = (int64_t)(number % (uint64_t)year_10000_ms);
	char text[TEXT_TIME_MAX];

	text_format_rfc3339(again, text);
	FUZZ_CHECK(text_parse_rfc3339(slice_str(text), &ms) == 0);
	FUZZ_CHECK(ms == again);
	text_format_rfc3339((int64_t)number, text);
	text_format_age((int64_t)number, text);
	text_format_size(number, text);
	if (text_parse_rfc3339(s, &ms))
		return;
	FUZZ_CHECK(ms >= 0 && ms < year_10000_ms);
	text_format_rfc3339(ms, text);
	FUZZ_CHECK(slice_eq(slice_head(s, 19), slice_make(text, 19)));
	FUZZ_CHECK(text_parse_rfc3339(slice_str(text), &again) == 0 &&
		   ms == again);
}

/* --- ids, hex, names --------------------------------------------------- */

static void check_ids(struct slice s, uint64_t number)
{
	char text[ID_TEXT_LEN + 1];
	uint64_t id, again;

	id_format(number, text);
	FUZZ_CHECK(id_parse(slice_str(text), &id) == 0 && id == number);
	if (number < UINT64_MAX)
		FUZZ_CHECK(id_next(number, 0) > number);
	if (id_parse(s, &id))
		return;
	id_format(id, text);
	FUZZ_CHECK(id_parse(slice_str(text), &again) == 0 && id == again);
}

static void check_hex(struct slice s)
{
	char hex[2 * TEXT_MAX + 1], again[TEXT_MAX + 1];
	uint8_t bytes[TEXT_MAX];

	text_hex((const uint8_t *)s.p, s.n, hex);
	FUZZ_CHECK(strlen(hex) == 2 * s.n);
	FUZZ_CHECK(text_unhex(slice_str(hex), bytes, s.n) == 0);
	FUZZ_CHECK(memcmp(bytes, s.p, s.n) == 0);
	if (text_unhex(s, bytes, s.n / 2) == 0) {
		text_hex(bytes, s.n / 2, again);
		FUZZ_CHECK(slice_eq_nocase(slice_str(again), s));
	}
}

static void check_distance(struct slice s, struct slice t)
{
	char a[TEXT_MAX + 1], b[TEXT_MAX + 1];
	int d;

	memcpy(a, s.p, s.n);
	memcpy(b, t.p, t.n);
	a[s.n] = b[t.n] = '\0';
	d = text_distance(a, b);
	FUZZ_CHECK(d == text_distance(b, a));
	FUZZ_CHECK(d >= 0 && d <= 99);
	FUZZ_CHECK((d == 0) == (strcmp(a, b) == 0) || strlen(a) > 64);
}

/* --- addresses --------------------------------------------------------- */

static void check_inet(struct slice s)
{
	struct inet_addr a, b;
	char text[INET_TEXT_MAX];

	if (inet_parse(s, &a))
		return;
	inet_format(&a, text);
	FUZZ_CHECK(inet_parse(slice_str(text), &b) == 0 && inet_eq(&a, &b));
	inet_format_literal(&a, text);
	FUZZ_CHECK(text[0] == '[' && text[strlen(text) - 1] == ']');
	FUZZ_CHECK(!inet_is_loopback(&a) || !inet_is_global(&a));
	b = inet_client_network(&a);
	a = inet_client_network(&b);
	FUZZ_CHECK(inet_eq(&a, &b));
}

static void check_endpoint(struct slice s)
{
	struct endpoint e, f;
	struct sockaddr_storage sa;
	char text[INET_TEXT_MAX];

	if (endpoint_parse(s, &e))
		return;
	endpoint_format(&e, text);
	FUZZ_CHECK(endpoint_parse(slice_str(text), &f) == 0);
	FUZZ_CHECK(inet_eq(&e.addr, &f.addr) && e.port == f.port);
	FUZZ_CHECK(endpoint_to_sockaddr(&e, &sa) > 0);
	FUZZ_CHECK(endpoint_from_sockaddr((struct sockaddr *)&sa, &f));
	FUZZ_CHECK(inet_eq(&e.addr, &f.addr) && e.port == f.port);
}

static void check_cidr(struct slice s, struct slice other)
{
	char text[INET_TEXT_MAX], addr[INET_TEXT_MAX];
	struct inet_addr a;
	struct cidr c, d;

	if (cidr_parse(s, &c))
		return;
	FUZZ_CHECK(c.bits <= (c.addr.family == 4 ? 32 : 128));
	FUZZ_CHECK(cidr_contains(&c, &c.addr));
	inet_format(&c.addr, addr);
	snprintf(text, sizeof(text), "%.46s/%u", addr, c.bits);
	FUZZ_CHECK(cidr_parse(slice_str(text), &d) == 0);
	FUZZ_CHECK(c.bits == d.bits && inet_eq(&c.addr, &d.addr));
	if (inet_parse(other, &a) == 0 && cidr_contains(&c, &a))
		FUZZ_CHECK(a.family == c.addr.family);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice in = slice_make(data, size);
	uint64_t number = fuzz_u64(&in);
	struct slice s = slice_head(fuzz_field(&in), TEXT_MAX);
	struct slice t = slice_head(fuzz_field(&in), TEXT_MAX);

	s = s.n ? s : SLICE("");
	t = t.n ? t : SLICE("");
	check_u64(s);
	check_amounts(s);
	check_times(s, number);
	check_ids(s, number);
	check_hex(s);
	check_distance(s, t);
	check_inet(s);
	check_endpoint(s);
	check_cidr(s, t);
	return 0;
}
