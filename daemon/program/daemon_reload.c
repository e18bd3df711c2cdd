/* Reload: parse, check all, swap; done when every loop has taken it. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "check.h"
#include "daemon_internal.h"

#include "mxhold/base/log.h"
#include "mxhold/base/mem.h"
#include "mxhold/outbound/outbound.h"
#include "mxhold/probe/prober.h"
#include "mxhold/receive/learning.h"
#include "mxhold/receive/recipients.h"
#include "mxhold/relay/relay.h"

static void on_receive_reloaded(void *data);

struct tls_context *daemon_make_tls(const struct config *c,
				    const char *state_dir, struct error *err)
{
	char cert[512], key[512];
	struct tls_pair *pairs;
	struct tls_context *ctx;

	if (c->tls.automatic) {
		snprintf(cert, sizeof(cert), "%s/tls", state_dir);
		mkdir(cert, 0700);
		snprintf(cert, sizeof(cert), "%s/tls/cert.pem", state_dir);
		snprintf(key, sizeof(key), "%s/tls/key.pem", state_dir);
		if (tls_self_signed(cert, key, c->hostname, err) < 0)
			return NULL;
		return tls_context_server(&(struct tls_pair){cert, key}, 1,
					  c->tls.min_version, err);
	}
	pairs = mem_array(c->tls.cert.n, sizeof(*pairs));
	for (size_t i = 0; i < c->tls.cert.n; i++)
		pairs[i] = (struct tls_pair){c->tls.cert.v[i], c->tls.key.v[i]};
	ctx = tls_context_server(pairs, c->tls.cert.n, c->tls.min_version, err);
	mem_free(pairs);
	return ctx;
}

static void answer_reload(struct daemon *d, const char *complaints)
{
	while (d->waiters) {
		struct reload_waiter *w = d->waiters;

		d->waiters = w->next;
		if (w->on_done)
			w->on_done(w->arg, complaints);
		mem_free(w);
	}
}

static void refuse_reload(struct daemon *d, const char *complaints)
{
	struct log_line l;

	log_begin(&l, LOG_ERROR, "config.refused");
	log_str(&l, "why", complaints);
	log_end(&l);
	answer_reload(d, complaints);
	notify_ready("keeping mail; the new configuration was refused");
}

static void swap_config(struct daemon *d, struct config *next,
			struct tls_context *tls)
{
	const struct config *old = d->config;

	d->config = next;
	log_configure(next->log.level, next->log.format,
		      next->log.hash_private);
	outbound_reload(d->outbound, next);
	prober_reload(d->prober, next);
	relay_reload(d->relay, next);
	control_reload(d->control, next);
	recipients_reload(d->recipients, next);
	learning_reload(d->learning, next);
	tls_context_unref(d->tls);
	d->tls = tls;
	daemon_read_certs(d);
	config_unref(old);
	if (d->receive)
		receive_reload(d->receive, next, tls, on_receive_reloaded, d);
	else
		on_receive_reloaded(d);
}

static void begin_reload(struct daemon *d)
{
	const char *file = d->config->file;
	char *complaints = NULL, restart[256];
	struct config *next;
	struct tls_context *tls;
	struct error err = {0};

	notify_reloading();
	next = check_load(file, CHECK_TLS, &complaints);
	tls = next ? daemon_make_tls(next, d->first->state_dir, &err) : NULL;
	if (!tls) {
		refuse_reload(d, next ? err.text : complaints);
		config_unref(next);
		free(complaints);
		return;
	}
	free(complaints);
	config_needs_restart(d->first, next, restart, sizeof(restart));
	if (restart[0])
		log_why(LOG_WARNING, "config.restart_needed", "%s", restart);
	d->reloading = true;
	swap_config(d, next, tls);
}

/* Who asks while one is under way may have changed a file that it has read
 * already: another one follows. */
void daemon_on_reload(void *data, void (*on_done)(void *, const char *),
		      void *arg)
{
	struct daemon *d = data;
	bool wait = d->reloading || d->stopping;
	struct reload_waiter **list = wait ? &d->later : &d->waiters;
	struct reload_waiter *w = mem_alloc(sizeof(*w));

	*w = (struct reload_waiter){on_done, arg, *list};
	*list = w;
	if (!wait)
		begin_reload(d);
}

static void on_receive_reloaded(void *data)
{
	struct daemon *d = data;
	struct log_line l;

	d->reloading = false;
	daemon_tell_door(d);
	log_begin(&l, LOG_INFO, "config.reloaded");
	log_str(&l, "file", d->config->file);
	log_end(&l);
	answer_reload(d, NULL);
	notify_ready("keeping mail");
	if (!d->later || d->stopping)
		return;
	d->waiters = d->later;
	d->later = NULL;
	begin_reload(d);
}

void daemon_drop_reloads(struct daemon *d)
{
	answer_reload(d, "stopping");
	d->waiters = d->later;
	d->later = NULL;
	answer_reload(d, "stopping");
}
