#include "mxhold/outbound/guard.h"

#include "mxhold/base/slice.h"
#include "mxhold/net/ifaddrs.h"

bool guard_is_our_name(const struct config *c, const char *name)
{
	struct slice s = slice_str(name);

	if (s.n && s.p[s.n - 1] == '.')
		s.n--;
	return c->hostname && slice_eq_nocase(s, slice_str(c->hostname));
}

static bool is_external(const struct config *c, const struct inet_addr *a)
{
	for (size_t i = 0; i < c->n_external; i++) {
		if (inet_eq(&c->external[i], a))
			return true;
	}
	return false;
}

static bool is_wildcard(const struct inet_addr *a)
{
	for (size_t i = 0; i < sizeof(a->bytes); i++) {
		if (a->bytes[i])
			return false;
	}
	return true;
}

static bool answers(const struct config *c, const struct endpoint *listen,
		    const struct endpoint *e)
{
	if (listen->port != e->port)
		return false;
	if (inet_eq(&listen->addr, &e->addr) || is_external(c, &e->addr))
		return true;
	return is_wildcard(&listen->addr) && ifaddrs_is_ours(&e->addr);
}

bool guard_is_our_listener(const struct config *c, const struct endpoint *e)
{
	for (size_t i = 0; i < c->n_listens; i++) {
		const struct config_listen *l = &c->listens[i];

		for (size_t j = 0; j < l->n_addresses; j++) {
			if (answers(c, &l->addresses[j], e))
				return true;
		}
	}
	return false;
}

static bool is_our_port(const struct config *c, uint16_t port)
{
	if (port == 25)
		return true;
	for (size_t i = 0; i < c->n_listens; i++) {
		const struct config_listen *l = &c->listens[i];

		for (size_t j = 0; j < l->n_addresses; j++) {
			if (l->addresses[j].port == port)
				return true;
		}
	}
	return false;
}

bool guard_is_us(const struct config *c, const struct endpoint *e)
{
	return is_our_port(c, e->port) &&
	       (ifaddrs_is_ours(&e->addr) || is_external(c, &e->addr));
}
