/*
 * A primary for tests: an SMTP server with threads of its own at a port of
 * its own on 127.0.0.1. What it answers is set by the test while it runs;
 * what it was given is kept. Recipients are answered by their local parts:
 * "later..." 450, "gone..." 550, anything else 250.
 */
#ifndef MXHOLD_TESTS_RELAY_SINK_H
#define MXHOLD_TESTS_RELAY_SINK_H

#include <arpa/inet.h>
#include <check.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

enum sink_stage {
	SINK_NOWHERE,
	SINK_MAIL,
	SINK_RCPT,
	SINK_DATA,
	SINK_BODY, /* after the first line of it */
	SINK_DOT   /* the message is stored, the reply is not sent */
};

enum {
	SINK_MESSAGES = 2048,
	SINK_SESSIONS = 64
};

struct sink_message {
	char from[256], rcpts[1024]; /* "a b c" */
	char *body;
	size_t n;
	unsigned session, n_rcpts;
	bool acked, refused; /* refused: at MAIL */
};

struct sink {
	pthread_mutex_t lock;
	pthread_t thread;
	int fd;
	uint16_t port;
	bool running;

	/* the test's wishes; 0 = none */
	int banner, mail, dot; /* reply codes */
	enum sink_stage drop;  /* there, `times` times */
	int drop_times, mail_times, dot_times;
	unsigned rcpt_max;     /* accepted in a transaction, then 452 */
	unsigned max_sessions; /* more get 421; 0 = no limit */
	unsigned max_mails;    /* of a session, then 421 to MAIL */
	bool cuts;             /* then it hangs up without a word */
	int holds;   /* so many replies to a dot are held until let_go */
	int mutes;   /* so many sessions hear nothing until let_go, or -1 */
	bool stalls; /* the first content is read when let_go */
	bool let_go;
	unsigned passes;    /* those who are held now may pass, when it moves */
	unsigned held;      /* are held now, or were */
	bool dsn;           /* offered */
	bool bare;          /* nothing is offered but PIPELINING */
	const char *limits; /* what LIMITS says, or NULL */

	/* what happened */
	struct sink_message messages[SINK_MESSAGES];
	unsigned n_messages, limited, sessions, open, most_open, mails, probes;
	pthread_t clients[4096];
	int client_fds[4096];
	unsigned n_clients;
};

struct sink_client {
	struct sink *s;
	int fd;
	unsigned number, mails;
	FILE *in;
};

static void sink_say(struct sink_client *c, const char *line)
{
	char text[600];
	int n = snprintf(text, sizeof(text), "%s\r\n", line);

	if (send(c->fd, text, (size_t)n, MSG_NOSIGNAL) != n)
		shutdown(c->fd, SHUT_RDWR);
}

static void sink_say_code(struct sink_client *c, int code, const char *text)
{
	char line[200];

	snprintf(line, sizeof(line), "%d %s", code, text);
	sink_say(c, line);
}

static int sink_wish(struct sink *s, const int *code, int *times)
{
	int wish = 0;

	pthread_mutex_lock(&s->lock);
	if (*code && (!times || *times != 0)) {
		wish = *code;
		if (times && *times > 0)
			--*times;
	}
	pthread_mutex_unlock(&s->lock);
	return wish;
}

/* True: hang up here. */
static bool sink_drops(struct sink_client *c, enum sink_stage stage)
{
	struct sink *s = c->s;
	bool drop;

	pthread_mutex_lock(&s->lock);
	drop = s->drop == stage && s->drop_times != 0;
	if (drop && s->drop_times > 0)
		s->drop_times--;
	pthread_mutex_unlock(&s->lock);
	return drop;
}

static bool sink_read_body(struct sink_client *c, struct sink_message *m)
{
	char line[4096];
	size_t room = 0;

	while (fgets(line, sizeof(line), c->in)) {
		size_t n = strlen(line);
		const char *p = line;

		if (strcmp(line, ".\r\n") == 0)
			return true;
		if (sink_drops(c, SINK_BODY))
			return false;
		if (*p == '.') {
			p++;
			n--;
		}
		if (m->n + n > room) {
			room = (m->n + n) * 2;
			m->body = realloc(m->body, room + 1);
		}
		memcpy(m->body + m->n, p, n);
		m->n += n;
		m->body[m->n] = '\0';
	}
	return false;
}

static void sink_store(struct sink_client *c, struct sink_message *m,
		       bool acked)
{
	struct sink *s = c->s;

	m->session = c->number;
	m->acked = acked;
	pthread_mutex_lock(&s->lock);
	ck_assert_uint_lt(s->n_messages, SINK_MESSAGES);
	s->messages[s->n_messages++] = *m;
	pthread_mutex_unlock(&s->lock);
	memset(m, 0, sizeof(*m));
}

static void sink_hold(struct sink *s)
{
	unsigned passes;
	bool held;

	pthread_mutex_lock(&s->lock);
	passes = s->passes;
	held = s->holds > 0;
	if (held) {
		s->holds--;
		s->held++;
	}
	while (held && !s->let_go && s->passes == passes && s->running) {
		pthread_mutex_unlock(&s->lock);
		usleep(1000);
		pthread_mutex_lock(&s->lock);
	}
	pthread_mutex_unlock(&s->lock);
}

static inline void sink_let_go(struct sink *s)
{
	pthread_mutex_lock(&s->lock);
	s->let_go = true;
	pthread_mutex_unlock(&s->lock);
}

/* Only who is held now. */
static inline void sink_let_pass(struct sink *s)
{
	pthread_mutex_lock(&s->lock);
	s->passes++;
	pthread_mutex_unlock(&s->lock);
}

static inline unsigned sink_held(struct sink *s)
{
	unsigned n;

	pthread_mutex_lock(&s->lock);
	n = s->held;
	pthread_mutex_unlock(&s->lock);
	return n;
}

/* Large content is then stuck half-way. */
static void sink_stall(struct sink *s)
{
	bool stalls;

	pthread_mutex_lock(&s->lock);
	stalls = s->stalls;
	s->stalls = false;
	s->holds += stalls;
	pthread_mutex_unlock(&s->lock);
	if (stalls)
		sink_hold(s);
}

static void sink_mute(struct sink *s)
{
	bool mute;

	pthread_mutex_lock(&s->lock);
	mute = s->mutes > 0;
	s->mutes -= mute;
	while (mute && s->mutes >= 0 && !s->let_go && s->running) {
		pthread_mutex_unlock(&s->lock);
		usleep(1000);
		pthread_mutex_lock(&s->lock);
	}
	pthread_mutex_unlock(&s->lock);
}

static bool sink_data(struct sink_client *c, struct sink_message *m)
{
	struct sink *s = c->s;
	int code;

	if (sink_drops(c, SINK_DATA))
		return false;
	if (!m->n_rcpts) {
		sink_say(c, "554 5.5.1 no recipients");
		return true;
	}
	sink_say(c, "354 go on");
	sink_stall(s);
	if (!sink_read_body(c, m))
		return false;
	sink_hold(s);
	code = sink_wish(s, &s->dot, &s->dot_times);
	if (code) {
		sink_say_code(c, code, "not this one");
		free(m->body);
		memset(m, 0, sizeof(*m));
		return true;
	}
	if (sink_drops(c, SINK_DOT)) {
		sink_store(c, m, false);
		return false;
	}
	sink_store(c, m, true);
	sink_say(c, "250 2.0.0 taken");
	return true;
}

static void sink_address(const char *line, char *out, size_t room)
{
	const char *from = strchr(line, '<');
	size_t n = from ? strcspn(from + 1, ">") : 0;

	snprintf(out, room, "%.*s", (int)n, from ? from + 1 : "");
}

static bool sink_rcpt(struct sink_client *c, struct sink_message *m,
		      const char *line)
{
	char address[256];
	size_t at = strlen(m->rcpts);

	if (sink_drops(c, SINK_RCPT))
		return false;
	sink_address(line, address, sizeof(address));
	if (m->refused) {
		sink_say(c, "503 5.5.1 no MAIL");
	} else if (strncmp(address, "later", 5) == 0) {
		sink_say(c, "450 4.2.0 later");
	} else if (strncmp(address, "gone", 4) == 0) {
		sink_say(c, "550 5.1.1 no such user");
	} else if (c->s->rcpt_max && m->n_rcpts >= c->s->rcpt_max) {
		sink_say(c, "452 4.5.3 too many recipients");
	} else {
		snprintf(m->rcpts + at, sizeof(m->rcpts) - at, "%s%s",
			 at ? " " : "", address);
		m->n_rcpts++;
		sink_say(c, "250 2.1.5 ok");
	}
	return true;
}

static bool sink_mail(struct sink_client *c, struct sink_message *m,
		      const char *line)
{
	struct sink *s = c->s;
	int code = 0;

	memset(m, 0, sizeof(*m));
	sink_address(line, m->from, sizeof(m->from));
	if (m->from[0]) { /* probes come from nobody, and are no mail */
		if (sink_drops(c, SINK_MAIL))
			return false;
		code = sink_wish(s, &s->mail, &s->mail_times);
		if (s->max_mails && c->mails++ >= s->max_mails) {
			s->limited++;
			if (!s->cuts)
				sink_say(c, "421 4.7.0 enough");
			return false;
		}
	}
	pthread_mutex_lock(&s->lock);
	if (m->from[0])
		s->mails++;
	else
		s->probes++;
	pthread_mutex_unlock(&s->lock);
	m->refused = code != 0;
	if (code)
		sink_say_code(c, code, "not from you");
	else
		sink_say(c, "250 2.1.0 ok");
	return true;
}

static void sink_say_limits(struct sink_client *c)
{
	char text[200];

	snprintf(text, sizeof(text), "250-sink.test\r\n250 LIMITS %s",
		 c->s->limits);
	sink_say(c, text);
}

static bool sink_command(struct sink_client *c, struct sink_message *m,
			 const char *line)
{
	if (strncasecmp(line, "EHLO", 4) == 0 && c->s->limits)
		sink_say_limits(c);
	else if (strncasecmp(line, "EHLO", 4) == 0 && c->s->bare)
		sink_say(c, "250-sink.test\r\n250 PIPELINING");
	else if (strncasecmp(line, "EHLO", 4) == 0)
		sink_say(c, c->s->dsn ? "250-sink.test\r\n250-PIPELINING\r\n"
					"250-DSN\r\n250 8BITMIME"
				      : "250-sink.test\r\n250-PIPELINING\r\n"
					"250 8BITMIME");
	else if (strncasecmp(line, "MAIL", 4) == 0)
		return sink_mail(c, m, line);
	else if (strncasecmp(line, "RCPT", 4) == 0)
		return sink_rcpt(c, m, line);
	else if (strncasecmp(line, "DATA", 4) == 0)
		return sink_data(c, m);
	else if (strncasecmp(line, "QUIT", 4) == 0)
		sink_say(c, "221 2.0.0 bye");
	else
		sink_say(c, "250 2.0.0 ok");
	return strncasecmp(line, "QUIT", 4) != 0;
}

static void sink_session(struct sink_client *c)
{
	struct sink_message m = {0};
	struct sink *s = c->s;
	char line[4096];
	int banner = sink_wish(s, &s->banner, NULL);

	if (s->max_sessions && s->open > s->max_sessions)
		banner = 421;
	sink_mute(s);
	sink_say_code(c, banner ? banner : 220, "sink.test");
	while (!banner && fgets(line, sizeof(line), c->in)) {
		if (!sink_command(c, &m, line))
			break;
	}
	free(m.body);
}

static void *sink_client_run(void *data)
{
	struct sink_client *c = data;
	struct sink *s = c->s;

	pthread_mutex_lock(&s->lock);
	s->open++;
	s->most_open = s->open > s->most_open ? s->open : s->most_open;
	pthread_mutex_unlock(&s->lock);
	sink_session(c);
	pthread_mutex_lock(&s->lock);
	s->open--;
	s->client_fds[c->number] = -1;
	pthread_mutex_unlock(&s->lock);
	fclose(c->in);
	free(c);
	return NULL;
}

static void *sink_run(void *data)
{
	struct sink *s = data;

	for (;;) {
		int fd = accept(s->fd, NULL, NULL), on = 1;
		struct sink_client *c;

		if (fd < 0)
			return NULL;
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
		c = calloc(1, sizeof(*c));
		c->s = s;
		c->fd = fd;
		c->in = fdopen(fd, "r+");
		pthread_mutex_lock(&s->lock);
		c->number = s->n_clients++;
		s->sessions++;
		s->client_fds[c->number] = fd;
		pthread_mutex_unlock(&s->lock);
		ck_assert_uint_lt(c->number, 4096);
		pthread_create(&s->clients[c->number], NULL, sink_client_run,
			       c);
	}
}

static inline void sink_open(struct sink *s)
{
	struct sockaddr_in at = {.sin_family = AF_INET,
				 .sin_port = htons(s->port)};
	socklen_t n = sizeof(at);
	int on = 1;

	at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	s->fd = socket(AF_INET, SOCK_STREAM, 0);
	setsockopt(s->fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	ck_assert_int_eq(bind(s->fd, (struct sockaddr *)&at, n), 0);
	ck_assert_int_eq(getsockname(s->fd, (struct sockaddr *)&at, &n), 0);
	s->port = ntohs(at.sin_port);
	ck_assert_int_eq(listen(s->fd, 128), 0);
	pthread_mutex_lock(&s->lock);
	s->running = true;
	pthread_mutex_unlock(&s->lock);
	pthread_create(&s->thread, NULL, sink_run, s);
}

/* The port, with nobody behind it. */
static inline void sink_init(struct sink *s)
{
	memset(s, 0, sizeof(*s));
	pthread_mutex_init(&s->lock, NULL);
	sink_open(s);
}

/* Goes away: listener and all sessions. */
static inline void sink_close(struct sink *s)
{
	if (!s->running)
		return;
	pthread_mutex_lock(&s->lock);
	s->running = false;
	pthread_mutex_unlock(&s->lock);
	shutdown(s->fd, SHUT_RDWR);
	pthread_join(s->thread, NULL);
	close(s->fd);
	pthread_mutex_lock(&s->lock);
	for (unsigned i = 0; i < s->n_clients; i++) {
		if (s->client_fds[i] >= 0)
			shutdown(s->client_fds[i], SHUT_RDWR);
	}
	pthread_mutex_unlock(&s->lock);
	for (unsigned i = 0; i < s->n_clients; i++)
		pthread_join(s->clients[i], NULL);
	s->n_clients = 0;
}

static inline void sink_done(struct sink *s)
{
	sink_close(s);
	for (unsigned i = 0; i < s->n_messages; i++)
		free(s->messages[i].body);
	pthread_mutex_destroy(&s->lock);
}

static inline unsigned sink_count(struct sink *s)
{
	unsigned n;

	pthread_mutex_lock(&s->lock);
	n = s->n_messages;
	pthread_mutex_unlock(&s->lock);
	return n;
}

static inline void sink_set(struct sink *s, int *wish, int value)
{
	pthread_mutex_lock(&s->lock);
	*wish = value;
	pthread_mutex_unlock(&s->lock);
}

#endif
