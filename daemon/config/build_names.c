#include <netdb.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "mxhold/config/build.h"
#include "mxhold/mail/address.h"
#include "mxhold/mail/domain.h"

const char *build_raw(const struct builder *b, enum schema_id section,
		      const char *option, const struct tree_section *parent,
		      struct place *at)
{
	const struct tree_section *s = NULL;
	const char *text = NULL;

	*at = (struct place){0};
	while ((s = tree_next(b->tree, s, section, parent))) {
		const struct tree_value *v = tree_value(s, option);

		if (v && v->n) {
			text = v->texts[v->n - 1];
			*at = v->at;
		}
	}
	return text || parent ? text : schema_find(section, option)->def;
}

/* Our own name */

static bool canonical_host(const char *text, char out[DOMAIN_MAX])
{
	return domain_canonical(slice_str(text), out) == 0 &&
	       domain_is_valid(slice_str(out));
}

static bool ask_resolver(const char *host, char out[DOMAIN_MAX])
{
	struct addrinfo hints = {.ai_flags = AI_CANONNAME,
				 .ai_socktype = SOCK_STREAM},
			*found = NULL;
	bool ok;

	if (getaddrinfo(host, NULL, &hints, &found) != 0)
		return false;
	ok = found->ai_canonname && canonical_host(found->ai_canonname, out) &&
	     domain_is_fqdn(slice_str(out));
	freeaddrinfo(found);
	return ok;
}

static void hostname_of_system(struct builder *b, char out[DOMAIN_MAX])
{
	char host[DOMAIN_MAX] = "";

	gethostname(host, sizeof(host) - 1);
	if (canonical_host(host, out) && domain_is_fqdn(slice_str(out)))
		return;
	if (ask_resolver(host, out))
		return;
	if (!canonical_host(host, out))
		snprintf(out, DOMAIN_MAX, "localhost");
	complain_mildly(b->complaints, (struct place){b->c->file, 0},
			"hostname",
			"the system's name \"%s\" is not fully qualified; set "
			"hostname to the name in our MX record",
			out);
}

static void build_hostname(struct builder *b)
{
	struct place at;
	const char *text = build_raw(b, SCHEMA_TOP, "hostname", NULL, &at);
	struct inet_addr addr;
	char name[DOMAIN_MAX] = "localhost";

	if (strcmp(text, "auto") == 0)
		hostname_of_system(b, name);
	else if (inet_parse(slice_str(text), &addr) == 0 || *text == '[')
		complain(b->complaints, at, "hostname",
			 "\"%s\" is an address; a fully qualified name is "
			 "needed, such as mx2.example.com",
			 text);
	else if (!canonical_host(text, name) ||
		 !domain_is_fqdn(slice_str(name)))
		complain(b->complaints, at, "hostname",
			 "\"%s\" is not a fully qualified name, such as "
			 "mx2.example.com",
			 text);
	b->c->hostname = pool_strdup(b->pool, name);
}

/* Addresses */

static const char *address_trouble(enum address_error e)
{
	switch (e) {
	case ADDRESS_LOCAL_PART:
		return "its local part is not allowed";
	case ADDRESS_BAD_DOMAIN:
		return "its domain is not allowed";
	case ADDRESS_TOO_LONG:
		return "it is too long";
	case ADDRESS_NOT_UTF8:
		return "it is not UTF-8";
	default:
		return "it does not read local@domain";
	}
}

static bool check_address(struct builder *b, struct place at, const char *label,
			  const char *text, bool bare)
{
	struct address a;
	enum address_error e = address_parse(slice_str(text), bare, &a);

	if (e == ADDRESS_OK)
		return true;
	complain(b->complaints, at, label, "\"%s\" is not an address: %s", text,
		 strchr(text, '@') ? address_trouble(e)
				   : "it does not read local@domain");
	return false;
}

static void build_postmaster(struct builder *b)
{
	struct place at;
	const char *text = build_raw(b, SCHEMA_TOP, "postmaster", NULL, &at);
	const struct tree_section *first =
		tree_next(b->tree, NULL, SCHEMA_DOMAIN, NULL);
	char name[DOMAIN_MAX];

	if (strcmp(text, "auto") != 0) {
		check_address(b, at, "postmaster", text, false);
		b->c->postmaster = pool_strdup(b->pool, text);
		return;
	}
	if (!first || !canonical_host(first->title, name))
		snprintf(name, sizeof(name), "%s", b->c->hostname);
	b->c->postmaster = pool_printf(b->pool, "postmaster@%s", name);
}

/* "<>", "<a@b>" or "a@b", without its brackets. */
static void build_probe(struct builder *b)
{
	struct place at;
	const char *text = build_raw(b, SCHEMA_PROBE, "sender", NULL, &at);
	size_t n = strlen(text);
	char *sender;

	if (n >= 2 && text[0] == '<' && text[n - 1] == '>')
		sender = pool_strndup(b->pool, text + 1, n - 2);
	else
		sender = pool_strdup(b->pool, text);
	if (*sender)
		check_address(b, at, "probe.sender", sender, false);
	b->c->probe.sender = sender;
	text = build_raw(b, SCHEMA_PROBE, "recipient", NULL, &at);
	check_address(b, at, "probe.recipient", text, true);
	b->c->probe.recipient = pool_strdup(b->pool, text);
}

void build_bounce_from(struct builder *b, const struct tree_section *domain,
		       struct config_bounce *out)
{
	struct place at;
	const char *text = build_raw(b, SCHEMA_BOUNCE, "from", domain, &at);

	if (!text)
		return; /* inherited */
	if (strcmp(text, "auto") == 0) {
		out->from =
			pool_printf(b->pool, "postmaster@%s", b->c->hostname);
		return;
	}
	check_address(b, at, "bounce.from", text, false);
	out->from = pool_strdup(b->pool, text);
}

void build_names(struct builder *b)
{
	build_hostname(b);
	build_postmaster(b);
	build_probe(b);
	build_bounce_from(b, NULL, &b->c->bounce);
}
