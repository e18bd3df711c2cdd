#include "mxhold/smtp/xclient.h"

#include "mxhold/base/buf.h"
#include "mxhold/base/inet.h"
#include "mxhold/base/text.h"
#include "mxhold/mail/xtext.h"
#include "mxhold/smtp/command.h"

enum {
	VALUE_MAX = 255
};

static bool is_plain(struct slice s)
{
	size_t i;

	for (i = 0; i < s.n; i++) {
		if ((unsigned char)s.p[i] <= ' ' ||
		    (unsigned char)s.p[i] >= 127)
			return false;
	}
	return s.n > 0;
}

/* Decodes into the arena; an unavailable value is empty, but not NULL. */
static int decode_value(struct slice value, struct arena *arena,
			struct slice *out)
{
	struct buf raw;
	int ret = -1;

	*out = slice_make("", 0);
	if (slice_eq_nocase(value, SLICE("[UNAVAILABLE]")) ||
	    slice_eq_nocase(value, SLICE("[TEMPUNAVAIL]")))
		return 0;
	buf_init(&raw, VALUE_MAX);
	if (xtext_decode(value, &raw) == 0 && is_plain(buf_slice(&raw))) {
		*out = arena_dup(arena, buf_slice(&raw));
		ret = out->p ? 0 : -1;
	}
	buf_done(&raw);
	return ret;
}

static bool is_addr(struct slice *s)
{
	struct inet_addr addr;

	if (slice_starts_nocase(*s, SLICE("IPV6:")))
		*s = slice_skip(*s, 5);
	return s->n == 0 || inet_parse(*s, &addr) == 0;
}

static bool is_port(struct slice s)
{
	uint64_t port;

	return s.n == 0 || (text_parse_u64(s, &port) == 0 && port <= 65535);
}

static bool is_proto(struct slice s)
{
	return s.n == 0 || slice_eq_nocase(s, SLICE("SMTP")) ||
	       slice_eq_nocase(s, SLICE("ESMTP"));
}

static int take_attribute(struct slice name, struct slice value,
			  struct smtp_xclient *out)
{
	bool good = true;

	if (slice_eq_nocase(name, SLICE("ADDR")))
		good = is_addr(&value), out->addr = value;
	else if (slice_eq_nocase(name, SLICE("PORT")))
		good = is_port(value), out->port = value;
	else if (slice_eq_nocase(name, SLICE("PROTO")))
		good = is_proto(value), out->proto = value;
	else if (slice_eq_nocase(name, SLICE("NAME")))
		out->name = value;
	else if (slice_eq_nocase(name, SLICE("HELO")))
		out->helo = value;
	else if (slice_eq_nocase(name, SLICE("LOGIN")))
		out->login = value;
	else if (!slice_eq_nocase(name, SLICE("DESTADDR")) &&
		 !slice_eq_nocase(name, SLICE("DESTPORT")))
		good = false;
	return good ? 0 : -1;
}

int smtp_xclient_parse(struct slice arg, struct arena *arena,
		       struct smtp_xclient *out)
{
	struct slice word, value;
	ptrdiff_t at;

	*out = (struct smtp_xclient){.addr = {NULL, 0}};
	if (slice_trim(arg).n == 0)
		return -1;
	while (smtp_command_word(&arg, &word)) {
		at = slice_index(word, '=');
		if (at <= 0 ||
		    decode_value(slice_skip(word, (size_t)at + 1), arena,
				 &value) ||
		    take_attribute(slice_head(word, (size_t)at), value, out))
			return -1;
	}
	return 0;
}
