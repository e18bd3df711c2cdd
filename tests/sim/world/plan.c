/* What a seed means. */
#include <stdio.h>
#include <string.h>

#include "world.h"

#include "mxhold/smtp/ehlo.h"

static uint64_t state;

/* Vigna's splitmix64, apart from what the run draws. */
static uint64_t draw(void)
{
	uint64_t z = (state += 0x9e3779b97f4a7c15U);

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9U;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebU;
	return z ^ (z >> 31);
}

static int64_t between(int64_t lo, int64_t hi)
{
	return lo + (int64_t)(draw() % (uint64_t)(hi - lo + 1));
}

static bool chance(int percent)
{
	return between(1, 100) <= percent;
}

static int64_t one_of(const int64_t *v, size_t n)
{
	return v[draw() % n];
}

#define ONE_OF(...)                            \
	one_of((const int64_t[]){__VA_ARGS__}, \
	       sizeof((const int64_t[]){__VA_ARGS__}) / sizeof(int64_t))

/* --- how long ------------------------------------------------------------- */

enum scale {
	SCALE_HOURS,
	SCALE_DAY,
	SCALE_WEEK,
	SCALE_MONTHS
};

/* Long outages cost a minute of our time each virtual one: they are few. */
static enum scale draw_scale(void)
{
	int64_t x = between(1, 1000);

	return x <= 900   ? SCALE_HOURS
	       : x <= 985 ? SCALE_DAY
	       : x <= 998 ? SCALE_WEEK
			  : SCALE_MONTHS;
}

static int64_t draw_outage(enum scale s)
{
	switch (s) {
	case SCALE_HOURS:
		return between(MINUTE, 90 * MINUTE);
	case SCALE_DAY:
		return between(HOUR, DAY);
	case SCALE_WEEK:
		return between(DAY, 7 * DAY);
	case SCALE_MONTHS:
		break;
	}
	return between(20 * DAY, 60 * DAY);
}

/* --- settings ------------------------------------------------------------- */

static void draw_settings(enum scale scale)
{
	struct settings *s = &W->set;
	bool is_long = scale >= SCALE_WEEK;

	s->threads = (int)between(1, 2);
	s->interval_down_s = is_long      ? ONE_OF(60, 300, 900)
			     : chance(70) ? 15
					  : ONE_OF(1, 5, 30, 60);
	s->interval_up_s = is_long ? 600 : chance(70) ? 60 : ONE_OF(10, 300);
	s->down_after = chance(70) ? 3 : (int)between(1, 5);
	s->up_after = chance(70) ? 2 : (int)between(1, 3);
	s->max_connections = chance(50) ? 8 : (int)between(1, 4);
	s->canary = chance(60) ? 1 : (int)between(0, 5);
	s->per_connection = chance(70) ? 100 : (int)between(1, 5);
	s->rate = chance(85) ? 0 : (int)ONE_OF(6, 30, 120, 6000);
	s->fresh_share = chance(70) ? 50 : (int)ONE_OF(0, 10, 90);
	s->command_timeout_s = chance(70) ? 300 : ONE_OF(20, 60);
	s->data_timeout_s = 2 * s->command_timeout_s;
	s->long_retries = chance(70);
	s->breaker_retry_s = chance(70) ? 600 : ONE_OF(30, 120);
	s->first_5xx_s = chance(70) ? 86400 : ONE_OF(0, 600, 7200);
	s->breaker_window = chance(70) ? 20 : (int)ONE_OF(2, 5, 50);
	s->hard_limit_h = chance(90) ? 90 * 24 : ONE_OF(2, 48);
	s->retention_h = chance(90) ? 30 * 24 : ONE_OF(3, 72);
	s->retention_h = MX_MIN(s->hard_limit_h, s->retention_h);
	s->clock_wall = chance(20);
	s->bounce_all = chance(25);
	s->max_bytes_mib = chance(90) ? 64 : 2;
}

/* --- primaries ------------------------------------------------------------ */

static void draw_host(int primary, int number, int64_t latency_us)
{
	struct primary *p = &W->primaries[primary];
	struct host *h = &p->hosts[number];

	snprintf(h->name, sizeof(h->name), "mx%d.p%d.test", number, primary);
	h->addr = (struct inet_addr){
		4, {198, 51, (uint8_t)(100 + primary), (uint8_t)(1 + number)}};
	h->latency_us = latency_us;
	h->segment = chance(70) ? 0 : (size_t)ONE_OF(40, 500, 1460);
	if (chance(2)) /* an event each octet */
		h->segment = 1;
	h->extensions = (uint32_t)draw() &
			(EXT_PIPELINING | EXT_SIZE | EXT_DSN | EXT_CHUNKING |
			 EXT_ENHANCEDSTATUSCODES | EXT_8BITMIME | EXT_STARTTLS);
	h->fails_tls = chance(20);
	h->per_session = chance(85) ? 0 : (uint32_t)between(1, 10);
	h->is_gone = number > 0 && chance(15);
}

static void draw_primary(int number)
{
	struct primary *p = &W->primaries[number];
	int64_t latency_us =
		chance(80) ? between(100, 20 * MS) : between(20 * MS, 150 * MS);

	snprintf(p->name, sizeof(p->name), "p%d", number);
	p->by_mx = chance(35);
	p->by_address = !p->by_mx && chance(40);
	p->n_hosts = chance(60) ? 1 : (int)between(2, HOSTS_MAX);
	for (int i = 0; i < p->n_hosts; i++)
		draw_host(number, i, latency_us);
}

/* With the domain's MX a primary serves that domain alone. */
static void draw_domains(void)
{
	W->n_primaries = chance(70) ? 1 : 2;
	for (int i = 0; i < W->n_primaries; i++)
		draw_primary(i);
	W->n_domains = W->n_primaries + (int)between(0, 1);
	for (int i = 0; i < W->n_domains; i++) {
		W->domain_primary[i] = i % W->n_primaries;
		if (i >= W->n_primaries)
			W->primaries[i % W->n_primaries].by_mx = false;
	}
}

/* --- faults --------------------------------------------------------------- */

static struct fault *add_fault(enum fault_kind kind, int primary,
			       int64_t from_us, int64_t us)
{
	struct fault *f = &W->faults[W->n_faults];

	if (W->n_faults == FAULTS_MAX)
		return f - 1;
	W->n_faults++;
	*f = (struct fault){.kind = kind,
			    .primary = primary,
			    .from_us = from_us,
			    .until_us = from_us + us};
	W->plan_end_us = MX_MAX(W->plan_end_us, f->until_us);
	return f;
}

/* DNS means nothing to a primary that is written down as an address. */
static enum fault_kind draw_down(int primary)
{
	enum fault_kind k;

	if (chance(50))
		return (enum fault_kind)between(FAULT_REFUSES, FAULT_SILENT);
	do
		k = (enum fault_kind)between(FAULT_REFUSES, FAULT_DNS_US);
	while (fault_is_dns(k) && W->primaries[primary].by_address);
	return k;
}

/* A primary that is half-configured for longer than a 5xx is doubted cannot
 * be told from one that means it. */
static int64_t doubted_us(void)
{
	return W->set.first_5xx_s * SECOND / 2;
}

static void add_half(int primary, int64_t from_us)
{
	enum fault_kind k =
		(enum fault_kind)between(FAULT_MAIL_451, FAULT_DOT_554);
	int64_t us = between(30 * SECOND, 40 * MINUTE);

	if (k == FAULT_RCPT_550 || k == FAULT_DOT_554) {
		us = MX_MIN(us, doubted_us());
		if (us < 30 * SECOND)
			k = FAULT_DOT_452;
	}
	add_fault(k, primary, from_us, MX_MAX(us, 30 * SECOND));
}

/* Off and on, a few seconds or minutes each. */
static void add_flapping(int primary, int64_t from_us)
{
	int64_t at_us = from_us;

	for (int i = (int)between(3, 8); i > 0; i--) {
		int64_t off_us = between(2 * SECOND, 200 * SECOND);

		add_fault(draw_down(primary), primary, at_us, off_us);
		at_us += off_us + between(2 * SECOND, 150 * SECOND);
	}
}

/* What it looks like when it comes up in pieces. */
static void add_slow_start(int primary, int64_t from_us)
{
	static const enum fault_kind steps[] = {
		FAULT_REFUSES,  FAULT_RESETS,   FAULT_MUTE, FAULT_BANNER_421,
		FAULT_SERVFAIL, FAULT_MAIL_451, FAULT_SLOW, FAULT_CROWDED,
	};
	int64_t at_us = from_us;

	for (size_t i = 0; i < MX_ARRAY_SIZE(steps); i++) {
		int64_t us = between(SECOND, 90 * SECOND);

		if (chance(50))
			continue;
		if (steps[i] == FAULT_SERVFAIL &&
		    W->primaries[primary].by_address)
			continue;
		add_fault(steps[i], primary, at_us, us);
		at_us += us;
	}
}

static void add_trouble(int primary, int64_t from_us)
{
	add_fault((enum fault_kind)between(FAULT_SLOW, FAULT_CROWDED), primary,
		  from_us, between(10 * SECOND, 20 * MINUTE));
}

static void draw_episode(int primary, enum scale scale, int64_t at_us)
{
	int64_t until_us = at_us + draw_outage(scale);

	add_fault(draw_down(primary), primary, at_us, until_us - at_us);
	if (chance(15))
		add_flapping(primary, until_us);
	else if (chance(20))
		add_slow_start(primary, until_us);
	if (chance(20))
		add_half(primary, until_us - between(0, MINUTE));
	if (chance(20))
		add_trouble(primary, until_us - between(0, MINUTE));
}

/* Mostly when there is something to do. */
static int64_t draw_moment(void)
{
	const struct fault *f;

	if (W->n_faults == 0 || chance(30))
		return between(0, W->plan_end_us);
	f = &W->faults[draw() % (uint64_t)W->n_faults];
	return MX_MAX(f->until_us + between(-5 * SECOND, 60 * SECOND), 0);
}

static void add_ours(void)
{
	enum fault_kind k = (enum fault_kind)between(FAULT_CRASH, FAULT_CLOCK);
	int64_t us = between(5 * SECOND, 3 * MINUTE);
	struct fault *f;

	if (k == FAULT_CLOCK && (W->set.clock_moves || chance(60)))
		k = FAULT_CRASH;
	f = add_fault(k, 0, draw_moment(), us);
	f->value = between(1, 1500);
	if (k == FAULT_FAILPOINT)
		f->value = between(0, 1 << 20);
	if (k == FAULT_CLOCK)
		f->value = between(-2 * 3600, 6 * 3600) * 1000;
	W->set.clock_moves |= k == FAULT_CLOCK;
}

static void draw_word(void)
{
	int primary = (int)between(0, W->n_primaries - 1);
	enum fault_kind k = (enum fault_kind)ONE_OF(FAULT_PAUSED, FAULT_HELD,
						    FAULT_QUEUE_HELD,
						    FAULT_WORD, FAULT_WORD);
	int64_t us = between(10 * SECOND, 30 * MINUTE);

	if (k == FAULT_WORD)
		us = SECOND;
	add_fault(k, primary, draw_moment(), us)->value = between(0, 1 << 20);
	W->set.holds_queue |= k == FAULT_QUEUE_HELD;
}

/* Drawn apart from all the rest: a seed without words is the same world. */
static void draw_words(void)
{
	for (int i = (int)between(1, 5); i > 0; i--)
		draw_word();
	for (int i = chance(40) ? (int)between(1, 3) : 0; i > 0; i--)
		add_fault(FAULT_CHANGED, 0, draw_moment(), SECOND)->value =
			between(0, 1 << 20);
	if (chance(15))
		add_fault(FAULT_REMOVED, 0, draw_moment(), SECOND)->value =
			between(0, 1 << 20);
}

static void draw_faults(enum scale scale)
{
	int n_ours = chance(45) ? 0 : (int)between(1, 4);

	for (int p = 0; p < W->n_primaries; p++) {
		int64_t at_us = between(5 * SECOND, 10 * MINUTE);
		int n = scale >= SCALE_WEEK ? 1 : (int)between(1, 2);

		if (chance(3))
			continue;
		if (chance(20))
			at_us = 0;
		for (int i = 0; i < n; i++) {
			draw_episode(p, scale, at_us);
			at_us = W->plan_end_us +
				between(10 * SECOND, 10 * MINUTE);
		}
	}
	for (int i = 0; i < n_ours; i++)
		add_ours();
	for (int i = 0; W->control == CONTROL_ACK_EARLY && i < 5; i++)
		add_fault(FAULT_CRASH, 0, draw_moment(), SECOND)->value =
			between(1, 40);
}

/* --- mail ----------------------------------------------------------------- */

static void draw_rcpt(struct mail *m, bool refusals)
{
	int d = (int)between(0, W->n_domains - 1);
	int u = (int)between(0, USERS - 2);

	if (refusals && chance(8))
		u = USERS - 1;
	for (int i = 0; i < m->n_rcpts; i++) {
		if (m->domain[i] == d && m->user[i] == u)
			return;
	}
	m->domain[m->n_rcpts] = d;
	m->user[m->n_rcpts++] = u;
	W->set.n_refused += u == USERS - 1 || m->kind == MAIL_SPAM;
}

static int64_t draw_arrival(void)
{
	const struct fault *f;
	int64_t at_us;

	if (W->n_faults == 0 || chance(15))
		return between(SECOND, W->plan_end_us);
	f = &W->faults[draw() % (uint64_t)W->n_faults];
	at_us = chance(70) ? between(f->from_us, f->until_us)
			   : f->until_us + between(0, 2 * MINUTE);
	return MX_MAX(at_us, SECOND);
}

static void draw_mail(struct mail *m, bool refusals)
{
	int n = chance(70) ? 1 : (int)between(2, RCPTS_MAX);

	m->kind = refusals && chance(6) ? MAIL_SPAM : MAIL_GOOD;
	m->lines = (uint32_t)(chance(80)   ? between(0, 40)
			      : chance(90) ? between(40, 1500)
					   : between(5000, 9000));
	for (int i = 0; i < n; i++)
		draw_rcpt(m, refusals);
	m->next_us = draw_arrival();
}

static void draw_mails(void)
{
	bool refusals = chance(35);

	W->n_mails = (int)(chance(70)   ? between(3, 25)
			   : chance(80) ? between(25, 80)
					: between(80, 200));
	for (int i = 0; i < W->n_mails; i++)
		draw_mail(&W->mails[i], refusals);
}

/* --- all ------------------------------------------------------------------ */

/* What may still be in somebody's way when nothing goes wrong any more. */
static int64_t allowance_us(void)
{
	int64_t us = 3 * HOUR +
		     (1 + W->set.n_refused) * W->set.breaker_retry_s * SECOND;

	if (W->set.rate)
		us += W->n_mails * RCPTS_MAX * MINUTE / W->set.rate;
	return us;
}

void plan_make(uint64_t seed)
{
	enum scale scale;

	state = seed * 0x2545f4914f6cdd1dU + 1;
	W->seed = seed;
	scale = draw_scale();
	W->plan_end_us = 10 * MINUTE;
	W->wall_ms = INT64_C(1767225600000); /* 2026-01-01 */
	draw_settings(scale);
	draw_domains();
	draw_faults(scale);
	draw_mails();
	state = seed ^ 0x6f70657261746f72U;
	if (W->words)
		draw_words();
	W->deadline_us = W->plan_end_us + allowance_us();
}
