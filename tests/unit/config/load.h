/* A directory of its own with a configuration in it. */
#ifndef TESTS_CONFIG_LOAD_H
#define TESTS_CONFIG_LOAD_H

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "mxhold/config/config.h"

static char load_dir[64];
static char *load_complaints;

static inline void load_setup(void)
{
	strcpy(load_dir, "/tmp/mxhold-config-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(load_dir));
	load_complaints = NULL;
}

static inline void load_teardown(void)
{
	char command[128];

	free(load_complaints);
	load_complaints = NULL;
	snprintf(command, sizeof(command), "rm -rf %s", load_dir);
	ck_assert_int_eq(system(command), 0);
}

static inline void load_write(const char *name, const char *text)
{
	char path[128];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", load_dir, name);
	f = fopen(path, "w");
	ck_assert_ptr_nonnull(f);
	fputs(text, f);
	fclose(f);
}

/* @ in a text stands for the directory: "@/rcpt". The caller frees. */
static inline char *load_expand(const char *text)
{
	size_t room = strlen(text) + 64 * strlen(load_dir) + 1, n = 0;
	char *out = malloc(room);

	for (; *text; text++)
		n += (size_t)snprintf(
			out + n, room - n,
			text[0] == '@' && text[1] == '/' ? "%s" : "%.1s",
			text[0] == '@' && text[1] == '/' ? load_dir : text);
	return out;
}

/* conf_dir is the directory's own "d" unless the text names another. */
static inline struct config *load_text(const char *text)
{
	char path[128], *all = load_expand(text);
	char *with_dir = malloc(strlen(all) + 128);
	struct config *c;

	sprintf(with_dir, "%s%s%s%s\n", all,
		strstr(all, "conf_dir") ? "" : "\nconf_dir = \"",
		strstr(all, "conf_dir") ? "" : load_dir,
		strstr(all, "conf_dir") ? "" : "/d\"");
	load_write("c", with_dir);
	free(all);
	free(with_dir);
	snprintf(path, sizeof(path), "%s/c", load_dir);
	load_write("rcpt", "@\n");
	free(load_complaints);
	c = config_load(path, &load_complaints);
	return c;
}

#endif
