/*
 * XCLIENT: what is taken has no blank and no control, an address is one, a
 * port a port; and written again in xtext it is taken again as the same.
 *
 * Input: the argument.
 */
#include "fuzz.h"
#include "mxhold/base/arena.h"
#include "mxhold/base/inet.h"
#include "mxhold/base/text.h"
#include "mxhold/mail/xtext.h"
#include "mxhold/smtp/xclient.h"

static void check_value(struct slice s)
{
	FUZZ_CHECK(s.n <= 255);
	for (size_t i = 0; i < s.n; i++) {
		unsigned char c = (unsigned char)s.p[i];

		FUZZ_CHECK(c > ' ' && c < 127);
	}
}

static void check_values(const struct smtp_xclient *x)
{
	struct inet_addr addr;
	uint64_t port = 0;

	check_value(x->addr);
	check_value(x->name);
	check_value(x->port);
	check_value(x->helo);
	check_value(x->proto);
	check_value(x->login);
	FUZZ_CHECK(x->addr.n == 0 || inet_parse(x->addr, &addr) == 0);
	FUZZ_CHECK(x->port.n == 0 || text_parse_u64(x->port, &port) == 0);
	FUZZ_CHECK(port <= 65535);
	FUZZ_CHECK(x->proto.n == 0 ||
		   slice_eq_nocase(x->proto, SLICE("SMTP")) ||
		   slice_eq_nocase(x->proto, SLICE("ESMTP")));
}

static void add(struct buf *b, const char *name, struct slice value)
{
	if (value.n == 0)
		return;
	buf_printf(b, " %s=", name);
	FUZZ_CHECK(xtext_append(b, value) == 0);
}

static void check_again(const struct smtp_xclient *x)
{
	struct smtp_xclient y;
	struct arena arena;
	struct buf b;

	buf_init(&b, FUZZ_TEXT_MAX);
	arena_init(&arena, 65536);
	buf_append_str(&b, "DESTPORT=25");
	add(&b, "addr", x->addr);
	add(&b, "NAME", x->name);
	add(&b, "Port", x->port);
	add(&b, "HELO", x->helo);
	add(&b, "PROTO", x->proto);
	add(&b, "LOGIN", x->login);
	FUZZ_CHECK(smtp_xclient_parse(buf_slice(&b), &arena, &y) == 0);
	FUZZ_CHECK(slice_eq(x->addr, y.addr) && slice_eq(x->name, y.name) &&
		   slice_eq(x->port, y.port) && slice_eq(x->helo, y.helo) &&
		   slice_eq(x->proto, y.proto) && slice_eq(x->login, y.login));
	arena_done(&arena);
	buf_done(&b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct smtp_xclient x;
	struct arena arena;

	arena_init(&arena, 65536);
	if (smtp_xclient_parse(slice_make(data, size), &arena, &x) == 0) {
		check_values(&x);
		check_again(&x);
	}
	arena_done(&arena);
	return 0;
}
