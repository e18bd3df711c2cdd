#include "dns_context.h"

#include <errno.h>
#include <stdio.h>
#include <unbound.h>
#include <unistd.h>

#include "loop_internal.h"

#include "mxhold/base/mem.h"

struct dns_context {
	uv_poll_t poll;
	struct ub_ctx *ub;
};

static void on_readable(uv_poll_t *h, int status, int events);

static const struct {
	const char *name, *value;
} settings[] = {
	{"do-not-query-localhost:", "no"}, /* the usual place of a resolver */
	{"edns-buffer-size:", "1232"},     /* no fragments */
	{"infra-host-ttl:", "60"}, /* a server that was away is asked soon */
	{"infra-keep-probing:", "yes"},    {"cache-max-negative-ttl:", "300"},
};

/*
 * Zones that libunbound answers by itself. A private network has reverse
 * names of its own, and its resolver knows them; "test." is for tests (RFC
 * 6761), also with a resolver that serves it.
 */
static const char *const opened[] = {
	"test.",
	"127.in-addr.arpa.",
	("1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0."
	 "ip6.arpa."),
	"10.in-addr.arpa.",
	"168.192.in-addr.arpa.",
	"254.169.in-addr.arpa.",
	"d.f.ip6.arpa.",
	"8.e.f.ip6.arpa.",
	"9.e.f.ip6.arpa.",
	"a.e.f.ip6.arpa.",
	"b.e.f.ip6.arpa.",
};

static int failed(struct error *err, const char *what, const char *which,
		  int rc)
{
	return error_set(err, "%s %s: %s", what, which, ub_strerror(rc));
}

static int set_servers(struct ub_ctx *ub,
		       const struct resolver_options *options,
		       struct error *err)
{
	for (size_t i = 0; i < options->n_servers; i++) {
		int rc = ub_ctx_set_fwd(ub, options->servers[i]);
		if (rc != 0)
			return failed(err, "resolver", options->servers[i], rc);
	}
	if (options->n_servers > 0)
		return 0;
	/* resolv.conf(5): without that file, the name server of this host */
	int rc = ub_ctx_resolvconf(ub, NULL);
	if (rc == UB_READFILE)
		rc = ub_ctx_set_fwd(ub, "127.0.0.1");
	return rc == 0 ? 0 : failed(err, "resolver", "/etc/resolv.conf", rc);
}

static int open_zones(struct ub_ctx *ub)
{
	int rc = 0;
	for (size_t i = 0; i < MX_ARRAY_SIZE(opened) && rc == 0; i++)
		rc = ub_ctx_zone_remove(ub, opened[i]);
	for (int i = 16; i < 32 && rc == 0; i++) {
		char zone[32];
		snprintf(zone, sizeof(zone), "%d.172.in-addr.arpa.", i);
		rc = ub_ctx_zone_remove(ub, zone);
	}
	return rc;
}

static int set_options(struct ub_ctx *ub, struct error *err)
{
	int rc = 0;
	for (size_t i = 0; i < MX_ARRAY_SIZE(settings) && rc == 0; i++) {
		rc = ub_ctx_set_option(ub, settings[i].name, settings[i].value);
		if (rc != 0)
			failed(err, "resolver setting", settings[i].name, rc);
	}
	return rc;
}

static int set_anchor(struct ub_ctx *ub, const char *anchor, struct error *err)
{
	if (!anchor)
		return 0;
	if (access(anchor, R_OK) != 0)
		return error_sys(err, errno, "trust anchor %s", anchor);
	int rc = ub_ctx_add_ta_file(ub, anchor);
	return rc == 0 ? 0 : failed(err, "trust anchor", anchor, rc);
}

/* The hosts file is not read: mail goes by DNS. Zones come last: removing the
 * first freezes the settings, and what is wrong with the anchor shows there.
 * libunbound's own lines on stderr are no log lines of ours. */
static int set_up(struct ub_ctx *ub, const struct resolver_options *options,
		  const char *anchor, struct error *err)
{
	ub_ctx_debugout(ub, NULL);
	if (set_options(ub, err) != 0 || set_servers(ub, options, err) != 0 ||
	    set_anchor(ub, anchor, err) != 0)
		return -1;
	int rc = ub_ctx_async(ub, 1); /* a thread; else it would fork */
	if (rc == 0)
		rc = open_zones(ub);
	if (rc == 0)
		return 0;
	return failed(err, "resolver with trust anchor",
		      anchor ? anchor : "none", rc);
}

struct dns_context *dns_context_new(struct loop *l,
				    const struct resolver_options *options,
				    const char *anchor, struct error *err)
{
	struct ub_ctx *ub = ub_ctx_create();
	if (!ub) {
		error_set(err, "no memory for the resolver");
		return NULL;
	}
	struct dns_context *c = mem_alloc(sizeof(*c));
	int rc = set_up(ub, options, anchor, err);
	if (rc == 0) {
		rc = uv_poll_init(&l->uv, &c->poll, ub_fd(ub));
		if (rc != 0)
			error_set(err, "resolver: %s", uv_strerror(rc));
	}
	if (rc != 0) {
		ub_ctx_delete(ub);
		mem_free(c);
		return NULL;
	}
	c->ub = ub;
	uv_poll_start(&c->poll, UV_READABLE, on_readable);
	return c;
}

static void on_readable(uv_poll_t *h, int status MX_UNUSED,
			int events MX_UNUSED)
{
	struct dns_context *c = MX_CONTAINER_OF(h, struct dns_context, poll);
	ub_process(c->ub);
}

int dns_context_ask(struct dns_context *c, const char *name, int type,
		    dns_context_on_result on_result, void *data, int *id)
{
	sigset_t before = loop_signals_block(); /* it may start its thread */
	int rc = ub_resolve_async(c->ub, name, type, 1, data, on_result, id);
	loop_signals_restore(&before);
	return rc == 0 ? 0 : -1;
}

void dns_context_cancel(struct dns_context *c, int id)
{
	ub_cancel(c->ub, id);
}

/* Not before the loop has left on_readable, which may be where we are. */
static void on_closed(uv_handle_t *h)
{
	struct dns_context *c =
		MX_CONTAINER_OF((uv_poll_t *)h, struct dns_context, poll);
	ub_ctx_delete(c->ub);
	mem_free(c);
}

void dns_context_free(struct dns_context *c)
{
	if (c)
		uv_close((uv_handle_t *)&c->poll, on_closed);
}
