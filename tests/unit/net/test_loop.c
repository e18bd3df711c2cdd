#include "mxhold/net/loop.h"

#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include "mxhold/net/timer.h"
#include "unit/base/suite.h"

static void stop(void *data)
{
	loop_stop(data);
}

START_TEST(loop__runs_until_it_is_stopped_and_may_run_again)
{
	struct loop *l = loop_new(NULL);
	for (int i = 0; i < 3; i++) {
		loop_defer(l, stop, l);
		loop_run(l);
	}
	loop_free(l);
}
END_TEST

START_TEST(loop__returns_when_it_was_stopped_before_it_ran)
{
	struct loop *l = loop_new(NULL);
	loop_stop(l);
	loop_run(l);
	loop_free(l);
}
END_TEST

struct order {
	struct loop *l;
	char text[32];
	int rounds;
	bool enough;
};

static void note_b(void *data)
{
	struct order *o = data;
	strcat(o->text, "b");
	loop_stop(o->l);
}

static void note_a(void *data)
{
	struct order *o = data;
	loop_defer(o->l, note_b, o);
	strcat(o->text, "a"); /* b comes later, not now */
}

START_TEST(loop__defers_a_call_to_a_later_turn)
{
	struct order o = {.l = loop_new(NULL)};
	loop_defer(o.l, note_a, &o);
	ck_assert_str_eq(o.text, "");
	loop_run(o.l);
	ck_assert_str_eq(o.text, "ab");
	loop_free(o.l);
}
END_TEST

static void again(void *data)
{
	struct order *o = data;
	o->rounds++;
	if (!o->enough)
		loop_defer(o->l, again, o);
}

static void on_stop_timer(void *data)
{
	struct order *o = data;
	loop_stop(o->l);
}

static void note_late(void *data)
{
	struct order *o = data;
	o->enough = true;
}

/* Calls that defer each other must leave room for timers and sockets. */
START_TEST(loop__is_not_held_by_calls_that_defer_each_other)
{
	struct order o = {.l = loop_new(NULL)};
	struct timer *t = timer_new(o.l, on_stop_timer, &o);
	loop_defer(o.l, again, &o);
	timer_start(t, 2);
	loop_run(o.l);
	ck_assert_int_gt(o.rounds, 0);
	timer_free(t);
	o.enough = true;
	loop_free(o.l);
}
END_TEST

START_TEST(loop__runs_what_was_deferred_before_it_is_freed)
{
	struct order o = {.l = loop_new(NULL)};
	loop_defer(o.l, note_late, &o);
	loop_free(o.l);
	ck_assert(o.enough);
}
END_TEST

struct job {
	struct loop *l;
	pthread_t main, worker;
	bool worked, done;
};

static void work(void *data)
{
	struct job *j = data;
	j->worker = pthread_self();
	j->worked = true;
}

static void worked(void *data)
{
	struct job *j = data;
	j->done = j->worked && pthread_equal(j->main, pthread_self());
	loop_stop(j->l);
}

START_TEST(loop__works_elsewhere_and_reports_here)
{
	struct job j = {.l = loop_new(NULL), .main = pthread_self()};
	loop_work(j.l, work, worked, &j);
	loop_run(j.l);
	ck_assert(j.done);
	ck_assert(!pthread_equal(j.main, j.worker));
	loop_free(j.l);
}
END_TEST

START_TEST(loop__waits_for_work_before_it_is_freed)
{
	struct job j = {.l = loop_new(NULL), .main = pthread_self()};
	loop_work(j.l, work, worked, &j);
	loop_free(j.l);
	ck_assert(j.done);
}
END_TEST

struct caught {
	struct loop *l;
	int signo;
};

static void on_signal(void *data, int signo)
{
	struct caught *c = data;
	c->signo = signo;
	loop_stop(c->l);
}

START_TEST(loop__tells_signals)
{
	struct caught c = {.l = loop_new(NULL)};
	struct loop_signal *s = loop_signal_on(c.l, SIGHUP, on_signal, &c);
	kill(getpid(), SIGHUP);
	loop_run(c.l);
	ck_assert_int_eq(c.signo, SIGHUP);
	loop_signal_off(s);
	loop_signal_off(NULL);
	loop_free(c.l);
}
END_TEST

struct elsewhere {
	struct loop *l;
	char name[16];
	sigset_t blocked;
	pthread_t self;
};

static void look_around(void *data)
{
	struct elsewhere *e = data;
	e->self = pthread_self();
	pthread_getname_np(e->self, e->name, sizeof(e->name));
	pthread_sigmask(SIG_BLOCK, NULL, &e->blocked);
	loop_stop(e->l);
}

START_TEST(loop__runs_in_a_named_thread_that_takes_no_signals)
{
	struct elsewhere e = {.l = loop_new(NULL)};
	struct error err;
	loop_defer(e.l, look_around, &e);
	ck_assert_int_eq(
		loop_thread_start(e.l, "receive-1-with-a-long-name", &err), 0);
	loop_thread_join(e.l);
	ck_assert(!pthread_equal(e.self, pthread_self()));
	ck_assert_str_eq(e.name, "receive-1-with-");
	ck_assert_int_eq(sigismember(&e.blocked, SIGTERM), 1);
	sigset_t mine;
	pthread_sigmask(SIG_BLOCK, NULL, &mine);
	ck_assert_int_eq(sigismember(&mine, SIGTERM), 0);
	loop_free(e.l);
}
END_TEST

START_TEST(loop__is_stopped_from_another_thread)
{
	struct loop *l = loop_new(NULL);
	ck_assert_int_eq(loop_thread_start(l, "x", NULL), 0);
	loop_stop(l);
	loop_thread_join(l);
	loop_free(l);
}
END_TEST

START_TEST(loop__ignores_broken_pipes)
{
	int p[2];
	struct loop *l = loop_new(NULL);
	ck_assert_int_eq(pipe(p), 0);
	close(p[0]);
	ck_assert_int_eq(write(p[1], "x", 1), -1); /* and we live */
	close(p[1]);
	loop_free(l);
}
END_TEST

START_TEST(loop__dies_when_freed_with_a_timer_left)
{
	struct loop *l = loop_new(NULL);
	timer_new(l, stop, l);
	loop_free(l);
}
END_TEST

int main(void)
{
	return RUN_TESTS(
		"loop", TEST(loop__runs_until_it_is_stopped_and_may_run_again),
		TEST(loop__returns_when_it_was_stopped_before_it_ran),
		TEST(loop__defers_a_call_to_a_later_turn),
		TEST(loop__is_not_held_by_calls_that_defer_each_other),
		TEST(loop__runs_what_was_deferred_before_it_is_freed),
		TEST(loop__works_elsewhere_and_reports_here),
		TEST(loop__waits_for_work_before_it_is_freed),
		TEST(loop__tells_signals),
		TEST(loop__runs_in_a_named_thread_that_takes_no_signals),
		TEST(loop__is_stopped_from_another_thread),
		TEST(loop__ignores_broken_pipes),
		DIES(loop__dies_when_freed_with_a_timer_left, SIGABRT));
}
