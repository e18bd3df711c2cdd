#include "mxhold/smtp/xclient.h"

#include "mxhold/base/attr.h"
#include "mxhold/base/text.h"
#include "mxhold/mail/xtext.h"
#include "mxhold/smtp/command.h"

enum {
	VALUE_MAX = 255,
	/* 512 less the longer verb, its blank and CRLF */
	ARGUMENT_MAX = 512 - 11,
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

/* Decodes into the arena; an unavailable value is an empty slice. */
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

	*out = (struct smtp_xclient){.addr = slice_make("", 0)};
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

/* The lines under way: one argument each, parted by LF. */
struct lines {
	struct buf *out;
	size_t line_at; /* where the present line begins */
	uint32_t offered;
};

/* Adds "NAME=value", on a new line if this one would grow too long. */
static int add(struct lines *l, enum smtp_xattr attr, const char *name,
	       struct slice value)
{
	struct buf word;
	int ret;

	if (!(l->offered & attr))
		return 0;
	buf_init(&word, ARGUMENT_MAX);
	ret = buf_printf(&word, "%s=", name);
	/* What is too long to be told as it is, is told as unknown. */
	if (ret == 0 && (!is_plain(value) || value.n > VALUE_MAX ||
			 xtext_append(&word, value))) {
		buf_clear(&word);
		ret = buf_printf(&word, "%s=[UNAVAILABLE]", name);
	}
	if (ret == 0 && l->out->n > l->line_at) {
		bool full = l->out->n - l->line_at + 1 + word.n > ARGUMENT_MAX;

		ret = buf_append_str(l->out, full ? "\n" : " ");
		if (full)
			l->line_at = l->out->n;
	}
	if (ret == 0)
		ret = buf_append_slice(l->out, buf_slice(&word));
	buf_done(&word);
	return ret;
}

static int add_addr(struct lines *l, const struct inet_addr *addr)
{
	char text[INET_TEXT_MAX + 8] = "";

	if (addr->family == 6)
		memcpy(text, "IPV6:", 6);
	if (addr->family)
		inet_format(addr, text + strlen(text));
	return add(l, XATTR_ADDR, "ADDR", slice_str(text));
}

static int add_port(struct lines *l, const struct endpoint *client)
{
	char text[8] = "";
	struct buf b;
	int ret;

	if (client->addr.family == 0 || client->port == 0)
		return add(l, XATTR_PORT, "PORT", slice_str(text));
	buf_init(&b, sizeof(text));
	ret = buf_printf(&b, "%u", (unsigned)client->port) ||
	      add(l, XATTR_PORT, "PORT", buf_slice(&b));
	buf_done(&b);
	return ret ? -1 : 0;
}

/* Both commands know SMTP and ESMTP only; "UTF8SMTPS" is ESMTP to them. */
static int add_proto(struct lines *l, struct slice protocol)
{
	struct slice told = slice_eq(protocol, SLICE("SMTP")) ? SLICE("SMTP")
							      : SLICE("ESMTP");

	return add(l, XATTR_PROTO, "PROTO", protocol.n ? told : protocol);
}

static int add_common(struct lines *l, const struct smtp_origin *o)
{
	return add_port(l, &o->client) || add_proto(l, o->protocol) ||
			       add(l, XATTR_HELO, "HELO", o->helo)
		       ? -1
		       : 0;
}

static int add_addr_and_name(struct lines *l, const struct smtp_origin *o)
{
	return add_addr(l, &o->client.addr) ||
			       add(l, XATTR_NAME, "NAME", o->name)
		       ? -1
		       : 0;
}

int smtp_xclient_append(struct buf *out, const struct smtp_origin *o,
			uint32_t offered)
{
	struct lines l = {out, out->n, offered};

	return add_common(&l, o) || add_addr_and_name(&l, o) ? -1 : 0;
}

int smtp_xforward_append(struct buf *out, const struct smtp_origin *o,
			 uint32_t offered)
{
	struct lines l = {out, out->n, offered};

	return add_common(&l, o) ||
			       add(&l, XATTR_SOURCE, "SOURCE",
				   SLICE("REMOTE")) ||
			       add(&l, XATTR_IDENT, "IDENT", o->ident) ||
			       add_addr_and_name(&l, o)
		       ? -1
		       : 0;
}
