#include "check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mxhold/base/clock.h"
#include "mxhold/base/text.h"
#include "mxhold/config/complaints.h"
#include "mxhold/config/source.h"
#include "mxhold/net/tls_context.h"
#include "mxhold/receive/recipients_file.h"

static struct place place(const struct config_place *at)
{
	return (struct place){at->file, at->line};
}

/* TLS */

/* Each pair alone, so that every one that is bad is named. */
static void check_pair(const struct config_tls *t, size_t i,
		       struct complaints *all)
{
	struct tls_pair pair = {t->cert.v[i], t->key.v[i]};
	struct error err = {0};
	struct tls_context *ctx =
		tls_context_server(&pair, 1, t->min_version, &err);
	/* What is wrong with a key begins so, a misfit as well. */
	bool key = strncmp(err.text, "key ", 4) == 0;

	if (!ctx)
		complain(all, place(key ? &t->key_at : &t->cert_at),
			 key ? "tls.key" : "tls.cert", "%s", err.text);
	tls_context_unref(ctx);
}

static void check_primary(const struct config *c,
			  const struct config_primary *p,
			  struct complaints *all)
{
	const char *cert = *p->client_cert ? p->client_cert : NULL;
	const char *key = *p->client_key ? p->client_key : NULL;
	struct tls_context *ctx;
	struct error err = {0};
	char label[512];
	bool ca;

	if (p->implicit || (strcmp(p->ca, "system") == 0 && !cert))
		return;
	ctx = tls_context_client(p->ca, cert, key, c->tls.min_version, &err);
	ca = strncmp(err.text, "authorities ", 12) == 0;
	snprintf(label, sizeof(label), "primary \"%s\".%s", p->name,
		 ca ? "ca" : "client_cert");
	if (!ctx)
		complain(all, place(ca ? &p->ca_at : &p->client_cert_at), label,
			 "%s", err.text);
	tls_context_unref(ctx);
}

static void check_expiry(const struct config_tls *t, size_t i,
			 struct complaints *all)
{
	struct error err = {0};
	int64_t end_ms = tls_cert_expiry(t->cert.v[i], &err);
	int64_t now_ms = clock_wall_ms();
	char when[TEXT_TIME_MAX];

	if (end_ms < 0 || end_ms > now_ms + CHECK_CERT_NEAR_MS)
		return;
	text_format_rfc3339(end_ms, when);
	complain_mildly(all, place(&t->cert_at), "tls.cert", "%s %s %s",
			t->cert.v[i], end_ms < now_ms ? "expired" : "expires",
			when);
}

/* Senders that verify (DANE, MTA-STS) compare with the name in the MX. */
static void check_own_name(const struct config *c, struct complaints *all)
{
	for (size_t i = 0; i < c->tls.cert.n; i++)
		if (tls_cert_is_for(c->tls.cert.v[i], c->hostname))
			return;
	complain_mildly(all, place(&c->tls.cert_at), "tls.cert",
			"no certificate is for %s, our hostname", c->hostname);
}

static void check_own_certs(const struct config *c, struct complaints *all)
{
	for (size_t i = 0; i < c->tls.cert.n; i++) {
		check_pair(&c->tls, i, all);
		check_expiry(&c->tls, i, all);
	}
	if (!all->errors)
		check_own_name(c, all);
}

static void check_tls(const struct config *c, struct complaints *all)
{
	if (!c->tls.automatic)
		check_own_certs(c, all);
	for (size_t i = 0; i < c->n_primaries; i++)
		check_primary(c, c->primaries[i], all);
}

/* Lists of recipients */

static int take(void *data, struct slice text)
{
	(void)data;
	(void)text;
	return 0;
}

static void check_list(const struct config_domain *d, const char *file,
		       struct complaints *all)
{
	struct recipients_sink sink = {.on_entry = take, .on_salt = take};
	struct error err = {0};
	char label[512];

	snprintf(label, sizeof(label), "domain \"%s\".recipients", d->display);
	if (recipients_file_read(file, d->name, &sink, &err) < 0)
		complain(all, place(&d->recipients_at), label, "%s", err.text);
	else if (sink.entries == 0 && d->recipients.n == 1)
		complain_mildly(all, place(&d->recipients_at), label,
				"%s holds no address of this domain", file);
}

static void check_lists(const struct config *c, struct complaints *all)
{
	for (size_t i = 0; i < c->n_domains; i++) {
		const struct config_domain *d = &c->domains[i];

		for (size_t j = 0; j < d->recipients.n; j++)
			if (config_source_kind(d->recipients.v[j]) ==
			    SOURCE_FILE)
				check_list(d, d->recipients.v[j], all);
	}
}

/* All */

/* Takes both over. */
static char *joined(char *first, char *second)
{
	char *both = NULL;

	if (!first || !second)
		return first ? first : second;
	if (asprintf(&both, "%s%s", first, second) < 0)
		return first;
	free(first);
	free(second);
	return both;
}

struct config *check_load(const char *file, enum check_depth depth,
			  char **complaints)
{
	struct config *c = config_load(file, complaints);
	struct complaints all;

	if (!c)
		return NULL;
	complaints_init(&all);
	check_tls(c, &all);
	if (depth == CHECK_FILES)
		check_lists(c, &all);
	*complaints = joined(*complaints, complaints_text(&all));
	if (all.errors) {
		config_unref(c);
		c = NULL;
	}
	complaints_done(&all);
	return c;
}
