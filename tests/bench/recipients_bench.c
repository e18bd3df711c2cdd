/*
 * How long a look at the list of recipients takes.
 *
 * usage: recipients_bench lookup STATE_DIR DOMAIN NAMES SECONDS
 *   looks user<n>@DOMAIN up in the directory, half of them known (n < NAMES)
 *   prints: lookups mean_us p50_us p99_us
 * usage: recipients_bench rcpt IP PORT DOMAIN NAMES SECONDS
 *   MAIL, RCPT, RSET over one connection; notes the time of each RCPT
 *   prints: rcpts p50_us p99_us max_us
 * SECONDS 0: until SIGTERM.
 */
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "mxhold/base/random.h"
#include "mxhold/storage/directory.h"

enum {
	SAMPLES_MAX = 4000000
};

static float *samples;
static size_t n_samples;
static volatile sig_atomic_t stop;

static void die(const char *what)
{
	perror(what);
	exit(2);
}

static void on_term(int signo)
{
	(void)signo;
	stop = 1;
}

static double now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static bool goes_on(double began_us, double seconds)
{
	return !stop && n_samples < SAMPLES_MAX &&
	       (seconds == 0 || now_us() - began_us < seconds * 1e6);
}

static int by_value(const void *a, const void *b)
{
	float x = *(const float *)a, y = *(const float *)b;

	return (x > y) - (x < y);
}

static void sort_samples(void)
{
	if (n_samples == 0) {
		fprintf(stderr, "recipients_bench: nothing was measured\n");
		exit(1);
	}
	qsort(samples, n_samples, sizeof(*samples), by_value);
}

static void no_hash(const void *p, size_t n, uint8_t out[32])
{
	(void)p;
	(void)n;
	memset(out, 0, 32);
}

static void lookup(char **argv)
{
	uint32_t names = (uint32_t)atol(argv[2]);
	double seconds = atof(argv[3]), began_us, sum = 0;
	struct directory_reader *r;
	struct directory *d;
	struct error err;

	if (directory_open(&d, argv[0], true, &err)) {
		fprintf(stderr, "recipients_bench: %s\n", err.text);
		exit(1);
	}
	r = directory_reader_new(d, no_hash);
	began_us = now_us();
	while (goes_on(began_us, seconds)) {
		uint32_t n = random_below(2 * names);
		double at_us;
		enum listed got;
		char address[300];

		snprintf(address, sizeof(address), "user%u@%s", n, argv[1]);
		at_us = now_us();
		got = directory_lookup(r, argv[1], address, address);
		samples[n_samples] = (float)(now_us() - at_us);
		sum += samples[n_samples++];
		if (got != (n < names ? LISTED_YES : LISTED_NO)) {
			fprintf(stderr, "recipients_bench: %s: %d\n", address,
				(int)got);
			exit(1);
		}
	}
	sort_samples();
	printf("%zu %.2f %.2f %.2f\n", n_samples, sum / (double)n_samples,
	       (double)samples[n_samples / 2],
	       (double)samples[n_samples * 99 / 100]);
	directory_reader_free(r);
	directory_close(d);
}

/* One reply; its code. */
static int hear(int fd)
{
	char text[4096];
	size_t n = 0;

	for (;;) {
		ssize_t got = read(fd, text + n, sizeof(text) - 1 - n);
		char *line;

		if (got <= 0)
			die("the daemon hung up");
		n += (size_t)got;
		text[n] = '\0';
		if (text[n - 1] != '\n')
			continue;
		text[n - 1] = '\0';
		line = strrchr(text, '\n');
		line = line ? line + 1 : text;
		if (line[3] == ' ')
			return atoi(line);
		text[n - 1] = '\n';
	}
}

static void say(int fd, const char *line, int want)
{
	size_t n = strlen(line);
	int code;

	if (write(fd, line, n) != (ssize_t)n)
		die("write");
	code = hear(fd);
	if (code == want)
		return;
	fprintf(stderr, "recipients_bench: %d to %s", code, line);
	exit(1);
}

static int connect_to(const char *ip, const char *port)
{
	struct sockaddr_in to = {.sin_family = AF_INET};
	int fd = socket(AF_INET, SOCK_STREAM, 0), one = 1;

	to.sin_port = htons((uint16_t)atoi(port));
	inet_pton(AF_INET, ip, &to.sin_addr);
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	if (connect(fd, (struct sockaddr *)&to, sizeof(to)) < 0)
		die("connect");
	hear(fd);
	say(fd, "EHLO load.test\r\n", 250);
	return fd;
}

static void rcpt(char **argv)
{
	uint32_t names = (uint32_t)atol(argv[3]);
	double seconds = atof(argv[4]), began_us = now_us();
	int fd = connect_to(argv[0], argv[1]);

	while (goes_on(began_us, seconds)) {
		char line[300];
		double at_us;

		snprintf(line, sizeof(line), "RCPT TO:<user%u@%s>\r\n",
			 random_below(names), argv[2]);
		say(fd, "MAIL FROM:<a@b.test>\r\n", 250);
		at_us = now_us();
		say(fd, line, 250);
		samples[n_samples++] = (float)(now_us() - at_us);
		say(fd, "RSET\r\n", 250);
	}
	sort_samples();
	printf("%zu %.0f %.0f %.0f\n", n_samples,
	       (double)samples[n_samples / 2],
	       (double)samples[n_samples * 99 / 100],
	       (double)samples[n_samples - 1]);
	close(fd);
}

int main(int argc, char **argv)
{
	signal(SIGTERM, on_term);
	samples = calloc(SAMPLES_MAX, sizeof(*samples));
	if (argc == 6 && strcmp(argv[1], "lookup") == 0)
		lookup(argv + 2);
	else if (argc == 7 && strcmp(argv[1], "rcpt") == 0)
		rcpt(argv + 2);
	else
		return 2;
	return 0;
}
