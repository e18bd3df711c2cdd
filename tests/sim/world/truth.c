/* What is wrong just now, and what the network makes of it. */
#include <stdio.h>
#include <string.h>

#include "../net/wire.h"
#include "world.h"

#include "mxhold/net/resolver.h"

const char *const fault_names[FAULT_KINDS] = {
	[FAULT_REFUSES] = "refuses",
	[FAULT_SILENT] = "silent",
	[FAULT_UNREACHABLE] = "unreachable",
	[FAULT_RESETS] = "resets",
	[FAULT_MUTE] = "mute",
	[FAULT_BANNER_554] = "banner-554",
	[FAULT_BANNER_421] = "banner-421",
	[FAULT_EHLO_554] = "ehlo-554",
	[FAULT_NXDOMAIN] = "nxdomain",
	[FAULT_SERVFAIL] = "servfail",
	[FAULT_DNS_SILENT] = "dns-silent",
	[FAULT_DNS_EMPTY] = "dns-empty",
	[FAULT_DNS_WRONG] = "dns-wrong",
	[FAULT_DNS_US] = "dns-us",
	[FAULT_MAIL_451] = "mail-451",
	[FAULT_MAIL_550] = "mail-550",
	[FAULT_RCPT_550] = "rcpt-550",
	[FAULT_RCPT_450] = "rcpt-450",
	[FAULT_DOT_452] = "dot-452",
	[FAULT_DOT_554] = "dot-554",
	[FAULT_SLOW] = "slow",
	[FAULT_CUTS] = "cuts",
	[FAULT_LOST_REPLY] = "lost-reply",
	[FAULT_CROWDED] = "crowded",
	[FAULT_PAUSED] = "paused",
	[FAULT_HELD] = "held",
	[FAULT_CRASH] = "crash",
	[FAULT_FAILPOINT] = "failpoint",
	[FAULT_RESTART] = "restart",
	[FAULT_RELOAD] = "reload",
	[FAULT_SLOW_DISK] = "slow-disk",
	[FAULT_DISK_EIO] = "disk-eio",
	[FAULT_DISK_FULL] = "disk-full",
	[FAULT_CLOCK] = "clock",
	[FAULT_QUEUE_HELD] = "queue-held",
	[FAULT_WORD] = "word",
	[FAULT_CHANGED] = "changed",
	[FAULT_REMOVED] = "removed",
};

static uint64_t bits[PRIMARIES_MAX], ours;

/* Without any answer from DNS the last good addresses serve. */
bool fault_is_down(enum fault_kind k)
{
	if (k == FAULT_SERVFAIL || k == FAULT_DNS_SILENT)
		return false;
	return k <= FAULT_DNS_US || k == FAULT_MAIL_451 || k == FAULT_MAIL_550;
}

bool fault_is_dns(enum fault_kind k)
{
	return k >= FAULT_NXDOMAIN && k <= FAULT_DNS_US;
}

bool fault_is_ours(enum fault_kind k)
{
	return k >= FAULT_CRASH;
}

bool fault_is_operator(enum fault_kind k)
{
	return k == FAULT_PAUSED || k == FAULT_HELD || k == FAULT_QUEUE_HELD ||
	       k == FAULT_WORD || k == FAULT_REMOVED;
}

void truth_update(void)
{
	int64_t now_us = sim_now_us();

	memset(bits, 0, sizeof(bits));
	ours = 0;
	for (int i = 0; i < W->n_faults; i++) {
		const struct fault *f = &W->faults[i];

		if (now_us < f->from_us || now_us >= f->until_us)
			continue;
		if (fault_is_ours(f->kind))
			ours |= UINT64_C(1) << f->kind;
		else
			bits[f->primary] |= UINT64_C(1) << f->kind;
	}
}

bool truth_has(int primary, enum fault_kind k)
{
	return bits[primary] & UINT64_C(1) << k;
}

bool truth_is_good(int primary)
{
	return bits[primary] == 0;
}

bool truth_is_down(int primary)
{
	for (int k = 0; k < FAULT_KINDS; k++) {
		if (truth_has(primary, (enum fault_kind)k) &&
		    fault_is_down((enum fault_kind)k))
			return true;
	}
	return false;
}

/* --- connections ---------------------------------------------------------- */

static bool find_host(const struct inet_addr *a, int *primary, int *host)
{
	for (int p = 0; p < W->n_primaries; p++) {
		for (int h = 0; h < W->primaries[p].n_hosts; h++) {
			if (!inet_eq(&W->primaries[p].hosts[h].addr, a))
				continue;
			*primary = p;
			*host = h;
			return true;
		}
	}
	return false;
}

static bool is_reporter(const struct inet_addr *a)
{
	return a->family == 4 && a->bytes[0] == 93;
}

static enum sim_answer connect_to(const struct endpoint *to,
				  struct wire_options *o)
{
	const struct host *host;
	int p, h;

	o->latency_us = sim_between(100, 20 * MS);
	o->from = (struct endpoint){{4, {10, 0, 0, 2}}, 1024};
	if (is_reporter(&to->addr) && to->port == 25)
		return SIM_ACCEPTED;
	if (!find_host(&to->addr, &p, &h) || to->port != 25)
		return sim_between(0, 1) ? SIM_REFUSED : SIM_NO_ANSWER;
	host = &W->primaries[p].hosts[h];
	o->latency_us = host->latency_us;
	o->segment = host->segment;
	if (host->is_gone || truth_has(p, FAULT_SILENT))
		return SIM_NO_ANSWER;
	if (truth_has(p, FAULT_REFUSES))
		return SIM_REFUSED;
	return truth_has(p, FAULT_UNREACHABLE) ? SIM_UNREACHABLE : SIM_ACCEPTED;
}

static void connected(const struct endpoint *to, struct wire_end *e)
{
	int p, h;

	if (is_reporter(&to->addr))
		server_reporter(e);
	else if (find_host(&to->addr, &p, &h))
		server_accept(p, h, e);
}

/* --- DNS ------------------------------------------------------------------ */

/* Whose zone the name is in; -1 = no primary's. */
static int zone_of(const char *name)
{
	const char *p = strstr(name, "p0.test");
	int d;

	if (p)
		return 0;
	if (strstr(name, "p1.test"))
		return 1;
	if (sscanf(name, "d%d.test", &d) == 1 && d >= 0 && d < W->n_domains)
		return W->domain_primary[d];
	return -1;
}

static int64_t resolve(const char *name, int type MX_UNUSED)
{
	int p = zone_of(name);

	if (p >= 0 && p < W->n_primaries && truth_has(p, FAULT_DNS_SILENT))
		return -1;
	return sim_between(200, 50 * MS);
}

static void add_address(struct dns_answer *out, struct inet_addr a)
{
	out->status = DNS_OK;
	out->records[out->n++].addr = a;
}

static void answer_host(const char *name, int p, struct dns_answer *out)
{
	struct inet_addr wrong = {4, {192, 0, 2, 77}};
	struct inet_addr us = {4, {10, 0, 0, 2}};

	if (truth_has(p, FAULT_DNS_WRONG)) {
		add_address(out, wrong);
		return;
	}
	if (truth_has(p, FAULT_DNS_US)) {
		add_address(out, us);
		return;
	}
	for (int h = 0; h < W->primaries[p].n_hosts; h++) {
		if (strcmp(W->primaries[p].hosts[h].name, name) == 0)
			add_address(out, W->primaries[p].hosts[h].addr);
	}
}

static void add_mx(struct dns_answer *out, int preference, const char *name)
{
	struct dns_record *r = &out->records[out->n++];

	out->status = DNS_OK;
	r->preference = (uint16_t)preference;
	snprintf(r->name, sizeof(r->name), "%s", name);
}

/* We are the last of them, as a backup is. */
static void answer_mx(int p, struct dns_answer *out)
{
	if (!truth_has(p, FAULT_DNS_US)) {
		for (int h = 0; h < W->primaries[p].n_hosts; h++)
			add_mx(out, 10 * h, W->primaries[p].hosts[h].name);
	}
	add_mx(out, 90, "mx9.backup.test");
}

static void answer_primary(const char *name, int type, int p,
			   struct dns_answer *out)
{
	if (truth_has(p, FAULT_SERVFAIL))
		return;
	out->status = DNS_NODATA;
	if (truth_has(p, FAULT_NXDOMAIN))
		out->status = DNS_NXDOMAIN;
	else if (truth_has(p, FAULT_DNS_EMPTY))
		return;
	else if (type == DNS_A)
		answer_host(name, p, out);
	else if (type == DNS_MX && name[0] == 'd')
		answer_mx(p, out);
}

static void answer(const char *name, int type, struct dns_answer *out)
{
	struct inet_addr reporter = {4, {93, 184, 216, 34}};
	int p = zone_of(name);

	out->ttl_s = 60;
	if (p >= 0 && p < W->n_primaries) {
		answer_primary(name, type, p, out);
		return;
	}
	out->status = DNS_NODATA;
	if (strncmp(name, "sender", 6) == 0 && type == DNS_A)
		add_address(out, reporter);
	else if (strstr(name, "in-addr") || strstr(name, "ip6"))
		out->status = DNS_NXDOMAIN;
}

/* --- the disk ------------------------------------------------------------- */

static int64_t commit_us(void)
{
	if (ours & UINT64_C(1) << FAULT_SLOW_DISK)
		return sim_between(50 * MS, 3 * SECOND);
	return sim_between(50, 5 * MS);
}

static const struct sim_world ops = {
	.connect = connect_to,
	.connected = connected,
	.resolve = resolve,
	.answer = answer,
	.commit_us = commit_us,
};

const struct sim_world *sim_world;

void truth_begin(void)
{
	sim_world = &ops;
	truth_update();
}
