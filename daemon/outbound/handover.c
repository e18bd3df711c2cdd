#include "mxhold/outbound/handover.h"

#include <stdio.h>
#include <string.h>

#include "mxhold/base/buf.h"
#include "mxhold/mail/xtext.h"

enum {
	VALUE_MAX = 255
};

static const char unavailable[] = "[UNAVAILABLE]";

enum handover_verb handover_choose(const struct smtp_ehlo *ehlo,
				   enum primary_handover wanted)
{
	bool xclient = (ehlo->ext & EXT_XCLIENT) && ehlo->xclient;
	bool xforward = (ehlo->ext & EXT_XFORWARD) && ehlo->xforward;

	if (xclient && (wanted == HANDOVER_AUTO || wanted == HANDOVER_XCLIENT))
		return HANDOVER_BY_XCLIENT;
	if (xforward &&
	    (wanted == HANDOVER_AUTO || wanted == HANDOVER_XFORWARD))
		return HANDOVER_BY_XFORWARD;
	return HANDOVER_BY_NOTHING;
}

static void add(struct handover *h, const char *name, const char *value)
{
	char item[HANDOVER_LINE_MAX + 1];
	int n = snprintf(item, sizeof(item), "%s=%s", name, value);
	char *line = h->n ? h->commands[h->n - 1] : NULL;

	if (line && strlen(line) + 1 + (size_t)n <= HANDOVER_LINE_MAX) {
		strcat(line, " ");
		strcat(line, item);
		return;
	}
	if (h->n < HANDOVER_COMMANDS_MAX)
		memcpy(h->commands[h->n++], item, (size_t)n + 1);
}

static void add_xtext(struct handover *h, const char *name, struct slice raw)
{
	char value[VALUE_MAX + 1];
	struct buf b;

	buf_init(&b, VALUE_MAX);
	if (raw.n == 0 || xtext_append(&b, raw) < 0) {
		add(h, name, unavailable);
	} else {
		memcpy(value, buf_slice(&b).p, b.n);
		value[b.n] = 0;
		add(h, name, value);
	}
	buf_done(&b);
}

static void add_addr(struct handover *h, const struct envelope *env)
{
	char text[INET_TEXT_MAX];
	char value[INET_TEXT_MAX + 8];

	if (env->client.addr.family == 0) {
		add(h, "ADDR", unavailable);
		return;
	}
	inet_format(&env->client.addr, text);
	snprintf(value, sizeof(value), "%s%s",
		 env->client.addr.family == 6 ? "IPV6:" : "", text);
	add(h, "ADDR", value);
}

static void add_port(struct handover *h, const struct envelope *env)
{
	char text[8];

	snprintf(text, sizeof(text), "%u", (unsigned)env->client.port);
	add(h, "PORT", env->client.port ? text : unavailable);
}

/* The protocols both commands know are these two. */
static const char *protocol_of(const struct envelope *env)
{
	if (slice_starts_nocase(env->protocol, SLICE("ESMTP")) ||
	    slice_starts_nocase(env->protocol, SLICE("UTF8")))
		return "ESMTP";
	return env->protocol.n ? "SMTP" : unavailable;
}

static void make_xclient(struct handover *h, uint32_t known,
			 const struct envelope *env)
{
	if (known & XATTR_PROTO)
		add(h, "PROTO", protocol_of(env));
	if (known & XATTR_PORT)
		add_port(h, env);
	if (known & XATTR_HELO)
		add_xtext(h, "HELO", env->helo);
	if (known & XATTR_ADDR)
		add_addr(h, env);
	if (known & XATTR_NAME)
		add_xtext(h, "NAME", env->client_name);
}

static void make_xforward(struct handover *h, uint32_t known,
			  const struct envelope *env)
{
	if (known & XATTR_NAME)
		add_xtext(h, "NAME", env->client_name);
	if (known & XATTR_ADDR)
		add_addr(h, env);
	if (known & XATTR_PORT)
		add_port(h, env);
	if (known & XATTR_PROTO)
		add(h, "PROTO", protocol_of(env));
	if (known & XATTR_HELO)
		add_xtext(h, "HELO", env->helo);
	if (known & XATTR_SOURCE)
		add(h, "SOURCE", env->is_report ? "LOCAL" : "REMOTE");
}

void handover_make(struct handover *h, enum handover_verb verb,
		   const struct smtp_ehlo *ehlo, const struct envelope *env)
{
	memset(h, 0, sizeof(*h));
	h->verb = verb;
	if (verb == HANDOVER_BY_XCLIENT)
		make_xclient(h, ehlo->xclient, env);
	else if (verb == HANDOVER_BY_XFORWARD)
		make_xforward(h, ehlo->xforward, env);
}
