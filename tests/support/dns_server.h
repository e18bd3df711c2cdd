/*
 * A small DNS server for tests: a thread that answers UDP queries at a port
 * of its own on 127.0.0.1 from a table. Names not in the table do not exist;
 * names that are there without the type asked have no data. A CNAME row is
 * followed within the table. data may be "SERVFAIL" or "SILENCE".
 */
#ifndef MXHOLD_TESTS_DNS_SERVER_H
#define MXHOLD_TESTS_DNS_SERVER_H

#include <arpa/inet.h>
#include <check.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
	DNS_ROW_A = 1,
	DNS_ROW_CNAME = 5,
	DNS_ROW_MX = 15,
	DNS_ROW_AAAA = 28
};

struct dns_row {
	const char *name;
	int type;
	unsigned preference; /* MX */
	const char *data;    /* an address, a name, "." */
};

struct dns_server {
	int fd;
	pthread_t thread;
	const struct dns_row *rows; /* ended by name NULL */
	_Atomic unsigned queries;
	char at[40]; /* "127.0.0.1@port" */
};

struct dns_packet {
	uint8_t bytes[4096];
	size_t n;
};

static void dns_put16(struct dns_packet *p, unsigned v)
{
	p->bytes[p->n++] = (uint8_t)(v >> 8);
	p->bytes[p->n++] = (uint8_t)v;
}

static void dns_put_name(struct dns_packet *p, const char *name)
{
	while (*name && strcmp(name, ".") != 0) {
		size_t n = strcspn(name, ".");

		p->bytes[p->n++] = (uint8_t)n;
		memcpy(p->bytes + p->n, name, n);
		p->n += n;
		name += n;
		name += *name == '.';
	}
	p->bytes[p->n++] = 0;
}

/* The name of the question; returns the offset behind it, 0 = malformed. */
static size_t dns_get_name(const struct dns_packet *q, char *out, size_t room)
{
	size_t at = 12, n = 0;

	while (at < q->n && q->bytes[at]) {
		size_t label = q->bytes[at++];

		if (label > 63 || at + label >= q->n || n + label + 2 > room)
			return 0;
		if (n)
			out[n++] = '.';
		memcpy(out + n, q->bytes + at, label);
		n += label;
		at += label;
	}
	out[n] = 0;
	return at + 1;
}

static void dns_put_row(struct dns_packet *p, const struct dns_row *row)
{
	size_t length_at;

	dns_put_name(p, row->name);
	dns_put16(p, (unsigned)row->type);
	dns_put16(p, 1);
	dns_put16(p, 0);
	dns_put16(p, 60); /* TTL */
	length_at = p->n;
	p->n += 2;
	if (row->type == DNS_ROW_A)
		p->n += inet_pton(AF_INET, row->data, p->bytes + p->n) * 4;
	else if (row->type == DNS_ROW_AAAA)
		p->n += inet_pton(AF_INET6, row->data, p->bytes + p->n) * 16;
	else if (row->type == DNS_ROW_MX)
		dns_put16(p, row->preference);
	if (row->type == DNS_ROW_MX || row->type == DNS_ROW_CNAME)
		dns_put_name(p, row->data);
	p->bytes[length_at] = (uint8_t)((p->n - length_at - 2) >> 8);
	p->bytes[length_at + 1] = (uint8_t)(p->n - length_at - 2);
}

struct dns_found {
	bool exists, fails, silent;
	unsigned n;
};

/* The rows of a name and type, behind its CNAMEs; two at most. */
static void dns_collect(const struct dns_server *s, const char *name, int type,
			struct dns_packet *p, struct dns_found *f)
{
	for (int hop = 0; hop < 3; hop++) {
		const char *next = NULL;

		for (const struct dns_row *r = s->rows; r->name; r++) {
			if (strcasecmp(r->name, name) != 0)
				continue;
			f->exists = true;
			if (r->type != type && r->type != DNS_ROW_CNAME)
				continue;
			f->fails |= strcmp(r->data, "SERVFAIL") == 0;
			f->silent |= strcmp(r->data, "SILENCE") == 0;
			if (f->fails || f->silent)
				return;
			dns_put_row(p, r);
			f->n++;
			if (r->type == DNS_ROW_CNAME)
				next = r->data;
		}
		if (!next)
			return;
		name = next;
	}
}

/* False: no answer. */
static bool dns_reply(struct dns_server *s, const struct dns_packet *q,
		      struct dns_packet *p)
{
	struct dns_found f = {0};
	char name[300];
	size_t end = q->n > 12 ? dns_get_name(q, name, sizeof(name)) : 0;
	unsigned rcode;

	if (end == 0 || end + 4 > q->n)
		return false;
	memcpy(p->bytes, q->bytes, end + 4);
	memset(p->bytes + 6, 0, 6);
	p->n = end + 4;
	dns_collect(s, name, q->bytes[end] << 8 | q->bytes[end + 1], p, &f);
	rcode = f.fails ? 2 : f.exists ? 0 : 3;
	p->bytes[2] = 0x84 | (q->bytes[2] & 1);
	p->bytes[3] = (uint8_t)(0x80 | rcode);
	p->bytes[5] = 1;
	p->bytes[7] = (uint8_t)f.n;
	return !f.silent;
}

static void *dns_serve(void *data)
{
	struct dns_server *s = data;
	struct sockaddr_storage from;
	struct dns_packet q, p;

	for (;;) {
		socklen_t n = sizeof(from);
		ssize_t got = recvfrom(s->fd, q.bytes, sizeof(q.bytes), 0,
				       (struct sockaddr *)&from, &n);

		if (got <= 0) /* an empty datagram: dns_server_stop */
			return NULL;
		q.n = (size_t)got;
		memset(&p, 0, sizeof(p));
		atomic_fetch_add(&s->queries, 1);
		if (dns_reply(s, &q, &p))
			sendto(s->fd, p.bytes, p.n, 0, (struct sockaddr *)&from,
			       n);
	}
}

static inline void dns_server_start(struct dns_server *s,
				    const struct dns_row *rows)
{
	struct sockaddr_in at = {.sin_family = AF_INET};
	socklen_t n = sizeof(at);

	memset(s, 0, sizeof(*s));
	s->rows = rows;
	at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	s->fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	ck_assert_int_ge(s->fd, 0);
	ck_assert_int_eq(bind(s->fd, (struct sockaddr *)&at, n), 0);
	ck_assert_int_eq(getsockname(s->fd, (struct sockaddr *)&at, &n), 0);
	snprintf(s->at, sizeof(s->at), "127.0.0.1@%u", ntohs(at.sin_port));
	ck_assert_int_eq(pthread_create(&s->thread, NULL, dns_serve, s), 0);
}

static inline void dns_server_stop(struct dns_server *s)
{
	struct sockaddr_in at;
	socklen_t n = sizeof(at);

	ck_assert_int_eq(getsockname(s->fd, (struct sockaddr *)&at, &n), 0);
	sendto(s->fd, "", 0, 0, (struct sockaddr *)&at, n);
	pthread_join(s->thread, NULL);
	close(s->fd);
}

#endif
