/*
 * A lean load generator: one thread, epoll, a dialogue of two round trips a
 * message (MAIL, RCPT and DATA in one write; content and dot in one write), so
 * that the generator is not the limit. Notes the time from the final dot to
 * its 250 of every message.
 *
 * usage: smtp_load [-d] -s SESSIONS -m MESSAGES -l BYTES [-n NAMES] IP PORT
 *   -d  many messages a connection (default: a connection a message)
 *   -n  recipients 1user@example.test .. NAMESuser@example.test (default 1)
 * prints: messages_per_s SECONDS p50_ms p99_ms max_ms refused
 * Exit 1 when any message was not accepted.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum step {
	CONNECTING,
	BANNER,
	EHLO,
	ENVELOPE,
	CONTENT,
	QUIT
};

struct session {
	int fd;
	enum step step;
	int left; /* replies to hear before the next step */
	size_t sent;
	double dot_at;
	size_t in_n;
	char in[2048];
	char envelope[256];
	size_t envelope_n;
};

static struct sockaddr_in to;
static int poller, names = 1;
static bool many;
static long todo, started, done_n, refused;
static char *content;
static size_t content_n;
static float *latency;

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void die(const char *what)
{
	perror(what);
	exit(2);
}

static void watch(struct session *s, uint32_t events, int op)
{
	struct epoll_event e = {.events = events, .data.ptr = s};

	if (epoll_ctl(poller, op, s->fd, &e) < 0)
		die("epoll_ctl");
}

static bool open_session(struct session *s)
{
	int one = 1;

	if (started >= todo)
		return false;
	if (!many)
		started++;
	s->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	if (s->fd < 0)
		die("socket");
	setsockopt(s->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	s->step = BANNER;
	s->left = 1;
	s->in_n = 0;
	if (connect(s->fd, (struct sockaddr *)&to, sizeof(to)) < 0 &&
	    errno != EINPROGRESS)
		die("connect");
	watch(s, EPOLLIN, EPOLL_CTL_ADD);
	return true;
}

static void put(struct session *s, const char *p, size_t n)
{
	ssize_t got = write(s->fd, p, n);

	if (got != (ssize_t)n)
		die("write of commands");
}

static void envelope(struct session *s)
{
	s->envelope_n = (size_t)snprintf(
		s->envelope, sizeof(s->envelope),
		"MAIL FROM:<sender@source.test>\r\nRCPT TO:<%ld%s>\r\n"
		"DATA\r\n",
		done_n % names + 1, "user@example.test");
	s->step = ENVELOPE;
	s->left = 3;
	put(s, s->envelope, s->envelope_n);
}

/* More content; EPOLLOUT is wanted until it is all gone. */
static void push_content(struct session *s)
{
	while (s->sent < content_n) {
		ssize_t n =
			write(s->fd, content + s->sent, content_n - s->sent);

		if (n < 0 && errno == EAGAIN) {
			watch(s, EPOLLIN | EPOLLOUT, EPOLL_CTL_MOD);
			return;
		}
		if (n < 0)
			die("write of content");
		s->sent += (size_t)n;
	}
	s->dot_at = now();
	if (content_n > 65536)
		watch(s, EPOLLIN, EPOLL_CTL_MOD);
}

static void close_session(struct session *s)
{
	close(s->fd);
	s->fd = -1;
	open_session(s);
}

static void next_message(struct session *s)
{
	if (!many || started >= todo) {
		s->step = QUIT;
		s->left = 1;
		put(s, "QUIT\r\n", 6);
		return;
	}
	started++;
	envelope(s);
}

static void heard(struct session *s, int code)
{
	bool bad = code >= 400;

	if (bad) {
		refused++;
		fprintf(stderr, "smtp_load: %.*s\n", 80, s->in);
		exit(1);
	}
	if (--s->left)
		return;
	switch (s->step) {
	case CONNECTING:
	case BANNER:
		s->step = EHLO;
		s->left = 1;
		put(s, "EHLO load.test\r\n", 16);
		break;
	case EHLO:
		if (many) {
			if (started >= todo) {
				next_message(s);
				break;
			}
			started++;
		}
		envelope(s);
		break;
	case ENVELOPE:
		s->step = CONTENT;
		s->left = 1;
		s->sent = 0;
		push_content(s);
		break;
	case CONTENT:
		latency[done_n++] = (float)((now() - s->dot_at) * 1000);
		next_message(s);
		break;
	case QUIT:
		close_session(s);
		break;
	}
}

static void read_replies(struct session *s)
{
	ssize_t n = read(s->fd, s->in + s->in_n, sizeof(s->in) - 1 - s->in_n);
	char *line = s->in, *end;

	if (n < 0 && errno == EAGAIN)
		return;
	if (n <= 0)
		die("connection closed");
	s->in_n += (size_t)n;
	s->in[s->in_n] = '\0';
	while ((end = memchr(line, '\n', s->in_n - (size_t)(line - s->in)))) {
		bool last = line[3] == ' ';
		int code = atoi(line);
		enum step before = s->step;

		line = end + 1;
		if (last)
			heard(s, code);
		if (before == QUIT)
			return;
	}
	s->in_n -= (size_t)(line - s->in);
	memmove(s->in, line, s->in_n);
}

static void make_content(size_t bytes)
{
	static const char head[] = "From: sender@source.test\r\n"
				   "To: user@example.test\r\n"
				   "Subject: load\r\n\r\n";
	size_t n = sizeof(head) - 1;

	content = malloc(bytes + 256);
	memcpy(content, head, n);
	while (n + 2 < bytes) {
		size_t row = bytes - n - 2 < 76 ? bytes - n - 2 : 76;

		memset(content + n, 'x', row);
		n += row;
		memcpy(content + n, "\r\n", 2);
		n += 2;
	}
	memcpy(content + n, ".\r\n", 3);
	content_n = n + 3;
}

static int by_value(const void *a, const void *b)
{
	float x = *(const float *)a, y = *(const float *)b;

	return (x > y) - (x < y);
}

static void run(struct session *all, int sessions)
{
	struct epoll_event events[256];

	for (int i = 0; i < sessions; i++)
		if (!open_session(&all[i]))
			break;
	while (done_n < todo) {
		int n = epoll_wait(poller, events, 256, 60000);

		if (n == 0) {
			fprintf(stderr, "smtp_load: nothing for a minute\n");
			exit(1);
		}
		for (int i = 0; i < n; i++) {
			struct session *s = events[i].data.ptr;

			if (events[i].events & EPOLLOUT)
				push_content(s);
			if (events[i].events & ~(uint32_t)EPOLLOUT)
				read_replies(s);
		}
	}
}

int main(int argc, char **argv)
{
	int sessions = 1, opt;
	size_t bytes = 1024;
	double start, took;

	while ((opt = getopt(argc, argv, "ds:m:l:n:")) != -1) {
		if (opt == 'd')
			many = true;
		else if (opt == 's')
			sessions = atoi(optarg);
		else if (opt == 'm')
			todo = atol(optarg);
		else if (opt == 'l')
			bytes = strtoul(optarg, NULL, 10);
		else if (opt == 'n')
			names = atoi(optarg);
		else
			return 2;
	}
	if (argc - optind != 2 || todo < 1 || sessions < 1 || names < 1) {
		fprintf(stderr, "usage: smtp_load [-d] -s SESSIONS -m MESSAGES "
				"-l BYTES [-n NAMES] IP PORT\n");
		return 2;
	}
	to.sin_family = AF_INET;
	to.sin_port = htons((uint16_t)atoi(argv[optind + 1]));
	if (inet_pton(AF_INET, argv[optind], &to.sin_addr) != 1)
		return 2;
	make_content(bytes);
	latency = calloc((size_t)todo, sizeof(*latency));
	poller = epoll_create1(0);
	start = now();
	run(calloc((size_t)sessions, sizeof(struct session)), sessions);
	took = now() - start;
	qsort(latency, (size_t)todo, sizeof(*latency), by_value);
	printf("%.1f %.3f %.3f %.3f %.3f %ld\n", (double)todo / took, took,
	       (double)latency[todo / 2], (double)latency[todo * 99 / 100],
	       (double)latency[todo - 1], refused);
	return 0;
}
