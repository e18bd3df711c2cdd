#include "mxhold/config/schema.h"

#include "mxhold/config/config.h"

/* The table reads as the manual does: one line an option where it fits. */

#define SEC(n)  ((n)*1000ULL)
#define MINS(n) ((n)*60000ULL)
#define HOUR(n) ((n)*3600000ULL)
#define DAY(n)  ((n)*86400000ULL)
#define KB(n)   ((n)*1024ULL)
#define MB(n)   ((n)*1048576ULL)
#define TB(n)   ((n)*1099511627776ULL)

/* A list is a pointer and a count behind it, whatever it holds. */
#define PAIRED(st, p, n)                                                \
	_Static_assert(offsetof(struct st, n) ==                        \
			       offsetof(struct st, p) + sizeof(void *), \
		       "count behind pointer")
PAIRED(config_listen, addresses, n_addresses);
PAIRED(config_policy, dnsbl, n_dnsbl);
PAIRED(config_drain, retry_message, n_retry_message);
PAIRED(config, external, n_external);
_Static_assert(sizeof(enum policy_action) == sizeof(uint32_t), "enum size");

#define OPT(id, nm, ty, st, mem, lo, hi, wd, df, fl, hp)                 \
	{                                                                \
		.section = SCHEMA_##id, .name = nm, .type = SCHEMA_##ty, \
		.at = offsetof(struct st, mem), .min = lo, .max = hi,    \
		.words = wd, .def = df, .flags = fl, .help = hp          \
	}
#define RAW_OPT(id, nm, ty, df, fl, hp)                                  \
	{                                                                \
		.section = SCHEMA_##id, .name = nm, .type = SCHEMA_##ty, \
		.def = df, .flags = fl, .help = hp                       \
	}

const struct schema_option schema_options[] = {
	/* outside of all sections */
	RAW_OPT(TOP, "hostname", RAW, "auto", 0,
		"our own name, fully qualified: banner, EHLO, Received"),
	OPT(TOP, "state_dir", TEXT, config, state_dir, 1, 0, NULL,
	    "/var/lib/mxholdd", SCHEMA_RESTART,
	    "where the queue and the directory of recipients are kept"),
	OPT(TOP, "conf_dir", TEXT, config, conf_dir, 0, 0, NULL,
	    "/etc/mxholdd/domains.d", 0,
	    "more files, *.conf, read in the order of their names"),
	OPT(TOP, "external_addresses", ADDRESSES, config, external, 0, 0, NULL,
	    "", 0, "addresses outside a NAT that are also this host"),
	RAW_OPT(TOP, "postmaster", RAW, "auto", 0,
		"always accepted; auto: postmaster at the first domain"),
	OPT(TOP, "threads", COUNT, config, threads, 0, 1024, NULL, "0",
	    SCHEMA_RESTART, "receive loops; 0: one for each core"),
	OPT(TOP, "user", TEXT, config, user, 0, 0, NULL, "", SCHEMA_RESTART,
	    "switch to this user when started as root"),

	OPT(LISTEN, "address", ENDPOINTS, config_listen, addresses, 0, 0, NULL,
	    "0.0.0.0:25, [::]:25", SCHEMA_RESTART,
	    "where to listen; not bound when systemd passes sockets"),
	OPT(LISTEN, "proxy_from", CIDRS, config_listen, proxy_from, 0, 0, NULL,
	    "", SCHEMA_RESTART,
	    "networks that must speak PROXY v1 or v2 first"),
	OPT(LISTEN, "xclient_from", CIDRS, config_listen, xclient_from, 0, 0,
	    NULL, "", SCHEMA_RESTART, "networks that may use XCLIENT"),
	OPT(LISTEN, "etrn", BOOL, config_listen, etrn, 0, 0, NULL, "true",
	    SCHEMA_RESTART, "offer ETRN to the primaries' own addresses"),

	OPT(TLS, "cert", TEXTS, config_tls, cert, 1, 0, NULL, "auto", 0,
	    "certificate chains (PEM), one for each key; auto: self-signed"),
	OPT(TLS, "key", TEXTS, config_tls, key, 1, 0, NULL, "auto", 0,
	    "private keys (PEM), in the order of the certificates"),
	OPT(TLS, "min_version", TEXT, config_tls, min_version, 0, 0, "1.2|1.3",
	    "1.2", 0, "the oldest TLS version spoken"),

	OPT(SMTP, "max_sessions", COUNT, config_smtp, max_sessions, 1, 1000000,
	    NULL, "1000", 0, "sessions at once"),
	OPT(SMTP, "max_sessions_per_ip", COUNT, config_smtp,
	    max_sessions_per_ip, 1, 1000000, NULL, "20", 0,
	    "sessions at once of one client network (/32, /64)"),
	OPT(SMTP, "max_rcpt", COUNT, config_smtp, max_rcpt, 1, 50000, NULL,
	    "100", 0,
	    "recipients of one message (RFC 5321 wants 100 at least)"),
	OPT(SMTP, "max_size", SIZE, config_smtp, max_size, KB(1), TB(1), NULL,
	    "50M", 0, "largest message taken"),
	OPT(SMTP, "command_timeout", DURATION, config_smtp, command_timeout,
	    100, DAY(1), NULL, "5m", 0,
	    "time a client has for its next command"),
	OPT(SMTP, "data_timeout", DURATION, config_smtp, data_timeout, 100,
	    DAY(1), NULL, "10m", 0,
	    "time a client may be silent within a message"),
	OPT(SMTP, "bare_newline", FLAG, config_smtp, reject_bare_newline, 0, 0,
	    "normalize|reject", "normalize", 0,
	    "lone CR or LF in a message: made CRLF, or refused"),
	OPT(SMTP, "max_hops", COUNT, config_smtp, max_hops, 1, 10000, NULL,
	    "100", 0, "Received lines that mean a mail loop"),
	OPT(SMTP, "max_errors", COUNT, config_smtp, max_errors, 1, 10000, NULL,
	    "10", 0, "errors before 421 and close"),
	OPT(SMTP, "min_rate", SIZE, config_smtp, min_rate, 0, MB(100), NULL,
	    "500", 0,
	    "bytes a second, over a minute, while a body is under way"),
	OPT(SMTP, "strict_helo", BOOL, config_smtp, strict_helo, 0, 0, NULL,
	    "false", 0, "refuse a HELO that is neither a name nor a literal"),

	OPT(POLICY, "action", WORD, config_policy, action, 0, 0,
	    "defer|reject|record", "defer", 0,
	    "what a bad reputation leads to"),
	OPT(POLICY, "pregreet", DURATION, config_policy, pregreet, 0, MINS(5),
	    NULL, "0s", SCHEMA_GLOBAL,
	    "wait before the banner; who talks first is deferred"),
	OPT(POLICY, "require_fcrdns", BOOL, config_policy, require_fcrdns, 0, 0,
	    NULL, "false", 0,
	    "want a reverse name that leads back to the client"),
	OPT(POLICY, "dnsbl", DNSBL, config_policy, dnsbl, 0, 0, NULL, "", 0,
	    "block lists, each with its weight behind a colon"),
	OPT(POLICY, "dnsbl_threshold", COUNT, config_policy, dnsbl_threshold, 1,
	    1000000, NULL, "3", 0, "sum of weights that counts as listed"),
	OPT(POLICY, "unknown_budget", COUNT, config_policy, unknown_budget, 1,
	    1000000, NULL, "10", SCHEMA_GLOBAL,
	    "unknown recipients a client network may try ..."),
	OPT(POLICY, "unknown_window", DURATION, config_policy, unknown_window,
	    100, DAY(30), NULL, "10m", SCHEMA_GLOBAL,
	    "... within this time; then 421 and"),
	OPT(POLICY, "unknown_penalty", DURATION, config_policy, unknown_penalty,
	    0, DAY(30), NULL, "1h", SCHEMA_GLOBAL, "it is refused for so long"),
	OPT(POLICY, "max_rate", COUNT, config_policy, max_rate, 1, 100000000,
	    NULL, "600", SCHEMA_GLOBAL,
	    "messages a minute of a client network"),
	OPT(POLICY, "milter", TEXTS, config_policy, milter, 0, 0, NULL, "",
	    SCHEMA_LATER, "milters: unix:/path or inet:host:port"),
	OPT(POLICY, "milter_timeout", DURATION, config_policy, milter_timeout,
	    100, HOUR(1), NULL, "30s", SCHEMA_LATER,
	    "time a milter has for an answer"),
	OPT(POLICY, "milter_default", FLAG, config_policy,
	    milter_default_accept, 0, 0, "defer|accept", "accept", SCHEMA_LATER,
	    "when a milter fails"),

	OPT(QUEUE, "retention", DURATION, config_queue, retention, SEC(1),
	    DAY(3650), NULL, "30d", 0, "how long a message may wait"),
	OPT(QUEUE, "clock", FLAG, config_queue, clock_wall, 0, 0,
	    "primary-up|wall", "primary-up", 0,
	    "what counts as waiting: only while the primary was up, or all"),
	OPT(QUEUE, "hard_limit", DURATION, config_queue, hard_limit, SEC(1),
	    DAY(3650), NULL, "90d", 0,
	    "given up after so long by the wall clock, whatever clock says"),
	OPT(QUEUE, "max_bytes", SIZE, config_queue, max_bytes, MB(1), TB(1024),
	    "auto", "auto", SCHEMA_RESTART | SCHEMA_GLOBAL,
	    "size of the queue; auto: 80% of the file system"),
	OPT(QUEUE, "reserve", SIZE, config_queue, reserve, 0, TB(1024), NULL,
	    "1G", SCHEMA_RESTART | SCHEMA_GLOBAL,
	    "free disk space under which MAIL gets 452"),
	OPT(QUEUE, "map_size", SIZE, config_queue, map_size, MB(1), TB(1024),
	    "auto", "auto", SCHEMA_RESTART | SCHEMA_GLOBAL,
	    "address space of the database; auto: from max_bytes"),
	OPT(QUEUE, "history", DURATION, config_queue, history, 0, DAY(3650),
	    NULL, "30d", SCHEMA_GLOBAL,
	    "how long it is kept what became of each message"),

	OPT(PROBE, "interval_up", DURATION, config_probe, interval_up, 100,
	    DAY(1), NULL, "60s", 0, "between probes of a primary that is up"),
	OPT(PROBE, "interval_down", DURATION, config_probe, interval_down, 100,
	    HOUR(1), NULL, "15s", 0,
	    "between probes of a primary that is down; constant"),
	OPT(PROBE, "timeout", DURATION, config_probe, timeout, 100, MINS(10),
	    NULL, "20s", 0, "for a whole probe"),
	OPT(PROBE, "depth", WORD, config_probe, depth, 0, 0,
	    "tcp|banner|ehlo|tls|rcpt", "rcpt", 0,
	    "how far a probe goes; never DATA"),
	OPT(PROBE, "down_after", COUNT, config_probe, down_after, 1, 100, NULL,
	    "3", 0, "bad probes in a row that mean down"),
	OPT(PROBE, "up_after", COUNT, config_probe, up_after, 1, 100, NULL, "2",
	    0, "good probes in a row that mean up again"),
	RAW_OPT(PROBE, "sender", RAW, "<>", 0, "reverse-path of a probe"),
	RAW_OPT(PROBE, "recipient", RAW, "postmaster", 0,
		"whom a probe asks for: a local part at the domain, or an "
		"address"),

	OPT(DRAIN, "max_connections", COUNT, config_drain, max_connections, 1,
	    1000, NULL, "8", 0,
	    "connections to a primary at once; ramped up from 1"),
	OPT(DRAIN, "canary", COUNT, config_drain, canary, 0, 1000, NULL, "1", 0,
	    "messages sent alone before opening up"),
	OPT(DRAIN, "per_connection", COUNT, config_drain, per_connection, 1,
	    1000000, NULL, "100", 0, "messages over one connection"),
	OPT(DRAIN, "rate", COUNT, config_drain, rate, 0, 100000000, NULL, "0",
	    0, "messages a minute; 0: as fast as the primary takes them"),
	OPT(DRAIN, "fresh_share", COUNT, config_drain, fresh_share, 0, 100,
	    NULL, "50", 0,
	    "percent of slots for mail that arrived after recovery"),
	OPT(DRAIN, "connect_timeout", DURATION, config_drain, connect_timeout,
	    100, MINS(10), NULL, "5s", 0, "for a connection"),
	OPT(DRAIN, "command_timeout", DURATION, config_drain, command_timeout,
	    100, HOUR(2), NULL, "5m", 0, "for a reply to a command"),
	OPT(DRAIN, "data_timeout", DURATION, config_drain, data_timeout, 100,
	    HOUR(2), NULL, "10m", 0, "for the reply to a whole message"),
	OPT(DRAIN, "retry_message", DURATIONS, config_drain, retry_message, 100,
	    DAY(7), NULL, "1m, 5m, 15m, 30m, 1h", 0,
	    "waits after a 4xx for a message; the last repeats"),
	OPT(DRAIN, "hold", BOOL, config_drain, hold, 0, 0, NULL, "false", 0,
	    "wait for `mxholdctl drain now`"),

	OPT(BREAKER, "window", COUNT, config_breaker, window, 1, 100000, NULL,
	    "20", 0, "recipients looked at"),
	OPT(BREAKER, "max_5xx", COUNT, config_breaker, max_5xx, 1, 100, NULL,
	    "20", 0,
	    "percent of 5xx among them, known to be good, that opens it"),
	OPT(BREAKER, "any_before_rcpt", BOOL, config_breaker, any_before_rcpt,
	    0, 0, NULL, "true", 0,
	    "a 5xx at banner, EHLO or MAIL opens it at once"),
	OPT(BREAKER, "retry", DURATION, config_breaker, retry, 100, DAY(1),
	    NULL, "10m", 0, "wait before one message is tried again"),
	OPT(BREAKER, "first_5xx", DURATION, config_breaker, first_5xx, 0,
	    DAY(30), NULL, "24h", 0,
	    "a 5xx for a recipient known to be good is retried this long"),

	OPT(BOUNCE, "send", WORD, config_bounce, send, 0, 0,
	    "authenticated|all|none", "authenticated", 0,
	    "whose senders get reports"),
	OPT(BOUNCE, "otherwise", FLAG, config_bounce, otherwise_drop, 0, 0,
	    "hold|drop", "hold", 0,
	    "what becomes of failed mail without a report"),
	OPT(BOUNCE, "route", WORD, config_bounce, route, 0, 0,
	    "mx|primary|none", "mx", 0,
	    "the way of reports: the sender's MX, the primary, or none"),
	OPT(BOUNCE, "delay_dsn", DURATION, config_bounce, delay_dsn, SEC(1),
	    DAY(365), "off", "off", 0, "warn the sender after so long"),
	OPT(BOUNCE, "quarantine", DURATION, config_bounce, quarantine, 0,
	    DAY(3650), NULL, "14d", 0, "how long quarantined mail is kept"),
	RAW_OPT(BOUNCE, "from", RAW, "auto", 0,
		"header From of reports; auto: postmaster at hostname"),

	OPT(DNS, "resolver", TEXTS, config_dns, resolver, 0, 0, NULL, "",
	    SCHEMA_RESTART,
	    "servers, as address or address@port; none: the system's"),
	OPT(DNS, "trust_anchor", TEXT, config_dns, trust_anchor, 1, 0, NULL,
	    "auto", SCHEMA_RESTART,
	    "auto, a file, or none (no validation: DANE off)"),
	OPT(DNS, "last_good", DURATION, config_dns, last_good, 0, DAY(3650),
	    NULL, "30d", 0,
	    "how long a primary's last working addresses are kept"),

	OPT(LOG, "level", WORD, config_log, level, 0, 0,
	    "debug|info|warning|error", "info", 0, "the least that is logged"),
	OPT(LOG, "format", WORD, config_log, format, 0, 0, "logfmt|json",
	    "logfmt", 0, "of lines on standard error"),
	OPT(LOG, "privacy", FLAG, config_log, hash_private, 0, 0, "off|hash",
	    "off", 0, "hash: addresses of persons appear as hashes"),

	OPT(CONTROL, "socket", TEXT, config_control, socket, 1, 0, NULL,
	    "/run/mxholdd/control.sock", SCHEMA_RESTART,
	    "where mxholdctl speaks to the daemon"),
	OPT(CONTROL, "group", TEXT, config_control, group, 0, 0, NULL, "",
	    SCHEMA_RESTART,
	    "group that may use the socket; empty: the daemon's own"),

	OPT(METRICS, "listen", TEXT, config, metrics_listen, 0, 0, NULL, "",
	    SCHEMA_RESTART | SCHEMA_LATER,
	    "address:port of /metrics and /healthz; empty: off"),

	OPT(ALERT, "events", TEXTS, config_alert, events, 0, 0,
	    "primary|breaker|queue|disk|recipients|tls",
	    "primary, breaker, queue, disk, recipients, tls", SCHEMA_LATER,
	    "what is told"),
	OPT(ALERT, "exec", TEXT, config_alert, exec, 0, 0, NULL, "",
	    SCHEMA_LATER, "program to run, with its arguments; no shell"),
	OPT(ALERT, "webhook", TEXT, config_alert, webhook, 0, 0, NULL, "",
	    SCHEMA_LATER, "URL to post JSON to"),
	OPT(ALERT, "debounce", DURATION, config_alert, debounce, 0, DAY(7),
	    NULL, "5m", SCHEMA_LATER, "a state must last this long to be told"),
	OPT(ALERT, "repeat", DURATION, config_alert, repeat, 0, DAY(365), NULL,
	    "6h", SCHEMA_LATER, "told again while it lasts; 0: once"),

	RAW_OPT(PRIMARY, "host", RAWS, "", 0,
		"names or addresses, with or without port, in order; none: the "
		"domain's MX"),
	OPT(PRIMARY, "port", PORT, config_primary, port, 1, 65535, NULL, "25",
	    0, "of hosts that name none"),
	OPT(PRIMARY, "tls", WORD, config_primary, tls, 0, 0,
	    "may|off|require|verify|pin|dane", "may", 0,
	    "what is asked of TLS"),
	OPT(PRIMARY, "pin", TEXT, config_primary, pin, 0, 0, NULL, "", 0,
	    "sha256: and the hash of the public key, hex or base64"),
	OPT(PRIMARY, "ca", TEXT, config_primary, ca, 1, 0, NULL, "system", 0,
	    "system, or a file of certificates (PEM)"),
	OPT(PRIMARY, "client_cert", TEXT, config_primary, client_cert, 0, 0,
	    NULL, "", 0, "certificate we show (PEM)"),
	OPT(PRIMARY, "client_key", TEXT, config_primary, client_key, 0, 0, NULL,
	    "", 0, "and its key (PEM)"),
	OPT(PRIMARY, "source", SOURCE, config_primary, has_source, 0, 0, NULL,
	    "", 0, "local address to connect from"),
	OPT(PRIMARY, "handover", WORD, config_primary, handover, 0, 0,
	    "auto|xclient|xforward|none", "auto", 0,
	    "how the primary is told the original client"),

	RAW_OPT(DOMAIN, "primary", RAW, NULL, 0,
		"title of a primary section, host, host:port, or mx (from "
		"DNS)"),
	RAW_OPT(DOMAIN, "recipients", RAWS, NULL, 0,
		"files, https:// addresses, exec: programs, or learn"),
	OPT(DOMAIN, "refresh", DURATION, config_domain, refresh, 100, DAY(30),
	    NULL, "5m", 0, "how often recipients are looked at again"),
	OPT(DOMAIN, "max_shrink", COUNT, config_domain, max_shrink, 0, 100,
	    NULL, "30", 0,
	    "percent a new list may be smaller before it must be confirmed"),
	OPT(DOMAIN, "stale_after", DURATION, config_domain, stale_after, SEC(1),
	    DAY(3650), NULL, "7d", 0,
	    "age of a list that raises an alert; it stays in force"),
	OPT(DOMAIN, "subaddress", TEXT, config_domain, subaddress, 0, 0, NULL,
	    "+", 0, "characters that begin a detail in a local part"),
	OPT(DOMAIN, "when_up", WORD, config_domain, when_up, 0, 0,
	    "accept|defer|passthrough", "accept", 0,
	    "what happens while the primary is up"),
	OPT(DOMAIN, "unknown_down", WORD, config_domain, unknown_down, 0, 0,
	    "auto|reject|defer|accept", "auto", 0,
	    "unknown recipients while it is down; auto: reject with a list, "
	    "else defer"),
	OPT(DOMAIN, "learn_ttl", DURATION, config_domain, learn_ttl, SEC(1),
	    DAY(3650), NULL, "60d", 0, "how long a learned recipient lasts"),
	OPT(DOMAIN, "forget_ttl", DURATION, config_domain, forget_ttl, 0,
	    DAY(30), NULL, "10m", 0,
	    "how long a refused recipient is remembered"),
	OPT(DOMAIN, "quota", SIZE, config_domain, quota, 0, TB(1024), NULL, "0",
	    0, "bytes queued for the domain at most; 0: no limit"),
};

#define SECTION(i, nm, mem, hp)                             \
	[SCHEMA_##i] = {.id = SCHEMA_##i,                   \
			.name = nm,                         \
			.at = offsetof(struct config, mem), \
			.help = hp}
#define TITLED(i, nm, hp) \
	[SCHEMA_##i] = {  \
		.id = SCHEMA_##i, .name = nm, .titled = true, .help = hp}
#define OVERRIDE(i, nm, mem, hp)                                          \
	[SCHEMA_##i] = {.id = SCHEMA_##i,                                 \
			.name = nm,                                       \
			.in_domain = true,                                \
			.at = offsetof(struct config, mem),               \
			.at_domain = offsetof(struct config_domain, mem), \
			.help = hp}

const struct schema_section schema_sections[SCHEMA_SECTIONS] = {
	[SCHEMA_TOP] = {.id = SCHEMA_TOP,
			.name = "",
			.at = 0,
			.help = "the host"},
	TITLED(LISTEN, "listen", "where mail is taken; repeatable"),
	SECTION(TLS, "tls", tls, "TLS towards clients"),
	SECTION(SMTP, "smtp", smtp, "limits of the receiving side"),
	OVERRIDE(POLICY, "policy", policy,
		 "reputation may defer, never reject, unless action says so"),
	OVERRIDE(QUEUE, "queue", queue, "how long and how much is kept"),
	SECTION(PROBE, "probe", probe, "how primaries are watched"),
	OVERRIDE(DRAIN, "drain", drain, "how mail is handed over"),
	SECTION(BREAKER, "breaker", breaker,
		"a primary that comes back broken must not bounce the queue"),
	OVERRIDE(BOUNCE, "bounce", bounce, "reports to senders"),
	SECTION(DNS, "dns", dns, "resolving names"),
	SECTION(LOG, "log", log, "log lines"),
	SECTION(CONTROL, "control", control, "the control socket"),
	[SCHEMA_METRICS] = {.id = SCHEMA_METRICS,
			    .name = "metrics",
			    .at = 0,
			    .help = "the metrics page"},
	TITLED(ALERT, "alert", "who is told of trouble; repeatable"),
	TITLED(PRIMARY, "primary",
	       "a primary that domains may share; repeatable"),
	TITLED(DOMAIN, "domain",
	       "a domain we keep mail for; repeatable; may hold queue, drain, "
	       "bounce and policy sections of its own"),
};

const size_t schema_n_options =
	sizeof(schema_options) / sizeof(schema_options[0]);
