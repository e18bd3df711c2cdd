/*
 * The configuration: read whole, checked whole, then immutable and counted.
 * Every part is handed its piece by the composition root; nobody looks a
 * value up by name. Durations are milliseconds, sizes bytes. The table that
 * defines each option (type, bounds, default, reloadable, help) is
 * config/schema.h. Any thread may read; ref and unref are atomic.
 */
#ifndef MXHOLD_CONFIG_CONFIG_H
#define MXHOLD_CONFIG_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "mxhold/base/error.h"
#include "mxhold/base/inet.h"
#include "mxhold/base/log.h"
#include "mxhold/base/map.h"

struct config_cidrs {
	struct cidr *v;
	size_t n;
};

struct config_strings {
	char **v;
	size_t n;
};

struct config_listen {
	char *name;
	struct endpoint *addresses;
	size_t n_addresses;
	struct config_cidrs proxy_from, xclient_from;
	bool etrn;
};

/* Where something was written, for complaints about what a file holds. */
struct config_place {
	char *file; /* never NULL */
	int line;   /* 0 = the file as a whole */
};

struct config_tls {
	struct config_strings cert, key; /* same length; "auto" resolved to
					  * files in state_dir by the daemon */
	bool automatic;                  /* cert and key are "auto" */
	char *min_version;
	struct config_place cert_at, key_at;
};

struct config_smtp {
	uint32_t max_sessions, max_sessions_per_ip, max_rcpt;
	uint64_t max_size;
	int64_t command_timeout, data_timeout;
	bool reject_bare_newline;
	uint32_t max_hops, max_errors;
	uint64_t min_rate; /* bytes a second */
	bool strict_helo;
};

enum policy_action {
	POLICY_DEFER,
	POLICY_REJECT,
	POLICY_RECORD
};

struct config_dnsbl {
	char *zone;
	int weight;
};

struct config_policy {
	enum policy_action action;
	int64_t pregreet;
	bool require_fcrdns;
	struct config_dnsbl *dnsbl;
	size_t n_dnsbl;
	int dnsbl_threshold;
	uint32_t unknown_budget;
	int64_t unknown_window, unknown_penalty;
	uint32_t max_rate; /* messages a minute a client network */
	struct config_strings milter;
	int64_t milter_timeout;
	bool milter_default_accept;
};

struct config_queue {
	int64_t retention;
	bool clock_wall; /* else primary-up */
	int64_t hard_limit;
	uint64_t max_bytes; /* 0 = auto */
	uint64_t reserve;
	uint64_t map_size; /* 0 = auto */
	int64_t history;
};

enum probe_depth {
	PROBE_TCP,
	PROBE_BANNER,
	PROBE_EHLO,
	PROBE_TLS,
	PROBE_RCPT
};

struct config_probe {
	int64_t interval_up, interval_down, timeout;
	enum probe_depth depth;
	uint32_t down_after, up_after;
	char *sender;    /* without brackets; "" = null */
	char *recipient; /* local part, or a whole address */
};

struct config_drain {
	uint32_t max_connections, canary, per_connection;
	uint32_t rate; /* messages a minute; 0 = no limit */
	uint32_t fresh_share;
	int64_t connect_timeout, command_timeout, data_timeout;
	int64_t *retry_message;
	size_t n_retry_message;
	bool hold;
};

struct config_breaker {
	uint32_t window, max_5xx;
	bool any_before_rcpt;
	int64_t retry, first_5xx;
};

enum bounce_send {
	BOUNCE_AUTHENTICATED,
	BOUNCE_ALL,
	BOUNCE_NONE
};

enum bounce_route {
	BOUNCE_BY_MX,
	BOUNCE_BY_PRIMARY,
	BOUNCE_NOWHERE
};

struct config_bounce {
	enum bounce_send send;
	bool otherwise_drop; /* else hold in quarantine */
	enum bounce_route route;
	int64_t delay_dsn; /* 0 = off */
	int64_t quarantine;
	char *from; /* "auto" resolved to postmaster@hostname */
};

struct config_dns {
	struct config_strings resolver;
	char *trust_anchor;
	int64_t last_good;
};

struct config_log {
	enum log_level level;
	enum log_format format;
	bool hash_private;
};

struct config_control {
	char *socket, *group;
};

struct config_alert {
	char *name;
	struct config_strings events;
	char *exec, *webhook;
	int64_t debounce, repeat;
};

enum primary_tls {
	PRIMARY_TLS_MAY,
	PRIMARY_TLS_OFF,
	PRIMARY_TLS_REQUIRE,
	PRIMARY_TLS_VERIFY,
	PRIMARY_TLS_PIN,
	PRIMARY_TLS_DANE
};

enum primary_handover {
	HANDOVER_AUTO,
	HANDOVER_XCLIENT,
	HANDOVER_XFORWARD,
	HANDOVER_NONE
};

struct config_host {
	char *name; /* A-labels, or the text of an address */
	bool is_address;
	struct inet_addr addr; /* when is_address */
	uint16_t port;
};

/*
 * A primary: a primary{} section, or made from what a domain names: "host",
 * "host:port" (shared by the domains that name the same), or "mx" (then one
 * for each domain, named "mx:DOMAIN").
 */
struct config_primary {
	char *name;
	struct config_host *hosts; /* in order; none: the domain's MX */
	size_t n_hosts;
	bool by_mx;
	bool implicit;   /* no primary{}: made from what a domain names */
	char *mx_domain; /* by_mx: whose MX; for a shared primary{} with
			  * host = {} the first domain's */
	uint16_t port;
	enum primary_tls tls;
	char *pin, *ca, *client_cert, *client_key; /* "" = none */
	bool has_source;
	struct inet_addr source;
	enum primary_handover handover;
	struct config_place ca_at, client_cert_at; /* not when implicit */
};

enum when_up {
	WHEN_UP_ACCEPT,
	WHEN_UP_DEFER,
	WHEN_UP_PASSTHROUGH
};

enum unknown_down {
	UNKNOWN_AUTO,
	UNKNOWN_REJECT,
	UNKNOWN_DEFER,
	UNKNOWN_ACCEPT
};

struct config_domain {
	char *name;    /* canonical */
	char *display; /* as written */
	struct config_primary *primary;
	struct config_strings recipients; /* sources but "learn" */
	bool learn;
	struct config_place recipients_at;
	int64_t refresh;
	uint32_t max_shrink; /* percent */
	int64_t stale_after;
	char *subaddress;
	enum when_up when_up;
	enum unknown_down unknown_down;
	int64_t learn_ttl, forget_ttl;
	uint64_t quota; /* 0 = none */
	/* the global sections with the domain's own words laid over */
	struct config_queue queue;
	struct config_drain drain;
	struct config_bounce bounce;
	struct config_policy policy;
};

struct config {
	char *file; /* where it was read from */
	char *hostname, *state_dir, *conf_dir, *postmaster, *user;
	struct inet_addr *external;
	size_t n_external;
	uint32_t threads; /* 0 resolved to the number of cores */

	struct config_listen *listens;
	size_t n_listens;
	struct config_tls tls;
	struct config_smtp smtp;
	struct config_policy policy;
	struct config_queue queue;
	struct config_probe probe;
	struct config_drain drain;
	struct config_breaker breaker;
	struct config_bounce bounce;
	struct config_dns dns;
	struct config_log log;
	struct config_control control;
	char *metrics_listen; /* "" = off */
	struct config_alert *alerts;
	size_t n_alerts;
	struct config_primary **primaries;
	size_t n_primaries;
	struct config_domain *domains;
	size_t n_domains;

	struct map domain_index; /* canonical name -> struct config_domain */
	_Atomic uint32_t refs;
	void *owned; /* private: memory to free with it */
};

/*
 * Reads FILE, then conf_dir/x.conf in name order, checks everything. NULL
 * with every complaint on its own line in `complaints` (file:line: option:
 * what is wrong, nearest known name), to be freed with free(). When it is
 * good, complaints holds warnings ("file: option: warning: what") or NULL.
 * One call at a time in a process: libConfuse keeps globals.
 */
struct config *config_load(const char *file, char **complaints);
/* The same for who only wants to know where things are: the files it names
 * (keys, recipients), users and groups are not looked at. */
struct config *config_peek(const char *file, char **complaints);
struct config *config_ref(const struct config *c);
void config_unref(const struct config *c); /* NULL is fine */

const struct config_domain *config_domain(const struct config *c,
					  const char *canonical);
const struct config_primary *config_primary(const struct config *c,
					    const char *name);
/* As it is written: "may", "verify" ... */
const char *config_tls_name(enum primary_tls tls);
/* Options whose change a reload cannot take over, as "listen, threads", or
 * "" ; written to out. */
void config_needs_restart(const struct config *old, const struct config *new_,
			  char *out, size_t room);
/* The configuration in force, with defaults, in its own syntax; malloc'ed. */
char *config_dump(const struct config *c);
/* The same without what is as by default. */
char *config_dump_own(const struct config *c);

#endif
