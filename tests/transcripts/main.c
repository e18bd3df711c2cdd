/*
 * transcripts server|client FILE...
 * transcripts --seeds DIR server|client FILE...
 *
 * Runs each transcript in blocks as written, whole, byte by byte and at
 * random cuts, and compares: the same output and the same questions each
 * time, and those that are written. Or writes what it would feed as files,
 * for the fuzzers to begin with.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mxhold/base/random.h"
#include "script.h"

enum {
	RANDOM_RUNS = 24
};

typedef int run_fn(const struct script *s, enum cut how, struct trace *t);

static bool is_same(const struct trace *a, const struct trace *b)
{
	return slice_eq(buf_slice(&a->output), buf_slice(&b->output)) &&
	       slice_eq(buf_slice(&a->asked), buf_slice(&b->asked));
}

static int run_again(const struct script *s, run_fn *run, enum cut how,
		     const struct trace *first)
{
	struct trace t;
	int ret;

	trace_init(&t);
	ret = run(s, how, &t);
	if (ret == 0 && !is_same(first, &t)) {
		fprintf(stderr, "%s: cut %d shows something else:\n%.*s\n",
			s->path, how, (int)t.asked.n, buf_slice(&t.asked).p);
		ret = -1;
	}
	trace_done(&t);
	return ret;
}

static int run_script(const struct script *s, run_fn *run)
{
	struct trace first;
	int ret;

	trace_init(&first);
	ret = run(s, CUT_BLOCKS, &first);
	if (ret == 0)
		ret = run_again(s, run, CUT_WHOLE, &first);
	if (ret == 0)
		ret = run_again(s, run, CUT_BYTES, &first);
	for (uint64_t seed = 1; seed <= RANDOM_RUNS && ret == 0; seed++) {
		random_seed(seed);
		ret = run_again(s, run, CUT_RANDOM, &first);
	}
	trace_done(&first);
	return ret;
}

static int write_seed(const struct script *s, const char *dir, char kind)
{
	const char *name = strrchr(s->path, '/');
	char path[4096];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", dir, name ? name + 1 : s->path);
	f = fopen(path, "w");
	if (!f)
		return -1;
	/* Not the long ones: they only teach a fuzzer patience. */
	for (size_t i = 0; i < s->n; i++) {
		if (s->steps[i].kind == kind && s->steps[i].text.n < 5000)
			fwrite(buf_slice(&s->steps[i].text).p, 1,
			       s->steps[i].text.n, f);
	}
	return fclose(f);
}

int main(int argc, char **argv)
{
	const char *seeds = NULL;
	bool server;
	int failed = 0, i = 1;

	if (argc > 2 && strcmp(argv[1], "--seeds") == 0) {
		seeds = argv[2];
		i = 3;
	}
	if (i >= argc)
		return 2;
	server = strcmp(argv[i++], "server") == 0;
	for (; i < argc; i++) {
		struct script s;
		int ret = script_read(&s, argv[i]);

		if (ret == 0 && seeds)
			ret = write_seed(&s, seeds, server ? 'C' : 'S');
		else if (ret == 0)
			ret = run_script(&s, server ? run_server : run_client);
		if (ret)
			fprintf(stderr, "FAILED %s\n", argv[i]);
		failed += ret != 0;
		script_done(&s);
	}
	return failed ? 1 : 0;
}
