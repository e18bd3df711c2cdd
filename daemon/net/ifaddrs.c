#include "mxhold/net/ifaddrs.h"

#include <ifaddrs.h>
#include <pthread.h>

#include "mxhold/base/clock.h"
#include "mxhold/base/mem.h"

enum {
	REFRESH_MS = 60 * 1000,
	ADDRESSES_MAX = 4096
};

static struct {
	pthread_mutex_t lock;
	struct inet_addr *list;
	size_t n;
	int64_t read_at_ms; /* 0 = never */
} known = {.lock = PTHREAD_MUTEX_INITIALIZER};

static size_t count(const struct ifaddrs *all)
{
	size_t n = 0;
	for (const struct ifaddrs *i = all; i && n < ADDRESSES_MAX;
	     i = i->ifa_next)
		n++;
	return n;
}

static void fill(const struct ifaddrs *all, size_t room)
{
	known.n = 0;
	for (const struct ifaddrs *i = all; i && known.n < room;
	     i = i->ifa_next) {
		struct endpoint e;
		if (i->ifa_addr && endpoint_from_sockaddr(i->ifa_addr, &e))
			known.list[known.n++] = e.addr;
	}
}

/* When the system does not answer, what was known stays in force. */
static void refresh(void)
{
	int64_t now = clock_mono_ms();
	if (known.read_at_ms != 0 && now - known.read_at_ms < REFRESH_MS)
		return;
	struct ifaddrs *all;
	if (getifaddrs(&all) != 0)
		return;
	size_t room = count(all);
	mem_free(known.list);
	known.list = mem_array(room + 1, sizeof(*known.list));
	fill(all, room);
	freeifaddrs(all);
	known.read_at_ms = now;
}

bool ifaddrs_is_ours(const struct inet_addr *a)
{
	if (inet_is_loopback(a)) /* unspecified too */
		return true;
	bool found = false;
	pthread_mutex_lock(&known.lock);
	refresh();
	for (size_t i = 0; i < known.n && !found; i++)
		found = inet_eq(&known.list[i], a);
	pthread_mutex_unlock(&known.lock);
	return found;
}
