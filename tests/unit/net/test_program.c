#include "mxhold/net/program.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#include "mxhold/base/buf.h"
#include "mxhold/base/clock.h"
#include "unit/base/suite.h"

static char dir[] = "/tmp/mxhold-program-XXXXXX";
static char script[64], command[128];
static struct buf said;
static struct error err;
static atomic_bool cancelled;
static bool cancel_at_output;

static int on_bytes(void *data, struct slice bytes, struct error *e)
{
	(void)data;
	(void)e;
	if (cancel_at_output)
		cancelled = true;
	return buf_append_slice(&said, bytes);
}

/* A script of its own; what it prints stands in `said`. */
static int run(const char *text, const char *words, int64_t timeout_ms)
{
	static const char *const vars[] = {"MXHOLD_DOMAIN=a.test", NULL};
	struct program p = {
		.command = command,
		.vars = vars,
		.timeout_ms = timeout_ms,
		.max_size = 100000,
		.cancelled = &cancelled,
		.on_bytes = on_bytes,
	};
	FILE *f;

	ck_assert_ptr_nonnull(mkdtemp(dir));
	snprintf(script, sizeof(script), "%s/s", dir);
	snprintf(command, sizeof(command), "%s%s", script, words);
	f = fopen(script, "w");
	fprintf(f, "#!/bin/sh\n%s\n", text);
	fclose(f);
	ck_assert_int_eq(system("chmod -R 700 /tmp/mxhold-program-*"), 0);
	buf_init(&said, 1 << 20);
	return program_run(&p, &err);
}

static void cleanup(void)
{
	buf_done(&said);
	unlink(script);
	rmdir(dir);
}

START_TEST(program__gets_its_words_and_hardly_an_environment)
{
	setenv("SECRET", "x", 1);
	ck_assert_msg(run("echo \"$1|$2|$#|$MXHOLD_DOMAIN|$SECRET|$PWD\"; cat",
			  "  'a  $(id)", 20000) == 0,
		      "%s", err.text);
	ck_assert_slice_eq(buf_slice(&said), "'a|$(id)|2|a.test||/\n");
	cleanup();
}
END_TEST

static const struct {
	const char *text, *says;
} failures[] = {
	{"echo part; echo 'no \a luck' >&2; exit 3",
	 "ended with status 3: no \\x07 luck"},
	{"kill -9 $$", "was killed by signal 9"},
	{"yes", "prints more than 100000 bytes"},
};

START_TEST(program__that_fails_says_how)
{
	ck_assert_int_eq(run(failures[_i].text, "", 20000), -1);
	ck_assert_str_eq(err.text, failures[_i].says);
	cleanup();
}
END_TEST

START_TEST(program__that_is_not_there_cannot_be_run)
{
	struct program p = {.command = "/no/such/program",
			    .timeout_ms = 1000,
			    .on_bytes = on_bytes};

	ck_assert_int_eq(program_run(&p, &err), -1);
	ck_assert_ptr_nonnull(strstr(err.text, "cannot be run"));
	p.command = " ";
	ck_assert_int_eq(program_run(&p, &err), -1);
	ck_assert_ptr_nonnull(strstr(err.text, "not a command"));
}
END_TEST

/* Wherever it hangs: with its output open, or closed. */
static const char *const hangs[] = {
	"sleep 1000 & echo $!; sleep 1000",
	"sleep 1000 & echo $!; exec >/dev/null 2>&1; sleep 1000",
	"sleep 1000 & echo $!; exit 0", /* its child holds the output */
};

START_TEST(program__is_killed_with_its_group_at_the_deadline)
{
	long child;

	ck_assert_int_eq(run(hangs[_i], "", 300), -1);
	ck_assert_ptr_nonnull(strstr(err.text, "did not end within 1 s"));
	child = strtol(buf_slice(&said).p, NULL, 10);
	ck_assert_int_gt(child, 1);
	/* Whoever inherits it has to see it off. */
	for (int i = 0; i < 2000 && kill((pid_t)child, 0) == 0; i++) {
		char path[64], state = '?';
		FILE *f;

		snprintf(path, sizeof(path), "/proc/%ld/stat", child);
		f = fopen(path, "r");
		if (!f || fscanf(f, "%*d %*s %c", &state) != 1 || state == 'Z')
			i = 2000;
		if (f)
			fclose(f);
		ck_assert_int_ne(i, 1999);
		usleep(5000);
	}
	cleanup();
}
END_TEST

START_TEST(program__is_broken_off_when_cancelled)
{
	int64_t began_ms = clock_mono_ms();

	cancel_at_output = true;
	ck_assert_int_eq(run("echo x; sleep 1000", "", 1000000), -1);
	ck_assert_int_eq(err.sys, ECANCELED);
	ck_assert_int_lt(clock_mono_ms() - began_ms, 500000);
	cleanup();
}
END_TEST

int main(void)
{
	signal(SIGPIPE, SIG_IGN);
	return RUN_TESTS(
		"program",
		TEST(program__gets_its_words_and_hardly_an_environment),
		LOOP(program__that_fails_says_how, failures),
		TEST(program__that_is_not_there_cannot_be_run),
		LOOP(program__is_killed_with_its_group_at_the_deadline, hangs),
		TEST(program__is_broken_off_when_cancelled));
}
