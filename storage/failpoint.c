#include "mxhold/storage/failpoint.h"

#ifdef MX_FAILPOINTS

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct {
	char name[64];
	unsigned long at; /* the pass that counts; 0 = none */
	unsigned long passes;
	bool onwards; /* every later pass too */
	int sys;      /* errno, or 0 = kill */
} point;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void parse(const char *spec)
{
	size_t n;
	const char *colon, *equals;

	memset(&point, 0, sizeof(point));
	if (!spec)
		return;
	n = strcspn(spec, ":=");
	if (n == 0 || n >= sizeof(point.name))
		return;
	memcpy(point.name, spec, n);
	point.at = 1;
	colon = strchr(spec, ':');
	if (colon) {
		char *end;

		point.at = strtoul(colon + 1, &end, 10);
		point.onwards = *end == '+';
	}
	equals = strchr(spec, '=');
	if (equals && strncmp(equals + 1, "eio", 3) == 0)
		point.sys = EIO;
	if (equals && strncmp(equals + 1, "enospc", 6) == 0)
		point.sys = ENOSPC;
}

static void read_environment(void)
{
	parse(getenv("MXHOLDD_FAIL"));
}

void failpoint_set(const char *spec)
{
	pthread_once(&once, read_environment);
	pthread_mutex_lock(&lock);
	parse(spec);
	pthread_mutex_unlock(&lock);
}

bool failpoint_is(const char *name)
{
	bool is;

	pthread_once(&once, read_environment);
	pthread_mutex_lock(&lock);
	is = point.at && strcmp(name, point.name) == 0;
	pthread_mutex_unlock(&lock);
	return is;
}

int failpoint_hit(const char *name)
{
	bool now = false;
	int sys;

	pthread_once(&once, read_environment);
	pthread_mutex_lock(&lock);
	if (point.at && strcmp(name, point.name) == 0) {
		point.passes++;
		now = point.passes == point.at ||
		      (point.onwards && point.passes > point.at);
	}
	sys = point.sys;
	pthread_mutex_unlock(&lock);
	if (now && sys == 0)
		kill(getpid(), SIGKILL);
	return now ? sys : 0;
}

#else
typedef int failpoint_is_empty; /* ISO C wants something here */
#endif
