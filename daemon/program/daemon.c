#include "daemon.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "daemon_internal.h"

#include "mxhold/base/clock.h"
#include "mxhold/base/log.h"
#include "mxhold/base/mem.h"
#include "mxhold/control/control.h"
#include "mxhold/control/notify.h"
#include "mxhold/net/digest.h"
#include "mxhold/net/loop.h"
#include "mxhold/net/timer.h"
#include "mxhold/outbound/outbound.h"
#include "mxhold/probe/prober.h"
#include "mxhold/receive/learning.h"
#include "mxhold/receive/receive.h"
#include "mxhold/receive/recipients.h"
#include "mxhold/receive/recipients_load.h"
#include "mxhold/relay/relay.h"
#include "mxhold/storage/history.h"

enum {
	RECEIVE_GRACE_MS = 10000, /* for content under way when we stop */
	RELAY_GRACE_MS = 10000,
	HOUSEKEEPING_MS = 60000,
	ORDINARY_MESSAGE = 64 * 1024, /* octets; no room for it: an alarm */
};

static void on_signal(void *data, int signo);
static void on_primary_changed(void *data, const char *name);
static void on_recipients_ready(void *data);
static void on_kept(void *data);
static enum etrn_outcome on_etrn(void *data, const char *domain,
				 uint64_t *waiting);
static void on_sync(void *data, const char *domain, bool accept,
		    void (*on_done)(void *arg), void *arg);
static struct directory_load *on_gather(void *data, struct directory *directory,
					const struct config_domain *domain,
					struct error *err);
static size_t on_alarms(void *data, char (*out)[256], size_t max);
static void on_housekeeping(void *data);
static void on_receive_stopped(void *data);
static void on_relay_idle(void *data);
static void on_recipients_freed(void *data);

/* Start */

static int open_state(struct daemon *d)
{
	const struct config *c = d->config;
	struct store_options options = {
		.state_dir = c->state_dir,
		.map_size = c->queue.map_size,
		.max_bytes = c->queue.max_bytes,
		.reserve = c->queue.reserve,
		.compact = true,
	};

	if (store_open(&d->store, &options, d->err) < 0)
		return -1;
	if (directory_open(&d->directory, c->state_dir, false, d->err) < 0)
		return -1;
	d->look_up = directory_reader_new(d->directory, digest_sha256);
	d->tls = daemon_make_tls(c, c->state_dir, d->err);
	if (!d->tls)
		return -1;
	daemon_read_certs(d);
	return 0;
}

static int make_sending_side(struct daemon *d)
{
	const struct config *c = d->config;
	struct resolver_options dns = {
		.servers = (const char *const *)c->dns.resolver.v,
		.n_servers = c->dns.resolver.n,
		.trust_anchor = c->dns.trust_anchor,
	};
	struct relay_parts relay;

	d->resolver = resolver_new(d->loop, &dns, d->err);
	if (!d->resolver)
		return -1;
	d->outbound = outbound_new(d->loop, d->resolver, c);
	d->prober = prober_new(d->loop, d->outbound, d->directory, c,
			       on_primary_changed, d);
	d->learning = daemon_make_learning(d);
	relay = (struct relay_parts){
		.loop = d->loop,
		.store = d->store,
		.writer = d->writer,
		.directory = d->directory,
		.outbound = d->outbound,
		.prober = d->prober,
		.config = c,
		.on_rcpt = daemon_on_rcpt,
		.data = d,
	};
	d->relay = relay_new(&relay);
	return 0;
}

static int make_control(struct daemon *d)
{
	struct control_parts parts = {
		.loop = d->loop,
		.store = d->store,
		.writer = d->writer,
		.directory = d->directory,
		.prober = d->prober,
		.relay = d->relay,
		.config = d->config,
		.started_ms = d->started_ms,
		.reload = daemon_on_reload,
		.test_rcpt = daemon_test_rcpt,
		.order_rcpt = daemon_order_rcpt,
		.magnet = daemon_on_magnet,
		.simulate = daemon_on_simulate,
		.sync = on_sync,
		.gather = on_gather,
		.alarms = on_alarms,
		.data = d,
	};

	d->control = control_new(&parts, d->err);
	return d->control ? 0 : -1;
}

static int start(struct daemon *d)
{
	static const int signos[] = {SIGTERM, SIGINT, SIGHUP};

	signal(SIGPIPE, SIG_IGN);
	if (open_state(d) < 0)
		return -1;
	d->loop = loop_new(d->err);
	if (!d->loop)
		return -1;
	d->writer = writer_new(d->store);
	if (!d->writer)
		return error_set(d->err, "%s: the queue cannot be read",
				 d->config->state_dir);
	if (writer_start(d->writer, d->err) < 0)
		return -1;
	if (make_sending_side(d) < 0 || make_control(d) < 0)
		return -1;
	for (size_t i = 0; i < MX_ARRAY_SIZE(signos); i++)
		d->signals[i] =
			loop_signal_on(d->loop, signos[i], on_signal, d);
	d->housekeeping = timer_new(d->loop, on_housekeeping, d);
	timer_start(d->housekeeping, HOUSEKEEPING_MS);
	/* Who is ours must be known before the door opens. */
	d->recipients = recipients_new(d->loop, d->directory, d->config);
	recipients_start(d->recipients, on_recipients_ready, d);
	return 0;
}

static int open_door(struct daemon *d)
{
	struct receive_parts parts = {
		.loop = d->loop,
		.store = d->store,
		.writer = d->writer,
		.directory = d->directory,
		.config = d->config,
		.tls = d->tls,
		.resolver = d->resolver,
		.learning = d->learning,
		.inherited = d->sockets->fds,
		.n_inherited = d->sockets->n,
		.on_kept = on_kept,
		.on_etrn = on_etrn,
		.data = d,
	};

	d->receive = receive_new(&parts, d->err);
	if (!d->receive)
		return -1;
	daemon_tell_door(d);
	return 0;
}

static void log_started(struct daemon *d)
{
	struct endpoint at[16];
	size_t n = receive_addresses(d->receive, at, MX_ARRAY_SIZE(at));
	char text[INET_TEXT_MAX];
	struct log_line l;

	for (size_t i = 0; i < n; i++) {
		endpoint_format(&at[i], text);
		log_begin(&l, LOG_INFO, "listening");
		log_str(&l, "address", text);
		log_end(&l);
	}
	log_begin(&l, LOG_INFO, "started");
	log_str(&l, "version", MX_VERSION);
	log_str(&l, "hostname", d->config->hostname);
	log_int(&l, "domains", (int64_t)d->config->n_domains);
	log_end(&l);
}

static void begin_stop(struct daemon *d)
{
	if (d->stopping)
		return;
	d->stopping = true;
	atomic_store(&d->cancelled, true);
	notify_stopping();
	log_why(LOG_INFO, "stopping", "asked to");
	/* Who waits for a primary's word waits no longer. */
	if (d->learning)
		learning_stop(d->learning);
	if (d->receive)
		receive_stop(d->receive, RECEIVE_GRACE_MS, on_receive_stopped,
			     d);
	else
		on_receive_stopped(d);
}

static void on_recipients_ready(void *data)
{
	struct daemon *d = data;

	if (d->stopping)
		return;
	if (open_door(d) < 0) {
		d->result = -1;
		begin_stop(d);
		return;
	}
	log_started(d);
	d->watchdog = notify_watchdog_start(d->loop);
	notify_ready("keeping mail");
}

/* Run */

static void on_signal(void *data, int signo)
{
	struct daemon *d = data;

	if (signo == SIGHUP)
		daemon_on_reload(d, NULL, NULL);
	else
		begin_stop(d);
}

/* Receive does not know the prober. */
static void tell_door(struct daemon *d, const struct primary_view *v)
{
	if (d->receive)
		receive_primary_state(
			d->receive, v->name, v->health.state == HEALTH_UP,
			health_up_ms(&v->health, clock_wall_ms()));
}

void daemon_tell_door(struct daemon *d)
{
	struct primary_view v;

	for (size_t i = 0; prober_view_at(d->prober, i, &v); i++)
		tell_door(d, &v);
}

static void on_primary_changed(void *data, const char *name)
{
	struct daemon *d = data;
	struct primary_view v;

	if (prober_view(d->prober, name, &v))
		tell_door(d, &v);
	learning_primary_changed(d->learning);
	relay_primary_changed(d->relay, name);
}

static void on_kept(void *data)
{
	struct daemon *d = data;

	relay_kick(d->relay);
}

static enum etrn_outcome on_etrn(void *data, const char *domain,
				 uint64_t *waiting)
{
	struct daemon *d = data;
	bool held;

	if (!relay_ask(d->relay, domain, waiting, &held))
		return ETRN_UNKNOWN;
	if (*waiting == 0)
		return ETRN_NOTHING;
	return held ? ETRN_HELD : ETRN_STARTED;
}

static void on_sync(void *data, const char *domain, bool accept,
		    void (*on_done)(void *arg), void *arg)
{
	struct daemon *d = data;

	if (!d->recipients || d->stopping)
		on_done(arg);
	else if (accept)
		recipients_accept(d->recipients, domain, on_done, arg);
	else
		recipients_sync(d->recipients, domain, on_done, arg);
}

/* On the work pool. */
static struct directory_load *on_gather(void *data, struct directory *directory,
					const struct config_domain *domain,
					struct error *err)
{
	struct daemon *d = data;

	return recipients_gather(directory, domain, &d->cancelled, err);
}

static const char *why_no_room(const struct daemon *d)
{
	struct store_space space;

	store_space(d->store, &space);
	return space.used + ORDINARY_MESSAGE > space.max_bytes
		       ? "the queue has reached queue.max_bytes"
		       : "free disk space is below queue.reserve";
}

static size_t on_alarms(void *data, char (*out)[256], size_t max)
{
	struct daemon *d = data;
	size_t n = relay_alarms(d->relay, out, max);

	n += daemon_cert_alarms(d, out + n, max - n);
	if (d->receive)
		n += receive_alarms(d->receive, out + n, max - n);
	if (d->recipients)
		n += recipients_alarms(d->recipients, out + n, max - n);
	if (n < max && store_is_failing(d->store))
		snprintf(out[n++], sizeof(*out),
			 "the queue cannot be written: mail is deferred");
	if (n < max && !store_has_room(d->store, ORDINARY_MESSAGE))
		snprintf(out[n++], sizeof(*out), "%s: mail is deferred",
			 why_no_room(d));
	return n;
}

/* On the writer's thread: the next slice, until nothing old is left. */
static void on_history_trimmed(struct job *job)
{
	struct history_trim *trim =
		MX_CONTAINER_OF(job, struct history_trim, call.job);

	if (job->result == STORE_OK && trim->more)
		writer_submit(job->data, job);
	else
		mem_free(trim);
}

static void trim_history(struct daemon *d)
{
	struct history_trim *trim = mem_alloc(sizeof(*trim));

	history_trim_job(trim, clock_wall_ms() - d->config->queue.history);
	trim->call.job.report = on_history_trimmed;
	trim->call.job.data = d->writer;
	writer_submit(d->writer, &trim->call.job);
}

static void on_housekeeping(void *data)
{
	struct daemon *d = data;

	daemon_watch_certs(d);
	trim_history(d);
	timer_start(d->housekeeping, HOUSEKEEPING_MS);
}

/* Stop: door, relay, lists, the rest. */

static void on_receive_stopped(void *data)
{
	struct daemon *d = data;

	relay_stop(d->relay, RELAY_GRACE_MS, on_relay_idle, d);
}

static void on_relay_idle(void *data)
{
	struct daemon *d = data;

	if (d->recipients)
		recipients_free(d->recipients, on_recipients_freed, d);
	else
		on_recipients_freed(d);
}

static void on_recipients_freed(void *data)
{
	struct daemon *d = data;

	d->recipients = NULL;
	loop_stop(d->loop);
}

static void free_parts(struct daemon *d)
{
	notify_watchdog_stop(d->watchdog);
	timer_free(d->housekeeping);
	sigset_t all;

	/* We are stopping already: a second word must not cut it short, nor
	 * fall between the handler's end and its being ignored. No other
	 * thread takes signals. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, NULL);
	for (size_t i = 0; i < MX_ARRAY_SIZE(d->signals); i++)
		if (d->signals[i])
			loop_signal_off(d->signals[i]);
	if (d->control)
		control_free(d->control);
	if (d->receive)
		receive_free(d->receive);
	if (d->relay)
		relay_free(d->relay);
	learning_free(d->learning);
	if (d->prober)
		prober_free(d->prober);
	if (d->outbound)
		outbound_free(d->outbound);
	if (d->resolver)
		resolver_free(d->resolver);
	if (d->writer)
		writer_stop(d->writer);
	if (d->loop)
		loop_free(d->loop);
	if (d->look_up)
		directory_reader_free(d->look_up);
	if (d->directory)
		directory_close(d->directory);
	if (d->store)
		store_close(d->store);
	tls_context_unref(d->tls);
	daemon_free_certs(d);
	daemon_drop_reloads(d);
	config_unref(d->config);
	config_unref(d->first);
}

int daemon_run(const struct config *config,
	       const struct daemon_sockets *sockets, struct error *err)
{
	struct daemon d = {
		.config = config,
		.first = config_ref(config),
		.sockets = sockets,
		.started_ms = clock_wall_ms(),
		.err = err,
	};

	if (start(&d) < 0)
		d.result = -1;
	else
		loop_run(d.loop);
	free_parts(&d);
	return d.result;
}
