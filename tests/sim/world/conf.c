/* The daemon's configuration, as the plan has it. */
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "../net/sched.h"
#include "world.h"

static FILE *create(const char *name)
{
	char path[320];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", W->dir, name);
	f = fopen(path, "w");
	if (!f)
		sim_broken("cannot write %s", path);
	return f;
}

/* As old as the world, so that virtual time and the file system agree. */
static void write_list(int domain)
{
	struct timespec old[2] = {{.tv_sec = 1767139200},
				  {.tv_sec = 1767139200}};
	char name[32];
	FILE *f;

	snprintf(name, sizeof(name), "d%d.rcpt", domain);
	f = create(name);
	for (int u = 0; u < USERS; u++)
		fprintf(f, "u%d@d%d.test\n", u, domain);
	fflush(f);
	futimens(fileno(f), old);
	fclose(f);
}

static void write_sections(FILE *f)
{
	const struct settings *s = &W->set;

	fprintf(f,
		"queue { reserve = \"1M\" max_bytes = \"%dM\" map_size = "
		"\"%dM\" history = \"3650d\"\n"
		"  hard_limit = \"%dh\" retention = \"%dh\" clock = \"%s\" }\n",
		(int)s->max_bytes_mib, (int)(s->max_bytes_mib * 2 + 8),
		(int)s->hard_limit_h, (int)s->retention_h,
		s->clock_wall ? "wall" : "primary-up");
	fprintf(f,
		"probe { interval_down = \"%ds\" interval_up = \"%ds\"\n"
		"  down_after = %d up_after = %d }\n",
		(int)s->interval_down_s, (int)s->interval_up_s, s->down_after,
		s->up_after);
	fprintf(f,
		"drain { max_connections = %d canary = %d per_connection = %d\n"
		"  rate = %d fresh_share = %d command_timeout = \"%ds\"\n"
		"  data_timeout = \"%ds\" retry_message = {%s} }\n",
		s->max_connections, s->canary, s->per_connection, s->rate,
		s->fresh_share, (int)s->command_timeout_s,
		(int)s->data_timeout_s,
		s->long_retries ? "\"1m\", \"5m\", \"15m\", \"30m\", \"1h\""
				: "\"10s\", \"2m\"");
	fprintf(f,
		"breaker { window = %d retry = \"%ds\" first_5xx = \"%ds\" }\n"
		"bounce { send = \"%s\" quarantine = \"3650d\" }\n",
		s->breaker_window, (int)s->breaker_retry_s, (int)s->first_5xx_s,
		s->bounce_all ? "all" : "authenticated");
}

static void write_primary(FILE *f, int number)
{
	const struct primary *p = &W->primaries[number];
	char text[INET_TEXT_MAX];

	if (p->by_mx)
		return;
	fprintf(f, "primary \"%s\" { host = {", p->name);
	for (int i = 0; i < p->n_hosts; i++) {
		inet_format(&p->hosts[i].addr, text);
		fprintf(f, "%s\"%s\"", i ? ", " : "",
			p->by_address ? text : p->hosts[i].name);
	}
	fprintf(f, "} handover = \"none\" }\n");
}

const char *conf_path(void)
{
	static char path[320];

	snprintf(path, sizeof(path), "%s/conf", W->dir);
	return path;
}

void conf_write(void)
{
	FILE *f = create("conf");

	fprintf(f,
		"hostname = \"mx9.backup.test\"\nstate_dir = \"%s/state\"\n"
		"conf_dir = \"%s/none\"\nthreads = %d\n"
		"external_addresses = {\"10.0.0.2\"}\n"
		"listen \"smtp\" { address = {\"10.0.0.2:25\"} }\n"
		"control { socket = \"%s/control\" }\n"
		"dns { resolver = {\"127.0.0.1\"} trust_anchor = \"none\" }\n"
		"log { level = \"%s\" }\n",
		W->dir, W->dir, W->set.threads, W->dir,
		W->verbose ? "info" : "error");
	write_sections(f);
	for (int i = 0; i < W->n_primaries; i++)
		write_primary(f, i);
	for (int i = 0; i < W->n_domains; i++) {
		const struct primary *p = &W->primaries[W->domain_primary[i]];

		fprintf(f,
			"domain \"d%d.test\" { primary = \"%s\" recipients = "
			"{\"%s/d%d.rcpt\"} }\n",
			i, p->by_mx ? "mx" : p->name, W->dir, i);
		write_list(i);
	}
	fclose(f);
}

void conf_change(int64_t value)
{
	static const int rates[] = {0, 0, 30, 120};
	struct settings *s = &W->set;

	W->set_before = *s;
	W->changed_us = sim_now_us();
	s->max_connections = 1 + (int)(value % 8);
	s->per_connection = 1 + (int)(value / 8 % 20);
	s->rate = rates[value / 160 % 4];
	s->fresh_share = (int)(value / 640 % 101);
	say("at most %d connections, %d mails over one, %d a minute",
	    s->max_connections, s->per_connection, s->rate);
	conf_write();
}
