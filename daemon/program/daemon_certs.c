/* Our own certificates end one day: told in time, and while it lasts. */
#include <stdio.h>

#include "check.h"
#include "daemon_internal.h"

#include "mxhold/base/clock.h"
#include "mxhold/base/log.h"
#include "mxhold/base/mem.h"
#include "mxhold/base/text.h"

struct own_cert {
	char *file;
	int64_t end_ms; /* wall */
	bool near_told, end_told;
};

struct own_certs {
	struct own_cert *v;
	size_t n;
};

static void add(struct own_certs *all, const char *file)
{
	struct error err = {0};
	int64_t end_ms = tls_cert_expiry(file, &err);

	if (end_ms < 0)
		return; /* it has served a moment ago */
	all->v[all->n++] = (struct own_cert){
		.file = mem_strdup(file),
		.end_ms = end_ms,
	};
}

static void add_all(struct own_certs *all, const struct config *c,
		    const char *state_dir)
{
	char own[512];

	if (c->tls.automatic) {
		snprintf(own, sizeof(own), "%s/tls/cert.pem", state_dir);
		add(all, own);
	}
	for (size_t i = 0; i < c->tls.cert.n && !c->tls.automatic; i++)
		add(all, c->tls.cert.v[i]);
	for (size_t i = 0; i < c->n_primaries; i++)
		if (*c->primaries[i]->client_cert)
			add(all, c->primaries[i]->client_cert);
}

static void free_certs(struct own_certs *all)
{
	for (size_t i = 0; all && i < all->n; i++)
		mem_free(all->v[i].file);
	if (all)
		mem_free(all->v);
	mem_free(all);
}

void daemon_read_certs(struct daemon *d)
{
	const struct config *c = d->config;
	struct own_certs *all = mem_alloc(sizeof(*all));

	all->v = mem_array(c->tls.cert.n + c->n_primaries + 1, sizeof(*all->v));
	add_all(all, c, d->first->state_dir);
	free_certs(d->certs);
	d->certs = all;
	daemon_watch_certs(d);
}

void daemon_free_certs(struct daemon *d)
{
	free_certs(d->certs);
	d->certs = NULL;
}

static bool is_near(const struct own_cert *cert, int64_t now_ms)
{
	return cert->end_ms < now_ms + CHECK_CERT_NEAR_MS;
}

static void tell(const struct own_cert *cert, bool over)
{
	char when[TEXT_TIME_MAX];
	struct log_line l;

	text_format_rfc3339(cert->end_ms, when);
	log_begin(&l, over ? LOG_ERROR : LOG_WARNING, "tls.expiry");
	log_str(&l, "file", cert->file);
	log_str(&l, over ? "ended" : "ends", when);
	log_end(&l);
}

void daemon_watch_certs(struct daemon *d)
{
	int64_t now_ms = clock_wall_ms();

	for (size_t i = 0; i < d->certs->n; i++) {
		struct own_cert *cert = &d->certs->v[i];
		bool over = cert->end_ms < now_ms;
		bool *told = over ? &cert->end_told : &cert->near_told;

		if (!is_near(cert, now_ms) || *told)
			continue;
		tell(cert, over);
		*told = true;
	}
}

size_t daemon_cert_alarms(const struct daemon *d, char (*out)[256], size_t max)
{
	int64_t now_ms = clock_wall_ms();
	char when[TEXT_TIME_MAX];
	size_t n = 0;

	for (size_t i = 0; d->certs && i < d->certs->n && n < max; i++) {
		const struct own_cert *cert = &d->certs->v[i];

		if (!is_near(cert, now_ms))
			continue;
		text_format_rfc3339(cert->end_ms, when);
		snprintf(out[n++], sizeof(*out),
			 "the certificate %.120s %s %s: renew it, then reload",
			 cert->file, cert->end_ms < now_ms ? "ended" : "ends",
			 when);
	}
	return n;
}
