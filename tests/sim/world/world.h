/*
 * The world around one daemon: who sends, who takes, what goes wrong when,
 * and ledgers of what was said. It lies in memory that the lives of the
 * daemon (a process each) share with their parent: fixed sizes, no pointers,
 * so that a crash at any point leaves it as it was.
 *
 *	plan.c		what a seed means: hosts, faults, mail, settings
 *	conf.c		the daemon's configuration of that plan
 *	truth.c		what is wrong with a primary at a time; DNS
 *	client.c	senders
 *	operator.c	somebody at the control socket
 *	server.c	primaries: SMTP;  server_say.c: their answers
 *	ledger.c	what was kept, what was taken; content
 *	rules.c		what may never be, judged while it happens
 *	judge.c		the same, judged at the end
 *	life.c		one life of the daemon
 *	main.c		seeds, replay, controls
 */
#ifndef MXHOLD_SIM_WORLD_H
#define MXHOLD_SIM_WORLD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "mxhold/base/attr.h"
#include "mxhold/base/inet.h"

enum {
	PRIMARIES_MAX = 2,
	HOSTS_MAX = 3, /* of a primary */
	DOMAINS_MAX = 3,
	USERS = 4, /* of a domain; the last is refused by its primary */
	MAILS_MAX = 256,
	RCPTS_MAX = 3,
	FAULTS_MAX = 48,
	TAKEN_MAX = 4096,
	OPEN_MAX = 64,
	BROKEN_MAX = 6,
	QID = 13,
};

#define MS     INT64_C(1000)
#define SECOND INT64_C(1000000)
#define MINUTE (60 * SECOND)
#define HOUR   (60 * MINUTE)
#define DAY    (24 * HOUR)
#define NEVER  INT64_MAX

enum fault_kind {
	/* the primary is not there */
	FAULT_REFUSES,     /* connections are refused */
	FAULT_SILENT,      /* nothing answers; open connections hang */
	FAULT_UNREACHABLE, /* ICMP says so */
	FAULT_RESETS,      /* accepts, then resets */
	FAULT_MUTE,        /* accepts, says nothing */
	FAULT_BANNER_554,
	FAULT_BANNER_421,
	FAULT_EHLO_554,
	/* its DNS is not there */
	FAULT_NXDOMAIN,
	FAULT_SERVFAIL,
	FAULT_DNS_SILENT,
	FAULT_DNS_EMPTY,
	FAULT_DNS_WRONG, /* an address where nobody listens */
	FAULT_DNS_US,    /* it leads to ourselves */
	/* it is there, but half-configured */
	FAULT_MAIL_451,
	FAULT_MAIL_550,
	FAULT_RCPT_550, /* no user is known */
	FAULT_RCPT_450,
	FAULT_DOT_452,
	FAULT_DOT_554,
	/* it is there, and troubled */
	FAULT_SLOW,
	FAULT_CUTS,       /* connections are cut anywhere */
	FAULT_LOST_REPLY, /* took it, and is gone before it says so */
	FAULT_CROWDED,    /* 421 above one connection */
	/* an operator holds its mail back */
	FAULT_PAUSED, /* drain pause */
	FAULT_HELD,   /* primary hold */
	/* our own machine */
	FAULT_CRASH,
	FAULT_FAILPOINT, /* dies at a named place */
	FAULT_RESTART,
	FAULT_RELOAD,
	FAULT_SLOW_DISK,
	FAULT_DISK_EIO,
	FAULT_DISK_FULL,
	FAULT_CLOCK,
	/* an operator's words that are for all mail, or for the moment */
	FAULT_QUEUE_HELD,
	FAULT_WORD,
	FAULT_CHANGED, /* a reload, with other limits */
	FAULT_REMOVED, /* queue delete, expire or bounce of a domain's mail */
	FAULT_KINDS
};

extern const char *const fault_names[FAULT_KINDS];

struct fault {
	enum fault_kind kind;
	int primary; /* whom it hits */
	int64_t from_us, until_us;
	int64_t value; /* seconds off, hours of clock, the failpoint ... */
	bool done;     /* what happens once has happened */
	bool undone;   /* an operator's word was taken back */
};

struct host {
	char name[48]; /* "mx1.p0.test" */
	struct inet_addr addr;
	int64_t latency_us;
	size_t segment;
	uint32_t extensions; /* EXT_* */
	bool fails_tls;
	uint32_t per_session; /* messages, then 421; 0 = any */
	bool is_gone;         /* never there: the others do the work */
};

struct primary {
	char name[24];
	bool by_mx, by_address;
	int n_hosts;
	struct host hosts[HOSTS_MAX];
	/* what the rules know of it */
	int64_t good_since_us; /* or 0 */
	int64_t hung_us;       /* when sessions last hung or broke; 0 = never */
	int64_t flows_since_us; /* its first mail since then; or 0 */
	int64_t down_since_us;  /* or 0 */
	uint64_t episode;       /* bits of what was wrong since it was good */
	int64_t broke_us;       /* a breaker may have opened, last; 0 = never */
	bool is_messy;          /* order may be anything, for now */
	int canary_left, transactions;
	int sessions;           /* that carried mail, and are not over */
	int64_t waits_since_us; /* for its first delivery; 0 = not */
	int64_t limit_us;       /* until when it must have come */
	int64_t last_mail_us;   /* for the rate; 0 = none counts */
	/* since when an operator has heard that its mail waits; 0 = not */
	int64_t paused_us, held_us;
	uint64_t taken;
};

enum mail_kind {
	MAIL_GOOD,
	MAIL_SPAM, /* its primary always refuses the content */
};

struct mail {
	enum mail_kind kind;
	int n_rcpts;
	int domain[RCPTS_MAX], user[RCPTS_MAX];
	uint32_t lines;  /* of its content */
	int64_t next_us; /* when its sender tries (again); NEVER */
	uint32_t tries;
	/* now */
	bool under_way, dot_sent;
	uint8_t asked; /* recipients of this try that were accepted */
	/* what came of it */
	uint8_t acked;     /* recipients with a 250 */
	uint8_t taken;     /* recipients that a primary has it for */
	uint32_t n_acked;  /* tries with a 250 */
	uint32_t n_unsure; /* tries whose reply was lost */
	int64_t began_us, acked_us;
	bool touched[PRIMARIES_MAX]; /* the primary has seen its MAIL */
	uint32_t overtaken[PRIMARIES_MAX];
	uint8_t kept, failed, reported; /* by the store, at the end */
	bool may_go;        /* an operator was about to give it up */
	int64_t removed_us; /* when he heard that it is; 0 = not */
};

/* A recipient of a mail was taken by its primary. */
struct taken {
	uint16_t mail;
	uint8_t rcpt;
	bool unsure, open; /* the reply may be lost; nothing came after it */
	char qid[QID + 1];
	int64_t at_us;
};

struct settings { /* of the daemon, drawn by the seed */
	int threads;
	int64_t interval_down_s, interval_up_s;
	int down_after, up_after;
	int max_connections, canary, per_connection, rate, fresh_share;
	int64_t command_timeout_s, data_timeout_s;
	bool long_retries;
	int64_t breaker_retry_s, first_5xx_s;
	int breaker_window;
	int64_t hard_limit_h, retention_h;
	bool clock_wall, bounce_all;
	bool clock_moves; /* somebody sets it: due times are no order */
	bool holds_queue; /* somebody holds mail: its time is no order */
	int n_refused;    /* recipients that their primary never takes */
	int64_t max_bytes_mib;
};

/* What is falsified, so that a rule must fail: main.c. */
enum control {
	CONTROL_NONE,
	CONTROL_ACK_EARLY, /* the daemon's own: 250 before the commit */
	CONTROL_LOSE,
	CONTROL_TWICE,
	CONTROL_ALTER,
	CONTROL_LATE,
	CONTROL_CROWD,
	CONTROL_CANARY,
	CONTROL_ORDER,
	CONTROL_STUCK,
	CONTROL_WORDS, /* an operator who does not do what he says */
	CONTROLS
};

struct world {
	uint64_t seed;
	enum control control;
	bool verbose;
	bool words; /* an operator takes part */
	char dir[256];
	struct settings set, set_before; /* before the last change */
	int64_t changed_us;              /* when that was; 0 = never */
	int n_primaries, n_domains, n_faults, n_mails;
	struct primary primaries[PRIMARIES_MAX];
	int domain_primary[DOMAINS_MAX];
	struct fault faults[FAULTS_MAX];
	struct mail mails[MAILS_MAX];
	int64_t plan_end_us; /* after which nothing goes wrong any more */
	int64_t deadline_us; /* when all must be delivered */

	/* as it goes */
	int lives;
	int64_t now_us, wall_ms; /* when the last life ended */
	int64_t born_us;         /* when this one began */
	uint64_t hash, events;
	bool ended; /* in order, for good */
	int n_taken;
	struct taken taken[TAKEN_MAX];
	int64_t trouble_us; /* when our machine last had any */

	/* for the table */
	uint64_t n_reports, n_duplicates, n_crashes, n_recoveries;
	int64_t worst_first_us;

	int n_broken;
	char broken[BROKEN_MAX][240];
};

extern struct world *W;

/* --- plan.c, conf.c ------------------------------------------------------- */
void plan_make(uint64_t seed);
void conf_write(void); /* and the lists of recipients */
const char *conf_path(void);
/* Other limits, by that number; a reload will find them. */
void conf_change(int64_t value);

/* --- truth.c -------------------------------------------------------------- */
bool fault_is_down(enum fault_kind k); /* no connection comes to RCPT */
bool fault_is_dns(enum fault_kind k);
bool fault_is_ours(enum fault_kind k);
bool truth_has(int primary, enum fault_kind k); /* now */
bool truth_is_good(int primary); /* nothing at all is wrong with it */
bool truth_is_down(int primary); /* no connection comes to RCPT */
void truth_update(void);         /* a fault has begun or ended */
void truth_begin(void);          /* DNS and connections of this life */

bool fault_is_operator(enum fault_kind k); /* said at the socket */

/* --- client.c ------------------------------------------------------------- */
void client_start_all(void); /* at the beginning of a life */
void client_forget_all(void);

/* --- operator.c ----------------------------------------------------------- */
void operator_begin(void); /* of a life: what is still to be taken back */
void operator_meet(struct fault *f, bool begins);
void operator_forget(void);

/* --- server.c ------------------------------------------------------------- */
struct wire_end;
void server_accept(int primary, int host, struct wire_end *end);
void server_reporter(struct wire_end *end); /* takes reports */
/* Those that carry mail, and have seen one begin since then. */
int server_sessions(int primary, int64_t since_us);
/* Open connections meet the beginning of a fault. */
void server_hit(const struct fault *f);

/* --- ledger.c ------------------------------------------------------------- */
struct buf;
struct slice;
void ledger_content(int mail, struct buf *out);
void ledger_sender(int mail, char out[64]);
void ledger_rcpt(int mail, int rcpt, char out[64]);
/* "s12@..." or "... u3.m12..."; -1. */
int ledger_find_mail(struct slice sender);
int ledger_find_rcpt(int mail, struct slice address);
/* Content that came with its Received line; rcpts: a bit each. Returns the
 * first entry made, n in number. */
int ledger_take(int primary, int mail, unsigned rcpts, struct slice content,
		int *n);
void ledger_sure(int first, int n);
void ledger_unsure(int first, int n);
void ledger_crash(void); /* what was open is unsure: the parent's */
void ledger_report(struct slice content);
bool ledger_is_done(void); /* all that must be delivered is */
/* Not yet taken by anybody. */
bool ledger_waits(int mail, int primary);
/* The plan's own time limits. */
struct mail;
bool ledger_may_have_expired(const struct mail *m, int64_t now_us);

/* --- rules.c -------------------------------------------------------------- */
void broken(const char *fmt, ...) MX_PRINTF(1, 2);
void say(const char *fmt, ...) MX_PRINTF(1, 2);  /* -v: a line of the story */
void rules_begin(void);                          /* of a life */
void rules_look(int primary, enum fault_kind k); /* a fault began or ended */
void rules_our_trouble(void);
/* The daemon has said that a primary's mail waits, or hears that it may go. */
void rules_stopped(const struct fault *f, bool stopped);
/* The mail of a domain is to be given up; what was there at that time is. */
void rules_may_go(int domain);
void rules_removed(int domain, int64_t asked_us);
void rules_mail_begins(int primary, int mail, int used);
void rules_taken(int primary);

/* --- judge.c -------------------------------------------------------------- */
void judge_end(void);

/* --- life.c --------------------------------------------------------------- */
void life_run(void); /* does not return */
void life_crash(const char *how) __attribute__((noreturn));

#endif
