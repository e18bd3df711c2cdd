/* Learning from deliveries and by asking; a primary on a thread of its own. */
#include "mxhold/receive/learning.h"

#include <netinet/in.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include <unistd.h>

#include "mxhold/net/timer.h"
#include "mxhold/receive/lesson_book.h"
#include "rig.h"

enum {
	TELL_MS = 30000, /* a bound, no measure */
	ASKERS = 20,
};

static struct rig rig;
static struct loop *loop;
static struct outbound *outbound;
static struct learning *learning;
static struct error err;
static struct learning_primary primary;
static unsigned n_told, n_expected;
static enum told words[300];

/* ---- the primary ---- */

static struct {
	int fd;
	uint16_t port;
	pthread_t thread;
	atomic_bool is_catchall, has_nobody, is_deaf;
	atomic_uint calls, rcpts, randoms;
} server;

static const char *answer_rcpt(const char *line)
{
	atomic_fetch_add(&server.rcpts, 1);
	if (strstr(line, "no-such-user-"))
		atomic_fetch_add(&server.randoms, 1);
	if (server.has_nobody)
		return "550 5.1.1 no such user\r\n";
	if (strstr(line, "<busy@"))
		return "450 4.2.1 later\r\n";
	if (strstr(line, "<blocked@"))
		return "550 5.7.1 we do not like you\r\n";
	if (server.is_catchall || strstr(line, "<there") ||
	    strstr(line, "<postmaster@"))
		return "250 2.1.5 ok\r\n";
	return "550 5.1.1 no such user\r\n";
}

static const char *answer(const char *line)
{
	if (strncmp(line, "EHLO", 4) == 0)
		return "250-mx.test\r\n250 ENHANCEDSTATUSCODES\r\n";
	if (strncmp(line, "RCPT", 4) == 0)
		return answer_rcpt(line);
	if (strncmp(line, "QUIT", 4) == 0)
		return "221 2.0.0 bye\r\n";
	return "250 2.0.0 ok\r\n";
}

static void say(int fd, const char *text)
{
	ssize_t n = send(fd, text, strlen(text), MSG_NOSIGNAL);

	(void)n;
}

static void talk(FILE *f)
{
	char line[1024];

	say(fileno(f), "220 mx.test ESMTP\r\n");
	while (fgets(line, sizeof(line), f))
		if (!server.is_deaf || strncmp(line, "RCPT", 4) != 0)
			say(fileno(f), answer(line));
}

static void *hold(void *data)
{
	talk(data);
	fclose(data);
	return NULL;
}

static void *serve(void *data)
{
	int fd;

	(void)data;
	while ((fd = accept(server.fd, NULL, NULL)) >= 0) {
		pthread_t thread;

		atomic_fetch_add(&server.calls, 1);
		pthread_create(&thread, NULL, hold, fdopen(fd, "r"));
		pthread_detach(thread);
	}
	return NULL;
}

static void start_server(void)
{
	struct sockaddr_in sa = {.sin_family = AF_INET,
				 .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t n = sizeof(sa);

	server.fd = socket(AF_INET, SOCK_STREAM, 0);
	ck_assert_int_eq(bind(server.fd, (struct sockaddr *)&sa, n), 0);
	ck_assert_int_eq(listen(server.fd, 16), 0);
	getsockname(server.fd, (struct sockaddr *)&sa, &n);
	server.port = ntohs(sa.sin_port);
	ck_assert_int_eq(pthread_create(&server.thread, NULL, serve, NULL), 0);
}

static void stop_server(void)
{
	shutdown(server.fd, SHUT_RDWR);
	pthread_join(server.thread, NULL);
	close(server.fd);
}

/* ---- us ---- */

static bool on_look(void *data, const char *name, struct learning_primary *out)
{
	(void)data;
	ck_assert_str_eq(name, "192.0.2.1");
	*out = primary;
	return true;
}

static void open_learning(const char *probe)
{
	struct learning_parts parts = {.look = on_look};
	char before[256];

	snprintf(before, sizeof(before),
		 "primary \"192.0.2.1\" { host = \"127.0.0.1:%u\" tls = off }\n"
		 "probe { %s }",
		 server.port, probe);
	rig_init(&rig);
	rig_configure(&rig, before, "recipients = \"learn\"");
	rig_open_store(&rig);
	loop = loop_new(&err);
	outbound = outbound_new(loop, NULL, rig.config);
	parts.loop = loop;
	parts.directory = rig.directory;
	parts.outbound = outbound;
	parts.config = rig.config;
	learning = learning_new(&parts);
	primary = (struct learning_primary){.is_up = true, .up_ms = 5000};
}

static void begin(void)
{
	start_server();
	open_learning("timeout = 20s");
}

/* All that was learned is on disk afterwards. */
static void close_learning(void)
{
	learning_free(learning);
	outbound_free(outbound);
	loop_free(loop);
	learning = NULL;
}

static void finish(void)
{
	if (learning)
		close_learning();
	rig_done(&rig);
	stop_server();
}

static enum learned known(const char *address)
{
	struct directory_reader *r = directory_reader_new(rig.directory, NULL);
	struct learned_terms terms = {.primary = "192.0.2.1",
				      .up_ms = primary.up_ms,
				      .learn_ttl = 1000,
				      .forget_ttl = 1000};
	enum learned learned =
		directory_learned(r, "example.com", address, address, &terms);

	directory_reader_free(r);
	return learned;
}

static void on_late(void *data)
{
	(void)data;
	ck_abort_msg("nothing was told");
}

static void run(void)
{
	struct timer *late = timer_new(loop, on_late, NULL);

	timer_start(late, TELL_MS);
	loop_run(loop);
	timer_free(late);
}

static void on_told(void *data, enum told told)
{
	(void)data;
	words[n_told++] = told;
	if (n_told == n_expected)
		loop_stop(loop);
}

static void ask(const char *local)
{
	struct learning_rcpt r = {.domain = "example.com"};

	snprintf(r.address, sizeof(r.address), "%s@example.com", local);
	snprintf(r.canonical, sizeof(r.canonical), "%s@example.com", local);
	snprintf(r.base, sizeof(r.base), "%s@example.com", local);
	learning_ask(learning, &r, on_told, NULL);
}

static enum told told(const char *local)
{
	n_told = 0;
	n_expected = 1;
	ask(local);
	if (n_told == 0)
		run();
	return words[0];
}

static void hear(const char *address, int code, const char *enhanced)
{
	struct smtp_reply reply;

	smtp_reply_set(&reply, code, enhanced, "said so");
	learning_heard(learning, "example.com", slice_str(address), &reply);
}

/* ---- deliveries ---- */

static const struct {
	int code;
	const char *enhanced;
	enum learned learned;
} replies[] = {
	{250, "2.0.0", LEARNED_TAKEN},    {250, "", LEARNED_TAKEN},
	{251, "2.1.5", LEARNED_TAKEN},    {550, "5.1.1", LEARNED_REFUSED},
	{550, "", LEARNED_REFUSED},       {551, "", LEARNED_REFUSED},
	{553, "", LEARNED_REFUSED},       {550, "5.1.10", LEARNED_REFUSED},
	{550, "5.1.0", LEARNED_REFUSED},  {553, "5.1.3", LEARNED_REFUSED},
	{551, "5.1.6", LEARNED_REFUSED},  {554, "5.1.1", LEARNED_REFUSED},
	{550, "5.7.1", LEARNED_NOTHING},  {550, "5.1.2", LEARNED_NOTHING},
	{550, "5.2.1", LEARNED_NOTHING},  {552, "5.2.2", LEARNED_NOTHING},
	{554, "", LEARNED_NOTHING},       {554, "5.7.1", LEARNED_NOTHING},
	{450, "4.1.1", LEARNED_NOTHING},  {421, "4.3.2", LEARNED_NOTHING},
	{550, "5.1.11", LEARNED_NOTHING}, {450, "", LEARNED_NOTHING},
};

START_TEST(learning__a_delivery_teaches_what_its_reply_means)
{
	begin();
	hear("Joe@Example.com", replies[_i].code, replies[_i].enhanced);
	close_learning();
	ck_assert_int_eq(known("joe@example.com"), replies[_i].learned);
	finish();
}
END_TEST

START_TEST(learning__a_refusal_of_a_primary_that_is_not_up_teaches_nothing)
{
	begin();
	primary.is_up = false;
	hear("ghost@example.com", 550, "5.1.1");
	hear("there@example.com", 250, "2.0.0");
	close_learning();
	ck_assert_int_eq(known("ghost@example.com"), LEARNED_NOTHING);
	ck_assert_int_eq(known("there@example.com"), LEARNED_TAKEN);
	finish();
}
END_TEST

START_TEST(learning__postmaster_is_not_learned)
{
	begin();
	hear("PostMaster@example.com", 550, "5.1.1");
	hear("not an address", 250, "2.0.0");
	close_learning();
	ck_assert_int_eq(known("postmaster@example.com"), LEARNED_NOTHING);
	finish();
}
END_TEST

START_TEST(learning__what_is_on_its_way_to_disk_is_known)
{
	begin();
	hear("there@example.com", 250, "2.0.0");
	hear("ghost@example.com", 550, "5.1.1");
	ck_assert_int_eq(told("there"), TOLD_TAKEN);
	ck_assert_int_eq(told("ghost"), TOLD_REFUSED);
	ck_assert_uint_eq(server.calls, 0);
	finish();
}
END_TEST

/* ---- questions ---- */

START_TEST(learning__asks_and_remembers)
{
	begin();
	ck_assert_int_eq(told("there"), TOLD_TAKEN);
	ck_assert_int_eq(told("ghost"), TOLD_REFUSED);
	close_learning();
	ck_assert_int_eq(known("there@example.com"), LEARNED_TAKEN);
	ck_assert_int_eq(known("ghost@example.com"), LEARNED_REFUSED);
	finish();
}
END_TEST

START_TEST(learning__what_says_nothing_of_the_recipient_teaches_nothing)
{
	begin();
	ck_assert_int_eq(told("busy"), TOLD_NOTHING);
	ck_assert_int_eq(told("blocked"), TOLD_NOTHING);
	close_learning();
	ck_assert_int_eq(known("busy@example.com"), LEARNED_NOTHING);
	ck_assert_int_eq(known("blocked@example.com"), LEARNED_NOTHING);
	finish();
}
END_TEST

START_TEST(learning__a_primary_that_has_nobody_is_not_believed)
{
	begin();
	server.has_nobody = true;
	ck_assert_int_eq(told("ghost"), TOLD_NOTHING);
	server.has_nobody = false;
	ck_assert_int_eq(told("ghost"), TOLD_REFUSED);
	finish();
}
END_TEST

START_TEST(learning__after_an_outage_its_word_is_measured_anew)
{
	begin();
	ck_assert_int_eq(told("ghost1"), TOLD_REFUSED);
	server.has_nobody = true;
	learning_primary_changed(learning);
	ck_assert_int_eq(told("ghost2"), TOLD_NOTHING);
	finish();
}
END_TEST

START_TEST(learning__a_catch_all_is_asked_for_one_stranger_and_teaches_nothing)
{
	begin();
	server.is_catchall = true;
	ck_assert_int_eq(told("anybody"), TOLD_TAKEN);
	ck_assert_int_eq(told("somebody"), TOLD_TAKEN);
	ck_assert_uint_eq(server.randoms, 1);
	close_learning();
	ck_assert_int_eq(known("anybody@example.com"), LEARNED_NOTHING);
	ck_assert_int_eq(known("somebody@example.com"), LEARNED_NOTHING);
	finish();
}
END_TEST

START_TEST(learning__who_asks_together_shares_the_answer)
{
	begin();
	n_told = 0;
	n_expected = ASKERS;
	for (int i = 0; i < ASKERS; i++)
		ask("there");
	run();
	for (int i = 0; i < ASKERS; i++)
		ck_assert_int_eq(words[i], TOLD_TAKEN);
	ck_assert_uint_eq(server.rcpts - server.randoms, 1);
	finish();
}
END_TEST

START_TEST(learning__many_questions_share_two_calls)
{
	char local[16];

	begin();
	n_told = 0;
	n_expected = ASKERS;
	for (int i = 0; i < ASKERS; i++) {
		snprintf(local, sizeof(local), "ghost%d", i);
		ask(local);
	}
	run();
	for (int i = 0; i < ASKERS; i++)
		ck_assert_int_eq(words[i], TOLD_REFUSED);
	ck_assert_uint_le(server.calls, 2);
	finish();
}
END_TEST

START_TEST(learning__too_many_who_wait_are_told_nothing)
{
	char local[16];

	begin();
	server.is_deaf = true;
	n_told = 0;
	n_expected = UINT32_MAX;
	for (int i = 0; i < 256 + 5; i++) {
		snprintf(local, sizeof(local), "ghost%d", i);
		ask(local);
	}
	ck_assert_uint_eq(n_told, 5);
	ck_assert_int_eq(words[0], TOLD_NOTHING);
	n_told = 0;
	ask("ghost0"); /* who joins takes no place */
	ck_assert_uint_eq(n_told, 0);
	n_told = 0;
	learning_stop(learning);
	finish();
}
END_TEST

START_TEST(learning__a_primary_that_is_silent_ends_in_time)
{
	start_server();
	open_learning("timeout = 1s");
	server.is_deaf = true;
	ck_assert_int_eq(told("there"), TOLD_NOTHING);
	finish();
}
END_TEST

START_TEST(learning__a_primary_that_cannot_be_reached_tells_nothing)
{
	start_server();
	open_learning("timeout = 20s");
	stop_server();
	ck_assert_int_eq(told("there"), TOLD_NOTHING);
	start_server();
	finish();
}
END_TEST

START_TEST(learning__stops_with_a_question_under_way)
{
	begin();
	server.is_deaf = true;
	n_told = 0;
	n_expected = 1;
	ask("there");
	learning_stop(learning);
	ck_assert_uint_eq(n_told, 1);
	ck_assert_int_eq(words[0], TOLD_NOTHING);
	ask("there");
	ck_assert_uint_eq(n_told, 2);
	finish();
}
END_TEST

/* ---- an operator's word ---- */

static struct {
	char why[128];
	bool changed;
} ordered;

static void on_ordered(void *data, const char *why, bool changed)
{
	(void)data;
	snprintf(ordered.why, sizeof(ordered.why), "%s", why ? why : "");
	ordered.changed = changed;
	loop_stop(loop);
}

static void order(bool pin)
{
	struct learning_rcpt r = {.domain = "example.com",
				  .address = "joe@example.com",
				  .canonical = "joe@example.com",
				  .base = "joe@example.com"};

	learning_order(learning, &r, pin, on_ordered, NULL);
	run();
	ck_assert_str_eq(ordered.why, "");
}

START_TEST(learning__an_operator_pins_and_forgets)
{
	begin();
	order(true);
	ck_assert(ordered.changed);
	ck_assert_int_eq(known("joe@example.com"), LEARNED_PINNED);
	order(true);
	ck_assert(!ordered.changed);
	order(false);
	ck_assert(ordered.changed);
	ck_assert_int_eq(known("joe@example.com"), LEARNED_NOTHING);
	order(false);
	ck_assert(!ordered.changed);
	finish();
}
END_TEST

int main(void)
{
	return RUN_TESTS(
		"learning",
		LOOP(learning__a_delivery_teaches_what_its_reply_means,
		     replies),
		TEST(learning__a_refusal_of_a_primary_that_is_not_up_teaches_nothing),
		TEST(learning__postmaster_is_not_learned),
		TEST(learning__what_is_on_its_way_to_disk_is_known),
		TEST(learning__asks_and_remembers),
		TEST(learning__what_says_nothing_of_the_recipient_teaches_nothing),
		TEST(learning__a_primary_that_has_nobody_is_not_believed),
		TEST(learning__after_an_outage_its_word_is_measured_anew),
		TEST(learning__a_catch_all_is_asked_for_one_stranger_and_teaches_nothing),
		TEST(learning__who_asks_together_shares_the_answer),
		TEST(learning__many_questions_share_two_calls),
		TEST(learning__too_many_who_wait_are_told_nothing),
		TEST(learning__a_primary_that_is_silent_ends_in_time),
		TEST(learning__a_primary_that_cannot_be_reached_tells_nothing),
		TEST(learning__stops_with_a_question_under_way),
		TEST(learning__an_operator_pins_and_forgets));
}
